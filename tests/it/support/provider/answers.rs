//! HTTP: a request is recorded, judged, met by a fault if one waits, done, and answered as the personality does.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, Request, State as Shared};
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::{Value as Json, json};

use super::line::{Line, Lines};
use super::state::{Refusal, State, same};
use super::{Create, Fault, Filter, Recorded, bulk, patch, rules};

type Held = Arc<Mutex<State>>;

pub async fn serve(listener: std::net::TcpListener, state: Held, stopped: tokio::sync::oneshot::Receiver<()>) {
    listener.set_nonblocking(true).unwrap();
    let lines = Lines(tokio::net::TcpListener::from_std(listener).unwrap());
    let router = Router::new().fallback(answer).with_state(state);
    let service = router.into_make_service_with_connect_info::<Line>();
    tokio::select! {
        result = async { axum::serve(lines, service).await } => result.unwrap(),
        _ = stopped => {}
    }
}

fn lock(state: &Held) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn answer(Shared(state): Shared<Held>, ConnectInfo(line): ConnectInfo<Line>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let bytes = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let method = parts.method.as_str().to_owned();
    let path = parts.uri.path().strip_prefix("/scim/v2").unwrap_or("(outside the base path)").to_owned();
    let query = parts.uri.query().unwrap_or_default().to_owned();
    let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let recorded = Recorded {
        method: method.clone(),
        path: path.clone(),
        query: query.clone(),
        body: serde_json::from_slice(&bytes).unwrap_or_default(),
        content_type: header("content-type"),
        token: header("authorization").and_then(|value| value.strip_prefix("Bearer ").map(str::to_owned)),
        at: Instant::now(),
    };
    let writes = method != "GET" && method != "POST";
    let (fault, latency) = {
        let mut state = lock(&state);
        state.requests.push(recorded.clone());
        if writes {
            let count = state.in_flight.entry(path.clone()).or_default();
            *count += 1;
            let count = *count;
            state.most_in_flight = state.most_in_flight.max(count);
        }
        (state.fault(&method, &format!("{path}?{query}")), state.personality.latency)
    };
    let _departure = Departure { state: state.clone(), path: writes.then(|| path.clone()) };
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    match fault {
        Some(Fault::LostRequest) => {
            line.cut();
            return Response::new(Body::empty());
        }
        Some(Fault::Answer { status, headers, body }) => {
            let mut builder = Response::builder().status(status);
            for (name, value) in headers {
                builder = builder.header(name, value);
            }
            return builder.body(Body::from(body)).unwrap();
        }
        _ => {}
    }
    let done = respond(&mut lock(&state), &recorded, &parts.headers);
    match fault {
        Some(Fault::LostAnswer) => {
            line.cut();
            done
        }
        Some(Fault::AfterCommit(status)) => {
            Response::builder().status(status).body(Body::from("<html>bad gateway</html>")).unwrap()
        }
        Some(Fault::Stall) => std::future::pending().await,
        Some(Fault::Huge) => Response::new(Body::from(vec![b' '; 65 * 1024 * 1024])),
        _ => done,
    }
}

/// The end of a write, however it ends.
struct Departure {
    state: Held,
    path: Option<String>,
}

impl Drop for Departure {
    fn drop(&mut self) {
        if let Some(path) = &self.path
            && let Some(count) = lock(&self.state).in_flight.get_mut(path)
        {
            *count -= 1;
        }
    }
}

pub(super) fn respond(state: &mut State, request: &Recorded, headers: &HeaderMap) -> Response {
    if request.token.as_deref() != Some(state.token.as_str()) {
        return refusal(&(401, "", "bad token".to_owned()));
    }
    if request.path == "/Bulk" {
        return bulk::respond(state, request, headers);
    }
    if let Err(why) = manners(state, request, headers) {
        state.violations.push(format!("{}: {why}", request.line()));
        return refusal(&(400, "invalidSyntax", why));
    }
    served(state, request).unwrap_or_else(|why| refusal(&why))
}

