//! What changed since the last reading: one file for each way of telling it, and the choice between them. Whatever a way
//! tells is a hint where to look; nothing is concluded from it alone.

mod deletions;
mod dirsync;
mod domain_controller;
mod notification;
mod syncrepl;
mod timestamp;
mod usn;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::cycle::SourceError;
use crate::model::{Changes, Delta, Dn, EntryId, Touched, Wanted, Watermark};

use super::session::Session;
use super::settings::{Settings, Tracking};

/// A watermark, taken apart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Mark {
    /// Which way.
    pub(super) way: Way,
    /// Which server or set of servers, and who asked, as far as the way depends on it.
    pub(super) server: String,
    /// How far, in the way's own words.
    pub(super) at: serde_json::Value,
}

/// A way of telling what changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Way {
    /// By update sequence numbers.
    Usn,
    /// By the DirSync control.
    DirSync,
    /// By content synchronization.
    Syncrepl,
    /// By modifyTimestamp.
    Timestamp,
}

/// What a way tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Told {
    /// Where to look.
    Since {
        /// Entries that were changed, made or moved.
        touched: BTreeMap<EntryId, Touched>,
        /// Entries that the directory says are gone.
        gone: BTreeSet<EntryId>,
        /// Every entry that is there, where that was told.
        present: Option<BTreeSet<EntryId>>,
        /// How far that goes.
        at: serde_json::Value,
    },
    /// Only a full reading shows, and why.
    Lost(String),
}

/// The way that is used, and why; no way where everything is read each time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// Which.
    pub(super) way: Option<Way>,
    /// A sentence for the admin.
    pub why: String,
}

/// Chooses from what the server offers and the account may do.
pub(super) async fn choose(session: &Session, tracking: Tracking, wanted: &Wanted) -> Chosen {
    let _ = (session, tracking, wanted);
    Chosen { way: None, why: String::new() }
}

/// Where the directory stands now; taken before a full reading begins. `None` if its changes are not tracked.
pub(super) async fn mark(session: &Session, settings: &Settings, wanted: &Wanted) -> Result<Option<Watermark>, SourceError> {
    let _ = (session, settings, wanted);
    Ok(None)
}

/// Entries that may stand above others.
pub(super) async fn containers(session: &Session, wanted: &Wanted) -> Result<BTreeMap<EntryId, Dn>, SourceError> {
    let _ = (session, wanted);
    Ok(BTreeMap::new())
}

/// As [`crate::cycle::Source::changes`] promises.
pub(super) async fn changes(
    session: &Session,
    settings: &Settings,
    wanted: &Wanted,
    since: &Watermark,
) -> Result<Changes, SourceError> {
    let _ = (session, settings, wanted, since);
    Ok(Changes::Lost("changes are not tracked".to_owned()))
}

/// As [`crate::cycle::Source::watch`] promises.
pub(super) async fn watch(
    session: &Session,
    settings: &Settings,
    wanted: &Wanted,
    since: &Watermark,
    heard: mpsc::Sender<Option<Delta>>,
) -> SourceError {
    let _ = (session, settings, wanted, since, heard);
    SourceError::Unreachable(vec!["changes are not tracked".to_owned()])
}
