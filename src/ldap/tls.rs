//! TLS towards the directory: rustls with the ring provider, a CA file or the system's roots, perhaps a client
//! certificate.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::certificate::Identity;

/// What to trust, and what to show if the server asks. The CA file is read anew for each connection, so that a renewed one
/// is noticed.
pub fn client_config(ca_file: Option<&Path>, identity: Option<&Identity>) -> Result<Arc<ClientConfig>, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("TLS cannot be set up: {error}"))?;
    let builder = match ca_file {
        Some(path) => builder.with_root_certificates(roots(path)?),
        None => builder
            .with_platform_verifier()
            .map_err(|error| format!("the system's certificate authorities cannot be used: {error}"))?,
    };
    let config = match identity {
        None => Ok(builder.with_no_client_auth()),
        Some(identity) => builder.with_client_auth_cert(identity.chain.clone(), identity.key.clone_key()),
    };
    config.map(Arc::new).map_err(|error| format!("the client certificate cannot be used: {error}"))
}

fn roots(path: &Path) -> Result<RootCertStore, String> {
    let unusable = |error: &dyn std::fmt::Display| format!("the CA file {} cannot be used: {error}", path.display());
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| unusable(&error))? {
        let certificate = certificate.map_err(|error| unusable(&error))?;
        roots.add(certificate).map_err(|error| unusable(&error))?;
    }
    if roots.is_empty() { Err(unusable(&"it holds no certificate")) } else { Ok(roots) }
}

/// Shakes hands; the server's certificate must be for `host`.
pub async fn shake_hands(
    stream: TcpStream,
    host: &str,
    config: Arc<ClientConfig>,
    limit: Duration,
) -> Result<TlsStream<TcpStream>, String> {
    let name = ServerName::try_from(host.to_owned()).map_err(|_| format!("{host} is no name that a certificate can be for"))?;
    tokio::time::timeout(limit, TlsConnector::from(config).connect(name, stream))
        .await
        .map_err(|_| format!("no TLS handshake within {} s", limit.as_secs()))?
        .map_err(|error| format!("TLS failed: {error}"))
}
