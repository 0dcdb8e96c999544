//! What the ways of telling changes have in common: a mark of how far, and what came after it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::model::{EntryId, Touched};

/// A watermark, taken apart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::ldap) struct Mark {
    /// Which way.
    pub(in crate::ldap) way: Way,
    /// Which server or set of servers, and who asked, as far as the way depends on it.
    pub(in crate::ldap) server: String,
    /// How far, in the way's own words.
    pub(in crate::ldap) at: serde_json::Value,
}

/// A way of telling what changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::ldap) enum Way {
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
    pub(in crate::ldap) fn name(self) -> &'static str {
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
pub(in crate::ldap) enum Told {
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
