//! The remembered pair of an entry and a resource, and what the target last acknowledged.

use std::collections::BTreeSet;

use super::{AttributePath, EntryId, Resource, ResourceId};

/// Who made the resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// We did.
    Created,
    /// It was there; we took it over.
    Adopted,
}

/// What a request that was sent but never answered may have changed.
/// It is treated as different from anything we want, and so is sent again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Uncertain {
    /// Attributes.
    pub paths: BTreeSet<AttributePath>,
    /// Memberships.
    pub members: BTreeSet<EntryId>,
}

impl Uncertain {
    /// True if every request was answered.
    pub fn is_empty(&self) -> bool {
        self.paths.is_empty() && self.members.is_empty()
    }
}

/// One entry and its resource at one target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The entry.
    pub entry_id: EntryId,
    /// The resource.
    pub resource_id: ResourceId,
    /// Who made it.
    pub origin: Origin,
    /// What the target acknowledged: what we sent with success, never what it echoed.
    pub acknowledged: Resource,
    /// What it may have of requests whose answer was lost.
    pub uncertain: Uncertain,
}
