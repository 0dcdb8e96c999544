//! What `status` shows of each channel.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::cycle::{CycleEnd, Trigger};
use crate::model::{ChannelName, EntryId, LinkedCounts, ResourceType, TargetName, Watermark, Witness};

use super::fault::Fault;
use super::hearing::HearingStatus;
use super::words::Word;
use super::{hearing, knowledge, roster, snapshot};

/// One channel at one target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelStatus {
    /// Channel.
    pub channel: ChannelName,
    /// The target it worked on last.
    pub target: TargetName,
    /// Its last cycle.
    pub last: CycleStatus,
    /// When its last cycle ended that was done, with or without held entries; previews do not count.
    pub last_success: Option<Timestamp>,
    /// What it claims now.
    pub linked: LinkedCounts,
    /// Entries left alone, by name.
    pub held: Vec<HeldStatus>,
    /// What the guard stopped.
    pub quarantine: Vec<QuarantineStatus>,
    /// Requests of this channel that were sent, perhaps, and never answered.
    pub unanswered: u64,
    /// What is known about the target beyond its configuration.
    pub knowledge: Vec<FactStatus>,
    /// How changes of its directory are followed; `None` while each cycle reads everything.
    pub tracking: Option<TrackingStatus>,
    /// How its changes are heard, if it is live and a daemon runs or died.
    pub hearing: Option<HearingStatus>,
}

/// Where a channel stands that is told what changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrackingStatus {
    /// How far the directory was read.
    pub watermark: Watermark,
    /// When everything was read last.
    pub full_at: Timestamp,
    /// Entries whose change is still to be made.
    pub pending: u64,
}

/// A fact about a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FactStatus {
    /// The knob of the dialect that it sets.
    pub knob: String,
    /// How.
    pub value: String,
    /// How it became known.
    pub witness: Witness,
    /// Since when.
    pub since: Timestamp,
}

/// One cycle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CycleStatus {
    /// How it was started.
    pub trigger: Trigger,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended; `None` while it runs, or if the program died since.
    pub ended_at: Option<Timestamp>,
    /// How it ended.
    pub end: Option<CycleEnd>,
    /// Sentences for people.
    pub messages: Vec<String>,
    /// Counts by name, in the order to print them.
    pub counts: Vec<(String, u64)>,
}

/// An entry left alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldStatus {
    /// The entry.
    pub entry_id: EntryId,
    /// User or group.
    pub resource_type: ResourceType,
    /// Its name for people.
    pub name: String,
    /// Why.
    pub why: String,
    /// Held without a break since.
    pub since: Timestamp,
}

/// A kind of loss that the guard stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuarantineStatus {
    /// The guard's word for it.
    pub kind: String,
    /// The guard's message.
    pub message: String,
    /// Stopped without a break since.
    pub since: Timestamp,
}

/// Every channel that ever began a cycle, by name.
pub(super) fn channels(connection: &Connection) -> Result<Vec<ChannelStatus>, Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT channel, target, started_by, started_at, ended_at, ended_as, messages, counts FROM cycle
         WHERE id IN (SELECT max(id) FROM cycle GROUP BY channel) ORDER BY channel",
    )?;
    let mut rows = statement.query([])?;
    let mut channels = Vec::new();
    while let Some(row) = rows.next()? {
        let (channel, target): (String, String) = (row.get(0)?, row.get(1)?);
        channels.push(ChannelStatus {
            last: last(row)?,
            last_success: last_success(connection, &channel, &target)?,
            linked: snapshot::linked(connection, &target, &channel)?,
            held: held(connection, &channel)?,
            quarantine: quarantine(connection, &channel)?,
            unanswered: unanswered(connection, &channel, &target)?,
            knowledge: knowledge::dated(connection, &target)?,
            tracking: roster::tracking(connection, &channel)?,
            hearing: hearing::get(connection, &channel)?,
            channel: ChannelName::new(&channel),
            target: TargetName::new(&target),
        });
    }
    Ok(channels)
}

/// A moment as it is stored.
pub(super) fn time(milliseconds: i64) -> Result<Timestamp, Fault> {
    Timestamp::from_millisecond(milliseconds).map_err(|_| Fault::Told("holds a time that cannot be".to_owned()))
}

fn last(row: &Row<'_>) -> Result<CycleStatus, Fault> {
    let end: Option<String> = row.get(5)?;
    let json = |at| -> Result<String, Fault> { Ok(row.get::<_, Option<String>>(at)?.unwrap_or_else(|| "[]".to_owned())) };
    let unreadable = |_| Fault::Told("holds a cycle whose summary cannot be read".to_owned());
    Ok(CycleStatus {
        trigger: Trigger::read(&row.get::<_, String>(2)?)?,
        started_at: time(row.get(3)?)?,
        ended_at: row.get::<_, Option<i64>>(4)?.map(time).transpose()?,
        end: end.as_deref().map(CycleEnd::read).transpose()?,
        messages: serde_json::from_str(&json(6)?).map_err(unreadable)?,
        counts: serde_json::from_str(&json(7)?).map_err(unreadable)?,
    })
}

fn last_success(connection: &Connection, channel: &str, target: &str) -> Result<Option<Timestamp>, Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT ended_at FROM cycle WHERE channel = ?1 AND target = ?2 AND ended_as IN ('done', 'done_with_held')
         AND started_by <> 'preview' ORDER BY id DESC LIMIT 1",
    )?;
    statement.query_row([channel, target], |row| row.get(0)).optional()?.map(time).transpose()
}

fn held(connection: &Connection, channel: &str) -> Result<Vec<HeldStatus>, Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT entry_id, resource_type, name, why, since FROM held WHERE channel = ?1 ORDER BY name, entry_id",
    )?;
    let mut rows = statement.query([channel])?;
    let mut held = Vec::new();
    while let Some(row) = rows.next()? {
        held.push(HeldStatus {
            entry_id: EntryId::new(&row.get::<_, String>(0)?),
            resource_type: ResourceType::read(&row.get::<_, String>(1)?)?,
            name: row.get(2)?,
            why: row.get(3)?,
            since: time(row.get(4)?)?,
        });
    }
    Ok(held)
}

fn quarantine(connection: &Connection, channel: &str) -> Result<Vec<QuarantineStatus>, Fault> {
    let mut statement =
        connection.prepare_cached("SELECT kind, message, since FROM quarantine WHERE channel = ?1 ORDER BY kind")?;
    let mut rows = statement.query([channel])?;
    let mut quarantine = Vec::new();
    while let Some(row) = rows.next()? {
        quarantine.push(QuarantineStatus { kind: row.get(0)?, message: row.get(1)?, since: time(row.get(2)?)? });
    }
    Ok(quarantine)
}

fn unanswered(connection: &Connection, channel: &str, target: &str) -> Result<u64, Fault> {
    let mut statement =
        connection.prepare_cached("SELECT count(*) FROM journal WHERE target = ?2 AND channel = ?1 AND closed_at IS NULL")?;
    let count: i64 = statement.query_row(params![channel, target], |row| row.get(0))?;
    Ok(u64::try_from(count).unwrap_or_default())
}
