//! One seat as a row: the digest by which rows are compared, and how it is read back.

use rusqlite::Row;
use serde::{Deserialize, Serialize};

use crate::model::{Alias, Dn, DnKey, EntryId, MemberName, Moment, ResourceType, Seat};

use super::fault::Fault;
use super::words::Word;

/// Version of what is digested: another one has every row written again.
const VERSION: u8 = 1;

/// The columns that [`read`] reads, in its order.
pub(super) const COLUMNS: &str = "seat.id, seat.entry_id, seat.dn, seat.resource_type, seat.selected, seat.in_scope,
                                  seat.status_until, seat.is_whole, seat.also";

/// A digest of everything that a seat says.
pub(super) type Digest = [u8; 16];

/// A name as it is stored: whether it is an alias, and its text.
pub(super) type Name<'a> = (bool, &'a str);

/// What stands in one column, because it is read with the seat or not at all. The keys are short: a row holds them.
#[derive(Default, Serialize, Deserialize)]
struct Also {
    #[serde(rename = "a", default, skip_serializing_if = "Vec::is_empty")]
    aliases: Vec<String>,
    #[serde(rename = "r", default, skip_serializing_if = "Vec::is_empty")]
    references: Vec<String>,
}

/// A name as it is stored.
pub(super) fn name(name: &MemberName) -> Name<'_> {
    match name {
        MemberName::Dn(key) => (false, key.as_str()),
        MemberName::Alias(alias) => (true, alias.as_str()),
    }
}

/// A stored name.
pub(super) fn member_name(is_alias: bool, text: &str) -> MemberName {
    if is_alias { MemberName::Alias(Alias::from_text(text)) } else { MemberName::Dn(DnKey::from_normalised(text)) }
}

/// The digest of a seat. `buffer` is room to work in.
pub(super) fn digest(seat: &Seat, buffer: &mut Vec<u8>) -> Digest {
    buffer.clear();
    let flag = |flag: bool, bit: u8| if flag { bit } else { 0 };
    let resource_type = match seat.resource_type {
        ResourceType::User => 0,
        ResourceType::Group => 1,
    };
    let flags = flag(seat.selected, 2) | flag(seat.in_scope, 4) | flag(seat.members.is_some(), 8) | resource_type;
    buffer.extend([VERSION, flags, u8::from(seat.status_until.is_some())]);
    buffer.extend(seat.status_until.map_or(0, |moment| moment.0).to_le_bytes());
    // Each text with its length and each list with its end, so that no two seats are written alike.
    let mut put = |kind: u8, text: &str| {
        buffer.push(kind);
        buffer.extend(u64::try_from(text.len()).unwrap_or(u64::MAX).to_le_bytes());
        buffer.extend(text.as_bytes());
    };
    put(0, seat.dn.as_str());
    seat.aliases.iter().for_each(|alias| put(1, alias.as_str()));
    seat.references.iter().for_each(|reference| put(2, reference.as_str()));
    for (is_alias, text) in seat.members.iter().flatten().map(name) {
        put(if is_alias { 3 } else { 4 }, text);
    }
    let mut digest = Digest::default();
    digest.copy_from_slice(blake3::hash(buffer).as_bytes().first_chunk::<16>().unwrap_or(&[0; 16]));
    digest
}

/// Other names and references as text; `None` if there are none.
pub(super) fn also(seat: &Seat) -> Result<Option<String>, Fault> {
    if seat.aliases.is_empty() && seat.references.is_empty() {
        return Ok(None);
    }
    let also = Also {
        aliases: seat.aliases.iter().map(|alias| alias.as_str().to_owned()).collect(),
        references: seat.references.iter().map(|reference| reference.as_str().to_owned()).collect(),
    };
    match serde_json::to_string(&also) {
        Ok(text) => Ok(Some(text)),
        Err(error) => Fault::told(format!("cannot hold the names of entry {}: {error}", seat.id)),
    }
}

/// A seat with its row's number. Members, where they are whole, are still to be put in.
pub(super) fn read(row: &Row<'_>) -> Result<(i64, Seat), Fault> {
    let text = |at| row.get_ref(at)?.as_str().map_err(rusqlite::Error::from);
    let id = EntryId::new(text(1)?);
    let also = match row.get_ref(8)?.as_str_or_null().map_err(rusqlite::Error::from)? {
        Some(also) => serde_json::from_str(also)
            .map_err(|_| Fault::Told(format!("holds a seat of entry {id} whose names cannot be read")))?,
        None => Also::default(),
    };
    let seat = Seat {
        dn: dn(text(2)?)?,
        resource_type: ResourceType::read(text(3)?)?,
        selected: row.get(4)?,
        in_scope: row.get(5)?,
        status_until: row.get::<_, Option<i64>>(6)?.map(Moment),
        aliases: also.aliases.iter().map(|alias| Alias::from_text(alias)).collect(),
        members: row.get::<_, bool>(7)?.then(Default::default),
        references: also.references.iter().map(|reference| DnKey::from_normalised(reference)).collect(),
        id,
    };
    Ok((row.get(0)?, seat))
}

/// A DN as it was written.
pub(super) fn dn(text: &str) -> Result<Dn, Fault> {
    Dn::parse(text).map_err(|error| Fault::Told(format!("holds a DN that cannot be read: {error}")))
}
