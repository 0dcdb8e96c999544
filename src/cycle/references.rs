//! What a change is sent with: the resources of the entries that it speaks of.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::model::{EntryId, Resource, ResourceId, ResourceType};

/// Ids of the entries that a change refers to. An entry that is not in it is not linked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct References {
    ids: BTreeMap<EntryId, ResourceId>,
    groups: BTreeSet<EntryId>,
    /// What the target acknowledged of the resource so far, where `Capabilities::whole_updates` asks for it.
    pub acknowledged: Option<Arc<Resource>>,
}

impl References {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an entry and its resource.
    pub fn insert(&mut self, entry_id: EntryId, resource_type: ResourceType, id: ResourceId) {
        match resource_type {
            ResourceType::User => {}
            ResourceType::Group => drop(self.groups.insert(entry_id.clone())),
        }
        self.ids.insert(entry_id, id);
    }

    /// The resource of an entry.
    pub fn get(&self, entry_id: &EntryId) -> Option<&ResourceId> {
        self.ids.get(entry_id)
    }

    /// Every resource.
    pub fn values(&self) -> impl Iterator<Item = &ResourceId> {
        self.ids.values()
    }

    /// What kind of resource an entry has.
    pub fn resource_type(&self, entry_id: &EntryId) -> ResourceType {
        if self.groups.contains(entry_id) { ResourceType::Group } else { ResourceType::User }
    }

    /// What kind of resource an id is; a user where nobody says otherwise.
    pub fn type_of(&self, id: &ResourceId) -> ResourceType {
        let is_group = self.groups.iter().any(|entry| self.ids.get(entry) == Some(id));
        if is_group { ResourceType::Group } else { ResourceType::User }
    }

    /// True if an entry has a resource.
    pub fn contains_key(&self, entry_id: &EntryId) -> bool {
        self.ids.contains_key(entry_id)
    }
}

/// Of users.
impl<const N: usize> From<[(EntryId, ResourceId); N]> for References {
    fn from(users: [(EntryId, ResourceId); N]) -> Self {
        users.into_iter().collect()
    }
}

/// Of users.
impl FromIterator<(EntryId, ResourceId)> for References {
    fn from_iter<T: IntoIterator<Item = (EntryId, ResourceId)>>(users: T) -> Self {
        Self { ids: users.into_iter().collect(), groups: BTreeSet::new(), acknowledged: None }
    }
}
