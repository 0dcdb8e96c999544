//! Documents for programs: the forms that docs/json.md describes.

use serde_json::{Value as Json, json};

use crate::model::{Coverage, EntryId, Value};
use crate::plan::{Action, Change, Edit, Held, Stage, Verdict};

use super::overlap::Overlap;
use super::text::{self, Names};

/// Version of the forms. It rises when a key changes its meaning or goes.
pub const VERSION: u32 = 1;

/// A value; an entry as `{"entry_id", "name"}`.
pub fn value(value: &Value, names: &Names) -> Json {
    match value {
        Value::Text(text) => Json::from(text.as_str()),
        Value::Flag(flag) => Json::from(*flag),
        Value::Reference(id) => entry(id, names),
    }
}

fn entry(id: &EntryId, names: &Names) -> Json {
    json!({ "entry_id": id.as_str(), "name": text::name(names, id) })
}

/// A change of a plan. `stopped`: by the guard.
pub fn change(channel: &str, stage: Option<Stage>, change: &Change, names: &Names) -> Json {
    let mut edits = Vec::new();
    let (mut add, mut remove) = (Vec::new(), Vec::new());
    let (mut resource_id, mut from) = (None, None);
    let mut take = |all: &[Edit]| {
        for edit in all {
            match edit {
                Edit::Attribute { path, before, after } => edits.push(json!({
                    "path": path.as_str(),
                    "before": before.as_ref().map(|before| value(before, names)),
                    "after": after.as_ref().map(|after| value(after, names)),
                })),
                Edit::Members { add: more, remove: less } => {
                    add.extend(more.iter().map(|id| entry(id, names)));
                    remove.extend(less.iter().map(|id| entry(id, names)));
                }
                Edit::Foreign { remove: less } => remove.extend(less.iter().map(|id| json!({ "resource_id": id.as_str() }))),
            }
        }
    };
    match &change.action {
        Action::Create(resource) => {
            let attributes = resource.attributes.iter();
            let mut all: Vec<Edit> = attributes
                .map(|(path, value)| Edit::Attribute { path: path.clone(), before: None, after: Some(value.clone()) })
                .collect();
            all.push(Edit::Members { add: resource.members.clone(), remove: std::collections::BTreeSet::new() });
            take(&all);
        }
        Action::Adopt { resource_id: id, edits, .. } | Action::Update { resource_id: id, edits } => {
            resource_id = Some(id.as_str());
            take(edits);
        }
        Action::Relink { resource_id: id, from: former, edits } => {
            (resource_id, from) = (Some(id.as_str()), Some(former.as_str()));
            take(edits);
        }
        Action::Delete { resource_id: id } | Action::Claim { resource_id: id } => resource_id = Some(id.as_str()),
        Action::Release | Action::Forget => {}
    }
    json!({
        "document": "change",
        "channel": channel,
        "action": change.action.as_str(),
        "resource_type": change.resource_type.as_str(),
        "entry_id": change.entry_id.as_str(),
        "name": change.name,
        "resource_id": resource_id,
        "from": from,
        "reason": text::reason(&change.reason),
        "because": text::because(&change.reason),
        "stage": stage.map(text::stage),
        "stopped": stage.is_none(),
        "edits": edits,
        "members": { "add": add, "remove": remove },
    })
}

/// A held entry as a line of its own.
pub fn held_line(channel: &str, held: &Held) -> Json {
    let mut document = self::held(held);
    if let Json::Object(map) = &mut document {
        map.insert("document".to_owned(), "held".into());
        map.insert("channel".to_owned(), channel.into());
    }
    document
}

/// A held entry.
pub fn held(held: &Held) -> Json {
    json!({
        "entry_id": held.entry_id.as_str(),
        "resource_type": held.resource_type.as_str(),
        "name": held.name,
        "why": held.why,
    })
}

/// How much was read.
pub fn coverage(coverage: &Coverage) -> Json {
    match coverage {
        Coverage::Full => json!({ "coverage": "full", "causes": [] }),
        Coverage::Changes => json!({ "coverage": "changes", "causes": [] }),
        Coverage::Partial(causes) => json!({ "coverage": "partial", "causes": causes }),
    }
}

/// The guard's verdict.
pub fn guard(verdict: &Verdict) -> Json {
    let tripped: Vec<Json> = verdict
        .tripped
        .iter()
        .map(|tripped| {
            json!({
                "kind": tripped.kind.as_str(),
                "message": tripped.message,
                "planned": tripped.planned,
                "already": tripped.already,
                "allowed": tripped.allowed,
            })
        })
        .collect();
    json!({ "tripped": tripped, "stopped": verdict.stopped.len() })
}

/// Counts by name.
pub fn counts<'a>(counts: impl IntoIterator<Item = (&'a str, u64)>) -> Json {
    Json::Object(counts.into_iter().map(|(name, count)| (name.replace(' ', "_"), count.into())).collect())
}

/// Entries in scope of several channels.
pub fn overlap(overlap: &Overlap) -> Json {
    json!({
        "owner": overlap.owner.as_str(),
        "others": overlap.others.iter().map(|channel| channel.as_str()).collect::<Vec<_>>(),
        "users": overlap.users,
        "groups": overlap.groups,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ResourceId, ResourceType};
    use crate::plan::{ClaimAfter, Reason, Tally};

    #[test]
    fn a_link_that_changes_hands_names_both_entries_and_strangers_go_by_their_resource() {
        let (new, old) = (EntryId::new("new"), EntryId::new("old"));
        let relink = Change {
            entry_id: new,
            resource_type: ResourceType::Group,
            name: "Sales".to_owned(),
            action: Action::Relink {
                resource_id: ResourceId::new("42"),
                from: old.clone(),
                edits: vec![Edit::Foreign { remove: [ResourceId::new("7")].into() }],
            },
            reason: Reason::Recreated(old),
            claim: ClaimAfter::Held,
            tally: Tally::default(),
        };
        let document = change("c", Some(Stage::Groups), &relink, &Names::new());
        let told = |key: &str| document.pointer(key).cloned().unwrap_or_default();
        for (key, value) in [("/action", "relink"), ("/entry_id", "new"), ("/from", "old"), ("/resource_id", "42")] {
            assert_eq!(told(key), Json::from(value), "{key}");
        }
        assert_eq!((told("/reason"), told("/stage")), ("recreated".into(), "groups".into()));
        assert_eq!(told("/members"), json!({ "add": [], "remove": [{ "resource_id": "7" }] }));
    }
}
