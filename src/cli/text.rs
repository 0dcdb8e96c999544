//! Words for people: values, reasons, numbers.

use std::collections::BTreeMap;

use crate::model::{Coverage, EntryId, Value};
use crate::plan::{Action, GuardKind, Reason, Stage, Tripped};

/// Names for people by entry.
pub type Names = BTreeMap<EntryId, String>;

/// The name of an entry, else its id.
pub fn name<'a>(names: &'a Names, id: &'a EntryId) -> &'a str {
    names.get(id).map_or(id.as_str(), String::as_str)
}

/// A name as it stands among others: quoted if it would not be seen as one.
pub fn word(text: &str) -> String {
    if text.is_empty() || text.chars().any(|c| c.is_whitespace() || c == '"') { quoted(text) } else { text.to_owned() }
}

/// A text in quotes.
pub fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// A value: text in quotes, an entry in angle brackets.
pub fn value(value: &Value, names: &Names) -> String {
    match value {
        Value::Text(text) => quoted(text),
        Value::Flag(flag) => flag.to_string(),
        Value::Reference(id) => format!("<{}>", name(names, id)),
    }
}

/// A value that may be missing.
pub fn value_or_none(given: Option<&Value>, names: &Names) -> String {
    given.map_or_else(|| "(none)".to_owned(), |given| value(given, names))
}

/// Why, as part of a sentence.
pub fn because(reason: &Reason) -> String {
    let words = match reason {
        Reason::NotThere => "not at the target yet",
        Reason::Matched(path) => return format!("matches by {path}"),
        Reason::AttributesDiffer => "attributes differ",
        Reason::MembersDiffer => "members differ",
        Reason::Disabled => "disabled in the directory",
        Reason::Returned => "back in scope, or enabled again",
        Reason::Absent => "no longer read: deleted, moved or filtered out",
        Reason::OutOfScope(clause) => return format!("out of scope: {clause}"),
        Reason::AnswerLost => "the answer to an earlier request was lost",
        Reason::Drifted => "changed at the target",
        Reason::ReferenceLate => "a reference that could not be sent earlier",
        Reason::SharedLink => "linked by another channel already",
        Reason::StillClaimed => "still in scope of another channel",
        Reason::Recreated(from) => return format!("made anew in the directory, in place of entry {from}"),
        Reason::Parked => "gives its name up for a moment: names are exchanged in a ring",
        Reason::GraceOver => "switched off long enough ago",
    };
    words.to_owned()
}

/// The sign before a change.
pub fn mark(action: &Action) -> char {
    match action {
        Action::Create(_) => '+',
        Action::Adopt { .. } | Action::Relink { .. } => '=',
        Action::Update { .. } => '~',
        Action::Delete { .. } => '-',
        Action::Claim { .. } | Action::Release | Action::Forget => '.',
    }
}

/// The word for programs.
pub fn reason(reason: &Reason) -> &'static str {
    match reason {
        Reason::NotThere => "not_there",
        Reason::Matched(_) => "matched",
        Reason::AttributesDiffer => "attributes_differ",
        Reason::MembersDiffer => "members_differ",
        Reason::Disabled => "disabled",
        Reason::Returned => "returned",
        Reason::Absent => "absent",
        Reason::OutOfScope(_) => "out_of_scope",
        Reason::AnswerLost => "answer_lost",
        Reason::Drifted => "drifted",
        Reason::ReferenceLate => "reference_late",
        Reason::SharedLink => "shared_link",
        Reason::StillClaimed => "still_claimed",
        Reason::Recreated(_) => "recreated",
        Reason::Parked => "parked",
        Reason::GraceOver => "grace_over",
    }
}

/// The word for programs.
pub fn stage(stage: Stage) -> &'static str {
    match stage {
        Stage::Revoke => "revoke",
        Stage::Users => "users",
        Stage::References => "references",
        Stage::Groups => "groups",
        Stage::Members => "members",
        Stage::Moves => "moves",
        Stage::DeleteGroups => "delete_groups",
        Stage::DeleteUsers => "delete_users",
        Stage::Claims => "claims",
    }
}

/// `1 user`, `2 users`.
pub fn count(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// `3 users and 1 group`.
pub fn people(users: u64, groups: u64) -> String {
    format!("{} and {}", count(users, "user", "users"), count(groups, "group", "groups"))
}

/// What the guard did, as a sentence.
pub fn stopped(tripped: &Tripped) -> String {
    match tripped.kind {
        GuardKind::EmptySource => format!("stopped everything: {}", tripped.message),
        GuardKind::Users
        | GuardKind::DisabledUsers
        | GuardKind::Groups
        | GuardKind::Memberships
        | GuardKind::PerGroup
        | GuardKind::Identity => format!("stopped {}", tripped.message),
    }
}

/// How much was read, with what is missing.
pub fn coverage(coverage: &Coverage) -> Vec<String> {
    match coverage {
        Coverage::Full => vec!["reading: full".to_owned()],
        Coverage::Changes => vec!["reading: what changed".to_owned()],
        Coverage::Partial(causes) => {
            let mut lines = vec!["reading: partial, so nothing is concluded from what is absent".to_owned()];
            lines.extend(causes.iter().map(|cause| format!("  - {cause}")));
            lines
        }
    }
}
