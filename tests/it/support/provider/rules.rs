//! The rules of RFC 7643 and 7644 that a request must keep, whatever the provider then makes of it.

use serde_json::Value as Json;

pub const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
pub const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
pub const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

const USER_ATTRIBUTES: &[&str] = &[
    "schemas",
    "userName",
    "externalId",
    "active",
    "displayName",
    "nickName",
    "profileUrl",
    "title",
    "userType",
    "preferredLanguage",
    "locale",
    "timezone",
    "name",
    "emails",
    "phoneNumbers",
    "addresses",
    ENTERPRISE,
];
const GROUP_ATTRIBUTES: &[&str] = &["schemas", "externalId", "displayName", "members"];
const ENTERPRISE_ATTRIBUTES: &[&str] = &["employeeNumber", "costCenter", "organization", "division", "department", "manager"];

/// What is wrong with a new resource.
pub fn document(kind: &str, body: &Json) -> Result<(), String> {
    let object = body.as_object().ok_or("the body is not an object")?;
    let schemas: Vec<&str> = body["schemas"].as_array().ok_or("no schemas")?.iter().filter_map(Json::as_str).collect();
    let (own, known) = if kind == "User" { (USER, USER_ATTRIBUTES) } else { (GROUP, GROUP_ATTRIBUTES) };
    if !schemas.contains(&own) {
        return Err(format!("schemas lacks {own}"));
    }
    for name in object.keys() {
        if !known.contains(&name.as_str()) {
            return Err(format!("{name} is no attribute of a {kind}, or not for clients to send"));
        }
        if name.starts_with("urn:") && !schemas.contains(&name.as_str()) {
            return Err(format!("{name} is not in schemas"));
        }
    }
    if let Some(schema) = schemas.iter().find(|schema| **schema != own && object.get(**schema).is_none_or(empty)) {
        return Err(format!("schemas has {schema}, and nothing of it is there"));
    }
    if let Some(name) = object
        .get(ENTERPRISE)
        .and_then(Json::as_object)
        .and_then(|e| e.keys().find(|k| !ENTERPRISE_ATTRIBUTES.contains(&k.as_str())))
    {
        return Err(format!("{name} is no attribute of the enterprise extension"));
    }
    let required = if kind == "User" { "userName" } else { "displayName" };
    if object.get(required).and_then(Json::as_str).is_none_or(str::is_empty) {
        return Err(format!("{required} is required"));
    }
    object.iter().try_for_each(|(name, value)| self::value(name, value))
}

fn empty(json: &Json) -> bool {
    json.as_object().is_some_and(serde_json::Map::is_empty) || json.as_array().is_some_and(Vec::is_empty)
}

/// Nothing unassigned is sent, and at most one element is primary.
fn value(name: &str, value: &Json) -> Result<(), String> {
    if value.is_null() || empty(value) {
        return Err(format!("{name} is sent without a value"));
    }
    match value {
        Json::Array(list) => {
            if list.iter().filter(|element| element["primary"] == true || element["primary"] == "True").count() > 1 {
                return Err(format!("{name} has two primaries"));
            }
            list.iter().try_for_each(|element| self::value(name, element))
        }
        Json::Object(object) => object.iter().try_for_each(|(name, inner)| self::value(name, inner)),
        _ => Ok(()),
    }
}

/// The form of a manager.
pub fn manager(value: &Json, is_text: bool) -> Result<(), String> {
    let right = if is_text { value.is_string() } else { value["value"].is_string() };
    if right { Ok(()) } else { Err("the manager is not in the form of this provider".to_owned()) }
}

/// A boolean where the schema has one.
pub fn booleans(json: &Json, text_allowed: bool) -> Result<(), String> {
    match json {
        Json::Object(object) => object.iter().try_for_each(|(name, value)| match name.as_str() {
            "active" | "primary" if !(value.is_boolean() || text_allowed && value.is_string()) => {
                Err(format!("{name} is not a boolean"))
            }
            _ => booleans(value, text_allowed),
        }),
        Json::Array(list) => list.iter().try_for_each(|element| booleans(element, text_allowed)),
        _ => Ok(()),
    }
}

/// `attribute eq "value"` and nothing else, decoded: the attribute and the value.
pub fn filter(text: &str) -> Result<(String, String), String> {
    let (attribute, value) = text.split_once(" eq ").ok_or_else(|| format!("not an eq filter: {text}"))?;
    let value: String = serde_json::from_str(value).map_err(|error| format!("the filter's value is no JSON string: {error}"))?;
    if attribute.is_empty() || attribute.contains(' ') && !attribute.contains('[') {
        return Err(format!("not an attribute: {attribute}"));
    }
    Ok((attribute.to_owned(), value))
}

/// A path of RFC 7644 figure 7, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    pub schema: Option<String>,
    pub name: String,
    pub filter: Option<(String, String)>,
    pub sub: Option<String>,
}

pub fn path(kind: &str, text: &str) -> Result<Path, String> {
    let (schema, rest) = match text.strip_prefix(ENTERPRISE) {
        Some(rest) => {
            (Some(ENTERPRISE.to_owned()), rest.strip_prefix(':').ok_or("a schema is joined to its attribute by a colon")?)
        }
        // RFC 7644 §3.10: the core schema may be named too.
        None if text.starts_with("urn:ietf:params:scim:schemas:core:2.0:") => {
            let core = if kind == "User" { USER } else { GROUP };
            let rest = text.strip_prefix(core).and_then(|rest| rest.strip_prefix(':'));
            (None, rest.ok_or_else(|| format!("{text} is not of a {kind}"))?)
        }
        None if text.starts_with("urn:") => return Err(format!("unknown schema in {text}")),
        None => (None, text),
    };
    let (name, filter, sub) = match rest.split_once('[') {
        Some((name, rest)) => {
            let (inside, tail) = rest.rsplit_once(']').ok_or("[ is not closed")?;
            let filter = self::filter(inside)?;
            let sub = if tail.is_empty() { None } else { Some(tail.strip_prefix('.').ok_or("garbage after ]")?) };
            (name, Some(filter), sub)
        }
        None => rest.split_once('.').map_or((rest, None, None), |(name, sub)| (name, None, Some(sub))),
    };
    let known = match (&schema, kind) {
        (Some(_), _) => ENTERPRISE_ATTRIBUTES,
        (None, "User") => USER_ATTRIBUTES,
        (None, _) => GROUP_ATTRIBUTES,
    };
    if !known.contains(&name) || name == "schemas" {
        return Err(format!("{name} is no attribute of a {kind}"));
    }
    Ok(Path { schema, name: name.to_owned(), filter, sub: sub.map(str::to_owned) })
}
