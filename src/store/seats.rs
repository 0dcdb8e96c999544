//! Answers questions about seats. The names and entries of a question are looked up one by one; what follows from them is
//! found in one statement each, however large the groups are.

use std::collections::{BTreeSet, HashMap};

use rusqlite::{Connection, OptionalExtension, params};

use crate::cycle::SeatQuestion;
use crate::model::{EntryId, MemberName, ResourceType, Seat};

use super::fault::Fault;
use super::seat;

/// Which members of the groups that were found are told.
enum Told<'a> {
    /// All of them.
    All,
    /// Those of these names.
    Through(&'a BTreeSet<i64>),
}

/// The seats that answer a question, in the order of their rows.
pub(super) fn answer(connection: &Connection, roster: i64, question: &SeatQuestion) -> Result<Vec<Seat>, Fault> {
    match question {
        SeatQuestion::Of(entries) => read(connection, &of(connection, roster, entries)?, &Told::All),
        SeatQuestion::At(names) => {
            let names = numbers(connection, roster, names.iter())?;
            let seats = numbers_of(
                connection,
                "SELECT seat_name.seat FROM json_each(?1) AS asked CROSS JOIN seat_name ON seat_name.name = asked.value",
                &names,
            )?;
            read(connection, &seats, &Told::All)
        }
        SeatQuestion::Above(names) => above(connection, numbers(connection, roster, names.iter())?),
        SeatQuestion::Below(groups) => {
            let seats = numbers_of(
                connection,
                "WITH RECURSIVE below (seat) AS (
                     SELECT value FROM json_each(?1)
                     UNION
                     SELECT seat_name.seat FROM below CROSS JOIN seat_member ON seat_member.seat = below.seat
                                              CROSS JOIN seat_name ON seat_name.name = seat_member.name
                 ) SELECT seat FROM below",
                &of(connection, roster, groups)?,
            )?;
            read(connection, &seats, &Told::All)
        }
        SeatQuestion::Referring(dns) => {
            let names: BTreeSet<MemberName> = dns.iter().cloned().map(MemberName::Dn).collect();
            let seats = numbers_of(
                connection,
                "SELECT seat_reference.seat FROM json_each(?1) AS asked
                 CROSS JOIN seat_reference ON seat_reference.name = asked.value",
                &numbers(connection, roster, names.iter())?,
            )?;
            read(connection, &seats, &Told::All)
        }
        SeatQuestion::Elsewhere(leaves) => read(connection, &elsewhere(connection, roster, leaves)?, &Told::All),
    }
}

/// Rows of the groups that list a DN with one of these first RDNs, under which nobody is known.
fn elsewhere(connection: &Connection, roster: i64, leaves: &BTreeSet<String>) -> Result<BTreeSet<i64>, Fault> {
    // All that begins with the leaf and a comma lies before the leaf with a hyphen, the next character.
    let mut find = connection.prepare_cached(
        "SELECT seat_member.seat FROM roster_name CROSS JOIN seat_member ON seat_member.name = roster_name.id
         WHERE roster_name.roster = ?1 AND roster_name.is_alias = 0 AND roster_name.text >= ?2 AND roster_name.text < ?2 || '-'
           AND substr(roster_name.text, length(?2) + 1, 1) IN ('', ',')
           AND NOT EXISTS (SELECT 1 FROM seat_name WHERE seat_name.name = roster_name.id)",
    )?;
    let mut rows = BTreeSet::new();
    for leaf in leaves {
        for row in find.query_map(params![roster, leaf], |row| row.get(0))? {
            rows.insert(row?);
        }
    }
    Ok(rows)
}

/// Groups that list one of these names, those that list them, and so on.
fn above(connection: &Connection, mut names: BTreeSet<i64>) -> Result<Vec<Seat>, Fault> {
    let seats = numbers_of(
        connection,
        "WITH RECURSIVE above (seat) AS (
             SELECT seat_member.seat FROM json_each(?1) AS asked CROSS JOIN seat_member ON seat_member.name = asked.value
             UNION
             SELECT seat_member.seat FROM above CROSS JOIN seat_name ON seat_name.seat = above.seat
                                                CROSS JOIN seat_member ON seat_member.name = seat_name.name
         ) SELECT seat FROM above",
        &names,
    )?;
    names.extend(numbers_of(
        connection,
        "SELECT seat_name.name FROM json_each(?1) AS asked CROSS JOIN seat_name ON seat_name.seat = asked.value",
        &seats,
    )?);
    read(connection, &seats, &Told::Through(&names))
}

