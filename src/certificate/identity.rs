//! The client certificate and its key, read and held against each other.

use std::path::PathBuf;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use secrecy::ExposeSecret;

use crate::secret::Secret;

use super::der::not_after;

/// The certificate by which a connection proves who we are (mutual TLS).
#[derive(Debug, Clone)]
pub struct ClientCertificate {
    /// The certificate and those above it, PEM.
    pub certificate: PathBuf,
    /// Its key, PEM.
    pub key: Secret,
}

/// What is wrong with a client certificate, and with which of its two parts. The words name the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CertificateFault {
    /// The certificate.
    Certificate(String),
    /// Its key.
    Key(String),
}

impl CertificateFault {
    /// The words.
    pub fn message(&self) -> &str {
        match self {
            Self::Certificate(message) | Self::Key(message) => message,
        }
    }
}

/// What a connection shows.
pub struct Identity {
    /// The certificate, then those above it.
    pub chain: Vec<CertificateDer<'static>>,
    /// The key of the first.
    pub key: PrivateKeyDer<'static>,
}

impl Identity {
    /// A digest to notice a change by.
    pub fn fingerprint(&self) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new();
        for certificate in &self.chain {
            hasher.update(blake3::hash(certificate).as_bytes());
        }
        hasher.update(self.key.secret_der());
        *hasher.finalize().as_bytes()
    }
}

impl ClientCertificate {
    /// Nothing, if the two can be read and belong together.
    pub fn fault(&self) -> Option<CertificateFault> {
        self.read().err()
    }

    /// When the certificate ends, if it can be read.
    pub fn ends_at(&self) -> Option<jiff::Timestamp> {
        self.chain().ok()?.first().and_then(|certificate| not_after(certificate))
    }

    /// Both, held against each other.
    pub fn read(&self) -> Result<Identity, CertificateFault> {
        let chain = self.chain().map_err(CertificateFault::Certificate)?;
        let secret = self.key.read().map_err(CertificateFault::Key)?;
        let key = PrivateKeyDer::from_pem_slice(secret.expose_secret().as_bytes())
            .map_err(|_| CertificateFault::Key(format!("{} holds no private key in PEM form that is not encrypted", self.key)))?;
        match CertifiedKey::from_der(chain.clone(), key.clone_key(), &ring::default_provider()) {
            Ok(_) => Ok(Identity { chain, key }),
            Err(rustls::Error::InconsistentKeys(_)) => Err(CertificateFault::Key(format!(
                "{} is not the key of the certificate {}",
                self.key,
                self.certificate.display()
            ))),
            Err(rustls::Error::InvalidCertificate(_)) => {
                Err(CertificateFault::Certificate(format!("{} is no certificate that can be used", self.certificate.display())))
            }
            Err(_) => Err(CertificateFault::Key(format!("{} holds a private key that cannot be used", self.key))),
        }
    }

    fn chain(&self) -> Result<Vec<CertificateDer<'static>>, String> {
        let bad = |what: &dyn std::fmt::Display| format!("{}: {what}", self.certificate.display());
        let pem = std::fs::read(&self.certificate).map_err(|error| bad(&error))?;
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
        match chain {
            Ok(chain) if !chain.is_empty() => Ok(chain),
            Ok(_) | Err(_) => Err(bad(&"it holds no certificate in PEM form")),
        }
    }
}
