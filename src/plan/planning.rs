//! Everything together: what should be × what is → the plan.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{ChannelName, EntryId, Link, LinkedCounts, Resource, ResourceType, Snapshot, Status, Value};

use super::decide::Known;
use super::desired::Judged;
use super::guard::InScope;
use super::matching::{Situation, entry_of};
use super::names::{self, Claimant};
use super::scope::Scope;
use super::{Action, Change, Counts, Edit, Held, Plan, diff, foreign_members, guard, stages};

/// Entries for which the target must be asked: in scope, mapped, not linked, and not held for their name whatever it
/// answers.
pub fn unlinked<'a>(known: &'a Known<'_>) -> impl Iterator<Item = (&'a EntryId, &'a Resource)> {
    let entries = known.desired.entries.values();
    let wanting: Vec<&Judged> = entries.filter(|judged| known.wants_link(judged)).collect();
    let held = if wanting.is_empty() { BTreeMap::new() } else { names::settle(&claimants(known), &others(known)).held };
    wanting
        .into_iter()
        .filter(move |judged| !held.contains_key(&judged.entry_id))
        .filter_map(|judged| judged.mapped.as_ref().ok().map(|resource| (&judged.entry_id, resource)))
}

/// Makes the plan. Equal inputs give an equal plan.
pub fn plan(known: &Known<'_>) -> Plan {
    let mut names = names::settle(&claimants(known), &others(known));
    let exists = |id: &EntryId| known.snapshot.links.contains_key(id) || (is_new(known, id) && !names.held.contains_key(id));
    let mut changes = Vec::new();
    let mut held = Vec::new();
    for judged in known.desired.entries.values() {
        let (change, mut why) = known.of_judged(judged, exists);
        let change = match names.held.get(&judged.entry_id) {
            None => change,
            Some(name) => {
                why = why.or_else(|| Some(name.clone()));
                change.and_then(|change| without_name(known, judged, change))
            }
        };
        changes.extend(change);
        held.extend(why.map(|why| held_of(judged, why)));
    }
    if known.desired.coverage.is_full() {
        let absent = known.snapshot.links.values().filter(|link| !known.desired.entries.contains_key(&link.entry_id));
        changes.extend(absent.filter_map(|link| known.of_absent(link)));
    }
    let mut counts = Counts::default();
    count_desired(known, &mut counts);
    let (linked, members) = linked(known.snapshot, &known.rules.channel);
    let is_off = |link: &&Link| link.acknowledged.active() == Some(false);
    let off = known.snapshot.links.values().filter(is_off).map(|link| link.entry_id.clone()).collect();
    let base = guard::Base { linked, members: &members, off: &off, tally: &known.snapshot.tally };
    let mut judged = guard::judge(changes, &base, &known.rules.guard, InScope { users: counts.users, groups: counts.groups });
    let keep_their_names = judged.verdict.stopped.iter().filter(|change| renames(change)).map(|change| change.entry_id.clone());
    let waiting = names.hold_followers(&keep_their_names.collect());
    if !waiting.is_empty() {
        (judged.changes, held) = hold_names(known, judged.changes, held, &waiting, &names);
    }
    counts.held = held.len() as u64;
    count_changes(&judged.changes, &mut counts);
    let names_for_people = names_for_people(known, judged.changes.iter().chain(&judged.verdict.stopped));
    Plan {
        changes: stages::arrange(judged.changes, &names.after, &judged.removed_users),
        held,
        verdict: judged.verdict,
        removed_users: judged.removed_users,
        counts,
        names: names_for_people,
        notes: Vec::new(),
    }
}

fn held_of(judged: &Judged, why: String) -> Held {
    Held { entry_id: judged.entry_id.clone(), resource_type: judged.resource_type, name: judged.name.clone(), why }
}

fn is_new(known: &Known<'_>, id: &EntryId) -> bool {
    known.desired.entries.get(id).is_some_and(|judged| known.wants_link(judged))
        && !matches!(known.situations.get(id), Some(Situation::Disputed(_)))
        && !(known.rules.existing == super::Existing::Never && matches!(known.situations.get(id), Some(Situation::Unlinked(..))))
}

