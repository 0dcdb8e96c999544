//! Where a channel stands, beside its seats: watermark, counts, containers, and entries whose change is still to be made.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, named_params, params};

use crate::cycle::SeatQuestion;
use crate::model::{ChannelName, Dn, EntryId, LinkedCounts, Seat, Seats, Settlement, Standing, Watermark};

use super::cycle::CycleRow;
use super::fault::Fault;
use super::status::{TrackingStatus, time};
use super::{seat, seating, seats};

/// Number of a channel's roster.
fn find(connection: &Connection, channel: &str) -> Result<Option<i64>, Fault> {
    let mut statement = connection.prepare_cached("SELECT id FROM roster WHERE channel = ?1")?;
    Ok(statement.query_row([channel], |row| row.get(0)).optional()?)
}

/// Where a channel stands.
pub(super) fn standing(connection: &Connection, channel: &ChannelName, now: Timestamp) -> Result<Option<Standing>, Fault> {
    let now = now.as_millisecond();
    let mut statement = connection.prepare_cached(
        "SELECT id, watermark, fingerprint, full_at, linked_users, linked_groups, linked_memberships, users, groups
         FROM roster WHERE channel = ?1",
    )?;
    let mut rows = statement.query([channel.as_str()])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let roster: i64 = row.get(0)?;
    let number = |at| Ok::<_, Fault>(u64::try_from(row.get::<_, i64>(at)?).unwrap_or_default());
    let since = now.saturating_sub(row.get(3)?);
    let due = "SELECT entry_id FROM seat WHERE roster = ?1 AND status_until <= ?2";
    Ok(Some(Standing {
        watermark: Watermark::new(&row.get::<_, String>(1)?),
        fingerprint: row.get(2)?,
        since_full: Duration::from_millis(u64::try_from(since).unwrap_or_default()),
        linked: LinkedCounts { users: number(4)?, groups: number(5)?, memberships: number(6)? },
        users: number(7)?,
        groups: number(8)?,
        pending: entries(connection, "SELECT entry_id FROM pending WHERE roster = ?1", params![roster])?,
        due: entries(connection, due, params![roster, now])?,
    }))
}

/// What `status` shows of where a channel stands.
pub(super) fn tracking(connection: &Connection, channel: &str) -> Result<Option<TrackingStatus>, Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT watermark, full_at, (SELECT count(*) FROM pending WHERE pending.roster = roster.id) FROM roster
         WHERE channel = ?1",
    )?;
    let found: Option<(String, i64, i64)> =
        statement.query_row([channel], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).optional()?;
    let told = |(watermark, full_at, pending): (String, i64, i64)| {
        let pending = u64::try_from(pending).unwrap_or_default();
        Ok(TrackingStatus { watermark: Watermark::new(&watermark), full_at: time(full_at)?, pending })
    };
    found.map(told).transpose()
}

/// Answers a question about a channel's seats.
pub(super) fn answer(connection: &Connection, channel: &ChannelName, question: &SeatQuestion) -> Result<Vec<Seat>, Fault> {
    match find(connection, channel.as_str())? {
        Some(roster) => seats::answer(connection, roster, question),
        None => Ok(Vec::new()),
    }
}

/// Every entry that has a seat.
pub(super) fn seated(connection: &Connection, channel: &ChannelName) -> Result<BTreeSet<EntryId>, Fault> {
    match find(connection, channel.as_str())? {
        Some(roster) => entries(connection, "SELECT entry_id FROM seat WHERE roster = ?1 ORDER BY entry_id", params![roster]),
        None => Ok(BTreeSet::new()),
    }
}

/// The containers of the last full reading.
pub(super) fn containers(connection: &Connection, channel: &ChannelName) -> Result<BTreeMap<EntryId, Dn>, Fault> {
    let Some(roster) = find(connection, channel.as_str())? else { return Ok(BTreeMap::new()) };
    let stored = texts(connection, "SELECT entry_id, dn FROM container WHERE roster = ?1", roster)?;
    stored.into_iter().map(|(id, dn)| Ok((EntryId::new(&id), seat::dn(&dn)?))).collect()
}

/// Writes down where a cycle's channel stands; `None` forgets it with every seat.
pub(super) fn settle(connection: &Connection, cycle: &CycleRow, settlement: Option<&Settlement>, now: i64) -> Result<(), Fault> {
    let known = find(connection, &cycle.channel)?;
    match (settlement, known) {
        (None, None) => Ok(()),
        (None, Some(roster)) => forget(connection, roster),
        (Some(settlement), known) => {
            let roster = stand(connection, &cycle.channel, known, settlement, now)?;
            match &settlement.seats {
                Seats::All(all, containers) => {
                    seating::replace(connection, roster, all)?;
                    put_containers(connection, roster, containers)?;
                }
                Seats::Changed(changed, gone) => seating::amend(connection, roster, changed, gone)?,
            }
            put_pending(connection, roster, &settlement.pending)
        }
    }
}

