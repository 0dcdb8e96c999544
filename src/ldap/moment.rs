//! The forms in which directories write moments.

use jiff::civil::DateTime;
use jiff::tz::Offset;

use crate::model::Moment;

/// Milliseconds from 1601, where FILETIME begins, to 1970.
const FROM_1601_TO_1970: i64 = 11_644_473_600_000;

/// FILETIME units of 100 ns in a millisecond.
const UNITS: i64 = 10_000;

/// A FILETIME written in digits (MS-DTYP §2.3.3).
pub fn filetime(units: i64) -> Moment {
    Moment(units.div_euclid(UNITS).saturating_sub(FROM_1601_TO_1970))
}

/// A GeneralizedTime (RFC 4517 §3.3.13), such as `20260131120000Z`; `None` if it is not one.
pub fn generalized_time(text: &str) -> Option<Moment> {
    let zone_at = text.find(['Z', '+', '-'])?;
    let (time, zone) = text.split_at_checked(zone_at)?;
    let (whole, fraction) = time.split_once(['.', ',']).unwrap_or((time, ""));
    let number = |from: usize, to: usize| -> Option<i64> { digits(whole.get(from..to)?) };
    let date = (number(0, 4)?, number(4, 6)?, number(6, 8)?, number(8, 10)?);
    let (minute, second, unit) = match whole.len() {
        10 => (0, 0, 3_600_000),
        12 => (number(10, 12)?, 0, 60_000),
        // A leap second is taken for the one before.
        14 => (number(10, 12)?, number(12, 14).filter(|second| *second <= 60)?.min(59), 1000),
        _ => return None,
    };
    let small = |number: i64| i8::try_from(number).ok();
    let civil = DateTime::new(
        i16::try_from(date.0).ok()?,
        small(date.1)?,
        small(date.2)?,
        small(date.3)?,
        small(minute)?,
        small(second)?,
        0,
    );
    let start = Offset::UTC.to_timestamp(civil.ok()?).ok()?.as_millisecond();
    let part = if time.len() == whole.len() { 0 } else { part_of(unit, fraction)? };
    Some(Moment(start + part - offset(zone)?))
}

/// What a decimal fraction of so many milliseconds comes to, rounded down.
fn part_of(unit: i64, fraction: &str) -> Option<i64> {
    digits(fraction)?;
    let first = fraction.get(..fraction.len().min(9))?;
    Some(unit * digits(first)? / 10i64.pow(u32::try_from(first.len()).ok()?))
}

/// How far ahead of UTC a zone is, in milliseconds: `Z`, `+0200`, `-05`.
fn offset(zone: &str) -> Option<i64> {
    if zone == "Z" {
        return Some(0);
    }
    let (sign, rest) = if let Some(rest) = zone.strip_prefix('+') { (1, rest) } else { (-1, zone.strip_prefix('-')?) };
    let minutes = match rest.len() {
        2 => 0,
        4 => digits(rest.get(2..)?)?,
        _ => return None,
    };
    Some(sign * (digits(rest.get(..2)?)? * 60 + minutes) * 60_000)
}

fn digits(text: &str) -> Option<i64> {
    let only = !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_digit());
    only.then(|| text.parse().unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filetime_counts_from_1601() {
        assert_eq!(filetime(116_444_736_000_000_000), Moment(0));
        // 2026-01-31 12:00:00 UTC, as `w32tm /ntte` shows it.
        assert_eq!(filetime(134_143_344_000_000_000), Moment(1_769_860_800_000));
        assert_eq!(filetime(0), Moment(-FROM_1601_TO_1970));
        assert_eq!(filetime(i64::MAX), Moment(910_692_730_085_477));
    }

    #[test]
    fn a_generalized_time_is_read_in_each_of_its_forms() {
        let noon = 1_769_860_800_000;
        let check = |text: &str, expected: Option<i64>| assert_eq!(generalized_time(text), expected.map(Moment), "{text}");
        check("20260131120000Z", Some(noon));
        check("20260131120000.123Z", Some(noon + 123));
        check("20260131120000,5Z", Some(noon + 500));
        check("202601311200Z", Some(noon));
        check("2026013112Z", Some(noon));
        check("2026013112.5Z", Some(noon + 1_800_000));
        check("20260131140000+0200", Some(noon));
        check("20260131070000-05", Some(noon));
        check("20260131115960Z", Some(noon - 1000));
        for bad in ["", "Z", "20260131120000", "20260231120000Z", "202601311200000Z", "2026013112é0000Z", "20260131120000.Z"] {
            check(bad, None);
        }
        for bad in ["20260131120000.1x3Z", "20260131120000+2", "20260131120000ZZ", "-0260131120000Z", "20260131120061Z"] {
            check(bad, None);
        }
    }
}
