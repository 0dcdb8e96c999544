//! The HTTP client: TLS 1.2 or newer over rustls, no redirects, time limits, and no secrets in the clear.

use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls_platform_verifier::BuilderVerifierExt;

use super::Settings;
use crate::cycle::TargetError;

/// An idle connection is closed by us before load balancers, at 60 s by default, drop it in silence.
const IDLE: Duration = Duration::from_secs(45);

/// Builds the client. Errors are of the settings and say which.
pub(super) fn client(settings: &Settings) -> Result<reqwest::Client, TargetError> {
    let url = &settings.base_url;
    let local = is_loopback(url);
    match url.scheme() {
        "https" => {}
        "http" if local || settings.allow_cleartext => {}
        "http" => return refuse("the base URL is not encrypted; use https://, or set allow_cleartext: true"),
        _ => return refuse("the base URL is neither https:// nor http://"),
    }
    if url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() || url.password().is_some() {
        return refuse("the base URL may hold a host, a port and a path, and nothing else");
    }
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("ldap2scim/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(settings.connect_timeout)
        .timeout(settings.request_timeout)
        .pool_idle_timeout(IDLE)
        .tcp_keepalive(Duration::from_secs(30))
        .tls_backend_preconfigured(tls(settings)?);
    if local {
        builder = builder.no_proxy();
    }
    builder.build().map_err(|error| TargetError::Unavailable(format!("the HTTP client cannot be built: {error}")))
}

fn refuse<T>(why: &str) -> Result<T, TargetError> {
    Err(TargetError::Unavailable(why.to_owned()))
}

fn is_loopback(url: &url::Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        None => false,
    }
}

fn tls(settings: &Settings) -> Result<rustls::ClientConfig, TargetError> {
    let failed = |error: rustls::Error| TargetError::Unavailable(format!("TLS cannot be set up: {error}"));
    let builder = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(failed)?;
    let mut config = match &settings.ca_file {
        None => builder.with_platform_verifier().map_err(failed)?.with_no_client_auth(),
        Some(path) => {
            let bad = |what: String| TargetError::Unavailable(format!("ca_file {}: {what}", path.display()));
            let pem = std::fs::read(path).map_err(|error| bad(error.to_string()))?;
            let mut roots = rustls::RootCertStore::empty();
            for certificate in CertificateDer::pem_slice_iter(&pem) {
                let certificate = certificate.map_err(|error| bad(error.to_string()))?;
                roots.add(certificate).map_err(|error| bad(error.to_string()))?;
            }
            if roots.is_empty() {
                return Err(bad("it holds no certificate".to_owned()));
            }
            builder.with_root_certificates(roots).with_no_client_auth()
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}