/// Forgets the rosters of channels that had no cycle since a time: they were renamed or removed.
pub(super) fn sweep(connection: &Connection, old: i64) -> Result<(), Fault> {
    // The first condition alone decides nearly always, so that the history is not read.
    let mut statement = connection.prepare_cached(
        "SELECT id FROM roster WHERE settled_at < ?1
         AND NOT EXISTS (SELECT 1 FROM cycle WHERE cycle.channel = roster.channel AND cycle.started_at >= ?1)",
    )?;
    let abandoned = statement.query_map([old], |row| row.get(0))?.collect::<Result<Vec<i64>, _>>()?;
    abandoned.into_iter().try_for_each(|roster| forget(connection, roster))
}

/// The row of the roster, made if everything was read.
fn stand(connection: &Connection, channel: &str, known: Option<i64>, settlement: &Settlement, now: i64) -> Result<i64, Fault> {
    let is_full = match (&settlement.seats, known) {
        (Seats::All(..), _) => true,
        (Seats::Changed(..), Some(_)) => false,
        (Seats::Changed(..), None) => {
            return Fault::told(format!("channel {channel} was never read in full, so no change of its seats can be kept"));
        }
    };
    let roster = connection
        .prepare_cached(
            "INSERT INTO roster (channel, watermark, fingerprint, full_at, settled_at)
             VALUES (:channel, :watermark, :fingerprint, :now, :now)
             ON CONFLICT (channel) DO UPDATE SET
                 watermark = excluded.watermark, fingerprint = excluded.fingerprint, settled_at = excluded.settled_at,
                 full_at = iif(:is_full, excluded.full_at, full_at)
             RETURNING id",
        )?
        .query_row(
            named_params! {
                ":channel": channel,
                ":watermark": settlement.watermark.as_str(),
                ":fingerprint": settlement.fingerprint,
                ":now": now,
                ":is_full": is_full,
            },
            |row| row.get(0),
        )?;
    if let Some((linked, users, groups)) = &settlement.counted {
        let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        connection
            .prepare_cached(
                "UPDATE roster SET linked_users = ?2, linked_groups = ?3, linked_memberships = ?4, users = ?5, groups = ?6
                 WHERE id = ?1",
            )?
            .execute(params![
                roster,
                number(linked.users),
                number(linked.groups),
                number(linked.memberships),
                number(*users),
                number(*groups)
            ])?;
    }
    Ok(roster)
}

fn forget(connection: &Connection, roster: i64) -> Result<(), Fault> {
    seating::clear(connection, roster)?;
    connection.execute("DELETE FROM container WHERE roster = ?1", [roster])?;
    connection.execute("DELETE FROM pending WHERE roster = ?1", [roster])?;
    connection.execute("DELETE FROM roster WHERE id = ?1", [roster])?;
    Ok(())
}

fn put_containers(connection: &Connection, roster: i64, wanted: &BTreeMap<EntryId, Dn>) -> Result<(), Fault> {
    let stored = texts(connection, "SELECT entry_id, dn FROM container WHERE roster = ?1", roster)?;
    let mut delete = connection.prepare_cached("DELETE FROM container WHERE roster = ?1 AND entry_id = ?2")?;
    for id in stored.keys().filter(|id| !wanted.contains_key(&EntryId::new(id))) {
        delete.execute(params![roster, id])?;
    }
    let mut put = connection.prepare_cached(
        "INSERT INTO container (roster, entry_id, dn) VALUES (?1, ?2, ?3)
         ON CONFLICT (roster, entry_id) DO UPDATE SET dn = excluded.dn",
    )?;
    for (id, dn) in wanted.iter().filter(|(id, dn)| stored.get(id.as_str()).map(String::as_str) != Some(dn.as_str())) {
        put.execute(params![roster, id.as_str(), dn.as_str()])?;
    }
    Ok(())
}

fn put_pending(connection: &Connection, roster: i64, wanted: &BTreeSet<EntryId>) -> Result<(), Fault> {
    let stored = entries(connection, "SELECT entry_id FROM pending WHERE roster = ?1", params![roster])?;
    let mut delete = connection.prepare_cached("DELETE FROM pending WHERE roster = ?1 AND entry_id = ?2")?;
    for id in stored.difference(wanted) {
        delete.execute(params![roster, id.as_str()])?;
    }
    let mut insert = connection.prepare_cached("INSERT INTO pending (roster, entry_id) VALUES (?1, ?2)")?;
    for id in wanted.difference(&stored) {
        insert.execute(params![roster, id.as_str()])?;
    }
    Ok(())
}

fn entries(connection: &Connection, query: &str, of: &[&dyn rusqlite::ToSql]) -> Result<BTreeSet<EntryId>, Fault> {
    let mut statement = connection.prepare_cached(query)?;
    let found = statement.query_map(of, |row| Ok(EntryId::new(row.get_ref(0)?.as_str()?)))?.collect::<Result<_, _>>()?;
    Ok(found)
}

fn texts(connection: &Connection, query: &str, roster: i64) -> Result<BTreeMap<String, String>, Fault> {
    let mut statement = connection.prepare_cached(query)?;
    let found = statement.query_map([roster], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
    Ok(found)
}
