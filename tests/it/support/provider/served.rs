//! What is done with a request that keeps the rules.

use axum::response::Response;
use serde_json::Value as Json;

use super::answers::{empty, reply};
use super::lists::{self, Asked, hidden};
use super::shown::{Wish, shown};
use super::state::{Refusal, State};
use super::{Create, Recorded, lifecycle, patch, rules, schemas, updates};

pub fn served(state: &mut State, request: &Recorded) -> Result<Response, Refusal> {
    let missing = || (404, "", "no such address".to_owned());
    if let Some(announced) = schemas::announced(state, &request.method, &request.path) {
        return announced.map(|json| reply(state, 200, &json));
    }
    if request.path == "/.search" && request.method == "POST" {
        let list = lists::list(state, None, &lists::from_body(&request.body))?;
        return Ok(reply(state, 200, &list));
    }
    let mut segments = request.path.strip_prefix('/').ok_or_else(missing)?.split('/');
    let kind = match segments.next() {
        Some("Users") => "User",
        Some("Groups") => "Group",
        _ => return Err(missing()),
    };
    let id = segments.next().map(|id| percent_encoding::percent_decode_str(id).decode_utf8_lossy().into_owned());
    if segments.next().is_some() || id.as_deref() == Some("") {
        return Err(missing());
    }
    let asked = lists::from_query(&request.query);
    match (request.method.as_str(), id) {
        ("GET", None) => lists::list(state, Some(kind), &asked).map(|list| reply(state, 200, &list)),
        ("POST", None) => create(state, kind, &request.body),
        ("POST", Some(id)) if id == ".search" => {
            let list = lists::list(state, Some(kind), &lists::from_body(&request.body))?;
            Ok(reply(state, 200, &list))
        }
        ("GET", Some(id)) => read(state, kind, &id, &asked),
        (_, Some(id)) if !there(state, kind, &id, &request.body) => Err(missing()),
        ("PATCH", Some(_)) if state.personality.no_patch => {
            Err((state.personality.updates.no_patch_status, "", "no PATCH".to_owned()))
        }
        ("PATCH", Some(id)) => {
            let own = patch::apply(state, &id, &request.body)?;
            Ok(after(state, &own, state.personality.patch_without_body))
        }
        ("PUT", Some(id)) => {
            if state.personality.any_client {
                rules::document(kind, &without_read_only(&request.body)).map_err(|why| (400, "invalidValue", why))?;
            }
            updates::put(state, &id, &request.body)?;
            Ok(after(state, &id, state.personality.updates.put_without_body))
        }
        ("DELETE", Some(id)) => {
            if kind == "User" && state.personality.lifecycle.delete_switches_off {
                state.resources.get_mut(&id).unwrap().1["active"] = Json::Bool(false);
            } else {
                state.discard(&id);
            }
            Ok(empty(204))
        }
        _ => Err((405, "", "no such method".to_owned())),
    }
}

fn without_read_only(body: &Json) -> Json {
    let mut object = body.as_object().cloned().unwrap_or_default();
    object.retain(|name, value| !["id", "meta", "groups"].contains(&name.as_str()) && *value != Json::Array(Vec::new()));
    Json::Object(object)
}

/// True if a resource can be written to.
fn there(state: &State, kind: &str, id: &str, body: &Json) -> bool {
    let reachable = |json: &Json| !hidden(state, json) && (!lifecycle::missing(state, json) || lifecycle::revives(body));
    state.resources.get(id).is_some_and(|(own, json)| *own == kind && reachable(json))
}

fn read(state: &mut State, kind: &str, id: &str, asked: &Asked) -> Result<Response, Refusal> {
    let visible = state.visible().get(id).cloned();
    state.grow_older();
    let seen = visible.filter(|(own, json)| *own == kind && !hidden(state, json) && !lifecycle::missing(state, json));
    let resource = seen.ok_or((404, "", "no such resource".to_owned()))?;
    let wish = Wish::new(asked.get("attributes").map(String::as_str), asked.get("excludedAttributes").map(String::as_str));
    Ok(reply(state, 200, &wish.grant(shown(state, id, &resource, true))))
}

/// The answer to a change.
fn after(state: &State, id: &str, without_body: bool) -> Response {
    match state.resources.get(id) {
        Some(resource) if !without_body => reply(state, 200, &shown(state, id, resource, true)),
        _ => empty(204),
    }
}

fn create(state: &mut State, kind: &'static str, body: &Json) -> Result<Response, Refusal> {
    if state.personality.any_client {
        rules::document(kind, &without_read_only(body)).map_err(|why| (400, "invalidValue", why))?;
    }
    let id = state.create(kind, body)?;
    let location = format!("{}/{kind}s/{id}", state.base);
    let status = if state.personality.create == Create::Ok { 200 } else { 201 };
    let mut response = match (state.personality.create, state.resources.get(&id)) {
        (Create::Created | Create::Ok, Some(resource)) => reply(state, status, &shown(state, &id, resource, true)),
        _ => empty(status),
    };
    if state.personality.create != Create::Empty {
        response.headers_mut().insert("location", location.parse().unwrap());
    }
    Ok(response)
}
