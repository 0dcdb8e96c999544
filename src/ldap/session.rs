//! A bound connection to one server, opened from the list of URLs.

use std::net::SocketAddr;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::time::Duration;

use ldap3::exop::WhoAmI;
use ldap3::{Ldap, LdapConnAsync, LdapConnSettings, LdapError, Scope, StdStream};
use secrecy::ExposeSecret;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixStream;
use tokio_util::task::AbortOnDropHandle;
use url::Url;

use crate::model::{Moment, Vendor};

use super::guard::{self, Shared};
use super::proof::Proof;
use super::root_dse::{self, RootDse, words};
use super::search::{Item, Manner, Paging, Query, Search, SearchError, Terms};
use super::settings::{Bind, Place, Settings, place};
use super::vendor::{self, Facts};
use super::{gssapi, paging, refusal, socket, starttls, tls};

/// Longest wait for the goodbye to leave.
const GOODBYE: Duration = Duration::from_secs(1);

const ANYTHING: &str = "(objectClass=*)";

/// Asks for an entry without its attributes (RFC 4511 §4.5.1.8).
const NO_ATTRIBUTES: &str = "1.1";

/// Why a server could not be used.
#[derive(Debug)]
pub enum OpenError {
    /// It does not want us: asking another server would count as another wrong guess.
    Refused {
        /// Result code.
        code: u32,
        /// Its name and the server's words.
        message: String,
    },
    /// Another server may do better.
    Unusable(String),
}

/// A connection that is bound and knows what it talks to. Ends when it is dropped.
pub struct Session {
    /// The server.
    pub url: Url,
    /// When it was opened, by our clock: the present of whatever is judged by time.
    pub opened: Moment,
    /// True if the connection is encrypted.
    pub encrypted: bool,
    /// What the server tells of itself.
    pub root: RootDse,
    /// What we know of its kind.
    pub facts: &'static Facts,
    /// See [`Settings::in_chain`].
    pub in_chain: bool,
    manner: Manner,
    largest_entry: usize,
    ldap: Ldap,
    shared: Shared,
    guard: AbortOnDropHandle<()>,
    _driver: AbortOnDropHandle<()>,
}

impl Session {
    /// Connects, switches to TLS if asked, binds, and reads the root DSE.
    pub async fn open(settings: &Settings, url: &Url, proof: &Proof) -> Result<Self, OpenError> {
        let shared = Shared::default();
        let (inner, outer) = socket_pair().map_err(OpenError::Unusable)?;
        let (mut stream, encrypted) = connect(settings, url, proof).await.map_err(OpenError::Unusable)?;
        if let Bind::Gssapi { principal } = &settings.bind {
            let unusable = |why| OpenError::Unusable(format!("{url}: {why}"));
            let Place { host, .. } = place(url).map_err(unusable)?;
            let answer =
                gssapi::bind(&mut stream, &host, principal.clone(), settings.operation_timeout).await.map_err(unusable)?;
            verdict(url, answer.code, &answer.text)?;
        }
        let guard = tokio::spawn(guard::stand(stream, outer, settings.largest_entry, shared.clone()));
        let guard = AbortOnDropHandle::new(guard);
        let library = LdapConnSettings::new().set_std_stream(StdStream::Unix(inner));
        let (connection, ldap) = LdapConnAsync::with_settings(library, "ldapi:///")
            .await
            .map_err(|error| OpenError::Unusable(format!("{url}: {error}")))?;
        let driver = AbortOnDropHandle::new(tokio::spawn(async move {
            if let Err(error) = connection.drive().await {
                tracing::debug!(%error, "a directory connection ended");
            }
        }));
        let manner = Manner {
            paging: Paging::Off,
            page_size: settings.page_size,
            reply_limit: settings.operation_timeout,
            domain_scope: false,
            first_page_only: false,
        };
        let mut session = Self {
            url: url.clone(),
            opened: Moment(jiff::Timestamp::now().as_millisecond()),
            encrypted,
            root: RootDse::default(),
            facts: vendor::facts(settings.vendor.unwrap_or(Vendor::Generic)),
            in_chain: settings.in_chain,
            manner,
            largest_entry: settings.largest_entry,
            ldap,
            shared,
            guard,
            _driver: driver,
        };
        session.bind(&settings.bind, proof).await?;
        session.identify(settings.vendor).await.map_err(|error| OpenError::Unusable(format!("{url}: {error}")))?;
        Ok(session)
    }

