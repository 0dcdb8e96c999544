//! Values of one kind each: text, words, numbers, durations, DNs, filters. Each says what is wrong and gives nothing then.

use std::time::Duration;

use jiff::civil::Date;
use jiff::{Span, SpanRelativeTo};

use crate::model::Dn;

use super::keys::did_you_mean;
use super::reader::Field;
use super::tree::Kind;

/// Text, not empty.
pub(super) fn text<'a>(field: &Field<'a>) -> Option<&'a str> {
    match &field.node.kind {
        Kind::Text(text) if text.trim().is_empty() => {
            field.wrong("is empty");
            None
        }
        Kind::Text(text) => Some(text),
        _ => field.unfit("text"),
    }
}

/// True or false.
pub(super) fn flag(field: &Field<'_>) -> Option<bool> {
    match field.node.kind {
        Kind::Flag(flag) => Some(flag),
        _ => field.unfit("true or false"),
    }
}

/// A whole number between two.
pub(super) fn whole(field: &Field<'_>, least: u64, most: u64) -> Option<u64> {
    let Kind::Whole(number) = field.node.kind else { return field.unfit("a whole number") };
    let number = u64::try_from(number).ok().filter(|number| (least..=most).contains(number));
    if number.is_none() {
        field.wrong(format!("must be from {least} to {most}"));
    }
    number
}

/// A number between two.
pub(super) fn number(field: &Field<'_>, least: f64, most: f64) -> Option<f64> {
    let number = match field.node.kind {
        #[expect(clippy::cast_precision_loss, reason = "only the range check follows, and its ends are small")]
        Kind::Whole(number) => number as f64,
        Kind::Fraction(number) => number,
        _ => return field.unfit("a number"),
    };
    if (least..=most).contains(&number) {
        return Some(number);
    }
    field.wrong(format!("must be from {least} to {most}"));
    None
}

/// One of a few words.
pub(super) fn word<T: Copy>(field: &Field<'_>, words: &[(&str, T)]) -> Option<T> {
    let written = text(field)?;
    let found = words.iter().find(|(word, _)| *word == written).map(|(_, value)| *value);
    if found.is_none() {
        let all: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let finding = field.finding(format!("must be one of {}", all.join(", ")));
        field.reader.problem(finding.hint(did_you_mean(written, all)));
    }
    found
}

/// A length of time such as `30s`, `1h 30m`, `1d`; a day is 24 hours.
pub(super) fn duration(field: &Field<'_>, least: Duration, most: Duration) -> Option<Duration> {
    const DAY: u64 = 24 * 3600;
    const EXPECTED: &str = "a duration such as 90s, 30m, 24h or 1d";
    let Kind::Text(written) = &field.node.kind else { return field.unfit(EXPECTED) };
    let parsed = written
        .parse::<Span>()
        .and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()))
        .ok()
        .and_then(|duration| Duration::try_from(duration).ok());
    match parsed {
        None => field.wrong(format!("expected {EXPECTED}")),
        Some(duration) if !(least..=most).contains(&duration) => {
            let shown = |limit: Duration| match limit.as_secs() {
                seconds if seconds > 0 && seconds % DAY == 0 => format!("{}d", seconds / DAY),
                _ => format!("{:#}", jiff::SignedDuration::try_from(limit).unwrap_or_default()),
            };
            field.wrong(format!("must be from {} to {}", shown(least), shown(most)));
        }
        Some(duration) => return Some(duration),
    }
    None
}

/// A day.
pub(super) fn date(field: &Field<'_>) -> Option<Date> {
    const EXPECTED: &str = "a date such as 2027-01-31";
    let Kind::Text(written) = &field.node.kind else { return field.unfit(EXPECTED) };
    // Ten characters: a moment of the day would be parsed too, and its time ignored.
    let day = written.parse::<Date>().ok().filter(|_| written.len() == 10);
    if day.is_none() {
        field.wrong(format!("expected {EXPECTED}"));
    }
    day
}

/// A distinguished name.
pub(super) fn dn(field: &Field<'_>) -> Option<Dn> {
    let written = text(field)?;
    match Dn::parse(written) {
        Ok(dn) => Some(dn),
        Err(error) => {
            let finding = field.finding(format!("not a distinguished name: {}", error.problem));
            field.reader.problem(finding.at_character(written, error.position));
            None
        }
    }
}

/// One value or a list of them; all are looked at, so that every mistake is told.
pub(super) fn each<'a, T>(field: &Field<'a>, read: impl Fn(&Field<'a>) -> Option<T>) -> Option<Vec<T>> {
    let all: Vec<Option<T>> = field.list().iter().map(read).collect();
    all.into_iter().collect()
}

/// One distinguished name or a list of them.
pub(super) fn dns(field: &Field<'_>) -> Option<Vec<Dn>> {
    each(field, dn)
}

/// One LDAP filter or a list of them, joined by `|`.
pub(super) fn filter(field: &Field<'_>) -> Option<String> {
    let checked = |field: &Field<'_>| {
        let written = text(field)?.trim();
        if let Err(problem) = crate::ldap::check_filter(written) {
            let finding = field.finding(format!("not an LDAP filter: {problem}"));
            let place = problem.rsplit_once(" at character ").and_then(|(_, place)| place.parse::<usize>().ok());
            field.reader.problem(match place {
                Some(place) => finding.at_character(written, place),
                None => finding,
            });
            return None;
        }
        Some(written.to_owned())
    };
    let filters = each(field, checked)?;
    match filters.as_slice() {
        [] => None,
        [one] => Some(one.clone()),
        several => Some(format!("(|{})", several.concat())),
    }
}
