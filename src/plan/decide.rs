//! One judged entry and what is remembered of it → its change, or why it is held.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{AttributePath, Capabilities, EntryId, Link, Resource, ResourceId, ResourceType, Snapshot, Status, Value};

use super::desired::{Desired, Judged};
use super::drift::Comparison;
use super::found::{self, Found};
use super::handover::Handovers;
use super::matching::{self, Situation};
use super::removal::switch_off;
use super::scope::Scope;
use super::{Action, Change, ClaimAfter, Edit, Existing, Members, Reason, Rules, Tally, diff};

/// What deciding needs to know.
pub struct Known<'a> {
    /// The channel's rules.
    pub rules: &'a Rules,
    /// What the target can do.
    pub capabilities: &'a Capabilities,
    /// What is remembered.
    pub snapshot: &'a Snapshot,
    /// What the directory says.
    pub desired: &'a Desired,
    /// What the target says about entries that are not linked.
    pub situations: &'a BTreeMap<EntryId, Situation>,
    /// What a full comparison found, where there was one.
    pub comparison: Option<&'a Comparison>,
    /// Which entry a resource belongs to: by link, or by a match of this cycle.
    pub entries: BTreeMap<(ResourceType, ResourceId), EntryId>,
    /// Links of groups that are gone, and who gets them.
    pub handovers: Handovers,
}

/// What is decided about one entry.
#[derive(Debug, Default)]
pub struct Decided {
    /// What is done.
    pub change: Option<Change>,
    /// Why it gets no change, or not all of it.
    pub why: Option<String>,
    /// Attributes that differ and that the target does not change.
    pub unchangeable: BTreeSet<AttributePath>,
}

impl Decided {
    fn change(change: Change) -> Self {
        Self { change: Some(change), ..Self::default() }
    }

    fn held(why: impl Into<String>) -> Self {
        Self { why: Some(why.into()), ..Self::default() }
    }
}

impl<'a> Known<'a> {
    /// Puts together what is known.
    pub fn new(
        rules: &'a Rules,
        capabilities: &'a Capabilities,
        snapshot: &'a Snapshot,
        desired: &'a Desired,
        situations: &'a BTreeMap<EntryId, Situation>,
        comparison: Option<&'a Comparison>,
    ) -> Self {
        let mut entries = matching::holders(snapshot);
        for (entry, situation) in situations {
            match situation {
                Situation::Unlinked(found, _) => {
                    entries.entry((found.resource_type, found.resource_id.clone())).or_insert_with(|| entry.clone());
                }
                Situation::Unmatched | Situation::Disputed(_) => {}
            }
        }
        let handovers = Handovers::find(rules, snapshot, desired);
        Self { rules, capabilities, snapshot, desired, situations, comparison, entries, handovers }
    }

    /// True if the entry has no link and should get one, were it not for its name or for what the target holds.
    pub fn wants_link(&self, judged: &Judged) -> bool {
        !self.snapshot.links.contains_key(&judged.entry_id)
            && !self.handovers.links.contains_key(&judged.entry_id)
            && matches!(judged.scope, Scope::In(_))
            && judged.mapped.is_ok()
            && match judged.status {
                Status::Enabled => true,
                Status::Disabled => self.creates_disabled(),
                Status::Unknown => false,
            }
    }

    /// True if disabled users are created. Where switching off removes the account, they would be gone at once.
    fn creates_disabled(&self) -> bool {
        self.rules.provision_disabled && !self.capabilities.deactivate_is_delete
    }

    /// Whose members of groups are removed.
    pub(super) fn members_rule(&self) -> Members {
        self.rules.groups.as_ref().map(|groups| groups.members).unwrap_or_default()
    }