/// What every request must keep, before it is looked at.
fn manners(state: &State, request: &Recorded, headers: &HeaderMap) -> Result<(), String> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
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
    let kind = if request.path.starts_with("/Users") { "User" } else { "Group" };
    match request.method.as_str() {
        "POST" => {
            rules::document(kind, &request.body)?;
            if let Some(manager) = request.body.get(rules::ENTERPRISE).and_then(|extension| extension.get("manager")) {
                rules::manager(manager, state.personality.manager_is_text)?;
            }
            rules::booleans(&request.body, state.personality.entra_requests)
        }
        "PATCH" => patch::check(state, kind, &request.body),
        "GET" | "DELETE" if request.body.is_null() => Ok(()),
        _ => Err("a body where none belongs".to_owned()),
    }
}

fn served(state: &mut State, request: &Recorded) -> Result<Response, Refusal> {
    let missing = || (404, "", "no such address".to_owned());
    if let Some(document) = state.personality.documents.at(&request.path, !state.personality.no_patch) {
        return Ok(reply(state, 200, document));
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
    let known =
        id.as_ref().is_none_or(|id| state.resources.get(id).is_some_and(|(own, json)| *own == kind && !hidden(state, json)));
    match (request.method.as_str(), id) {
        ("GET", None) => list(state, kind, &request.query),
        ("POST", None) => create(state, kind, &request.body),
        (_, Some(_)) if !known => Err(missing()),
        ("GET", Some(id)) => Ok(reply(state, 200, shown(state, &id, true))),
        ("PATCH", Some(_)) if state.personality.no_patch => Err((501, "", "no PATCH".to_owned())),
        ("PATCH", Some(id)) => {
            patch::apply(state, &id, &request.body)?;
            if state.personality.patch_without_body {
                return Ok(Response::builder().status(204).body(Body::empty()).unwrap());
            }
            Ok(reply(state, 200, shown(state, &id, true)))
        }
        ("DELETE", Some(id)) => {
            state.resources.remove(&id);
            for (_, json) in state.resources.values_mut() {
                if let Some(members) = json.get_mut("members").and_then(Json::as_array_mut) {
                    members.retain(|member| member["value"] != json!(id));
                }
            }
            Ok(Response::builder().status(204).body(Body::empty()).unwrap())
        }
        _ => Err((405, "", "no such method".to_owned())),
    }
}

fn hidden(state: &State, json: &Json) -> bool {
    state.personality.hidden.iter().any(|name| same(&json["userName"], name) || same(&json["displayName"], name))
}

fn create(state: &mut State, kind: &'static str, body: &Json) -> Result<Response, Refusal> {
    let id = state.create(kind, body)?;
    let location = format!("http://provider.example/scim/v2/{kind}s/{id}");
    let builder = Response::builder();
    Ok(match state.personality.create {
        Create::Created | Create::Ok => {
            let mut response =
                reply(state, if state.personality.create == Create::Ok { 200 } else { 201 }, shown(state, &id, true));
            response.headers_mut().insert("location", location.parse().unwrap());
            response
        }
        Create::EmptyWithLocation => builder.status(201).header("location", location).body(Body::empty()).unwrap(),
        Create::Empty => builder.status(201).body(Body::empty()).unwrap(),
    })
}

fn list(state: &mut State, kind: &str, query: &str) -> Result<Response, Refusal> {
    let pairs: BTreeMap<String, String> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    if query.contains('+') {
        state.violations.push(format!("a space or plus is sent as + in {query}"));
    }
    let number = |name: &str, default| pairs.get(name).map_or(Ok(default), |text| text.parse::<usize>());
    let bad = |_| (400, "invalidValue", "startIndex and count are numbers".to_owned());
    let (start, count) = (number("startIndex", 1).map_err(bad)?, number("count", 100).map_err(bad)?);
    let without_members = pairs.get("excludedAttributes").is_some_and(|names| names == "members");
    if kind == "Group" && !without_members {
        state.violations.push(format!("groups are listed with their members: {query}"));
    }
    let wanted = match pairs.get("filter") {
        None => None,
        Some(text) => {
            if let Filter::Refused(status) = state.personality.filter {
                return Err((status, "invalidFilter", "no filters".to_owned()));
            }
            if text.starts_with("groups.value") && !state.personality.filters_by_group {
                return Err((400, "invalidFilter", "users cannot be filtered so".to_owned()));
            }
            match rules::filter(text) {
                Ok(wanted) => Some(wanted).filter(|_| state.personality.filter != Filter::Ignored),
                Err(why) => {
                    state.violations.push(why.clone());
                    return Err((400, "invalidFilter", why));
                }
            }
        }
    };
    let chosen: Vec<Json> = state
        .resources
        .iter()
        .filter(|(_, (own, json))| *own == kind && !hidden(state, json))
        .filter(|(_, (_, json))| {
            wanted.as_ref().is_none_or(|(attribute, value)| match attribute.as_str() {
                "groups.value" => is_member(state, value, &json["id"]),
                _ => matches(json, attribute, value),
            })
        })
        .map(|(id, _)| shown(state, id, !without_members))
        .collect();
    if chosen.is_empty() && wanted.is_some() && state.personality.filter == Filter::NotFoundIfNone {
        return Err((404, "", "nobody".to_owned()));
    }
    Ok(reply(state, 200, state.page(chosen, start, count)))
}

fn is_member(state: &State, group: &str, user: &Json) -> bool {
    let members = state.resources.get(group).and_then(|(_, group)| group["members"].as_array());
    members.into_iter().flatten().any(|member| member["value"] == *user)
}

fn matches(json: &Json, attribute: &str, value: &str) -> bool {
    match attribute {
        "userName" | "displayName" => same(&json[attribute], value),
        r#"emails[type eq "work"].value"# => {
            json["emails"].as_array().into_iter().flatten().any(|mail| mail["type"] == "work" && same(&mail["value"], value))
        }
        _ => json[attribute] == json!(value),
    }
}

