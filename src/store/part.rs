//! Loads what is remembered of some entries of a target, at a cost that grows with them and not with the target.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use crate::cycle::Part;
use crate::model::{ChannelName, EntryId, ResourceId, ResourceType, Snapshot, TargetName};
use crate::plan::folded;

use super::codec::{self, Paths};
use super::fault::Fault;
use super::seats::list;
use super::snapshot::{self, text};
use super::words::Word;
use super::{guard, knowledge, refused};

const ROW_OF_ENTRY: &str = "SELECT id FROM link WHERE target = ?1 AND entry_id = ?2";

/// The type is a column of the index, although names of one type are nearly all there are.
const ROWS_OF_NAME: &str = "SELECT id FROM link WHERE target = ?1 AND resource_type = ?2 AND name = ?3";

const RESOURCE_OF_ENTRY: &str = "SELECT resource_type, resource_id FROM link WHERE target = ?1 AND entry_id = ?2";

const LINKS: &str = "SELECT link.id, link.entry_id, link.resource_type, link.resource_id, link.origin, link.attributes,
                            link.left_channel, link.left_at
                     FROM json_each(?1) AS asked CROSS JOIN link ON link.id = asked.value";

const MEMBERS: &str = "SELECT membership.link_id, member.entry_id
                       FROM json_each(?1) AS asked CROSS JOIN membership ON membership.link_id = asked.value
                                                   CROSS JOIN member ON member.id = membership.member_id";

const CLAIMS: &str = "SELECT link.entry_id, claim.channel
                      FROM json_each(?1) AS asked CROSS JOIN link ON link.id = asked.value
                                                  CROSS JOIN claim ON claim.link_id = link.id";

const OPEN: &str = "SELECT coalesce(unsettled, body), channel = ?3 FROM journal
                    WHERE target = ?1 AND entry_id = ?2 AND closed_at IS NULL ORDER BY id";

/// Loads a part of a snapshot. The caller's transaction makes it consistent.
pub(super) fn load(
    connection: &Connection,
    target: &TargetName,
    channel: &ChannelName,
    window: Duration,
    part: &Part,
    now: Timestamp,
) -> Result<Snapshot, Fault> {
    let mut snapshot = Snapshot {
        scope_groups: snapshot::scope_groups(connection, channel)?,
        knowledge: knowledge::read(connection, target.as_str())?,
        tally: guard::tally(connection, target.as_str(), channel.as_str(), snapshot::begin(window, now))?,
        first: snapshot::is_first(connection, target, channel)?,
        others: others(connection, target, &part.others)?,
        ..Snapshot::default()
    };
    let rows = list(&rows(connection, target, part)?);
    links(connection, &rows, now, &mut snapshot)?;
    claims(connection, &rows, &mut snapshot)?;
    // Requests may be open or refused of entries without a link too.
    let entries: BTreeSet<EntryId> = part.entries.iter().chain(snapshot.links.keys()).cloned().collect();
    for entry_id in entries {
        let mut statement = connection.prepare_cached(OPEN)?;
        let mut rows = statement.query(params![target.as_str(), entry_id.as_str(), channel.as_str()])?;
        while let Some(row) = rows.next()? {
            snapshot::open(&mut snapshot, entry_id.clone(), codec::action(text(row, 0)?)?, row.get(1)?);
        }
        let refused = refused::read_one(connection, target.as_str(), &entry_id, now)?;
        if !refused.is_empty() {
            snapshot.refused.insert(entry_id, refused);
        }
    }
    Ok(snapshot)
}

