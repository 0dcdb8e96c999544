//! `dialect` of a target: knobs by name, where a tenant disagrees with its preset. And what a dialect means for the
//! channels that use it.

use crate::plan::UserRemoval;
use crate::scim::{Dialect, KNOBS, KnobError, SaidBy, knob};

use super::keys::did_you_mean;
use super::reader::{Field, Section};
use super::tree::{Kind, Node};

/// Knobs that have a key of their own, and which.
pub const ELSEWHERE: &[(&str, &str)] = &[
    ("rate", "rate of the target"),
    ("burst", "rate.burst of the target"),
    ("rate_read", "rate of the target"),
    ("rate_user_create", "rate of the target"),
    ("rate_user_update", "rate of the target"),
    ("rate_group_update", "rate of the target"),
    ("workers", "workers of the channel"),
];

/// The dialect with what is written; what is left out is the preset's.
pub(super) fn dialect(section: &Section<'_>, mut dialect: Dialect) -> Dialect {
    let Some(field) = section.optional("dialect") else { return dialect };
    let Some(written) = field.clone().section() else { return dialect };
    for (name, value) in written.named() {
        set(&mut dialect, name, &value);
    }
    if dialect.user_removal == UserRemoval::Delete && !dialect.user_delete {
        field.reader.problem(field.finding_at_key("user_removal deletes users, and user_delete is no").hint(allow_deleting()));
    }
    dialect
}

fn set(dialect: &mut Dialect, name: &str, field: &Field<'_>) {
    if let Some((_, place)) = ELSEWHERE.iter().find(|(known, _)| *known == name) {
        let finding = field.finding_at_key("is not set here");
        return field.reader.problem(finding.hint(Some(format!("there is a key for it: {place}"))));
    }
    if knob(name).is_none() {
        let known = KNOBS.iter().map(|knob| knob.name).filter(|name| !ELSEWHERE.iter().any(|(other, _)| other == name));
        let hint = did_you_mean(name, known);
        return field.reader.problem(field.finding_at_key("there is no such knob").hint(hint).bare());
    }
    if name == "unset" && matches!(field.node.kind, Kind::Nothing) {
        let hint = Some("null is nothing in YAML; the word stands in quotes: unset: \"null\"".to_owned());
        return field.reader.problem(field.finding("expected a word, found nothing").hint(hint));
    }
    let Some(text) = written(name, field) else { return };
    if name == "headers" && text.split('|').any(carries_credentials) {
        let hint = Some("credentials belong into auth of the target, as a secret".to_owned());
        return field.reader.problem(field.finding_at_key("headers that carry credentials are not set here").hint(hint).bare());
    }
    match dialect.set(name, &text, SaidBy::Configuration) {
        Ok(_) => {}
        Err(KnobError::Unknown(_)) => field.wrong("there is no such knob"),
        // What stands in a header may be worth hiding, whatever it is called.
        Err(KnobError::Value(why)) if name == "headers" => field.reader.problem(field.finding(why).bare()),
        Err(KnobError::Value(why)) => field.wrong(why),
    }
}

/// True for headers by which one proves who one is (RFC 9110 §11, RFC 6265 §4.2). `check` prints the others.
fn carries_credentials(header: &str) -> bool {
    let name = header.split(':').next().unwrap_or_default().trim();
    ["authorization", "proxy-authorization", "cookie"].iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// A scalar, or a list of them, as the table of knobs writes it.
fn written(name: &str, field: &Field<'_>) -> Option<String> {
    // A header's value may hold a comma.
    let between = if name == "headers" { " | " } else { ", " };
    match &field.node.kind {
        Kind::List(items) => {
            let texts: Option<Vec<String>> = items.iter().map(scalar).collect();
            texts.map(|texts| texts.join(between)).or_else(|| field.unfit("a list of texts or numbers"))
        }
        _ => scalar(field.node).or_else(|| field.unfit("text, a number, true or false, or a list of them")),
    }
}

fn scalar(node: &Node) -> Option<String> {
    match &node.kind {
        Kind::Flag(flag) => Some(if *flag { "yes" } else { "no" }.to_owned()),
        Kind::Whole(number) => Some(number.to_string()),
        Kind::Fraction(number) => Some(number.to_string()),
        Kind::Text(text) => Some(text.trim().to_owned()),
        Kind::Nothing | Kind::List(_) | Kind::Map(_) => None,
    }
}

/// Refuses groups for a target that has none.
pub(super) fn may_have_groups(groups: &Field<'_>, dialect: Option<&Dialect>) {
    if let Some(dialect) = dialect.filter(|dialect| !dialect.groups) {
        let message = match dialect.said_by("groups") {
            SaidBy::Configuration => "the target's dialect says that it has no groups".to_owned(),
            _ => format!("a target of preset {} has no groups that could be provisioned", dialect.name),
        };
        let hint = "leave groups out; if your tenant has them, write dialect: { groups: yes } in the target".to_owned();
        groups.reader.problem(groups.finding_at_key(message).hint(Some(hint)));
    }
}

/// Refuses a removal that deletes users for a target where that destroys too much to be done by the way.
pub(super) fn may_delete_users(removal: &Field<'_>, dialect: Option<&Dialect>, users: UserRemoval) {
    let deletes = match users {
        UserRemoval::Delete | UserRemoval::DeactivateThenDelete(_) => true,
        UserRemoval::Deactivate | UserRemoval::Keep => false,
    };
    if let Some(dialect) = dialect.filter(|dialect| deletes && !dialect.user_delete) {
        let message = match dialect.said_by("user_delete") {
            SaidBy::Configuration => "the target's dialect says that users are not to be deleted there".to_owned(),
            _ => format!("users are not to be deleted at a target of preset {}", dialect.name),
        };
        removal.reader.problem(removal.finding(message).hint(allow_deleting()));
    }
}

fn allow_deleting() -> Option<String> {
    Some(
        "deactivate instead: a deleted account cannot be had back, nor what it owns there (docs/targets.md); if you want \
         that, write dialect: { user_delete: yes } in the target"
            .to_owned(),
    )
}
