//! What a cycle needs of the directory, and how it fails.

use std::future::Future;

use tokio::sync::mpsc;

use crate::model::{Changes, Delta, Entry, Looked, Place, Reading, Vendor, Wanted, Watermark};

/// The directory.
pub trait Source: Send + Sync {
    /// Connects if need be and tells what kind of directory this is.
    fn identify(&self) -> impl Future<Output = Result<Vendor, SourceError>> + Send;

    /// Reads what is wanted into `entries`: every group before the first user, no entry twice.
    /// `Partial` where something is missing; `Err` where nothing of worth was read; `Interrupted` where another server may
    /// do better: then what was sent is thrown away and the next call begins again there, since no reading mixes two
    /// servers. Stops early, with `Partial`, when the receiver is gone.
    fn read(&self, wanted: &Wanted, entries: mpsc::Sender<Entry>) -> impl Future<Output = Result<Reading, SourceError>> + Send;

    /// What changed after a watermark that a reading of the same source gave.
    fn changes(&self, wanted: &Wanted, since: &Watermark) -> impl Future<Output = Result<Changes, SourceError>> + Send;

    /// Looks at some entries, on a server that is as far as the watermark, and sends those that are there as `read` would:
    /// users that are selected, groups whether selected or not. Groups need not come first.
    fn look(
        &self,
        wanted: &Wanted,
        places: Vec<Place>,
        since: &Watermark,
        entries: mpsc::Sender<Entry>,
    ) -> impl Future<Output = Result<Looked, SourceError>> + Send;

    /// Tells at once when something changes after the watermark, until it cannot any more: the error says why. `None`
    /// stands for something of which only [`Source::changes`] tells more. Begins with `None` when it has begun to hear.
    fn watch(
        &self,
        wanted: &Wanted,
        since: &Watermark,
        heard: mpsc::Sender<Option<Delta>>,
    ) -> impl Future<Output = SourceError> + Send;
}

/// Why the directory could not be read. Messages name hosts and DNs, never values or secrets.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SourceError {
    /// No server of the list could be reached or spoken with; one sentence for each.
    #[error("no directory server could be used: {}", .0.join("; "))]
    Unreachable(Vec<String>),
    /// The server refused the bind (invalidCredentials and kin). A password that it called wrong is not tried again until it
    /// changes.
    #[error("{url} refused the bind as {dn}: {message}")]
    Refused {
        /// Server.
        url: String,
        /// Who was binding.
        dn: String,
        /// Result code name and the server's text.
        message: String,
    },
    /// The server answered with an error or not by the protocol.
    #[error("{url}: {message}")]
    Failed {
        /// Server.
        url: String,
        /// What happened.
        message: String,
    },
    /// The server failed in the middle of a reading, and another server has not failed lately.
    #[error("{url} failed in the middle of a reading: {message}")]
    Interrupted {
        /// Server.
        url: String,
        /// What happened.
        message: String,
    },
    /// The secret could not be read.
    #[error("the bind password cannot be read: {0}")]
    Secret(String),
}
