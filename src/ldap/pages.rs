//! The pages of one search, asked for one after another, and each of their items decoded.

use ldap3::controls::RawControl;
use ldap3::{Ldap, LdapError, LdapResult, ResultEntry, Scope};
use tokio::sync::mpsc;

use super::credit::Credit;
use super::ending::Ending;
use super::frame::LEFT_OUT;
use super::paging;
use super::raw_entry::{RawEntry, intermediate, reference_urls};
use super::root_dse::words;
use super::search::{Course, Finished, Item, Manner, Paging, Query, SearchError, Terms};

/// Keeps Active Directory from naming its other partitions (MS-ADTS §3.1.1.3.4.1.4).
const DOMAIN_SCOPE: &str = "1.2.840.113556.1.4.1339";

/// Pages without an entry that are accepted in a row. Active Directory sends a few when a page runs into its
/// time limit.
const EMPTY_PAGES: u32 = 200;

/// A search while it runs.
pub struct Pages {
    /// The connection.
    pub ldap: Ldap,
    /// What is searched.
    pub query: Query,
    /// What else it carries.
    pub terms: Terms,
    /// How the session searches.
    pub manner: Manner,
    /// Given back here, as items come from the library.
    pub own: Option<Credit>,
    /// Given back by the reader, but for items that never get to it.
    pub readers: Option<Credit>,
    /// Why the connection ended, if it did.
    pub ending: Ending,
    /// Where items go.
    pub sender: mpsc::Sender<Item>,
}

type Stream<'a> = ldap3::SearchStream<'a, String, Vec<String>>;

/// A page that came to its end with a result from the server.
struct Page {
    entries: u32,
    result: LdapResult,
}

impl Pages {
    /// Asks until everything came, nobody listens, or something is wrong.
    pub async fn drive(mut self) -> Result<Finished, SearchError> {
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
