//! `auth` of a target: how we prove who we are.

use jiff::civil::Date;

use crate::scim;

use super::connection::{clear_text, is_loopback, url_with_query};
use super::reader::{Field, Section};
use super::secret::{checked_secret, secret};
use super::values::{date, text, word};

/// What stands under `auth`.
pub(super) struct Written {
    /// The one kind of credentials.
    pub auth: scim::Auth,
    /// When they end.
    pub expires_on: Option<Date>,
}

/// What may travel in clear text.
#[derive(Clone, Copy)]
pub(super) struct ClearText {
    /// To another machine.
    pub allowed: bool,
    /// Even what is meant for this machine leaves it.
    pub leaves: bool,
}

impl ClearText {
    /// Refuses an unencrypted URL that leaves this machine, or warns of it where it is allowed.
    pub fn judge(self, field: &Field<'_>, url: &url::Url, what: &str) {
        if url.scheme() == "http" && (self.leaves || !is_loopback(url)) {
            clear_text(field, self.allowed, what, "https://");
        }
    }
}

/// Reads the one kind of credentials that is written.
pub(super) fn auth(section: Section<'_>, clear: ClearText) -> Option<Written> {
    let expires_on = section.optional("expires_on").map(|field| date(&field));
    let kinds = [
        section.optional("bearer").map(|field| (Kind::Bearer, field)),
        section.optional("basic").map(|field| (Kind::Basic, field)),
        section.optional("header").map(|field| (Kind::Header, field)),
        section.optional("oauth").map(|field| (Kind::OAuth, field)),
    ];
    let whole = section.field.clone();
    section.finish_discreetly();
    const ONE: &str = "name exactly one of bearer, basic, header and oauth";
    let mut given = kinds.into_iter().flatten();
    let Some((kind, field)) = given.next() else {
        whole.reader.problem(whole.finding(ONE).bare());
        return None;
    };
    for (_, second) in given {
        second.reader.problem(second.finding_at_key(ONE).bare());
    }
    let auth = match kind {
        Kind::Bearer => secret(&field).map(scim::Auth::Bearer),
        Kind::Basic => basic(field.section()?),
        Kind::Header => header(field.section()?),
        Kind::OAuth => oauth(field.section()?, clear).map(|oauth| scim::Auth::OAuth(Box::new(oauth))),
    };
    Some(Written { auth: auth?, expires_on: expires_on.flatten() })
}

#[derive(Clone, Copy)]
enum Kind {
    Bearer,
    Basic,
    Header,
    OAuth,
}

fn basic(section: Section<'_>) -> Option<scim::Auth> {
    let user = section.required("user").and_then(|field| user(&field));
    let password = section.required("password").and_then(|field| secret(&field));
    section.finish_discreetly();
    Some(scim::Auth::Basic { user: user?, password: password? })
}

/// A user name for basic authentication.
pub(super) fn user(field: &Field<'_>) -> Option<String> {
    let written = text(field)?;
    if written.contains(':') {
        field.reader.problem(field.finding("a user name here must not hold a colon").bare());
        return None;
    }
    Some(written.to_owned())
}

fn header(section: Section<'_>) -> Option<scim::Auth> {
    let name = section.required("name").and_then(|field| {
        let written = text(&field)?;
        match scim::header_fault(written) {
            None => Some(written.to_owned()),
            Some(fault) => {
                field.reader.problem(field.finding(fault).bare());
                None
            }
        }
    });
    let value = section.required("value").and_then(|field| secret(&field));
    section.finish_discreetly();
    Some(scim::Auth::Header { name: name?, value: value? })
}

/// How a client proves itself, by the names of RFC 8414.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Method {
    Basic,
    Post,
    PrivateKey,
}

const METHODS: &[(&str, Method)] =
    &[("client_secret_basic", Method::Basic), ("client_secret_post", Method::Post), ("private_key_jwt", Method::PrivateKey)];

fn oauth(section: Section<'_>, clear: ClearText) -> Option<scim::OAuth> {
    let optional_text = |key| section.optional(key).map(|field| text(&field).map(str::to_owned));
    let token_url = section.required("token_url").and_then(|field| {
        let url = url_with_query(&field, &["https", "http"])?;
        clear.judge(&field, &url, "the client's proof and the token");
        Some(url)
    });
    let client_id = section.required("client_id").and_then(|field| text(&field).map(str::to_owned));
    let method = section.optional("method").map(|field| word(&field, METHODS));
    let client_secret = section.optional("client_secret");
    let private_key = section.optional("private_key");
    let key_id = section.optional("key_id");
    let assertion_audience = section.optional("assertion_audience");
    let [scope, audience, resource] = ["scope", "audience", "resource"].map(optional_text);
    let whole = section.field.clone();
    section.finish_discreetly();
    let proof = match (client_secret, private_key) {
        (Some(field), None) => {
            let secret = secret(&field);
            for idle in [key_id, assertion_audience].into_iter().flatten() {
                idle.reader.problem(idle.finding_at_key("goes with private_key only").bare());
            }
            match method {
                None | Some(Some(Method::Basic)) => secret.map(scim::ClientProof::Basic),
                Some(Some(Method::Post)) => secret.map(scim::ClientProof::Post),
                Some(Some(Method::PrivateKey)) => {
                    field.reader.problem(field.finding_at_key("private_key_jwt needs private_key instead").bare());
                    None
                }
                Some(None) => None,
            }
        }
        (None, Some(field)) => {
            let key = checked_secret(&field, |pem| scim::key_fault(pem).map(str::to_owned));
            if let Some(Some(Method::Basic | Method::Post)) = method {
                field.reader.problem(field.finding_at_key("goes with private_key_jwt only").bare());
            }
            let [key_id, audience] =
                [key_id, assertion_audience].map(|field| field.and_then(|field| text(&field).map(str::to_owned)));
            key.map(|key| scim::ClientProof::PrivateKey { key, key_id, audience })
        }
        (None, None) | (Some(_), Some(_)) => {
            whole.reader.problem(whole.finding("name exactly one of client_secret and private_key").bare());
            None
        }
    };
    Some(scim::OAuth {
        token_url: token_url?,
        client_id: client_id?,
        proof: proof?,
        scope: scope.flatten(),
        audience: audience.flatten(),
        resource: resource.flatten(),
    })
}