/// Rows of the seats of some entries.
fn of(connection: &Connection, roster: i64, entries: &BTreeSet<EntryId>) -> Result<BTreeSet<i64>, Fault> {
    let mut find = connection.prepare_cached("SELECT id FROM seat WHERE roster = ?1 AND entry_id = ?2")?;
    let found = entries.iter().map(|id| find.query_row(params![roster, id.as_str()], |row| row.get(0)).optional());
    Ok(found.filter_map(Result::transpose).collect::<Result<_, _>>()?)
}

/// Numbers of the names that are known.
fn numbers<'a>(
    connection: &Connection,
    roster: i64,
    names: impl Iterator<Item = &'a MemberName>,
) -> Result<BTreeSet<i64>, Fault> {
    let mut find = connection.prepare_cached("SELECT id FROM roster_name WHERE roster = ?1 AND is_alias = ?2 AND text = ?3")?;
    let found = names.map(|name| {
        let (is_alias, text) = seat::name(name);
        find.query_row(params![roster, is_alias, text], |row| row.get(0)).optional()
    });
    Ok(found.filter_map(Result::transpose).collect::<Result<_, _>>()?)
}

/// What a query tells of a list of numbers.
fn numbers_of(connection: &Connection, query: &str, of: &BTreeSet<i64>) -> Result<BTreeSet<i64>, Fault> {
    let mut statement = connection.prepare_cached(query)?;
    let found = statement.query_map([list(of)], |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(found)
}

/// Numbers as a statement takes them: any number of them in one parameter.
pub(super) fn list<'a>(numbers: impl IntoIterator<Item = &'a i64>) -> String {
    let numbers: Vec<String> = numbers.into_iter().map(i64::to_string).collect();
    format!("[{}]", numbers.join(","))
}

/// Reads seats with their members.
fn read(connection: &Connection, rows: &BTreeSet<i64>, told: &Told<'_>) -> Result<Vec<Seat>, Fault> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {} FROM json_each(?1) AS asked CROSS JOIN seat ON seat.id = asked.value",
        seat::COLUMNS
    ))?;
    let mut found = statement.query([list(rows)])?;
    let mut seats = Vec::with_capacity(rows.len());
    let mut groups = Vec::new();
    while let Some(row) = found.next()? {
        let (row, seat) = seat::read(row)?;
        if seat.resource_type == ResourceType::Group && seat.members.is_some() {
            groups.push(row);
        }
        seats.push((row, seat));
    }
    let mut members = members(connection, &groups, told)?;
    for (row, seat) in &mut seats {
        if let (Some(into), Some(members)) = (&mut seat.members, members.remove(row)) {
            // Out of a list and at once: it is sorted as a whole, which one by one takes three times as long.
            *into = members.into_iter().collect();
        }
    }
    Ok(seats.into_iter().map(|(_, seat)| seat).collect())
}

/// Members by the row of their group.
fn members(connection: &Connection, groups: &[i64], told: &Told<'_>) -> Result<HashMap<i64, Vec<MemberName>>, Fault> {
    let (query, numbers) = match told {
        Told::All => (
            "SELECT seat_member.seat, roster_name.is_alias, roster_name.text
             FROM json_each(?1) AS asked CROSS JOIN seat_member ON seat_member.seat = asked.value
                                         CROSS JOIN roster_name ON roster_name.id = seat_member.name",
            list(groups),
        ),
        Told::Through(names) => (
            "SELECT seat_member.seat, roster_name.is_alias, roster_name.text
             FROM json_each(?1) AS asked CROSS JOIN seat_member ON seat_member.name = asked.value
                                         CROSS JOIN roster_name ON roster_name.id = asked.value",
            list(*names),
        ),
    };
    let mut statement = connection.prepare_cached(query)?;
    let mut rows = statement.query([numbers])?;
    let mut members: HashMap<i64, Vec<MemberName>> = HashMap::new();
    while let Some(row) = rows.next()? {
        let text = row.get_ref(2)?.as_str().map_err(rusqlite::Error::from)?;
        members.entry(row.get(0)?).or_default().push(seat::member_name(row.get(1)?, text));
    }
    Ok(members)
}
