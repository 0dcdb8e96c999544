//! One search, page by page or without end, driven in a task of its own: a caller that stops listening, or that is
//! dropped between two entries, leaves nothing half done, and a panic in the LDAP library ends the search only.

use std::time::Duration;

use ldap3::controls::RawControl;
use ldap3::{Ldap, LdapError, LdapResult, ResultEntry, Scope};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::credit::Credit;
use super::ending::Ending;
use super::frame::LEFT_OUT;
use super::paging;
use super::raw_entry::{RawEntry, intermediate, reference_urls};
use super::root_dse::{result_name, words};

/// Keeps Active Directory from naming its other partitions (MS-ADTS §3.1.1.3.4.1.4).
const DOMAIN_SCOPE: &str = "1.2.840.113556.1.4.1339";

/// Pages without an entry that are accepted in a row. Active Directory sends a few when a page runs into its
/// time limit.
const EMPTY_PAGES: u32 = 200;

/// Items between the task and its reader.
const IN_FLIGHT: usize = 64;

/// What is searched.
#[derive(Debug, Clone)]
pub struct Query {
    /// Base DN as written.
    pub base: String,
    /// Base object or subtree.
    pub scope: Scope,
    /// RFC 4515 text.
    pub filter: String,
    /// Attributes asked for.
    pub attributes: Vec<String>,
}

/// What else a search carries. Without anything it is a search as the session makes it.
#[derive(Debug, Clone, Default)]
pub struct Terms {
    /// Controls besides those that the session sends.
    pub controls: Vec<RawControl>,
    /// How its answers come.
    pub course: Course,
}

/// How the answers of a search come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Course {
    /// In pages, where the server can.
    #[default]
    Paged,
    /// In one go. The server's limits hold for all of it.
    Whole,
    /// In one go and without end: however long the server is silent, the search lasts as long as the connection.
    Persistent,
}

/// Whether answers come in pages, and whether the server must refuse if it cannot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paging {
    /// The server says that it knows the control.
    Critical,
    /// The server does not say what it knows.
    Hopeful,
    /// The server says that it does not know the control.
    Off,
}

/// How the searches of a session are made.
#[derive(Debug, Clone, Copy)]
pub struct Manner {
    /// Pages.
    pub paging: Paging,
    /// Entries in a page.
    pub page_size: u32,
    /// Longest wait for a reply.
    pub reply_limit: Duration,
    /// Send the domain scope control.
    pub domain_scope: bool,
    /// Stop after the first page, or after this many entries where there are no pages: a sample.
    pub first_page_only: bool,
}

/// What a search brings.
#[derive(Debug)]
pub enum Item {
    /// An entry.
    Entry(RawEntry),
    /// An entry whose DN is not UTF-8.
    Undecodable,
    /// An entry that is larger than what is accepted, by its DN.
    TooLarge(String),
    /// A reference to where the search would go on; nothing is followed.
    Reference(Vec<String>),
    /// What the server says between two entries (RFC 4511 §4.13). Comes only to a search that carries the Sync Request
    /// control.
    Intermediate {
        /// Its name, an OID, where it has one.
        name: Option<String>,
        /// Its value.
        value: Option<Vec<u8>>,
    },
}

/// A search that ran to its end.
#[derive(Debug, Clone)]
pub struct Finished {
    /// Controls of the result, those of the last page where there were several.
    pub controls: Vec<RawControl>,
}

/// Why a search did not run to its end.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SearchError {
    /// The server's result was not success.
    #[error("{}{}", result_name(*.code), .text)]
    Result {
        /// Result code.
        code: u32,
        /// The server's words, led in, or nothing.
        text: String,
    },
    /// No reply in time.
    #[error("no reply within {0:?}")]
    Silence(Duration),
    /// The connection is gone.
    #[error("{0}")]
    Lost(String),
    /// The pages make no sense.
    #[error("{0}")]
    Pages(&'static str),
}

impl SearchError {
    /// True if nothing further can be asked on this connection.
    pub fn ends_session(&self) -> bool {
        match self {
            Self::Result { .. } | Self::Pages(_) => false,
            Self::Silence(_) | Self::Lost(_) => true,
        }
    }

    /// True if it is the server that failed, so that another may do better (busy, unavailable, lost, silent).
    pub fn blames_server(&self) -> bool {
        match self {
            Self::Result { code, .. } => matches!(code, 51 | 52),
            Self::Silence(_) | Self::Lost(_) => true,
            Self::Pages(_) => false,
        }
    }

    /// True if another server holds what was searched.
    pub fn is_referral(&self) -> bool {
        matches!(self, Self::Result { code: 10, .. })
    }

    /// True if we may not see what was searched, as we are bound (strongerAuthRequired, confidentialityRequired,
    /// noSuchObject, inappropriateAuthentication, insufficientAccessRights).
    pub fn is_hidden(&self) -> bool {
        matches!(self, Self::Result { code: 8 | 13 | 32 | 48 | 50, .. })
    }

