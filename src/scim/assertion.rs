//! The signed statement by which a client proves who it is without showing a secret (RFC 7523 §2.2).

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls::SignatureScheme;
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use rustls::sign::SigningKey;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::der::fixed_width;

/// How long an assertion holds, in seconds: a token endpoint takes it at once, and clocks differ by minutes at most.
const LIFE: i64 = 300;
/// Octets of an assertion's name: none is ever used twice.
const NAME: usize = 16;

/// A private key that signs.
pub(super) struct Signer {
    key: Arc<dyn SigningKey>,
    algorithm: &'static Algorithm,
}

/// A way to sign.
struct Algorithm {
    /// `alg` (RFC 7518 §3.1).
    name: &'static str,
    scheme: SignatureScheme,
    /// Octets of each of the two numbers of a signature over an elliptic curve.
    width: Option<usize>,
}

const ALGORITHMS: &[Algorithm] = &[
    Algorithm { name: "RS256", scheme: SignatureScheme::RSA_PKCS1_SHA256, width: None },
    Algorithm { name: "ES256", scheme: SignatureScheme::ECDSA_NISTP256_SHA256, width: Some(32) },
    Algorithm { name: "ES384", scheme: SignatureScheme::ECDSA_NISTP384_SHA384, width: Some(48) },
];

/// What an assertion says.
pub(super) struct Claims<'a> {
    /// Issuer and subject in one.
    pub(super) client_id: &'a str,
    /// For whom it is.
    pub(super) audience: &'a str,
    /// `kid`.
    pub(super) key_id: Option<&'a str>,
    /// Seconds since 1970.
    pub(super) now: i64,
}

impl Signer {
    /// A key in PEM form: PKCS #8, PKCS #1 or SEC 1. The error holds nothing of it.
    pub(super) fn read(pem: &SecretString) -> Result<Self, &'static str> {
        let der = PrivateKeyDer::from_pem_slice(pem.expose_secret().as_bytes())
            .map_err(|_| "holds no private key in PEM form that is not encrypted")?;
        let key = ring::sign::any_supported_type(&der).map_err(|_| "holds a private key that cannot be used")?;
        let fits = |algorithm: &&Algorithm| key.choose_scheme(&[algorithm.scheme]).is_some();
        let algorithm = ALGORITHMS.iter().find(fits).ok_or("holds a key that is neither RSA nor EC over P-256 or P-384")?;
        Ok(Self { key, algorithm })
    }

    /// A new assertion.
    pub(super) fn assertion(&self, claims: &Claims<'_>) -> Result<String, &'static str> {
        const FAILED: &str = "could not sign";
        let mut name = [0; NAME];
        ring::default_provider().secure_random.fill(&mut name).map_err(|_| "found no randomness")?;
        let mut header = json!({ "alg": self.algorithm.name, "typ": "JWT" });
        if let (Some(key_id), Some(header)) = (claims.key_id, header.as_object_mut()) {
            header.insert("kid".to_owned(), key_id.into());
        }
        let body = json!({
            "iss": claims.client_id,
            "sub": claims.client_id,
            "aud": claims.audience,
            "iat": claims.now,
            "exp": claims.now + LIFE,
            "jti": URL_SAFE_NO_PAD.encode(name),
        });
        let part = |json: serde_json::Value| URL_SAFE_NO_PAD.encode(json.to_string());
        let signed = format!("{}.{}", part(header), part(body));
        let signer = self.key.choose_scheme(&[self.algorithm.scheme]).ok_or(FAILED)?;
        let mut signature = signer.sign(signed.as_bytes()).map_err(|_| FAILED)?;
        if let Some(width) = self.algorithm.width {
            signature = fixed_width(&signature, width).ok_or(FAILED)?;
        }
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}
