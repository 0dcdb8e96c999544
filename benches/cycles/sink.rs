//! The sink: a SCIM provider on loopback, fast because it does nearly nothing. It keeps names, ids and memberships,
//! answers questions about them truthfully, and counts what it is sent. It may take its time for every answer, or hand
//! out tokens from a bucket and refuse whoever comes too early.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::{Path, Query, Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use serde_json::{Value, json};

use super::company::Company;

/// The bearer token it wants.
pub const TOKEN: &str = "bench-token";

/// The most it hands out at once.
const PAGE: usize = 1000;

/// Requests and bytes of their bodies, by kind.
#[derive(Default, Clone)]
pub struct Traffic(BTreeMap<String, (u64, u64)>);

impl Traffic {
    /// All requests.
    pub fn requests(&self) -> u64 {
        self.0.values().map(|(requests, _)| requests).sum()
    }

    /// Requests of a kind, such as `PATCH /Users`.
    pub fn of(&self, kind: &str) -> u64 {
        self.0.get(kind).map_or(0, |(requests, _)| *requests)
    }
}

impl fmt::Display for Traffic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds = self.0.iter().map(|(kind, (requests, bytes))| format!("{kind} {requests} ({} kB)", bytes / 1000));
        f.write_str(&kinds.collect::<Vec<_>>().join(", "))
    }
}

/// How it treats those who ask.
#[derive(Default, Clone, Copy)]
pub struct Manners {
    /// It takes this long for every answer.
    pub latency: Duration,
    /// It answers 429 to whoever finds no token: so many a second, and as many at most.
    pub tokens: Option<NonZeroU32>,
}

/// When requests came and went.
#[derive(Default, Clone)]
pub struct Times {
    /// When each that was not refused came.
    pub arrivals: Vec<Instant>,
    /// When each that writes came: what is asked before the source is read is not among them.
    pub writes: Vec<Instant>,
    /// When the last answer went.
    pub last_answer: Option<Instant>,
    /// Requests that found no token.
    pub refused: u64,
}

impl Times {
    /// Writes a second, from the first to the last answer.
    pub fn writes_per_second(&self) -> f64 {
        let span = self.writes.first().zip(self.last_answer).map_or(Duration::ZERO, |(first, last)| last - *first);
        #[allow(clippy::cast_precision_loss)]
        let count = self.writes.len() as f64;
        count / span.as_secs_f64().max(f64::EPSILON)
    }

    /// How many came within so long after the first.
    pub fn within(&self, window: Duration) -> usize {
        self.arrivals.iter().filter(|at| self.arrivals.first().is_some_and(|first| **at - *first < window)).count()
    }
}

#[derive(Default)]
struct Held {
    resources: BTreeMap<(String, u64), Value>,
    /// Type and userName or displayName in lower case.
    names: HashMap<(String, String), u64>,
    members: BTreeMap<u64, BTreeSet<u64>>,
    last: u64,
    traffic: Traffic,
    times: Times,
    /// Made by others than our own pace, so that it judges it.
    bucket: Option<DefaultDirectRateLimiter>,
}

type Shared = Arc<Mutex<Held>>;

/// A running sink; it ends with the process.
pub struct Sink {
    port: u16,
    held: Shared,
    _runtime: tokio::runtime::Runtime,
}

impl Sink {
    /// Starts at a free port.
    pub fn start(manners: Manners) -> Self {
        let held = Shared::default();
        let app = Router::new()
            .route("/v2/ServiceProviderConfig", get(service_provider_config))
            .route("/v2/{kind}", get(list).post(create))
            .route("/v2/{kind}/{id}", get(read).patch(change).put(change).delete(delete))
            .layer(axum::middleware::from_fn_with_state((held.clone(), manners), count))
            .with_state(held.clone());
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let port = listener.local_addr().unwrap().port();
        runtime.spawn(async move { axum::serve(listener, app).await });
        Self { port, held, _runtime: runtime }
    }

    /// Where it listens.
    pub fn base_url(&self) -> String {
        format!("http://127.0.0.1:{}/v2", self.port)
    }

    /// What was sent since it was last forgotten.
    pub fn traffic(&self) -> Traffic {
        self.held.lock().unwrap().traffic.clone()
    }

    /// When that came.
    pub fn times(&self) -> Times {
        self.held.lock().unwrap().times.clone()
    }

    /// Counts from nothing again.
    pub fn forget_traffic(&self) {
        let mut held = self.held.lock().unwrap();
        held.traffic = Traffic::default();
        held.times = Times::default();
    }

    /// Users that it holds.
    pub fn users(&self) -> usize {
        self.held.lock().unwrap().resources.keys().filter(|(kind, _)| kind == "Users").count()
    }

