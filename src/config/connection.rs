//! What sources and targets have in common: URLs, clear text, CA files, timeouts.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use super::keys::did_you_mean;
use super::reader::{Field, Section};
use super::values::{duration, text};

/// A URL with one of these schemes, a host and no password in it.
pub(super) fn url(field: &Field<'_>, schemes: &[&str]) -> Option<Url> {
    let url = url_with_query(field, schemes)?;
    if url.query().is_some() {
        field.wrong("the URL must not hold a ? or #");
        return None;
    }
    Some(url)
}

/// The same, perhaps with a query.
pub(super) fn url_with_query(field: &Field<'_>, schemes: &[&str]) -> Option<Url> {
    let written = text(field)?;
    let wrong = |message: String, hint: Option<String>| {
        field.reader.problem(field.finding(message).hint(hint));
        None
    };
    let all = schemes.iter().map(|scheme| format!("{scheme}://")).collect::<Vec<_>>().join(" or ");
    let url = match Url::parse(written) {
        Ok(url) => url,
        Err(url::ParseError::RelativeUrlWithoutBase) => return wrong(format!("not a URL: it must begin with {all}"), None),
        Err(error) => return wrong(format!("not a URL: {error}"), None),
    };
    if !schemes.contains(&url.scheme()) {
        let hint = did_you_mean(url.scheme(), schemes.iter().copied());
        return wrong(format!("the URL must begin with {all}"), hint);
    }
    if url.host_str().is_none_or(str::is_empty) {
        return wrong("the URL names no host".to_owned(), None);
    }
    if !url.username().is_empty() || url.password().is_some() {
        field.reader.problem(field.finding("the URL must not hold a user name or password").bare());
        return None;
    }
    if url.fragment().is_some() {
        return wrong("the URL must not hold a ? or #".to_owned(), None);
    }
    Some(url)
}

/// True if what is sent to this host stays on this machine.
pub(super) fn is_loopback(url: &Url) -> bool {
    // Hosts of ldap:// URLs are not parsed as addresses by the url crate.
    let host = url.host_str().unwrap_or_default();
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Refuses what would travel in clear text to another machine, or warns of it where it is allowed.
pub(super) fn clear_text(url: &Field<'_>, allowed: bool, what: &str, instead: &str) {
    if allowed {
        url.reader.warning(url.finding(format!("{what} travels in clear text")).hint(Some(format!("use {instead}"))));
    } else {
        let hint = format!("use {instead}, or allow_cleartext: true if you must");
        url.reader.problem(url.finding(format!("{what} would travel in clear text")).hint(Some(hint)));
    }
}

/// A readable file of certificates in PEM form.
pub(super) fn ca_file(section: &Section<'_>) -> Option<PathBuf> {
    let field = section.optional("ca_file")?;
    let path = field.reader.resolved(text(&field)?);
    match std::fs::read(&path) {
        Err(error) => field.wrong(format!("{}: {error}", path.display())),
        Ok(octets) if !octets.windows(PEM.len()).any(|window| window == PEM) => {
            field.wrong(format!("{} holds no certificate in PEM form", path.display()));
        }
        Ok(_) => return Some(path),
    }
    None
}

const PEM: &[u8] = b"-----BEGIN CERTIFICATE-----";

/// `timeouts: { connect: …, … }` with the defaults given.
pub(super) fn timeouts<const N: usize>(section: &Section<'_>, defaults: [(&'static str, Duration); N]) -> [Duration; N] {
    const LEAST: Duration = Duration::from_millis(100);
    const MOST: Duration = Duration::from_secs(3600);
    let Some(timeouts) = section.optional("timeouts").and_then(Field::section) else {
        return defaults.map(|(_, default)| default);
    };
    let read = |(key, default)| timeouts.optional(key).and_then(|field| duration(&field, LEAST, MOST)).unwrap_or(default);
    let result = defaults.map(read);
    timeouts.finish();
    result
}
