//! Loads what is remembered of a target, as one channel sees it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, Row, params};

use crate::model::{
    ChannelName, DnKey, EntryId, Leaver, Link, LinkedCounts, Origin, Resource, ResourceId, ResourceType, Snapshot, TargetName,
    Uncertain,
};
use crate::plan::{Action, Edit};

use super::codec::{self, Paths};
use super::fault::Fault;
use super::words::Word;
use super::{guard, knowledge, refused};

/// Loads a snapshot. The caller's transaction makes it consistent.
pub(super) fn load(
    connection: &Connection,
    target: &TargetName,
    channel: &ChannelName,
    window: Duration,
    now: Timestamp,
) -> Result<Snapshot, Fault> {
    let mut snapshot = Snapshot {
        links: links(connection, target)?,
        claims: claims(connection, target)?,
        leavers: leavers(connection, target, now)?,
        unanswered_creates: BTreeMap::new(),
        refused: refused::read(connection, target.as_str(), now)?,
        scope_groups: scope_groups(connection, channel)?,
        knowledge: knowledge::read(connection, target.as_str())?,
        tally: guard::tally(connection, target.as_str(), channel.as_str(), begin(window, now))?,
        first: is_first(connection, target, channel)?,
        others: BTreeMap::new(),
        linked: None,
    };
    unanswered(connection, target, channel, &mut snapshot)?;
    Ok(snapshot)
}

/// When a window began that ends now.
pub(super) fn begin(window: Duration, now: Timestamp) -> i64 {
    let window = SignedDuration::try_from(window).unwrap_or(SignedDuration::MAX);
    now.checked_sub(window).unwrap_or(Timestamp::MIN).as_millisecond()
}

/// What a channel claims.
pub(super) fn linked(connection: &Connection, target: &str, channel: &str) -> Result<LinkedCounts, Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT coalesce(sum(resource_type = 'user'), 0), coalesce(sum(resource_type = 'group'), 0),
                coalesce(sum((SELECT count(*) FROM membership WHERE membership.link_id = link.id)), 0)
         FROM claim JOIN link ON link.id = claim.link_id WHERE claim.channel = ?1 AND link.target = ?2",
    )?;
    let number = |row: &Row<'_>, at| Ok::<_, rusqlite::Error>(u64::try_from(row.get::<_, i64>(at)?).unwrap_or_default());
    Ok(statement.query_row([channel, target], |row| {
        Ok(LinkedCounts { users: number(row, 0)?, groups: number(row, 1)?, memberships: number(row, 2)? })
    })?)
}

/// Text of a column without a copy.
pub(super) fn text<'a>(row: &'a Row<'_>, at: usize) -> Result<&'a str, Fault> {
    Ok(row.get_ref(at)?.as_str().map_err(rusqlite::Error::from)?)
}

fn links(connection: &Connection, target: &TargetName) -> Result<BTreeMap<EntryId, Link>, Fault> {
    let mut members = members(connection, target)?;
    let mut paths = Paths::default();
    let mut statement = connection.prepare_cached(
        "SELECT id, entry_id, resource_type, resource_id, origin, attributes FROM link WHERE target = ?1 ORDER BY entry_id",
    )?;
    let mut rows = statement.query([target.as_str()])?;
    let mut links = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let link = link(row, &mut paths, &mut members)?;
        links.insert(link.entry_id.clone(), link);
    }
    Ok(links)
}

/// A link of a row that begins with the columns of [`links`], with its members taken out of those of all groups. What is
/// open of it is not in it yet.
pub(super) fn link(row: &Row<'_>, paths: &mut Paths, members: &mut HashMap<i64, BTreeSet<EntryId>>) -> Result<Link, Fault> {
    let acknowledged = Resource {
        resource_type: ResourceType::read(text(row, 2)?)?,
        attributes: codec::attributes(text(row, 5)?, paths)?,
        members: members.remove(&row.get(0)?).unwrap_or_default(),
    };
    Ok(Link {
        entry_id: EntryId::new(text(row, 1)?),
        resource_id: ResourceId::new(text(row, 3)?),
        origin: Origin::read(text(row, 4)?)?,
        acknowledged,
        uncertain: Uncertain::default(),
    })
}

/// Members by the group's link row. Each entry id is allocated once.
fn members(connection: &Connection, target: &TargetName) -> Result<HashMap<i64, BTreeSet<EntryId>>, Fault> {
    let mut ids: HashMap<i64, EntryId> = HashMap::new();
    let mut statement = connection.prepare_cached("SELECT id, entry_id FROM member")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        ids.insert(row.get(0)?, EntryId::new(text(row, 1)?));
    }
    let mut members: HashMap<i64, BTreeSet<EntryId>> = HashMap::new();
    let mut statement = connection.prepare_cached(
        "SELECT membership.link_id, membership.member_id FROM link JOIN membership ON membership.link_id = link.id
         WHERE link.target = ?1",
    )?;
    let mut rows = statement.query([target.as_str()])?;
    while let Some(row) = rows.next()? {
        let Some(member) = ids.get(&row.get(1)?) else { return Fault::told("has a membership of nobody: it is damaged") };
        members.entry(row.get(0)?).or_default().insert(member.clone());
    }
    Ok(members)
}

