//! Deletions in Active Directory for an account that is not shown what was deleted: the ids of all are read now and then.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::cycle::SourceError;
use crate::ldap::search::SearchError;
use crate::ldap::session::Session;
use crate::model::{Dn, EntryId, Moment, Wanted};

use super::domain_controller as controller;

/// Between two readings of all ids. A domain controller gives out 100,000 ids in some ten seconds: that is about a
/// hundredth of its time, and a deletion is noticed within it.
const IDS_EVERY: Duration = Duration::from_secs(600);

/// What an admin should know of an account that is shown nothing.
pub const NOT_SHOWN: &str = "no deleted entry can be seen, so the ids of all are read every 10 minutes to find deletions: grant the \
     bind account the right to list and read CN=Deleted Objects";

/// The ids of all who are there, where it is time to read them and deletions are not shown; and when it was last known,
/// in milliseconds since 1970.
pub async fn present(
    session: &Session,
    contexts: &[Dn],
    wanted: &Wanted,
    last: i64,
) -> Result<(Option<BTreeSet<EntryId>>, i64), SourceError> {
    if !is_due(last, session.opened) {
        return Ok((None, last));
    }
    match ids(session, contexts, wanted).await {
        Err(error) if error.ends_session() => Err(controller::failed(session, "the ids of all entries", &error)),
        Err(error) => {
            tracing::warn!(url = %session.url, %error, "the ids of all entries could not be read, so deletions are not found now");
            Ok((None, last))
        }
        Ok(present) => Ok((present, session.opened.0)),
    }
}

/// The ids of all, unless deletions are shown as such.
async fn ids(session: &Session, contexts: &[Dn], wanted: &Wanted) -> Result<Option<BTreeSet<EntryId>>, SearchError> {
    if controller::sees_deleted(session, contexts).await? {
        return Ok(None);
    }
    controller::present(session, contexts, wanted).await.map(Some)
}

/// True if the ids are to be read again; also if the clock was put back.
fn is_due(last: i64, now: Moment) -> bool {
    let wait = i64::try_from(IDS_EVERY.as_millis()).unwrap_or(i64::MAX);
    now.0 < last || now.0.saturating_sub(last) >= wait
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ids_are_read_every_ten_minutes() {
        let minute = 60_000;
        assert!(!is_due(0, Moment(10 * minute - 1)));
        assert!(is_due(0, Moment(10 * minute)));
        assert!(is_due(1, Moment(0)));
    }
}
