//! One judged entry and what is remembered of it → its change, or why it is held.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{AttributePath, EntryId, Link, Resource, ResourceId, ResourceType, Snapshot, Status, Value};

use super::desired::{Desired, Judged};
use super::found;
use super::matching::{self, Situation};
use super::scope::Scope;
use super::{Action, Change, ClaimAfter, Edit, Existing, GroupRemoval, Reason, Rules, Tally, UserRemoval, diff};

/// What deciding needs to know.
pub struct Known<'a> {
    /// The channel's rules.
    pub rules: &'a Rules,
    /// What is remembered.
    pub snapshot: &'a Snapshot,
    /// What the directory says.
    pub desired: &'a Desired,
    /// What the target says about entries that are not linked.
    pub situations: &'a BTreeMap<EntryId, Situation>,
    /// Links that a full comparison found changed at the target.
    pub drifted: &'a BTreeSet<EntryId>,
    /// Which entry a resource belongs to: by link, or by a match of this cycle.
    pub entries: BTreeMap<(ResourceType, ResourceId), EntryId>,
}

/// Why an entry gets no change, or not all of it.
pub type Why = String;

impl<'a> Known<'a> {
    /// Puts together what is known.
    pub fn new(
        rules: &'a Rules,
        snapshot: &'a Snapshot,
        desired: &'a Desired,
        situations: &'a BTreeMap<EntryId, Situation>,
        drifted: &'a BTreeSet<EntryId>,
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
        Self { rules, snapshot, desired, situations, drifted, entries }
    }

    /// True if the entry has no link and should get one, were it not for its name or for what the target holds.
    pub fn wants_link(&self, judged: &Judged) -> bool {
        !self.snapshot.links.contains_key(&judged.entry_id)
            && matches!(judged.scope, Scope::In(_))
            && judged.mapped.is_ok()
            && match judged.status {
                Status::Enabled => true,
                Status::Disabled => self.rules.provision_disabled,
                Status::Unknown => false,
            }
    }

    /// True if a channel that stands earlier in the file claims the entry and so owns its attributes.
    pub fn is_owned_elsewhere(&self, entry_id: &EntryId) -> bool {
        let channels = &self.rules.channels_of_target;
        channels
            .iter()
            .take_while(|channel| **channel != self.rules.channel)
            .any(|channel| self.snapshot.is_claimed_by(entry_id, channel))
    }

    fn is_claimed_elsewhere(&self, entry_id: &EntryId) -> bool {
        let mut others = self.rules.channels_of_target.iter().filter(|channel| **channel != self.rules.channel);
        others.any(|channel| self.snapshot.is_claimed_by(entry_id, channel))
    }

    fn is_claimed(&self, entry_id: &EntryId) -> bool {
        self.snapshot.is_claimed_by(entry_id, &self.rules.channel)
    }

    /// The change of an entry that was read. `exists` tells whether an entry has or gets a resource.
    pub fn of_judged(&self, judged: &Judged, exists: impl Fn(&EntryId) -> bool) -> (Option<Change>, Option<Why>) {
        match self.snapshot.links.get(&judged.entry_id) {
            None => self.of_unlinked(judged, exists),
            Some(link) if link.acknowledged.resource_type != judged.resource_type => {
                let kind = link.acknowledged.resource_type.as_str();
                let clause = || format!("it was a {kind} and is a {} now", judged.resource_type.as_str());
                let gone = self.desired.coverage.is_full();
                let removal = gone.then(|| self.removal(link, &judged.name, Reason::OutOfScope(clause()))).flatten();
                (removal, Some(format!("it is linked as a {kind}")))
            }
            Some(link) => match &judged.scope {
                Scope::Out(why) => (self.removal(link, &judged.name, Reason::OutOfScope(why.clone())), None),
                Scope::In(_) | Scope::Unknown(_) => self.of_linked(judged, link, exists),
            },
        }
    }

