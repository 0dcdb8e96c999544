//! Names that are exchanged in a ring: one of it gives its name up for another of its own first, the rest follow in
//! order, and it takes its new name last. A crash in between leaves a plain chain of renames.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{EntryId, Value};

use super::decide::Known;
use super::names::{self, Bystander, Claimant, Names};
use super::{Action, Change, Edit, Reason, Tally, fitting};

/// The renames that make room, one for each ring of which every change goes out; by entry. The entry's own change is
/// made to begin at the name that it has then.
pub fn make_room(
    known: &Known<'_>,
    names: &Names,
    taken: &BTreeSet<String>,
    changes: &mut [Change],
) -> BTreeMap<EntryId, Change> {
    let mut parked = BTreeMap::new();
    for ring in &names.rings {
        let renaming = |id: &&EntryId| changes.iter().any(|change| change.entry_id == **id && name_edit(change).is_some());
        if ring.iter().filter(renaming).count() < ring.len() {
            continue;
        }
        let Some(first) = ring.first() else { continue };
        let Some(change) = changes.iter_mut().find(|change| change.entry_id == *first) else { continue };
        parked.extend(parking(known, taken, change).map(|change| (first.clone(), change)));
    }
    parked
}

/// Every name that a resource has or is to have, in the form by which names are compared.
pub fn taken(claimants: &[Claimant], others: &[Bystander]) -> BTreeSet<String> {
    let claimed = claimants.iter().flat_map(|claimant| claimant.has.iter().chain([&claimant.wants]));
    claimed.chain(others.iter().map(|other| &other.has)).map(|name| names::folded(name)).collect()
}

fn parking(known: &Known<'_>, taken: &BTreeSet<String>, change: &mut Change) -> Option<Change> {
    let path = change.resource_type.name_path();
    let longest = fitting::longest_name(known.capabilities, change.resource_type);
    let Action::Update { resource_id, edits } = &mut change.action else { return None };
    let name = edits.iter_mut().find_map(|edit| match edit {
        Edit::Attribute { path: at, before, .. } if *at == path => Some(before),
        Edit::Attribute { .. } | Edit::Members { .. } | Edit::Foreign { .. } => None,
    })?;
    let Some(Value::Text(has)) = name.clone() else { return None };
    let aside =
        (0..).map(|turn| aside(&has, &change.entry_id, turn, longest)).find(|aside| !taken.contains(&names::folded(aside)))?;
    *name = Some(Value::Text(aside.clone()));
    let edits = vec![Edit::Attribute { path, before: Some(Value::Text(has)), after: Some(Value::Text(aside)) }];
    Some(Change {
        entry_id: change.entry_id.clone(),
        resource_type: change.resource_type,
        name: change.name.clone(),
        action: Action::Update { resource_id: resource_id.clone(), edits },
        reason: Reason::Parked,
        claim: change.claim,
        // The entry's own change counts for its name.
        tally: Tally::default(),
    })
}

/// `NAME.swap-0a1b2c`, cut so that it is not too long. The digits come of the entry's id, so that they are the same in
/// every plan.
fn aside(name: &str, entry_id: &EntryId, turn: u32, longest: Option<usize>) -> String {
    // FNV-1a (draft-eastlake-fnv): spread is all that is asked of it.
    let octets = entry_id.as_str().bytes().chain(turn.to_be_bytes());
    let hash = octets.fold(0xcbf2_9ce4_8422_2325_u64, |hash, octet| (hash ^ u64::from(octet)).wrapping_mul(0x0100_0000_01b3));
    let suffix = format!(".swap-{:06x}", hash & 0x00ff_ffff);
    let room = longest.unwrap_or(usize::MAX).saturating_sub(suffix.len());
    name.chars().take(room).collect::<String>() + &suffix
}

fn name_edit(change: &Change) -> Option<&Edit> {
    let Action::Update { edits, .. } = &change.action else { return None };
    let path = change.resource_type.name_path();
    edits.iter().find(|edit| matches!(edit, Edit::Attribute { path: at, .. } if *at == path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_set_aside_is_the_same_in_every_plan_and_never_too_long() {
        let id = EntryId::new("ada");
        let whole = aside("ada@example.com", &id, 0, None);
        assert_eq!(whole, aside("ada@example.com", &id, 0, None));
        assert!(whole.starts_with("ada@example.com.swap-") && whole.len() == "ada@example.com.swap-".len() + 6, "{whole}");
        assert_eq!(aside("ada@example.com", &id, 0, Some(15)), format!("ada{}", &whole[15..]));
        assert_ne!(whole, aside("ada@example.com", &id, 1, None));
    }
}
