//! Finding an existing resource for an entry: questions for the target, and what the answers mean.

use std::collections::BTreeMap;

use crate::model::{AttributePath, Capabilities, EntryId, Resource, ResourceId, ResourceType, Snapshot, Value};

use super::found::Found;

/// A question to the target: resources of a type with this value at this path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lookup {
    /// User or group.
    pub resource_type: ResourceType,
    /// A filterable attribute.
    pub path: AttributePath,
    /// Its value.
    pub value: String,
}

/// What is known about an unlinked entry's resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Situation {
    /// The target has one, and it is free to be linked. It was found by this path.
    Unlinked(Box<Found>, AttributePath),
    /// The target has none.
    Unmatched,
    /// It has one that must be left alone, or several; a sentence why.
    Disputed(String),
}

/// The questions for one resource, in order; the first that finds something settles it.
pub fn lookups(resource: &Resource, capabilities: &Capabilities) -> Vec<Lookup> {
    let keys = match resource.resource_type {
        ResourceType::User => &capabilities.match_keys.users,
        ResourceType::Group => &capabilities.match_keys.groups,
    };
    keys.iter()
        .filter_map(|path| {
            let value = resource.text(path.as_str())?.to_owned();
            Some(Lookup { resource_type: resource.resource_type, path: path.clone(), value })
        })
        .collect()
}

/// True if a found resource really has the value that was asked for: names without case, everything else exactly.
pub fn answers(lookup: &Lookup, found: &Found) -> bool {
    if found.resource_type != lookup.resource_type {
        return false;
    }
    match found.attributes.get(&lookup.path) {
        Some(Value::Text(text)) if lookup.path == lookup.resource_type.name_path() => {
            text.to_lowercase() == lookup.value.to_lowercase()
        }
        Some(Value::Text(text)) => *text == lookup.value,
        Some(Value::Flag(_) | Value::Reference(_)) | None => false,
    }
}

/// Who holds which resource, from the snapshot's links.
pub fn holders(snapshot: &Snapshot) -> BTreeMap<(ResourceType, ResourceId), EntryId> {
    snapshot
        .links
        .values()
        .map(|link| ((link.acknowledged.resource_type, link.resource_id.clone()), link.entry_id.clone()))
        .collect()
}

/// The entry that a member or a manager at the target is: a user, else a group.
pub fn entry_of(holders: &BTreeMap<(ResourceType, ResourceId), EntryId>, id: &ResourceId) -> Option<EntryId> {
    [ResourceType::User, ResourceType::Group].into_iter().find_map(|kind| holders.get(&(kind, id.clone())).cloned())
}

/// What the candidates of one question mean for an entry. `is_other_entry` tells whether an externalId belongs to
/// another entry that we know.
pub fn situation(
    entry_id: &EntryId,
    path: &AttributePath,
    candidates: &[Found],
    holder: impl Fn(&Found) -> Option<EntryId>,
    is_other_entry: impl Fn(&str) -> bool,
) -> Situation {
    let [found] = candidates else {
        return match candidates.len() {
            0 => Situation::Unmatched,
            count => Situation::Disputed(format!("the target has {count} resources with this {path}")),
        };
    };
    match holder(found) {
        Some(other) if other != *entry_id => {
            return Situation::Disputed(format!(
                "the target's resource {} with this {path} is linked to another entry ({other})",
                found.resource_id
            ));
        }
        Some(_) | None => {}
    }
    match found.attributes.get("externalId") {
        Some(Value::Text(external)) if external != entry_id.as_str() && is_other_entry(external) => Situation::Disputed(format!(
            "the target's resource {} with this {path} carries the externalId of another entry",
            found.resource_id
        )),
        _ => Situation::Unlinked(Box::new(found.clone()), path.clone()),
    }
}
