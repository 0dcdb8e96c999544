//! The source that a cycle reads.

use std::collections::{BTreeMap, BTreeSet};

use secrecy::SecretString;
use tokio::sync::{Mutex, mpsc};

use crate::cycle::{Source, SourceError};
use crate::model::{Changes, Coverage, Delta, Dn, Entry, EntryId, Looked, Place, Reading, Vendor, Wanted, Watermark};
use crate::secret::Secret;

use super::probe::{self, Probe};
use super::session::{OpenError, Session};
use super::settings::{Bind, Settings};
use super::{look, reading, tracking};

/// Results of a bind that count against the account: they are not provoked again with the same password.
/// (constraintViolation, inappropriateAuthentication, invalidCredentials)
const COUNTED: [u32; 3] = [19, 48, 49];

/// A directory. Each call opens a connection of its own to the first server of the list that can be used,
/// and stays with it.
pub struct Directory {
    settings: Settings,
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
        Self { settings, refused: Mutex::new(None) }
    }

    /// Looks at a page of what is wanted, for the `check` command.
    pub async fn probe(&self, wanted: &Wanted) -> Result<Probe, SourceError> {
        let session = self.open().await?;
        let probe = probe::look(&session, self.settings.tracking, wanted).await;
        session.close().await;
        probe
    }

    /// Opens a session. Binds of one source are made one after another, so that a wrong password is tried once.
    async fn open(&self) -> Result<Session, SourceError> {
        let password = self.password()?;
        let mut refused = self.refused.lock().await;
        let fingerprint = password.as_ref().map(Secret::fingerprint);
        match (&*refused, fingerprint) {
            (Some(refused), Some(fingerprint)) if refused.fingerprint == fingerprint => return Err(refused.error.clone()),
            _ => *refused = None,
        }
        let mut causes = Vec::new();
        for url in &self.settings.urls {
            match Session::open(&self.settings, url, password.as_ref()).await {
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

    fn password(&self) -> Result<Option<SecretString>, SourceError> {
        match &self.settings.bind {
            Bind::Anonymous => Ok(None),
            Bind::Simple { password, .. } => password.read().map(Some).map_err(SourceError::Secret),
        }
    }
}

impl Source for Directory {
    async fn identify(&self) -> Result<Vendor, SourceError> {
        if let Some(vendor) = self.settings.vendor {
            return Ok(vendor);
        }
        let session = self.open().await?;
        let vendor = session.facts.vendor;
        session.close().await;
        Ok(vendor)
    }

    async fn read(&self, wanted: &Wanted, entries: mpsc::Sender<Entry>) -> Result<Reading, SourceError> {
        let session = self.open().await?;
        let reading = self.tracked(&session, wanted, entries).await;
        session.close().await;
        reading
    }

    async fn changes(&self, wanted: &Wanted, since: &Watermark) -> Result<Changes, SourceError> {
        let session = self.open().await?;
        let changes = tracking::changes(&session, &self.settings, wanted, since).await;
        session.close().await;
        changes
    }

    async fn look(
        &self,
        wanted: &Wanted,
        places: Vec<Place>,
        since: &Watermark,
        entries: mpsc::Sender<Entry>,
    ) -> Result<Looked, SourceError> {
        let session = self.open().await?;
        let looked = match tracking::same_server(&session, wanted, since).await {
            Ok(()) => look::look(&session, wanted, places, entries).await,
            Err(why) => Ok(Looked { coverage: Coverage::Partial(vec![why]), absent: BTreeSet::new() }),
        };
        session.close().await;
        looked
    }

    async fn watch(&self, wanted: &Wanted, since: &Watermark, heard: mpsc::Sender<Option<Delta>>) -> SourceError {
        match self.open().await {
            Ok(session) => tracking::watch(&session, &self.settings, wanted, since, heard).await,
            Err(error) => error,
        }
    }
}
