//! Sends a request until there is an answer worth judging: waits its turn, adds credentials, retries what may be
//! retried. What the answer means for a change is judged in `target`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, LOCATION};

use super::answer::{Answer, cut};
use super::credentials::Credentials;
use super::health::{Forbidden, Health};
use super::pacing::Pacing;
use super::request::{Method, Request};
use super::waiting::{asked, backoff};
use super::{ContentType, Retry, Settings, client, url};
use crate::cycle::TargetError;
use crate::model::ResourceType;

/// More than this is not an answer to anything we ask.
const LARGEST_ANSWER: usize = 64 * 1024 * 1024;
const TOO_LARGE: &str = "an answer is larger than 64 MiB";

/// The line to one target.
pub(super) struct Transport {
    client: reqwest::Client,
    base_url: ::url::Url,
    name: String,
    content_type: ContentType,
    retry: Retry,
    credentials: Credentials,
    pacing: Pacing,
    health: Health,
    looking: tokio::sync::Mutex<()>,
    proven: AtomicBool,
}

/// What became of one try.
enum Try {
    /// An answer to be judged by whoever asked.
    Answer(Answer),
    /// 401.
    Refused,
    /// Overloaded, and the request was not done: 429, 503 and kin, or a 403 that is a rate limit.
    Busy { status: u16, wait: Option<Duration> },
    /// It never left: no connection.
    NotSent(String),
    /// It may have been done: a server error, or no answer. An answer that was one, if there was.
    Lost(String, Option<Answer>),
    /// It was answered with more than we read.
    TooLarge,
    /// 3xx.
    Redirected(Answer),
}

impl Transport {
    pub(super) fn new(settings: &Settings) -> Result<Self, TargetError> {
        Ok(Self {
            client: client::client(settings)?,
            base_url: settings.base_url.clone(),
            name: settings.name.clone(),
            content_type: settings.dialect.knobs.content_type,
            retry: settings.retry,
            credentials: Credentials::new(settings.auth.clone()),
            pacing: Pacing::new(&settings.dialect.rates, settings.retry.longest_pause),
            health: Health::new(settings.retry.max),
            looking: tokio::sync::Mutex::new(()),
            proven: AtomicBool::new(false),
        })
    }

    /// An answer of any status but 401, 429, 503, redirects and, for what cannot be repeated, server errors.
    /// A create is sent again only where it certainly was not done. Any error but `AnswerLost` means that the
    /// request was not done by any of its tries.
    pub(super) async fn send(&self, request: &Request) -> Result<Answer, TargetError> {
        let mut doubt = None;
        let outcome = self.attempt(request, &mut doubt).await;
        match (outcome, doubt) {
            (Err(error), Some(why)) if request.method != Method::Get && !matches!(error, TargetError::AnswerLost(_)) => {
                Err(TargetError::AnswerLost(format!("{why}; then: {error}")))
            }
            (outcome, _) => outcome,
        }
    }

    /// An error if the target is at fault as a whole, and not a few requests that it stumbled over one after the other.
    async fn fit(&self) -> Result<(), TargetError> {
        if self.health.check().is_ok() {
            return Ok(());
        }
        let _turn = self.looking.lock().await;
        let Err(error) = self.health.check() else { return Ok(()) };
        if !self.health.may_look() {
            return Err(error);
        }
        if self.answers().await {
            self.health.excuse();
            return Ok(());
        }
        self.health.blame();
        Err(error)
    }

    /// True if the target answers a harmless question.
    async fn answers(&self) -> bool {
        let (Ok(()), Ok(token)) = (self.pacing.permit().await, self.credentials.token()) else { return false };
        let question = Request::page(ResourceType::User, 1, 1);
        let outcome = self.exchange(&question, token.as_ref().map(|token| &token.header)).await;
        matches!(outcome, Try::Answer(answer) if answer.is_success())
    }

    /// Tries until there is an answer. `doubt` says why an earlier try may have been done.
    async fn attempt(&self, request: &Request, doubt: &mut Option<String>) -> Result<Answer, TargetError> {
        self.fit().await?;
        let mut renewed = false;
        let mut failed = 0;
        loop {
            self.pacing.permit().await?;
            let token = self.credentials.token()?;
            let outcome = self.exchange(request, token.as_ref().map(|token| &token.header)).await;
            let last = failed + 1 >= self.retry.tries;
            match outcome {
                Try::Answer(answer) if answer.status == 403 => {
                    let everything = match self.health.forbidden() {
                        Forbidden::This => false,
                        Forbidden::Doubtful => !self.answers().await,
                        Forbidden::Everything => true,
                    };
                    if everything {
                        return Err(TargetError::Unauthorized("it answers 403 to everything".to_owned()));
                    }
                    return Ok(answer);
                }
                Try::Answer(answer) => {
                    self.health.answered();
                    if answer.is_success() {
                        self.proven.store(true, Ordering::Relaxed);
                    }
                    return Ok(answer);
                }
                // Where SCIM was spoken before, it is this request that somebody on the way does not like.
                Try::Redirected(answer) if self.proven.load(Ordering::Relaxed) => return Ok(answer),
                Try::Redirected(answer) => {
                    return Err(TargetError::Protocol(redirected(answer.status, answer.location.as_deref())));
                }
                Try::TooLarge if request.method == Method::Get => return Err(TargetError::Protocol(TOO_LARGE.to_owned())),
                Try::TooLarge => return Err(TargetError::AnswerLost(TOO_LARGE.to_owned())),
                Try::Refused => {
                    self.credentials.refuse(token.as_ref())?;
                    if renewed {
                        return Err(TargetError::Unauthorized("it refused the token and the one that replaced it".to_owned()));
                    }
                    renewed = true;
                    continue;
                }
                Try::Busy { status, wait } => {
                    self.pacing.pause(wait.unwrap_or_else(|| backoff(&self.retry, failed + 1)));
                    if last {
                        return Err(TargetError::Unavailable(format!("it answered {status} {} times", self.retry.tries)));
                    }
                }
                Try::NotSent(why) => {
                    if last {
                        self.health.failed();
                        return Err(TargetError::Unavailable(format!("{} at {}: {why}", self.name, self.base_url)));
                    }
                    tokio::time::sleep(backoff(&self.retry, failed + 1)).await;
                }
                Try::Lost(why, answer) => {
                    if last || request.method == Method::Post {
                        // A read that the server cannot answer says nothing about others: its value may be odd.
                        if request.method != Method::Get || answer.is_none() {
                            self.health.failed();
                        }
                        return self.lost(request, why, answer);
                    }
                    doubt.get_or_insert(why);
                    tokio::time::sleep(backoff(&self.retry, failed + 1)).await;
                }
            }
            failed += 1;
        }
    }

