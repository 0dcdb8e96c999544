//! One try of a request: it is put together, sent, and its answer read and judged as far as every request does alike.

use std::time::{Duration, SystemTime};

use reqwest::header::{ACCEPT, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue, IF_MATCH, LOCATION};

use super::answer::{Answer, WORDS, cut};
use super::credentials::Proof;
use super::request::{Method, Request};
use super::waiting::{announced, asked, is_used_up};
use super::{ContentType, Settings, client};
use crate::cycle::TargetError;

/// More than this is not an answer to anything we ask.
const LARGEST_ANSWER: usize = 64 * 1024 * 1024;

/// Headers that are not the admin's to set: the HTTP client's own, and those of `auth`.
const OURS: &[&str] = &["host", "content-length", "transfer-encoding", "connection", "authorization"];

/// What every request to one target has alike.
pub(super) struct Line {
    client: reqwest::Client,
    name: String,
    media_type: &'static str,
    headers: HeaderMap,
}

/// What became of one try.
pub(super) enum Try {
    /// An answer to be judged by whoever asked.
    Answer(Answer),
    /// 401.
    Refused,
    /// Overloaded, and the request was not done: 429, 503, or a 403 that is a rate limit.
    Busy { status: u16, wait: Option<Duration> },
    /// Not done because the resource is in use (423), or might be a repetition (425). The target is well.
    Locked { answer: Answer, wait: Option<Duration> },
    /// It never left: no connection.
    NotSent(String),
    /// It may have been done: a server error, or no answer. An answer that was one, if there was.
    Lost(String, Option<Answer>),
    /// It was answered with more than we read.
    TooLarge,
    /// 3xx.
    Redirected(Answer),
}

/// A try, and how long nothing more is to be sent if the answer said so without complaining.
pub(super) struct Tried {
    pub(super) outcome: Try,
    pub(super) used_up: Option<Duration>,
}

impl From<Try> for Tried {
    fn from(outcome: Try) -> Self {
        Self { outcome, used_up: None }
    }
}

impl Line {
    pub(super) fn new(settings: &Settings) -> Result<Self, TargetError> {
        let knobs = &settings.dialect.knobs;
        Ok(Self {
            client: client::client_of_target(settings)?,
            name: settings.name.clone(),
            media_type: match knobs.content_type {
                ContentType::ScimJson => "application/scim+json",
                ContentType::Json => "application/json",
            },
            headers: headers(&knobs.headers)?,
        })
    }

    pub(super) async fn exchange(&self, request: &Request, address: &str, body: Option<&str>, proof: &Proof) -> Tried {
        let started = tokio::time::Instant::now();
        let mut builder = match request.method {
            Method::Get => self.client.get(address),
            Method::Post | Method::Search => self.client.post(address),
            Method::Put => self.client.put(address),
            Method::Patch => self.client.patch(address),
            Method::Delete => self.client.delete(address),
        }
        .header(ACCEPT, "application/scim+json, application/json;q=0.9");
        if let Some(version) = &request.if_match {
            builder = builder.header(IF_MATCH, version);
        }
        if let Some(body) = body {
            builder = builder.header(CONTENT_TYPE, self.media_type).body(body.to_owned());
        }
        let tried = match builder.headers(self.headers.clone()).headers(proof.headers()).send().await {
            Err(error) if error.is_connect() || error.is_builder() => Try::NotSent(said(&error)).into(),
            Err(error) => Try::Lost(said(&error), None).into(),
            Ok(response) => read(response, proof).await,
        };
        let (status, scim_type) = match &tried.outcome {
            Try::Answer(answer) | Try::Lost(_, Some(answer)) => (Some(answer.status), answer.scim_type()),
            Try::Busy { status, .. } => (Some(*status), None),
            Try::Refused => (Some(401), None),
            Try::Redirected(answer) | Try::Locked { answer, .. } => (Some(answer.status), None),
            Try::NotSent(_) | Try::Lost(_, None) | Try::TooLarge => (None, None),
        };
        tracing::debug!(
            target_name = %self.name, method = request.method.as_str(), resource_type = request.resource_type.as_str(), status,
            scim_type, milliseconds = started.elapsed().as_millis(), "SCIM request"
        );
        tried
    }
}

/// The admin's headers. They replace ours of the same name.
fn headers(written: &[(String, String)]) -> Result<HeaderMap, TargetError> {
    let wrong = |name: &str, why: &str| TargetError::Unavailable(format!("headers: {} {why}", cut(name)));
    let mut headers = HeaderMap::new();
    for (name, value) in written {
        let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong(name, "is no name of a header"))?;
        if OURS.contains(&header.as_str()) {
            return Err(wrong(name, "cannot be set here"));
        }
        headers.insert(header, HeaderValue::from_str(value).map_err(|_| wrong(name, "has a value that no header may have"))?);
    }
    Ok(headers)
}

async fn read(mut response: reqwest::Response, proof: &Proof) -> Tried {
    let status = response.status().as_u16();
    let headers = response.headers().clone();
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() > LARGEST_ANSWER => return Try::TooLarge.into(),
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => break,
            Err(error) => return Try::Lost(said(&error), None).into(),
        }
    }
    if !(200..300).contains(&status) {
        body.truncate(WORDS);
        proof.hide(&mut body);
    }
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let wait = || asked(text, SystemTime::now());
    let said_by = |name: reqwest::header::HeaderName| text(name.as_str()).map(str::to_owned);
    let answer = Answer { status, location: said_by(LOCATION), etag: said_by(ETAG), body };
    let outcome = match status {
        300..=399 => Try::Redirected(answer),
        401 => Try::Refused,
        423 | 425 => Try::Locked { answer, wait: wait() },
        429 | 503 => Try::Busy { status, wait: wait() },
        // GitHub answers 403 where others answer 429.
        403 if headers.contains_key("retry-after") || is_used_up(text) => Try::Busy { status, wait: wait() },
        // 501 is an answer: the provider does not do this, today or tomorrow.
        408 | 500 | 502 | 504..=599 => Try::Lost(format!("status {status}: {}", answer.detail()), Some(answer)),
        _ => Try::Answer(answer),
    };
    let used_up = if matches!(outcome, Try::Answer(_)) { announced(text, SystemTime::now()) } else { None };
    Tried { outcome, used_up }
}

/// An HTTP error with its causes and without the address, which may hold attribute values.
pub(super) fn said(error: &reqwest::Error) -> String {
    let mut words = Vec::new();
    if error.is_timeout() {
        words.push("no answer in time".to_owned());
    } else if error.is_connect() {
        words.push("no connection".to_owned());
    }
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        let text = inner.to_string();
        if !words.contains(&text) {
            words.push(text);
        }
        cause = inner.source();
    }
    if words.is_empty() {
        words.push("the exchange failed".to_owned());
    }
    cut(&words.join(": "))
}
