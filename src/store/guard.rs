//! The guard's rolling window: what took access away, and when.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, params};

use crate::cycle::IntentId;
use crate::model::{EntryId, LinkedCounts, WindowTally};
use crate::plan::Tally;

use super::cycle::CycleRow;
use super::fault::Fault;

/// Writes down what an intent takes away.
pub(super) fn count(
    connection: &Connection,
    cycle: &CycleRow,
    intent: IntentId,
    entry_id: &EntryId,
    tally: &Tally,
    now: i64,
) -> Result<(), Fault> {
    let Tally { users_absent, users_disabled, groups, memberships, identity } = *tally;
    let kinds = [
        ("users_absent", users_absent),
        ("users_disabled", users_disabled),
        ("groups", groups),
        ("memberships", memberships),
        ("identity", identity),
    ];
    for (kind, amount) in kinds.into_iter().filter(|(_, amount)| *amount > 0) {
        connection
            .prepare_cached(
                "INSERT INTO guard_event (channel, target, kind, entry_id, amount, at, journal_id)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute(params![
                cycle.channel,
                cycle.target,
                kind,
                entry_id.as_str(),
                i64::try_from(amount).unwrap_or(i64::MAX),
                now,
                intent.0
            ])?;
    }
    Ok(())
}

/// Takes back what a refused intent was counted with.
pub(super) fn take_back(connection: &Connection, intent: IntentId) -> Result<(), Fault> {
    connection.prepare_cached("DELETE FROM guard_event WHERE journal_id = ?1")?.execute([intent.0])?;
    Ok(())
}

/// A request sent again because its answer was lost takes away once, not twice: what `older` counted
/// of the kinds that `newer` counts too is dropped.
pub(super) fn count_once(connection: &Connection, older: IntentId, newer: IntentId) -> Result<(), Fault> {
    connection
        .prepare_cached(
            "DELETE FROM guard_event WHERE journal_id = ?1
             AND kind IN (SELECT kind FROM guard_event WHERE journal_id = ?2)",
        )?
        .execute([older.0, newer.0])?;
    Ok(())
}

/// What was taken from one group counts as taken from another, whose resource it is now.
pub(super) fn hand_over(connection: &Connection, target: &str, from: &EntryId, to: &EntryId) -> Result<(), Fault> {
    connection.prepare_cached("UPDATE guard_event SET entry_id = ?3 WHERE target = ?1 AND entry_id = ?2")?.execute([
        target,
        from.as_str(),
        to.as_str(),
    ])?;
    Ok(())
}

/// What the channel took away since a time, and what it claimed then.
/// While answers are lost, the same user or group counts once per kind, however often it was sent; and so does a group
/// that is emptied, however many requests and cycles that takes.
pub(super) fn tally(connection: &Connection, target: &str, channel: &str, since: i64) -> Result<WindowTally, Fault> {
    let mut tally = WindowTally { linked_then: linked_at(connection, target, channel, since)?, ..WindowTally::default() };
    let mut several: BTreeMap<(String, EntryId), u64> = BTreeMap::new();
    let mut statement = connection.prepare_cached(
        "SELECT guard_event.kind, guard_event.entry_id, guard_event.amount,
                (journal.id IS NOT NULL AND journal.closed_at IS NULL)
                OR (guard_event.kind = 'groups' AND journal.action = 'update')
         FROM guard_event LEFT JOIN journal ON journal.id = guard_event.journal_id
         WHERE guard_event.channel = ?1 AND guard_event.target = ?2 AND guard_event.at >= ?3",
    )?;
    let mut rows = statement.query(params![channel, target, since])?;
    while let Some(row) = rows.next()? {
        let (kind, entry_id): (String, _) = (row.get(0)?, EntryId::new(row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?));
        let (amount, once) = (u64::try_from(row.get::<_, i64>(2)?).unwrap_or_default(), row.get(3)?);
        if once && kind != "memberships" {
            let most = several.entry((kind, entry_id)).or_default();
            *most = amount.max(*most);
        } else {
            add(&mut tally, &kind, entry_id, amount)?;
        }
    }
    for ((kind, entry_id), amount) in several {
        add(&mut tally, &kind, entry_id, amount)?;
    }
    Ok(tally)
}

fn add(tally: &mut WindowTally, kind: &str, entry_id: EntryId, amount: u64) -> Result<(), Fault> {
    match kind {
        "users_absent" => tally.users_absent += amount,
        "users_disabled" => tally.users_disabled += amount,
        "groups" => tally.groups += amount,
        "identity" => tally.identity += amount,
        "memberships" => {
            tally.memberships += amount;
            *tally.per_group.entry(entry_id).or_default() += amount;
        }
        other => return Fault::told(format!("holds the unknown word {other:?}")),
    }
    Ok(())
}

/// What the channel claimed when its last cycle at or before a time began.
fn linked_at(connection: &Connection, target: &str, channel: &str, at: i64) -> Result<Option<LinkedCounts>, Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT linked_users, linked_groups, linked_memberships FROM cycle
         WHERE channel = ?1 AND target = ?2 AND started_at <= ?3 ORDER BY started_at DESC, id DESC LIMIT 1",
    )?;
    let number =
        |row: &rusqlite::Row<'_>, at| Ok::<_, rusqlite::Error>(u64::try_from(row.get::<_, i64>(at)?).unwrap_or_default());
    Ok(statement
        .query_row(params![channel, target, at], |row| {
            Ok(LinkedCounts { users: number(row, 0)?, groups: number(row, 1)?, memberships: number(row, 2)? })
        })
        .optional()?)
}
