//! A section under `targets`.

use std::time::Duration;

use crate::model::TargetName;
use crate::scim;

use super::auth::auth;
use super::connection::{ca_file, clear_text, is_loopback, timeouts, url};
use super::dialect::dialect;
use super::keys::did_you_mean;
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
    let auth_field = section.optional("auth");
    let auth = match auth_field.clone() {
        None => Some(scim::Auth::None),
        Some(field) => field.section().and_then(auth),
    };
    let ca_file = ca_file(&section);
    let allow_cleartext = section.optional("allow_cleartext").and_then(|field| flag(&field)).unwrap_or(false);
    let dialect = preset.map(|preset| rate(&section, dialect(&section, preset)));
    let [connect_timeout, request_timeout] = timeouts(&section, "request", [CONNECT, REQUEST]);
    let key = section.field.clone();
    section.finish();
    let base_url = base_url?;
    if let Some(field) = url_field
        && base_url.scheme() == "http"
        && !is_loopback(&base_url)
    {
        clear_text(&field, allow_cleartext, "everything, the token included,", "https://");
    }
    if auth_field.is_none() && !is_loopback(&base_url) {
        key.reader.warning(key.finding_at_key("no auth: requests go out without credentials"));
    }
    let auth = auth?;
    let settings = scim::Settings {
        ca_file,
        allow_cleartext,
        connect_timeout,
        request_timeout,
        ..scim::Settings::new(name, base_url, auth, dialect?)
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
