//! What would surprise about what is remembered of a target.

use std::collections::BTreeSet;

use crate::model::{ChannelName, Link, ResourceType, Snapshot};

use super::text;

/// Fewer than half of those who are linked can be at the target: perhaps it is not the one that they were linked at.
pub fn another_tenant(users: Option<u64>, snapshot: &Snapshot) -> Option<String> {
    let is_user = |link: &&Link| link.acknowledged.resource_type == ResourceType::User;
    let linked = snapshot.links.values().filter(is_user).count() as u64;
    users.filter(|users| users.saturating_mul(2) < linked).map(|users| {
        format!("It holds {users} users, but {linked} are linked there: is base_url the right tenant, or was it emptied?")
    })
}

/// Linked entries, not yet switched off, that no configured channel claims: nobody removes them when they leave.
pub fn orphans(configured: &[ChannelName], snapshot: &Snapshot) -> Option<String> {
    let former: Vec<&BTreeSet<ChannelName>> = snapshot
        .links
        .values()
        .filter(|link| link.acknowledged.active() != Some(false))
        .filter_map(|link| snapshot.claims.get(&link.entry_id))
        .filter(|claims| !claims.is_empty() && claims.iter().all(|channel| !configured.contains(channel)))
        .collect();
    let names: BTreeSet<&str> = former.iter().flat_map(|claims| claims.iter()).map(ChannelName::as_str).collect();
    (!former.is_empty()).then(|| {
        format!(
            "{} claimed only by channels that are not configured any more ({}), so nobody removes them when they leave: to have \
             that done, let a channel have the former name again",
            text::count(former.len() as u64, "linked entry is", "linked entries are"),
            names.into_iter().collect::<Vec<_>>().join(", ")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{AttributePath, EntryId, Origin, Resource, ResourceId, Uncertain, Value};

    fn linked(number: usize) -> Snapshot {
        let mut snapshot = Snapshot::default();
        for n in 0..number {
            let entry_id = EntryId::new(&format!("u{n}"));
            let link = Link {
                entry_id: entry_id.clone(),
                resource_id: ResourceId::new(&format!("r{n}")),
                acknowledged: Resource::empty(ResourceType::User),
                origin: Origin::Created,
                uncertain: Uncertain::default(),
            };
            snapshot.links.insert(entry_id, link);
        }
        snapshot
    }

    #[test]
    fn a_target_that_lost_most_of_the_linked_users_is_warned_of() {
        for (users, warned) in [(None, false), (Some(0), true), (Some(2), true), (Some(3), false), (Some(500), false)] {
            assert_eq!(another_tenant(users, &linked(5)).is_some(), warned, "{users:?}");
        }
        assert_eq!(another_tenant(Some(0), &Snapshot::default()), None);
    }

    #[test]
    fn those_whom_only_a_former_channel_claims_are_warned_of() {
        let mut snapshot = linked(4);
        for (entry, channels) in [("u0", vec!["now"]), ("u1", vec!["now", "then"]), ("u2", vec!["then"]), ("u3", vec![])] {
            snapshot.claims.insert(EntryId::new(entry), channels.into_iter().map(ChannelName::new).collect());
        }
        let mut off = snapshot.links.get(&EntryId::new("u2")).unwrap().clone();
        off.entry_id = EntryId::new("u4");
        off.acknowledged.attributes.insert(AttributePath::known("active"), Value::Flag(false));
        snapshot.claims.insert(off.entry_id.clone(), [ChannelName::new("then")].into());
        snapshot.links.insert(off.entry_id.clone(), off);
        let warning = orphans(&[ChannelName::new("now")], &snapshot).unwrap();
        assert!(warning.starts_with("1 linked entry is claimed only by") && warning.contains("(then)"), "{warning}");
        assert_eq!(orphans(&[ChannelName::new("then"), ChannelName::new("now")], &snapshot), None);
    }
}
