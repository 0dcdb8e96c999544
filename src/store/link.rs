//! Rows of links, memberships and claims.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, named_params, params};

use crate::model::{EntryId, Origin, Resource, ResourceId, ResourceType};
use crate::plan::{Edit, diff, folded};

use super::codec::{self, Paths};
use super::fault::Fault;
use super::mention;
use super::words::Word;

/// Number of a link's row.
#[derive(Clone, Copy)]
pub(super) struct LinkRow(i64);

/// The link of an entry.
pub(super) fn find(connection: &Connection, target: &str, entry_id: &EntryId) -> Result<Option<LinkRow>, Fault> {
    let mut statement = connection.prepare_cached("SELECT id FROM link WHERE target = ?1 AND entry_id = ?2")?;
    Ok(statement.query_row(params![target, entry_id.as_str()], |row| row.get(0).map(LinkRow)).optional()?)
}

/// Links an entry to a resource. An older link of the entry is replaced; claims on it stay.
pub(super) fn put(
    connection: &Connection,
    target: &str,
    entry_id: &EntryId,
    resource_id: &ResourceId,
    origin: Origin,
    acknowledged: &Resource,
    now: i64,
) -> Result<(), Fault> {
    let resource_type = acknowledged.resource_type;
    let row = connection
        .prepare_cached(
            "INSERT INTO link (target, entry_id, resource_type, resource_id, origin, attributes, name, created_at,
                               changed_at)
             VALUES (:target, :entry_id, :resource_type, :resource_id, :origin, :attributes, :name, :now, :now)
             ON CONFLICT (target, entry_id) DO UPDATE SET
                 created_at = iif(resource_id = excluded.resource_id, created_at, excluded.created_at),
                 resource_type = excluded.resource_type, resource_id = excluded.resource_id, origin = excluded.origin,
                 attributes = excluded.attributes, name = excluded.name, changed_at = excluded.changed_at
             RETURNING id",
        )?
        .query_row(
            named_params! {
                ":target": target,
                ":entry_id": entry_id.as_str(),
                ":resource_type": resource_type.word(),
                ":resource_id": resource_id.as_str(),
                ":origin": origin.word(),
                ":attributes": codec::attributes_text(&acknowledged.attributes),
                ":name": acknowledged.name().map(folded),
                ":now": now,
            },
            |row| row.get(0).map(LinkRow),
        )
        .map_err(|error| taken(connection, target, entry_id, resource_type, resource_id, error))?;
    mention::put(connection, row.0, &acknowledged.attributes)?;
    put_members(connection, row, &acknowledged.members)
}

/// Applies acknowledged edits. Members are touched one row each, however large the group.
pub(super) fn edit(
    connection: &Connection,
    target: &str,
    entry_id: &EntryId,
    resource_id: &ResourceId,
    edits: &[Edit],
    now: i64,
) -> Result<(), Fault> {
    let row = required(connection, target, entry_id)?;
    let (resource_type, attributes): (String, String) = connection
        .prepare_cached("SELECT resource_type, attributes FROM link WHERE id = ?1")?
        .query_row([row.0], |found| Ok((found.get(0)?, found.get(1)?)))?;
    let mut resource = Resource::empty(ResourceType::read(&resource_type)?);
    resource.attributes = codec::attributes(&attributes, &mut Paths::default())?;
    for edit in edits {
        match edit {
            Edit::Attribute { .. } => diff::apply(&mut resource, std::slice::from_ref(edit)),
            Edit::Members { add, remove } => {
                add_members(connection, row, add.iter())?;
                remove_members(connection, row, remove.iter())?;
            }
            Edit::Foreign { .. } => {}
        }
    }
    connection
        .prepare_cached("UPDATE link SET resource_id = ?2, attributes = ?3, name = ?4, changed_at = ?5 WHERE id = ?1")?
        .execute(params![
            row.0,
            resource_id.as_str(),
            codec::attributes_text(&resource.attributes),
            resource.name().map(folded),
            now
        ])
        .map_err(|error| taken(connection, target, entry_id, resource.resource_type, resource_id, error))?;
    mention::put(connection, row.0, &resource.attributes)
}

