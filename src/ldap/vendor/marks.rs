//! Attributes that mark an account as disabled, whichever server keeps them.

use crate::ldap::raw_entry::RawEntry;
use crate::model::Status;

/// Netscape's descendants: `true` means that nobody may bind. Returned only if asked for by name.
pub const ACCOUNT_LOCK: &str = "nsAccountLock";

/// The password policy draft (behera §5.3.3): when the account was locked.
pub const LOCKED_TIME: &str = "pwdAccountLockedTime";

/// The same draft: the value of an account that only an administrator unlocks. Any other value is a
/// lockout that passes by itself, which takes nobody's access away.
const LOCKED_FOR_GOOD: &str = "000001010000Z";

/// Disabled if any of the attributes says so.
pub fn status(entry: &RawEntry, disabling: &[&str]) -> Status {
    let is_true = |value: &str| value.eq_ignore_ascii_case("true");
    let marked = disabling.iter().any(|name| {
        entry.values(name).iter().filter_map(|value| value.text()).map(str::trim).any(|value| match *name {
            LOCKED_TIME => value == LOCKED_FOR_GOOD,
            _ => is_true(value),
        })
    });
    if marked { Status::Disabled } else { Status::Enabled }
}
