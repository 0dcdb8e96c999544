//! A resource's JSON, as tolerantly as it must be read, becomes a flat `Found`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json};

use super::wire::{ENTERPRISE, GROUP, USER};
use crate::cycle::Found;
use crate::model::{AttributePath, ResourceId, ResourceType, Selector, Value};

/// Names as RFC 7643 spells them. Names have no case (§2.1), so an answer may spell them in any.
const NAMES: &[&str] = &[
    "userName",
    "displayName",
    "nickName",
    "profileUrl",
    "userType",
    "preferredLanguage",
    "externalId",
    "givenName",
    "familyName",
    "middleName",
    "honorificPrefix",
    "honorificSuffix",
    "phoneNumbers",
    "streetAddress",
    "postalCode",
    "employeeNumber",
    "costCenter",
    "x509Certificates",
    "active",
    "name",
    "formatted",
    "title",
    "locale",
    "timezone",
    "emails",
    "ims",
    "photos",
    "addresses",
    "entitlements",
    "roles",
    "locality",
    "region",
    "country",
    "type",
    "value",
    "display",
    "primary",
    "department",
    "organization",
    "division",
    "manager",
];

/// Types that RFC 7643 §4.1.2 suggests; these have no case either.
const TYPES: &[&str] = &["work", "home", "other", "mobile", "fax", "pager"];

/// Read by other means, or nothing of ours.
const PASSED_OVER: &[&str] = &["id", "schemas", "schema", "meta", "members", "groups", "password"];

/// Where members stand in an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MembersIn {
    /// Not asked for, or not to be trusted.
    Nowhere,
    /// Asked for: an answer without them is of a group without members (RFC 7643 §2.5).
    Answer,
}

/// Reads a resource; `None` if it has no id.
pub(super) fn found(resource_type: ResourceType, json: &Json, members_in: MembersIn) -> Option<Found> {
    let object = json.as_object()?;
    let resource_id = ResourceId::new(&id(json)?);
    let mut attributes = BTreeMap::new();
    let mut late = Vec::new();
    for (key, value) in object {
        if PASSED_OVER.iter().any(|name| key.eq_ignore_ascii_case(name)) {
            continue;
        }
        match value {
            Json::Object(extension) if is_urn(key) => {
                let schema = if key.eq_ignore_ascii_case(ENTERPRISE) { ENTERPRISE } else { key.as_str() };
                let core = [USER, GROUP].iter().any(|core| core.eq_ignore_ascii_case(schema));
                let schema = (!core).then(|| schema.to_owned());
                for (name, value) in extension {
                    attribute(&mut attributes, &schema, name, value);
                }
            }
            _ if is_urn(key) || key.contains('.') => late.push((key, value)),
            _ => attribute(&mut attributes, &None, key, value),
        }
    }
    // "name.formatted": … and "urn:…:User:department": … as keys: some providers answer so.
    for (key, value) in late {
        if let (Ok(path), Some(value)) = (AttributePath::parse(key), scalar(value)) {
            attributes.entry(canonical(&path)).or_insert(value);
        }
    }
    let members = match (resource_type, members_in) {
        (ResourceType::Group, MembersIn::Answer) => Some(members(get(object, "members"))),
        (ResourceType::User, _) | (ResourceType::Group, MembersIn::Nowhere) => None,
    };
    Some(Found { resource_id, resource_type, attributes, members })
}

/// Octets of an id at most: it has to fit into addresses, and into whatever tells of it.
const LONGEST_ID: usize = 2048;

/// The id of a resource; a number becomes text. What would break a line of a log is no id.
pub(super) fn id(json: &Json) -> Option<String> {
    let fits = |text: &str| !text.is_empty() && text.len() <= LONGEST_ID && !text.chars().any(char::is_control);
    match get(json.as_object()?, "id")? {
        Json::String(text) if fits(text) => Some(text.clone()),
        Json::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A key in any case.
pub(super) fn get<'a>(object: &'a Map<String, Json>, name: &str) -> Option<&'a Json> {
    object.get(name).or_else(|| object.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value))
}

