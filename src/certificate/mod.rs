//! The certificate by which a connection proves who we are, to a directory as to a target: where it lies, whether it can
//! be used, and what is said before it ends.

mod der;

mod identity;

mod expiry;

pub use der::Elements;
pub use expiry::{Notice, Reminders, Stage};
pub use identity::{CertificateFault, ClientCertificate, Identity};