    fn of_unlinked(&self, judged: &Judged, exists: impl Fn(&EntryId) -> bool) -> (Option<Change>, Option<Why>) {
        match (&judged.scope, &judged.mapped, judged.status) {
            (Scope::Out(_) | Scope::Unknown(_), ..) => return (None, None),
            (Scope::In(_), _, Status::Disabled) if !self.rules.provision_disabled => return (None, None),
            (Scope::In(_), Err(error), _) => return (None, Some(error.to_string())),
            (Scope::In(_), Ok(_), Status::Unknown) => return (None, Some(STATUS_UNKNOWN.into())),
            (Scope::In(_), Ok(_), Status::Enabled | Status::Disabled) => {}
        }
        let Some(resource) = self.resource(judged, &exists) else { return (None, None) };
        let deactivates = resource.active() == Some(false);
        let change = |action, reason, tally| change_of(judged, action, reason, tally);
        match self.situations.get(&judged.entry_id) {
            Some(Situation::Disputed(why)) => (None, Some(why.clone())),
            None | Some(Situation::Unmatched) => {
                (Some(change(Action::Create(resource), Reason::NotThere, Tally::default())), None)
            }
            Some(Situation::Unlinked(found, path)) => match self.rules.existing {
                Existing::Never => {
                    (None, Some(format!("the target has resource {} with its {path}, and existing: never", found.resource_id)))
                }
                Existing::Overwrite => {
                    let held = found::managed(found, &resource, |id| matching::entry_of(&self.entries, id));
                    let edits = diff::edits_of_found(&held, &resource);
                    let takes = deactivates && edits.iter().any(diff::deactivates) && held.active() != Some(false);
                    let tally = Tally { users_disabled: u64::from(takes), ..Tally::default() };
                    let action = Action::Adopt { resource_id: found.resource_id.clone(), found: held, edits };
                    (Some(change(action, Reason::Matched(path.clone()), tally)), None)
                }
                Existing::LinkOnly => {
                    let held = found::linked_as_it_is(found, &resource);
                    let action = Action::Adopt { resource_id: found.resource_id.clone(), found: held, edits: Vec::new() };
                    (Some(change(action, Reason::Matched(path.clone()), Tally::default())), None)
                }
            },
        }
    }

