//! Everything together: what should be × what is → the plan.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{AttributePath, ChannelName, EntryId, LinkedCounts, Resource, ResourceType, Snapshot, Value};

use super::decide::{self, Known};
use super::desired::Judged;
use super::guard::InScope;
use super::matching::{Situation, entry_of};
use super::names;
use super::naming::{claimants, hold_names, others, renames, without_name};
use super::scope::Scope;
use super::stages::{self, Order};
use super::{Action, Change, Counts, Edit, Existing, Held, Members, Plan, diff, found, guard, rings};

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
    let (claimants, others) = (claimants(known), others(known));
    let mut names = names::settle(&claimants, &others);
    let is_linked = |id: &EntryId| known.link_of(id).is_some() || known.snapshot.others.contains_key(id);
    let exists = |id: &EntryId| is_linked(id) || (is_new(known, id) && !names.held.contains_key(id));
    let mut changes = Vec::new();
    let mut held = Vec::new();
    let mut unchangeable: BTreeMap<AttributePath, u64> = BTreeMap::new();
    for judged in known.desired.entries.values() {
        let mut decided = known.of_judged(judged, exists);
        if let Some(name) = names.held.get(&judged.entry_id) {
            decided.why = decided.why.or_else(|| Some(name.clone()));
            decided.change = decided.change.and_then(|change| without_name(known, judged, change));
        }
        changes.extend(decided.change);
        held.extend(decided.why.map(|why| held_of(judged, why)));
        decided.unchangeable.into_iter().for_each(|path| *unchangeable.entry(path).or_default() += 1);
    }
    for link in known.snapshot.links.values().filter(|link| known.desired.is_gone(&link.entry_id)) {
        match known.handovers.held.iter().find(|(_, gone)| **gone == link.entry_id) {
            None => changes.extend(known.of_absent(link)),
            Some((new, _)) => held.push(Held {
                entry_id: link.entry_id.clone(),
                resource_type: link.acknowledged.resource_type,
                name: link.acknowledged.name().unwrap_or(link.entry_id.as_str()).to_owned(),
                why: decide::recreated(&format!("it is gone, and there is a group of its name, entry {new}")),
            }),
        }
    }
    let mut counts = Counts::default();
    count_desired(known, &mut counts);
    let mut judged = guarded(known, changes, &counts);
    let keep_their_names = judged.verdict.stopped.iter().filter(|change| renames(change)).map(|change| change.entry_id.clone());
    let waiting = names.hold_followers(&keep_their_names.collect());
    if !waiting.is_empty() {
        (judged.changes, held) = hold_names(known, judged.changes, held, &waiting, &names);
    }
    counts.held = held.len() as u64;
    count_changes(&judged.changes, &mut counts);
    let names_for_people = names_for_people(known, judged.changes.iter().chain(&judged.verdict.stopped));
    let parked = rings::make_room(known, &names, &rings::taken(&claimants, &others), &mut judged.changes);
    let order = Order {
        after: &names.after,
        parked,
        removed_users: &judged.removed_users,
        removes_first: known.capabilities.removes_first,
    };
    Plan {
        changes: stages::arrange(judged.changes, order),
        held,
        verdict: judged.verdict,
        removed_users: judged.removed_users,
        counts,
        names: names_for_people,
        notes: notes(known, &unchangeable),
    }
}

/// What passes the guard. Groups that are adopted or change hands have the members there that they have.
fn guarded(known: &Known<'_>, changes: Vec<Change>, counts: &Counts) -> guard::Judged {
    let (counted, mut members) = linked(known.snapshot, &known.rules.channel);
    let linked = known.snapshot.linked.unwrap_or(counted);
    for change in &changes {
        let found = match &change.action {
            Action::Adopt { .. } => match known.situations.get(&change.entry_id) {
                Some(Situation::Unlinked(found, _)) => found.members.as_ref().map_or(0, BTreeSet::len),
                Some(Situation::Unmatched | Situation::Disputed(_)) | None => 0,
            },
            Action::Relink { from, .. } => known.snapshot.links.get(from).map_or(0, |link| link.acknowledged.members.len()),
            Action::Update { .. } => {
                let foreign = known.comparison.and_then(|comparison| comparison.foreign.get(&change.entry_id));
                foreign.map_or(0, BTreeSet::len)
            }
            Action::Create(_) | Action::Delete { .. } | Action::Claim { .. } | Action::Release | Action::Forget => 0,
        };
        *members.entry(change.entry_id.clone()).or_default() += found as u64;
    }
    let is_off = |link: &&crate::model::Link| link.acknowledged.active() == Some(false);
    let off = known.snapshot.links.values().filter(is_off).map(|link| link.entry_id.clone()).collect();
    let base = guard::Base { linked, members: &members, off: &off, tally: &known.snapshot.tally };
    guard::judge(changes, &base, &known.rules.guard, InScope { users: counts.users, groups: counts.groups })
}

/// What the admin should know of values that are not sent.
fn notes(known: &Known<'_>, unchangeable: &BTreeMap<AttributePath, u64>) -> Vec<String> {
    let list = |paths: Vec<&str>| paths.join(", ");
    let mut notes = Vec::new();
    if !known.desired.not_sent.is_empty() {
        let paths = known.desired.not_sent.iter().map(AttributePath::as_str).collect();
        notes.push(format!("mapped and not sent, as the target does not take it: {}", list(paths)));
    }
    if !unchangeable.is_empty() {
        let count: u64 = unchangeable.values().sum();
        let paths = unchangeable.keys().map(AttributePath::as_str).collect();
        notes.push(format!(
            "values that differ and that the target does not change once a resource exists: {count} ({})",
            list(paths)
        ));
    }
    notes
}

pub(super) fn held_of(judged: &Judged, why: String) -> Held {
    Held { entry_id: judged.entry_id.clone(), resource_type: judged.resource_type, name: judged.name.clone(), why }
}

pub(super) fn is_new(known: &Known<'_>, id: &EntryId) -> bool {
    known.desired.entries.get(id).is_some_and(|judged| known.wants_link(judged))
        && !matches!(known.situations.get(id), Some(Situation::Disputed(_)))
        && !(known.rules.existing == Existing::Never && matches!(known.situations.get(id), Some(Situation::Unlinked(..))))
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
    (counts.users, counts.groups) = known.desired.beside;
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

/// Members that a group which is adopted has and should not have, and that are left there: others put them there.
fn foreign(known: &Known<'_>, entry_id: &EntryId, situation: &Situation) -> u64 {
    let Some(Ok(wanted)) = known.desired.entries.get(entry_id).map(|judged| &judged.mapped) else { return 0 };
    match situation {
        Situation::Unlinked(found, _) => {
            let entry_of = |id: &_| entry_of(&known.entries, id);
            let is_ours = |id: &EntryId| found::is_ours(known.rules, known.snapshot, known.desired, id);
            let held = found::managed(found, wanted, entry_of, is_ours).members;
            let exact = known.members_rule() == Members::Exact && known.rules.existing == Existing::Overwrite;
            if exact { 0 } else { found::foreign_members(found, &held, entry_of).len() as u64 }
        }
        Situation::Unmatched | Situation::Disputed(_) => 0,
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
