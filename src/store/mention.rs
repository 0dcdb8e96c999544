//! Rows of who is named by whose attributes: an index over the JSON of links.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, params};

use crate::model::{AttributePath, EntryId, Value};

use super::codec::{self, Paths};
use super::fault::Fault;

/// Makes the rows of a link agree with its attributes, writing only what differs.
pub(super) fn put(connection: &Connection, link: i64, attributes: &BTreeMap<AttributePath, Value>) -> Result<(), Fault> {
    let wanted: BTreeSet<&str> = attributes.values().filter_map(Value::reference).map(EntryId::as_str).collect();
    let mut statement = connection.prepare_cached("SELECT entry_id FROM mention WHERE link_id = ?1")?;
    let stored = statement.query_map([link], |row| row.get(0))?.collect::<Result<BTreeSet<String>, _>>()?;
    for entry_id in stored.iter().filter(|entry_id| !wanted.contains(entry_id.as_str())) {
        let mut delete = connection.prepare_cached("DELETE FROM mention WHERE link_id = ?1 AND entry_id = ?2")?;
        delete.execute(params![link, entry_id])?;
    }
    for entry_id in wanted.into_iter().filter(|entry_id| !stored.contains(*entry_id)) {
        let mut insert = connection.prepare_cached("INSERT INTO mention (link_id, entry_id) VALUES (?1, ?2)")?;
        insert.execute(params![link, entry_id])?;
    }
    Ok(())
}

/// Takes every reference to an entry out of what is acknowledged.
pub(super) fn drop(connection: &Connection, target: &str, entry_id: &EntryId) -> Result<(), Fault> {
    let mut naming = connection.prepare_cached(
        "SELECT link.id, link.attributes FROM mention JOIN link ON link.id = mention.link_id
         WHERE mention.entry_id = ?2 AND link.target = ?1",
    )?;
    let rows: Vec<(i64, String)> =
        naming.query_map(params![target, entry_id.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
    for (link, text) in rows {
        let mut attributes = codec::attributes(&text, &mut Paths::default())?;
        attributes.retain(|_, value| value.reference() != Some(entry_id));
        connection
            .prepare_cached("UPDATE link SET attributes = ?2 WHERE id = ?1")?
            .execute(params![link, codec::attributes_text(&attributes)])?;
        put(connection, link, &attributes)?;
    }
    Ok(())
}
