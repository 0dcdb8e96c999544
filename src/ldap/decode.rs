//! Makes an [`Entry`] of what the server sent.

use std::collections::BTreeMap;

use crate::model::{AttributeName, AttributeValue, Dn, Entry, EntryId, ResourceType, Status};

use super::members::member_dns;
use super::raw_entry::RawEntry;
use super::vendor::Facts;

/// How much of a group's members came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Members {
    /// All that we may see.
    Whole,
    /// A range of them could not be read.
    InPart,
}

/// The attributes to ask for: the given ones and what we need ourselves, each once.
pub fn attributes(facts: &Facts, resource_type: ResourceType, wanted: &[AttributeName]) -> Vec<String> {
    let own: Vec<&str> = match resource_type {
        ResourceType::User => facts.status_attributes.to_vec(),
        ResourceType::Group => facts.member_attributes.iter().copied().chain(["objectClass"]).collect(),
    };
    let mut names: Vec<AttributeName> =
        std::iter::once(facts.id_attribute).chain(own).map(AttributeName::new).chain(wanted.iter().cloned()).collect();
    names.sort();
    names.dedup();
    names.iter().map(|name| name.as_str().to_owned()).collect()
}

/// The user, or a sentence on why it is none.
pub fn user(mut raw: RawEntry, facts: &Facts, wanted: &[AttributeName]) -> Result<Entry, String> {
    let (id, dn) = identity(&raw, facts)?;
    let status = (facts.status)(&raw);
    let attributes = wanted_of(&mut raw, wanted);
    Ok(Entry {
        id,
        dn,
        resource_type: ResourceType::User,
        selected: true,
        status,
        status_until: None,
        aliases: Vec::new(),
        members: None,
        member_aliases: Vec::new(),
        attributes,
    })
}

/// The group, or a sentence on why it is none.
pub fn group(mut raw: RawEntry, facts: &Facts, wanted: &[AttributeName], came: Members) -> Result<Entry, String> {
    let (id, dn) = identity(&raw, facts)?;
    let mut members = Vec::new();
    for name in facts.member_attributes {
        let (dns, ignored) = member_dns(&raw.take(&AttributeName::new(name)));
        if ignored > 0 {
            tracing::debug!(group = %dn, ignored, "member values that are no DN are ignored");
        }
        members.extend(dns);
    }
    let members = match came {
        Members::Whole => Some(members),
        Members::InPart => None,
    };
    let attributes = wanted_of(&mut raw, wanted);
    Ok(Entry {
        id,
        dn,
        resource_type: ResourceType::Group,
        selected: false,
        status: Status::Enabled,
        status_until: None,
        aliases: Vec::new(),
        members,
        member_aliases: Vec::new(),
        attributes,
    })
}

/// True if a group must have members, and shows none: we have no right to read them.
pub fn hides_members(raw: &RawEntry, facts: &Facts) -> bool {
    let classes = raw.values("objectClass").iter().filter_map(AttributeValue::text);
    classes.map(str::to_ascii_lowercase).any(|class| facts.never_empty.contains(&class.as_str()))
        && facts.member_attributes.iter().all(|name| raw.values(name).is_empty())
}

/// True if the entry's classes or its members say that it is a group.
pub fn is_group(raw: &RawEntry, facts: &Facts) -> bool {
    raw.has_class_like("group") || facts.member_attributes.iter().any(|name| !raw.values(name).is_empty())
}

fn identity(raw: &RawEntry, facts: &Facts) -> Result<(EntryId, Dn), String> {
    let dn = Dn::parse(&raw.dn).map_err(|error| format!("an entry was left out because its DN cannot be read: {error}"))?;
    let id = facts.id_form.entry_id(raw.values(facts.id_attribute)).ok_or_else(|| {
        format!("{dn} was left out because its {} is missing, not readable to us or not valid", facts.id_attribute)
    })?;
    Ok((id, dn))
}

fn wanted_of(raw: &mut RawEntry, wanted: &[AttributeName]) -> BTreeMap<AttributeName, Vec<AttributeValue>> {
    let taken = wanted.iter().map(|name| (name.clone(), raw.take(name)));
    let mut attributes = BTreeMap::new();
    for (name, values) in taken {
        if !values.is_empty() {
            attributes.insert(name, values);
        }
    }
    attributes
}
