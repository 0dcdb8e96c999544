//! What is remembered × what the target really holds → what changed there behind our back.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{EntryId, Link, Resource, ResourceId, ResourceType, Snapshot, Uncertain, Value};

use super::desired::Desired;
use super::found::{self, Found};
use super::{Members, Rules, matching};

/// A full comparison.
#[derive(Debug, Clone, Default)]
pub struct Comparison {
    /// Links whose resource holds something else than was acknowledged: what it holds.
    pub corrected: BTreeMap<EntryId, Resource>,
    /// Links whose resource is not in the list.
    pub missing: Vec<Link>,
    /// Resources of the target that no link knows: users, groups.
    pub unknown: BTreeMap<ResourceType, u64>,
    /// Members of linked groups that are nobody of ours, by group.
    pub foreign: BTreeMap<EntryId, BTreeSet<ResourceId>>,
    /// How many of them are left alone.
    pub members_foreign: u64,
}

/// Compares every link with the resources found. `found` is complete for both types. Of groups that this channel owns,
/// members of ours count as held even where somebody else put them there.
pub fn compare(rules: &Rules, snapshot: &Snapshot, desired: &Desired, found: &[Found]) -> Comparison {
    let mut comparison = Comparison::default();
    let holders = matching::holders(snapshot);
    let entry_of = |id: &ResourceId| matching::entry_of(&holders, id);
    let by_id: BTreeMap<(ResourceType, &ResourceId), &Found> =
        found.iter().map(|found| ((found.resource_type, &found.resource_id), found)).collect();
    let is_found = |link: &Link| by_id.contains_key(&(link.acknowledged.resource_type, &link.resource_id));
    let is_off = |link: &&Link| link.acknowledged.active() == Some(false);
    // Some providers show nothing of users who are switched off until they are switched on again: that one of them is not
    // in the list says nothing where none is.
    let shows_who_is_off = snapshot.links.values().filter(is_off).any(is_found);
    for link in snapshot.links.values() {
        let Some(found) = by_id.get(&(link.acknowledged.resource_type, &link.resource_id)) else {
            if shows_who_is_off || !is_off(&link) {
                comparison.missing.push(link.clone());
            }
            continue;
        };
        let ours = with_uncertain(link);
        let owned = owns(rules, snapshot, &link.entry_id);
        let mut held = found::managed(found, &ours, entry_of, |id| owned && found::is_ours(rules, snapshot, desired, id));
        if found.members.is_some() {
            let foreign = found::foreign_members(found, &held.members, entry_of);
            let stay = !owned || rules.groups.as_ref().is_none_or(|groups| groups.members != Members::Exact);
            comparison.members_foreign += if stay { foreign.len() as u64 } else { 0 };
            if !foreign.is_empty() {
                comparison.foreign.insert(link.entry_id.clone(), foreign);
            }
        } else if link.uncertain.members.is_empty() {
            held.members.clone_from(&link.acknowledged.members);
        } else {
            continue;
        }
        if held != link.acknowledged || !link.uncertain.is_empty() {
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

/// True if no channel that stands earlier in the file claims what this one claims.
fn owns(rules: &Rules, snapshot: &Snapshot, entry_id: &EntryId) -> bool {
    let mut channels = rules.channels_of_target.iter();
    channels.find(|channel| snapshot.is_claimed_by(entry_id, channel)) == Some(&rules.channel)
}

/// Everything that may be of our doing: what was acknowledged, and what requests without an answer spoke of.
fn with_uncertain(link: &Link) -> Resource {
    let mut ours = link.acknowledged.clone();
    ours.members.extend(link.uncertain.members.iter().cloned());
    for path in &link.uncertain.paths {
        ours.attributes.entry(path.clone()).or_insert_with(|| Value::Text(String::new()));
    }
    ours
}

/// The snapshot as the comparison found it.
pub fn correct(snapshot: &mut Snapshot, comparison: &Comparison) {
    for (entry_id, held) in &comparison.corrected {
        if let Some(link) = snapshot.links.get_mut(entry_id) {
            link.acknowledged = held.clone();
            link.uncertain = Uncertain::default();
        }
    }
    if comparison.missing.is_empty() {
        return;
    }
    let gone: BTreeSet<&EntryId> = comparison.missing.iter().map(|link| &link.entry_id).collect();
    snapshot.links.retain(|entry_id, _| !gone.contains(entry_id));
    snapshot.claims.retain(|entry_id, _| !gone.contains(entry_id));
    snapshot.links.values_mut().for_each(|link| link.acknowledged.forget(&gone));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{AttributePath, Origin};
    use crate::plan::tests::world::World;

    fn group(entry: &str, members: &[&str]) -> Link {
        let mut acknowledged = Resource::empty(ResourceType::Group);
        acknowledged.members = members.iter().map(|id| EntryId::new(id)).collect();
        link(entry, acknowledged)
    }

    fn link(entry: &str, acknowledged: Resource) -> Link {
        Link {
            entry_id: EntryId::new(entry),
            resource_id: ResourceId::new(&format!("R{entry}")),
            origin: Origin::Created,
            acknowledged,
            uncertain: Uncertain::default(),
        }
    }

    fn found(link: &Link, members: Option<&[&str]>) -> Found {
        Found {
            resource_id: link.resource_id.clone(),
            resource_type: link.acknowledged.resource_type,
            attributes: BTreeMap::from([(AttributePath::known("title"), Value::from("x"))]),
            members: members.map(|ids| ids.iter().map(|id| ResourceId::new(id)).collect()),
        }
    }

    fn compared(snapshot: &Snapshot, found: &[Found]) -> Comparison {
        let world = World::new(&[], vec![]);
        compare(&world.rules, snapshot, &world.desired(), found)
    }

    #[test]
    fn what_arrived_of_an_unanswered_request_is_found_and_not_taken_for_somebody_elses() {
        let users = ["a", "b", "c"].map(|name| link(name, Resource::empty(ResourceType::User)));
        let mut staff = group("g", &["a"]);
        staff.uncertain.members.insert(EntryId::new("b"));
        staff.uncertain.paths.insert(AttributePath::known("title"));
        let mut snapshot = Snapshot::default();
        for link in users.iter().chain([&staff]) {
            snapshot.links.insert(link.entry_id.clone(), link.clone());
        }
        let all = |members| users.iter().map(|user| found(user, None)).chain([found(&staff, members)]).collect::<Vec<_>>();

        let comparison = compared(&snapshot, &all(Some(&["Ra", "Rb", "Rc"])));
        assert_eq!(comparison.members_foreign, 1, "only c");
        correct(&mut snapshot, &comparison);
        let held = &snapshot.links[&EntryId::new("g")];
        assert_eq!(held.acknowledged.members, [EntryId::new("a"), EntryId::new("b")].into());
        assert_eq!(held.acknowledged.text("title"), Some("x"));
        assert!(held.uncertain.is_empty());
    }

    #[test]
    fn who_is_switched_off_and_not_listed_keeps_the_link_unless_others_who_are_off_are_listed() {
        let user = |name: &str, active| {
            let mut resource = Resource::empty(ResourceType::User);
            resource.attributes.insert(AttributePath::known("active"), Value::Flag(active));
            link(name, resource)
        };
        let users = [user("a", true), user("b", false), user("c", false), user("d", true)];
        let mut snapshot = Snapshot::default();
        snapshot.links.extend(users.iter().map(|link| (link.entry_id.clone(), link.clone())));
        let [a, b, c, d] = &users;
        let missing = |listed: &[&Link]| {
            let found: Vec<Found> = listed.iter().map(|link| found(link, None)).collect();
            let comparison = compared(&snapshot, &found);
            comparison.missing.iter().map(|link| link.entry_id.to_string()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(missing(&[a, d]), "");
        assert_eq!(missing(&[a]), "d");
        assert_eq!(missing(&[a, b, d]), "c");
        assert_eq!(missing(&[a, b, c, d]), "");
    }

    #[test]
    fn where_members_cannot_be_read_what_is_uncertain_of_them_stays_uncertain() {
        let mut staff = group("g", &["a"]);
        staff.uncertain.members.insert(EntryId::new("b"));
        let mut snapshot = Snapshot::default();
        snapshot.links.insert(staff.entry_id.clone(), staff.clone());
        assert!(compared(&snapshot, &[found(&staff, None)]).corrected.is_empty());
    }
}
