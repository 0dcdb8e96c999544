//! Names are unique at a target: who keeps one, who waits for it, who is held.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{EntryId, ResourceType};

/// An entry's claim to a name at the target.
#[derive(Debug, Clone)]
pub struct Claimant {
    /// The entry.
    pub entry_id: EntryId,
    /// User or group: names are unique within a type.
    pub resource_type: ResourceType,
    /// What it wants to be called.
    pub wants: String,
    /// What its linked resource is called; `None` if it has none.
    pub has: Option<String>,
}

/// Who must wait and who is held.
#[derive(Debug, Clone, Default)]
pub struct Names {
    /// An entry → the entry that must give the name up first.
    pub after: BTreeMap<EntryId, EntryId>,
    /// An entry → why it cannot have its name.
    pub held: BTreeMap<EntryId, String>,
}

type Key = (ResourceType, String);

fn key(resource_type: ResourceType, name: &str) -> Key {
    (resource_type, name.to_lowercase())
}

/// Settles who gets which name. `others` are linked resources whose entries claim nothing in this plan
/// (leavers, entries of other channels): they keep what they have.
pub fn settle(claimants: &[Claimant], others: &[(EntryId, ResourceType, String)]) -> Names {
    let mut names = Names::default();
    let mut holders: BTreeMap<Key, &EntryId> = BTreeMap::new();
    let mut wanted: BTreeMap<Key, Vec<&EntryId>> = BTreeMap::new();
    let mut goal: BTreeMap<&EntryId, Key> = BTreeMap::new();
    let mut own: BTreeMap<&EntryId, Key> = BTreeMap::new();
    for (entry_id, resource_type, name) in others {
        holders.insert(key(*resource_type, name), entry_id);
    }
    for claimant in claimants {
        let wants = key(claimant.resource_type, &claimant.wants);
        if let Some(has) = &claimant.has {
            let has = key(claimant.resource_type, has);
            holders.insert(has.clone(), &claimant.entry_id);
            own.insert(&claimant.entry_id, has);
        }
        wanted.entry(wants.clone()).or_default().push(&claimant.entry_id);
        goal.insert(&claimant.entry_id, wants);
    }
    for (name, wanting) in &wanted {
        let holder = holders.get(name).copied();
        let stays = holder.filter(|holder| goal.get(*holder).is_none_or(|goal| goal == name));
        match (stays, holder) {
            (Some(holder), _) => {
                for entry in wanting.iter().filter(|entry| **entry != holder && own.get(*entry) != Some(name)) {
                    names.held.insert((*entry).clone(), format!("its {} is held by the resource of entry {holder}", word(name)));
                }
            }
            (None, _) if wanting.len() > 1 => {
                for entry in wanting {
                    let others: Vec<&str> = wanting.iter().filter(|other| *other != entry).map(|other| other.as_str()).collect();
                    names.held.insert(
                        (*entry).clone(),
                        format!(
                            "its {} is also that of {}: make them differ or map another attribute",
                            word(name),
                            others.join(", ")
                        ),
                    );
                }
            }
            (None, Some(holder)) => {
                for entry in wanting {
                    names.after.insert((*entry).clone(), holder.clone());
                }
            }
            (None, None) => {}
        }
    }
    hold_cycles_and_followers(&mut names);
    names
}

fn word(name: &Key) -> &'static str {
    match name.0 {
        ResourceType::User => "userName",
        ResourceType::Group => "displayName",
    }
}

impl Names {
    /// Adds to the held whoever waits, over however many others, for a name of one of `kept`, who keep theirs.
    /// Returns them.
    pub fn hold_followers(&mut self, kept: &BTreeSet<EntryId>) -> BTreeSet<EntryId> {
        let mut followers: BTreeMap<&EntryId, Vec<&EntryId>> = BTreeMap::new();
        for (entry, holder) in &self.after {
            followers.entry(holder).or_default().push(entry);
        }
        let mut waiting = BTreeSet::new();
        let mut open: Vec<EntryId> = kept.iter().cloned().collect();
        while let Some(holder) = open.pop() {
            for entry in followers.get(&holder).into_iter().flatten() {
                if !kept.contains(*entry) && waiting.insert((*entry).clone()) {
                    self.held.insert((*entry).clone(), format!("it waits for a name of entry {holder}, which keeps it for now"));
                    open.push((*entry).clone());
                }
            }
        }
        waiting
    }
}

