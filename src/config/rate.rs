//! `rate` of a target: how many requests may go out, in windows of a second, a minute and an hour.

use crate::scim;

use super::reader::{Field, Section};
use super::values::{number, whole};

/// A key, the unit of its window, and the seconds that it has.
const WINDOWS: [(&str, &str, u32); 3] = [("per_second", "s", 1), ("per_minute", "min", 60), ("per_hour", "h", 3600)];

/// A section for a kind of request, and its knob.
const KINDS: [(&str, &str); 4] = [
    ("read", "rate_read"),
    ("user_create", "rate_user_create"),
    ("user_update", "rate_user_update"),
    ("group_update", "rate_group_update"),
];

/// One request in this time is the slowest that can be written.
const SLOWEST: f64 = 0.01;

/// No target takes more, and no machine of ours sends more.
const MOST_PER_SECOND: u32 = 10_000;

/// The dialect with the rate as written; windows of kinds that are left out are the preset's.
pub(super) fn rate(section: &Section<'_>, mut dialect: scim::Dialect) -> scim::Dialect {
    let mut written = Vec::new();
    if let Some(rate) = section.optional("rate").and_then(Field::section) {
        written.push(("rate", windows(&rate)));
        for (key, knob) in KINDS {
            if let Some(kind) = rate.optional(key).and_then(Field::section) {
                written.push((knob, windows(&kind)));
                kind.finish();
            }
        }
        let burst = rate.optional("burst").and_then(|field| whole(&field, 1, MOST_PER_SECOND.into()));
        written.push(("burst", burst.map(|burst| burst.to_string())));
        rate.finish();
    }
    for (knob, value) in written {
        if let Some(value) = value {
            // The numbers were judged above, so the knob takes them.
            let _set = dialect.set(knob, &value, scim::SaidBy::Configuration);
        }
    }
    dialect
}

/// The windows of one section as a knob takes them; nothing if none is written.
fn windows(section: &Section<'_>) -> Option<String> {
    let windows: Vec<String> = WINDOWS
        .iter()
        .filter_map(|(key, unit, seconds)| {
            let most = f64::from(MOST_PER_SECOND * seconds);
            let requests = number(&section.optional(key)?, SLOWEST, most)?;
            Some(format!("{requests}/{unit}"))
        })
        .collect();
    (!windows.is_empty()).then(|| windows.join(", "))
}
