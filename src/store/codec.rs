//! Actions and attributes as JSON text: the store's own form, apart from SCIM's.
//! `{"v":1,"attributes":{"userName":"ada","active":true,"manager":{"entry":"…"}}}`

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::{Map, Value as Json, json};

use crate::model::{AttributePath, EntryId, Resource, ResourceId, ResourceType, Value};
use crate::plan::{Action, Edit};

use super::fault::Fault;
use super::words::Word;

mod quick;

/// Version of the form. A reader refuses a higher one and ignores keys it does not know.
const VERSION: u64 = 1;

/// Attribute paths already parsed: a load meets the same dozen a hundred thousand times.
#[derive(Default)]
pub(super) struct Paths(HashMap<String, AttributePath>);

impl Paths {
    fn parse(&mut self, text: &str) -> Result<AttributePath, Fault> {
        if let Some(path) = self.0.get(text) {
            return Ok(path.clone());
        }
        let path =
            AttributePath::parse(text).map_err(|error| Fault::Told(format!("holds a path that cannot be read: {error}")))?;
        self.0.insert(text.to_owned(), path.clone());
        Ok(path)
    }
}

/// Attributes as text.
pub(super) fn attributes_text(attributes: &BTreeMap<AttributePath, Value>) -> String {
    json!({ "v": VERSION, "attributes": attributes_json(attributes) }).to_string()
}

/// Attributes from text.
pub(super) fn attributes(text: &str, paths: &mut Paths) -> Result<BTreeMap<AttributePath, Value>, Fault> {
    match quick::attributes(text, paths) {
        Some(attributes) => Ok(attributes),
        // It is read slowly to tell why not.
        None => read_attributes(&mut document(text)?, paths),
    }
}

/// An action as text.
pub(super) fn action_text(action: &Action) -> String {
    let mut map = match action {
        Action::Create(resource) => object([("resource", resource_json(resource))]),
        Action::Adopt { resource_id, found, edits } => {
            object([("resource_id", resource_id.as_str().into()), ("found", resource_json(found)), ("edits", edits_json(edits))])
        }
        Action::Relink { resource_id, from, edits } => {
            object([("resource_id", resource_id.as_str().into()), ("from", from.as_str().into()), ("edits", edits_json(edits))])
        }
        Action::Update { resource_id, edits } => {
            object([("resource_id", resource_id.as_str().into()), ("edits", edits_json(edits))])
        }
        Action::Delete { resource_id } | Action::Claim { resource_id } => object([("resource_id", resource_id.as_str().into())]),
        Action::Release | Action::Forget => Map::new(),
    };
    map.insert("v".to_owned(), VERSION.into());
    map.insert("action".to_owned(), action.as_str().into());
    Json::Object(map).to_string()
}

/// An action from text.
pub(super) fn action(text: &str) -> Result<Action, Fault> {
    let mut map = document(text)?;
    let paths = &mut Paths::default();
    match take_text(&mut map, "action")?.as_str() {
        "create" => Ok(Action::Create(read_resource(take(&mut map, "resource")?, paths)?)),
        "adopt" => Ok(Action::Adopt {
            resource_id: read_resource_id(&mut map)?,
            found: read_resource(take(&mut map, "found")?, paths)?,
            edits: read_edits(&mut map, paths)?,
        }),
        "relink" => Ok(Action::Relink {
            resource_id: read_resource_id(&mut map)?,
            from: EntryId::new(&take_text(&mut map, "from")?),
            edits: read_edits(&mut map, paths)?,
        }),
        "update" => Ok(Action::Update { resource_id: read_resource_id(&mut map)?, edits: read_edits(&mut map, paths)? }),
        "delete" => Ok(Action::Delete { resource_id: read_resource_id(&mut map)? }),
        "claim" => Ok(Action::Claim { resource_id: read_resource_id(&mut map)? }),
        "release" => Ok(Action::Release),
        "forget" => Ok(Action::Forget),
        other => Fault::told(format!("holds the unknown action {other:?}")),
    }
}

