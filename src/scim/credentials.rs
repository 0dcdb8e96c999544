//! What goes into each request to prove who we are. A secret is read when it is needed, again when its file changes
//! or it is refused, and is not sent again once it was refused until it changes.

use std::sync::{Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};

use super::oauth::Tokens;
use super::{Auth, Settings};
use crate::cycle::TargetError;
use crate::secret::{Secret, Stamp};

/// Digest of what was sent.
pub(super) type Fingerprint = [u8; 32];

/// The credentials of one target.
pub(super) struct Credentials(Kind);

enum Kind {
    /// Nothing in the request; perhaps a certificate below it.
    None,
    /// A secret that is sent as it is.
    Kept(Box<Kept>),
    /// Tokens that somebody issues.
    Issued(Box<Tokens>),
}

/// What goes into one request. It has no Debug form.
#[derive(Clone, Default)]
pub(super) struct Proof {
    headers: HeaderMap,
    fingerprint: Fingerprint,
}

impl Proof {
    /// One header with a secret in it, marked as sensitive; `None` if it holds what no header may hold.
    pub(super) fn new(name: HeaderName, value: &SecretString) -> Option<Self> {
        let mut header = HeaderValue::from_str(value.expose_secret()).ok()?;
        header.set_sensitive(true);
        Some(Self { headers: HeaderMap::from_iter([(name, header)]), fingerprint: Secret::fingerprint(value) })
    }

    /// `Authorization: Bearer`.
    pub(super) fn bearer(token: &SecretString) -> Option<Self> {
        Self::new(AUTHORIZATION, &format!("Bearer {}", token.expose_secret()).into())
    }

    /// The headers to add.
    pub(super) fn headers(&self) -> HeaderMap {
        self.headers.clone()
    }

    /// Takes what was sent out of an answer: some repeat a request in their errors, and these are shown and kept.
    pub(super) fn hide(&self, body: &mut Vec<u8>) {
        for value in self.headers.values() {
            let value = value.as_bytes();
            let secret = value.iter().position(|octet| *octet == b' ').and_then(|end| value.get(end + 1..)).unwrap_or(value);
            if secret.is_empty() || secret.len() > body.len() {
                continue;
            }
            let mut start = 0;
            while let Some(found) =
                body.get(start..).and_then(|rest| rest.windows(secret.len()).position(|window| window == secret))
            {
                body.splice(start + found..start + found + secret.len(), *b"***");
                start += found + 3;
            }
        }
    }

    /// True if the other says the same.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.fingerprint == other.fingerprint
    }
}

impl Credentials {
    /// Nothing is read or asked for yet.
    pub(super) fn new(settings: &Settings) -> Result<Self, TargetError> {
        Ok(Self(match &settings.auth {
            Auth::None => Kind::None,
            Auth::Bearer(_) | Auth::Basic { .. } | Auth::Header { .. } => Kind::Kept(Box::new(Kept::new(settings.auth.clone()))),
            Auth::OAuth(oauth) => Kind::Issued(Box::new(Tokens::new(oauth, settings)?)),
        }))
    }

    /// What to send. `Unauthorized`, without asking anybody, as long as it would be what was refused.
    pub(super) async fn token(&self) -> Result<Proof, TargetError> {
        match &self.0 {
            Kind::None => Ok(Proof::default()),
            Kind::Kept(kept) => kept.proof(),
            Kind::Issued(tokens) => tokens.proof().await,
        }
    }

    /// The target answered 401. `Ok` if there is something else to try now.
    pub(super) async fn refuse(&self, sent: &Proof) -> Result<(), TargetError> {
        match &self.0 {
            Kind::None => Err(TargetError::Unauthorized("it wants credentials and none are configured".to_owned())),
            Kind::Kept(kept) => kept.refuse(sent),
            Kind::Issued(tokens) => tokens.refuse(sent).await,
        }
    }
}

/// A secret that is sent as it is.
struct Kept {
    auth: Auth,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    proof: Option<Proof>,
    /// What the file looked like before it was read.
    stamp: Option<Stamp>,
    refused: Option<Fingerprint>,
}

impl Kept {
    fn new(auth: Auth) -> Self {
        Self { auth, state: Mutex::default() }
    }

    fn proof(&self) -> Result<Proof, TargetError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        // Looked at before the secret is read, so that a change in between is seen next time.
        let stamp = self.secret().and_then(Secret::stamp);
        match (&state.proof, state.refused) {
            (Some(proof), None) if state.stamp == stamp => return Ok(proof.clone()),
            (Some(proof), None) => {
                let proof = match self.read() {
                    Ok(new) => new,
                    // A file that is just being written; the secret we have works until it is refused.
                    Err(error) => {
                        tracing::warn!("{error}; the one that was read before is used on");
                        proof.clone()
                    }
                };
                (state.proof, state.stamp) = (Some(proof.clone()), stamp);
                return Ok(proof);
            }
            (_, _) => {}
        }
        let proof = self.read()?;
        if state.refused == Some(proof.fingerprint) {
            return Err(self.refused());
        }
        *state = State { proof: Some(proof.clone()), stamp, refused: None };
        Ok(proof)
    }

    fn refuse(&self, sent: &Proof) -> Result<(), TargetError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.refused.is_none() && state.proof.as_ref().is_some_and(|proof| !proof.is(sent)) {
            return Ok(());
        }
        // Whatever becomes of reading it, what was sent is not sent again.
        state.refused = Some(sent.fingerprint);
        let stamp = self.secret().and_then(Secret::stamp);
        let proof = self.read()?;
        if proof.is(sent) {
            return Err(self.refused());
        }
        *state = State { proof: Some(proof), stamp, refused: None };
        Ok(())
    }

    fn secret(&self) -> Option<&Secret> {
        match &self.auth {
            Auth::Bearer(secret) | Auth::Basic { password: secret, .. } | Auth::Header { value: secret, .. } => Some(secret),
            Auth::None | Auth::OAuth(_) => None,
        }
    }

    fn read(&self) -> Result<Proof, TargetError> {
        let Some(secret) = self.secret() else { return Ok(Proof::default()) };
        let read: SecretString = secret.read().map_err(TargetError::Secret)?;
        let proof = match &self.auth {
            Auth::Basic { user, .. } => {
                let login = STANDARD.encode(format!("{user}:{}", read.expose_secret()));
                Proof::new(AUTHORIZATION, &format!("Basic {login}").into())
            }
            Auth::Header { name, .. } => HeaderName::from_bytes(name.as_bytes()).ok().and_then(|name| Proof::new(name, &read)),
            Auth::None | Auth::Bearer(_) | Auth::OAuth(_) => Proof::bearer(&read),
        };
        proof.ok_or_else(|| TargetError::Secret(format!("{secret} holds characters that no header may have")))
    }

    fn refused(&self) -> TargetError {
        let what = match &self.auth {
            Auth::Basic { .. } => "the user name or the password",
            Auth::Header { .. } => "the value",
            Auth::None | Auth::Bearer(_) | Auth::OAuth(_) => "the token",
        };
        let place = self.secret().map(|secret| format!(" in {secret}")).unwrap_or_default();
        TargetError::Unauthorized(format!("{what}{place} does not work; it is not sent again until it changes"))
    }
}