/// Who wants which name in this plan.
fn claimants(known: &Known<'_>) -> Vec<Claimant> {
    known
        .desired
        .entries
        .values()
        .filter(|judged| competes(known, judged))
        .filter_map(|judged| {
            let link = known.snapshot.links.get(&judged.entry_id);
            let has = link.and_then(|link| link.acknowledged.name()).map(str::to_owned);
            let wants = match (&judged.mapped, link) {
                (Ok(_), Some(_)) if judged.status == Status::Unknown => has.clone()?,
                (Ok(resource), Some(_)) => resource.name()?.to_owned(),
                (Ok(resource), None) if is_new(known, &judged.entry_id) => resource.name()?.to_owned(),
                (Err(_), Some(_)) => has.clone()?,
                (Ok(_) | Err(_), None) => return None,
            };
            Some(Claimant { entry_id: judged.entry_id.clone(), resource_type: judged.resource_type, wants, has })
        })
        .collect()
}

/// True if the name of the entry's resource is this channel's to give.
fn competes(known: &Known<'_>, judged: &Judged) -> bool {
    let claims = || known.snapshot.is_claimed_by(&judged.entry_id, &known.rules.channel);
    let scope = match (&judged.scope, known.snapshot.links.get(&judged.entry_id)) {
        (Scope::Out(_), _) => false,
        (Scope::In(_), link) => link.is_none_or(|link| link.acknowledged.resource_type == judged.resource_type),
        (Scope::Unknown(_), Some(link)) => link.acknowledged.resource_type == judged.resource_type && claims(),
        (Scope::Unknown(_), None) => false,
    };
    scope && !known.is_owned_elsewhere(&judged.entry_id)
}

/// Linked resources whose entries claim no name in this plan.
fn others(known: &Known<'_>) -> Vec<(EntryId, ResourceType, String)> {
    known
        .snapshot
        .links
        .values()
        .filter(|link| !known.desired.entries.get(&link.entry_id).is_some_and(|judged| competes(known, judged)))
        .filter_map(|link| Some((link.entry_id.clone(), link.acknowledged.resource_type, link.acknowledged.name()?.to_owned())))
        .collect()
}

fn renames(change: &Change) -> bool {
    let name = change.resource_type.name_path();
    match &change.action {
        Action::Update { edits, .. } | Action::Adopt { edits, .. } | Action::Relink { edits, .. } => {
            edits.iter().any(|edit| matches!(edit, Edit::Attribute { path, .. } if *path == name))
        }
        Action::Create(_) | Action::Delete { .. } | Action::Claim { .. } | Action::Release | Action::Forget => false,
    }
}

/// Takes from `changes` the names of those who wait in vain, and holds them.
fn hold_names(
    known: &Known<'_>,
    changes: Vec<Change>,
    mut held: Vec<Held>,
    waiting: &BTreeSet<EntryId>,
    names: &names::Names,
) -> (Vec<Change>, Vec<Held>) {
    let mut rest = Vec::with_capacity(changes.len());
    for change in changes {
        let judged = waiting.contains(&change.entry_id).then(|| known.desired.entries.get(&change.entry_id)).flatten();
        let Some(judged) = judged else {
            rest.push(change);
            continue;
        };
        let why = names.held.get(&judged.entry_id).cloned().unwrap_or_default();
        if !held.iter().any(|held| held.entry_id == judged.entry_id) {
            held.push(held_of(judged, why));
        }
        rest.extend(without_name(known, judged, change));
    }
    (rest, held)
}

/// A change without the name that it cannot have; nothing is left of one that needs it. The claim of an entry that
/// has a link already does not wait for the name.
fn without_name(known: &Known<'_>, judged: &Judged, change: Change) -> Option<Change> {
    let name = change.resource_type.name_path();
    match change.action.clone() {
        Action::Create(_) | Action::Adopt { .. } | Action::Relink { .. } => None,
        Action::Update { resource_id, mut edits } => {
            edits.retain(|edit| !matches!(edit, Edit::Attribute { path, .. } if *path == name));
            let mut tally = change.tally;
            tally.identity = 0;
            let action = if edits.is_empty() {
                let claimed = known.snapshot.is_claimed_by(&change.entry_id, &known.rules.channel);
                (!claimed && matches!(judged.scope, Scope::In(_))).then_some(Action::Claim { resource_id })
            } else {
                Some(Action::Update { resource_id, edits })
            };
            action.map(|action| Change { action, tally, ..change })
        }
        Action::Delete { .. } | Action::Claim { .. } | Action::Release | Action::Forget => Some(change),
    }
}

