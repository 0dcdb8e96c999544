//! Writes seats: only what differs from what is stored, members and names included.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use rusqlite::{Connection, OptionalExtension, named_params, params};

use crate::model::{EntryId, Seat};

use super::fault::Fault;
use super::seat::{self, Digest, Name};
use super::words::Word;

/// The tables of ties, in the order of [`names`].
const TIES: [&str; 3] = ["seat_name", "seat_member", "seat_reference"];

/// A seat that is to be written: what it says, its digest, and its row if it has one.
struct Change<'a> {
    seat: &'a Seat,
    digest: Digest,
    row: Option<i64>,
}

/// Makes the seats of a roster these.
pub(super) fn replace(connection: &Connection, roster: i64, seats: &[Seat]) -> Result<(), Fault> {
    let mut stored = stored(connection, roster)?;
    let wanted: BTreeMap<&EntryId, &Seat> = seats.iter().map(|seat| (&seat.id, seat)).collect();
    let mut changes = Vec::new();
    let buffer = &mut Vec::new();
    for seat in wanted.into_values() {
        let digest = seat::digest(seat, buffer);
        match stored.remove(seat.id.as_str()) {
            Some((_, known)) if known == digest => {}
            found => changes.push(Change { seat, digest, row: found.map(|(row, _)| row) }),
        }
    }
    let gone: BTreeSet<i64> = stored.into_values().map(|(row, _)| row).collect();
    write(connection, roster, &changes, &gone)
}

/// Replaces these seats of a roster and removes those that are gone. Everybody else's stay.
pub(super) fn amend(connection: &Connection, roster: i64, seats: &[Seat], gone: &BTreeSet<EntryId>) -> Result<(), Fault> {
    let mut find = connection.prepare_cached("SELECT id, digest FROM seat WHERE roster = ?1 AND entry_id = ?2")?;
    let mut find = |id: &EntryId| {
        find.query_row(params![roster, id.as_str()], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Digest>(1)?))).optional()
    };
    let wanted: BTreeMap<&EntryId, &Seat> = seats.iter().map(|seat| (&seat.id, seat)).collect();
    let mut rows = BTreeSet::new();
    for id in gone.iter().filter(|id| !wanted.contains_key(id)) {
        rows.extend(find(id)?.map(|(row, _)| row));
    }
    let mut changes = Vec::new();
    let buffer = &mut Vec::new();
    for seat in wanted.into_values() {
        let digest = seat::digest(seat, buffer);
        match find(&seat.id)? {
            Some((_, known)) if known == digest => {}
            found => changes.push(Change { seat, digest, row: found.map(|(row, _)| row) }),
        }
    }
    write(connection, roster, &changes, &rows)
}

/// Removes every seat of a roster, and every name.
pub(super) fn clear(connection: &Connection, roster: i64) -> Result<(), Fault> {
    for table in TIES {
        connection.execute(&format!("DELETE FROM {table} WHERE seat IN (SELECT id FROM seat WHERE roster = ?1)"), [roster])?;
    }
    connection.execute("DELETE FROM seat WHERE roster = ?1", [roster])?;
    connection.execute("DELETE FROM roster_name WHERE roster = ?1", [roster])?;
    Ok(())
}

/// Row and digest of every seat of a roster.
fn stored(connection: &Connection, roster: i64) -> Result<HashMap<String, (i64, Digest)>, Fault> {
    let mut statement = connection.prepare_cached("SELECT entry_id, id, digest FROM seat WHERE roster = ?1")?;
    let rows = statement.query_map([roster], |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?))))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The names that a seat is tied to: its own, its members', those of its references.
fn names(seat: &Seat) -> [Vec<Name<'_>>; 3] {
    let own = std::iter::once((false, seat.dn.key().as_str())).chain(seat.aliases.iter().map(|alias| (true, alias.as_str())));
    [
        own.collect(),
        seat.members.iter().flatten().map(seat::name).collect(),
        seat.references.iter().map(|reference| (false, reference.as_str())).collect(),
    ]
}