    /// A write whose answer is lost may have been done. A read that the server cannot answer says nothing about
    /// other reads, but one that is not answered at all does.
    fn lost(&self, request: &Request, why: String, answer: Option<Answer>) -> Result<Answer, TargetError> {
        match (request.method, answer) {
            // What the server stumbles over may be one of the members.
            (Method::Patch, Some(answer)) if request.resource_type == ResourceType::Group => Ok(answer),
            (Method::Post | Method::Patch | Method::Delete, _) => Err(TargetError::AnswerLost(why)),
            (Method::Get, Some(answer)) => Ok(answer),
            (Method::Get, None) => Err(TargetError::Unavailable(why)),
        }
    }

    async fn exchange(&self, request: &Request, authorization: Option<&reqwest::header::HeaderValue>) -> Try {
        let started = tokio::time::Instant::now();
        let address = url::joined(&self.base_url, &request.path, &request.query);
        let mut builder = match request.method {
            Method::Get => self.client.get(address),
            Method::Post => self.client.post(address),
            Method::Patch => self.client.patch(address),
            Method::Delete => self.client.delete(address),
        }
        .header(ACCEPT, "application/scim+json, application/json;q=0.9");
        if let Some(value) = authorization {
            builder = builder.header(AUTHORIZATION, value);
        }
        if let Some(body) = &request.body {
            let media_type = match self.content_type {
                ContentType::ScimJson => "application/scim+json",
                ContentType::Json => "application/json",
            };
            builder = builder.header(CONTENT_TYPE, media_type).body(body.to_string());
        }
        let result = match builder.send().await {
            Err(error) if error.is_connect() || error.is_builder() => Try::NotSent(said(&error)),
            Err(error) => Try::Lost(said(&error), None),
            Ok(response) => read(response).await,
        };
        let (status, scim_type) = match &result {
            Try::Answer(answer) | Try::Lost(_, Some(answer)) => (Some(answer.status), answer.scim_type()),
            Try::Busy { status, .. } => (Some(*status), None),
            Try::Refused => (Some(401), None),
            Try::Redirected(answer) => (Some(answer.status), None),
            Try::NotSent(_) | Try::Lost(_, None) | Try::TooLarge => (None, None),
        };
        tracing::debug!(
            target_name = %self.name, method = request.method.as_str(), resource_type = request.resource_type.as_str(), status,
            scim_type, milliseconds = started.elapsed().as_millis(), "SCIM request"
        );
        result
    }
}

/// Judges an answer as far as every request does alike.
async fn read(mut response: reqwest::Response) -> Try {
    let status = response.status().as_u16();
    let headers = response.headers().clone();
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() > LARGEST_ANSWER => {
                return Try::TooLarge;
            }
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => break,
            Err(error) => return Try::Lost(said(&error), None),
        }
    }
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let wait = || asked(text, SystemTime::now());
    let answer = Answer { status, location: text(LOCATION.as_str()).map(str::to_owned), body };
    match status {
        300..=399 => Try::Redirected(answer),
        401 => Try::Refused,
        423 | 425 | 429 | 503 => Try::Busy { status, wait: wait() },
        403 if is_rate_limit(&headers) => Try::Busy { status, wait: wait() },
        // 501 is an answer: the provider does not do this, today or tomorrow.
        408 | 500 | 502 | 504..=599 => Try::Lost(format!("status {status}: {}", answer.detail()), Some(answer)),
        _ => Try::Answer(answer),
    }
}

/// GitHub answers 403 where others answer 429.
fn is_rate_limit(headers: &HeaderMap) -> bool {
    headers.contains_key("retry-after") || headers.get("x-ratelimit-remaining").is_some_and(|left| left.as_bytes() == b"0")
}

fn redirected(status: u16, location: Option<&str>) -> String {
    let host = location.and_then(|text| ::url::Url::parse(text).ok()).and_then(|url| url.host_str().map(str::to_owned));
    let place = host.map_or_else(|| "another address".to_owned(), |host| cut(&host));
    format!("it redirects ({status}) to {place}; redirects are not followed, put the final address into base_url")
}

/// An HTTP error with its causes and without the address, which may hold attribute values.
fn said(error: &reqwest::Error) -> String {
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