    fn of_linked(&self, judged: &Judged, link: &Link, exists: impl Fn(&EntryId) -> bool) -> (Option<Change>, Option<Why>) {
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
                    (Some(change(action, Reason::Disabled, tally)), None)
                }
                (Status::Enabled | Status::Disabled | Status::Unknown, _) => (share(Reason::SharedLink), None),
            };
        }
        let mut why = None;
        let edits = match (&judged.mapped, judged.status) {
            (Ok(_), Status::Enabled | Status::Disabled) => {
                let edits = self.resource(judged, &exists).map(|resource| diff::edits(link, &resource)).unwrap_or_default();
                if judged.members_whole { edits } else { diff::without_losses(edits) }
            }
            (Err(error), Status::Disabled) => {
                why = Some(error.to_string());
                switch_off(link).into_iter().collect()
            }
            (Err(error), Status::Enabled | Status::Unknown) => {
                why = Some(error.to_string());
                Vec::new()
            }
            (Ok(_), Status::Unknown) => {
                why = Some(STATUS_UNKNOWN.into());
                Vec::new()
            }
        };
        if edits.is_empty() {
            return (share(Reason::Returned), why);
        }
        if !claimed && matches!(judged.scope, Scope::Unknown(_)) {
            return (None, why);
        }
        let (reason, tally) = (self.reason(judged, link, &edits), self.tally(link, &edits, true));
        (Some(change(Action::Update { resource_id: link.resource_id.clone(), edits }, reason, tally)), why)
    }

    /// What the entry's resource should be: with `active`, with references and members that exist there.
    fn resource(&self, judged: &Judged, exists: &impl Fn(&EntryId) -> bool) -> Option<Resource> {
        let mut resource = judged.mapped.as_ref().ok()?.clone();
        resource.attributes.retain(|_, value| match value {
            Value::Reference(id) => exists(id),
            Value::Text(_) | Value::Flag(_) => true,
        });
        resource.members.retain(exists);
        match judged.resource_type {
            ResourceType::User => {
                resource.attributes.insert(AttributePath::known("active"), Value::Flag(judged.status == Status::Enabled));
            }
            ResourceType::Group => {}
        }
        if !self.desired.coverage.is_full()
            && let Some(link) = self.snapshot.links.get(&judged.entry_id)
        {
            let kept = judged.open_references.iter().filter_map(|path| link.acknowledged.attributes.get_key_value(path));
            resource.attributes.extend(kept.map(|(path, value)| (path.clone(), value.clone())));
        }
        Some(resource)
    }

    fn reason(&self, judged: &Judged, link: &Link, edits: &[Edit]) -> Reason {
        let late = |edit: &Edit| matches!(edit, Edit::Attribute { before: None, after: Some(Value::Reference(_)), .. });
        if edits.iter().any(diff::deactivates) {
            Reason::Disabled
        } else if judged.resource_type == ResourceType::User && link.acknowledged.active() == Some(false) {
            Reason::Returned
        } else if self.drifted.contains(&judged.entry_id) {
            Reason::Drifted
        } else if !link.uncertain.is_empty() {
            Reason::AnswerLost
        } else if edits.iter().all(|edit| matches!(edit, Edit::Members { .. })) {
            Reason::MembersDiffer
        } else if edits.iter().all(late) {
            Reason::ReferenceLate
        } else {
            Reason::AttributesDiffer
        }
    }

    fn tally(&self, link: &Link, edits: &[Edit], disabled: bool) -> Tally {
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
                Edit::Attribute { .. } => {}
                Edit::Members { remove, .. } => tally.memberships += remove.len() as u64,
                Edit::Foreign { remove } => tally.memberships += remove.len() as u64,
            }
        }
        tally
    }

    /// The change of a linked entry that a complete reading does not hold.
    pub fn of_absent(&self, link: &Link) -> Option<Change> {
        let name = link.acknowledged.name().unwrap_or(link.entry_id.as_str()).to_owned();
        self.removal(link, &name, Reason::Absent)
    }

    fn removal(&self, link: &Link, name: &str, reason: Reason) -> Option<Change> {
        if !self.is_claimed(&link.entry_id) {
            return None;
        }
        let change = |action, reason, tally| {
            Some(Change {
                entry_id: link.entry_id.clone(),
                resource_type: link.acknowledged.resource_type,
                name: name.to_owned(),
                action,
                reason,
                claim: ClaimAfter::Ended,
                tally,
            })
        };
        if self.is_claimed_elsewhere(&link.entry_id) {
            return change(Action::Release, Reason::StillClaimed, Tally::default());
        }
        let delete = || Action::Delete { resource_id: link.resource_id.clone() };
        match (link.acknowledged.resource_type, self.rules.user_removal, self.rules.group_removal) {
            (ResourceType::User, UserRemoval::Deactivate | UserRemoval::DeactivateThenDelete(_), _) => match switch_off(link) {
                None => change(Action::Release, reason, Tally::default()),
                Some(edit) => {
                    let tally = self.tally(link, std::slice::from_ref(&edit), false);
                    change(Action::Update { resource_id: link.resource_id.clone(), edits: vec![edit] }, reason, tally)
                }
            },
            (ResourceType::User, UserRemoval::Delete, _) => {
                change(delete(), reason, Tally { users_absent: 1, ..Tally::default() })
            }
            (ResourceType::Group, _, GroupRemoval::Delete) => change(delete(), reason, Tally { groups: 1, ..Tally::default() }),
            (ResourceType::User, UserRemoval::Keep, _) | (ResourceType::Group, _, GroupRemoval::Keep | GroupRemoval::Empty) => {
                change(Action::Forget, reason, Tally::default())
            }
        }
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

/// The edit that switches a user off; none if it is off for certain.
fn switch_off(link: &Link) -> Option<Edit> {
    let path = AttributePath::known("active");
    let before = link.acknowledged.attributes.get(&path);
    let off = before == Some(&Value::Flag(false)) && !link.uncertain.paths.contains(&path);
    (!off).then(|| Edit::Attribute { before: before.cloned(), after: Some(Value::Flag(false)), path })
}
