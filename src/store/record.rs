//! What a record makes true, in one place: link, claim, journal and guard together.

use rusqlite::Connection;

use crate::cycle::{Record, Recorded};

use super::cycle::CycleRow;
use super::fault::Fault;
use super::journal::{self, Settles};
use super::{guard, link, refused};

/// Writes a record. The caller's transaction makes it whole or nothing.
pub(super) fn record(connection: &Connection, cycle: &CycleRow, record: &Record, now: i64) -> Result<(), Fault> {
    let (target, entry_id) = (cycle.target.as_str(), &record.entry_id);
    let row = journal::close(connection, cycle, record, now)?;
    let settles = match &record.result {
        Recorded::Linked { resource_id, origin, acknowledged } => {
            link::put(connection, target, entry_id, resource_id, *origin, acknowledged, now)?;
            Some(Settles::Everything)
        }
        Recorded::Edited { resource_id, edits } => {
            link::edit(connection, target, entry_id, resource_id, edits, now)?;
            Some(Settles::Edits(edits))
        }
        Recorded::Partly { resource_id, edits, tally } => {
            if let Some(row) = row {
                guard::take_back(connection, row)?;
                guard::count(connection, cycle, row, entry_id, tally, now)?;
            }
            link::edit(connection, target, entry_id, resource_id, edits, now)?;
            Some(Settles::Edits(edits))
        }
        Recorded::Relinked { from, tally } => {
            if let Some(row) = row {
                guard::count(connection, cycle, row, entry_id, tally, now)?;
            }
            // What was open of the new entry is about a resource that it does not get; what was open of the old one is
            // about the resource that it does.
            journal::settle(connection, target, entry_id, record.intent, &Settles::Everything, now)?;
            link::relink(connection, target, from, entry_id, now)?;
            journal::hand_over(connection, target, from, entry_id)?;
            guard::hand_over(connection, target, from, entry_id)?;
            refused::forget(connection, target, from)?;
            None
        }
        Recorded::Corrected(resource) => {
            link::correct(connection, target, entry_id, resource, now)?;
            Some(Settles::Everything)
        }
        Recorded::Gone => {
            link::drop(connection, target, entry_id)?;
            Some(Settles::Everything)
        }
        Recorded::Refused(_) => {
            if let Some(intent) = record.intent {
                guard::take_back(connection, intent)?;
            }
            None
        }
        Recorded::Declined { why, digest } => {
            if let Some(intent) = record.intent {
                guard::take_back(connection, intent)?;
            }
            refused::put(connection, target, entry_id, digest, why, now)?;
            None
        }
        Recorded::Unchanged => None,
    };
    if let Some(settles) = settles {
        refused::forget(connection, target, entry_id)?;
        journal::settle(connection, target, entry_id, record.intent, &settles, now)?;
    }
    claim(connection, cycle, record, now)
}

/// A refusal changes nothing, so also no claim; a link that is gone has no claims.
/// A link outlives its last claim: it is a leaver's then, and a return finds it.
fn claim(connection: &Connection, cycle: &CycleRow, record: &Record, now: i64) -> Result<(), Fault> {
    let (target, entry_id) = (cycle.target.as_str(), &record.entry_id);
    match (&record.result, record.claim) {
        (Recorded::Refused(_) | Recorded::Declined { .. } | Recorded::Gone, _) | (_, None) => Ok(()),
        (_, Some(true)) => link::claim(connection, target, entry_id, &cycle.channel, now),
        (
            Recorded::Linked { .. }
            | Recorded::Relinked { .. }
            | Recorded::Edited { .. }
            | Recorded::Partly { .. }
            | Recorded::Corrected(_)
            | Recorded::Unchanged,
            Some(false),
        ) => link::give_up(connection, target, entry_id, &cycle.channel, now),
    }
}
