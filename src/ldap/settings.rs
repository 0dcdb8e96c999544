//! What the source is configured with.

use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use crate::model::Vendor;
use crate::secret::Secret;

/// Everything needed to read one directory.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The source's name in the configuration, for logs.
    pub name: String,
    /// Servers, tried in order: `ldap://` or `ldaps://`, port 389 or 636 if none is given.
    pub urls: Vec<Url>,
    /// What kind of directory it is; `None` asks the root DSE.
    pub vendor: Option<Vendor>,
    /// Switch an `ldap://` connection to TLS before anything else is said (RFC 4511 §4.14).
    pub start_tls: bool,
    /// Authorities to trust (PEM), instead of those of the system.
    pub ca_file: Option<PathBuf>,
    /// Who we are there.
    pub bind: Bind,
    /// Accept that the password crosses the network in clear text.
    pub allow_cleartext: bool,
    /// Entries in a page.
    pub page_size: u32,
    /// Longest wait for each of: resolving a name, one address, StartTLS, the TLS handshake.
    pub connect_timeout: Duration,
    /// Longest wait for each reply of the server.
    pub operation_timeout: Duration,
}

/// Who we are to the directory.
#[derive(Debug, Clone)]
pub enum Bind {
    /// Nobody.
    Anonymous,
    /// A DN (Active Directory: also a user principal name) and its password.
    Simple {
        /// Who.
        dn: String,
        /// Where the password is.
        password: Secret,
    },
}

impl Settings {
    /// Settings with everything at its default: TLS by the scheme alone, pages of 500, 10 s to connect,
    /// 60 s for a reply.
    pub fn new(name: &str, urls: Vec<Url>, bind: Bind) -> Self {
        Self {
            name: name.to_owned(),
            urls,
            vendor: None,
            start_tls: false,
            ca_file: None,
            bind,
            allow_cleartext: false,
            page_size: 500,
            connect_timeout: Duration::from_secs(10),
            operation_timeout: Duration::from_secs(60),
        }
    }

    /// Whose password it is, for messages.
    pub(super) fn bind_name(&self) -> &str {
        match &self.bind {
            Bind::Anonymous => "anonymous",
            Bind::Simple { dn, .. } => dn,
        }
    }
}
