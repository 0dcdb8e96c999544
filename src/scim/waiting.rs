//! How long to wait: what the provider asks for, and what we choose ourselves.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::Retry;

/// Headers that say when a limit begins anew.
const RESETS: [&str; 3] = ["x-ratelimit-reset", "x-rate-limit-reset", "ratelimit-reset"];

/// Headers that say how many requests are left until then.
const REMAINING: [&str; 3] = ["x-ratelimit-remaining", "x-rate-limit-remaining", "ratelimit-remaining"];

/// The wait that an answer asks for, if it asks understandably. `header` finds a header by its lower-case name.
///
/// `Retry-After` in seconds or as a date (RFC 9110 §10.2.3); a date that is past means now. Without one, the
/// reset headers that rate limiters send: seconds to go, or an epoch in seconds or milliseconds, told apart by size.
pub(super) fn asked<'a>(header: impl Fn(&str) -> Option<&'a str>, now: SystemTime) -> Option<Duration> {
    if let Some(wait) = header("retry-after").and_then(|text| retry_after(text.trim(), now)) {
        return Some(wait);
    }
    reset(&header, now)
}

/// The wait that an answer announces which is no refusal: nothing is left of a limit until it begins anew.
pub(super) fn announced<'a>(header: impl Fn(&str) -> Option<&'a str>, now: SystemTime) -> Option<Duration> {
    let left = REMAINING.iter().find_map(|name| header(name)).map(str::trim);
    let left = left.or_else(|| part(header("ratelimit")?, &["remaining", "r"]));
    if left? == "0" { reset(&header, now) } else { None }
}

/// True if an answer says that nothing is left of a limit, whenever that begins anew.
pub(super) fn is_used_up<'a>(header: impl Fn(&str) -> Option<&'a str>) -> bool {
    REMAINING.iter().any(|name| header(name).is_some_and(|left| left.trim() == "0"))
}

fn retry_after(text: &str, now: SystemTime) -> Option<Duration> {
    if !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_digit()) {
        // More digits than a number holds is long all the same.
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

fn reset<'a>(header: &impl Fn(&str) -> Option<&'a str>, now: SystemTime) -> Option<Duration> {
    let text = RESETS.iter().find_map(|name| header(name)).or_else(|| part(header("ratelimit")?, &["reset", "t"]))?;
    // Some send fractions of a second.
    let number: f64 = text.trim().parse().ok()?;
    let wait = |seconds: f64| Duration::try_from_secs_f64(seconds).ok();
    let until = |epoch: Duration| UNIX_EPOCH.checked_add(epoch).map(|end| end.duration_since(now).unwrap_or_default());
    match number {
        epoch if epoch > 1e12 => until(wait(epoch / 1000.0)?),
        epoch if epoch > 1e9 => until(wait(epoch)?),
        seconds => wait(seconds),
    }
}

/// A part of `RateLimit`, in the forms that its drafts had (draft-ietf-httpapi-ratelimit-headers): `limit=10,
/// remaining=0, reset=5`, and later `"default";r=0;t=5`. Of several limits the first counts.
fn part<'a>(text: &'a str, names: &[&str]) -> Option<&'a str> {
    let pairs = text.split([',', ';']).filter_map(|pair| pair.split_once('='));
    let mut values = pairs.filter(|(name, _)| names.contains(&name.trim())).map(|(_, value)| value.trim());
    values.next()
}

/// Our own wait before try number `failed` + 1: between zero and a bound that doubles ("full jitter").
pub(super) fn backoff(retry: &Retry, failed: u32) -> Duration {
    let bound = retry.base.saturating_mul(2_u32.saturating_pow(failed.saturating_sub(1))).min(retry.max);
    bound.mul_f64(fastrand::f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    type Headers = [(&'static str, &'static str)];

    fn of(headers: &Headers) -> impl Fn(&str) -> Option<&'static str> {
        |name| headers.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }

    fn now() -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_800_000_000)
    }

    fn check(headers: &Headers, expected: Option<u64>) {
        assert_eq!(asked(of(headers), now()), expected.map(Duration::from_secs), "{headers:?}");
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
        check(&[("retry-after", "3"), ("x-ratelimit-reset", "12")], Some(3));
        check(&[("x-ratelimit-reset", "1800000060")], Some(60));
        check(&[("x-ratelimit-reset", "1800000060.0")], Some(60));
        check(&[("x-rate-limit-reset", "1800000060000")], Some(60));
        check(&[("ratelimit-reset", "1700000000")], Some(0));
        check(&[("ratelimit-reset", "1700000000000")], Some(0));
        check(&[("ratelimit", "limit=100, remaining=0, reset=9")], Some(9));
        check(&[("ratelimit", r#""default";r=0;t=8"#)], Some(8));
        check(&[("ratelimit-reset", "4"), ("ratelimit", "limit=100, remaining=0, reset=9")], Some(4));
        for garbage in ["", "soon", "-5", "NaN", "inf", "1e300", "limit", "t=", "reset=soon"] {
            check(&[("x-ratelimit-reset", garbage)], None);
            check(&[("ratelimit", garbage)], None);
        }
        check(&[], None);
    }

    #[test]
    fn an_answer_that_was_the_last_one_for_now_says_until_when() {
        let check = |headers: &Headers, expected: Option<u64>| {
            assert_eq!(announced(of(headers), now()), expected.map(Duration::from_secs), "{headers:?}");
        };
        check(&[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1800000007")], Some(7));
        check(&[("x-rate-limit-remaining", " 0 "), ("x-rate-limit-reset", "7")], Some(7));
        check(&[("ratelimit-remaining", "0"), ("ratelimit-reset", "7"), ("ratelimit-limit", "100")], Some(7));
        check(&[("ratelimit", "limit=100, remaining=0, reset=7")], Some(7));
        check(&[("ratelimit", r#""burst";r=0;t=7"#), ("ratelimit-policy", r#""burst";q=100;w=60"#)], Some(7));
        check(&[("x-ratelimit-remaining", "1"), ("x-ratelimit-reset", "7")], None);
        check(&[("ratelimit", "limit=100, remaining=50, reset=7")], None);
        check(&[("x-ratelimit-remaining", "0")], None);
        check(&[("x-ratelimit-remaining", "many"), ("x-ratelimit-reset", "7")], None);
        check(&[("x-ratelimit-reset", "7")], None);
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
