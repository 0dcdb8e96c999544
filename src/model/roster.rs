//! Who is where in the directory, and in which group: what is remembered of a reading, so that a change can be judged
//! without reading everything again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::{Alias, Dn, DnKey, EntryId, LinkedCounts, Moment, ResourceType, Watermark};

/// By what a group knows a member.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MemberName {
    /// Its DN.
    Dn(DnKey),
    /// Another name.
    Alias(Alias),
}

/// What is remembered of an entry, in scope or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seat {
    /// Who.
    pub id: EntryId,
    /// Where.
    pub dn: Dn,
    /// User or group.
    pub resource_type: ResourceType,
    /// True if it is below a base DN of its section and matches its filter.
    pub selected: bool,
    /// True if it was in scope when it was last judged.
    pub in_scope: bool,
    /// When its status becomes another although nothing changes in the directory.
    pub status_until: Option<Moment>,
    /// Users: other names by which groups list it.
    pub aliases: Vec<Alias>,
    /// Groups: direct members; `None` where they could not be read whole.
    pub members: Option<BTreeSet<MemberName>>,
    /// Users: entries that its mapped attributes refer to, as a manager, whether they are known or not.
    pub references: BTreeSet<DnKey>,
}

impl Seat {
    /// Every name by which a group may list it.
    pub fn names(&self) -> impl Iterator<Item = MemberName> + '_ {
        std::iter::once(MemberName::Dn(self.dn.key().clone())).chain(self.aliases.iter().cloned().map(MemberName::Alias))
    }
}

/// Where a channel stands: what is kept beside its seats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// How far the directory was read.
    pub watermark: Watermark,
    /// A digest of everything that the seats depend on: what was wanted, rules, mapping. Another one means a full reading.
    pub fingerprint: String,
    /// How long ago everything was read.
    pub since_full: Duration,
    /// What the channel claimed then, and what was in scope.
    pub linked: LinkedCounts,
    /// Users in scope then.
    pub users: u64,
    /// Groups in scope then.
    pub groups: u64,
    /// Entries whose change is still to be made: held, refused, or waiting for another.
    pub pending: BTreeSet<EntryId>,
    /// Entries whose status has become another meanwhile.
    pub due: BTreeSet<EntryId>,
}

/// What is written down at the end of a cycle, all of it or nothing.
#[derive(Debug, Clone)]
pub struct Settlement {
    /// How far the directory was read.
    pub watermark: Watermark,
    /// See [`Standing::fingerprint`].
    pub fingerprint: String,
    /// What changed of the seats.
    pub seats: Seats,
    /// Entries whose change is still to be made, in place of those known.
    pub pending: BTreeSet<EntryId>,
    /// What the channel claims and what is in scope, where it was counted.
    pub counted: Option<(LinkedCounts, u64, u64)>,
}

/// Seats to write down.
#[derive(Debug, Clone)]
pub enum Seats {
    /// All of them, after a full reading; whoever else is remembered is forgotten. And the containers.
    All(Vec<Seat>, BTreeMap<EntryId, Dn>),
    /// These, in place of what is known of them; and those that are gone.
    Changed(Vec<Seat>, BTreeSet<EntryId>),
}
