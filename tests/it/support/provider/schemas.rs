//! What the provider says of itself: by default everything that its rules take; each document can be replaced or withheld.

use serde_json::{Value as Json, json};

use super::rules::{ENTERPRISE, GROUP, USER};

/// Documents at `/ServiceProviderConfig` and its like.
#[derive(Debug, Clone)]
pub struct Documents {
    /// More of `/ServiceProviderConfig`, merged into what the personality gives.
    pub announced: Json,
    /// Where that stands.
    pub announced_at: &'static str,
    /// `/Schemas`; null for 404.
    pub schemas: Json,
    /// `/ResourceTypes`; null for 404.
    pub resource_types: Json,
}

impl Default for Documents {
    fn default() -> Self {
        Self {
            announced: json!({}),
            announced_at: "/ServiceProviderConfig",
            schemas: listed(vec![user(), group(), enterprise()]),
            resource_types: listed(vec![
                json!({
                    "id": "User", "name": "User", "endpoint": "/Users", "schema": USER,
                    "schemaExtensions": [{ "schema": ENTERPRISE, "required": false }],
                }),
                json!({ "id": "Group", "name": "Group", "endpoint": "/Groups", "schema": GROUP }),
            ]),
        }
    }
}

impl Documents {
    /// The document at a place, if there is one.
    pub fn at(&self, place: &str, patch: bool) -> Option<Json> {
        let document = match place {
            "/Schemas" => self.schemas.clone(),
            "/ResourceTypes" => self.resource_types.clone(),
            place if place == self.announced_at => {
                let mut config = json!({ "patch": { "supported": patch }, "filter": { "supported": true } });
                for (key, value) in self.announced.as_object().into_iter().flatten() {
                    config[key.as_str()] = value.clone();
                }
                config
            }
            _ => Json::Null,
        };
        (!document.is_null()).then_some(document)
    }
}

pub fn listed(resources: Vec<Json>) -> Json {
    json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
        "totalResults": resources.len(), "startIndex": 1, "itemsPerPage": resources.len(), "Resources": resources,
    })
}

fn simple(name: &str) -> Json {
    json!({
        "name": name, "type": "string", "multiValued": false, "required": false, "caseExact": false,
        "mutability": "readWrite", "returned": "default", "uniqueness": "none",
    })
}

fn complex(name: &str, many: bool, parts: &[&str]) -> Json {
    let mut attribute = simple(name);
    attribute["type"] = json!("complex");
    attribute["multiValued"] = json!(many);
    attribute["subAttributes"] = parts.iter().map(|part| simple(part)).collect();
    attribute
}

/// The schema of users (RFC 7643 §8.7.1), as far as clients send it.
pub fn user() -> Json {
    let mut attributes: Vec<Json> = ["displayName", "nickName", "profileUrl", "title", "userType", "preferredLanguage", "locale"]
        .map(simple)
        .into_iter()
        .chain([simple("timezone"), simple("active")])
        .collect();
    let mut name = simple("userName");
    name["required"] = json!(true);
    name["uniqueness"] = json!("server");
    attributes.insert(0, name);
    let of_name = ["formatted", "familyName", "givenName", "middleName", "honorificPrefix", "honorificSuffix"];
    attributes.push(complex("name", false, &of_name));
    for many in ["emails", "phoneNumbers"] {
        attributes.push(complex(many, true, &["value", "display", "type", "primary"]));
    }
    let of_address = ["formatted", "streetAddress", "locality", "region", "postalCode", "country", "type", "primary"];
    attributes.push(complex("addresses", true, &of_address));
    json!({ "id": USER, "name": "User", "attributes": attributes })
}

fn group() -> Json {
    json!({ "id": GROUP, "name": "Group", "attributes": [simple("displayName"), complex("members", true, &["value", "type"])] })
}

fn enterprise() -> Json {
    let mut attributes: Vec<Json> =
        ["employeeNumber", "costCenter", "organization", "division", "department"].map(simple).into_iter().collect();
    attributes.push(complex("manager", false, &["value", "$ref", "displayName"]));
    json!({ "id": ENTERPRISE, "name": "EnterpriseUser", "attributes": attributes })
}
