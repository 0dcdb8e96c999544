//! `rate` of a target: how many requests may go out.

use crate::scim;

use super::reader::{Field, Section};
use super::values::{number, whole};

/// The dialect with the rate as written; what is left out is the preset's.
pub(super) fn rate(section: &Section<'_>, mut dialect: scim::Dialect) -> scim::Dialect {
    let written = section.optional("rate").and_then(Field::section).map(|rate| {
        let per_second = rate.optional("per_second").and_then(|field| number(&field, 0.01, 10_000.0));
        let burst = rate.optional("burst").and_then(|field| whole(&field, 1, 10_000)).and_then(|burst| u32::try_from(burst).ok());
        rate.finish();
        (per_second, burst)
    });
    let (per_second, burst) = written.unwrap_or_default();
    for (knob, value) in
        [("rate", per_second.map(|number| format!("{number}/s"))), ("burst", burst.map(|burst| burst.to_string()))]
    {
        if let Some(value) = value {
            // The numbers were judged above, so the knob takes them.
            let _set = dialect.set(knob, &value, scim::SaidBy::Configuration);
        }
    }
    dialect
}
