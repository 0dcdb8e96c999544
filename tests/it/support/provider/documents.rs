//! What the provider says of itself where that is not the truth of `schemas`: documents replaced, moved or withheld.

use serde_json::{Value as Json, json};

use super::Personality;

/// Documents at `/ServiceProviderConfig` and its like.
#[derive(Debug, Clone)]
pub struct Documents {
    /// More of `/ServiceProviderConfig`, merged into what the personality gives.
    pub announced: Json,
    /// Where that stands.
    pub announced_at: &'static str,
    /// In place of `/Schemas`; null for 404.
    pub schemas: Option<Json>,
    /// In place of `/ResourceTypes`; null for 404.
    pub resource_types: Option<Json>,
}

impl Default for Documents {
    fn default() -> Self {
        Self { announced: json!({}), announced_at: "/ServiceProviderConfig", schemas: None, resource_types: None }
    }
}

/// The document at a place, if it is another than the usual one; null if it is withheld.
pub fn other(personality: &Personality, place: &str) -> Option<Json> {
    let documents = &personality.documents;
    match place {
        "/Schemas" => documents.schemas.clone(),
        "/ResourceTypes" => documents.resource_types.clone(),
        "/ServiceProviderConfig" if place != documents.announced_at => Some(Json::Null),
        _ => None,
    }
}

pub fn listed(resources: Vec<Json>) -> Json {
    json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
        "totalResults": resources.len(), "startIndex": 1, "itemsPerPage": resources.len(), "Resources": resources,
    })
}