/// A resource as it is shown.
fn shown(state: &State, id: &str, with_members: bool) -> Json {
    let (kind, mut json) = state.resources[id].clone();
    let object = json.as_object_mut().unwrap();
    if !with_members || state.personality.members_hidden {
        object.remove("members");
    }
    if let Some(members) = object.get_mut("members").and_then(Json::as_array_mut) {
        members.truncate(state.personality.members_shown);
    }
    object.insert("meta".to_owned(), json!({ "resourceType": kind }));
    if !state.personality.odd_answers {
        return json;
    }
    object.remove("schemas");
    object.insert("id".to_owned(), json!(id.parse::<u64>().unwrap()));
    object.entry("members").or_insert(Json::Null);
    if let Some(flag) = object.get("active").and_then(Json::as_bool) {
        object.insert("active".to_owned(), json!(if flag { "True" } else { "False" }));
    }
    if let Some(name) = object.remove("userName") {
        object.insert("username".to_owned(), name);
    }
    if let Some(Json::Object(parts)) = object.remove("name") {
        for (part, value) in parts {
            object.insert(format!("name.{part}"), value);
        }
    }
    json
}

fn reply(state: &State, status: u16, json: Json) -> Response {
    let mark = if state.personality.odd_answers { "\u{feff}" } else { "" };
    let media_type = if state.personality.odd_answers { "text/html" } else { "application/scim+json" };
    Response::builder().status(status).header("content-type", media_type).body(Body::from(format!("{mark}{json}"))).unwrap()
}

pub(super) fn refusal((status, scim_type, detail): &Refusal) -> Response {
    let mut body =
        json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"], "status": status.to_string(), "detail": detail });
    if !scim_type.is_empty() {
        body["scimType"] = json!(scim_type);
    }
    Response::builder()
        .status(*status)
        .header("content-type", "application/scim+json")
        .body(Body::from(body.to_string()))
        .unwrap()
}
