//! What a provider announces of itself (RFC 7643 §5 to §8, RFC 7644 §4): the attributes that `rules` knows.

use serde_json::{Value as Json, json};

use super::documents;
use super::rules::{ENTERPRISE, GROUP, USER};
use super::state::{Refusal, State};

const SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:Schema";
const RESOURCE_TYPE: &str = "urn:ietf:params:scim:schemas:core:2.0:ResourceType";

/// The answer, where the path is one of these.
pub fn announced(state: &State, method: &str, path: &str) -> Option<Result<Json, Refusal>> {
    match documents::other(&state.personality, path) {
        Some(Json::Null) => return Some(Err((404, "", "no such document".to_owned()))),
        Some(document) => return Some(Ok(document)),
        None => {}
    }
    let path = if path == state.personality.documents.announced_at { "/ServiceProviderConfig" } else { path };
    let (collection, id) =
        path[1.min(path.len())..].split_once('/').map_or((&path[1.min(path.len())..], None), |(a, b)| (a, Some(b)));
    let all = match collection {
        "ServiceProviderConfig" if id.is_none() => vec![config(state)],
        "Schemas" => schemas(&state.base),
        "ResourceTypes" => resource_types(&state.base),
        _ => return None,
    };
    if method != "GET" {
        return Some(Err((405, "", "this is only read".to_owned())));
    }
    Some(match id {
        Some(id) => all.into_iter().find(|one| one["id"] == id).ok_or((404, "", "no such schema".to_owned())),
        None if collection == "ServiceProviderConfig" => Ok(all[0].clone()),
        None => Ok(json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"], "totalResults": all.len(), "startIndex": 1,
            "itemsPerPage": all.len(), "Resources": all
        })),
    })
}

fn config(state: &State) -> Json {
    let bulk = state.personality.bulk.as_ref();
    let mut config = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
        "patch": { "supported": !state.personality.no_patch },
        "bulk": {
            "supported": bulk.is_some(), "maxOperations": bulk.map_or(0, |bulk| bulk.most),
            "maxPayloadSize": bulk.map_or(0, |_| 1_048_576)
        },
        "filter": { "supported": true, "maxResults": state.personality.page_cap },
        "changePassword": { "supported": false },
        "sort": { "supported": false },
        "etag": { "supported": false },
        "authenticationSchemes": [{
            "type": "oauthbearertoken", "name": "Bearer token", "description": "A token in the Authorization header (RFC 6750)."
        }],
        "meta": { "resourceType": "ServiceProviderConfig", "location": format!("{}/ServiceProviderConfig", state.base) }
    });
    for (key, value) in state.personality.documents.announced.as_object().into_iter().flatten() {
        config[key.as_str()] = value.clone();
    }
    config
}

fn resource_types(base: &str) -> Vec<Json> {
    let one = |name: &str, schema: &str, extensions: Json| {
        json!({
            "schemas": [RESOURCE_TYPE], "id": name, "name": name, "description": name, "endpoint": format!("/{name}s"),
            "schema": schema, "schemaExtensions": extensions,
            "meta": { "resourceType": "ResourceType", "location": format!("{base}/ResourceTypes/{name}") }
        })
    };
    vec![one("User", USER, json!([{ "schema": ENTERPRISE, "required": false }])), one("Group", GROUP, json!([]))]
}

fn schemas(base: &str) -> Vec<Json> {
    let one = |id: &str, name: &str, attributes: Vec<Json>| {
        json!({
            "schemas": [SCHEMA], "id": id, "name": name, "description": name, "attributes": attributes,
            "meta": { "resourceType": "Schema", "location": format!("{base}/Schemas/{id}") }
        })
    };
    vec![one(USER, "User", user()), one(GROUP, "Group", group()), one(ENTERPRISE, "EnterpriseUser", enterprise())]
}

/// The schema of users, to be bent.
pub fn user_schema() -> Json {
    schemas("").swap_remove(0)
}

/// An attribute as most are; `more` says what differs.
fn attribute(name: &str, more: Json) -> Json {
    let mut attribute = json!({
        "name": name, "type": "string", "multiValued": false, "description": name, "required": false, "caseExact": false,
        "mutability": "readWrite", "returned": "default", "uniqueness": "none"
    });
    attribute.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
    attribute
}

fn text(name: &str) -> Json {
    attribute(name, json!({}))
}

fn texts(names: &[&str]) -> Vec<Json> {
    names.iter().map(|name| text(name)).collect()
}

fn flag(name: &str) -> Json {
    attribute(name, json!({ "type": "boolean" }))
}

fn complex(name: &str, parts: &[Json]) -> Json {
    attribute(name, json!({ "type": "complex", "subAttributes": parts }))
}

/// Several values, each with the types that RFC 7643 §4.1.2 has for it.
fn several(name: &str, types: &[&str], mut parts: Vec<Json>) -> Json {
    parts.push(attribute("type", json!({ "canonicalValues": types })));
    parts.push(flag("primary"));
    attribute(name, json!({ "type": "complex", "multiValued": true, "subAttributes": parts }))
}

fn user() -> Vec<Json> {
    let mut all = vec![
        attribute("userName", json!({ "required": true, "uniqueness": "server" })),
        complex("name", &texts(&["formatted", "familyName", "givenName", "middleName", "honorificPrefix", "honorificSuffix"])),
    ];
    all.extend(texts(&["displayName", "nickName"]));
    all.push(attribute("profileUrl", json!({ "type": "reference", "referenceTypes": ["external"] })));
    all.extend(texts(&["title", "userType", "preferredLanguage", "locale", "timezone"]));
    all.push(flag("active"));
    all.push(several("emails", &["work", "home", "other"], texts(&["value", "display"])));
    all.push(several("phoneNumbers", &["work", "home", "mobile", "fax", "pager", "other"], texts(&["value", "display"])));
    let address = texts(&["formatted", "streetAddress", "locality", "region", "postalCode", "country"]);
    all.push(several("addresses", &["work", "home", "other"], address));
    all
}

fn group() -> Vec<Json> {
    let kept = json!({ "mutability": "immutable" });
    let types = json!({ "type": "reference", "referenceTypes": ["User", "Group"], "mutability": "immutable" });
    let kinds = json!({ "canonicalValues": ["User", "Group"], "mutability": "immutable" });
    vec![
        attribute("displayName", json!({ "required": true })),
        attribute(
            "members",
            json!({
                "type": "complex", "multiValued": true,
                "subAttributes": [attribute("value", kept), attribute("$ref", types), attribute("type", kinds)]
            }),
        ),
    ]
}

fn enterprise() -> Vec<Json> {
    let mut all = texts(&["employeeNumber", "costCenter", "organization", "division", "department"]);
    let parts = [
        text("value"),
        attribute("$ref", json!({ "type": "reference", "referenceTypes": ["User"] })),
        attribute("displayName", json!({ "mutability": "readOnly" })),
    ];
    all.push(complex("manager", &parts));
    all
}
