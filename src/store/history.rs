//! Sweeping history that nobody needs any more.

use jiff::{SignedDuration, Timestamp};
use rusqlite::Connection;

use crate::cycle::CycleId;

use super::fault::Fault;
use super::{refused, roster};

/// Closed journal rows and the cycles between the kept ones live this long.
const HISTORY: SignedDuration = SignedDuration::from_hours(90 * 24);

/// Events of the guard live longer than any window that makes sense.
const GUARD_EVENTS: SignedDuration = SignedDuration::from_hours(2 * 365 * 24);

/// A sweep in so many cycles: every few hours at one cycle in five minutes.
const EVERY: i64 = 50;

/// True if a sweep goes with the end of this cycle.
pub(super) fn is_due(cycle: CycleId) -> bool {
    cycle.0 % EVERY == 0
}

/// Removes what is old. Open intents stay with their cycles. Of old cycles the last of each day stays,
/// as the guard's base for windows of any length, and each channel's last one that did not fail.
/// Where a channel stands goes when it had no cycle for as long as history is kept.
pub(super) fn sweep(connection: &Connection, now: Timestamp) -> Result<(), Fault> {
    let before = |age| now.checked_sub(age).unwrap_or(Timestamp::MIN).as_millisecond();
    let old = before(HISTORY);
    connection
        .execute("DELETE FROM journal WHERE closed_at < ?1 AND cycle IN (SELECT id FROM cycle WHERE started_at < ?1)", [old])?;
    connection.execute(
        "DELETE FROM cycle WHERE started_at < ?1 AND ended_at IS NOT NULL
         AND id NOT IN (SELECT cycle FROM journal)
         AND id NOT IN (SELECT max(id) FROM cycle GROUP BY channel, target, started_at / 86400000)
         AND id NOT IN (SELECT max(id) FROM cycle WHERE ended_as <> 'failed' AND started_by <> 'preview' GROUP BY channel, target)",
        [old],
    )?;
    connection.execute("DELETE FROM guard_event WHERE at < ?1", [before(GUARD_EVENTS)])?;
    refused::sweep(connection, now)?;
    roster::sweep(connection, old)?;
    connection.execute("DELETE FROM member WHERE id NOT IN (SELECT member_id FROM membership)", [])?;
    Ok(())
}
