//! The source that a cycle reads.

use std::collections::BTreeMap;

use tokio::sync::{Mutex, mpsc};

use crate::cycle::{Source, SourceError};
use crate::model::{Changes, Coverage, Delta, Dn, Entry, EntryId, Looked, Place, Reading, Vendor, Wanted, Watermark};

use super::hosts::Hosts;
use super::kept::{Kept, Lent};
use super::probe::{self, Probe};
use super::proof::Proof;
use super::session::{OpenError, Session};
use super::settings::Settings;
use super::{look, reading, refusal, tracking};

/// A directory. Each call has a connection for itself, to the first server of the list that can be used, and stays with
/// it; what follows soon after takes over the connection of the call before. A server that failed lately is tried after
/// the others.
pub struct Directory {
    settings: Settings,
    hosts: Hosts,
    kept: Kept,
    refused: Mutex<Option<Refused>>,
}

/// What is known before the first entry is read.
type Start = (Option<Watermark>, BTreeMap<EntryId, Dn>);

/// A password that a server refused: asking again could lock the account.
struct Refused {
    fingerprint: [u8; 32],
    error: SourceError,
}

impl Directory {
    /// A directory that nobody has connected to yet.
    pub fn new(settings: Settings) -> Self {
        let kept = Kept::new(settings.idle_timeout, settings.connect_timeout);
        Self { hosts: Hosts::new(settings.urls.clone()), settings, kept, refused: Mutex::new(None) }
    }

    /// Looks at a page of what is wanted, for the `check` command.
    pub async fn probe(&self, wanted: &Wanted) -> Result<Probe, SourceError> {
        let session = self.open().await?;
        let probe = probe::look(&session, &self.settings, wanted).await;
        session.close().await;
        probe
    }

    /// The session of an earlier call if there is one, else a new one.
    async fn session(&self) -> Result<Lent, SourceError> {
        let proof = Proof::read(&self.settings.bind)?;
        let fingerprint = proof.fingerprint();
        match self.kept.take(fingerprint).await {
            Some(session) => Ok(session),
            None => Ok(self.kept.lend(self.open_with(proof).await?, fingerprint)),
        }
    }

    /// Opens a session.
    async fn open(&self) -> Result<Session, SourceError> {
        self.open_with(Proof::read(&self.settings.bind)?).await
    }

    /// Binds of one source are made one after another, so that a wrong password is tried once.
    async fn open_with(&self, proof: Proof) -> Result<Session, SourceError> {
        let mut refused = self.refused.lock().await;
        let fingerprint = proof.fingerprint();
        match (&*refused, fingerprint) {
            (Some(refused), Some(fingerprint)) if refused.fingerprint == fingerprint => return Err(refused.error.clone()),
            _ => *refused = None,
        }
        let mut causes = Vec::new();
        for url in self.hosts.in_order() {
            match Session::open(&self.settings, &url, &proof).await {
                Ok(session) => {
                    tracing::debug!(source = self.settings.name, %url, vendor = session.facts.vendor.as_str(), "connected");
                    return Ok(session);
                }
                Err(OpenError::Refused { code, message }) => {
                    let dn = self.settings.bind_name().to_owned();
                    let counts = refusal::counts(code, &message);
                    let error = SourceError::Refused { url: url.to_string(), dn, message };
                    if let (true, Some(fingerprint)) = (counts, fingerprint) {
                        *refused = Some(Refused { fingerprint, error: error.clone() });
                    }
                    return Err(error);
                }
                Err(OpenError::Unusable(cause)) => {
                    self.hosts.fail(&url);
                    causes.push(cause);
                }
            }
        }
        Err(SourceError::Unreachable(causes))
    }

    /// Keeps a session for the next call, if all went well. A server that failed is tried last for a while; true if another
    /// may do better.
    fn leave(&self, session: Lent, well: bool) -> bool {
        if session.is_server_to_blame() {
            return self.hosts.fail(&session.url);
        }
        if well {
            self.hosts.succeed(&session.url);
            session.give_back();
        }
        false
    }

    /// Where the directory stands, if its changes are tracked, and what may stand above others.
    async fn start(&self, session: &Session, wanted: &Wanted) -> Result<Start, SourceError> {
        let Some(watermark) = tracking::mark(session, &self.settings, wanted).await? else {
            return Ok((None, BTreeMap::new()));
        };
        match tracking::containers(session, wanted).await {
            Ok(containers) => Ok((Some(watermark), containers)),
            Err(error) => {
                tracing::debug!(source = self.settings.name, %error, "what stands above others cannot be read");
                Ok((None, BTreeMap::new()))
            }
        }
    }

    /// A reading, with the watermark that the directory had before it.
    async fn tracked(&self, session: &Session, wanted: &Wanted, entries: mpsc::Sender<Entry>) -> Result<Reading, SourceError> {
        let (watermark, containers) = match self.start(session, wanted).await {
            Ok(start) => start,
            Err(error) => {
                tracing::warn!(source = self.settings.name, %error, "where the directory stands cannot be told; the next cycle reads everything");
                (None, BTreeMap::new())
            }
        };
        let coverage = reading::read(session, wanted, entries).await?;
        Ok(Reading { coverage, watermark, containers })
    }
}

impl Source for Directory {
    async fn identify(&self) -> Result<Vendor, SourceError> {
        if let Some(vendor) = self.settings.vendor {
            return Ok(vendor);
        }
        let session = self.session().await?;
        let vendor = session.facts.vendor;
        session.give_back();
        Ok(vendor)
    }

    async fn read(&self, wanted: &Wanted, entries: mpsc::Sender<Entry>) -> Result<Reading, SourceError> {
        let session = self.session().await?;
        let url = session.url.clone();
        let reading = self.tracked(&session, wanted, entries).await;
        let is_whole = reading.as_ref().is_ok_and(|reading| reading.coverage.is_whole());
        let is_other = self.leave(session, is_whole);
        if is_other && !is_whole {
            let message = match &reading {
                Ok(Reading { coverage: Coverage::Partial(causes), .. }) => causes.join("; "),
                Ok(Reading { coverage: Coverage::Full | Coverage::Changes, .. }) => String::new(),
                Err(SourceError::Failed { message, .. }) => message.clone(),
                Err(error) => error.to_string(),
            };
            return Err(SourceError::Interrupted { url: url.to_string(), message });
        }
        reading
    }

    async fn changes(&self, wanted: &Wanted, since: &Watermark) -> Result<Changes, SourceError> {
        let session = self.session().await?;
        let changes = tracking::changes(&session, &self.settings, wanted, since).await;
        self.leave(session, changes.is_ok());
        changes
    }

    async fn look(
        &self,
        wanted: &Wanted,
        places: Vec<Place>,
        since: &Watermark,
        entries: mpsc::Sender<Entry>,
    ) -> Result<Looked, SourceError> {
        let session = self.session().await?;
        let looked = match tracking::same_server(&session, wanted, since).await {
            Ok(()) => look::look(&session, wanted, places, entries).await,
            Err(why) => Ok(Looked { coverage: Coverage::Partial(vec![why]), absent: std::collections::BTreeSet::new() }),
        };
        self.leave(session, looked.is_ok());
        looked
    }

    async fn watch(&self, wanted: &Wanted, since: &Watermark, heard: mpsc::Sender<Option<Delta>>) -> SourceError {
        match self.open().await {
            Ok(session) => tracking::watch(&session, &self.settings, wanted, since, heard).await,
            Err(error) => error,
        }
    }
}
