//! `guard` of a channel.

use std::time::Duration;

use crate::plan::{GuardSettings, Limit};

use super::reader::{Field, Section};
use super::values::{duration, number, whole};

const WINDOW: Duration = Duration::from_secs(24 * 3600);
const USERS: Limit = Limit { percent: 2.0, at_least: 5, at_most: Some(100) };
const GROUPS: Limit = Limit { percent: 2.0, at_least: 2, at_most: Some(10) };
const MEMBERSHIPS: Limit = Limit { percent: 5.0, at_least: 20, at_most: Some(1000) };
const PER_GROUP: Limit = Limit { percent: 50.0, at_least: 10, at_most: None };
const IDENTITY: Limit = Limit { percent: 2.0, at_least: 5, at_most: None };

/// The guard of a channel; what is left out has its default.
pub(super) fn guard(channel: &Section<'_>) -> GuardSettings {
    let mut settings = GuardSettings {
        window: WINDOW,
        users: USERS,
        groups: GROUPS,
        memberships: MEMBERSHIPS,
        per_group: PER_GROUP,
        identity: IDENTITY,
    };
    let Some(section) = channel.optional("guard").and_then(Field::section) else { return settings };
    const DAY: u64 = 24 * 3600;
    if let Some(window) =
        section.optional("window").and_then(|field| duration(&field, Duration::from_secs(60), Duration::from_secs(366 * DAY)))
    {
        settings.window = window;
    }
    for (key, limit) in [
        ("users", &mut settings.users),
        ("groups", &mut settings.groups),
        ("memberships", &mut settings.memberships),
        ("per_group", &mut settings.per_group),
        ("identity", &mut settings.identity),
    ] {
        if let Some(written) = section.optional(key).and_then(Field::section) {
            *limit = budget(written, *limit);
        }
    }
    section.finish();
    settings
}

fn budget(section: Section<'_>, default: Limit) -> Limit {
    let most = u64::from(u32::MAX);
    let limit = Limit {
        percent: section.optional("percent").and_then(|field| number(&field, 0.0, 100.0)).unwrap_or(default.percent),
        at_least: section.optional("at_least").and_then(|field| whole(&field, 0, most)).unwrap_or(default.at_least),
        at_most: section.optional("at_most").and_then(|field| whole(&field, 0, most)).or(default.at_most),
    };
    let field = &section.field;
    if limit.at_most.is_some_and(|at_most| at_most < limit.at_least) {
        field.reader.warning(field.finding_at_key("at_least is above at_most: at_most wins"));
    }
    if limit.percent >= 100.0 && limit.at_most.is_none() {
        let hint = Some("set at_most, or a lower percent".to_owned());
        field.reader.warning(field.finding_at_key("100 percent and no at_most: this guard never trips").hint(hint));
    }
    section.finish();
    limit
}
