//! A section under `targets`.

use std::time::Duration;

use crate::model::TargetName;
use crate::scim;

use super::connection::{ca_file, clear_text, is_loopback, timeouts, url};
use super::keys::did_you_mean;
use super::reader::{Field, Section};
use super::secret::secret;
use super::values::{flag, number, text, whole};

const CONNECT: Duration = Duration::from_secs(10);
const REQUEST: Duration = Duration::from_secs(60);
/// What is taken where no preset is named.
const PRESET: &str = "generic";

/// Reads one target.
pub(super) fn target(name: &str, field: Field<'_>) -> Option<(TargetName, scim::Settings)> {
    let section = field.section()?;
    let dialect = match section.optional("preset") {
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
    let rate = rate(&section, dialect.as_ref());
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
    let (rate, auth) = (rate?, auth?);
    let settings = scim::Settings {
        ca_file,
        allow_cleartext,
        rate,
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
        let names = scim::preset_names();
        let finding = field.finding(format!("must be one of {}", names.join(", ")));
        field.reader.problem(finding.hint(did_you_mean(written, names.iter().copied())));
    }
    dialect
}

fn auth(section: Section<'_>) -> Option<scim::Auth> {
    let bearer = section.required("bearer").and_then(|field| secret(&field));
    section.finish_discreetly();
    bearer.map(scim::Auth::Bearer)
}

/// The rate as written; what is left out is the preset's.
fn rate(section: &Section<'_>, dialect: Option<&scim::Dialect>) -> Option<scim::Rate> {
    let written = section.optional("rate").and_then(Field::section).map(|rate| {
        let per_second = rate.optional("per_second").and_then(|field| number(&field, 0.01, 10_000.0));
        let burst = rate.optional("burst").and_then(|field| whole(&field, 1, 10_000)).and_then(|burst| u32::try_from(burst).ok());
        rate.finish();
        (per_second, burst)
    });
    let (per_second, burst) = written.unwrap_or_default();
    let default = &dialect?.rate;
    Some(scim::Rate { per_second: per_second.unwrap_or(default.per_second), burst: burst.unwrap_or(default.burst) })
}
