//! Rows of cycles, and what a finished cycle replaces: held entries and quarantine.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, OptionalExtension, params};
use serde_json::Value as Json;

use crate::cycle::{CycleId, CycleStart, CycleSummary};
use crate::model::{DnKey, EntryId};
use crate::plan::Held;

use super::fault::Fault;
use super::words::Word;

/// A cycle and what its rows are keyed by.
pub(super) struct CycleRow {
    pub(super) id: CycleId,
    pub(super) channel: String,
    pub(super) target: String,
}

/// Opens a cycle.
pub(super) fn begin(connection: &Connection, start: &CycleStart, now: i64) -> Result<CycleId, Fault> {
    let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    connection
        .prepare_cached(
            "INSERT INTO cycle (channel, target, started_by, started_at, linked_users, linked_groups, linked_memberships)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            start.channel.as_str(),
            start.target.as_str(),
            start.trigger.word(),
            now,
            number(start.linked.users),
            number(start.linked.groups),
            number(start.linked.memberships),
        ])?;
    Ok(CycleId(connection.last_insert_rowid()))
}

/// A cycle that runs.
pub(super) fn running(connection: &Connection, id: CycleId) -> Result<CycleRow, Fault> {
    let mut statement = connection.prepare_cached("SELECT channel, target FROM cycle WHERE id = ?1 AND ended_at IS NULL")?;
    let row = statement.query_row([id.0], |row| Ok(CycleRow { id, channel: row.get(0)?, target: row.get(1)? })).optional()?;
    row.map_or_else(|| Fault::told(format!("cycle {} is not running", id.0)), Ok)
}

/// Closes a cycle. Held entries and quarantine that stay as they were are not written again.
pub(super) fn finish(connection: &Connection, cycle: &CycleRow, summary: &CycleSummary, now: i64) -> Result<(), Fault> {
    let messages: Json = summary.messages.iter().map(String::as_str).collect();
    let counts: Json =
        summary.counts.iter().map(|(name, count)| Json::from(vec![Json::from(*name), Json::from(*count)])).collect();
    connection
        .prepare_cached("UPDATE cycle SET ended_at = ?2, ended_as = ?3, messages = ?4, counts = ?5 WHERE id = ?1")?
        .execute(params![cycle.id.0, now, summary.end.word(), messages.to_string(), counts.to_string()])?;
    if let Some(held) = &summary.held {
        replace_held(connection, &cycle.channel, held, summary.judged.as_ref(), now)?;
    }
    if let Some(quarantine) = &summary.quarantine {
        replace_quarantine(connection, &cycle.channel, quarantine, now)?;
    }
    Ok(())
}

/// Replaces what is known of the channel's scope groups.
pub(super) fn follow(connection: &Connection, cycle: &CycleRow, scope_groups: &BTreeMap<DnKey, EntryId>) -> Result<(), Fault> {
    connection.prepare_cached("DELETE FROM scope_group WHERE channel = ?1")?.execute([&cycle.channel])?;
    let mut put = connection.prepare_cached("INSERT INTO scope_group (channel, dn_key, entry_id) VALUES (?1, ?2, ?3)")?;
    for (dn, entry_id) in scope_groups {
        put.execute(params![cycle.channel, dn.as_str(), entry_id.as_str()])?;
    }
    Ok(())
}

/// Cycles that a process left behind when it died. Only for the one process that writes.
pub(super) fn close_interrupted(connection: &Connection, now: i64) -> Result<(), Fault> {
    connection.execute(
        "UPDATE cycle SET ended_at = ?1, ended_as = 'failed', counts = '[]',
                messages = '[\"the program stopped before the cycle had ended\"]'
         WHERE ended_at IS NULL",
        [now],
    )?;
    Ok(())
}

/// Of `judged` only those held are left; `None`: of everybody.
fn replace_held(
    connection: &Connection,
    channel: &str,
    held: &[Held],
    judged: Option<&BTreeSet<EntryId>>,
    now: i64,
) -> Result<(), Fault> {
    let wanted: BTreeMap<&str, &Held> = held.iter().map(|held| (held.entry_id.as_str(), held)).collect();
    let replaced = match judged {
        None => keys(connection, "SELECT entry_id FROM held WHERE channel = ?1", channel)?,
        Some(judged) => judged.iter().map(|entry_id| entry_id.as_str().to_owned()).collect(),
    };
    for entry_id in replaced.iter().filter(|entry_id| !wanted.contains_key(entry_id.as_str())) {
        connection
            .prepare_cached("DELETE FROM held WHERE channel = ?1 AND entry_id = ?2")?
            .execute(params![channel, entry_id])?;
    }
    let mut put = connection.prepare_cached(
        "INSERT INTO held (channel, entry_id, resource_type, name, why, since) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (channel, entry_id) DO UPDATE SET
             resource_type = excluded.resource_type, name = excluded.name, why = excluded.why
         WHERE (resource_type, name, why) IS NOT (excluded.resource_type, excluded.name, excluded.why)",
    )?;
    for (entry_id, held) in wanted {
        put.execute(params![channel, entry_id, held.resource_type.word(), held.name, held.why, now])?;
    }
    Ok(())
}

fn replace_quarantine(connection: &Connection, channel: &str, wanted: &[(&str, String)], now: i64) -> Result<(), Fault> {
    for kind in keys(connection, "SELECT kind FROM quarantine WHERE channel = ?1", channel)? {
        if !wanted.iter().any(|(other, _)| *other == kind) {
            connection
                .prepare_cached("DELETE FROM quarantine WHERE channel = ?1 AND kind = ?2")?
                .execute(params![channel, kind])?;
        }
    }
    let mut put = connection.prepare_cached(
        "INSERT INTO quarantine (channel, kind, message, since) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (channel, kind) DO UPDATE SET message = excluded.message WHERE message <> excluded.message",
    )?;
    for (kind, message) in wanted {
        put.execute(params![channel, kind, message, now])?;
    }
    Ok(())
}

fn keys(connection: &Connection, query: &str, channel: &str) -> Result<Vec<String>, Fault> {
    let mut statement = connection.prepare_cached(query)?;
    let keys = statement.query_map([channel], |row| row.get(0))?.collect::<Result<Vec<_>, _>>()?;
    Ok(keys)
}
