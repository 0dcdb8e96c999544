//! The way to the target: straight, or through an HTTP proxy.

use secrecy::ExposeSecret;

use super::client::is_loopback;
use crate::cycle::TargetError;
use crate::secret::Secret;

/// Which way requests go.
#[derive(Debug, Clone, Default)]
pub enum Proxy {
    /// As the environment says: `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY`; to this machine straight.
    #[default]
    Environment,
    /// Straight, whatever the environment says.
    None,
    /// Through this one.
    Through(Box<ProxyAddress>),
}

/// A proxy.
#[derive(Debug, Clone)]
pub struct ProxyAddress {
    /// `http://` or `https://`, without a password in it.
    pub url: url::Url,
    /// Who asks it: user and password.
    pub login: Option<(String, Secret)>,
    /// Hosts that are reached straight, as in `NO_PROXY`.
    pub no_proxy: Vec<String>,
}

impl Proxy {
    /// True if even what is meant for this machine leaves it.
    pub fn leads_away(&self) -> bool {
        matches!(self, Self::Through(proxy) if !is_loopback(&proxy.url))
    }

    /// The client with this way.
    pub(super) fn applied(
        &self,
        builder: reqwest::ClientBuilder,
        destination: &url::Url,
    ) -> Result<reqwest::ClientBuilder, TargetError> {
        Ok(match self {
            Self::None => builder.no_proxy(),
            Self::Environment if is_loopback(destination) => builder.no_proxy(),
            Self::Environment => builder,
            Self::Through(proxy) => builder.proxy(proxy.built()?),
        })
    }
}

impl ProxyAddress {
    /// True if its password would travel in the clear.
    pub(super) fn tells_its_password(&self) -> bool {
        self.login.is_some() && self.url.scheme() == "http" && !is_loopback(&self.url)
    }

    fn built(&self) -> Result<reqwest::Proxy, TargetError> {
        let unusable = |_| TargetError::Unavailable("the proxy's URL cannot be used".to_owned());
        let mut proxy = reqwest::Proxy::all(self.url.clone()).map_err(unusable)?;
        if let Some((user, password)) = &self.login {
            let password = password.read().map_err(TargetError::Secret)?;
            proxy = proxy.basic_auth(user, password.expose_secret());
        }
        Ok(proxy.no_proxy(reqwest::NoProxy::from_string(&self.no_proxy.join(","))))
    }
}