    /// Starts a search.
    pub fn search(&self, query: Query) -> Search {
        self.start(query, Terms::default(), self.manner)
    }

    /// Starts a search that carries more than the session's own controls, or whose answers come in another way.
    pub fn search_on(&self, terms: Terms, query: Query) -> Search {
        self.start(query, terms, self.manner)
    }

    /// Starts a search that brings a page at most.
    pub fn sample(&self, query: Query) -> Search {
        self.start(query, Terms::default(), Manner { first_page_only: true, ..self.manner })
    }

    /// Entries in a page.
    pub fn page_size(&self) -> u32 {
        self.manner.page_size
    }

    /// True if a search failed for the server's sake: another server may do better.
    pub fn is_server_to_blame(&self) -> bool {
        self.shared.ending.is_blamed()
    }

    /// Octets of the largest entry that is read.
    pub fn largest_entry(&self) -> usize {
        self.largest_entry
    }

    /// Whom the server takes us for (RFC 4532), if it tells.
    pub async fn who_am_i(&self) -> Option<String> {
        let mut ldap = self.ldap.clone();
        let limit = self.manner.reply_limit;
        let asked = tokio::spawn(async move {
            let answer = ldap.with_timeout(limit).extended(WhoAmI).await.ok()?;
            (answer.1.rc == 0).then_some(answer.0.val.unwrap_or_default())
        });
        let identity = asked.await.ok()??;
        Some(words(&String::from_utf8_lossy(&identity)))
    }

    /// True if the server still answers. Costs a round trip.
    pub async fn answers(&self, limit: Duration) -> bool {
        let attributes = vec![NO_ATTRIBUTES.to_owned()];
        let query = Query { base: String::new(), scope: Scope::Base, filter: ANYTHING.to_owned(), attributes };
        let asked = async {
            let mut search = self.search(query);
            while search.next().await.is_some() {}
            search.finish().await
        };
        // Whoever hides the root DSE answers all the same.
        matches!(tokio::time::timeout(limit, asked).await, Ok(Ok(()) | Err(SearchError::Result { .. }))) && self.is_at_rest()
    }

    /// True if the connection stands, and nothing is under way on it or left over.
    pub fn is_at_rest(&self) -> bool {
        let Shared { credit, ending, requests } = &self.shared;
        ending.why().is_none() && requests.are_answered() && credit.is_whole() && !self.guard.is_finished()
    }

    /// Says goodbye.
    pub async fn close(mut self) {
        let _ = tokio::time::timeout(GOODBYE, self.ldap.unbind()).await;
        let _ = tokio::time::timeout(GOODBYE, self.guard).await;
    }

    fn start(&self, query: Query, terms: Terms, manner: Manner) -> Search {
        Search::start(self.ldap.clone(), query, terms, manner, self.shared.credit.clone(), self.shared.ending.clone())
    }

    async fn bind(&mut self, bind: &Bind, proof: &Proof) -> Result<(), OpenError> {
        let mut ldap = self.ldap.clone();
        let limit = self.manner.reply_limit;
        // In a task of its own, since the library panics on an answer that is no bind response.
        let answer = match (bind, proof) {
            (Bind::Simple { dn, .. }, Proof::Password(password)) => {
                let (dn, password) = (dn.clone(), password.clone());
                tokio::spawn(async move { ldap.with_timeout(limit).simple_bind(&dn, password.expose_secret()).await })
            }
            (Bind::External(_), _) => tokio::spawn(async move { ldap.with_timeout(limit).sasl_external_bind().await }),
            (Bind::Anonymous | Bind::Simple { .. } | Bind::Gssapi { .. }, _) => return Ok(()),
        };
        let unusable = |what: &str| Err(OpenError::Unusable(format!("{}: {what}", self.url)));
        match answer.await {
            Ok(Ok(result)) => verdict(&self.url, result.rc, &result.text),
            Ok(Err(LdapError::Timeout { .. })) => unusable(&format!("no answer to the bind within {limit:?}")),
            Ok(Err(error)) => unusable(self.shared.ending.why().unwrap_or(&error.to_string())),
            Err(_) => unusable(self.shared.ending.why().unwrap_or("the LDAP library failed on the answer to the bind")),
        }
    }

