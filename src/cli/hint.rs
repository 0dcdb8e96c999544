//! What to do about a failure: the second line below its message.

use crate::cycle::{CycleError, SourceError, StoreError, TargetError};

/// What to do about a failed cycle.
pub fn of_cycle(error: &CycleError) -> Option<&'static str> {
    match error {
        CycleError::Source(error) => Some(of_source(error)),
        CycleError::Target(error) => of_target(error),
        CycleError::Store(error) => Some(of_store(error)),
        CycleError::WrongTarget { .. } => Some(
            "if the target was emptied or replaced on purpose, give it a new name in the configuration: links belong to a \
             target's name, and under a new one everything is found or created afresh",
        ),
        CycleError::Stopped => None,
    }
}

/// What to do about the directory.
fn of_source(error: &SourceError) -> &'static str {
    match error {
        SourceError::Unreachable(_) => {
            "check the source's urls, name resolution, firewall and ca_file; `ldap2scim check` tries the connection alone"
        }
        SourceError::Refused { .. } => {
            "check how the source binds (bind.dn and password, certificate or ticket) and that the account is neither locked nor \
             expired; a password that the server called wrong is not tried again until it changes"
        }
        SourceError::Failed { .. } => "check base_dn and filter, and that the bind account may search there",
        SourceError::Interrupted { .. } => "every server of the source fails again and again while it is read; see their logs",
        SourceError::Secret(_) => "check the source's bind.password and that this user may read it",
    }
}

/// What to do about the target.
fn of_target(error: &TargetError) -> Option<&'static str> {
    match error {
        TargetError::Unauthorized(_) => {
            Some("check the target's auth and what it may do there; a secret that ran out must be made anew at the provider")
        }
        TargetError::Unavailable(_) => Some(
            "if the target does not ask for patience, check its base_url, proxy, ca_file and preset, and the network; \
                 what was done is kept, and the next cycle goes on from there",
        ),
        TargetError::Protocol(_) => {
            Some("check that the target's base_url is its SCIM endpoint, such as https://…/scim/v2, and that its preset fits")
        }
        TargetError::Secret(_) => Some("check the target's auth and that this user may read its secret"),
        TargetError::Conflict(_) | TargetError::NotFound | TargetError::Rejected { .. } | TargetError::AnswerLost(_) => None,
    }
}

/// What to do about the store.
fn of_store(error: &StoreError) -> &'static str {
    match error {
        StoreError::Locked { .. } => {
            "only one process writes: stop the other first (systemctl stop ldap2scim) or leave the work to it; \
             check, dry-run, status and explain work beside it"
        }
        StoreError::Newer { .. } => "install the newer version again, or restore the state directory from before it",
        StoreError::Unusable { .. } => {
            "check that state_dir is right and that this user may write there; `run` and `sync` are meant for the service's user"
        }
        StoreError::Failed(_) => "check the disk's space and health; nothing is sent that cannot be recorded",
    }
}