/// What a channel claims now, and how many members each of its groups has.
pub fn linked(snapshot: &Snapshot, channel: &ChannelName) -> (LinkedCounts, BTreeMap<EntryId, u64>) {
    let mut counts = LinkedCounts::default();
    let mut members = BTreeMap::new();
    for link in snapshot.links.values().filter(|link| snapshot.is_claimed_by(&link.entry_id, channel)) {
        match link.acknowledged.resource_type {
            ResourceType::User => counts.users += u64::from(link.acknowledged.active() != Some(false)),
            ResourceType::Group => {
                let size = link.acknowledged.members.len() as u64;
                counts.groups += 1;
                counts.memberships += size;
                members.insert(link.entry_id.clone(), size);
            }
        }
    }
    (counts, members)
}

fn count_desired(known: &Known<'_>, counts: &mut Counts) {
    for judged in known.desired.entries.values().filter(|judged| matches!(judged.scope, Scope::In(_) | Scope::Unknown(_))) {
        match judged.resource_type {
            ResourceType::User => counts.users += 1,
            ResourceType::Group => counts.groups += 1,
        }
    }
    counts.members_left_out = known.desired.members_left_out;
    counts.members_foreign = known.situations.iter().map(|(entry_id, situation)| foreign(known, entry_id, situation)).sum();
    counts.references_open = known.desired.references_outside;
}

/// Members that a group which is adopted has and should not have: others put them there.
fn foreign(known: &Known<'_>, entry_id: &EntryId, situation: &Situation) -> u64 {
    match (situation, known.desired.entries.get(entry_id).map(|judged| &judged.mapped)) {
        (Situation::Unlinked(found, _), Some(Ok(wanted))) => foreign_members(found, wanted, |id| entry_of(&known.entries, id)),
        (Situation::Unlinked(..) | Situation::Unmatched | Situation::Disputed(_), _) => 0,
    }
}

fn count_changes(changes: &[Change], counts: &mut Counts) {
    for change in changes {
        match &change.action {
            Action::Create(_) => counts.create += 1,
            Action::Adopt { .. } => counts.adopt += 1,
            Action::Relink { .. } => counts.relink += 1,
            Action::Update { edits, .. } => {
                counts.update += 1;
                counts.deactivate += u64::from(edits.iter().any(diff::deactivates));
            }
            Action::Delete { .. } => counts.delete += 1,
            Action::Forget | Action::Release => counts.forget += 1,
            Action::Claim { .. } => {}
        }
    }
}

fn names_for_people<'a>(known: &Known<'_>, changes: impl Iterator<Item = &'a Change>) -> BTreeMap<EntryId, String> {
    let mut names = BTreeMap::new();
    for id in changes.flat_map(mentioned) {
        let judged = known.desired.entries.get(id).map(|judged| judged.name.clone());
        let name = judged.or_else(|| known.snapshot.links.get(id)?.acknowledged.name().map(str::to_owned));
        names.entry(id.clone()).or_insert_with(|| name.unwrap_or_else(|| id.to_string()));
    }
    names
}

/// Entries that a change speaks of besides its own.
fn mentioned(change: &Change) -> Vec<&EntryId> {
    match &change.action {
        Action::Create(resource) => {
            resource.members.iter().chain(resource.attributes.values().filter_map(Value::reference)).collect()
        }
        Action::Update { edits, .. } | Action::Adopt { edits, .. } | Action::Relink { edits, .. } => edits
            .iter()
            .flat_map(|edit| match edit {
                Edit::Members { add, remove } => add.iter().chain(remove).collect::<Vec<_>>(),
                Edit::Foreign { .. } => Vec::new(),
                Edit::Attribute { before, after, .. } => before.iter().chain(after).filter_map(Value::reference).collect(),
            })
            .collect(),
        Action::Delete { .. } | Action::Claim { .. } | Action::Release | Action::Forget => Vec::new(),
    }
}
