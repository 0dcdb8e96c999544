//! How we prove to a target who we are: the kinds of credentials, as they are configured.

use secrecy::SecretString;

use super::assertion::Signer;
use crate::secret::Secret;

/// The one kind of credentials that requests carry. A client certificate may stand beside it.
#[derive(Debug, Clone)]
pub enum Auth {
    /// Nothing.
    None,
    /// `Authorization: Bearer`.
    Bearer(Secret),
    /// `Authorization: Basic` (RFC 7617).
    Basic {
        /// User name; holds no colon.
        user: String,
        /// Password.
        password: Secret,
    },
    /// A header of the provider's own.
    Header {
        /// One that `header_fault` has nothing against.
        name: String,
        /// Its value.
        value: Secret,
    },
    /// OAuth 2.0 client credentials (RFC 6749 §4.4).
    OAuth(Box<OAuth>),
}

impl Auth {
    /// What has to be kept secret, if there is anything.
    pub(super) fn secret(&self) -> Option<&Secret> {
        match self {
            Self::None => None,
            Self::Bearer(secret) | Self::Basic { password: secret, .. } | Self::Header { value: secret, .. } => Some(secret),
            Self::OAuth(oauth) => Some(oauth.proof.secret()),
        }
    }
}

/// Where tokens come from, and who asks for them.
#[derive(Debug, Clone)]
pub struct OAuth {
    /// The token endpoint.
    pub token_url: url::Url,
    /// Who asks.
    pub client_id: String,
    /// How it is proven.
    pub proof: ClientProof,
    /// `scope`, words with blanks between.
    pub scope: Option<String>,
    /// `audience`, which some authorization servers want.
    pub audience: Option<String>,
    /// `resource` (RFC 8707).
    pub resource: Option<String>,
}

/// How the client proves to the token endpoint who it is.
#[derive(Debug, Clone)]
pub enum ClientProof {
    /// `client_secret_basic`: in the header `Authorization`.
    Basic(Secret),
    /// `client_secret_post`: in the form.
    Post(Secret),
    /// `private_key_jwt` (RFC 7523): by a signed assertion.
    PrivateKey {
        /// The key, PEM.
        key: Secret,
        /// `kid` of the assertion.
        key_id: Option<String>,
        /// `aud` of the assertion; the token endpoint's URL if left out.
        audience: Option<String>,
    },
}

impl ClientProof {
    /// What has to be kept secret.
    pub(super) fn secret(&self) -> &Secret {
        match self {
            Self::Basic(secret) | Self::Post(secret) => secret,
            Self::PrivateKey { key, .. } => key,
        }
    }
}

/// What is wrong with the name of a header for credentials, if anything is.
pub fn header_fault(name: &str) -> Option<&'static str> {
    /// Headers that make a request what it is.
    const OURS: &[&str] = &[
        "accept",
        "accept-encoding",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "expect",
        "host",
        "keep-alive",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
    ];
    if reqwest::header::HeaderName::from_bytes(name.as_bytes()).is_err() {
        return Some("is no name of an HTTP header");
    }
    OURS.iter().any(|ours| name.eq_ignore_ascii_case(ours)).then_some("is a header that requests need for something else")
}

/// What is wrong with a private key for `private_key_jwt`, without a word of it.
pub fn key_fault(pem: &SecretString) -> Option<&'static str> {
    Signer::read(pem).err()
}