fn is_urn(key: &str) -> bool {
    key.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("urn:"))
}

fn members(json: Option<&Json>) -> BTreeSet<ResourceId> {
    let list = json.and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
    list.iter()
        .filter_map(|member| match member {
            Json::Object(object) => get(object, "value").and_then(plain),
            other => plain(other),
        })
        .map(|id| ResourceId::new(&id))
        .collect()
}

/// Whatever stands at a name, flattened.
fn attribute(into: &mut BTreeMap<AttributePath, Value>, schema: &Option<String>, name: &str, json: &Json) {
    let name = spelled(name).to_owned();
    let path = |selector, sub| AttributePath::assemble(schema.clone(), name.clone(), selector, sub);
    match json {
        Json::Array(list) => {
            for element in list.iter().filter_map(Json::as_object) {
                let Some(kind) = get(element, "type").and_then(plain) else { continue };
                let known = TYPES.iter().find(|known| known.eq_ignore_ascii_case(&kind));
                let selector = Selector { attribute: "type".to_owned(), value: known.map_or(kind, |k| (*k).to_owned()) };
                for (sub, value) in element.iter().filter(|(sub, _)| !sub.eq_ignore_ascii_case("type") && *sub != "$ref") {
                    if let Some(value) = scalar(value) {
                        into.entry(path(Some(selector.clone()), Some(spelled(sub).to_owned()))).or_insert(value);
                    }
                }
            }
        }
        Json::Object(object) if name == "manager" && schema.is_some() => {
            let held = get(object, "value").or_else(|| get(object, "managerId"));
            if let Some(id) = held.and_then(plain) {
                into.insert(path(None, None), Value::Text(id));
            }
        }
        Json::Object(object) => {
            for (sub, value) in object {
                if let Some(value) = scalar(value) {
                    into.insert(path(None, Some(spelled(sub).to_owned())), value);
                }
            }
        }
        other => {
            let value = match (scalar(other), name.as_str()) {
                (Some(Value::Text(text)), "active") if text.eq_ignore_ascii_case("true") => Some(Value::Flag(true)),
                (Some(Value::Text(text)), "active") if text.eq_ignore_ascii_case("false") => Some(Value::Flag(false)),
                (value, _) => value,
            };
            if let Some(value) = value {
                into.insert(path(None, None), value);
            }
        }
    }
}

/// A simple value. Nothing, and the empty string, are no value (RFC 7643 §2.5).
fn scalar(json: &Json) -> Option<Value> {
    match json {
        Json::Bool(flag) => Some(Value::Flag(*flag)),
        other => plain(other).filter(|text| !text.is_empty()).map(Value::Text),
    }
}

/// A text, or a number as text.
pub(super) fn plain(json: &Json) -> Option<String> {
    match json {
        Json::String(text) => Some(text.clone()),
        Json::Number(number) => Some(number.to_string()),
        Json::Null | Json::Bool(_) | Json::Array(_) | Json::Object(_) => None,
    }
}

fn spelled(name: &str) -> &str {
    NAMES.iter().find(|known| known.eq_ignore_ascii_case(name)).copied().unwrap_or(name)
}

