//! HTTP: a request is recorded, judged, met by a fault if one waits, done, and answered as the personality does.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, Request, State as Shared};
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::{Value as Json, json};

use super::line::{Line, Lines};
use super::state::{Refusal, State};
use super::{Fault, Recorded, bulk, manners, served};

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
        headers: parts.headers.keys().filter_map(|name| Some((name.as_str().to_owned(), header(name.as_str())?))).collect(),
        at: Instant::now(),
    };
    let written = written(&recorded);
    let (fault, latency, locked) = {
        let mut state = lock(&state);
        state.requests.push(recorded.clone());
        let mut locked = false;
        for resource in &written {
            let count = state.in_flight.entry(resource.clone()).or_default();
            *count += 1;
            let count = *count;
            state.most_in_flight = state.most_in_flight.max(count);
            locked = count > 1 && state.personality.updates.locks;
        }
        (state.fault(&method, &format!("{path}?{query}")), state.personality.latency, locked)
    };
    let departure = Departure { state: state.clone(), resources: written };
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    let fault = if locked { Some(Fault::too_many("1")) } else { fault };
    match fault {
        Some(Fault::LostRequest) => {
            line.cut();
            return Response::new(Body::empty());
        }
        Some(Fault::CrashBefore) => return crash(&state, departure).await,
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
        Some(Fault::Crash) => crash(&state, departure).await,
        Some(Fault::Stall) => {
            drop(departure);
            std::future::pending().await
        }
        Some(Fault::Huge) => Response::new(Body::from(vec![b' '; 65 * 1024 * 1024])),
        _ => done,
    }
}

/// What is done is no longer in flight, although nobody is told.
async fn crash(state: &Held, departure: Departure) -> Response {
    drop(departure);
    let stalled = lock(state).stalled.clone();
    stalled.notify_one();
    std::future::pending().await
}

/// The resources that a request writes to: by address, or by name where one is to be made.
fn written(request: &Recorded) -> BTreeSet<String> {
    let one = |request: &Recorded| {
        let name = ["userName", "displayName"].iter().find_map(|name| request.body[name].as_str());
        match (request.method.as_str(), name) {
            ("GET", _) => None,
            ("POST", name) => name.map(|name| format!("{} {}", request.path, name.to_lowercase())),
            _ => Some(request.path.clone()),
        }
    };
    request.alone().iter().filter_map(one).collect()
}

/// The end of a write, however it ends.
struct Departure {
    state: Held,
    resources: BTreeSet<String>,
}

impl Drop for Departure {
    fn drop(&mut self) {
        let mut state = lock(&self.state);
        for resource in &self.resources {
            if let Some(count) = state.in_flight.get_mut(resource) {
                *count -= 1;
            }
        }
    }
}

pub fn respond(state: &mut State, request: &Recorded, headers: &HeaderMap) -> Response {
    if request.token.as_deref() != Some(state.token.as_str()) {
        return refusal(&(401, "", "bad token".to_owned()));
    }
    if request.path == "/Bulk" {
        return bulk::respond(state, request, headers);
    }
    if let Err(why) = manners::judge(state, request, headers) {
        state.violations.push(format!("{}: {why}", request.line()));
        return refusal(&(400, "invalidSyntax", why));
    }
    served::served(state, request).unwrap_or_else(|why| refusal(&why))
}

pub fn reply(state: &State, status: u16, json: &Json) -> Response {
    let odd = state.personality.odd_answers;
    let mark = if odd { "\u{feff}" } else { "" };
    let usual = if odd { "text/html" } else { "application/scim+json" };
    let media_type = state.personality.spelling.media_type.unwrap_or(usual);
    Response::builder().status(status).header("content-type", media_type).body(Body::from(format!("{mark}{json}"))).unwrap()
}

pub fn empty(status: u16) -> Response {
    Response::builder().status(status).body(Body::empty()).unwrap()
}

pub fn refusal((status, scim_type, detail): &Refusal) -> Response {
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
