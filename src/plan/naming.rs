//! Who speaks of which name in a plan, and what is left of a change that cannot have its name.

use std::collections::BTreeSet;

use crate::model::{EntryId, Status};

use super::decide::Known;
use super::desired::Judged;
use super::names::{self, Bystander, Claimant};
use super::planning::{held_of, is_new};
use super::scope::Scope;
use super::{Action, Change, Edit, Held, fitting};

/// Who wants which name in this plan.
pub(super) fn claimants(known: &Known<'_>) -> Vec<Claimant> {
    known
        .desired
        .entries
        .values()
        .filter(|judged| competes(known, judged))
        .filter_map(|judged| {
            let link = known.link_of(&judged.entry_id);
            let has = link.and_then(|link| link.acknowledged.name()).map(str::to_owned);
            let is_fixed = !fitting::changes(known.capabilities, judged.resource_type, &judged.resource_type.name_path());
            let wants = match (&judged.mapped, link) {
                (_, Some(_)) if is_fixed => has.clone()?,
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
pub(super) fn others(known: &Known<'_>) -> Vec<Bystander> {
    let links = known.snapshot.links.values();
    links
        .filter(|link| !known.desired.entries.get(&link.entry_id).is_some_and(|judged| competes(known, judged)))
        .filter(|link| !known.handovers.takes_from(&link.entry_id))
        .filter_map(|link| {
            Some(Bystander {
                entry_id: link.entry_id.clone(),
                resource_type: link.acknowledged.resource_type,
                has: link.acknowledged.name()?.to_owned(),
                left: !known.snapshot.claims.contains_key(&link.entry_id),
            })
        })
        .collect()
}

/// True if a change speaks of its resource's name.
pub(super) fn renames(change: &Change) -> bool {
    let name = change.resource_type.name_path();
    match &change.action {
        Action::Update { edits, .. } | Action::Adopt { edits, .. } | Action::Relink { edits, .. } => {
            edits.iter().any(|edit| matches!(edit, Edit::Attribute { path, .. } if *path == name))
        }
        Action::Create(_) | Action::Delete { .. } | Action::Claim { .. } | Action::Release | Action::Forget => false,
    }
}

/// Takes from `changes` the names of those who wait in vain, and holds them.
pub(super) fn hold_names(
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
pub(super) fn without_name(known: &Known<'_>, judged: &Judged, change: Change) -> Option<Change> {
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
