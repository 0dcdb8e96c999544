//! A client certificate, by which the connection to a target or to a directory proves who we are.

use crate::certificate::{CertificateFault, ClientCertificate};

use super::reader::{Secrets, Section};
use super::secret::secret_file;
use super::values::text;

/// Reads the certificate and its key, and holds them against each other.
pub(super) fn client_certificate(section: Section<'_>) -> Option<ClientCertificate> {
    let certificate_field = section.required("certificate");
    let key_field = section.required("key");
    section.finish_discreetly();
    let certificate = certificate_field.as_ref().and_then(|field| text(field).map(|path| field.reader.resolved(path)));
    let key = key_field.as_ref().and_then(secret_file);
    let read = ClientCertificate { certificate: certificate?, key: key? };
    let (certificate_field, key_field) = (certificate_field?, key_field?);
    if key_field.reader.secrets == Secrets::Unneeded {
        return Some(read);
    }
    match read.fault() {
        None => return Some(read),
        Some(CertificateFault::Certificate(why)) => certificate_field.reader.problem(certificate_field.finding(why).bare()),
        Some(CertificateFault::Key(why)) => key_field.reader.problem(key_field.finding(why).bare()),
    }
    None
}
