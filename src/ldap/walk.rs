//! The group graph: every group below the bases, each group that decides scope wherever it is, and the groups
//! that these and the provisioned ones reach outside the bases.

use std::collections::HashSet;

use ldap3::Scope;

use crate::model::{Dn, DnKey, EntryId, ResourceType, ScopeGroup};

use super::decode;
use super::reading::{Halt, Reading, Role, outermost};
use super::search::{Item, Query};

const ANYTHING: &str = "(objectClass=*)";

/// Searches under way at once for members that may be groups: hides the round trips, and is far below the
/// operations that a server lets one connection have open.
const AT_ONCE: usize = 32;

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
            self.filter_cut = !self.causes.is_empty();
        }
        let bases = outermost(wanted.groups.iter().flat_map(|groups| &groups.base_dns).chain(&wanted.users.base_dns));
        for base in &bases {
            self.below(base, self.session.facts.group_filter, Role::Group).await?;
        }
        let mut roots = Vec::new();
        for group in &wanted.scope_groups {
            roots.push(self.deciding(group).await?);
        }
        self.outside(roots, &bases, Purpose::Scope).await?;
        let selected = std::mem::take(&mut self.selected);
        self.outside(selected, &bases, Purpose::Membership).await
    }

    /// Reads a group that decides scope, unless it was read, and tells where it is now.
    pub(super) async fn deciding(&mut self, group: &ScopeGroup) -> Result<DnKey, Halt> {
        let root = self.root(group).await?;
        if self.groups.get(&root).is_some_and(|members| members.as_ref().is_some_and(Vec::is_empty)) {
            self.causes.add(format!("the group {} decides scope and has no members that we can see", group.dn));
        }
        Ok(root)
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

    /// Reads the groups outside the bases that `roots` reach, however many steps away.
    async fn outside(&mut self, roots: Vec<DnKey>, bases: &[Dn], purpose: Purpose) -> Result<(), Halt> {
        let mut reached: HashSet<DnKey> = roots.iter().cloned().collect();
        let mut level: Vec<DnKey> = reached.iter().cloned().collect();
        while !level.is_empty() {
            let members = level.iter().filter_map(|key| self.groups.get(key)?.as_ref()).flatten();
            let new: Vec<Dn> = members.filter(|member| reached.insert(member.key().clone())).cloned().collect();
            let unread: Vec<&Dn> = new
                .iter()
                .filter(|dn| !self.groups.contains_key(dn.key()) && !bases.iter().any(|base| dn.is_within(base)))
                .collect();
            for some in unread.chunks(AT_ONCE) {
                self.possible_groups(some, purpose).await?;
            }
            level = new.iter().map(Dn::key).filter(|key| self.groups.contains_key(key)).cloned().collect();
        }
        Ok(())
    }

    /// Reads members that may be groups. One that does not exist is a stale value and matters to nobody.
    async fn possible_groups(&mut self, dns: &[&Dn], purpose: Purpose) -> Result<(), Halt> {
        let start = |dn: &Dn| self.session.search(self.query(dn, Scope::Base, self.session.facts.group_filter, Role::Group));
        let searches: Vec<_> = dns.iter().map(|dn| start(dn)).collect();
        for (dn, mut search) in dns.iter().zip(searches) {
            let mut found = None;
            while let Some(item) = search.next().await {
                found = self.judge(item, dn).or(found);
            }
            match search.finish().await {
                Ok(()) => {}
                Err(error) if error.is_no_such_object() => {
                    tracing::debug!(%dn, "a member that does not exist or may not be seen");
                }
                Err(error) if error.is_referral() && purpose == Purpose::Membership => {
                    tracing::debug!(%dn, "a member that another server holds");
                }
                Err(error) => {
                    self.causes.add(format!("{dn} is a member and may be a group, but cannot be read: {error}"));
                    if error.ends_session() {
                        return Err(Halt::ConnectionLost);
                    }
                }
            }
            if let Some(raw) = found {
                self.complete(raw, Role::Group).await?;
            }
        }
        Ok(())
    }
}

/// What a walk is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// Who is in scope: a member that another server holds may be a group, so the reading is partial.
    Scope,
    /// Who is a member of a provisioned group. Members that another server holds are common in a forest; their
    /// users are in no base of ours.
    Membership,
}
