//! When a channel runs: five-field cron in a time zone, right on the days when the clocks change.

use std::fmt;

use cron::Cron;
use cron::parser::{CronParser, Seconds, Year};
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A cron expression in a time zone.
#[derive(Debug, Clone)]
pub struct Schedule {
    written: String,
    /// Together they are the expression; see [`fixed_times`].
    crons: Vec<Cron>,
    zone: TimeZone,
}

impl Schedule {
    /// Parses five fields. An expression that never comes true, such as one for 30 February, is refused.
    pub fn parse(expression: &str, zone: TimeZone) -> Result<Self, String> {
        let fields = expression.split_whitespace().count();
        if fields != 5 && !expression.trim_start().starts_with('@') {
            return Err(format!("needs five fields (minute, hour, day, month, weekday), found {fields}"));
        }
        let cron = parsed(expression)?;
        let crons = fixed_times(&cron).unwrap_or_else(|| vec![cron]);
        let schedule = Self { written: expression.trim().to_owned(), crons, zone };
        if schedule.next_after(&Timestamp::UNIX_EPOCH).is_none() {
            return Err("names a moment that never comes".to_owned());
        }
        Ok(schedule)
    }

    /// The first moment after the given one; `None` if there is none.
    ///
    /// Fixed times of day (`30 2`, `0 2,14`) that the clocks skip run right after the gap; those that come twice
    /// run the first time only. Intervals (`*/5`) leave out what is skipped and go on through the hour that comes twice.
    pub fn next_after(&self, moment: &Timestamp) -> Option<Timestamp> {
        let from = moment.to_zoned(self.zone.clone());
        self.crons.iter().filter_map(|cron| cron.find_next_occurrence(&from, false).ok()).map(|next| next.timestamp()).min()
    }
}

fn parsed(expression: &str) -> Result<Cron, String> {
    let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
    parser.parse(expression).map_err(|error| {
        let text = error.to_string();
        let text = text.trim_end_matches('.');
        let bare = text.strip_prefix("Component error: ").or_else(|| text.strip_prefix("Invalid pattern: "));
        bare.unwrap_or(text).to_owned()
    })
}

