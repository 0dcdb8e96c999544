//! The HTTP client: TLS 1.2 or newer over rustls, no redirects, time limits, and no secrets in the clear.

use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls_platform_verifier::BuilderVerifierExt;

use super::{Proxy, Settings};
use crate::cycle::TargetError;

/// An idle connection is closed by us before load balancers, at 60 s by default, drop it in silence.
const IDLE: Duration = Duration::from_secs(45);

/// Builds the client for one destination. Errors are of the settings and say which.
pub(super) fn client(settings: &Settings, destination: &url::Url) -> Result<reqwest::Client, TargetError> {
    let builder = reqwest::Client::builder()
        .user_agent(concat!("ldap2scim/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(settings.connect_timeout)
        .timeout(settings.request_timeout)
        .pool_idle_timeout(IDLE)
        .tcp_keepalive(Duration::from_secs(30))
        .tls_backend_preconfigured(tls(settings)?);
    let builder = settings.proxy.applied(builder, destination)?;
    builder.build().map_err(|error| TargetError::Unavailable(format!("the HTTP client cannot be built: {error}")))
}

/// The client for the base URL.
pub(super) fn client_of_target(settings: &Settings) -> Result<reqwest::Client, TargetError> {
    let url = &settings.base_url;
    permitted(url, "the base URL", settings)?;
    if url.query().is_some() || url.fragment().is_some() {
        return refuse("the base URL may hold a host, a port and a path, and nothing else");
    }
    client(settings, url)
}

/// Refuses a destination to which credentials would travel in the clear, or that holds some itself.
pub(super) fn permitted(url: &url::Url, what: &str, settings: &Settings) -> Result<(), TargetError> {
    let stays_here = is_loopback(url) && !settings.proxy.leads_away();
    match url.scheme() {
        "https" => {}
        "http" if stays_here || settings.allow_cleartext => {}
        "http" => return refuse(&format!("{what} is not encrypted; use https://, or set allow_cleartext: true")),
        _ => return refuse(&format!("{what} is neither https:// nor http://")),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return refuse(&format!("{what} may not hold a user name or a password"));
    }
    match &settings.proxy {
        Proxy::Through(proxy) if proxy.tells_its_password() && !settings.allow_cleartext => {
            refuse("the proxy's password would travel in clear text; use https://, or set allow_cleartext: true")
        }
        Proxy::Environment | Proxy::None | Proxy::Through(_) => Ok(()),
    }
}

fn refuse<T>(why: &str) -> Result<T, TargetError> {
    Err(TargetError::Unavailable(why.to_owned()))
}

pub(super) fn is_loopback(url: &url::Url) -> bool {
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
    let builder = match &settings.ca_file {
        None => builder.with_platform_verifier().map_err(failed)?,
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
            builder.with_root_certificates(roots)
        }
    };
    let mut config = match &settings.client_certificate {
        None => builder.with_no_client_auth(),
        Some(certificate) => {
            let identity = certificate.read().map_err(|fault| TargetError::Secret(fault.message().to_owned()))?;
            builder.with_client_auth_cert(identity.chain, identity.key).map_err(failed)?
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}
