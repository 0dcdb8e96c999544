//! Attributes that mark an account as disabled, whichever server keeps them.

use crate::ldap::moment::generalized_time;
use crate::ldap::raw_entry::RawEntry;
use crate::model::{Moment, Status};

/// Netscape's descendants: `true` means that nobody may bind. Returned only if asked for by name.
pub const ACCOUNT_LOCK: &str = "nsAccountLock";

/// The password policy draft (behera §5.3.3): when the account was locked.
pub const LOCKED_TIME: &str = "pwdAccountLockedTime";

/// The same draft: the value of an account that only an administrator unlocks. Any other value is a
/// lockout that passes by itself, which takes nobody's access away.
const LOCKED_FOR_GOOD: &str = "000001010000Z";

/// The attributes that tell the time in which an account may be used.
#[derive(Debug, Clone, Copy, Default)]
pub struct Term {
    /// From when on.
    pub from: Option<&'static str>,
    /// Until when.
    pub until: Option<&'static str>,
}

/// Disabled if any of the attributes says so, or the present is not within the term; and when that becomes otherwise.
pub fn status(entry: &RawEntry, disabling: &[&str], term: Term, now: Moment) -> (Status, Option<Moment>) {
    let is_true = |value: &str| value.eq_ignore_ascii_case("true");
    let marked = disabling.iter().any(|name| {
        entry.values(name).iter().filter_map(|value| value.text()).map(str::trim).any(|value| match *name {
            LOCKED_TIME => value == LOCKED_FOR_GOOD,
            _ => is_true(value),
        })
    });
    if marked {
        return (Status::Disabled, None);
    }
    match (bound(entry, term.from), bound(entry, term.until)) {
        (Bound::Unreadable, _) | (_, Bound::Unreadable) => (Status::Unknown, None),
        (from, until) => within(from.moment(), until.moment(), now),
    }
}

/// The status of an account that may be used from one moment until another.
pub fn within(from: Option<Moment>, until: Option<Moment>, now: Moment) -> (Status, Option<Moment>) {
    match (from, until) {
        (_, Some(until)) if until <= now => (Status::Disabled, None),
        (Some(from), Some(until)) if until <= from => (Status::Disabled, None),
        (Some(from), _) if now < from => (Status::Disabled, Some(from)),
        (_, until) => (Status::Enabled, until),
    }
}

/// An end of the term.
#[derive(Debug, Clone, Copy)]
enum Bound {
    Open,
    At(Moment),
    /// Several values, or one that is no time.
    Unreadable,
}

impl Bound {
    fn moment(self) -> Option<Moment> {
        match self {
            Self::At(moment) => Some(moment),
            Self::Open | Self::Unreadable => None,
        }
    }
}

fn bound(entry: &RawEntry, name: Option<&str>) -> Bound {
    match name.map_or(&[][..], |name| entry.values(name)) {
        [] => Bound::Open,
        [value] => value.text().and_then(|text| generalized_time(text.trim())).map_or(Bound::Unreadable, Bound::At),
        _ => Bound::Unreadable,
    }
}