/// An expression whose minutes and hours are listed (not `*`), as one expression for each time of day.
/// croner keeps a time of day through a change of the clocks only where it is the expression's single one;
/// to it `0 2,14` is an interval, whose 2 o'clock is lost in spring and comes twice in autumn.
fn fixed_times(cron: &Cron) -> Option<Vec<Cron>> {
    let (minutes, hours) = (cron.pattern.minutes.values(), cron.pattern.hours.values());
    let written = cron.pattern.as_str();
    let mut fields = written.split_whitespace();
    let listed = |field: Option<&str>| field.is_some_and(|field| !field.starts_with(['*', '?', '@']));
    if !listed(fields.next()) || !listed(fields.next()) || minutes.len() == 60 || hours.len() == 24 {
        return None;
    }
    let rest = fields.collect::<Vec<_>>().join(" ");
    let times = hours.iter().flat_map(|hour| minutes.iter().map(move |minute| (minute, hour)));
    times.map(|(minute, hour)| parsed(&format!("{minute} {hour} {rest}")).ok()).collect()
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)?;
        match self.zone.iana_name() {
            Some(name) => write!(f, " ({name})"),
            None => f.write_str(" (system time zone)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The next runs after a moment, in Berlin's time with its offset.
    fn runs(expression: &str, after: &str, count: usize) -> Vec<String> {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let schedule = Schedule::parse(expression, zone.clone()).unwrap();
        let mut moment: Timestamp = after.parse().unwrap();
        (0..count)
            .map(|_| {
                moment = schedule.next_after(&moment).unwrap();
                moment.to_zoned(zone.clone()).strftime("%d. %H:%M %:z").to_string()
            })
            .collect()
    }

    #[test]
    fn schedules_hold_when_the_clocks_change() {
        // 2026-03-29: 02:00 becomes 03:00. 2026-10-25: 03:00 becomes 02:00.
        for (expression, after, expected) in [
            ("30 2 * * *", "2026-03-28T00:00:00Z", vec!["28. 02:30 +01:00", "29. 03:00 +02:00", "30. 02:30 +02:00"]),
            ("30 2 * * *", "2026-10-24T00:00:00Z", vec!["24. 02:30 +02:00", "25. 02:30 +02:00", "26. 02:30 +01:00"]),
            ("0 3 * * *", "2026-03-28T12:00:00Z", vec!["29. 03:00 +02:00", "30. 03:00 +02:00"]),
            ("0 3 * * *", "2026-10-24T12:00:00Z", vec!["25. 03:00 +01:00", "26. 03:00 +01:00"]),
            ("*/30 * * * *", "2026-03-29T00:00:00Z", vec!["29. 01:30 +01:00", "29. 03:00 +02:00", "29. 03:30 +02:00"]),
            (
                "*/30 * * * *",
                "2026-10-24T23:30:00Z",
                vec!["25. 02:00 +02:00", "25. 02:30 +02:00", "25. 02:00 +01:00", "25. 02:30 +01:00", "25. 03:00 +01:00"],
            ),
            ("*/5 * * * *", "2026-10-25T00:50:00Z", vec!["25. 02:55 +02:00", "25. 02:00 +01:00", "25. 02:05 +01:00"]),
            ("30 2,14 * * *", "2026-03-29T00:00:00Z", vec!["29. 03:00 +02:00", "29. 14:30 +02:00"]),
            ("30 2,14 * * *", "2026-10-24T22:00:00Z", vec!["25. 02:30 +02:00", "25. 14:30 +01:00"]),
            ("0,30 2 * * *", "2026-03-29T00:00:00Z", vec!["29. 03:00 +02:00", "30. 02:00 +02:00"]),
            ("@daily", "2026-03-28T12:00:00Z", vec!["29. 00:00 +01:00", "30. 00:00 +02:00"]),
            ("30 * * * *", "2026-10-24T23:50:00Z", vec!["25. 02:30 +02:00", "25. 02:30 +01:00", "25. 03:30 +01:00"]),
            ("0 9 * * 1-5", "2026-03-27T12:00:00Z", vec!["30. 09:00 +02:00", "31. 09:00 +02:00"]),
            ("0 0 * * 7", "2026-03-27T12:00:00Z", vec!["29. 00:00 +01:00"]),
        ] {
            assert_eq!(runs(expression, after, expected.len()), expected, "{expression} after {after}");
        }
    }

    #[test]
    fn a_moment_of_the_schedule_leads_to_the_next_one() {
        assert_eq!(runs("*/5 * * * *", "2026-01-01T00:05:00Z", 1), ["01. 01:10 +01:00"]);
        assert_eq!(runs("*/5 * * * *", "2026-01-01T00:04:59.5Z", 1), ["01. 01:05 +01:00"]);
    }

    #[test]
    fn expressions_are_refused_with_a_reason() {
        for (expression, reason) in [
            ("* * * *", "needs five fields (minute, hour, day, month, weekday), found 4"),
            ("0 */5 * * * *", "needs five fields (minute, hour, day, month, weekday), found 6"),
            ("0 0 30 2 *", "names a moment that never comes"),
        ] {
            assert_eq!(Schedule::parse(expression, TimeZone::UTC).unwrap_err(), reason, "{expression}");
        }
        for expression in ["61 * * * *", "x * * * *", "*/0 * * * *", "", "@never"] {
            assert!(Schedule::parse(expression, TimeZone::UTC).is_err(), "{expression}");
        }
    }

    #[test]
    fn a_schedule_is_shown_with_its_zone() {
        let schedule = Schedule::parse("*/5 * * * *", TimeZone::get("Europe/Berlin").unwrap()).unwrap();
        assert_eq!(schedule.to_string(), "*/5 * * * * (Europe/Berlin)");
    }
}
