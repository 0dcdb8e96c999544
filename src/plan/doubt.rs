//! Who may be a member of a group without our being able to tell. Nobody is added or removed on a doubt.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::model::{Alias, DnKey, EntryId};

use super::membership::Reach;

/// The doubt about one group.
#[derive(Debug, Clone, Default)]
pub struct Doubt {
    /// Entries that have one name among them.
    ambiguous: BTreeSet<EntryId>,
    /// Entries whose name may not be read; the set is shared by all groups.
    untold: Vec<Arc<BTreeSet<EntryId>>>,
    /// What the admin should know.
    why: Option<String>,
}

/// Makes the doubts of a reading.
#[derive(Debug, Default)]
pub(super) struct Doubts {
    untold: BTreeMap<Alias, Arc<BTreeSet<EntryId>>>,
}

impl Doubt {
    /// True for one who may be a member.
    pub fn covers(&self, id: &EntryId) -> bool {
        self.ambiguous.contains(id) || self.untold.iter().any(|ids| ids.contains(id))
    }

    /// Adds entries that are to stay where they are for now, of which there is nothing to say.
    pub fn add(&mut self, waiting: Arc<BTreeSet<EntryId>>) {
        self.untold.push(waiting);
    }

    /// What the admin should know, and can change.
    pub fn why(&self) -> Option<&str> {
        self.why.as_deref()
    }

    /// Takes over the doubt about a group whose members come into this one.
    pub(super) fn join(&mut self, other: Self) {
        self.ambiguous.extend(other.ambiguous);
        self.untold.extend(other.untold);
        self.why = self.why.take().or(other.why);
    }
}

impl Doubts {
    /// The doubt about a group of which this was reached.
    pub(super) fn of(&mut self, reach: &Reach, by_dn: &BTreeMap<&DnKey, &EntryId>) -> Doubt {
        let ids = |keys: &mut dyn Iterator<Item = &DnKey>| -> BTreeSet<EntryId> {
            keys.filter_map(|key| by_dn.get(key)).map(|id| (*id).clone()).collect()
        };
        let ambiguous = ids(&mut reach.ambiguous.values().flatten().filter(|key| !reach.contains(key)));
        let untold = reach
            .untold
            .iter()
            .map(|(kind, keys)| Arc::clone(self.untold.entry(kind.clone()).or_insert_with(|| Arc::new(ids(&mut keys.iter())))));
        Doubt { ambiguous, untold: untold.collect(), why: why(reach) }
    }
}

fn why(reach: &Reach) -> Option<String> {
    if !reach.named {
        return Some(
            "whose primary group it is cannot be told, so nobody is removed: give the bind account the right to read \
                     objectSid of groups"
                .to_owned(),
        );
    }
    let carriers = reach.ambiguous.values().next()?;
    let named: Vec<&str> = carriers.iter().take(3).map(DnKey::as_str).collect();
    Some(format!(
        "several entries have a name by which it lists a member ({}): none of them is added or removed by it until the name is \
         one entry's",
        named.join(" and ")
    ))
}
