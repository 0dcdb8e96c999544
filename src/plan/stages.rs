//! Changes put into stages and into order: revocations first, deletions last, managers before reports,
//! a name given up before it is taken.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{EntryId, Resource, ResourceType, Value};

use super::{Action, Change, Edit, Planned, Stage, Tally, diff};

/// What decides the order, besides the changes themselves.
#[derive(Debug)]
pub struct Order<'a> {
    /// For an entry that waits for a name, the entry that holds it.
    pub after: &'a BTreeMap<EntryId, EntryId>,
    /// Renames that make room in a ring, by entry: each goes before the entry's own change.
    pub parked: BTreeMap<EntryId, Change>,
    /// Users whose removal goes out: memberships that they lose count as them.
    pub removed_users: &'a BTreeSet<EntryId>,
    /// Members who move leave the old group first.
    pub removes_first: bool,
}

/// Puts changes in order.
pub fn arrange(changes: Vec<Change>, order: Order<'_>) -> Vec<Planned> {
    let gaining = if order.removes_first { BTreeSet::new() } else { gaining(&changes) };
    let mut staged: Vec<(Stage, Change)> =
        changes.into_iter().flat_map(|change| pieces(change, &gaining, order.removed_users)).collect();
    let count = staged.len();
    staged.extend(order.parked.into_values().map(|change| (stage_of_names(change.resource_type), change)));
    let mut staged: Vec<(Stage, bool, Change)> =
        staged.into_iter().enumerate().map(|(number, (stage, change))| (stage, number < count, change)).collect();
    staged.sort_by(|(a, own, one), (b, others, other)| (a, &one.entry_id, own).cmp(&(b, &other.entry_id, others)));
    let mut place: BTreeMap<(Stage, EntryId), usize> = BTreeMap::new();
    let mut parking: BTreeMap<(Stage, EntryId), usize> = BTreeMap::new();
    for (index, (stage, own, change)) in staged.iter().enumerate() {
        let places = if *own { &mut place } else { &mut parking };
        places.insert((*stage, change.entry_id.clone()), index);
    }
    let waits: Vec<Vec<usize>> = staged
        .iter()
        .map(|(stage, own, change)| {
            if !own {
                return Vec::new();
            }
            let at = |id: &EntryId| (*stage, id.clone());
            let gives_up = |id| parking.get(&at(id)).or_else(|| place.get(&at(id)));
            let name = order.after.get(&change.entry_id).and_then(gives_up);
            let made_room = parking.get(&at(&change.entry_id));
            let managers = references(change).filter_map(|id| place.get(&at(id)));
            let mut waits: Vec<usize> = name.into_iter().chain(made_room).chain(managers).copied().collect();
            waits.sort_unstable();
            waits.dedup();
            waits
        })
        .collect();
    let free = without_rings(&waits);
    staged.into_iter().zip(free).map(|((stage, _, change), after)| Planned { stage, after, change }).collect()
}

/// When resources of a type are renamed.
fn stage_of_names(resource_type: ResourceType) -> Stage {
    match resource_type {
        ResourceType::User => Stage::Users,
        ResourceType::Group => Stage::Groups,
    }
}

/// Entries that a new resource refers to: it waits for them, so that the reference travels in the create.
fn references(change: &Change) -> impl Iterator<Item = &EntryId> {
    let attributes = match &change.action {
        Action::Create(resource) => Some(&resource.attributes),
        Action::Adopt { .. }
        | Action::Relink { .. }
        | Action::Update { .. }
        | Action::Delete { .. }
        | Action::Claim { .. }
        | Action::Release
        | Action::Forget => None,
    };
    attributes.into_iter().flat_map(|attributes| attributes.values()).filter_map(|value| match value {
        Value::Reference(id) => Some(id),
        Value::Text(_) | Value::Flag(_) => None,
    })
}

/// Users who become a member of something in this plan: what they lose waits until they have it.
fn gaining(changes: &[Change]) -> BTreeSet<EntryId> {
    let mut gaining = BTreeSet::new();
    for change in changes {
        match &change.action {
            Action::Create(Resource { members, .. }) => gaining.extend(members.iter().cloned()),
            Action::Update { edits, .. } | Action::Adopt { edits, .. } | Action::Relink { edits, .. } => {
                for edit in edits {
                    if let Edit::Members { add, .. } = edit {
                        gaining.extend(add.iter().cloned());
                    }
                }
            }
            Action::Delete { .. } | Action::Claim { .. } | Action::Release | Action::Forget => {}
        }
    }
    gaining
}

