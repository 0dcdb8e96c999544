//! What we remember of a target when a cycle begins.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::{DnKey, EntryId, Knowledge, Link, Resource, ResourceId, ResourceType};

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes the key of the configuration's section.
            pub fn new(text: &str) -> Self {
                Self(text.into())
            }

            /// The key.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name! {
    /// A channel's name: the key under `channels`.
    ChannelName
}
name! {
    /// A target's name: the key under `targets`.
    TargetName
}

/// How many live links a channel claims: the base of the guard's percentages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LinkedCounts {
    /// Users.
    pub users: u64,
    /// Groups.
    pub groups: u64,
    /// Memberships over all groups.
    pub memberships: u64,
}

/// What took access away in the guard's window, before this cycle.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WindowTally {
    /// Users removed because they were absent or out of scope.
    pub users_absent: u64,
    /// Users switched off because the directory says that they are disabled.
    pub users_disabled: u64,
    /// Groups removed.
    pub groups: u64,
    /// Memberships removed.
    pub memberships: u64,
    /// Names changed (userName, displayName).
    pub identity: u64,
    /// Memberships removed, by group.
    pub per_group: BTreeMap<EntryId, u64>,
    /// What the channel claimed when the window began; `None` if it has no history that long.
    pub linked_then: Option<LinkedCounts>,
}

/// A link that nobody claims any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaver {
    /// The channel whose claim ended last.
    pub channel: ChannelName,
    /// How long ago, when the snapshot was loaded.
    pub ago: Duration,
}

/// A request that the target refused for what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// A digest of what it said.
    pub digest: String,
    /// The target's words.
    pub why: String,
    /// It is time to try it again.
    pub due: bool,
}

/// Everything remembered of one target, as seen by one channel.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Every link at the target.
    pub links: BTreeMap<EntryId, Link>,
    /// Which channels claim an entry. A link without claims is a leaver's: kept so that a return finds it.
    pub claims: BTreeMap<EntryId, BTreeSet<ChannelName>>,
    /// Links without claims, and since when.
    pub leavers: BTreeMap<EntryId, Leaver>,
    /// Creates that were sent and never answered, with what was sent: looked up, never repeated blindly.
    pub unanswered_creates: BTreeMap<EntryId, Resource>,
    /// Requests that were refused for what they say, by entry.
    pub refused: BTreeMap<EntryId, Vec<Refused>>,
    /// Which entry each of the channel's scope groups was when it was first read, by the DN of the configuration.
    pub scope_groups: BTreeMap<DnKey, EntryId>,
    /// What was found out about the target.
    pub knowledge: Knowledge,
    /// The guard's window.
    pub tally: WindowTally,
    /// True if this channel never finished a cycle at this target.
    pub first: bool,
    /// Links of which nothing more is loaded than their resource: entries that others refer to.
    pub others: BTreeMap<EntryId, (ResourceType, ResourceId)>,
    /// What the channel claims, where not every link is loaded that would tell.
    pub linked: Option<LinkedCounts>,
}

impl Snapshot {
    /// True if `channel` claims the entry.
    pub fn is_claimed_by(&self, entry_id: &EntryId, channel: &ChannelName) -> bool {
        self.claims.get(entry_id).is_some_and(|claims| claims.contains(channel))
    }
}