/// Hands a link on to another entry, with its claims, its members and its place in other groups.
pub(super) fn relink(connection: &Connection, target: &str, from: &EntryId, to: &EntryId, now: i64) -> Result<(), Fault> {
    let row = required(connection, target, from)?;
    if find(connection, target, to)?.is_some() {
        return Fault::told(format!("entry {to} has a link at {target} and cannot take over that of entry {from}"));
    }
    connection.prepare_cached("UPDATE link SET entry_id = ?2, changed_at = ?3 WHERE id = ?1")?.execute(params![
        row.0,
        to.as_str(),
        now
    ])?;
    let of = connection
        .prepare_cached(
            "SELECT link_id FROM membership WHERE member_id = (SELECT id FROM member WHERE entry_id = ?1)
                         AND link_id IN (SELECT id FROM link WHERE target = ?2 AND resource_type = 'group')",
        )?
        .query_map([from.as_str(), target], |found| found.get(0).map(LinkRow))?
        .collect::<Result<Vec<_>, _>>()?;
    for group in of {
        remove_members(connection, group, std::iter::once(from))?;
        add_members(connection, group, std::iter::once(to))?;
    }
    Ok(())
}

/// Fills in by which name each link's resource is known, for links of a time when that was not written down.
pub(super) fn name_all(connection: &Connection) -> Result<(), Fault> {
    let mut paths = Paths::default();
    let mut put = connection.prepare("UPDATE link SET name = ?2 WHERE id = ?1")?;
    let mut statement = connection.prepare("SELECT id, resource_type, attributes FROM link")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    for (row, resource_type, attributes) in rows.collect::<Result<Vec<(i64, String, String)>, _>>()? {
        let mut resource = Resource::empty(ResourceType::read(&resource_type)?);
        resource.attributes = codec::attributes(&attributes, &mut paths)?;
        put.execute(params![row, resource.name().map(folded)])?;
    }
    Ok(())
}

/// Replaces what is remembered as acknowledged.
pub(super) fn correct(
    connection: &Connection,
    target: &str,
    entry_id: &EntryId,
    resource: &Resource,
    now: i64,
) -> Result<(), Fault> {
    let row = required(connection, target, entry_id)?;
    let name = resource.name().map(folded);
    connection.prepare_cached("UPDATE link SET attributes = ?2, name = ?3, changed_at = ?4 WHERE id = ?1")?.execute(params![
        row.0,
        codec::attributes_text(&resource.attributes),
        name,
        now
    ])?;
    mention::put(connection, row.0, &resource.attributes)?;
    put_members(connection, row, &resource.members)
}

/// Drops the link of an entry with every claim on it. No link: nothing to do. What others were acknowledged to say
/// of the entry, as its group or its report, spoke of that resource and goes with it.
pub(super) fn drop(connection: &Connection, target: &str, entry_id: &EntryId) -> Result<(), Fault> {
    let dropped = connection
        .prepare_cached("DELETE FROM link WHERE target = ?1 AND entry_id = ?2")?
        .execute(params![target, entry_id.as_str()])?;
    if dropped == 0 {
        return Ok(());
    }
    connection
        .prepare_cached(
            "DELETE FROM membership WHERE member_id = (SELECT id FROM member WHERE entry_id = ?2)
             AND link_id IN (SELECT id FROM link WHERE target = ?1 AND resource_type = 'group')",
        )?
        .execute(params![target, entry_id.as_str()])?;
    mention::drop(connection, target, entry_id)
}

/// The channel claims the entry's link.
pub(super) fn claim(connection: &Connection, target: &str, entry_id: &EntryId, channel: &str, now: i64) -> Result<(), Fault> {
    let row = required(connection, target, entry_id)?;
    connection
        .prepare_cached("INSERT INTO claim (link_id, channel, since) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING")?
        .execute(params![row.0, channel, now])?;
    connection
        .prepare_cached("UPDATE link SET left_at = NULL, left_channel = NULL WHERE id = ?1 AND left_at IS NOT NULL")?
        .execute([row.0])?;
    Ok(())
}