/// The parts of a change by stage.
fn pieces(change: Change, gaining: &BTreeSet<EntryId>, removed_users: &BTreeSet<EntryId>) -> Vec<(Stage, Change)> {
    let stage = match (&change.action, change.resource_type) {
        (Action::Adopt { edits, .. }, ResourceType::User) if edits.iter().any(diff::deactivates) => Stage::Revoke,
        (Action::Create(_) | Action::Adopt { .. } | Action::Relink { .. }, ResourceType::User) => Stage::Users,
        (Action::Create(_) | Action::Adopt { .. } | Action::Relink { .. }, ResourceType::Group) => Stage::Groups,
        (Action::Delete { .. }, ResourceType::User) => Stage::DeleteUsers,
        (Action::Delete { .. }, ResourceType::Group) => Stage::DeleteGroups,
        (Action::Claim { .. } | Action::Release | Action::Forget, _) => Stage::Claims,
        (Action::Update { .. }, _) => return update_pieces(change, gaining, removed_users),
    };
    vec![(stage, change)]
}

fn update_pieces(change: Change, gaining: &BTreeSet<EntryId>, removed_users: &BTreeSet<EntryId>) -> Vec<(Stage, Change)> {
    let Action::Update { resource_id, edits } = &change.action else { return Vec::new() };
    if change.empties_a_group() {
        // In one piece: the channel's claim ends with its last request.
        let moved = |edit: &Edit| matches!(edit, Edit::Members { remove, .. } if !remove.is_disjoint(gaining));
        let stage = if edits.iter().any(moved) { Stage::Moves } else { Stage::Revoke };
        return vec![(stage, change)];
    }
    let mut parts: BTreeMap<Stage, Vec<Edit>> = BTreeMap::new();
    for edit in edits {
        match edit {
            Edit::Members { add, remove } => {
                let (moved, lost): (BTreeSet<_>, BTreeSet<_>) = remove.iter().cloned().partition(|id| gaining.contains(id));
                for (stage, add, remove) in [
                    (Stage::Revoke, BTreeSet::new(), lost),
                    (Stage::Members, add.clone(), BTreeSet::new()),
                    (Stage::Moves, BTreeSet::new(), moved),
                ] {
                    if !add.is_empty() || !remove.is_empty() {
                        parts.entry(stage).or_default().push(Edit::Members { add, remove });
                    }
                }
            }
            Edit::Foreign { .. } => parts.entry(Stage::Revoke).or_default().push(edit.clone()),
            Edit::Attribute { after, .. } => {
                let stage = match (change.resource_type, after) {
                    (ResourceType::Group, _) => stage_of_names(ResourceType::Group),
                    (ResourceType::User, _) if diff::deactivates(edit) => Stage::Revoke,
                    (ResourceType::User, Some(Value::Reference(_))) => Stage::References,
                    (ResourceType::User, _) => Stage::Users,
                };
                parts.entry(stage).or_default().push(edit.clone());
            }
        }
    }
    if let Some(references) = parts.remove(&Stage::References) {
        let target = if parts.contains_key(&Stage::Users) && !references.is_empty() { Stage::Users } else { Stage::References };
        parts.entry(target).or_default().extend(references);
    }
    parts
        .into_iter()
        .map(|(stage, edits)| {
            let part = Change {
                action: Action::Update { resource_id: resource_id.clone(), edits },
                tally: Tally::default(),
                ..change.clone()
            };
            let tally = super::requests::tally_of(&part, &change, removed_users);
            (stage, Change { tally, ..part })
        })
        .collect()
}

/// The waits with every ring opened: of a ring, the first in order waits for nobody.
fn without_rings(waits: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let mut free: Vec<Vec<usize>> = vec![Vec::new(); waits.len()];
    let mut state = vec![State::New; waits.len()];
    for start in 0..waits.len() {
        let mut path = vec![(start, 0)];
        if state.get(start) != Some(&State::New) {
            continue;
        }
        set(&mut state, start, State::Open);
        while let Some((node, next)) = path.last_mut() {
            let node = *node;
            match waits.get(node).and_then(|waits| waits.get(*next)).copied() {
                None => {
                    set(&mut state, node, State::Done);
                    path.pop();
                }
                Some(other) => {
                    *next += 1;
                    match state.get(other) {
                        Some(State::New) => {
                            keep(&mut free, node, other);
                            set(&mut state, other, State::Open);
                            path.push((other, 0));
                        }
                        Some(State::Done) => keep(&mut free, node, other),
                        Some(State::Open) | None => {}
                    }
                }
            }
        }
    }
    free
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    New,
    Open,
    Done,
}

fn set(states: &mut [State], index: usize, state: State) {
    if let Some(slot) = states.get_mut(index) {
        *slot = state;
    }
}

fn keep(free: &mut [Vec<usize>], node: usize, other: usize) {
    if let Some(waits) = free.get_mut(node) {
        waits.push(other);
    }
}
