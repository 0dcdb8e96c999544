//! A section under `targets`.

use std::time::Duration;

use crate::model::TargetName;
use crate::scim;

use super::auth::{ClearText, Written, auth};
use super::client_certificate::client_certificate;
use super::connection::{ca_file, is_loopback, timeouts, url};
use super::dialect::dialect;
use super::keys::did_you_mean;
use super::proxy::proxy;
use super::rate::rate;
use super::reader::Field;
use super::values::{flag, text};

const CONNECT: Duration = Duration::from_secs(10);
const REQUEST: Duration = Duration::from_secs(60);
/// What is taken where no preset is named.
const PRESET: &str = "generic";

/// Reads one target.
pub(super) fn target(name: &str, field: Field<'_>) -> Option<(TargetName, scim::Settings)> {
    let section = field.section()?;
    let preset = match section.optional("preset") {
        None => scim::preset(PRESET),
        Some(field) => preset(&field),
    };
    let url_field = section.required("base_url");
    let base_url = url_field.as_ref().and_then(|field| url(field, &["https", "http"]));
    let allow_cleartext = section.optional("allow_cleartext").and_then(|field| flag(&field)).unwrap_or(false);
    let proxy = proxy(&section, allow_cleartext);
    let leaves = proxy.as_ref().is_some_and(scim::Proxy::leads_away);
    let clear = ClearText { allowed: allow_cleartext, leaves };
    let auth_field = section.optional("auth");
    let written = match auth_field.clone() {
        None => Some(Written { auth: scim::Auth::None, expires_on: None }),
        Some(field) => field.section().and_then(|section| auth(section, clear)),
    };
    let certificate_is_written = section.optional("client_certificate").is_some();
    let client_certificate = section.optional("client_certificate").and_then(Field::section).and_then(client_certificate);
    let ca_file = ca_file(&section);
    // Without a preset that is known, what is written is judged all the same.
    let is_known = preset.is_some();
    let dialect = rate(&section, dialect(&section, preset.unwrap_or_default()));
    let [connect_timeout, request_timeout] = timeouts(&section, [("connect", CONNECT), ("request", REQUEST)]);
    let key = section.field.clone();
    section.finish();
    let base_url = base_url?;
    if let Some(field) = url_field {
        clear.judge(&field, &base_url, "everything, the token included,");
    }
    if auth_field.is_none() && !certificate_is_written && !is_loopback(&base_url) {
        key.reader.warning(key.finding_at_key("no auth: requests go out without credentials"));
    }
    let Written { auth, expires_on } = written.filter(|_| is_known)?;
    let settings = scim::Settings {
        expires_on,
        client_certificate,
        proxy: proxy?,
        ca_file,
        allow_cleartext,
        connect_timeout,
        request_timeout,
        ..scim::Settings::new(name, base_url, auth, dialect)
    };
    Some((TargetName::new(name), settings))
}

fn preset(field: &Field<'_>) -> Option<scim::Dialect> {
    let written = text(field)?;
    let dialect = scim::preset(written);
    if dialect.is_none() {
        let names: Vec<&str> = scim::preset_names().collect();
        let finding = field.finding(format!("must be one of {}", names.join(", ")));
        field.reader.problem(finding.hint(did_you_mean(written, names.iter().copied())));
    }
    dialect
}
