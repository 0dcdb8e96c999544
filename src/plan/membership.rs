//! The group graph of a reading: who is in a group, directly, through nested groups, over cycles.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use crate::model::{Alias, Dn, DnKey, EntryId, MemberName};

/// A group as a node: who it is and whom it names.
#[derive(Debug, Clone)]
pub struct Node {
    /// The group's entry.
    pub entry_id: EntryId,
    /// Where it is.
    pub dn: Dn,
    /// Its direct members; `None` where they could not be read whole.
    pub members: Option<Vec<DnKey>>,
    /// Members that it lists by another name than their DN.
    pub aliases: Vec<Alias>,
}

/// Every group of a reading by DN, and who carries the names by which groups list users.
#[derive(Debug, Clone, Default)]
pub struct Graph {
    nodes: BTreeMap<DnKey, Node>,
    carriers: BTreeMap<Alias, Carriers>,
    /// Who has a name of a kind that may not be read.
    untold: BTreeMap<Alias, Arc<BTreeSet<DnKey>>>,
}

/// Who carries a name: one, almost always.
#[derive(Debug, Clone)]
enum Carriers {
    One(DnKey),
    Several(Vec<DnKey>),
}

/// What is reached from some groups.
#[derive(Debug, Clone)]
pub struct Reach {
    /// Every DN reached, with the group that named it first.
    through: BTreeMap<DnKey, DnKey>,
    /// False if a group on the way could not be read whole.
    pub complete: bool,
    /// Names of one entry that several carry: which of them is meant cannot be told.
    pub ambiguous: BTreeMap<Alias, Vec<DnKey>>,
    /// Who may be meant by a name that nobody is known to carry, by the kind of name.
    pub untold: BTreeMap<Alias, Arc<BTreeSet<DnKey>>>,
    /// Names that nobody carries.
    pub unknown: u64,
    /// False if a group on the way may list users by a name of its own that may not be read.
    pub named: bool,
}

impl Graph {
    /// Adds a group.
    pub fn insert(&mut self, node: Node) {
        self.nodes.insert(node.dn.key().clone(), node);
    }

    /// Adds the names that a user carries besides its DN.
    pub fn carry(&mut self, aliases: &[Alias], key: &DnKey) {
        for alias in aliases {
            if alias.is_untold() {
                Arc::make_mut(self.untold.entry(alias.clone()).or_default()).insert(key.clone());
                continue;
            }
            let one = || Carriers::One(key.clone());
            self.carriers.entry(alias.clone()).and_modify(|carriers| carriers.add(key)).or_insert_with(one);
        }
    }

    /// Takes the members of a group for unread.
    pub fn doubt(&mut self, key: &DnKey) {
        if let Some(node) = self.nodes.get_mut(key) {
            node.members = None;
        }
    }

    /// By which names a group lists its members; `None` where they could not be read whole, or there is no such group.
    pub fn listed(&self, key: &DnKey) -> Option<BTreeSet<MemberName>> {
        let node = self.nodes.get(key)?;
        let dns = node.members.as_ref()?.iter().cloned().map(MemberName::Dn);
        Some(dns.chain(node.aliases.iter().cloned().map(MemberName::Alias)).collect())
    }

    /// Where a scope group is now: the entry that it was before, wherever that went, else what stands at its DN.
    pub fn find(&self, dn: &Dn, before: Option<&EntryId>) -> Option<&Node> {
        let at_dn = self.nodes.get(dn.key());
        match before {
            Some(id) if at_dn.is_none_or(|node| node.entry_id != *id) => {
                self.nodes.values().find(|node| node.entry_id == *id).or(at_dn)
            }
            Some(_) | None => at_dn,
        }
    }

    /// The members of groups: direct ones, and if `nested` those of groups among them, over any depth and over
    /// cycles, except through a group for which `stop` says so (it is reached, but not entered).
    pub fn reach<'a>(&self, roots: impl IntoIterator<Item = &'a DnKey>, nested: bool, stop: impl Fn(&Node) -> bool) -> Reach {
        let mut reach = Reach::default();
        let mut entered: BTreeSet<&DnKey> = BTreeSet::new();
        let mut queue: VecDeque<&Node> = VecDeque::new();
        for root in roots {
            match self.nodes.get_key_value(root) {
                Some((key, node)) => {
                    if entered.insert(key) {
                        queue.push_back(node);
                    }
                }
                None => reach.complete = false,
            }
        }
        while let Some(node) = queue.pop_front() {
            let Some(members) = &node.members else {
                reach.complete = false;
                continue;
            };
            self.by_alias(node, &mut reach);
            for member in members {
                reach.through.entry(member.clone()).or_insert_with(|| node.dn.key().clone());
                if let Some((key, group)) = self.nodes.get_key_value(member)
                    && nested
                    && !stop(group)
                    && entered.insert(key)
                {
                    queue.push_back(group);
                }
            }
        }
        reach
    }

    /// The users whom a group lists by other names than their DN. Such a name means a user and never a group.
    fn by_alias(&self, node: &Node, reach: &mut Reach) {
        for alias in &node.aliases {
            if alias.is_untold() {
                reach.complete = false;
                reach.named = false;
                continue;
            }
            let carriers = self.carriers.get(alias).map_or(&[][..], Carriers::all);
            // A name that many share by right says nothing of those whose own one may not be read.
            if alias.is_shared() || carriers.is_empty() {
                let untold = alias.its_untold();
                let may_be = self.untold.get(&untold).map(|keys| (untold, Arc::clone(keys)));
                reach.untold.extend(may_be);
            }
            match carriers {
                [] => reach.unknown += u64::from(!alias.is_shared() && !alias.is_rule()),
                [first, rest @ ..] if !alias.is_shared() && rest.iter().any(|other| other != first) => {
                    reach.ambiguous.insert(alias.clone(), carriers.to_vec());
                }
                all => {
                    for key in all {
                        reach.through.entry(key.clone()).or_insert_with(|| node.dn.key().clone());
                    }
                }
            }
        }
    }
}