fn canonical(path: &AttributePath) -> AttributePath {
    let schema = path.schema().map(|urn| if urn.eq_ignore_ascii_case(ENTERPRISE) { ENTERPRISE } else { urn }.to_owned());
    let sub = path.sub_attribute().map(|sub| spelled(sub).to_owned());
    AttributePath::assemble(schema, spelled(path.name()).to_owned(), path.selector().cloned(), sub)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// `path=value`, in order.
    fn flat(json: Json) -> Vec<String> {
        let found = found(ResourceType::User, &json, MembersIn::Nowhere).unwrap();
        let text = |value: &Value| match value {
            Value::Text(text) => text.clone(),
            Value::Flag(flag) => format!("{flag} (flag)"),
            Value::Reference(id) => panic!("{id}"),
        };
        found.attributes.iter().map(|(path, value)| format!("{path}={}", text(value))).collect()
    }

    #[test]
    fn everything_with_a_value_is_flattened() {
        let json = json!({
            "schemas": [USER, ENTERPRISE], "id": "1", "meta": { "resourceType": "User" }, "groups": [{ "type": "direct", "value": "g" }],
            "userName": "ada", "active": true, "title": "", "nickName": null, "name": { "givenName": "Ada", "familyName": "" },
            "emails": [{ "type": "work", "value": "a@x", "primary": true }, { "value": "untyped@x" }, { "type": "Work", "value": "second@x" }],
            "addresses": [{ "type": "dorm", "postalCode": 8001 }], "roles": ["plain"],
            ENTERPRISE: { "department": "R&D", "manager": { "value": "7", "displayName": "Boss" } }
        });
        assert_eq!(
            flat(json),
            [
                "active=true (flag)",
                "addresses[type eq \"dorm\"].postalCode=8001",
                "emails[type eq \"work\"].primary=true (flag)",
                "emails[type eq \"work\"].value=a@x",
                "name.givenName=Ada",
                &format!("{ENTERPRISE}:department=R&D"),
                &format!("{ENTERPRISE}:manager=7"),
                "userName=ada",
            ]
        );
    }

    #[test]
    fn odd_spellings_are_read() {
        for (json, expected) in [
            (json!({ "ID": 17, "USERNAME": "ada", "Active": "True" }), vec!["active=true (flag)", "userName=ada"]),
            (json!({ "id": "1", "active": "false" }), vec!["active=false (flag)"]),
            (json!({ "id": "1", "name.formatted": "Ada L" }), vec!["name.formatted=Ada L"]),
            (json!({ "id": "1", "name.formatted": "no", "name": { "Formatted": "Ada L" } }), vec!["name.formatted=Ada L"]),
            (json!({ "id": "1", "Emails": [{ "Type": "WORK", "Value": "a" }] }), vec!["emails[type eq \"work\"].value=a"]),
        ] {
            assert_eq!(flat(json), expected);
        }
        let lower = ENTERPRISE.to_lowercase();
        for manager in [json!("7"), json!({ "value": 7 }), json!({ "managerId": "7" })] {
            let read = flat(json!({ "id": "1", lower.as_str(): { "manager": manager } }));
            assert_eq!(read, [format!("{ENTERPRISE}:manager=7")]);
        }
        assert_eq!(flat(json!({ "id": "1", format!("{ENTERPRISE}:department"): "R" })), [format!("{ENTERPRISE}:department=R")]);
    }

    #[test]
    fn a_resource_without_an_id_is_none() {
        for json in [
            json!({}),
            json!({ "id": null }),
            json!({ "id": "" }),
            json!({ "id": "a\nb" }),
            json!({ "id": "x".repeat(2049) }),
            json!([]),
            json!("x"),
        ] {
            assert_eq!(found(ResourceType::User, &json, MembersIn::Nowhere), None);
        }
    }

    #[test]
    fn members_are_read_where_they_were_asked_for() {
        let members = |members_in, json: Json| {
            let ids = found(ResourceType::Group, &json, members_in).unwrap().members?;
            Some(ids.iter().map(|id| id.as_str().to_owned()).collect::<Vec<_>>().join(" "))
        };
        let full = json!({ "id": "g", "members": [{ "value": "1" }, { "Value": 2 }, "3", { "display": "none" }] });
        assert_eq!(members(MembersIn::Answer, full.clone()).as_deref(), Some("1 2 3"));
        assert_eq!(members(MembersIn::Nowhere, full), None);
        for empty in [json!({ "id": "g" }), json!({ "id": "g", "members": null }), json!({ "id": "g", "members": [] })] {
            assert_eq!(members(MembersIn::Answer, empty).as_deref(), Some(""));
        }
    }
}
