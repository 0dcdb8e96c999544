//! How memberships are said: as operations of a PATCH, as the list of a create, or as the whole list of a group.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};

use super::MemberRemove;
use super::url::quoted;
use super::wire::Speech;
use crate::cycle::{Found, References};
use crate::model::{EntryId, ResourceId, ResourceType};
use crate::plan::Edit;

/// An operation: `op` in lower case, path and value.
pub(super) type Operation = (&'static str, String, Option<Json>);

/// The operations that an edit of members is; none for other edits. `found` is the group as it was just read, which
/// `replace_all` needs: without its members, it is said as if the knob stood at `path_filter`.
pub(super) fn operations(speech: Speech<'_>, edit: &Edit, found: Option<&Found>) -> Vec<Operation> {
    let leaving: Vec<&ResourceId> = match edit {
        Edit::Attribute { .. } => return Vec::new(),
        Edit::Members { remove, .. } => remove.iter().filter_map(|entry| speech.references.get(entry)).collect(),
        Edit::Foreign { remove } => remove.iter().collect(),
    };
    let coming: Vec<Json> = match edit {
        Edit::Attribute { .. } | Edit::Foreign { .. } => Vec::new(),
        Edit::Members { add, .. } => members(speech, add),
    };
    if let (MemberRemove::ReplaceAll, Some(there)) = (speech.knobs.member_remove, found.and_then(|found| found.members.as_ref()))
    {
        let all = whole(there, std::slice::from_ref(edit), speech.references);
        let value = all.iter().map(|id| member(speech, id)).collect();
        return vec![("replace", "members".to_owned(), Some(Json::Array(value)))];
    }
    let mut operations: Vec<Operation> = Vec::new();
    if !coming.is_empty() {
        operations.push(("add", "members".to_owned(), Some(Json::Array(coming))));
    }
    match speech.knobs.member_remove {
        _ if leaving.is_empty() => {}
        MemberRemove::PathFilter | MemberRemove::ReplaceAll => {
            operations.extend(leaving.iter().map(|id| ("remove", format!("members[value eq {}]", quoted(id.as_str())), None)));
        }
        MemberRemove::ValueArray => {
            let value = leaving.iter().map(|id| json!({ "value": id.as_str() })).collect();
            operations.push(("remove", "members".to_owned(), Some(Json::Array(value))));
        }
    }
    operations
}

/// Members in a list; entries without a resource are left out.
pub(super) fn members(speech: Speech<'_>, entries: &BTreeSet<EntryId>) -> Vec<Json> {
    let known = entries.iter().filter_map(|entry| Some((entry, speech.references.get(entry)?)));
    known.map(|(entry, id)| typed(speech, id, speech.references.resource_type(entry))).collect()
}

/// The whole list of a group's members after edits, from what was read: for providers that take nothing less.
pub(super) fn whole(there: &BTreeSet<ResourceId>, edits: &[Edit], references: &References) -> BTreeSet<ResourceId> {
    let mut all = there.clone();
    for edit in edits {
        match edit {
            Edit::Attribute { .. } => {}
            Edit::Members { add, remove } => {
                for id in remove.iter().filter_map(|entry| references.get(entry)) {
                    all.remove(id);
                }
                all.extend(add.iter().filter_map(|entry| references.get(entry)).cloned());
            }
            Edit::Foreign { remove } => all.retain(|id| !remove.contains(id)),
        }
    }
    all
}

/// A member of a whole list. One that no reference leads to was read there, and is taken for a user.
pub(super) fn member(speech: Speech<'_>, id: &ResourceId) -> Json {
    typed(speech, id, speech.references.type_of(id))
}

fn typed(speech: Speech<'_>, id: &ResourceId, resource_type: ResourceType) -> Json {
    // RFC 7643 §4.2 names the two so.
    let kind = match resource_type {
        ResourceType::User => "User",
        ResourceType::Group => "Group",
    };
    if speech.knobs.member_type { json!({ "value": id.as_str(), "type": kind }) } else { json!({ "value": id.as_str() }) }
}
