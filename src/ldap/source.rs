//! The source that a cycle reads.

use tokio::sync::{Mutex, mpsc};

use crate::cycle::{Source, SourceError};
use crate::model::{Changes, Delta, Entry, Looked, Place, Reading, Vendor, Wanted, Watermark};

use super::kept::{Kept, Lent};
use super::probe::{self, Probe};
use super::proof::Proof;
use super::session::{OpenError, Session};
use super::settings::Settings;
use super::{look, reading, tracking};

/// Results of a bind that count against the account: they are not provoked again with the same password.
/// (constraintViolation, inappropriateAuthentication, invalidCredentials)
const COUNTED: [u32; 3] = [19, 48, 49];

/// A directory. Each call has a connection for itself, to the first server of the list that can be used, and stays with
/// it; what follows soon after takes over the connection of the call before.
pub struct Directory {
    settings: Settings,
    kept: Kept,
    refused: Mutex<Option<Refused>>,
}

/// A password that a server refused: asking again could lock the account.
struct Refused {
    fingerprint: [u8; 32],
    error: SourceError,
}

impl Directory {
    /// A directory that nobody has connected to yet.
    pub fn new(settings: Settings) -> Self {
        let kept = Kept::new(settings.idle_timeout, settings.connect_timeout);
        Self { settings, kept, refused: Mutex::new(None) }
    }

    /// Looks at a page of what is wanted, for the `check` command.
    pub async fn probe(&self, wanted: &Wanted) -> Result<Probe, SourceError> {
        let session = self.open().await?;
        let probe = probe::look(&session, &self.settings.bind, wanted).await;
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
        for url in &self.settings.urls {
            match Session::open(&self.settings, url, &proof).await {
                Ok(session) => {
                    tracing::debug!(source = self.settings.name, %url, vendor = session.facts.vendor.as_str(), "connected");
                    return Ok(session);
                }
                Err(OpenError::Refused { code, message }) => {
                    let dn = self.settings.bind_name().to_owned();
                    let error = SourceError::Refused { url: url.to_string(), dn, message };
                    if let (true, Some(fingerprint)) = (COUNTED.contains(&code), fingerprint) {
                        *refused = Some(Refused { fingerprint, error: error.clone() });
                    }
                    return Err(error);
                }
                Err(OpenError::Unusable(cause)) => causes.push(cause),
            }
        }
        Err(SourceError::Unreachable(causes))
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
        let coverage = reading::read(&session, wanted, entries).await;
        if coverage.is_ok() {
            session.give_back();
        }
        coverage.map(Reading::untracked)
    }

    async fn changes(&self, wanted: &Wanted, since: &Watermark) -> Result<Changes, SourceError> {
        let session = self.session().await?;
        let changes = tracking::changes(&session, &self.settings, wanted, since).await;
        if changes.is_ok() {
            session.give_back();
        }
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
        let looked = look::look(&session, wanted, places, since, entries).await;
        if looked.is_ok() {
            session.give_back();
        }
        looked
    }

    async fn watch(&self, wanted: &Wanted, since: &Watermark, heard: mpsc::Sender<Option<Delta>>) -> SourceError {
        match self.open().await {
            Ok(session) => tracking::watch(&session, &self.settings, wanted, since, heard).await,
            Err(error) => error,
        }
    }
}
