//! A change cut to pieces of one request each.

use std::collections::BTreeSet;

use crate::model::{EntryId, Resource, ResourceId};

use super::{Action, Change, Edit, Tally};

/// The requests of a change, in order. `active` travels alone and first; removals of members go before additions,
/// both in chunks. A create travels without members. Actions that send nothing give none.
pub fn requests(change: &Change, members_per_request: usize) -> Vec<Change> {
    let with = |action| Change { action, ..change.clone() };
    match &change.action {
        Action::Create(resource) => vec![with(Action::Create(Resource { members: BTreeSet::new(), ..resource.clone() }))],
        Action::Delete { .. } => vec![change.clone()],
        Action::Adopt { resource_id, edits, .. }
        | Action::Relink { resource_id, edits, .. }
        | Action::Update { resource_id, edits } => cut(edits, members_per_request.max(1))
            .into_iter()
            .map(|edits| with(Action::Update { resource_id: resource_id.clone(), edits }))
            .collect(),
        Action::Claim { .. } | Action::Release | Action::Forget => Vec::new(),
    }
}

fn cut(edits: &[Edit], chunk: usize) -> Vec<Vec<Edit>> {
    let is_active = |edit: &&Edit| matches!(edit, Edit::Attribute { path, .. } if path.as_str() == "active");
    let mut pieces: Vec<Vec<Edit>> = edits.iter().filter(is_active).map(|edit| vec![edit.clone()]).collect();
    let attributes: Vec<Edit> =
        edits.iter().filter(|edit| matches!(edit, Edit::Attribute { .. }) && !is_active(edit)).cloned().collect();
    if !attributes.is_empty() {
        pieces.push(attributes);
    }
    for edit in edits {
        match edit {
            Edit::Attribute { .. } => {}
            Edit::Foreign { remove } => {
                let all: Vec<ResourceId> = remove.iter().cloned().collect();
                pieces.extend(all.chunks(chunk).map(|part| vec![Edit::Foreign { remove: part.iter().cloned().collect() }]));
            }
            Edit::Members { add, remove } => {
                pieces.extend(chunks(remove, chunk).map(|remove| vec![Edit::Members { add: BTreeSet::new(), remove }]));
                pieces.extend(chunks(add, chunk).map(|add| vec![Edit::Members { add, remove: BTreeSet::new() }]));
            }
        }
    }
    pieces
}

fn chunks(members: &BTreeSet<EntryId>, chunk: usize) -> impl Iterator<Item = BTreeSet<EntryId>> {
    let members: Vec<EntryId> = members.iter().cloned().collect();
    members.chunks(chunk).map(|part| part.iter().cloned().collect()).collect::<Vec<_>>().into_iter()
}

/// The share of a change's tally that one of its requests takes. Of a group that is emptied, the first request counts
/// as the group.
pub fn tally_of(request: &Change, whole: &Change, removed_users: &BTreeSet<EntryId>) -> Tally {
    let Action::Update { edits, .. } = &request.action else { return whole.tally };
    let mut share = Tally::default();
    if whole.empties_a_group() {
        let is_first = first_removed(request).is_some_and(|id| first_removed(whole) == Some(id));
        share.groups = if is_first { whole.tally.groups } else { 0 };
        return share;
    }
    let whole = &whole.tally;
    for edit in edits {
        match edit {
            Edit::Members { remove, .. } => {
                share.memberships += remove.iter().filter(|id| !removed_users.contains(*id)).count() as u64;
            }
            Edit::Foreign { remove } => share.memberships += remove.len() as u64,
            edit @ Edit::Attribute { .. } => {
                if super::diff::deactivates(edit) {
                    share.users_absent = whole.users_absent;
                    share.users_disabled = whole.users_disabled;
                }
                if super::diff::renames(edit) {
                    share.identity = whole.identity;
                }
            }
        }
    }
    share
}

fn first_removed(change: &Change) -> Option<&EntryId> {
    let Action::Update { edits, .. } = &change.action else { return None };
    edits.iter().find_map(|edit| match edit {
        Edit::Members { remove, .. } => remove.first(),
        Edit::Attribute { .. } | Edit::Foreign { .. } => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{AttributePath, ResourceType, Value};
    use crate::plan::{ClaimAfter, Reason};

    #[test]
    fn active_travels_alone_and_members_in_chunks() {
        let ids = |range: std::ops::Range<u32>| range.map(|n| EntryId::new(&format!("{n:04}"))).collect::<BTreeSet<_>>();
        let attribute =
            |path: &'static str, after| Edit::Attribute { path: AttributePath::known(path), before: None, after: Some(after) };
        let change = Change {
            entry_id: EntryId::new("e"),
            resource_type: ResourceType::Group,
            name: "n".into(),
            action: Action::Update {
                resource_id: ResourceId::new("1"),
                edits: vec![
                    attribute("displayName", "x".into()),
                    attribute("active", Value::Flag(false)),
                    Edit::Members { add: ids(0..250), remove: ids(900..905) },
                ],
            },
            reason: Reason::AttributesDiffer,
            claim: ClaimAfter::Held,
            tally: Tally { memberships: 3, ..Tally::default() },
        };
        let sizes: Vec<String> = requests(&change, 100)
            .iter()
            .map(|request| match &request.action {
                Action::Update { edits, .. } => edits
                    .iter()
                    .map(|edit| match edit {
                        Edit::Attribute { path, .. } => path.to_string(),
                        Edit::Foreign { remove } => format!("-{}", remove.len()),
                        Edit::Members { add, remove } => format!("+{}-{}", add.len(), remove.len()),
                    })
                    .collect::<Vec<_>>()
                    .join(","),
                other => format!("{other:?}"),
            })
            .collect();
        assert_eq!(sizes, ["active", "displayName", "+0-5", "+100-0", "+100-0", "+50-0"]);
        let removed = ids(900..902);
        let total: u64 = requests(&change, 2).iter().map(|r| tally_of(r, &change, &removed).memberships).sum();
        assert_eq!(total, 3, "chunks share the tally out without loss");
        let emptied = Change { claim: ClaimAfter::Ended, tally: Tally { groups: 1, ..Tally::default() }, ..change };
        let shares: Vec<Tally> = requests(&emptied, 2).iter().map(|request| tally_of(request, &emptied, &removed)).collect();
        let (groups, memberships) = shares.iter().fold((0, 0), |sum, share| (sum.0 + share.groups, sum.1 + share.memberships));
        assert_eq!((groups, memberships), (1, 0), "a group that is emptied counts once, and its members not");
    }
}
