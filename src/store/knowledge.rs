//! Rows of what is known about a target beyond its configuration.

use rusqlite::{Connection, params};

use crate::model::{Fact, Knowledge, Witness};

use super::fault::Fault;
use super::status::{FactStatus, time};
use super::words::Word;

/// Everything known about a target.
pub(super) fn read(connection: &Connection, target: &str) -> Result<Knowledge, Fault> {
    let mut statement = connection.prepare_cached("SELECT key, value, witness FROM target_knowledge WHERE target = ?1")?;
    let mut rows = statement.query([target])?;
    let mut knowledge = Knowledge::new();
    while let Some(row) = rows.next()? {
        let witness = Witness::read(row.get_ref(2)?.as_str().map_err(rusqlite::Error::from)?)?;
        knowledge.insert(row.get(0)?, Fact { value: row.get(1)?, witness });
    }
    Ok(knowledge)
}

/// Everything known about a target, with since when.
pub(super) fn dated(connection: &Connection, target: &str) -> Result<Vec<FactStatus>, Fault> {
    let mut statement = connection
        .prepare_cached("SELECT key, value, witness, learnt_at FROM target_knowledge WHERE target = ?1 ORDER BY key")?;
    let mut rows = statement.query([target])?;
    let mut facts = Vec::new();
    while let Some(row) = rows.next()? {
        let witness = Witness::read(row.get_ref(2)?.as_str().map_err(rusqlite::Error::from)?)?;
        facts.push(FactStatus { knob: row.get(0)?, value: row.get(1)?, witness, since: time(row.get(3)?)? });
    }
    Ok(facts)
}

/// Replaces what is known about a target; what stays as it was keeps its date.
pub(super) fn put(connection: &Connection, target: &str, knowledge: &Knowledge, now: i64) -> Result<(), Fault> {
    let known = read(connection, target)?;
    for key in known.keys().filter(|key| !knowledge.contains_key(*key)) {
        connection.prepare_cached("DELETE FROM target_knowledge WHERE target = ?1 AND key = ?2")?.execute([target, key])?;
    }
    for (key, fact) in knowledge.iter().filter(|(key, fact)| known.get(*key) != Some(*fact)) {
        connection
            .prepare_cached(
                "INSERT INTO target_knowledge (target, key, value, witness, learnt_at) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (target, key) DO UPDATE SET
                     value = excluded.value, witness = excluded.witness, learnt_at = excluded.learnt_at",
            )?
            .execute(params![target, key, fact.value, fact.witness.word(), now])?;
    }
    Ok(())
}