    /// The link that an entry has, or gets from one that is gone.
    pub(super) fn link_of(&self, entry_id: &EntryId) -> Option<&'a Link> {
        let links = &self.snapshot.links;
        links.get(entry_id).or_else(|| links.get(self.handovers.links.get(entry_id)?))
    }

    /// True if a channel that stands earlier in the file claims the entry and so owns its attributes.
    pub fn is_owned_elsewhere(&self, entry_id: &EntryId) -> bool {
        let channels = &self.rules.channels_of_target;
        channels
            .iter()
            .take_while(|channel| **channel != self.rules.channel)
            .any(|channel| self.snapshot.is_claimed_by(entry_id, channel))
    }

    pub(super) fn is_claimed_elsewhere(&self, entry_id: &EntryId) -> bool {
        let mut others = self.rules.channels_of_target.iter().filter(|channel| **channel != self.rules.channel);
        others.any(|channel| self.snapshot.is_claimed_by(entry_id, channel))
    }

    pub(super) fn is_claimed(&self, entry_id: &EntryId) -> bool {
        self.snapshot.is_claimed_by(entry_id, &self.rules.channel)
    }

    /// The change of an entry that was read. `exists` tells whether an entry has or gets a resource.
    pub fn of_judged(&self, judged: &Judged, exists: impl Fn(&EntryId) -> bool) -> Decided {
        match self.snapshot.links.get(&judged.entry_id) {
            None => match (self.handovers.links.get(&judged.entry_id), self.link_of(&judged.entry_id)) {
                (Some(from), Some(link)) => self.of_heir(judged, from, link, exists),
                (Some(_), None) | (None, _) => self.of_unlinked(judged, exists),
            },
            Some(link) if link.acknowledged.resource_type != judged.resource_type => {
                let kind = link.acknowledged.resource_type.as_str();
                let clause = || format!("it was a {kind} and is a {} now", judged.resource_type.as_str());
                let gone = self.desired.coverage.is_full();
                let change = gone.then(|| self.removal(link, &judged.name, Reason::OutOfScope(clause()))).flatten();
                Decided { change, ..Decided::held(format!("it is linked as a {kind}")) }
            }
            Some(link) => match &judged.scope {
                Scope::Out(why) => {
                    Decided { change: self.removal(link, &judged.name, Reason::OutOfScope(why.clone())), ..Decided::default() }
                }
                Scope::In(_) | Scope::Unknown(_) => self.of_linked(judged, link, exists),
            },
        }
    }

    fn of_unlinked(&self, judged: &Judged, exists: impl Fn(&EntryId) -> bool) -> Decided {
        match (&judged.scope, &judged.mapped, judged.status) {
            (Scope::Out(_) | Scope::Unknown(_), ..) => return Decided::default(),
            (Scope::In(_), _, Status::Disabled) if !self.creates_disabled() => return Decided::default(),
            (Scope::In(_), Err(error), _) => return Decided::held(error.to_string()),
            (Scope::In(_), Ok(_), Status::Unknown) => return Decided::held(STATUS_UNKNOWN),
            (Scope::In(_), Ok(_), Status::Enabled | Status::Disabled) => {}
        }
        if let Some(gone) = self.handovers.held.get(&judged.entry_id) {
            return Decided::held(recreated(&format!("a group of its name, entry {gone}, is gone")));
        }
        let Some(resource) = self.resource(judged, &exists) else { return Decided::default() };
        if let Some(why) = self.too_many(&resource) {
            return Decided::held(why);
        }
        let change = |action, reason, tally| change_of(judged, action, reason, tally);
        match self.situations.get(&judged.entry_id) {
            Some(Situation::Disputed(why)) => Decided::held(why.clone()),
            None | Some(Situation::Unmatched) => {
                Decided::change(change(Action::Create(resource), Reason::NotThere, Tally::default()))
            }
            Some(Situation::Unlinked(found, path)) => match self.rules.existing {
                Existing::Never => {
                    Decided::held(format!("the target has resource {} with its {path}, and existing: never", found.resource_id))
                }
                Existing::Overwrite => self.adopted(judged, found, path, &resource, exists),
                Existing::LinkOnly => {
                    let held = found::linked_as_it_is(found, &resource);
                    let action = Action::Adopt { resource_id: found.resource_id.clone(), found: held, edits: Vec::new() };
                    Decided::change(change(action, Reason::Matched(path.clone()), Tally::default()))
                }
            },
        }
    }

    /// A resource that was there is linked and made to hold what the directory says.
    fn adopted(
        &self,
        judged: &Judged,
        found: &Found,
        path: &AttributePath,
        resource: &Resource,
        exists: impl Fn(&EntryId) -> bool,
    ) -> Decided {
        let entry_of = |id: &ResourceId| matching::entry_of(&self.entries, id);
        let held = found::managed(found, resource, entry_of, |id| found::is_ours(self.rules, self.snapshot, self.desired, id));
        let mut edits = diff::edits_of_found(&held, resource);
        edits.extend(self.foreign(judged, found::foreign_members(found, &held.members, entry_of), exists));
        let mut decided = Decided::default();
        let edits = self.possible(judged, held.name(), resource, edits, &mut decided);
        let switches_off = edits.iter().any(diff::deactivates) && held.active() != Some(false);
        let lost = edits.iter().map(diff::losses).sum();
        let tally = Tally { users_disabled: u64::from(switches_off), memberships: lost, ..Tally::default() };
        let action = Action::Adopt { resource_id: found.resource_id.clone(), found: held, edits };
        decided.change = Some(change_of(judged, action, Reason::Matched(path.clone()), tally));
        decided
    }

    /// The entry gets the link of one that is gone, with the resource.
    fn of_heir(&self, judged: &Judged, from: &EntryId, link: &Link, exists: impl Fn(&EntryId) -> bool) -> Decided {
        let mut decided = Decided::default();
        let edits = self.differences(judged, link, &exists, &mut decided);
        let mut tally = self.tally(link, &edits, false);
        if !self.handovers.feeds {
            tally.identity = 1;
        }
        let action = Action::Relink { resource_id: link.resource_id.clone(), from: from.clone(), edits };
        decided.change = Some(change_of(judged, action, Reason::Recreated(from.clone()), tally));
        decided
    }

    fn of_linked(&self, judged: &Judged, link: &Link, exists: impl Fn(&EntryId) -> bool) -> Decided {
        let claimed = self.is_claimed(&judged.entry_id);
        let change = |action, reason, tally| change_of(judged, action, reason, tally);
        let share = |reason| {
            let claims = !claimed && matches!(judged.scope, Scope::In(_));
            claims.then(|| change(Action::Claim { resource_id: link.resource_id.clone() }, reason, Tally::default()))
        };
        if self.is_owned_elsewhere(&judged.entry_id) {
            // The owner may be in preview or broken: whoever sees that the account is disabled switches it off.
            return match (judged.status, switch_off(link)) {
                (Status::Disabled, Some(edit)) if judged.resource_type == ResourceType::User => {
                    let tally = self.tally(link, std::slice::from_ref(&edit), true);
                    let action = Action::Update { resource_id: link.resource_id.clone(), edits: vec![edit] };
                    Decided::change(change(action, Reason::Disabled, tally))
                }
                (Status::Enabled | Status::Disabled | Status::Unknown, _) => {
                    Decided { change: share(Reason::SharedLink), ..Decided::default() }
                }
            };
        }
        let mut decided = Decided::default();
        let edits = match (&judged.mapped, judged.status) {
            (Ok(_), Status::Enabled | Status::Disabled) => self.differences(judged, link, &exists, &mut decided),
            (Err(error), Status::Disabled) => {
                decided.why = Some(error.to_string());
                switch_off(link).into_iter().collect()
            }
            (Err(error), Status::Enabled | Status::Unknown) => {
                decided.why = Some(error.to_string());
                Vec::new()
            }
            (Ok(_), Status::Unknown) => {
                decided.why = Some(STATUS_UNKNOWN.into());
                Vec::new()
            }
        };
        if edits.is_empty() {
            decided.change = share(Reason::Returned);
        } else if claimed || !matches!(judged.scope, Scope::Unknown(_)) {
            let (reason, tally) = (self.reason(judged, link, &edits), self.tally(link, &edits, true));
            decided.change = Some(change(Action::Update { resource_id: link.resource_id.clone(), edits }, reason, tally));
        }
        decided
    }

    /// What the entry's resource should be: with `active`, with references and members that exist there.
    pub(super) fn resource(&self, judged: &Judged, exists: &impl Fn(&EntryId) -> bool) -> Option<Resource> {
        let mut resource = judged.mapped.as_ref().ok()?.clone();
        resource.attributes.retain(|_, value| match value {
            Value::Reference(id) => exists(id),
            Value::Text(_) | Value::Flag(_) => true,
        });
        resource.members.retain(|id| exists(id) && self.may_list(judged, id));
        match judged.resource_type {
            ResourceType::User => {
                resource.attributes.insert(AttributePath::known("active"), Value::Flag(judged.status == Status::Enabled));
            }
            ResourceType::Group => {}
        }
        if !self.desired.coverage.is_whole()
            && let Some(link) = self.snapshot.links.get(&judged.entry_id)
        {
            let kept = judged.open_references.iter().filter_map(|path| link.acknowledged.attributes.get_key_value(path));
            resource.attributes.extend(kept.map(|(path, value)| (path.clone(), value.clone())));
        }
        Some(resource)
    }

    /// False for one of whom nobody can tell whether it is in scope, and who was not before: it comes into no group.
    fn may_list(&self, group: &Judged, member: &EntryId) -> bool {
        match self.desired.entries.get(member).map(|judged| &judged.scope) {
            Some(Scope::Unknown(_)) => {
                let lists = |link: &Link| link.acknowledged.members.contains(member);
                self.is_claimed(member) || self.link_of(&group.entry_id).is_some_and(lists)
            }
            Some(Scope::In(_) | Scope::Out(_)) | None => true,
        }
    }

    fn reason(&self, judged: &Judged, link: &Link, edits: &[Edit]) -> Reason {
        let late = |edit: &Edit| matches!(edit, Edit::Attribute { before: None, after: Some(Value::Reference(_)), .. });
        if edits.iter().any(diff::deactivates) {
            Reason::Disabled
        } else if self.has_returned(judged, link) {
            Reason::Returned
        } else if self.comparison.is_some_and(|comparison| comparison.corrected.contains_key(&judged.entry_id)) {
            Reason::Drifted
        } else if !link.uncertain.is_empty() {
            Reason::AnswerLost
        } else if edits.iter().all(|edit| matches!(edit, Edit::Members { .. } | Edit::Foreign { .. })) {
            Reason::MembersDiffer
        } else if edits.iter().all(late) {
            Reason::ReferenceLate
        } else {
            Reason::AttributesDiffer
        }
    }

    fn has_returned(&self, judged: &Judged, link: &Link) -> bool {
        match judged.resource_type {
            ResourceType::User => link.acknowledged.active() == Some(false),
            ResourceType::Group => !self.snapshot.claims.contains_key(&judged.entry_id),
        }
    }

    /// What edits of a linked resource take away.
    pub(super) fn tally(&self, link: &Link, edits: &[Edit], disabled: bool) -> Tally {
        let mut tally = Tally::default();
        for edit in edits {
            match edit {
                edit if diff::deactivates(edit) => {
                    let takes = u64::from(link.acknowledged.active() != Some(false));
                    if disabled { tally.users_disabled += takes } else { tally.users_absent += takes }
                }
                Edit::Attribute { before: Some(before), after, .. } if diff::renames(edit) => {
                    tally.identity += u64::from(after.as_ref() != Some(before));
                }
                Edit::Attribute { .. } | Edit::Members { .. } | Edit::Foreign { .. } => tally.memberships += diff::losses(edit),
            }
        }
        tally
    }
}

fn change_of(judged: &Judged, action: Action, reason: Reason, tally: Tally) -> Change {
    Change {
        entry_id: judged.entry_id.clone(),
        resource_type: judged.resource_type,
        name: judged.name.clone(),
        action,
        reason,
        claim: ClaimAfter::Held,
        tally,
    }
}

const STATUS_UNKNOWN: &str = "the directory does not say whether the account is disabled (userAccountControl was not returned): give the bind account the right to read it";

/// What is said of both groups where one has come in place of the other.
pub(super) fn recreated(what: &str) -> String {
    format!(
        "{what}: if it was made anew, say groups.recreated: relink for a cycle, else delete the former one's resource at the \
         target, then `ldap2scim resync`"
    )
}
