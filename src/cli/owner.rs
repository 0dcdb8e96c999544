//! Root does not write into another user's state: what it made there the service could not use, and what that user
//! put there root would follow.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::exit::Exit;
use super::failure::Failure;

const ROOT: u32 = 0;

/// Refuses to write as root into a state directory that belongs to somebody else.
pub fn check(state_dir: &Path) -> Result<(), Failure> {
    let owner = |path: &Path| path.metadata().ok().map(|found| found.uid());
    // The process's own directory belongs to its effective user (proc_pid(5)).
    match refused(owner(Path::new("/proc/self")), owner(state_dir)) {
        None => Ok(()),
        Some(owner) => Err(Failure {
            exit: Exit::Usage,
            message: format!(
                "{} belongs to the user with the id {owner}, and this is root: what it wrote there, the service could not use",
                state_dir.display()
            ),
            hint: Some(
                "run it as that user, for example: sudo -u ldap2scim ldap2scim sync; `status`, `check` and `dry-run` may be run as root",
            ),
        }),
    }
}

/// The owner, if root is not to write there.
fn refused(we: Option<u32>, owner: Option<u32>) -> Option<u32> {
    owner.filter(|owner| we == Some(ROOT) && *owner != ROOT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_writes_into_its_own_state_only() {
        for (we, owner, expected) in [
            (Some(0), Some(998), Some(998)),
            (Some(0), Some(0), None),
            (Some(0), None, None),
            (Some(998), Some(998), None),
            (Some(1000), Some(998), None),
            (None, Some(998), None),
        ] {
            assert_eq!(refused(we, owner), expected, "{we:?} {owner:?}");
        }
    }
}
