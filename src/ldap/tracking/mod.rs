//! What changed since the last reading: one file for each way of telling it, and the choice between them. Whatever a way
//! tells is a hint where to look; nothing is concluded from it alone.

mod choice;
mod containers;
mod contexts;
mod deletions;
mod dirsync;
mod dispatch;
mod domain_controller;
mod kind;
mod notification;
mod stamp;
mod sync_cookie;
mod sync_message;
mod sync_refresh;
mod syncrepl;
mod timestamp;
mod usn;

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{EntryId, Touched};
use serde::{Deserialize, Serialize};

pub use choice::Chosen;
pub(super) use choice::choose;
pub(super) use containers::containers;
pub(super) use dispatch::{changes, mark, same_server, watch};

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

impl Way {
    /// Its name in the configuration.
    fn name(self) -> &'static str {
        match self {
            Self::Usn => "usn",
            Self::DirSync => "dirsync",
            Self::Syncrepl => "syncrepl",
            Self::Timestamp => "timestamp",
        }
    }
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