    /// How it differs from what the company should look like.
    pub fn differences(&self, company: &Company) -> Vec<String> {
        let held = self.held.lock().unwrap();
        let of = |kind: &str| held.resources.iter().filter(|((each, _), _)| each == kind).count();
        let mut differences = Vec::new();
        if of("Users") != company.users() {
            differences.push(format!("the sink holds {} users and should hold {}", of("Users"), company.users()));
        }
        let mut wrong = 0;
        let mut groups = 0;
        for (name, logins) in company.effective() {
            groups += 1;
            let id = |kind: &str, name: &str| held.names.get(&(kind.to_owned(), name.to_lowercase())).copied();
            let should: Option<BTreeSet<u64>> = logins.iter().map(|login| id("Users", login)).collect();
            let does = id("Groups", &name).map(|id| held.members.get(&id).cloned().unwrap_or_default());
            wrong += usize::from(does.is_none() || does != should);
        }
        if of("Groups") != groups || wrong > 0 {
            differences
                .push(format!("the sink holds {} groups and should hold {groups}; {wrong} are missing or wrong", of("Groups")));
        }
        differences
    }
}

async fn count(State((held, manners)): State<(Shared, Manners)>, request: Request, next: Next) -> Response {
    let now = Instant::now();
    let authorised = request.headers().get("authorization").is_some_and(|value| value == &format!("Bearer {TOKEN}"));
    let length = request.headers().get("content-length").and_then(|value| value.to_str().ok()?.parse().ok()).unwrap_or(0);
    let kind = request.uri().path().split('/').nth(2).unwrap_or_default();
    {
        let mut held = held.lock().unwrap();
        let counted = held.traffic.0.entry(format!("{} /{kind}", request.method())).or_default();
        *counted = (counted.0 + 1, counted.1 + length);
        if !held.token(manners.tokens) {
            held.times.refused += 1;
            return error(StatusCode::TOO_MANY_REQUESTS, None);
        }
        held.times.arrivals.push(now);
        if request.method() != axum::http::Method::GET {
            held.times.writes.push(now);
        }
    }
    let answer = if authorised { next.run(request).await } else { error(StatusCode::UNAUTHORIZED, None) };
    let left = manners.latency.saturating_sub(now.elapsed());
    if !left.is_zero() {
        // tokio's own timers round up to whole milliseconds: one in twenty would be the sink's.
        let _ = tokio::task::spawn_blocking(move || std::thread::sleep(left)).await;
    }
    held.lock().unwrap().times.last_answer = Some(Instant::now());
    answer
}

impl Held {
    /// Takes a token; a bucket begins full and holds what falls into it in a second.
    fn token(&mut self, per_second: Option<NonZeroU32>) -> bool {
        let Some(rate) = per_second else { return true };
        let bucket = self.bucket.get_or_insert_with(|| RateLimiter::direct(Quota::per_second(rate).allow_burst(rate)));
        bucket.check().is_ok()
    }
}

fn error(status: StatusCode, scim_type: Option<&str>) -> Response {
    let mut body = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"], "status": status.as_u16().to_string() });
    if let Some(scim_type) = scim_type {
        body["scimType"] = json!(scim_type);
    }
    (status, Json(body)).into_response()
}

async fn service_provider_config() -> Json<Value> {
    Json(json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
        "patch": { "supported": true }, "bulk": { "supported": false, "maxOperations": 0, "maxPayloadSize": 0 },
        "filter": { "supported": true, "maxResults": PAGE }, "changePassword": { "supported": false },
        "sort": { "supported": false }, "etag": { "supported": false }, "authenticationSchemes": []
    }))
}

fn name_of(resource: &Value) -> Option<String> {
    let name = resource.get("userName").or_else(|| resource.get("displayName"))?;
    Some(name.as_str()?.to_lowercase())
}

/// With its members, if it is a group.
fn shown(held: &Held, kind: &str, id: u64, resource: &Value) -> Value {
    let mut shown = resource.clone();
    if kind == "Groups" {
        let members = held.members.get(&id).into_iter().flatten();
        shown["members"] = members.map(|member| json!({ "value": member.to_string() })).collect();
    }
    shown
}

