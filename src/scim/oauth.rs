//! Tokens by OAuth 2.0 client credentials (RFC 6749 §4.4): kept until shortly before their end, asked for by one at a
//! time, and not asked for again with a secret that was refused.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{ACCEPT, AUTHORIZATION};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value as Json;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::answer::cut;
use super::assertion::{Claims, Signer};
use super::credentials::{Fingerprint, Proof};
use super::exchange::said;
use super::waiting::{asked, backoff};
use super::{ClientProof, OAuth, Retry, Settings, client};
use crate::cycle::TargetError;
use crate::secret::Secret;

/// A token is renewed so long before its end that requests on their way do not meet it, or a tenth of its life
/// before if that is shorter.
const MARGIN: Duration = Duration::from_secs(60);
/// The life of a token of which it is not said (RFC 6749 §5.1 leaves that open): what most have. One that ends
/// earlier is answered with 401 and renewed then.
const USUAL_LIFE: Duration = Duration::from_secs(3600);
/// No longer life is believed.
const LONGEST_LIFE: Duration = Duration::from_secs(24 * 3600);
/// Tokens that are refused as soon as they are issued are not asked for again within this time: schedules have
/// minutes, so that each cycle may try once.
const QUIET: Duration = Duration::from_secs(60);
/// No answer of a token endpoint is longer.
const LARGEST_ANSWER: usize = 256 * 1024;
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The tokens of one target.
pub(super) struct Tokens {
    oauth: OAuth,
    client: reqwest::Client,
    retry: Retry,
    state: Mutex<State>,
    /// How often the endpoint was asked to its end.
    rounds: AtomicU64,
}

#[derive(Default)]
struct State {
    token: Option<Issued>,
    /// How the last round ended, if it did not bring a token.
    failure: Option<TargetError>,
    refused: Option<Refused>,
}

struct Issued {
    proof: Proof,
    renew_at: Instant,
    ends_at: Instant,
    /// Its predecessor was refused then.
    instead_since: Option<Instant>,
}

/// With this secret nobody is asked, for a while or for ever.
struct Refused {
    secret: Fingerprint,
    until: Option<Instant>,
    why: String,
}

/// Why there is no token.
enum Fault {
    /// The endpoint does not know the client or does not believe it.
    Client(String),
    /// Anything else.
    Other(TargetError),
}

/// What became of one try.
enum Try {
    Token {
        proof: Proof,
        life: Duration,
    },
    Fault(Fault),
    /// It may go better soon.
    Again {
        why: String,
        wait: Option<Duration>,
    },
}

impl Tokens {
    /// A client of its own: the token endpoint is another host, with the same rules.
    pub(super) fn new(oauth: &OAuth, settings: &Settings) -> Result<Self, TargetError> {
        client::permitted(&oauth.token_url, "the token URL", settings)?;
        Ok(Self {
            oauth: oauth.clone(),
            client: client::client(settings, &oauth.token_url)?,
            retry: settings.retry,
            state: Mutex::default(),
            rounds: AtomicU64::new(0),
        })
    }

    /// A token that is not about to end. Who comes while one is asked for waits, and hears how it ended.
    pub(super) async fn proof(&self) -> Result<Proof, TargetError> {
        let seen = self.rounds.load(Ordering::Acquire);
        let mut state = self.state.lock().await;
        let now = Instant::now();
        if let Some(token) = state.token.as_ref().filter(|token| now < token.renew_at) {
            return Ok(token.proof.clone());
        }
        let renewed = self.renewed(&mut state, seen, None).await;
        match (renewed, &mut state.token) {
            (Err(error), Some(old)) if now < old.ends_at => {
                // It still holds: the next try is made halfway to its end.
                old.renew_at = now + (old.ends_at - now) / 2;
                tracing::warn!("no new token, the one before is used on: {error}");
                Ok(old.proof.clone())
            }
            (renewed, _) => renewed,
        }
    }

    /// The target answered 401: one more token, once.
    pub(super) async fn refuse(&self, sent: &Proof) -> Result<(), TargetError> {
        let seen = self.rounds.load(Ordering::Acquire);
        let mut state = self.state.lock().await;
        let now = Instant::now();
        let Some(token) = state.token.take_if(|token| token.proof.is(sent)) else {
            // Somebody else was refused with it before, and there is another, or there is none.
            let another = state.token.as_ref().map(|_| Ok(()));
            return match another {
                Some(another) => another,
                None => self.renewed(&mut state, seen, Some(now)).await.map(|_| ()),
            };
        };
        if token.instead_since.is_some_and(|since| now < since + QUIET) {
            return Err(self.give_up(&mut state, now));
        }
        if self.renewed(&mut state, seen, Some(now)).await?.is(sent) {
            state.token = None;
            return Err(self.give_up(&mut state, now));
        }
        Ok(())
    }

