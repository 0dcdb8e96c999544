//! `proxy` of a target: which way requests go.

use crate::scim;

use super::auth::user;
use super::connection::{clear_text, is_loopback, url};
use super::reader::{Field, Section};
use super::secret::secret;
use super::tree::Kind;
use super::values::{each, text};

/// Reads the way; left out, the environment says it.
pub(super) fn proxy(section: &Section<'_>, clear_text_allowed: bool) -> Option<scim::Proxy> {
    let Some(field) = section.optional("proxy") else { return Some(scim::Proxy::Environment) };
    let address = match &field.node.kind {
        Kind::Text(word) if word == "none" => return Some(scim::Proxy::None),
        Kind::Text(_) => scim::ProxyAddress { url: address(&field)?, login: None, no_proxy: Vec::new() },
        Kind::Map(_) => through(field.section()?, clear_text_allowed)?,
        Kind::Nothing | Kind::Flag(_) | Kind::Whole(_) | Kind::Fraction(_) | Kind::List(_) => {
            return field.unfit("text: a URL or none, or a map of keys");
        }
    };
    Some(scim::Proxy::Through(Box::new(address)))
}

fn address(field: &Field<'_>) -> Option<url::Url> {
    url(field, &["http", "https"])
}

fn through(section: Section<'_>, clear_text_allowed: bool) -> Option<scim::ProxyAddress> {
    let url_field = section.required("url");
    let url = url_field.as_ref().and_then(address);
    let user = section.optional("user").map(|field| user(&field));
    let password_field = section.optional("password");
    let password = password_field.as_ref().map(secret);
    let no_proxy = section.optional("no_proxy").map(|field| each(&field, host));
    let whole = section.field.clone();
    section.finish_discreetly();
    if user.is_some() != password.is_some() {
        whole.reader.problem(whole.finding("user and password go together").bare());
    }
    let url = url?;
    if let (Some(field), Some(_)) = (url_field, password_field)
        && url.scheme() == "http"
        && !is_loopback(&url)
    {
        clear_text(&field, clear_text_allowed, "the proxy's password", "https://");
    }
    let login = match (user, password) {
        (Some(user), Some(password)) => Some((user?, password?)),
        (_, _) => None,
    };
    Some(scim::ProxyAddress { url, login, no_proxy: no_proxy.unwrap_or(Some(Vec::new()))? })
}

/// A host, a domain, an address or a network, as in `NO_PROXY`.
fn host(field: &Field<'_>) -> Option<String> {
    let written = text(field)?;
    if written.contains(|c: char| c == ',' || c.is_whitespace()) || written.contains("://") {
        field.wrong("expected a host, a domain, an address or a network, one for each item of the list");
        return None;
    }
    Some(written.to_owned())
}