fn object<const N: usize>(pairs: [(&str, Json); N]) -> Map<String, Json> {
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

fn value_json(value: &Value) -> Json {
    match value {
        Value::Text(text) => text.as_str().into(),
        Value::Flag(flag) => (*flag).into(),
        Value::Reference(id) => json!({ "entry": id.as_str() }),
    }
}

fn attributes_json(attributes: &BTreeMap<AttributePath, Value>) -> Json {
    Json::Object(attributes.iter().map(|(path, value)| (path.as_str().to_owned(), value_json(value))).collect())
}

fn members_json(members: &BTreeSet<EntryId>) -> Json {
    members.iter().map(EntryId::as_str).collect()
}

fn resource_json(resource: &Resource) -> Json {
    json!({
        "type": resource.resource_type.word(),
        "attributes": attributes_json(&resource.attributes),
        "members": members_json(&resource.members),
    })
}

fn edits_json(edits: &[Edit]) -> Json {
    edits.iter().map(edit_json).collect()
}

fn edit_json(edit: &Edit) -> Json {
    match edit {
        Edit::Attribute { path, before, after } => json!({
            "path": path.as_str(),
            "before": before.as_ref().map(value_json),
            "after": after.as_ref().map(value_json),
        }),
        Edit::Members { add, remove } => json!({ "add": members_json(add), "remove": members_json(remove) }),
        Edit::Foreign { remove } => json!({ "foreign": remove.iter().map(ResourceId::as_str).collect::<Json>() }),
    }
}

fn unreadable<T>(what: &str) -> Result<T, Fault> {
    Fault::told(format!("holds JSON that cannot be read ({what})"))
}

fn document(text: &str) -> Result<Map<String, Json>, Fault> {
    match serde_json::from_str(text) {
        Ok(Json::Object(map)) => match map.get("v").and_then(Json::as_u64) {
            Some(version) if version <= VERSION => Ok(map),
            Some(version) => Fault::told(format!("holds JSON of form {version}: it was written by a newer ldap2scim")),
            None => unreadable("no version"),
        },
        _ => unreadable("not an object"),
    }
}

fn take(map: &mut Map<String, Json>, key: &str) -> Result<Json, Fault> {
    map.remove(key).map_or_else(|| unreadable(key), Ok)
}

fn take_text(map: &mut Map<String, Json>, key: &str) -> Result<String, Fault> {
    match take(map, key)? {
        Json::String(text) => Ok(text),
        _ => unreadable(key),
    }
}

fn read_resource_id(map: &mut Map<String, Json>) -> Result<ResourceId, Fault> {
    take_text(map, "resource_id").map(|text| ResourceId::new(&text))
}

fn read_value(json: Json) -> Result<Value, Fault> {
    match json {
        Json::String(text) => Ok(Value::Text(text)),
        Json::Bool(flag) => Ok(Value::Flag(flag)),
        Json::Object(mut map) => Ok(Value::Reference(EntryId::new(&take_text(&mut map, "entry")?))),
        _ => unreadable("a value"),
    }
}

fn read_attributes(map: &mut Map<String, Json>, paths: &mut Paths) -> Result<BTreeMap<AttributePath, Value>, Fault> {
    match take(map, "attributes")? {
        Json::Object(pairs) => pairs.into_iter().map(|(path, value)| Ok((paths.parse(&path)?, read_value(value)?))).collect(),
        _ => unreadable("attributes"),
    }
}

fn read_members(map: &mut Map<String, Json>, key: &str) -> Result<BTreeSet<EntryId>, Fault> {
    match take(map, key)? {
        Json::Array(ids) => ids.iter().map(|id| id.as_str().map_or_else(|| unreadable(key), |id| Ok(EntryId::new(id)))).collect(),
        _ => unreadable(key),
    }
}

fn read_resource(json: Json, paths: &mut Paths) -> Result<Resource, Fault> {
    let Json::Object(mut map) = json else { return unreadable("a resource") };
    Ok(Resource {
        resource_type: ResourceType::read(&take_text(&mut map, "type")?)?,
        attributes: read_attributes(&mut map, paths)?,
        members: read_members(&mut map, "members")?,
    })
}

fn read_edits(map: &mut Map<String, Json>, paths: &mut Paths) -> Result<Vec<Edit>, Fault> {
    match take(map, "edits")? {
        Json::Array(edits) => edits.into_iter().map(|edit| read_edit(edit, paths)).collect(),
        _ => unreadable("edits"),
    }
}

fn read_edit(json: Json, paths: &mut Paths) -> Result<Edit, Fault> {
    let Json::Object(mut map) = json else { return unreadable("an edit") };
    if map.contains_key("foreign") {
        let ids = read_members(&mut map, "foreign")?;
        return Ok(Edit::Foreign { remove: ids.iter().map(|id| ResourceId::new(id.as_str())).collect() });
    }
    if !map.contains_key("path") {
        return Ok(Edit::Members { add: read_members(&mut map, "add")?, remove: read_members(&mut map, "remove")? });
    }
    let mut side = |key| match map.remove(key) {
        None | Some(Json::Null) => Ok(None),
        Some(value) => read_value(value).map(Some),
    };
    let (before, after) = (side("before")?, side("after")?);
    Ok(Edit::Attribute { path: paths.parse(&take_text(&mut map, "path")?)?, before, after })
}

#[cfg(test)]
mod tests {
    use proptest::collection::{btree_map, btree_set, vec};
    use proptest::prelude::*;

    use super::*;
    use crate::model::Selector;

    /// Any text: quotes, backslashes, brackets, NUL, right-to-left, beyond the basic plane.
    fn text() -> impl Strategy<Value = String> {
        prop_oneof![any::<String>(), "[\\[\\]\"\\\\. ]{0,6}", Just("\u{0}\u{feff}\u{202e}𝒜\r\n".to_owned())]
    }

    fn path() -> impl Strategy<Value = AttributePath> {
        let name = "[a-zA-Z][a-zA-Z0-9_-]{0,8}";
        let schema = prop_oneof![Just(None), Just(Some("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User".to_owned()))];
        let selector = proptest::option::of((name, text()).prop_map(|(attribute, value)| Selector { attribute, value }));
        (schema, name, selector, proptest::option::of(name))
            .prop_map(|(schema, name, selector, sub)| AttributePath::assemble(schema, name, selector, sub))
            .prop_filter("a path is one that parses", |path| AttributePath::parse(path.as_str()).as_ref() == Ok(path))
    }

    fn entry_id() -> impl Strategy<Value = EntryId> {
        text().prop_map(|text| EntryId::new(&text))
    }

    fn value() -> impl Strategy<Value = Value> {
        prop_oneof![text().prop_map(Value::Text), any::<bool>().prop_map(Value::Flag), entry_id().prop_map(Value::Reference)]
    }

    fn resource() -> impl Strategy<Value = Resource> {
        let kind = prop_oneof![Just(ResourceType::User), Just(ResourceType::Group)];
        (kind, btree_map(path(), value(), 0..5), btree_set(entry_id(), 0..5))
            .prop_map(|(resource_type, attributes, members)| Resource { resource_type, attributes, members })
    }

    fn edits() -> impl Strategy<Value = Vec<Edit>> {
        let side = || proptest::option::of(value());
        let attribute = (path(), side(), side()).prop_map(|(path, before, after)| Edit::Attribute { path, before, after });
        let ids = || btree_set(entry_id(), 0..4);
        let members = (ids(), ids()).prop_map(|(add, remove)| Edit::Members { add, remove });
        let foreign = btree_set(text(), 0..4);
        let foreign = foreign.prop_map(|ids| Edit::Foreign { remove: ids.iter().map(|id| ResourceId::new(id)).collect() });
        vec(prop_oneof![attribute, members, foreign], 0..5)
    }

    fn actions() -> impl Strategy<Value = Action> {
        let id = || text().prop_map(|text| ResourceId::new(&text));
        prop_oneof![
            resource().prop_map(Action::Create),
            (id(), resource(), edits()).prop_map(|(resource_id, found, edits)| Action::Adopt { resource_id, found, edits }),
            (id(), entry_id(), edits()).prop_map(|(resource_id, from, edits)| Action::Relink { resource_id, from, edits }),
            (id(), edits()).prop_map(|(resource_id, edits)| Action::Update { resource_id, edits }),
            id().prop_map(|resource_id| Action::Delete { resource_id }),
            id().prop_map(|resource_id| Action::Claim { resource_id }),
            Just(Action::Forget),
        ]
    }

    proptest! {
        #[test]
        fn an_action_survives_being_written(written in actions()) {
            prop_assert_eq!(action(&action_text(&written)).unwrap(), written);
        }

        #[test]
        fn attributes_survive_being_written(written in btree_map(path(), value(), 0..8)) {
            prop_assert_eq!(attributes(&attributes_text(&written), &mut Paths::default()).unwrap(), written);
        }

        #[test]
        fn text_that_is_no_action_is_an_error(garbage in any::<String>()) {
            prop_assert!(action(&garbage).is_err());
        }
    }

    #[test]
    fn a_newer_form_is_refused_and_an_unknown_key_is_ignored() {
        let paths = &mut Paths::default();
        assert!(attributes(r#"{"v":2,"attributes":{}}"#, paths).is_err());
        assert!(attributes(r#"{"v":1,"attributes":{},"note":1}"#, paths).unwrap().is_empty());
    }
}