    /// Tokens do not help.
    fn give_up(&self, state: &mut State, now: Instant) -> TargetError {
        let why = format!("it refused a token that {} had just issued", self.host());
        let fingerprint = self.oauth.proof.secret().read().map(|secret| Secret::fingerprint(&secret)).unwrap_or_default();
        state.refused = Some(Refused { secret: fingerprint, until: Some(now + QUIET), why: why.clone() });
        TargetError::Unauthorized(why)
    }

    async fn renewed(&self, state: &mut State, seen: u64, instead_since: Option<Instant>) -> Result<Proof, TargetError> {
        let asked_meanwhile = self.rounds.load(Ordering::Acquire) != seen;
        if let Some(failure) = state.failure.as_ref().filter(|_| asked_meanwhile) {
            return Err(failure.clone());
        }
        let secret = self.oauth.proof.secret().read().map_err(TargetError::Secret)?;
        let fingerprint = Secret::fingerprint(&secret);
        if let Some(refused) = &state.refused
            && refused.secret == fingerprint
            && refused.until.is_none_or(|until| Instant::now() < until)
        {
            return Err(TargetError::Unauthorized(refused.why.clone()));
        }
        state.refused = None;
        let asked_at = Instant::now();
        let outcome = self.ask(&secret).await;
        self.rounds.fetch_add(1, Ordering::Release);
        let error = match outcome {
            Ok((proof, life)) => {
                let ends_at = asked_at + life;
                let renew_at = ends_at - MARGIN.min(life / 10);
                state.failure = None;
                state.token = Some(Issued { proof: proof.clone(), renew_at, ends_at, instead_since });
                return Ok(proof);
            }
            Err(Fault::Other(error)) => error,
            Err(Fault::Client(why)) => {
                let place = self.oauth.proof.secret();
                let why = format!("{why}; {place} is not used again until it changes");
                state.refused = Some(Refused { secret: fingerprint, until: None, why: why.clone() });
                TargetError::Unauthorized(why)
            }
        };
        state.failure = Some(error.clone());
        Err(error)
    }

    /// Asks until there is a token or an answer that says that there will be none.
    async fn ask(&self, secret: &SecretString) -> Result<(Proof, Duration), Fault> {
        let mut failed = 0;
        loop {
            let started = Instant::now();
            let outcome = self.exchange(secret).await;
            tracing::debug!(
                host = self.host(),
                issued = matches!(outcome, Try::Token { .. }),
                milliseconds = started.elapsed().as_millis(),
                "token request"
            );
            failed += 1;
            match outcome {
                Try::Token { proof, life } => return Ok((proof, life)),
                Try::Fault(fault) => return Err(fault),
                Try::Again { why, wait } => {
                    let wait = wait.unwrap_or_else(|| backoff(&self.retry, failed));
                    // Whoever waits for a token is not held up longer than by our own pauses.
                    if failed >= self.retry.tries || wait > self.retry.max {
                        return Err(Fault::Other(TargetError::Unavailable(format!("no token from {}: {why}", self.host()))));
                    }
                    tokio::time::sleep(wait).await;
                }
            }
        }
    }