async fn list(State(held): State<Shared>, Path(kind): Path<String>, Query(query): Query<HashMap<String, String>>) -> Response {
    let held = held.lock().unwrap();
    let of_kind = held.resources.range((kind.clone(), 0)..=(kind.clone(), u64::MAX));
    let found: Vec<(u64, &Value)> = match query.get("filter") {
        None => of_kind.map(|((_, id), resource)| (*id, resource)).collect(),
        Some(filter) => {
            let Some((name, value)) = filter.split_once(" eq ") else {
                return error(StatusCode::BAD_REQUEST, Some("invalidFilter"));
            };
            let value = value.trim().trim_matches('"');
            match name.trim() {
                "userName" | "displayName" => {
                    let id = held.names.get(&(kind.clone(), value.to_lowercase()));
                    id.and_then(|id| Some((*id, held.resources.get(&(kind.clone(), *id))?))).into_iter().collect()
                }
                "externalId" | "id" => {
                    of_kind.filter(|(_, resource)| resource[name] == *value).map(|((_, id), resource)| (*id, resource)).collect()
                }
                _ => return error(StatusCode::BAD_REQUEST, Some("invalidFilter")),
            }
        }
    };
    let number = |name: &str, default: usize| query.get(name).and_then(|value| value.parse().ok()).unwrap_or(default);
    let (start, page) = (number("startIndex", 1).max(1), number("count", PAGE).min(PAGE));
    let resources: Vec<Value> = found.iter().skip(start - 1).take(page).map(|(id, one)| shown(&held, &kind, *id, one)).collect();
    Json(json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
        "totalResults": found.len(), "startIndex": start, "itemsPerPage": resources.len(), "Resources": resources
    }))
    .into_response()
}

async fn create(State(held): State<Shared>, Path(kind): Path<String>, body: Bytes) -> Response {
    let Ok(mut resource) = serde_json::from_slice::<Value>(&body) else {
        return error(StatusCode::BAD_REQUEST, Some("invalidSyntax"));
    };
    let Some(name) = name_of(&resource) else { return error(StatusCode::BAD_REQUEST, Some("invalidValue")) };
    let mut held = held.lock().unwrap();
    if held.names.contains_key(&(kind.clone(), name.clone())) {
        return error(StatusCode::CONFLICT, Some("uniqueness"));
    }
    held.last += 1;
    let id = held.last;
    resource["id"] = json!(id.to_string());
    resource["meta"] = json!({ "location": format!("/v2/{kind}/{id}") });
    if let Some(members) = resource.get("members") {
        let members = ids(members);
        held.members.insert(id, members);
    }
    let answer = resource.to_string();
    held.names.insert((kind.clone(), name), id);
    held.resources.insert((kind, id), resource);
    (StatusCode::CREATED, [("content-type", "application/scim+json")], answer).into_response()
}

async fn read(State(held): State<Shared>, Path((kind, id)): Path<(String, u64)>) -> Response {
    let held = held.lock().unwrap();
    match held.resources.get(&(kind.clone(), id)) {
        Some(resource) => Json(shown(&held, &kind, id, resource)).into_response(),
        None => error(StatusCode::NOT_FOUND, None),
    }
}

/// PATCH, and PUT too: of both only `active` and members leave a trace.
async fn change(State(held): State<Shared>, Path((kind, id)): Path<(String, u64)>, body: Bytes) -> Response {
    let Ok(body) = serde_json::from_slice::<Value>(&body) else {
        return error(StatusCode::BAD_REQUEST, Some("invalidSyntax"));
    };
    let mut held = held.lock().unwrap();
    let held = &mut *held;
    let Some(resource) = held.resources.get_mut(&(kind, id)) else { return error(StatusCode::NOT_FOUND, None) };
    let members = held.members.entry(id).or_default();
    for operation in body["Operations"].as_array().into_iter().flatten() {
        let (op, path) =
            (operation["op"].as_str().unwrap_or_default().to_lowercase(), operation["path"].as_str().unwrap_or_default());
        let value = &operation["value"];
        if path == "active" {
            resource["active"] = value.clone();
        } else if let Some(member) = path.strip_prefix("members[value eq \"") {
            members.remove(&member.trim_end_matches("\"]").parse().unwrap_or_default());
        } else if path == "members" || (path.is_empty() && value.get("members").is_some()) {
            let named = ids(value.get("members").unwrap_or(value));
            match op.as_str() {
                "add" => members.extend(named),
                "replace" => *members = named,
                _ => members.retain(|member| !value.is_null() && !named.contains(member)),
            }
        }
    }
    StatusCode::NO_CONTENT.into_response()
}

async fn delete(State(held): State<Shared>, Path((kind, id)): Path<(String, u64)>) -> Response {
    let mut held = held.lock().unwrap();
    held.members.remove(&id);
    match held.resources.remove(&(kind.clone(), id)) {
        Some(resource) => {
            name_of(&resource).map(|name| held.names.remove(&(kind, name)));
            StatusCode::NO_CONTENT.into_response()
        }
        None => error(StatusCode::NOT_FOUND, None),
    }
}

fn ids(members: &Value) -> BTreeSet<u64> {
    members.as_array().into_iter().flatten().filter_map(|member| member["value"].as_str()?.parse().ok()).collect()
}