/// The channel's claim ends. The link stays, also without claims.
pub(super) fn give_up(connection: &Connection, target: &str, entry_id: &EntryId, channel: &str, now: i64) -> Result<(), Fault> {
    if let Some(row) = find(connection, target, entry_id)? {
        connection.prepare_cached("DELETE FROM claim WHERE link_id = ?1 AND channel = ?2")?.execute(params![row.0, channel])?;
        connection
            .prepare_cached(
                "UPDATE link SET left_at = ?3, left_channel = ?2 WHERE id = ?1 AND left_at IS NULL
                 AND NOT EXISTS (SELECT 1 FROM claim WHERE claim.link_id = link.id)",
            )?
            .execute(params![row.0, channel, now])?;
    }
    Ok(())
}

fn required(connection: &Connection, target: &str, entry_id: &EntryId) -> Result<LinkRow, Fault> {
    find(connection, target, entry_id)?
        .map_or_else(|| Fault::told(format!("entry {entry_id} has no link at {target}, so nothing can be recorded of it")), Ok)
}

/// Makes the stored members equal to `members`, writing only what differs.
fn put_members(connection: &Connection, row: LinkRow, members: &BTreeSet<EntryId>) -> Result<(), Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT member.entry_id FROM membership JOIN member ON member.id = membership.member_id WHERE membership.link_id = ?1",
    )?;
    let stored = statement
        .query_map([row.0], |found| Ok(EntryId::new(found.get_ref(0)?.as_str()?)))?
        .collect::<Result<BTreeSet<_>, _>>()?;
    add_members(connection, row, members.difference(&stored))?;
    remove_members(connection, row, stored.difference(members))
}

fn add_members<'a>(connection: &Connection, row: LinkRow, members: impl Iterator<Item = &'a EntryId>) -> Result<(), Fault> {
    let mut intern = connection.prepare_cached("INSERT INTO member (entry_id) VALUES (?1) ON CONFLICT DO NOTHING")?;
    let mut insert = connection.prepare_cached(
        "INSERT INTO membership (link_id, member_id) SELECT ?1, id FROM member WHERE entry_id = ?2 ON CONFLICT DO NOTHING",
    )?;
    for member in members {
        intern.execute([member.as_str()])?;
        insert.execute(params![row.0, member.as_str()])?;
    }
    Ok(())
}

fn remove_members<'a>(connection: &Connection, row: LinkRow, members: impl Iterator<Item = &'a EntryId>) -> Result<(), Fault> {
    let mut delete = connection.prepare_cached(
        "DELETE FROM membership WHERE link_id = ?1 AND member_id = (SELECT id FROM member WHERE entry_id = ?2)",
    )?;
    for member in members {
        delete.execute(params![row.0, member.as_str()])?;
    }
    Ok(())
}

/// Says who has the resource, where that is why a link could not be written.
fn taken(
    connection: &Connection,
    target: &str,
    entry_id: &EntryId,
    resource_type: ResourceType,
    resource_id: &ResourceId,
    error: rusqlite::Error,
) -> Fault {
    if error.sqlite_error_code() != Some(rusqlite::ErrorCode::ConstraintViolation) {
        return error.into();
    }
    let owner: rusqlite::Result<String> = connection
        .prepare_cached("SELECT entry_id FROM link WHERE target = ?1 AND resource_type = ?2 AND resource_id = ?3")
        .and_then(|mut statement| {
            statement.query_row(params![target, resource_type.word(), resource_id.as_str()], |row| row.get(0))
        });
    match owner {
        Ok(owner) => Fault::Told(format!(
            "{} {resource_id} at {target} is linked to entry {owner} and cannot be linked to entry {entry_id} too",
            resource_type.as_str()
        )),
        Err(_) => error.into(),
    }
}