    /// True if the base of the search does not exist, or may not be seen.
    pub fn is_no_such_object(&self) -> bool {
        matches!(self, Self::Result { code: 32, .. })
    }
}

/// A search under way. Take items until there are none, then [`finish`](Self::finish) to learn whether that was all.
/// One that is dropped before is abandoned.
#[derive(Debug)]
pub struct Search {
    items: Items,
    task: JoinHandle<Result<Finished, SearchError>>,
    ending: Ending,
}

#[derive(Debug)]
struct Items {
    receiver: mpsc::Receiver<Item>,
    /// Given back as items are taken. A base search gives its own back: several run at once, and one that waits
    /// for its turn to be read must not stop the others.
    credit: Option<Credit>,
}

impl Search {
    /// Starts a search on a connection.
    pub fn start(ldap: Ldap, query: Query, terms: Terms, manner: Manner, credit: Credit, ending: Ending) -> Self {
        let (sender, receiver) = mpsc::channel(IN_FLIGHT);
        let (own, readers) = if query.scope == Scope::Base { (Some(credit), None) } else { (None, Some(credit)) };
        let manner = match terms.course {
            Course::Paged => manner,
            Course::Whole | Course::Persistent => Manner { paging: Paging::Off, ..manner },
        };
        let pages = Pages { ldap, query, terms, manner, own, readers: readers.clone(), ending: ending.clone(), sender };
        Self { items: Items { receiver, credit: readers }, task: tokio::spawn(pages.drive()), ending }
    }

    /// The next item; `None` when no more come, for whatever reason.
    pub async fn next(&mut self) -> Option<Item> {
        let item = self.items.receiver.recv().await?;
        if let Some(credit) = &self.items.credit {
            credit.give_back();
        }
        Some(item)
    }

    /// Whether everything came.
    pub async fn finish(self) -> Result<(), SearchError> {
        self.finished().await.map(|_| ())
    }

    /// Whether everything came, and what the server said with its last word.
    pub async fn finished(self) -> Result<Finished, SearchError> {
        drop(self.items);
        let end = self.task.await.unwrap_or_else(|_| {
            let why = self.ending.why().unwrap_or("the LDAP library failed on an answer");
            Err(SearchError::Lost(why.to_owned()))
        });
        if end.as_ref().is_err_and(SearchError::blames_server) {
            self.ending.blame();
        }
        end
    }
}

impl Drop for Items {
    /// Items that nobody takes any more hold credit that other searches of the connection need.
    fn drop(&mut self) {
        self.receiver.close();
        while self.receiver.try_recv().is_ok() {
            if let Some(credit) = &self.credit {
                credit.give_back();
            }
        }
    }
}

struct Pages {
    ldap: Ldap,
    query: Query,
    terms: Terms,
    manner: Manner,
    /// Given back here, as items come from the library.
    own: Option<Credit>,
    /// Given back by the reader, but for items that never get to it.
    readers: Option<Credit>,
    ending: Ending,
    sender: mpsc::Sender<Item>,
}

type Stream<'a> = ldap3::SearchStream<'a, String, Vec<String>>;

/// A page that came to its end with a result from the server.
struct Page {
    entries: u32,
    result: LdapResult,
}

impl Pages {
    async fn drive(mut self) -> Result<Finished, SearchError> {
        let mut cookie = Vec::new();
        let mut size = self.manner.page_size.max(1);
        let mut empty_pages = 0;
        loop {
            let page = self.page(size, &cookie).await?;
            if page.is_size_refused() && cookie.is_empty() && size > 1 {
                size = size.div_ceil(2);
                tracing::debug!(size, "the server refuses the page size; a smaller one is tried");
                continue;
            }
            let sampled = self.manner.first_page_only;
            match page.result.rc {
                0 => {}
                4 if sampled => return Ok(page.finished()),
                code => return Err(SearchError::Result { code, text: led_in(&page.result.text) }),
            }
            if sampled || self.sender.is_closed() {
                return Ok(page.finished());
            }
            cookie = match (page.answer(), self.manner.paging) {
                (Some(value), Paging::Critical | Paging::Hopeful) => {
                    paging::cookie(value).ok_or(SearchError::Pages("the server's paging control cannot be read"))?
                }
                // RFC 2696 §3: a server that knows the control answers with it. One that forgets it may have cut the page
                // to a size of its own.
                (None, Paging::Critical) if self.query.scope != Scope::Base => {
                    return Err(SearchError::Pages("a page came without word on whether more follow"));
                }
                (None, Paging::Critical | Paging::Hopeful) if page.entries == size => {
                    return Err(SearchError::Pages("a full page came without word on whether more follow"));
                }
                (None, Paging::Critical | Paging::Hopeful) | (_, Paging::Off) => Vec::new(),
            };
            if cookie.is_empty() {
                return Ok(page.finished());
            }
            empty_pages = if page.entries == 0 { empty_pages + 1 } else { 0 };
            if empty_pages > EMPTY_PAGES {
                return Err(SearchError::Pages("the server sends one empty page after another"));
            }
        }
    }

