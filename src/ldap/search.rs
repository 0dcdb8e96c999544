//! One search, page by page or without end, driven in a task of its own: a caller that stops listening, or that is
//! dropped between two entries, leaves nothing half done, and a panic in the LDAP library ends the search only.

use std::time::Duration;

use ldap3::controls::RawControl;
use ldap3::{Ldap, Scope};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::credit::Credit;
use super::ending::Ending;
use super::pages::Pages;
use super::raw_entry::RawEntry;
use super::root_dse::result_name;

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
