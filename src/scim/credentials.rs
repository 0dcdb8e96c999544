//! The bearer token: read once, read again when it is refused, and not sent again once it was refused twice over.

use std::sync::{Mutex, PoisonError};

use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};

use super::Auth;
use crate::cycle::TargetError;
use crate::secret::Secret;

/// Digest of a token.
type Fingerprint = [u8; 32];

/// The credentials of one target.
pub(super) struct Credentials {
    auth: Auth,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    token: Option<Token>,
    refused: Option<Fingerprint>,
}

/// What goes into one request.
#[derive(Clone)]
pub(super) struct Token {
    /// The value of `Authorization`, marked as sensitive.
    pub(super) header: HeaderValue,
    fingerprint: Fingerprint,
}

impl Credentials {
    pub(super) fn new(auth: Auth) -> Self {
        Self { auth, state: Mutex::new(State::default()) }
    }

    /// The token to send. `Unauthorized`, without asking the target, as long as the secret is the one it refused.
    pub(super) fn token(&self) -> Result<Option<Token>, TargetError> {
        let Auth::Bearer(secret) = &self.auth else { return Ok(None) };
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Some(token), None) = (&state.token, state.refused) {
            return Ok(Some(token.clone()));
        }
        let token = read(secret)?;
        if state.refused == Some(token.fingerprint) {
            return Err(refused(secret));
        }
        *state = State { token: Some(token.clone()), refused: None };
        Ok(Some(token))
    }

    /// The target answered 401. `Ok` if there is another token to try now.
    pub(super) fn refuse(&self, sent: Option<&Token>) -> Result<(), TargetError> {
        let (Auth::Bearer(secret), Some(sent)) = (&self.auth, sent) else {
            return Err(TargetError::Unauthorized("it wants credentials and none are configured".to_owned()));
        };
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let token = read(secret)?;
        if token.fingerprint == sent.fingerprint {
            state.refused = Some(token.fingerprint);
            return Err(refused(secret));
        }
        *state = State { token: Some(token), refused: None };
        Ok(())
    }
}

fn refused(secret: &Secret) -> TargetError {
    TargetError::Unauthorized(format!("the token in {secret} does not work; it is not sent again until it changes"))
}

fn read(secret: &Secret) -> Result<Token, TargetError> {
    let token: SecretString = secret.read().map_err(TargetError::Secret)?;
    let mut header = HeaderValue::from_str(&format!("Bearer {}", token.expose_secret()))
        .map_err(|_| TargetError::Secret(format!("{secret} holds characters that no token may have")))?;
    header.set_sensitive(true);
    Ok(Token { header, fingerprint: Secret::fingerprint(&token) })
}
