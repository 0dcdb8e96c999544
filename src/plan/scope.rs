//! In or out of scope, and the clause that says so.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Dn, DnKey, EntryId};

use super::membership::{Graph, Reach};
use super::{GroupScope, Rules};

/// A decision on scope with its clause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// In.
    In(String),
    /// Out, in a reading that shows it.
    Out(String),
    /// Not to be told from a partial reading.
    Unknown(String),
}

/// The scope groups of a channel, followed once for a reading.
pub struct Judgement<'a> {
    rules: &'a Rules,
    users: Reach,
    groups: Reach,
    named_groups: BTreeSet<DnKey>,
    full: bool,
}

impl<'a> Judgement<'a> {
    /// Follows the scope groups. `before` tells which entries they were when they were first read.
    pub fn new(rules: &'a Rules, graph: &Graph, full: bool, before: &BTreeMap<DnKey, EntryId>) -> Self {
        let roots = |scope: &GroupScope| -> BTreeSet<DnKey> {
            let now = |dn: &Dn| graph.find(dn, before.get(dn.key())).map_or(dn, |node| &node.dn).key().clone();
            scope.group_dns.iter().map(now).collect()
        };
        let follow = |scope: &GroupScope, roots: &BTreeSet<DnKey>| graph.reach(roots, scope.nested, |_| false);
        let named_groups = rules.groups.as_ref().map(|groups| roots(&groups.scope)).unwrap_or_default();
        Self {
            rules,
            users: follow(&rules.users.scope, &roots(&rules.users.scope)),
            groups: rules.groups.as_ref().map(|groups| follow(&groups.scope, &named_groups)).unwrap_or_default(),
            named_groups,
            full,
        }
    }

    /// True if every scope group was found and read, so that whoever is not in one has left it.
    pub fn is_whole(&self) -> bool {
        self.users.complete && (self.rules.groups.is_none() || self.groups.complete)
    }

    /// A user that is below a base DN and matches the filter.
    pub fn of_user(&self, dn: &Dn) -> Scope {
        let base = within(dn, &self.rules.users.selection.base_dns);
        if self.rules.users.scope.group_dns.is_empty() {
            return Scope::In(format!("{base} and matches the filter"));
        }
        if self.users.contains(dn.key()) {
            return Scope::In(format!("{base}, matches the filter, {}", way(&self.users, dn)));
        }
        self.absent(dn, &self.users, "user", &self.rules.users.scope)
    }

    /// A group; `selected` if it is below a base DN and matches the filter.
    pub fn of_group(&self, dn: &Dn, selected: bool) -> Scope {
        let Some(rules) = &self.rules.groups else { return Scope::Out("this channel provisions no groups".into()) };
        if !selected {
            let why = "below no base DN of groups, or not matching their filter; read for its members only";
            return if self.full { Scope::Out(why.into()) } else { Scope::Unknown(why.into()) };
        }
        let base = within(dn, &rules.selection.base_dns);
        if rules.scope.group_dns.is_empty() {
            return Scope::In(format!("{base} and matches the filter"));
        }
        if self.named_groups.contains(dn.key()) {
            return if rules.include_self {
                Scope::In(format!("{base}, matches the filter, named by group_dn (include_self)"))
            } else {
                Scope::Out("named by group_dn itself, and include_self is false".into())
            };
        }
        if self.groups.contains(dn.key()) {
            return Scope::In(format!("{base}, matches the filter, {}", way(&self.groups, dn)));
        }
        self.absent(dn, &self.groups, "group", &rules.scope)
    }

    fn absent(&self, dn: &Dn, reach: &Reach, kind: &str, scope: &GroupScope) -> Scope {
        let named: Vec<&str> = scope.group_dns.iter().map(Dn::as_str).collect();
        let nested = if scope.nested { ", directly or nested" } else { " directly (nested: false)" };
        if reach.doubts(dn.key()) {
            Scope::Unknown(format!(
                "whether it is a member of {} cannot be told: a group lists members by a name that several entries have, or \
                 that may not be read",
                named.join(" | ")
            ))
        } else if self.full && reach.complete {
            Scope::Out(format!("the {kind} is a member of none of {}{nested}", named.join(" | ")))
        } else {
            Scope::Unknown(format!("membership of {} could not be read whole", named.join(" | ")))
        }
    }
}

fn within(dn: &Dn, bases: &[Dn]) -> String {
    let base = bases.iter().find(|base| dn.is_within(base));
    format!("below {}", base.map_or("a base DN", |base| if base.as_str().is_empty() { "the root" } else { base.as_str() }))
}

fn way(reach: &Reach, dn: &Dn) -> String {
    let way = reach.way(dn.key());
    let through: Vec<&str> = way.iter().take(way.len().saturating_sub(1)).map(|key| key.as_str()).collect();
    let root = way.last().map_or("a scope group", |key| key.as_str());
    if through.is_empty() { format!("member of {root}") } else { format!("member of {root} through {}", through.join(" in ")) }
}