/// Rows of the links of the part's entries and of whoever holds one of its names.
fn rows(connection: &Connection, target: &TargetName, part: &Part) -> Result<BTreeSet<i64>, Fault> {
    let mut rows = BTreeSet::new();
    let mut of_entry = connection.prepare_cached(ROW_OF_ENTRY)?;
    for entry_id in &part.entries {
        rows.extend(of_entry.query_row([target.as_str(), entry_id.as_str()], |row| row.get::<_, i64>(0)).optional()?);
    }
    let mut of_name = connection.prepare_cached(ROWS_OF_NAME)?;
    for (resource_type, name) in &part.names {
        let found = of_name.query_map([target.as_str(), resource_type.word(), &folded(name)], |row| row.get::<_, i64>(0))?;
        for row in found {
            rows.insert(row?);
        }
    }
    Ok(rows)
}

fn links(connection: &Connection, rows: &str, now: Timestamp, snapshot: &mut Snapshot) -> Result<(), Fault> {
    let mut members = members(connection, rows)?;
    let mut paths = Paths::default();
    let mut statement = connection.prepare_cached(LINKS)?;
    let mut found = statement.query([rows])?;
    while let Some(row) = found.next()? {
        let link = snapshot::link(row, &mut paths, &mut members)?;
        if let Some(left_at) = row.get(7)? {
            snapshot.leavers.insert(link.entry_id.clone(), snapshot::leaver(text(row, 6)?, left_at, now));
        }
        snapshot.links.insert(link.entry_id.clone(), link);
    }
    Ok(())
}

fn members(connection: &Connection, rows: &str) -> Result<HashMap<i64, BTreeSet<EntryId>>, Fault> {
    let mut members: HashMap<i64, Vec<EntryId>> = HashMap::new();
    let mut statement = connection.prepare_cached(MEMBERS)?;
    let mut found = statement.query([rows])?;
    while let Some(row) = found.next()? {
        members.entry(row.get(0)?).or_default().push(EntryId::new(text(row, 1)?));
    }
    Ok(members.into_iter().map(|(row, members)| (row, members.into_iter().collect())).collect())
}

fn claims(connection: &Connection, rows: &str, snapshot: &mut Snapshot) -> Result<(), Fault> {
    let mut statement = connection.prepare_cached(CLAIMS)?;
    let mut found = statement.query([rows])?;
    while let Some(row) = found.next()? {
        let claims = snapshot.claims.entry(EntryId::new(text(row, 0)?)).or_default();
        claims.insert(ChannelName::new(text(row, 1)?));
    }
    Ok(())
}

/// Resources of entries of which nothing more is asked.
fn others(
    connection: &Connection,
    target: &TargetName,
    entries: &BTreeSet<EntryId>,
) -> Result<BTreeMap<EntryId, (ResourceType, ResourceId)>, Fault> {
    let mut others = BTreeMap::new();
    let mut statement = connection.prepare_cached(RESOURCE_OF_ENTRY)?;
    for entry_id in entries {
        let mut rows = statement.query([target.as_str(), entry_id.as_str()])?;
        if let Some(row) = rows.next()? {
            others.insert(entry_id.clone(), (ResourceType::read(text(row, 0)?)?, ResourceId::new(text(row, 1)?)));
        }
    }
    Ok(others)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::open;

    #[test]
    fn nothing_is_read_from_end_to_end_for_a_part() {
        let directory = tempfile::tempdir().unwrap();
        let connection = open::writer(&open::database(directory.path())).unwrap();
        for query in [ROW_OF_ENTRY, ROWS_OF_NAME, RESOURCE_OF_ENTRY, LINKS, MEMBERS, CLAIMS, OPEN, refused::OF_ONE] {
            let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {query}")).unwrap();
            let given = vec!["[]"; statement.parameter_count()];
            let rows = statement.query_map(rusqlite::params_from_iter(given), |row| row.get(3)).unwrap();
            let steps: Vec<String> = rows.collect::<Result<_, _>>().unwrap();
            // The list of what is asked for is walked over; every table is searched.
            assert!(steps.iter().any(|step| step.starts_with("SEARCH")), "{query}: {steps:?}");
            let walked = steps.iter().filter(|step| step.starts_with("SCAN") && !step.starts_with("SCAN asked "));
            assert_eq!(walked.count(), 0, "{query}: {steps:?}");
        }
    }
}
