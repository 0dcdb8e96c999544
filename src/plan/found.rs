//! A resource as it was found at the target, and what of it we manage.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{AttributePath, EntryId, Resource, ResourceId, ResourceType, Snapshot, Value};

use super::desired::Desired;
use super::scope::Scope;
use super::{Members, Rules};

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

/// What of a found resource concerns us: the paths of `managed`, the members that `managed` has or wants, and those
/// that are ours to remove. `entry_of` turns a resource id into the entry that it is linked to.
pub fn managed(
    found: &Found,
    managed: &Resource,
    entry_of: impl Fn(&ResourceId) -> Option<EntryId>,
    is_ours: impl Fn(&EntryId) -> bool,
) -> Resource {
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
    let concerns_us = |id: &EntryId| managed.members.contains(id) || is_ours(id);
    let members = found.members.iter().flatten().filter_map(entry_of).filter(concerns_us).collect();
    Resource { resource_type: found.resource_type, attributes, members }
}

/// True if an entry's memberships are ours to take away even where we did not give them: it is in scope, ours, or
/// left us. Where a group is to hold nobody else, everybody's are.
pub fn is_ours(rules: &Rules, snapshot: &Snapshot, desired: &Desired, entry_id: &EntryId) -> bool {
    match rules.groups.as_ref().map(|groups| groups.members).unwrap_or_default() {
        Members::AddOnly => false,
        Members::Exact => true,
        Members::Managed => {
            desired.entries.get(entry_id).is_some_and(|judged| matches!(judged.scope, Scope::In(_)))
                || snapshot.is_claimed_by(entry_id, &rules.channel)
                || snapshot.leavers.get(entry_id).is_some_and(|leaver| leaver.channel == rules.channel)
        }
    }
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

/// Members of a found group that are not among `held`: others put them there.
pub fn foreign_members(
    found: &Found,
    held: &BTreeSet<EntryId>,
    entry_of: impl Fn(&ResourceId) -> Option<EntryId>,
) -> BTreeSet<ResourceId> {
    let is_held = |id: &&ResourceId| entry_of(id).is_some_and(|entry| held.contains(&entry));
    found.members.iter().flatten().filter(|id| !is_held(id)).cloned().collect()
}