    async fn page(&mut self, size: u32, cookie: &[u8]) -> Result<Page, SearchError> {
        let mut options = ldap3::SearchOptions::new();
        if self.manner.first_page_only && self.manner.paging == Paging::Off {
            options = options.sizelimit(i32::try_from(size).unwrap_or(i32::MAX));
        }
        let controls = self.controls(size, cookie);
        self.ldap.with_search_options(options).with_controls(controls);
        match self.terms.course {
            Course::Paged | Course::Whole => {
                self.ldap.with_timeout(self.manner.reply_limit);
            }
            Course::Persistent => {}
        }
        let query = self.query.clone();
        let one_entry = query.scope == Scope::Base && self.terms.course != Course::Persistent;
        let stream = self.ldap.streaming_search(&query.base, query.scope, &query.filter, query.attributes).await;
        let mut stream = stream.map_err(|error| self.failure(error))?;
        let mut entries = 0u32;
        loop {
            let item = tokio::select! {
                item = stream.next() => item.map_err(|error| self.failure(error))?,
                () = self.sender.closed() => {
                    self.abandon(stream).await;
                    return Err(stopped());
                }
            };
            let Some(item) = item else { break };
            if let Some(credit) = &self.own {
                credit.give_back();
            }
            let item = decode(item);
            entries = entries.saturating_add(u32::from(matches!(item, Item::Entry(_) | Item::Undecodable | Item::TooLarge(_))));
            if entries > 1 && one_entry {
                return Err(SearchError::Lost("the server answered a search for one entry with several".to_owned()));
            }
            if self.sender.send(item).await.is_err() {
                if let Some(credit) = &self.readers {
                    credit.give_back();
                }
                self.abandon(stream).await;
                return Err(stopped());
            }
        }
        Ok(Page { entries, result: stream.finish().await })
    }

    /// Tells the server that nobody listens any more (RFC 4511 §4.11), and takes what it had sent out of the way.
    async fn abandon(&self, mut stream: Stream<'_>) {
        let ldap = stream.ldap_handle();
        let id = ldap.last_id();
        if ldap.with_timeout(self.manner.reply_limit).abandon(id).await.is_err() {
            return;
        }
        while let Ok(Some(_)) = stream.next().await {
            self.give_back();
        }
    }

    /// For an item that the reader does not get.
    fn give_back(&self) {
        if let Some(credit) = self.own.as_ref().or(self.readers.as_ref()) {
            credit.give_back();
        }
    }

    fn controls(&self, size: u32, cookie: &[u8]) -> Vec<RawControl> {
        let paged = |crit| RawControl { ctype: paging::PAGED_RESULTS.to_owned(), crit, val: Some(paging::request(size, cookie)) };
        let paged = match self.manner.paging {
            Paging::Critical => Some(paged(true)),
            Paging::Hopeful => Some(paged(false)),
            Paging::Off => None,
        };
        let scope = RawControl { ctype: DOMAIN_SCOPE.to_owned(), crit: false, val: None };
        paged.into_iter().chain(self.manner.domain_scope.then_some(scope)).chain(self.terms.controls.clone()).collect()
    }

    fn failure(&self, error: LdapError) -> SearchError {
        match error {
            LdapError::Timeout { .. } => SearchError::Silence(self.manner.reply_limit),
            other => {
                SearchError::Lost(self.ending.why().map_or_else(|| format!("the connection was lost: {other}"), str::to_owned))
            }
        }
    }
}

fn stopped() -> SearchError {
    SearchError::Lost("the reading was stopped".to_owned())
}

impl Page {
    fn finished(self) -> Finished {
        Finished { controls: self.result.ctrls.into_iter().map(|control| control.1).collect() }
    }

    /// OpenLDAP refuses pages above `size.pr` with adminLimitExceeded and these words; other limits have the same code.
    fn is_size_refused(&self) -> bool {
        self.result.rc == 11 && self.entries == 0 && self.result.text.to_ascii_lowercase().contains("page size")
    }

    /// The value of the paging control in the answer.
    fn answer(&self) -> Option<&[u8]> {
        let control = self.result.ctrls.iter().find(|control| control.1.ctype == paging::PAGED_RESULTS)?;
        Some(control.1.val.as_deref().unwrap_or_default())
    }
}

fn decode(item: ResultEntry) -> Item {
    if item.is_ref() {
        return Item::Reference(reference_urls(item));
    }
    if item.is_intermediate() {
        let (name, value) = intermediate(item);
        return Item::Intermediate { name, value };
    }
    match RawEntry::decode(item) {
        None => Item::Undecodable,
        Some(entry) if entry.has(LEFT_OUT) => Item::TooLarge(entry.dn),
        Some(entry) => Item::Entry(entry),
    }
}

fn led_in(text: &str) -> String {
    let text = words(text);
    if text.is_empty() { text } else { format!(": {text}") }
}
