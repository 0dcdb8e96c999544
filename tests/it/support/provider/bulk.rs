//! `/Bulk` (RFC 7644 §3.7): each operation is judged and done as if it had come alone.

use axum::body::{Body, to_bytes};
use axum::http::HeaderMap;
use axum::response::Response;
use futures_util::FutureExt;
use serde_json::{Value as Json, json};

use super::Recorded;
use super::answers;
use super::state::State;

/// What `/Bulk` does.
#[derive(Debug, Clone)]
pub struct Bulk {
    /// More operations than this are 413.
    pub most: usize,
    /// Everything is answered with this status instead, and nothing is done.
    pub refused: Option<u16>,
    /// Answers that are left out, by their place.
    pub silent: Vec<usize>,
    /// Operations that are done and answered with this status, by their place.
    pub after_commit: Vec<(usize, u16)>,
    /// Operations that are not done and answered with this status, by their place.
    pub instead: Vec<(usize, u16)>,
    /// Answers come in another order.
    pub reversed: bool,
}

impl Default for Bulk {
    fn default() -> Self {
        Self { most: 1000, refused: None, silent: Vec::new(), after_commit: Vec::new(), instead: Vec::new(), reversed: false }
    }
}

pub fn respond(state: &mut State, request: &Recorded, headers: &HeaderMap) -> Response {
    let refusal = |status, scim_type, detail: &str| answers::refusal(&(status, scim_type, detail.to_owned()));
    let Some(rules) = state.personality.bulk.clone() else { return refusal(404, "", "no such address") };
    if let Some(status) = rules.refused {
        return refusal(status, "", "no bulk");
    }
    let operations = request.body["Operations"].as_array().cloned().unwrap_or_default();
    if let Err(why) = check(&request.body, &operations) {
        state.violations.push(format!("bulk: {why}"));
        return refusal(400, "invalidSyntax", &why);
    }
    if operations.len() > rules.most {
        return refusal(413, "tooMany", "too many operations");
    }
    let mut parts: Vec<Json> = Vec::new();
    for (place, (operation, alone)) in operations.iter().zip(request.alone()).enumerate() {
        let path = &alone.path;
        let instead = rules.instead.iter().find(|(at, _)| *at == place).map(|(_, status)| *status);
        let done = match instead {
            Some(status) => refusal(status, "", "told to"),
            None => answers::respond(state, &alone, headers),
        };
        let after = rules.after_commit.iter().find(|(at, _)| *at == place).map(|(_, status)| *status);
        let status = after.unwrap_or(done.status().as_u16());
        let location = done.headers().get("location").and_then(|value| value.to_str().ok()).map(str::to_owned);
        let body = to_bytes(done.into_body(), usize::MAX).now_or_never().unwrap().unwrap();
        let mut part = json!({ "method": alone.method, "status": status.to_string() });
        if alone.method == "POST" {
            part["bulkId"] = operation["bulkId"].clone();
            part["location"] = json!(location);
        } else {
            part["location"] = json!(format!("http://provider.example/scim/v2{path}"));
        }
        if status >= 400 {
            part["response"] = serde_json::from_slice(&body).unwrap_or_default();
        }
        if !rules.silent.contains(&place) {
            parts.push(part);
        }
    }
    if rules.reversed {
        parts.reverse();
    }
    let answer = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkResponse"], "Operations": parts });
    Response::builder().status(200).header("content-type", "application/scim+json").body(Body::from(answer.to_string())).unwrap()
}

/// What is wrong with the request itself.
fn check(body: &Json, operations: &[Json]) -> Result<(), String> {
    if body["schemas"] != json!(["urn:ietf:params:scim:api:messages:2.0:BulkRequest"]) {
        return Err("schemas is not exactly BulkRequest".to_owned());
    }
    if body.get("failOnErrors").is_some() {
        return Err("it asks to stop at an error".to_owned());
    }
    let mut seen = std::collections::BTreeSet::new();
    for operation in operations {
        let (method, path) = (&operation["method"], operation["path"].as_str().ok_or("an operation without path")?);
        let id = if method == "POST" { operation["bulkId"].as_str().ok_or("a create without bulkId")? } else { path };
        if !seen.insert(id.to_owned()) {
            return Err(format!("{id} is there twice"));
        }
    }
    Ok(())
}
