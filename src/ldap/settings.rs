//! What the source is configured with.

use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use crate::certificate::{ClientCertificate, Reminders};
use crate::model::Vendor;
use crate::secret::Secret;

/// Octets of the largest entry that is read by default: a group of 1,000,000 members of 120 octets each, as one message.
pub const LARGEST_ENTRY: usize = 128 * 1024 * 1024;

/// True if this program can bind by Kerberos ticket.
pub const GSSAPI: bool = cfg!(feature = "gssapi");

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
    /// Find the groups nested in those that decide scope by Active Directory's own matching rule, instead of walking.
    pub in_chain: bool,
    /// How long a connection is kept open that nobody uses.
    pub idle_timeout: Duration,
    /// Octets of the largest entry that is read; a larger one is left out and told of.
    pub largest_entry: usize,
    /// How changes are told.
    pub tracking: Tracking,
}

/// How a source tells what changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tracking {
    /// In the best way that the server offers and the account may use.
    Auto,
    /// Not at all: everything is read each time.
    Full,
    /// By update sequence numbers (MS-ADTS §3.1.1.1.9).
    Usn,
    /// By the DirSync control (MS-ADTS §3.1.1.3.4.1.3).
    DirSync,
    /// By content synchronization (RFC 4533).
    Syncrepl,
    /// By modifyTimestamp.
    Timestamp,
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
    /// Whomever the server takes the holder of this client certificate for (SASL EXTERNAL, RFC 4513 §5.2.3). The files
    /// are read for each connection.
    External(ClientCertificate),
    /// A Kerberos principal (SASL GSSAPI, RFC 4752), whose ticket or keytab the process has.
    Gssapi {
        /// Who: `sync@EXAMPLE.COM`.
        principal: String,
    },
}

/// Where a server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// Name or address, without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
    /// True for `ldaps://`.
    pub ldaps: bool,
}

/// Checks that a URL names a directory server and nothing more. The error does not repeat the URL, which may
/// hold a password.
pub fn check_url(url: &Url) -> Result<(), String> {
    place(url).map(|_| ())
}

/// The server that a URL names.
pub(super) fn place(url: &Url) -> Result<Place, String> {
    let (port, ldaps) = match url.scheme() {
        "ldaps" => (636, true),
        "ldap" => (389, false),
        _ => return Err("a directory's URL begins with ldaps:// or ldap://".to_owned()),
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err("a directory's URL holds no user and no password; they belong under bind".to_owned());
    }
    if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
        return Err("a directory's URL ends after the port; the base DN belongs to the channel".to_owned());
    }
    match url.host_str().unwrap_or_default().trim_matches(['[', ']']) {
        "" => Err("the URL names no host".to_owned()),
        host => Ok(Place { host: host.to_owned(), port: url.port().unwrap_or(port), ldaps }),
    }
}

impl Settings {
    /// Settings with everything at its default: TLS by the scheme alone, pages of 500, 10 s to connect,
    /// 60 s for a reply, 60 s of rest.
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
            in_chain: false,
            idle_timeout: Duration::from_secs(60),
            largest_entry: LARGEST_ENTRY,
            tracking: Tracking::Auto,
        }
    }

    /// Whose password it is, for messages.
    pub(super) fn bind_name(&self) -> &str {
        match &self.bind {
            Bind::Anonymous => "anonymous",
            Bind::Simple { dn, .. } => dn,
            Bind::External(_) => "the holder of the client certificate",
            Bind::Gssapi { principal } => principal,
        }
    }

    /// What is said of the client certificate before it ends.
    pub fn reminders(&self) -> Reminders {
        let reminders = Reminders::of(format!("the source {}", self.name));
        match &self.bind {
            Bind::External(certificate) => reminders.with_fresh_certificate(certificate),
            Bind::Anonymous | Bind::Simple { .. } | Bind::Gssapi { .. } => reminders,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_a_server_and_nothing_more() {
        let check = |text: &str| place(&text.parse().unwrap());
        let good = |host: &str, port, ldaps| Ok(Place { host: host.to_owned(), port, ldaps });
        assert_eq!(check("ldaps://dc1.example.com"), good("dc1.example.com", 636, true));
        assert_eq!(check("ldap://10.0.0.1/"), good("10.0.0.1", 389, false));
        assert_eq!(check("ldap://[::1]:3890"), good("::1", 3890, false));
        for bad in ["http://x", "ldap://", "ldap:///", "ldap://cn=a:secret@x", "ldap://x/dc=y", "ldap://x?cn", "ldap://x/#a"] {
            let error = check(bad).unwrap_err();
            assert!(!error.contains("secret"), "{bad}: {error}");
        }
    }
}
