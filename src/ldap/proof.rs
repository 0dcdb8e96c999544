//! What proves to a server who we are, read from where it lies for each connection: what is replaced there is used by the
//! next one.

use secrecy::SecretString;

use crate::certificate::Identity;
use crate::cycle::SourceError;
use crate::secret::Secret;

use super::settings::Bind;

/// What is shown to a server.
pub enum Proof {
    /// Nothing.
    Nothing,
    /// A password.
    Password(SecretString),
    /// A client certificate with its key.
    Certificate(Identity),
    /// A Kerberos ticket, which the system's library keeps.
    Ticket,
}

impl Proof {
    /// Reads it.
    pub fn read(bind: &Bind) -> Result<Self, SourceError> {
        match bind {
            Bind::Anonymous => Ok(Self::Nothing),
            Bind::Simple { password, .. } => password.read().map(Self::Password).map_err(SourceError::Secret),
            Bind::Gssapi { .. } => Ok(Self::Ticket),
            Bind::External(certificate) => {
                let read = certificate.read().map_err(|fault| SourceError::Secret(fault.message().to_owned()))?;
                Ok(Self::Certificate(read))
            }
        }
    }

    /// A digest to notice a change by; `None` where there is nothing that could change.
    pub fn fingerprint(&self) -> Option<[u8; 32]> {
        match self {
            Self::Nothing | Self::Ticket => None,
            Self::Password(password) => Some(Secret::fingerprint(password)),
            Self::Certificate(identity) => Some(identity.fingerprint()),
        }
    }

    /// True if it must not cross the network in clear text.
    pub fn is_secret(&self) -> bool {
        match self {
            Self::Password(_) => true,
            Self::Nothing | Self::Certificate(_) | Self::Ticket => false,
        }
    }

    /// What cannot be shown on a connection that is not encrypted, if this is such.
    pub fn needs_tls(&self) -> Option<&'static str> {
        match self {
            Self::Nothing | Self::Password(_) => None,
            Self::Certificate(_) => Some("a client certificate"),
            Self::Ticket => Some("a Kerberos ticket"),
        }
    }

    /// The certificate, if that is what is shown.
    pub fn identity(&self) -> Option<&Identity> {
        match self {
            Self::Certificate(identity) => Some(identity),
            Self::Nothing | Self::Password(_) | Self::Ticket => None,
        }
    }
}
