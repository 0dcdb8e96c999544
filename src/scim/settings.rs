//! What must be known of a target to speak with it.

use std::path::PathBuf;
use std::time::Duration;

use jiff::civil::Date;

use super::{Auth, Dialect, Proxy};
use crate::certificate::{ClientCertificate, Reminders};
use crate::secret::Secret;

/// One target.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Its name in the configuration.
    pub name: String,
    /// Where `/Users` and `/Groups` hang. The path is kept, however it ends.
    pub base_url: url::Url,
    /// Credentials.
    pub auth: Auth,
    /// The last day on which those work, if that is known.
    pub expires_on: Option<Date>,
    /// What connections show of us.
    pub client_certificate: Option<ClientCertificate>,
    /// Which way requests go.
    pub proxy: Proxy,
    /// Certificates to trust instead of the system's, PEM.
    pub ca_file: Option<PathBuf>,
    /// Allows `http://` to other hosts than loopback.
    pub allow_cleartext: bool,
    /// How this provider wants it said, and how often.
    pub dialect: Dialect,
    /// Time to a connection, TLS included.
    pub connect_timeout: Duration,
    /// Time from the first byte of a request to the last of its answer.
    pub request_timeout: Duration,
    /// What happens when the target does not answer as it should.
    pub retry: Retry,
}

impl Settings {
    /// A target with everything as its dialect has it.
    pub fn new(name: &str, base_url: url::Url, auth: Auth, dialect: Dialect) -> Self {
        Self {
            name: name.to_owned(),
            base_url,
            auth,
            expires_on: None,
            client_certificate: None,
            proxy: Proxy::Environment,
            ca_file: None,
            allow_cleartext: false,
            retry: Retry { tries: dialect.tries, longest_pause: dialect.longest_pause, ..Retry::default() },
            dialect,
            connect_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(60),
        }
    }
}

impl Settings {
    /// What is said of the credentials as they are now, before they end.
    pub fn reminders(&self) -> Reminders {
        let mut reminders = Reminders::of(format!("the target {}", self.name));
        if let Some(on) = self.expires_on {
            reminders = reminders.with_secret(on);
        }
        if let Some(certificate) = &self.client_certificate {
            reminders = reminders.with_certificate(certificate);
        }
        reminders
    }

    /// A digest of all that a target is made of, with what its files hold now: equal digests, equal targets. Secrets that
    /// are read at each use count by their place. `None` if a file cannot be read.
    pub fn digest(&self) -> Option<[u8; 32]> {
        let mut hasher = blake3::Hasher::new();
        let mut add = |part: &[u8]| {
            hasher.update(&part.len().to_le_bytes());
            hasher.update(part);
        };
        // Everything but the secrets that stand in the configuration itself: those do not print themselves.
        add(format!("{self:?}").as_bytes());
        if let Some(secret @ Secret::Inline(_)) = self.auth.secret() {
            add(&Secret::fingerprint(&secret.read().ok()?));
        }
        if let Some(path) = &self.ca_file {
            add(&std::fs::read(path).ok()?);
        }
        if let Some(certificate) = &self.client_certificate {
            add(&std::fs::read(&certificate.certificate).ok()?);
            add(&Secret::fingerprint(&certificate.key.read().ok()?));
        }
        if let Proxy::Through(proxy) = &self.proxy
            && let Some((_, password)) = &proxy.login
        {
            add(&Secret::fingerprint(&password.read().ok()?));
        }
        Some(*hasher.finalize().as_bytes())
    }
}

/// How often and how long we wait. The waits have full jitter: each is drawn between zero and its bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// Requests sent for one change at most.
    pub tries: u32,
    /// Bound of the first wait; it doubles with each.
    pub base: Duration,
    /// Bound of every wait.
    pub max: Duration,
    /// The longest pause asked for (Retry-After) that is sat out. A longer one ends the cycle instead.
    pub longest_pause: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            tries: 5,
            base: Duration::from_millis(500),
            max: Duration::from_secs(60),
            longest_pause: Duration::from_secs(15 * 60),
        }
    }
}
