//! Rows of requests that a target refused for what they say.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, Row, params};

use crate::model::{EntryId, Refused};

use super::fault::Fault;

/// The first refusal may have been the target's bad day: the next cycle tries once more.
const TRIED_AT_ONCE: i64 = 1;

/// After that it is left alone for so long, and twice as long each time,
const FIRST_WAIT: SignedDuration = SignedDuration::from_hours(1);

/// up to so long: a target that was mended is noticed within a day.
const LONGEST_WAIT: SignedDuration = SignedDuration::from_hours(24);

/// Writes a refusal down, or that it happened once more.
pub(super) fn put(
    connection: &Connection,
    target: &str,
    entry_id: &EntryId,
    digest: &str,
    why: &str,
    now: i64,
) -> Result<(), Fault> {
    connection
        .prepare_cached(
            "INSERT INTO refused (target, entry_id, digest, why, times, refused_at) VALUES (?1, ?2, ?3, ?4, 1, ?5)
             ON CONFLICT (target, entry_id, digest) DO UPDATE SET
                 why = excluded.why, times = times + 1, refused_at = excluded.refused_at",
        )?
        .execute(params![target, entry_id.as_str(), digest, why, now])?;
    Ok(())
}

/// The entry's resource acknowledged something, or is gone: whatever was refused may be taken now.
pub(super) fn forget(connection: &Connection, target: &str, entry_id: &EntryId) -> Result<(), Fault> {
    connection.prepare_cached("DELETE FROM refused WHERE target = ?1 AND entry_id = ?2")?.execute([target, entry_id.as_str()])?;
    Ok(())
}

/// Everything that a target refused.
pub(super) fn read(connection: &Connection, target: &str, now: Timestamp) -> Result<BTreeMap<EntryId, Vec<Refused>>, Fault> {
    let mut statement = connection
        .prepare_cached("SELECT entry_id, digest, why, times, refused_at FROM refused WHERE target = ?1 ORDER BY id")?;
    let mut rows = statement.query([target])?;
    let mut refused: BTreeMap<EntryId, Vec<Refused>> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let entry_id = EntryId::new(row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?);
        refused.entry(entry_id).or_default().push(refusal(row, now)?);
    }
    Ok(refused)
}

/// What it refused of one entry: a query for [`read_one`].
pub(super) const OF_ONE: &str =
    "SELECT entry_id, digest, why, times, refused_at FROM refused WHERE target = ?1 AND entry_id = ?2 ORDER BY id";

/// What a target refused of one entry.
pub(super) fn read_one(connection: &Connection, target: &str, entry_id: &EntryId, now: Timestamp) -> Result<Vec<Refused>, Fault> {
    let mut statement = connection.prepare_cached(OF_ONE)?;
    let refused = statement.query_map([target, entry_id.as_str()], |row| refusal(row, now))?.collect::<Result<_, _>>()?;
    Ok(refused)
}

fn refusal(row: &Row<'_>, now: Timestamp) -> rusqlite::Result<Refused> {
    let due_at = row.get::<_, i64>(4)?.saturating_add(wait(row.get(3)?));
    Ok(Refused { digest: row.get(1)?, why: row.get(2)?, due: due_at <= now.as_millisecond() })
}

/// Milliseconds that a request which was refused so often is left alone.
fn wait(times: i64) -> i64 {
    let first = i64::try_from(FIRST_WAIT.as_millis()).unwrap_or(i64::MAX);
    let longest = i64::try_from(LONGEST_WAIT.as_millis()).unwrap_or(i64::MAX);
    if times <= TRIED_AT_ONCE {
        return 0;
    }
    let doubled = u32::try_from(times - TRIED_AT_ONCE - 1).ok().and_then(|times| 1_i64.checked_shl(times)).filter(|n| *n > 0);
    doubled.and_then(|factor| first.checked_mul(factor)).unwrap_or(longest).min(longest)
}

/// Forgets what nobody asked about for a week: its values changed, or its entry left.
pub(super) fn sweep(connection: &Connection, now: Timestamp) -> Result<(), Fault> {
    let old = now.checked_sub(SignedDuration::from_hours(7 * 24)).unwrap_or(Timestamp::MIN).as_millisecond();
    connection.execute("DELETE FROM refused WHERE refused_at < ?1", [old])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_from_none_to_a_day() {
        let hours: Vec<i64> = [1, 2, 3, 4, 5, 6, 7, 70, i64::MAX].into_iter().map(|times| wait(times) / 3_600_000).collect();
        assert_eq!(hours, [0, 1, 2, 4, 8, 16, 24, 24, 24]);
    }
}
