//! How many requests may go out: windows of time, for all requests and for kinds of them.

use std::time::Duration;

use super::Kind;

/// So many requests in any stretch of time of this length.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Window {
    /// How many; more than zero.
    pub requests: f64,
    /// The stretch.
    pub period: Duration,
}

/// What a target allows. Every window that a request falls under must have room for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Rates {
    /// For all requests together.
    pub all: Vec<Window>,
    /// Requests that may go at once after a rest; at least one.
    pub burst: u32,
    /// For look-ups and lists.
    pub read: Vec<Window>,
    /// For creates of users.
    pub user_create: Vec<Window>,
    /// For changes of users.
    pub user_update: Vec<Window>,
    /// For whatever is done to groups.
    pub group_update: Vec<Window>,
}

impl Rates {
    /// One rate for everything.
    pub fn per_second(requests: f64, burst: u32) -> Self {
        let all = vec![Window { requests, period: Duration::from_secs(1) }];
        Self { all, burst, read: Vec::new(), user_create: Vec::new(), user_update: Vec::new(), group_update: Vec::new() }
    }

    /// The windows of one kind.
    pub fn of(&self, kind: Kind) -> &[Window] {
        match kind {
            Kind::Read => &self.read,
            Kind::UserCreate => &self.user_create,
            Kind::UserUpdate => &self.user_update,
            Kind::GroupUpdate => &self.group_update,
        }
    }
}

impl Window {
    /// `1000 user creates an hour`.
    pub(super) fn told(&self, what: &str) -> String {
        let period = match self.period.as_secs() {
            1 => "a second".to_owned(),
            60 => "a minute".to_owned(),
            3600 => "an hour".to_owned(),
            _ => format!("in {} s", self.period.as_secs_f64()),
        };
        format!("{} {what} {period}", self.requests)
    }
}

/// A longer window is a slip of the pen: nobody counts over more than a month.
const LONGEST_PERIOD: u64 = 31 * 24 * 3600;

/// Units of a window, as they are written.
const UNITS: &[(&str, u64)] = &[("s", 1), ("min", 60), ("h", 3600)];

/// `25/s, 600/min`; `unlimited` for none.
pub(super) fn text(windows: &[Window]) -> String {
    let one = |window: &Window| {
        let seconds = window.period.as_secs();
        let unit = UNITS
            .iter()
            .find(|(_, length)| *length == seconds)
            .map_or_else(|| format!("{seconds}s"), |(unit, _)| (*unit).to_owned());
        format!("{}/{unit}", window.requests)
    };
    if windows.is_empty() { "unlimited".to_owned() } else { windows.iter().map(one).collect::<Vec<_>>().join(", ") }
}

/// Reads what [`text`] writes; a period may also be a number of seconds: `5/30s`.
pub(super) fn parse(text: &str) -> Result<Vec<Window>, String> {
    if text == "unlimited" {
        return Ok(Vec::new());
    }
    let wrong = || "must be written like 25/s, 600/min, 1000/h or 5/30s".to_owned();
    let one = |part: &str| {
        let (requests, unit) = part.trim().split_once('/')?;
        let requests: f64 = requests.parse().ok().filter(|number: &f64| number.is_finite() && *number > 0.0)?;
        let known = UNITS.iter().find(|(known, _)| *known == unit).map(|(_, seconds)| *seconds);
        let seconds =
            known.or_else(|| unit.strip_suffix('s')?.parse().ok()).filter(|seconds| (1..=LONGEST_PERIOD).contains(seconds))?;
        Some(Window { requests, period: Duration::from_secs(seconds) })
    };
    text.split(',').map(|part| one(part).ok_or_else(wrong)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_written_and_read_alike() {
        for (written, again) in [
            ("25/s", "25/s"),
            ("0.5/s, 600/min,1000/h", "0.5/s, 600/min, 1000/h"),
            ("5/30s", "5/30s"),
            ("unlimited", "unlimited"),
        ] {
            assert_eq!(text(&parse(written).unwrap()), again);
        }
        for wrong in ["", "25", "0/s", "-1/s", "x/s", "5/0s", "5/day", "inf/s", "5/99999999s"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
