//! What every request must keep, before it is looked at.

use axum::http::HeaderMap;
use serde_json::Value as Json;

use super::state::State;
use super::{Recorded, patch, rules, updates};

pub fn judge(state: &State, request: &Recorded, headers: &HeaderMap) -> Result<(), String> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if state.personality.any_client {
        return Ok(());
    }
    if !header("user-agent").starts_with("ldap2scim/") {
        return Err("no User-Agent of ours".to_owned());
    }
    if !header("accept").contains("application/scim+json") {
        return Err("Accept lacks application/scim+json".to_owned());
    }
    let media_type = if state.personality.entra_requests { "json" } else { "application/scim+json" };
    if !request.body.is_null() && !request.content_type.as_deref().unwrap_or_default().ends_with(media_type) {
        return Err(format!("the body is labelled {:?}", request.content_type));
    }
    if request.query.contains('+') {
        return Err(format!("a space or plus is sent as + in {}", request.query));
    }
    body(state, request)
}

fn body(state: &State, request: &Recorded) -> Result<(), String> {
    let kind = if request.path.starts_with("/Users") { "User" } else { "Group" };
    match request.method.as_str() {
        "POST" if request.path.ends_with("/.search") => Ok(()),
        "POST" => {
            rules::document(kind, &request.body)?;
            typed(state, &request.body)
        }
        "PUT" => {
            updates::check_put(kind, &request.path, &request.body)?;
            typed(state, &request.body)
        }
        "PATCH" => patch::check(state, kind, &request.body),
        "GET" | "DELETE" if request.body.is_null() => Ok(()),
        _ => Err("a body where none belongs".to_owned()),
    }
}

fn typed(state: &State, body: &Json) -> Result<(), String> {
    if let Some(manager) = body.get(rules::ENTERPRISE).and_then(|extension| extension.get("manager")) {
        rules::manager(manager, state.personality.manager_is_text)?;
    }
    rules::booleans(body, state.personality.entra_requests)
}
