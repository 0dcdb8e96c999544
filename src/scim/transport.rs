//! Sends a request until there is an answer worth judging: waits its turn, adds credentials, retries what may be
//! retried. What the answer means for a change is judged in `target`.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::MutexGuard;

use super::answer::{Answer, cut};
use super::credentials::{Credentials, Proof};
use super::exchange::{Line, Tried, Try};
use super::health::{Forbidden, Health, Standing};
use super::pacing::Pacing;
use super::request::Request;
use super::waiting::backoff;
use super::{Retry, Settings, url};
use crate::cycle::TargetError;

const TOO_LARGE: &str = "an answer is larger than 64 MiB";

/// The line to one target.
pub(super) struct Transport {
    line: Line,
    base_url: ::url::Url,
    name: String,
    longest_body: Option<usize>,
    retry: Retry,
    credentials: Credentials,
    pacing: Pacing,
    health: Health,
    looking: tokio::sync::Mutex<()>,
    proven: AtomicBool,
}

/// A request with what is the same at each of its tries.
struct Sending<'a> {
    request: &'a Request,
    address: String,
    body: Option<String>,
}

impl Transport {
    pub(super) fn new(settings: &Settings) -> Result<Self, TargetError> {
        Ok(Self {
            line: Line::new(settings)?,
            base_url: settings.base_url.clone(),
            name: settings.name.clone(),
            longest_body: settings.dialect.knobs.longest_body,
            retry: settings.retry,
            credentials: Credentials::new(settings)?,
            pacing: Pacing::new(&settings.name, &settings.dialect.rates, settings.retry.longest_pause),
            health: Health::new(&settings.name, settings.retry.max),
            looking: tokio::sync::Mutex::new(()),
            proven: AtomicBool::new(false),
        })
    }

    /// An answer of any status but 401, 429, 503, redirects and, for what cannot be repeated, server errors.
    /// A create is sent again only where it certainly was not done. Any error but `AnswerLost` means that the
    /// request was not done by any of its tries. A body that is too long for the target is answered with 413 unsent.
    pub(super) async fn send(&self, request: &Request) -> Result<Answer, TargetError> {
        let sending = self.sending(request);
        if let Some(answer) = self.too_long(&sending) {
            return Ok(answer);
        }
        let mut doubt = None;
        let outcome = self.attempt(sending, &mut doubt).await;
        match (outcome, doubt) {
            (Err(error), Some(why)) if !request.only_asks() && !matches!(error, TargetError::AnswerLost(_)) => {
                Err(TargetError::AnswerLost(format!("{why}; then: {error}")))
            }
            // Nor does an answer that says nothing of what is there.
            (Ok(answer), Some(why)) if !request.only_asks() && matches!(answer.status, 300..=399 | 423 | 425) => {
                Err(TargetError::AnswerLost(format!("{why}; then status {}", answer.status)))
            }
            // Some providers show nothing of users who are switched off: this may be what the first try did.
            (Ok(answer), Some(why)) if request.changes_a_user() && matches!(answer.status, 404 | 410) => {
                Err(TargetError::AnswerLost(format!("{why}; then status {}", answer.status)))
            }
            (outcome, _) => outcome,
        }
    }

