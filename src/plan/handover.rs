//! Groups of one name: several that feed one resource, and links that are handed on when an entry is gone and another
//! has its name.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{EntryId, Link, ResourceType, Snapshot};

use super::desired::{Desired, Judged};
use super::doubt::Doubt;
use super::names;
use super::scope::Scope;
use super::{Recreated, Rules, SameName};

impl Desired {
    /// Where groups of one name feed one group of the target: the linked one, else the one with the smallest id, has the
    /// members of all; the others are out of scope. One that is linked itself feeds nobody: its resource is its own.
    pub fn merge_namesakes(&mut self, rules: &Rules, snapshot: &Snapshot) {
        if !merges(rules) {
            return;
        }
        let is_linked = |id: &EntryId| snapshot.links.contains_key(id) || snapshot.unanswered_creates.contains_key(id);
        let mut namesakes: BTreeMap<String, Vec<EntryId>> = BTreeMap::new();
        for judged in self.entries.values() {
            if let Some(name) = wanted_name(judged) {
                namesakes.entry(name).or_default().push(judged.entry_id.clone());
            }
        }
        for ids in namesakes.into_values().filter(|ids| ids.len() > 1) {
            let Some(owner) = ids.iter().find(|id| is_linked(id)).or(ids.first()) else { continue };
            let mut members = BTreeSet::new();
            let mut whole = true;
            let mut in_doubt = Doubt::default();
            let dn = self.entries.get(owner).map(|judged| judged.dn.as_str().to_owned()).unwrap_or_default();
            for id in ids.iter().filter(|id| *id != owner && !is_linked(id)) {
                let Some(feeder) = self.entries.get_mut(id) else { continue };
                whole &= feeder.members_whole;
                in_doubt.join(std::mem::take(&mut feeder.in_doubt));
                members.extend(feeder.mapped.iter().flat_map(|resource| resource.members.iter().cloned()));
                feeder.scope = Scope::Out(format!("it feeds the group of its name that {dn} provisions (same_name: merge)"));
            }
            if let Some(owner) = self.entries.get_mut(owner) {
                owner.members_whole &= whole;
                owner.in_doubt.join(in_doubt);
                members.remove(&owner.entry_id);
                owner.mapped.iter_mut().for_each(|resource| resource.members.append(&mut members));
            }
        }
    }
}

fn merges(rules: &Rules) -> bool {
    rules.groups.as_ref().is_some_and(|groups| groups.same_name == SameName::Merge)
}

/// The name of a group in scope, in the form by which names are compared.
fn wanted_name(judged: &Judged) -> Option<String> {
    let resource = judged.mapped.as_ref().ok()?;
    let group = judged.resource_type == ResourceType::Group && matches!(judged.scope, Scope::In(_));
    group.then(|| resource.name().map(names::folded)).flatten()
}

/// Groups that are gone, each with the one that has its name now.
#[derive(Debug, Default)]
pub struct Handovers {
    /// The new entry → the one that is gone and whose link it gets.
    pub links: BTreeMap<EntryId, EntryId>,
    /// The same pairs where links are not handed on: both are held.
    pub held: BTreeMap<EntryId, EntryId>,
    /// True if several groups feed one, so that handing on is no change of identity.
    pub feeds: bool,
}

impl Handovers {
    /// Pairs of exactly one group that is gone, claimed by this channel alone, and exactly one of its name that has no
    /// link. Only in a full reading.
    pub fn find(rules: &Rules, snapshot: &Snapshot, desired: &Desired) -> Self {
        let Some(groups) = rules.groups.as_ref().filter(|_| desired.coverage.is_full()) else { return Self::default() };
        let feeds = merges(rules);
        let mut gone: BTreeMap<String, Vec<&Link>> = BTreeMap::new();
        let is_gone = |id: &EntryId| match desired.entries.get(id) {
            None => true,
            Some(judged) => feeds && judged.resource_type == ResourceType::Group && matches!(judged.scope, Scope::Out(_)),
        };
        for link in snapshot.links.values().filter(|link| link.acknowledged.resource_type == ResourceType::Group) {
            if let Some(name) = link.acknowledged.name()
                && is_gone(&link.entry_id)
                && claims_alone(rules, snapshot, &link.entry_id)
            {
                gone.entry(names::folded(name)).or_default().push(link);
            }
        }
        let mut new: BTreeMap<String, Vec<&EntryId>> = BTreeMap::new();
        if !gone.is_empty() {
            let known = |id: &EntryId| snapshot.links.contains_key(id) || snapshot.unanswered_creates.contains_key(id);
            for judged in desired.entries.values().filter(|judged| !known(&judged.entry_id)) {
                if let Some(name) = wanted_name(judged) {
                    new.entry(name).or_default().push(&judged.entry_id);
                }
            }
        }
        let pairs = gone.iter().filter_map(|(name, gone)| match (gone.as_slice(), new.get(name).map(Vec::as_slice)) {
            ([from], Some([to])) => Some(((*to).clone(), from.entry_id.clone())),
            _ => None,
        });
        let pairs: BTreeMap<EntryId, EntryId> = pairs.collect();
        match groups.recreated {
            Recreated::Hold if !feeds => Self { held: pairs, ..Self::default() },
            Recreated::Hold | Recreated::Relink => Self { links: pairs, feeds, ..Self::default() },
        }
    }

    /// True if the link of an entry that is gone goes to another.
    pub fn takes_from(&self, gone: &EntryId) -> bool {
        self.links.values().any(|from| from == gone)
    }
}

fn claims_alone(rules: &Rules, snapshot: &Snapshot, entry_id: &EntryId) -> bool {
    let mut others = rules.channels_of_target.iter().filter(|channel| **channel != rules.channel);
    snapshot.is_claimed_by(entry_id, &rules.channel) && !others.any(|channel| snapshot.is_claimed_by(entry_id, channel))
}
