//! Moments as directories write them (RFC 4517 §3.3.13), to the second.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// Seconds since 1970 of a time such as `20261123044500Z` or `20261123044500.123456Z`; fractions are cut. `None` for
/// forms that no server writes into its own attributes.
pub(super) fn seconds(text: &str) -> Option<i64> {
    let (whole, rest) = text.split_at_checked(14)?;
    let fraction = rest.strip_suffix('Z')?;
    let plain =
        fraction.is_empty() || fraction.strip_prefix('.').is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_digit()));
    let time = DateTime::strptime("%Y%m%d%H%M%S", whole).ok().filter(|_| plain)?;
    time.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp().as_second())
}

/// The text of a moment, for a filter.
pub(super) fn text(seconds: i64) -> String {
    let time = Timestamp::from_second(seconds.max(0)).unwrap_or(Timestamp::UNIX_EPOCH);
    time.strftime("%Y%m%d%H%M%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_and_written_to_the_second() {
        assert_eq!(seconds("19700101000010Z"), Some(10));
        assert_eq!(seconds("19700101000010.987Z"), Some(10));
        assert_eq!(text(10), "19700101000010Z");
        assert_eq!(seconds(&text(1_795_408_999)), Some(1_795_408_999));
        for bad in ["", "1970", "19700101000010", "19700101000010+0100", "19701301000010Z", "1970010100001é0Z"] {
            assert_eq!(seconds(bad), None, "{bad}");
        }
    }
}
