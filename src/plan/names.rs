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

/// A linked resource whose entry claims no name in a plan: it keeps what it has.
#[derive(Debug, Clone)]
pub struct Bystander {
    /// The entry.
    pub entry_id: EntryId,
    /// User or group.
    pub resource_type: ResourceType,
    /// What it is called.
    pub has: String,
    /// True if no channel claims it: it left, and its resource stayed.
    pub left: bool,
}

/// Who must wait and who is held.
#[derive(Debug, Clone, Default)]
pub struct Names {
    /// An entry → the entry that must give the name up first.
    pub after: BTreeMap<EntryId, EntryId>,
    /// An entry → why it cannot have its name.
    pub held: BTreeMap<EntryId, String>,
    /// Entries that exchange their names in a ring, each of whom waits for another one of it.
    pub rings: Vec<BTreeSet<EntryId>>,
}

type Key = (ResourceType, String);

fn key(resource_type: ResourceType, name: &str) -> Key {
    (resource_type, folded(name))
}

/// A name in the form by which names are compared.
pub fn folded(name: &str) -> String {
    name.to_lowercase()
}

/// Settles who gets which name. `others` are leavers and entries of other channels.
pub fn settle(claimants: &[Claimant], others: &[Bystander]) -> Names {
    let mut names = Names::default();
    let mut holders: BTreeMap<Key, &EntryId> = BTreeMap::new();
    let mut wanted: BTreeMap<Key, Vec<&EntryId>> = BTreeMap::new();
    let mut goal: BTreeMap<&EntryId, Key> = BTreeMap::new();
    let mut own: BTreeMap<&EntryId, Key> = BTreeMap::new();
    let mut left: BTreeSet<&EntryId> = BTreeSet::new();
    for other in others {
        holders.insert(key(other.resource_type, &other.has), &other.entry_id);
        if other.left {
            left.insert(&other.entry_id);
        }
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
                    let why = format!("its {} is held by the resource of entry {holder}", word(name));
                    let advice = ", which left: rename or delete that resource at the target, then `ldap2scim resync`";
                    let why = if left.contains(holder) { why + advice } else { why };
                    names.held.insert((*entry).clone(), why);
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
    hold_followers_and_find_rings(&mut names);
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

/// Who waits for somebody that is held waits in vain; who waits in a ring waits for ever, unless one of it makes room.
/// Each entry is walked over once.
fn hold_followers_and_find_rings(names: &mut Names) {
    let held = names.held.keys().cloned().collect();
    names.hold_followers(&held);
    names.after.retain(|entry, _| !names.held.contains_key(entry));
    let mut rings = Vec::new();
    let mut walked: BTreeMap<&EntryId, &EntryId> = BTreeMap::new();
    for start in names.after.keys() {
        let mut at = start;
        while let Some(next) = names.after.get(at).filter(|_| !walked.contains_key(at)) {
            walked.insert(at, start);
            at = next;
        }
        if walked.get(at) == Some(&start) {
            let mut ring: BTreeSet<EntryId> = BTreeSet::new();
            let mut member = at;
            while ring.insert(member.clone()) {
                let Some(next) = names.after.get(member) else { break };
                member = next;
            }
            rings.push(ring);
        }
    }
    names.rings = rings;
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
        let others: Vec<_> = others
            .iter()
            .map(|(id, name)| Bystander {
                entry_id: EntryId::new(id),
                resource_type: ResourceType::Group,
                has: (*name).to_owned(),
                left: false,
            })
            .collect();
        let names = settle(&claimants, &others);
        (
            names.after.iter().map(|(a, b)| format!("{a} after {b}")).collect(),
            names.held.keys().map(ToString::to_string).collect(),
        )
    }

    fn rings(claimants: &[(&str, &str, &str)]) -> Vec<String> {
        let claimants: Vec<Claimant> = claimants
            .iter()
            .map(|(id, wants, has)| Claimant {
                entry_id: EntryId::new(id),
                resource_type: ResourceType::User,
                wants: (*wants).to_owned(),
                has: Some((*has).to_owned()),
            })
            .collect();
        let names = settle(&claimants, &[]);
        names.rings.iter().map(|ring| ring.iter().map(EntryId::as_str).collect::<Vec<_>>().join(" ")).collect()
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
    fn a_chain_of_renames_is_ordered_and_who_wants_what_another_wants_is_held() {
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
    }

    #[test]
    fn every_ring_is_found_with_all_of_it_and_nobody_else() {
        assert_eq!(rings(&[("a", "2", "1"), ("b", "1", "2"), ("c", "4", "3"), ("d", "5", "4")]), ["a b"]);
        assert_eq!(
            rings(&[("a", "2", "1"), ("b", "3", "2"), ("c", "1", "3"), ("x", "8", "9"), ("y", "9", "8")]),
            ["a b c", "x y"]
        );
        assert_eq!(rings(&[("a", "2", "1"), ("b", "3", "2")]), Vec::<String>::new());
        assert_eq!(rings(&[("a", "ADA", "ada")]), Vec::<String>::new(), "the case of letters may change");
    }
}