fn write(connection: &Connection, roster: i64, changes: &[Change<'_>], gone: &BTreeSet<i64>) -> Result<(), Fault> {
    let mut loose = BTreeSet::new();
    for row in gone {
        for table in TIES {
            tie(connection, table, *row, &BTreeSet::new(), &mut loose)?;
        }
        connection.prepare_cached("DELETE FROM seat WHERE id = ?1")?.execute([row])?;
    }
    let known = numbers(connection, roster, changes)?;
    for change in changes {
        let row = put(connection, roster, change)?;
        for (table, names) in TIES.into_iter().zip(names(change.seat)) {
            let wanted = names.iter().filter_map(|name| known.get(name).copied()).collect();
            tie(connection, table, row, &wanted, &mut loose)?;
        }
    }
    for name in loose {
        connection
            .prepare_cached(
                "DELETE FROM roster_name WHERE id = ?1
                 AND NOT EXISTS (SELECT 1 FROM seat_name WHERE name = ?1)
                 AND NOT EXISTS (SELECT 1 FROM seat_member WHERE name = ?1)
                 AND NOT EXISTS (SELECT 1 FROM seat_reference WHERE name = ?1)",
            )?
            .execute([name])?;
    }
    Ok(())
}

/// Numbers of all names of these seats; those that are new get one, in order, so that the index is not fed at random.
fn numbers<'a>(connection: &Connection, roster: i64, changes: &[Change<'a>]) -> Result<HashMap<Name<'a>, i64>, Fault> {
    let all: HashSet<Name<'a>> = changes.iter().flat_map(|change| names(change.seat)).flatten().collect();
    let mut all: Vec<Name<'a>> = all.into_iter().collect();
    all.sort_unstable();
    let mut find = connection.prepare_cached("SELECT id FROM roster_name WHERE roster = ?1 AND is_alias = ?2 AND text = ?3")?;
    let mut insert = connection.prepare_cached("INSERT INTO roster_name (roster, is_alias, text) VALUES (?1, ?2, ?3)")?;
    let mut numbers = HashMap::with_capacity(all.len());
    for (is_alias, text) in all {
        let number = match find.query_row(params![roster, is_alias, text], |row| row.get(0)).optional()? {
            Some(number) => number,
            None => insert.insert(params![roster, is_alias, text])?,
        };
        numbers.insert((is_alias, text), number);
    }
    Ok(numbers)
}

/// Writes the row of a seat.
fn put(connection: &Connection, roster: i64, change: &Change<'_>) -> Result<i64, Fault> {
    let seat = change.seat;
    let mut statement = connection.prepare_cached(
        "INSERT INTO seat (id, roster, entry_id, dn, resource_type, selected, in_scope, status_until, is_whole, also, digest)
         VALUES (:id, :roster, :entry_id, :dn, :resource_type, :selected, :in_scope, :status_until, :is_whole, :also, :digest)
         ON CONFLICT (id) DO UPDATE SET
             dn = excluded.dn, resource_type = excluded.resource_type, selected = excluded.selected,
             in_scope = excluded.in_scope, status_until = excluded.status_until, is_whole = excluded.is_whole,
             also = excluded.also, digest = excluded.digest",
    )?;
    statement.execute(named_params! {
        ":id": change.row,
        ":roster": roster,
        ":entry_id": seat.id.as_str(),
        ":dn": seat.dn.as_str(),
        ":resource_type": seat.resource_type.word(),
        ":selected": seat.selected,
        ":in_scope": seat.in_scope,
        ":status_until": seat.status_until.map(|moment| moment.0),
        ":is_whole": seat.members.is_some(),
        ":also": seat::also(seat)?,
        ":digest": change.digest,
    })?;
    Ok(change.row.unwrap_or_else(|| connection.last_insert_rowid()))
}

/// Makes the ties of a seat these; names that lost one are put to the loose ones.
fn tie(connection: &Connection, table: &str, seat: i64, wanted: &BTreeSet<i64>, loose: &mut BTreeSet<i64>) -> Result<(), Fault> {
    let mut statement = connection.prepare_cached(&format!("SELECT name FROM {table} WHERE seat = ?1 ORDER BY name"))?;
    let stored = statement.query_map([seat], |row| row.get(0))?.collect::<Result<BTreeSet<i64>, _>>()?;
    let mut delete = connection.prepare_cached(&format!("DELETE FROM {table} WHERE seat = ?1 AND name = ?2"))?;
    for name in stored.difference(wanted) {
        delete.execute([seat, *name])?;
        loose.insert(*name);
    }
    let mut insert = connection.prepare_cached(&format!("INSERT INTO {table} (seat, name) VALUES (?1, ?2)"))?;
    for name in wanted.difference(&stored) {
        insert.execute([seat, *name])?;
    }
    Ok(())
}