    fn sending<'a>(&self, request: &'a Request) -> Sending<'a> {
        let address = url::joined(&self.base_url, &request.path, &request.query);
        Sending { request, address, body: request.body.as_ref().map(serde_json::Value::to_string) }
    }

    /// A bulk request has a limit of its own, and was cut to it.
    fn too_long(&self, sending: &Sending<'_>) -> Option<Answer> {
        let limit = self.longest_body.filter(|_| sending.request.path != "/Bulk")?;
        let octets = sending.body.as_ref().map(String::len).filter(|octets| *octets > limit)?;
        let detail = format!("not sent: it has {octets} octets, and the target takes {limit}");
        Some(Answer {
            status: 413,
            location: None,
            etag: None,
            body: serde_json::json!({ "detail": detail }).to_string().into_bytes(),
        })
    }

    /// An error if the target is at fault as a whole, and not a few requests that it stumbled over one after the other.
    /// A request that gets a turn is the only one for now: whether it goes well tells whether others may follow.
    async fn fit(&self) -> Result<Option<MutexGuard<'_, ()>>, TargetError> {
        if let Some(fit) = self.is_fit() {
            return fit.map(|()| None);
        }
        let turn = self.looking.lock().await;
        if let Some(fit) = self.is_fit() {
            return fit.map(|()| None);
        }
        if !self.answers().await? {
            return Err(self.health.blame());
        }
        if self.health.excuse() {
            return Ok(None);
        }
        if self.health.has_rested() { Ok(Some(turn)) } else { Err(self.health.blame()) }
    }

    /// Nothing if only a look can tell.
    fn is_fit(&self) -> Option<Result<(), TargetError>> {
        match self.health.standing() {
            Standing::Fit => Some(Ok(())),
            Standing::Resting(error) => Some(Err(error)),
            Standing::Doubtful => None,
        }
    }

    /// True if the target answers a harmless question.
    async fn answers(&self) -> Result<bool, TargetError> {
        let question = Request::harmless();
        let (outcome, _) = self.tried(&self.sending(&question), 0).await?;
        Ok(matches!(outcome, Try::Answer(answer) if answer.is_success()))
    }

    /// One try, when its turn has come.
    async fn tried(&self, sending: &Sending<'_>, failed: u32) -> Result<(Try, Proof), TargetError> {
        // A token that has to be fetched is fetched now, so that nothing is late when its turn comes.
        self.credentials.token().await?;
        let permit = self.pacing.permit(sending.request.kind()).await?;
        let proof = self.credentials.token().await?;
        let tried = self.line.exchange(sending.request, &sending.address, sending.body.as_deref(), &proof).await;
        let Tried { outcome, used_up } = tried;
        match &outcome {
            Try::Busy { wait, .. } => permit.overloaded(wait.unwrap_or_else(|| backoff(&self.retry, failed + 1))),
            Try::Answer(answer) if answer.is_success() => self.pacing.answered(),
            _ => {}
        }
        if let Some(wait) = used_up {
            self.pacing.used_up(wait);
        }
        Ok((outcome, proof))
    }

    /// Tries until there is an answer. `doubt` says why an earlier try may have been done.
    async fn attempt(&self, mut sending: Sending<'_>, doubt: &mut Option<String>) -> Result<Answer, TargetError> {
        let _trial = self.fit().await?;
        let request = sending.request;
        let mut renewed = false;
        let mut followed = false;
        let mut failed = 0;
        loop {
            let (outcome, proof) = self.tried(&sending, failed).await?;
            let last = failed + 1 >= self.retry.tries;
            match outcome {
                Try::Answer(answer) if answer.status == 403 => {
                    let everything = match self.health.forbidden() {
                        Forbidden::This => false,
                        Forbidden::Doubtful => !self.answers().await?,
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
                Try::Redirected(answer) => match self.same_place(&sending.address, &answer) {
                    Some(address) if !followed => {
                        followed = true;
                        sending.address = address;
                        continue;
                    }
                    // Where SCIM was spoken before, it is this request that somebody on the way does not like.
                    _ if self.proven.load(Ordering::Relaxed) => return Ok(answer),
                    _ => return Err(TargetError::Protocol(redirected(answer.status, answer.location.as_deref()))),
                },
                Try::TooLarge if request.only_asks() => return Err(TargetError::Protocol(TOO_LARGE.to_owned())),
                Try::TooLarge => return Err(TargetError::AnswerLost(TOO_LARGE.to_owned())),
                Try::Refused => {
                    self.credentials.refuse(&proof).await?;
                    if renewed {
                        return Err(TargetError::Unauthorized(
                            "it refused the credentials and those that replaced them".to_owned(),
                        ));
                    }
                    renewed = true;
                    continue;
                }
                Try::Locked { answer, wait } => {
                    let wait = wait.unwrap_or_else(|| backoff(&self.retry, failed + 1));
                    self.health.answered();
                    // The rest of the cycle is not kept waiting for one resource: the next cycle comes back to it.
                    if last || wait > self.retry.max {
                        return Ok(answer);
                    }
                    tokio::time::sleep(wait).await;
                }
                Try::Busy { status, .. } => {
                    if last {
                        self.health.failed();
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
                    if last || !request.is_repeatable() {
                        // A read that the server cannot answer says nothing about others: its value may be odd.
                        if !request.only_asks() || answer.is_none() {
                            self.health.failed();
                        }
                        return lost(request, why, answer);
                    }
                    doubt.get_or_insert(why);
                    tokio::time::sleep(backoff(&self.retry, failed + 1)).await;
                }
            }
            failed += 1;
        }
    }

    /// Where a redirect leads that keeps method and body (RFC 9110 §15.4.8, §15.4.9), if that is the same server and the
    /// same thing: one host serves many tenants, and an edit of one resource must not become that of another.
    fn same_place(&self, from: &str, answer: &Answer) -> Option<String> {
        let location = answer.location.as_deref().filter(|_| matches!(answer.status, 307 | 308))?;
        let to = ::url::Url::parse(from).ok()?.join(location).ok()?;
        let bare = to.username().is_empty() && to.password().is_none();
        let from = ::url::Url::parse(from).ok()?;
        let base = self.base_url.path().trim_end_matches('/');
        let what = from.path().strip_prefix(base)?.trim_end_matches('/');
        let below = to.path().strip_prefix(base).filter(|rest| rest.starts_with('/'))?;
        let same = below.trim_end_matches('/').ends_with(what) && from.query() == to.query();
        (bare && same && to.origin().is_tuple() && to.origin() == self.base_url.origin()).then(|| to.into())
    }
}

/// A write whose answer is lost may have been done. A read that the server cannot answer says nothing about
/// other reads, but one that is not answered at all does.
fn lost(request: &Request, why: String, answer: Option<Answer>) -> Result<Answer, TargetError> {
    match answer {
        // What the server stumbles over may be one of the members.
        Some(answer) if request.changes_a_group() => Ok(answer),
        _ if !request.only_asks() => Err(TargetError::AnswerLost(why)),
        Some(answer) => Ok(answer),
        None => Err(TargetError::Unavailable(why)),
    }
}

fn redirected(status: u16, location: Option<&str>) -> String {
    let host = location.and_then(|text| ::url::Url::parse(text).ok()).and_then(|url| url.host_str().map(str::to_owned));
    let place = host.map_or_else(|| "another address".to_owned(), |host| cut(&host));
    format!("it redirects ({status}) to {place}; redirects are not followed, put the final address into base_url")
}