/// Who waits for somebody that is held waits in vain; who waits in a ring waits for ever. Each entry is walked over once.
fn hold_cycles_and_followers(names: &mut Names) {
    let held = names.held.keys().cloned().collect();
    names.hold_followers(&held);
    names.after.retain(|entry, _| !names.held.contains_key(entry));
    let mut ring: BTreeSet<EntryId> = BTreeSet::new();
    let mut walked: BTreeMap<&EntryId, &EntryId> = BTreeMap::new();
    for start in names.after.keys() {
        let mut at = start;
        while let Some(next) = names.after.get(at).filter(|_| !walked.contains_key(at)) {
            walked.insert(at, start);
            at = next;
        }
        if walked.get(at) == Some(&start) {
            let mut member = at;
            while ring.insert(member.clone()) {
                let Some(next) = names.after.get(member) else { break };
                member = next;
            }
        }
    }
    for entry in &ring {
        let why = "names are exchanged in a ring: rename one of them to something else for one cycle";
        names.held.insert(entry.clone(), why.to_owned());
    }
    names.hold_followers(&ring);
    names.after.retain(|entry, _| !names.held.contains_key(entry));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settled(claimants: &[(&str, &str, Option<&str>)], others: &[(&str, &str)]) -> (Vec<String>, Vec<String>) {
        let claimants: Vec<Claimant> = claimants
            .iter()
            .map(|(id, wants, has)| Claimant {
                entry_id: EntryId::new(id),
                resource_type: ResourceType::Group,
                wants: (*wants).to_owned(),
                has: has.map(str::to_owned),
            })
            .collect();
        let others: Vec<_> =
            others.iter().map(|(id, name)| (EntryId::new(id), ResourceType::Group, (*name).to_owned())).collect();
        let names = settle(&claimants, &others);
        (
            names.after.iter().map(|(a, b)| format!("{a} after {b}")).collect(),
            names.held.keys().map(ToString::to_string).collect(),
        )
    }

    #[test]
    fn the_linked_holder_keeps_a_name_and_the_newcomer_is_held() {
        assert_eq!(settled(&[("a", "Sales", Some("Sales")), ("b", "sales", None)], &[]), (vec![], vec!["b".into()]));
        assert_eq!(settled(&[("b", "Sales", None)], &[("leaver", "SALES")]), (vec![], vec!["b".into()]));
    }

    #[test]
    fn namesakes_that_the_target_has_already_are_left_alone() {
        assert_eq!(settled(&[("a", "Sales", Some("Sales")), ("b", "sales", Some("sales"))], &[]), (vec![], vec![]));
    }

    #[test]
    fn two_newcomers_of_one_name_are_both_held() {
        assert_eq!(settled(&[("a", "Sales", None), ("b", "Sales", None)], &[]), (vec![], vec!["a".into(), "b".into()]));
    }

    #[test]
    fn a_chain_of_renames_is_ordered_and_a_ring_is_held() {
        assert_eq!(
            settled(&[("a", "2", Some("1")), ("b", "3", Some("2")), ("c", "4", Some("3"))], &[]),
            (vec!["a after b".into(), "b after c".into()], vec![])
        );
        assert_eq!(
            settled(&[("a", "2", Some("1")), ("b", "3", Some("2")), ("c", "2b", Some("3")), ("d", "2B", Some("4"))], &[]),
            (vec![], ["a", "b", "c", "d"].map(String::from).into())
        );
        assert_eq!(
            settled(&[("a", "2", Some("1")), ("b", "3", Some("2")), ("c", "2", Some("3")), ("z", "1", None)], &[]),
            (vec![], ["a", "b", "c", "z"].map(String::from).into()),
            "a and c both want the name of b"
        );
        assert_eq!(
            settled(&[("a", "2", Some("1")), ("b", "1", Some("2")), ("c", "4", Some("3")), ("d", "5", Some("4"))], &[]),
            (vec!["c after d".into()], vec!["a".into(), "b".into()])
        );
        assert_eq!(settled(&[("a", "2", Some("1")), ("b", "1", Some("2"))], &[]), (vec![], vec!["a".into(), "b".into()]));
    }
}