fn claims(connection: &Connection, target: &TargetName) -> Result<BTreeMap<EntryId, BTreeSet<ChannelName>>, Fault> {
    let mut names: HashMap<String, ChannelName> = HashMap::new();
    let mut claims: BTreeMap<EntryId, BTreeSet<ChannelName>> = BTreeMap::new();
    let mut statement = connection.prepare_cached(
        "SELECT link.entry_id, claim.channel FROM link JOIN claim ON claim.link_id = link.id
         WHERE link.target = ?1 ORDER BY link.entry_id",
    )?;
    let mut rows = statement.query([target.as_str()])?;
    while let Some(row) = rows.next()? {
        let channel = text(row, 1)?;
        let name = match names.get(channel) {
            Some(name) => name.clone(),
            None => names.entry(channel.to_owned()).or_insert(ChannelName::new(channel)).clone(),
        };
        claims.entry(EntryId::new(text(row, 0)?)).or_default().insert(name);
    }
    Ok(claims)
}

/// Links without claims.
fn leavers(connection: &Connection, target: &TargetName, now: Timestamp) -> Result<BTreeMap<EntryId, Leaver>, Fault> {
    let mut statement = connection
        .prepare_cached("SELECT entry_id, left_channel, left_at FROM link WHERE target = ?1 AND left_at IS NOT NULL")?;
    let mut rows = statement.query([target.as_str()])?;
    let mut leavers = BTreeMap::new();
    while let Some(row) = rows.next()? {
        leavers.insert(EntryId::new(text(row, 0)?), leaver(text(row, 1)?, row.get(2)?, now));
    }
    Ok(leavers)
}

/// Who left a channel, and when.
pub(super) fn leaver(channel: &str, left_at: i64, now: Timestamp) -> Leaver {
    let milliseconds = now.as_millisecond().saturating_sub(left_at);
    let ago = Duration::from_millis(u64::try_from(milliseconds).unwrap_or_default());
    Leaver { channel: ChannelName::new(channel), ago }
}

/// What requests without an answer leave open. An open delete leaves nothing open: it is sent again,
/// and a resource that is not there any more counts as deleted. A create is followed up by the channel that sent it.
fn unanswered(connection: &Connection, target: &TargetName, channel: &ChannelName, snapshot: &mut Snapshot) -> Result<(), Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT entry_id, coalesce(unsettled, body), channel = ?2 FROM journal
         WHERE target = ?1 AND closed_at IS NULL ORDER BY id",
    )?;
    let mut rows = statement.query(params![target.as_str(), channel.as_str()])?;
    while let Some(row) = rows.next()? {
        open(snapshot, EntryId::new(text(row, 0)?), codec::action(text(row, 1)?)?, row.get(2)?);
    }
    Ok(())
}

/// What one request without an answer leaves open. `own`: it is this channel's.
pub(super) fn open(snapshot: &mut Snapshot, entry_id: EntryId, action: Action, own: bool) {
    match (action, snapshot.links.get_mut(&entry_id)) {
        (Action::Create(resource), None) => {
            if own {
                snapshot.unanswered_creates.insert(entry_id, resource);
            }
        }
        (Action::Update { edits, .. } | Action::Adopt { edits, .. } | Action::Relink { edits, .. }, Some(link)) => {
            doubt(&mut link.uncertain, edits)
        }
        (Action::Create(_), Some(_)) | (Action::Update { .. } | Action::Adopt { .. } | Action::Relink { .. }, None) => {}
        (Action::Delete { .. } | Action::Claim { .. } | Action::Release | Action::Forget, _) => {}
    }
}

fn doubt(uncertain: &mut Uncertain, edits: Vec<Edit>) {
    for edit in edits {
        match edit {
            Edit::Attribute { path, .. } => {
                uncertain.paths.insert(path);
            }
            Edit::Members { add, remove } => uncertain.members.extend(add.into_iter().chain(remove)),
            Edit::Foreign { .. } => {}
        }
    }
}

/// Which entry each of the channel's scope groups was when it was last read.
pub(super) fn scope_groups(connection: &Connection, channel: &ChannelName) -> Result<BTreeMap<DnKey, EntryId>, Fault> {
    let mut statement = connection.prepare_cached("SELECT dn_key, entry_id FROM scope_group WHERE channel = ?1")?;
    let rows = statement.query_map([channel.as_str()], |row| {
        Ok((DnKey::from_normalised(row.get_ref(0)?.as_str()?), EntryId::new(row.get_ref(1)?.as_str()?)))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// A cycle that failed, still runs or only previewed has not made the channel's first load.
pub(super) fn is_first(connection: &Connection, target: &TargetName, channel: &ChannelName) -> Result<bool, Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT NOT EXISTS (SELECT 1 FROM cycle WHERE channel = ?1 AND target = ?2
                            AND ended_as <> 'failed' AND started_by <> 'preview')",
    )?;
    Ok(statement.query_row([channel.as_str(), target.as_str()], |row| row.get(0))?)
}
