//! The group graph: every group below the bases, each group that decides scope wherever it is, and the groups
//! that these reach outside the bases.

use std::collections::{HashSet, VecDeque};

use ldap3::Scope;

use crate::model::{Dn, DnKey, EntryId, ResourceType, ScopeGroup};

use super::decode;
use super::reading::{Halt, Reading, Role, outermost};
use super::search::{Item, Query};

const ANYTHING: &str = "(objectClass=*)";

impl Reading<'_> {
    /// Reads them all.
    pub(super) async fn all_groups(&mut self) -> Result<(), Halt> {
        let wanted = self.wanted;
        if let Some(selection) = &wanted.groups
            && let Some(filter) = &selection.filter
        {
            for base in outermost(&selection.base_dns) {
                self.below(&base, filter, Role::SelectedGroup).await?;
            }
        }
        let bases = outermost(wanted.groups.iter().flat_map(|groups| &groups.base_dns).chain(&wanted.users.base_dns));
        for base in &bases {
            self.below(base, self.session.facts.group_filter, Role::Group).await?;
        }
        let mut roots = Vec::new();
        for group in &wanted.scope_groups {
            let root = self.root(group).await?;
            if self.groups.get(&root).is_some_and(|members| members.as_ref().is_some_and(Vec::is_empty)) {
                self.causes.add(format!("the group {} decides scope and has no members that we can see", group.dn));
            }
            roots.push(root);
        }
        self.outside(roots, &bases).await
    }

    /// Where a group that decides scope is now: the entry that it was before, wherever that went, else what stands
    /// at its DN.
    async fn root(&mut self, group: &ScopeGroup) -> Result<DnKey, Halt> {
        if let Some(id) = &group.id {
            if !self.places.contains_key(id) {
                self.by_id(group, id).await?;
            }
            if let Some(place) = self.places.get(id) {
                return Ok(place.clone());
            }
        }
        if !self.groups.contains_key(group.dn.key()) {
            self.scope_group(&group.dn).await?;
        }
        Ok(group.dn.key().clone())
    }

    /// Looks for a group that was renamed or moved out of what was searched.
    async fn by_id(&mut self, group: &ScopeGroup, id: &EntryId) -> Result<(), Halt> {
        let facts = self.session.facts;
        let attributes = decode::attributes(facts, ResourceType::Group, &self.wanted.group_attributes);
        for (base, scope, filter) in facts.places_of(id, &self.session.root.naming_contexts) {
            let mut search = self.session.search(Query { base, scope, filter, attributes: attributes.clone() });
            let mut found = None;
            while let Some(item) = search.next().await {
                if let Item::Entry(raw) = item {
                    found = Some(raw);
                }
            }
            match search.finish().await {
                Ok(()) => {}
                Err(error) if error.is_no_such_object() => {}
                Err(error) => {
                    self.causes.add(format!("the group {} decides scope and cannot be looked for by its id: {error}", group.dn));
                    if error.ends_session() {
                        return Err(Halt::ConnectionLost);
                    }
                }
            }
            if let Some(raw) = found.filter(|raw| decode::is_group(raw, facts)) {
                tracing::info!(group = %group.dn, now = raw.dn, "a group that decides scope is followed to where it is now");
                return self.complete(raw, Role::ScopeGroup).await;
            }
        }
        Ok(())
    }

    /// Reads a group that no search brought.
    async fn scope_group(&mut self, dn: &Dn) -> Result<(), Halt> {
        let mut search = self.session.search(self.query(dn, Scope::Base, ANYTHING, Role::ScopeGroup));
        let mut found = None;
        while let Some(item) = search.next().await {
            found = self.judge(item, dn).or(found);
        }
        match search.finish().await {
            Ok(()) => {}
            Err(error) if error.is_no_such_object() => {}
            Err(error) => {
                self.causes.add(format!("the group {dn} decides scope and cannot be read: {error}"));
                return if error.ends_session() { Err(Halt::ConnectionLost) } else { Ok(()) };
            }
        }
        match found {
            None => self.causes.add(format!("the group {dn} decides scope and does not exist, or may not be seen")),
            Some(raw) if !decode::is_group(&raw, self.session.facts) => {
                self.causes.add(format!("{dn} decides scope and is not a group"));
            }
            Some(raw) => self.complete(raw, Role::ScopeGroup).await?,
        }
        Ok(())
    }

    /// Walks down from the groups that decide scope and reads the groups that no search covered.
    async fn outside(&mut self, roots: Vec<DnKey>, bases: &[Dn]) -> Result<(), Halt> {
        let mut queue = VecDeque::from(roots);
        let mut reached: HashSet<DnKey> = queue.iter().cloned().collect();
        while let Some(key) = queue.pop_front() {
            let members = self.groups.get(&key).cloned().flatten().unwrap_or_default();
            for member in members {
                if !reached.insert(member.key().clone()) {
                    continue;
                }
                let known = self.groups.contains_key(member.key());
                if !known && !bases.iter().any(|base| member.is_within(base)) {
                    self.possible_group(&member).await?;
                }
                if self.groups.contains_key(member.key()) {
                    queue.push_back(member.key().clone());
                }
            }
        }
        Ok(())
    }

    /// Reads a member that may be a group. One that does not exist is a stale value and matters to nobody.
    async fn possible_group(&mut self, dn: &Dn) -> Result<(), Halt> {
        let mut search = self.session.search(self.query(dn, Scope::Base, self.session.facts.group_filter, Role::Group));
        let mut found = None;
        while let Some(item) = search.next().await {
            found = self.judge(item, dn).or(found);
        }
        match search.finish().await {
            Ok(()) => {}
            Err(error) if error.is_no_such_object() => tracing::debug!(%dn, "a member that does not exist or may not be seen"),
            Err(error) => {
                self.causes.add(format!("{dn} is a member and may be a group, but cannot be read: {error}"));
                return if error.ends_session() { Err(Halt::ConnectionLost) } else { Ok(()) };
            }
        }
        match found {
            Some(raw) => self.complete(raw, Role::Group).await,
            None => Ok(()),
        }
    }
}
