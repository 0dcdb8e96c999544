//! A resource as it was found at the target, and what of it we manage.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{AttributePath, EntryId, Resource, ResourceId, ResourceType, Value};

/// A resource as it was found at the target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its id.
    pub resource_id: ResourceId,
    /// User or group.
    pub resource_type: ResourceType,
    /// Every attribute of it, flat: `name.givenName`, `emails[type eq "work"].value`,
    /// `urn:…:User:department`. A reference (`…:User:manager`) is `Text` with the resource id. Elements
    /// without a `type` are left out.
    pub attributes: BTreeMap<AttributePath, Value>,
    /// Groups: ids of the members, if the answer carried them.
    pub members: Option<BTreeSet<ResourceId>>,
}

/// What of a found resource concerns us: the paths of `managed`, and the members that `managed` has or wants.
/// `entry_of` turns a resource id into the entry that it is linked to.
pub fn managed(found: &Found, managed: &Resource, entry_of: impl Fn(&ResourceId) -> Option<EntryId>) -> Resource {
    let attributes = managed
        .attributes
        .iter()
        .filter_map(|(path, wanted)| {
            let value = match (found.attributes.get(path)?, wanted) {
                (Value::Text(id), Value::Reference(_)) => Value::Reference(entry_of(&ResourceId::new(id))?),
                (value, _) => value.clone(),
            };
            Some((path.clone(), value))
        })
        .collect();
    let members = found.members.iter().flatten().filter_map(entry_of).filter(|id| managed.members.contains(id)).collect();
    Resource { resource_type: found.resource_type, attributes, members }
}

/// What a resource that is only linked is taken to hold: what the directory says, so that nothing is sent before
/// something changes there. Only a user who should be off and is not is seen as it is, and so is switched off by
/// the next cycle, where the guard counts it.
pub fn linked_as_it_is(found: &Found, desired: &Resource) -> Resource {
    let mut held = desired.clone();
    let active = AttributePath::known("active");
    if held.active() == Some(false) && found.attributes.get(&active) != Some(&Value::Flag(false)) {
        held.attributes.insert(active, Value::Flag(true));
    }
    held
}

/// How many members a found group has that `managed` neither has nor wants.
pub fn foreign_members(found: &Found, managed: &Resource, entry_of: impl Fn(&ResourceId) -> Option<EntryId>) -> u64 {
    let ours = |id: &&ResourceId| entry_of(id).is_some_and(|entry| managed.members.contains(&entry));
    found.members.iter().flatten().filter(|id| !ours(id)).count() as u64
}
