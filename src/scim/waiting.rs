//! How long to wait: what the provider asks for, and what we choose ourselves.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::Retry;

/// The wait that an answer asks for, if it asks understandably. `header` finds a header by its lower-case name.
///
/// `Retry-After` in seconds or as a date (RFC 9110 §10.2.3); a date that is past means now. Without one, the
/// reset headers that rate limiters send: seconds to go, or an epoch in seconds or milliseconds, told apart by size.
pub(super) fn asked<'a>(header: impl Fn(&str) -> Option<&'a str>, now: SystemTime) -> Option<Duration> {
    if let Some(wait) = header("retry-after").and_then(|text| retry_after(text.trim(), now)) {
        return Some(wait);
    }
    let reset = ["x-ratelimit-reset", "x-rate-limit-reset", "ratelimit-reset"].iter().find_map(|name| header(name))?;
    let number: u64 = reset.trim().parse().ok()?;
    let until = |epoch: Duration| (UNIX_EPOCH + epoch).duration_since(now).unwrap_or_default();
    Some(match number {
        0..=1_000_000_000 => Duration::from_secs(number),
        1_000_000_001..=1_000_000_000_000 => until(Duration::from_secs(number)),
        _ => until(Duration::from_millis(number)),
    })
}

fn retry_after(text: &str, now: SystemTime) -> Option<Duration> {
    if !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_digit()) {
        // More digits than a number holds is long all the same.
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

/// Our own wait before try number `failed` + 1: between zero and a bound that doubles ("full jitter").
pub(super) fn backoff(retry: &Retry, failed: u32) -> Duration {
    let bound = retry.base.saturating_mul(2_u32.saturating_pow(failed.saturating_sub(1))).min(retry.max);
    bound.mul_f64(fastrand::f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(headers: &[(&str, &str)], expected: Option<u64>) {
        let now = UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let header = |name: &str| headers.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
        assert_eq!(asked(header, now), expected.map(Duration::from_secs), "{headers:?}");
    }

    #[test]
    fn every_form_of_asking_is_understood_and_garbage_is_not() {
        check(&[("retry-after", "7")], Some(7));
        check(&[("retry-after", " 0 ")], Some(0));
        check(&[("retry-after", "Fri, 15 Jan 2027 08:00:30 GMT")], Some(30));
        check(&[("retry-after", "Fri, 15 Jan 2027 07:00:00 GMT")], Some(0));
        check(&[("retry-after", "99999999999999999999999")], Some(u64::MAX));
        for garbage in ["", "soon", "-5", "1.5", "Fri, 99 Foo 2027"] {
            check(&[("retry-after", garbage)], None);
        }
        check(&[("retry-after", "soon"), ("x-ratelimit-reset", "12")], Some(12));
        check(&[("x-ratelimit-reset", "1800000060")], Some(60));
        check(&[("x-rate-limit-reset", "1800000060000")], Some(60));
        check(&[("ratelimit-reset", "1700000000")], Some(0));
        check(&[], None);
    }

    #[test]
    fn backoff_grows_to_its_bound_and_not_beyond() {
        let retry = Retry { base: Duration::from_millis(100), max: Duration::from_millis(350), ..Retry::default() };
        for (failed, bound) in [(1, 100), (2, 200), (3, 350), (4, 350), (u32::MAX, 350)] {
            for _ in 0..50 {
                assert!(backoff(&retry, failed) <= Duration::from_millis(bound), "after {failed}");
            }
        }
    }
}
