//! The journal: what is about to be sent, and what came of it. A row is open from the intent to its
//! record. A row that stays open is a request whose answer was lost; later records of the same entry
//! settle it.

use rusqlite::{Connection, params};

use crate::cycle::{Intent, IntentId, Record, Recorded};
use crate::model::EntryId;
use crate::plan::{Action, Edit};

use super::codec;
use super::cycle::CycleRow;
use super::edits::not_covered;
use super::fault::Fault;
use super::guard;
use super::words::{Word, reason_text};

/// Writes an intent down with what the guard counts for it.
pub(super) fn intend(connection: &Connection, cycle: &CycleRow, intent: &Intent, now: i64) -> Result<IntentId, Fault> {
    let change = &intent.change;
    connection
        .prepare_cached(
            "INSERT INTO journal (cycle, channel, target, entry_id, resource_type, name, action, body, reason, intended_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?
        .execute(params![
            cycle.id.0,
            cycle.channel,
            cycle.target,
            change.entry_id.as_str(),
            change.resource_type.word(),
            change.name,
            change.action.as_str(),
            codec::action_text(&change.action),
            reason_text(&change.reason),
            now,
        ])?;
    let id = IntentId(connection.last_insert_rowid());
    guard::count(connection, cycle, id, &change.entry_id, &intent.tally, now)?;
    Ok(id)
}

/// Closes the intent of a record; a record without one becomes a row of history. Returns the row, if there is one.
pub(super) fn close(connection: &Connection, cycle: &CycleRow, record: &Record, now: i64) -> Result<Option<IntentId>, Fault> {
    let (result, detail) = match &record.result {
        Recorded::Refused(detail) | Recorded::Declined { why: detail, .. } => ("refused", Some(detail.as_str())),
        Recorded::Linked { .. }
        | Recorded::Relinked { .. }
        | Recorded::Edited { .. }
        | Recorded::Partly { .. }
        | Recorded::Corrected(_)
        | Recorded::Gone
        | Recorded::Unchanged => ("done", None),
    };
    let Some(intent) = record.intent else { return note(connection, cycle, record, result, detail, now) };
    let closed = connection
        .prepare_cached(
            "UPDATE journal SET closed_at = ?1, result = ?2, detail = ?3, unsettled = NULL
             WHERE id = ?4 AND target = ?5 AND entry_id = ?6 AND closed_at IS NULL",
        )?
        .execute(params![now, result, detail, intent.0, cycle.target, record.entry_id.as_str()])?;
    if closed == 1 {
        return Ok(Some(intent));
    }
    Fault::told(format!(
        "intent {} of entry {} at {} is not open, so nothing can be recorded for it",
        intent.0, record.entry_id, cycle.target
    ))
}

/// A step that sent nothing. What it acknowledged stands in the link and is not written twice.
fn note(
    connection: &Connection,
    cycle: &CycleRow,
    record: &Record,
    result: &str,
    detail: Option<&str>,
    now: i64,
) -> Result<Option<IntentId>, Fault> {
    let action = match (&record.result, record.claim) {
        (Recorded::Linked { .. } | Recorded::Relinked { .. }, _) => "adopt",
        (Recorded::Edited { .. } | Recorded::Partly { .. }, _) => "update",
        (Recorded::Corrected(_), _) => "correct",
        (Recorded::Gone, _) => "gone",
        (Recorded::Refused(_) | Recorded::Declined { .. }, _) => "refuse",
        (Recorded::Unchanged, Some(true)) => "claim",
        (Recorded::Unchanged, Some(false)) => "release",
        (Recorded::Unchanged, None) => return Ok(None),
    };
    connection
        .prepare_cached(
            "INSERT INTO journal (cycle, channel, target, entry_id, resource_type, action, intended_at, closed_at, result, detail)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7, ?8, ?9)",
        )?
        .execute(params![
            cycle.id.0,
            cycle.channel,
            cycle.target,
            record.entry_id.as_str(),
            record.resource_type.word(),
            action,
            now,
            result,
            detail,
        ])?;
    Ok(Some(IntentId(connection.last_insert_rowid())))
}

/// What a record makes certain of requests that were sent before it and never answered.
pub(super) enum Settles<'a> {
    /// Everything: the whole state of the entry's resource is known.
    Everything,
    /// The paths and members of these edits. An open update of which something else is left stays
    /// open for that rest; an open create or delete is settled, because the resource was there to edit.
    Edits(&'a [Edit]),
}

/// Closes, as superseded, what the record settles of open rows older than its intent.
/// With an intent, younger rows are left alone: those are sent after it.
pub(super) fn settle(
    connection: &Connection,
    target: &str,
    entry_id: &EntryId,
    by: Option<IntentId>,
    settles: &Settles<'_>,
    now: i64,
) -> Result<(), Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT id, coalesce(unsettled, body) FROM journal
         WHERE target = ?1 AND entry_id = ?2 AND closed_at IS NULL AND id < ?3 ORDER BY id",
    )?;
    let open = statement
        .query_map(params![target, entry_id.as_str(), by.map_or(i64::MAX, |intent| intent.0)], |row| {
            Ok((IntentId(row.get(0)?), row.get::<_, Option<String>>(1)?))
        })?
        .collect::<Result<Vec<_>, _>>()?;
    for (id, body) in open {
        match unsettled(body.as_deref(), settles)? {
            None => supersede(connection, id, by, now)?,
            Some(rest) => {
                connection
                    .prepare_cached("UPDATE journal SET unsettled = ?2 WHERE id = ?1")?
                    .execute(params![id.0, codec::action_text(&rest)])?;
            }
        }
    }
    Ok(())
}

/// What is open of one entry is another's from now on, as its resource is.
pub(super) fn hand_over(connection: &Connection, target: &str, from: &EntryId, to: &EntryId) -> Result<(), Fault> {
    connection
        .prepare_cached("UPDATE journal SET entry_id = ?3 WHERE target = ?1 AND entry_id = ?2 AND closed_at IS NULL")?
        .execute([target, from.as_str(), to.as_str()])?;
    Ok(())
}

/// What is left open of an action; `None` if nothing is.
fn unsettled(body: Option<&str>, settles: &Settles<'_>) -> Result<Option<Action>, Fault> {
    let (Some(body), Settles::Edits(later)) = (body, settles) else { return Ok(None) };
    match codec::action(body)? {
        Action::Update { resource_id, edits }
        | Action::Adopt { resource_id, edits, .. }
        | Action::Relink { resource_id, edits, .. } => {
            let edits = not_covered(&edits, later);
            Ok((!edits.is_empty()).then_some(Action::Update { resource_id, edits }))
        }
        Action::Create(_) | Action::Delete { .. } | Action::Claim { .. } | Action::Release | Action::Forget => Ok(None),
    }
}

fn supersede(connection: &Connection, id: IntentId, by: Option<IntentId>, now: i64) -> Result<(), Fault> {
    connection
        .prepare_cached("UPDATE journal SET closed_at = ?2, result = 'superseded', unsettled = NULL WHERE id = ?1")?
        .execute(params![id.0, now])?;
    match by {
        Some(by) => guard::count_once(connection, id, by),
        None => Ok(()),
    }
}
