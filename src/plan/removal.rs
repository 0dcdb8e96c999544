//! What becomes of a linked entry that left: switched off, deleted, emptied, forgotten or let go; and of those who left
//! long ago.

use std::collections::BTreeSet;

use crate::model::{AttributePath, EntryId, Link, Origin, ResourceType, Value};

use super::decide::Known;
use super::{Action, Change, ClaimAfter, Edit, GroupRemoval, Members, Reason, Tally, UserRemoval};

impl Known<'_> {
    /// The change of a linked entry that a complete reading does not hold.
    pub fn of_absent(&self, link: &Link) -> Option<Change> {
        let name = link.acknowledged.name().unwrap_or(link.entry_id.as_str()).to_owned();
        self.removal(link, &name, Reason::Absent)
    }

    /// The change of a linked entry that is absent from a complete reading or out of scope.
    pub(super) fn removal(&self, link: &Link, name: &str, reason: Reason) -> Option<Change> {
        if self.handovers.takes_from(&link.entry_id) {
            return None;
        }
        if !self.is_claimed(&link.entry_id) {
            return self.grace_over(link, name);
        }
        let change = |action, tally| Some(ending(link, name, action, reason.clone(), tally));
        if self.is_claimed_elsewhere(&link.entry_id) {
            return Some(ending(link, name, Action::Release, Reason::StillClaimed, Tally::default()));
        }
        let delete = || Action::Delete { resource_id: link.resource_id.clone() };
        match link.acknowledged.resource_type {
            ResourceType::User => match self.rules.user_removal {
                UserRemoval::Deactivate | UserRemoval::DeactivateThenDelete(_) => match switch_off(link) {
                    None => change(Action::Release, Tally::default()),
                    Some(edit) => {
                        let tally = self.tally(link, std::slice::from_ref(&edit), false);
                        change(Action::Update { resource_id: link.resource_id.clone(), edits: vec![edit] }, tally)
                    }
                },
                // Nothing more would be switched off there.
                UserRemoval::Delete if self.capabilities.delete_is_deactivate && switch_off(link).is_none() => {
                    change(Action::Release, Tally::default())
                }
                UserRemoval::Delete => change(delete(), Tally { users_absent: 1, ..Tally::default() }),
                UserRemoval::Keep => change(Action::Forget, Tally::default()),
            },
            ResourceType::Group => match (self.rules.group_removal, link.origin) {
                (GroupRemoval::Keep, _) => change(Action::Forget, Tally::default()),
                (GroupRemoval::Delete, Origin::Adopted) if !self.rules.delete_adopted_groups => {
                    Some(self.emptied(link, name, reason))
                }
                (GroupRemoval::Empty, _) => Some(self.emptied(link, name, reason)),
                (GroupRemoval::Delete, Origin::Created | Origin::Adopted) => {
                    change(delete(), Tally { groups: 1, ..Tally::default() })
                }
            },
        }
    }

    /// Every member of ours is removed. The guard counts it as the group that is lost, not its members one by one.
    fn emptied(&self, link: &Link, name: &str, reason: Reason) -> Change {
        let members = link.acknowledged.members.iter().chain(&link.uncertain.members);
        let remove: BTreeSet<EntryId> =
            if self.members_rule() == Members::AddOnly { BTreeSet::new() } else { members.cloned().collect() };
        if remove.is_empty() {
            return ending(link, name, Action::Release, reason, Tally::default());
        }
        let edits = vec![Edit::Members { add: BTreeSet::new(), remove }];
        let action = Action::Update { resource_id: link.resource_id.clone(), edits };
        ending(link, name, action, reason, Tally { groups: 1, ..Tally::default() })
    }

    /// A user of ours whom nobody claims any more, and who has been off for long enough, is deleted.
    fn grace_over(&self, link: &Link, name: &str) -> Option<Change> {
        let UserRemoval::DeactivateThenDelete(after) = self.rules.user_removal else { return None };
        let leaver = self.snapshot.leavers.get(&link.entry_id)?;
        let is_due = self.desired.coverage.is_full()
            && link.acknowledged.resource_type == ResourceType::User
            && leaver.channel == self.rules.channel
            && leaver.ago >= after
            && switch_off(link).is_none()
            && !self.is_claimed_elsewhere(&link.entry_id)
            // It would only be switched off once more, for ever.
            && !self.capabilities.delete_is_deactivate;
        let tally = Tally { users_absent: 1, ..Tally::default() };
        is_due.then(|| ending(link, name, Action::Delete { resource_id: link.resource_id.clone() }, Reason::GraceOver, tally))
    }
}

fn ending(link: &Link, name: &str, action: Action, reason: Reason, tally: Tally) -> Change {
    Change {
        entry_id: link.entry_id.clone(),
        resource_type: link.acknowledged.resource_type,
        name: name.to_owned(),
        action,
        reason,
        claim: ClaimAfter::Ended,
        tally,
    }
}

/// The edit that switches a user off; none if it is off for certain.
pub(super) fn switch_off(link: &Link) -> Option<Edit> {
    let path = AttributePath::known("active");
    let before = link.acknowledged.attributes.get(&path);
    let off = before == Some(&Value::Flag(false)) && !link.uncertain.paths.contains(&path);
    (!off).then(|| Edit::Attribute { before: before.cloned(), after: Some(Value::Flag(false)), path })
}