    async fn exchange(&self, secret: &SecretString) -> Try {
        let mut form = vec![("grant_type", "client_credentials".to_owned())];
        let more = [("scope", &self.oauth.scope), ("audience", &self.oauth.audience), ("resource", &self.oauth.resource)];
        form.extend(more.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))));
        let mut request = self.client.post(self.oauth.token_url.clone()).header(ACCEPT, "application/json");
        match &self.oauth.proof {
            ClientProof::Basic(_) => {
                let Some(proof) = Proof::new(AUTHORIZATION, &format!("Basic {}", self.login(secret)).into()) else {
                    return fault(TargetError::Secret("the client secret cannot be sent".to_owned()));
                };
                request = request.headers(proof.headers());
            }
            ClientProof::Post(_) => {
                form.push(("client_id", self.oauth.client_id.clone()));
                form.push(("client_secret", secret.expose_secret().to_owned()));
            }
            ClientProof::PrivateKey { key, key_id, audience } => {
                let claims = Claims {
                    client_id: &self.oauth.client_id,
                    audience: audience.as_deref().unwrap_or(self.oauth.token_url.as_str()),
                    key_id: key_id.as_deref(),
                    now: jiff::Timestamp::now().as_second(),
                };
                match Signer::read(secret).and_then(|signer| signer.assertion(&claims)) {
                    Ok(assertion) => form.push(("client_assertion", assertion)),
                    Err(why) => return fault(TargetError::Secret(format!("{key} {why}"))),
                }
                form.push(("client_id", self.oauth.client_id.clone()));
                form.push(("client_assertion_type", ASSERTION_TYPE.to_owned()));
            }
        }
        let body = ::url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&form).finish();
        let request = request.header(reqwest::header::CONTENT_TYPE, "application/x-www-form-urlencoded").body(body);
        match request.send().await {
            Ok(response) => self.judged(response, &form, secret).await,
            Err(error) => Try::Again { why: said(&error), wait: None },
        }
    }

    /// What an answer means (RFC 6749 §5).
    async fn judged(&self, mut response: reqwest::Response, form: &[(&str, String)], secret: &SecretString) -> Try {
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let mut body = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if body.len() + chunk.len() > LARGEST_ANSWER => {
                    return self.nonsense("answered with more than a token");
                }
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) => break,
                Err(error) => return Try::Again { why: said(&error), wait: None },
            }
        }
        let json: Json = serde_json::from_slice(&body).unwrap_or_default();
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        match status {
            200 | 201 => match issued(&json) {
                Ok((proof, life)) => Try::Token { proof, life },
                Err(why) => self.nonsense(why),
            },
            408 | 425 | 429 | 500..=599 => {
                Try::Again { why: format!("it answered {status}"), wait: asked(header, SystemTime::now()) }
            }
            300..=399 => self.nonsense("redirects, and redirects are not followed; put the final address into token_url"),
            _ => {
                let error = json.get("error").and_then(Json::as_str).unwrap_or_default();
                let words = [error, json.get("error_description").and_then(Json::as_str).unwrap_or_default()];
                let words: Vec<&str> = words.into_iter().filter(|words| !words.is_empty()).collect();
                let mut words = words.join(": ");
                // Some repeat what they were sent.
                let sent = form.iter().filter(|(name, _)| matches!(*name, "client_secret" | "client_assertion"));
                let mut told: Vec<String> = sent.map(|(_, value)| value.clone()).collect();
                told.extend([secret.expose_secret().to_owned(), encoded(secret.expose_secret()), self.login(secret)]);
                for told in told {
                    words = words.replace(&told, "…");
                }
                let colon = if words.is_empty() { "" } else { ": " };
                let why = format!("{} gives no token ({status}){colon}{}", self.host(), cut(&words));
                Try::Fault(if error == "invalid_client" || (status == 401 && error.is_empty()) {
                    Fault::Client(why)
                } else {
                    Fault::Other(TargetError::Unauthorized(why))
                })
            }
        }
    }

    fn nonsense(&self, why: &str) -> Try {
        fault(TargetError::Protocol(format!("the token endpoint {} {why}", self.host())))
    }

    /// Both are written as in a form before they are joined (RFC 6749 §2.3.1).
    fn login(&self, secret: &SecretString) -> String {
        STANDARD.encode(format!("{}:{}", encoded(&self.oauth.client_id), encoded(secret.expose_secret())))
    }

    fn host(&self) -> &str {
        self.oauth.token_url.host_str().unwrap_or_default()
    }
}

fn fault(error: TargetError) -> Try {
    Try::Fault(Fault::Other(error))
}

fn encoded(text: &str) -> String {
    ::url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// The token of an answer and its life.
fn issued(json: &Json) -> Result<(Proof, Duration), &'static str> {
    let token = json.get("access_token").and_then(Json::as_str).filter(|token| !token.is_empty());
    let token: SecretString = token.ok_or("answered without an access_token")?.into();
    if json.get("token_type").and_then(Json::as_str).is_some_and(|word| !word.eq_ignore_ascii_case("bearer")) {
        return Err("issues tokens of another type than Bearer");
    }
    let proof = Proof::bearer(&token).ok_or("issued a token with characters that no header may have")?;
    Ok((proof, life(json.get("expires_in"))))
}

/// Seconds, as a number or as text; anything else is as if it was not said.
fn life(said: Option<&Json>) -> Duration {
    let seconds = match said {
        Some(Json::Number(number)) => number.as_f64(),
        Some(Json::String(text)) => text.trim().parse().ok(),
        Some(Json::Null | Json::Bool(_) | Json::Array(_) | Json::Object(_)) | None => None,
    };
    let seconds = seconds.filter(|seconds: &f64| *seconds >= 1.0);
    seconds.map_or(USUAL_LIFE, |seconds| Duration::from_secs_f64(seconds.min(LONGEST_LIFE.as_secs_f64())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_life_that_is_missing_or_odd_is_the_usual_one() {
        for (text, expected) in [
            ("300", 300),
            ("\"300\"", 300),
            ("299.5", 299),
            ("1e300", 24 * 3600),
            ("null", 3600),
            ("0", 3600),
            ("-5", 3600),
            ("\"soon\"", 3600),
            ("\"NaN\"", 3600),
            ("[]", 3600),
        ] {
            assert_eq!(life(Some(&serde_json::from_str(text).unwrap())).as_secs(), expected, "{text}");
        }
        assert_eq!(life(None), USUAL_LIFE);
    }
}
