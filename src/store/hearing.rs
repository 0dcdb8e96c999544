//! Whether a daemon hears the changes of a live channel as they come, for `status`, which runs beside it or after it.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::fault::Fault;
use super::status::time;

/// How a live channel hears, as its daemon said last. Only a recent sign says how it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HearingStatus {
    /// Changes are heard as they come; else they are asked for.
    pub hears: bool,
    /// Why they are not heard; `None` while nothing was said yet.
    pub why: Option<String>,
    /// Since when that is so.
    pub since: Timestamp,
    /// When it was said.
    pub signed_at: Timestamp,
}

/// Writes down how a channel hears.
pub(super) fn put(connection: &Connection, channel: &str, hearing: &HearingStatus) -> Result<(), Fault> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO hearing (channel, hears, why, since, signed_at) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (channel) DO UPDATE SET
             hears = excluded.hears, why = excluded.why, since = excluded.since, signed_at = excluded.signed_at",
    )?;
    let (since, signed_at) = (hearing.since.as_millisecond(), hearing.signed_at.as_millisecond());
    statement.execute(params![channel, hearing.hears, hearing.why, since, signed_at])?;
    Ok(())
}

/// Nobody hears any more.
pub(super) fn clear(connection: &Connection) -> Result<(), Fault> {
    connection.execute("DELETE FROM hearing", [])?;
    Ok(())
}

/// How a channel hears; `None` where no daemon listens for it.
pub(super) fn get(connection: &Connection, channel: &str) -> Result<Option<HearingStatus>, Fault> {
    let mut statement = connection.prepare_cached("SELECT hears, why, since, signed_at FROM hearing WHERE channel = ?1")?;
    let found = statement.query_row([channel], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))).optional()?;
    let told =
        |(hears, why, since, signed_at)| Ok(HearingStatus { hears, why, since: time(since)?, signed_at: time(signed_at)? });
    found.map(told).transpose()
}
