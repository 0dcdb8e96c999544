//! What is remembered × what the target really holds → what changed there behind our back.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{EntryId, Link, Resource, ResourceId, ResourceType, Snapshot, Uncertain};

use super::found::{self, Found};
use super::matching;

/// A full comparison.
#[derive(Debug, Clone, Default)]
pub struct Comparison {
    /// Links whose resource holds something else than was acknowledged: what it holds.
    pub corrected: BTreeMap<EntryId, Resource>,
    /// Links whose resource is not in the list.
    pub missing: Vec<Link>,
    /// Resources of the target that no link knows: users, groups.
    pub unknown: BTreeMap<ResourceType, u64>,
    /// Members of linked groups that we did not put there.
    pub members_foreign: u64,
}

/// Compares every link with the resources found. `found` is complete for both types.
pub fn compare(snapshot: &Snapshot, found: &[Found]) -> Comparison {
    let mut comparison = Comparison::default();
    let holders = matching::holders(snapshot);
    let user_of = |id: &ResourceId| {
        let group = || holders.get(&(ResourceType::Group, id.clone()));
        holders.get(&(ResourceType::User, id.clone())).or_else(group).cloned()
    };
    let by_id: BTreeMap<(ResourceType, &ResourceId), &Found> =
        found.iter().map(|found| ((found.resource_type, &found.resource_id), found)).collect();
    for link in snapshot.links.values() {
        let Some(found) = by_id.get(&(link.acknowledged.resource_type, &link.resource_id)) else {
            comparison.missing.push(link.clone());
            continue;
        };
        let mut held = found::managed(found, &link.acknowledged, user_of);
        if found.members.is_some() {
            comparison.members_foreign += found::foreign_members(found, &link.acknowledged, user_of);
        } else {
            held.members.clone_from(&link.acknowledged.members);
        }
        if held != link.acknowledged {
            comparison.corrected.insert(link.entry_id.clone(), held);
        }
    }
    let linked: BTreeSet<(ResourceType, &ResourceId)> =
        snapshot.links.values().map(|link| (link.acknowledged.resource_type, &link.resource_id)).collect();
    for found in found.iter().filter(|found| !linked.contains(&(found.resource_type, &found.resource_id))) {
        *comparison.unknown.entry(found.resource_type).or_default() += 1;
    }
    comparison
}

/// The snapshot as the comparison found it.
pub fn correct(snapshot: &mut Snapshot, comparison: &Comparison) {
    for (entry_id, held) in &comparison.corrected {
        if let Some(link) = snapshot.links.get_mut(entry_id) {
            link.acknowledged = held.clone();
            link.uncertain = Uncertain::default();
        }
    }
    for link in &comparison.missing {
        snapshot.links.remove(&link.entry_id);
        snapshot.claims.remove(&link.entry_id);
        snapshot.links.values_mut().for_each(|other| other.acknowledged.forget(&link.entry_id));
    }
}
