//! `removal` of a channel: what becomes of those who leave.

use std::time::Duration;

use crate::plan::{GroupRemoval, UserRemoval};
use crate::scim::Dialect;

use super::dialect::may_delete_users;
use super::reader::{Field, Section};
use super::tree::Kind;
use super::values::{duration, flag, word};

const DAY: Duration = Duration::from_secs(24 * 3600);
const LONGEST_GRACE: Duration = Duration::from_secs(3650 * 24 * 3600);

/// Removal policies of a channel.
pub(super) struct Removal {
    /// Users who leave.
    pub users: UserRemoval,
    /// Groups that leave.
    pub groups: GroupRemoval,
    /// Groups that were there before us are deleted too.
    pub delete_adopted: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum UserAction {
    Deactivate,
    DeactivateThenDelete,
    Delete,
    Keep,
}

const USER_ACTIONS: &[(&str, UserAction)] = &[
    ("deactivate", UserAction::Deactivate),
    ("deactivate_then_delete", UserAction::DeactivateThenDelete),
    ("delete", UserAction::Delete),
    ("keep", UserAction::Keep),
];
const GROUP_ACTIONS: &[(&str, GroupRemoval)] =
    &[("delete", GroupRemoval::Delete), ("empty", GroupRemoval::Empty), ("keep", GroupRemoval::Keep)];

/// Reads the policies: each a word, or a map with the word as `action`. What is left out is as the target has it.
pub(super) fn removal(channel: &Section<'_>, dialect: Option<&Dialect>) -> Removal {
    let mut removal = Removal {
        users: dialect.map_or(UserRemoval::Deactivate, |dialect| dialect.user_removal),
        groups: dialect.map_or(GroupRemoval::Delete, |dialect| dialect.group_removal),
        delete_adopted: false,
    };
    let Some(section) = channel.optional("removal").and_then(Field::section) else { return removal };
    if let Some(field) = section.optional("users") {
        removal.users = users(field, dialect).unwrap_or(removal.users);
    }
    if let Some(field) = section.optional("groups") {
        groups(field, &mut removal);
    }
    section.finish();
    removal
}

fn users(field: Field<'_>, dialect: Option<&Dialect>) -> Option<UserRemoval> {
    let (action, after) = if matches!(field.node.kind, Kind::Map(_)) {
        let section = field.section()?;
        let action = section.required("action");
        let after = section.optional("after");
        section.finish();
        (action?, after)
    } else {
        (field, None)
    };
    let removal = match (word(&action, USER_ACTIONS)?, after) {
        (UserAction::DeactivateThenDelete, Some(after)) => {
            UserRemoval::DeactivateThenDelete(duration(&after, DAY, LONGEST_GRACE)?)
        }
        (UserAction::DeactivateThenDelete, None) => {
            let hint = "users: { action: deactivate_then_delete, after: 30d }".to_owned();
            action.reader.problem(action.finding("after is missing: how long until they are deleted").hint(Some(hint)));
            return None;
        }
        (_, Some(after)) => {
            after.wrong("goes with action: deactivate_then_delete alone");
            return None;
        }
        (UserAction::Deactivate, None) => UserRemoval::Deactivate,
        (UserAction::Delete, None) => UserRemoval::Delete,
        (UserAction::Keep, None) => UserRemoval::Keep,
    };
    may_delete_users(&action, dialect, removal);
    Some(removal)
}

fn groups(field: Field<'_>, removal: &mut Removal) {
    let action = if matches!(field.node.kind, Kind::Map(_)) {
        let Some(section) = field.section() else { return };
        let (action, adopted) = (section.required("action"), section.optional("delete_adopted"));
        section.finish();
        if let Some(adopted) = adopted {
            removal.delete_adopted = flag(&adopted).unwrap_or(false);
            if action.as_ref().and_then(|action| word(action, GROUP_ACTIONS)).is_some_and(|action| action != GroupRemoval::Delete)
            {
                adopted.reader.warning(adopted.finding_at_key("has no effect without action: delete"));
            }
        }
        action
    } else {
        Some(field)
    };
    if let Some(action) = action.and_then(|action| word(&action, GROUP_ACTIONS)) {
        removal.groups = action;
    }
}