    async fn identify(&mut self, vendor: Option<Vendor>) -> Result<(), SearchError> {
        let attributes = root_dse::ATTRIBUTES.map(str::to_owned).to_vec();
        let filter = ANYTHING.to_owned();
        let mut search = self.search(Query { base: String::new(), scope: Scope::Base, filter, attributes });
        while let Some(item) = search.next().await {
            if let Item::Entry(entry) = item {
                self.root = RootDse::from(&entry);
            }
        }
        match search.finish().await {
            // One that may not be read stays so. After anything else it would be a guess of a moment what server this is,
            // and everybody would have other ids in the next cycle.
            Err(error) if !error.is_hidden() => return Err(error),
            Err(error) => tracing::debug!(url = %self.url, %error, "the root DSE cannot be read"),
            Ok(()) => {}
        }
        self.facts = vendor.map_or_else(|| vendor::recognise(&self.root), vendor::facts);
        self.manner.domain_scope = self.facts.domain_scope;
        self.manner.paging = if self.root.controls.is_empty() {
            Paging::Hopeful
        } else if self.root.controls.iter().any(|oid| oid == paging::PAGED_RESULTS) {
            Paging::Critical
        } else {
            Paging::Off
        };
        Ok(())
    }
}

/// What the result of a bind means.
fn verdict(url: &Url, code: u32, text: &str) -> Result<(), OpenError> {
    let message = refusal::told(code, text);
    match code {
        0 => Ok(()),
        code if is_refusal(code) => Err(OpenError::Refused { code, message }),
        _ => Err(OpenError::Unusable(format!("{url}: the bind failed: {message}"))),
    }
}

/// Results of a bind that mean that we, not the server, are the trouble.
fn is_refusal(code: u32) -> bool {
    matches!(code, 19 | 32 | 34 | 48 | 49 | 50 | 53)
}

fn socket_pair() -> Result<(StdUnixStream, UnixStream), String> {
    let pair = StdUnixStream::pair().and_then(|(inner, outer)| {
        outer.set_nonblocking(true)?;
        Ok((inner, UnixStream::from_std(outer)?))
    });
    pair.map_err(|error| format!("no socket for the connection: {error}"))
}

/// An octet stream to the server.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// The stream, and whether it is encrypted. Errors begin with the URL.
async fn connect(settings: &Settings, url: &Url, proof: &Proof) -> Result<(Box<dyn Stream>, bool), String> {
    let Place { host, port, ldaps } = place(url)?;
    let about = |cause: String| format!("{url}: {cause}");
    let encrypted = ldaps || settings.start_tls;
    if let (Some(what), false) = (proof.needs_tls(), encrypted) {
        return Err(about(format!("{what} can be shown only on an encrypted connection: ldaps:// or start_tls")));
    }
    let config =
        if encrypted { Some(tls::client_config(settings.ca_file.as_deref(), proof.identity()).map_err(about)?) } else { None };
    let permitted = |address: &SocketAddr| {
        if !proof.is_secret() || encrypted || settings.allow_cleartext || address.ip().is_loopback() {
            Ok(())
        } else {
            Err("the password would cross the network in clear text; use ldaps:// or start_tls, or allow_cleartext".to_owned())
        }
    };
    let limit = settings.connect_timeout;
    let mut stream = socket::connect(&host, port, limit, permitted).await.map_err(about)?;
    let Some(config) = config else { return Ok((Box::new(stream), false)) };
    if !ldaps {
        starttls::ask(&mut stream, limit).await.map_err(about)?;
    }
    let stream = tls::shake_hands(stream, &host, config, limit).await.map_err(about)?;
    Ok((Box::new(stream), true))
}