impl Carriers {
    fn add(&mut self, key: &DnKey) {
        match self {
            Self::One(first) => *self = Self::Several(vec![first.clone(), key.clone()]),
            Self::Several(keys) => keys.push(key.clone()),
        }
    }

    fn all(&self) -> &[DnKey] {
        match self {
            Self::One(key) => std::slice::from_ref(key),
            Self::Several(keys) => keys,
        }
    }
}

impl Default for Reach {
    /// Nobody is reached, and that is all.
    fn default() -> Self {
        Self {
            through: BTreeMap::new(),
            complete: true,
            ambiguous: BTreeMap::new(),
            untold: BTreeMap::new(),
            unknown: 0,
            named: true,
        }
    }
}

impl Reach {
    /// True for one who is not known to be a member, and may be.
    pub fn doubts(&self, key: &DnKey) -> bool {
        !self.contains(key)
            && (self.ambiguous.values().any(|carriers| carriers.contains(key))
                || self.untold.values().any(|keys| keys.contains(key)))
    }

    /// True if the DN is a member.
    pub fn contains(&self, key: &DnKey) -> bool {
        self.through.contains_key(key)
    }

    /// Every member, groups included.
    pub fn members(&self) -> impl Iterator<Item = &DnKey> {
        self.through.keys()
    }

    /// The way from a member up to a root: the groups that name each other, nearest first.
    pub fn way(&self, key: &DnKey) -> Vec<&DnKey> {
        let mut way = Vec::new();
        let mut at = key;
        while let Some(up) = self.through.get(at) {
            if way.contains(&up) {
                break;
            }
            way.push(up);
            at = up;
        }
        way
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(groups: &[(&str, &[&str])]) -> Graph {
        let mut graph = Graph::default();
        for (name, members) in groups {
            let key = |name: &str| Dn::parse(&format!("cn={name}")).unwrap().key().clone();
            graph.insert(Node {
                entry_id: EntryId::new(name),
                dn: Dn::parse(&format!("cn={name}")).unwrap(),
                members: Some(members.iter().map(|member| key(member)).collect()),
                aliases: Vec::new(),
            });
        }
        graph
    }

    fn reached(groups: &[(&str, &[&str])], root: &str, nested: bool) -> String {
        let root = Dn::parse(&format!("cn={root}")).unwrap();
        let reach = graph(groups).reach([root.key()], nested, |_| false);
        reach.members().map(|key| key.as_str().trim_start_matches("cn=")).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn nesting_is_followed_to_any_depth_and_over_cycles() {
        let groups: &[(&str, &[&str])] = &[("a", &["b", "u1"]), ("b", &["c", "u2"]), ("c", &["a", "c", "u3"]), ("d", &["u4"])];
        assert_eq!(reached(groups, "a", true), "a b c u1 u2 u3");
        assert_eq!(reached(groups, "c", true), "a b c u1 u2 u3");
        assert_eq!(reached(groups, "a", false), "b u1");
        assert_eq!(reached(groups, "d", true), "u4");
    }

    #[test]
    fn a_group_that_is_missing_or_unreadable_makes_the_reach_incomplete() {
        let mut graph = graph(&[("a", &["b"])]);
        let b = Dn::parse("cn=b").unwrap();
        assert!(graph.reach([Dn::parse("cn=a").unwrap().key()], true, |_| false).complete);
        graph.insert(Node { entry_id: EntryId::new("b"), dn: b.clone(), members: None, aliases: Vec::new() });
        assert!(!graph.reach([Dn::parse("cn=a").unwrap().key()], true, |_| false).complete);
        assert!(!graph.reach([Dn::parse("cn=z").unwrap().key()], true, |_| false).complete);
    }

    #[test]
    fn the_way_into_a_group_is_told() {
        let graph = graph(&[("a", &["b"]), ("b", &["c"]), ("c", &["u"])]);
        let key = |name: &str| Dn::parse(&format!("cn={name}")).unwrap().key().clone();
        let reach = graph.reach([&key("a")], true, |_| false);
        assert_eq!(reach.way(&key("u")), [&key("c"), &key("b"), &key("a")]);
    }
}
