//! Changes by content synchronization (RFC 4533): asked for since a cookie, or told as they happen.
//!
//! The whole of each naming context is synchronized, with the ids and classes of its entries: what leaves the admin's
//! bases or filter is told like everything else. What the messages mean is read in [`super::sync_refresh`].

use std::collections::VecDeque;
use std::time::Duration;

use ldap3::Scope;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::cycle::SourceError;
use crate::ldap::guard::SYNC_REQUEST;
use crate::ldap::search::{Course, Finished, Item, Query, Search, SearchError, Terms};
use crate::ldap::session::Session;
use crate::model::{AttributeValue, Dn, Wanted};

use super::contexts::contexts;
use super::sync_cookie;
use super::sync_message::{self, Mode};
use super::sync_refresh::{Gathered, Refresh};
use super::{Mark, Told};

/// OpenLDAP's place for the last change of each server, on the entry of the suffix.
const CONTEXT_CSN: &str = "contextCSN";

/// Entries that an account must be able to read in one go before we believe that it may read all: above every limit
/// that is a default anywhere (OpenLDAP 500; 389 Directory Server 2000, and 5000 that are looked through).
const UNLIMITED: usize = 5001;

/// A cookie that came with a notification counts once it is so old: writes that run at the same time may be told in
/// another order than that of their numbers, and the mark must stand before all that was not told.
const SETTLED: Duration = Duration::from_secs(5);

/// Messages on their way from the searches.
const IN_FLIGHT: usize = 64;

/// One naming context, and how far it was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Context {
    base: String,
    cookie: String,
}

/// Whether the server offers it and the account may use it: why, or why not.
pub async fn offered(session: &Session, wanted: &Wanted) -> Result<String, String> {
    if !session.root.controls.iter().any(|oid| oid == SYNC_REQUEST) {
        return Err("the server does not announce content synchronization (RFC 4533)".to_owned());
    }
    for base in contexts(session, wanted) {
        try_out(session, &base).await?;
    }
    Ok("the server offers content synchronization (RFC 4533), and the account may read without a limit".to_owned())
}

/// Where the server stands now: which it is, and how far.
pub async fn mark(session: &Session, wanted: &Wanted) -> Result<(String, serde_json::Value), SourceError> {
    let (mut server, mut marks) = (Vec::new(), Vec::new());
    for base in contexts(session, wanted) {
        let (id, csns) = suffix(session, &base).await?;
        let cookie = match sync_cookie::from_csns(csns.iter().map(String::as_str)) {
            Some(cookie) => cookie,
            None => cookie_of_now(session, &base).await.map_err(|why| failed(session, why))?,
        };
        server.push(id);
        marks.push(Context { base: base.as_str().to_owned(), cookie });
    }
    Ok((server.join(" "), at(&marks)))
}

/// What changed since.
pub async fn changes(session: &Session, wanted: &Wanted, since: &Mark) -> Result<Told, SourceError> {
    let mut marks = match known(session, wanted, since).await? {
        Ok(marks) => marks,
        Err(why) => return Ok(Told::Lost(why)),
    };
    let mut all = Gathered::default();
    let mut told_all = 0;
    let parts = marks.len();
    for mark in &mut marks {
        let mut refresh = Refresh::since(&mark.cookie, session.facts);
        let mut search = start(session, mark, Mode::RefreshOnly, Course::Whole);
        while let Some(item) = search.next().await {
            if let Err(why) = refresh.take(item) {
                return Ok(Told::Lost(why));
            }
        }
        match search.finished().await {
            Ok(finished) => {
                if let Err(why) = refresh.finish(done(&finished)) {
                    return Ok(Told::Lost(why));
                }
            }
            Err(error) if is_passing(&error) => return Err(failed(session, error.to_string())),
            Err(error) => return Ok(Told::Lost(refusal(&mark.base, &error))),
        }
        refresh.cookie().clone_into(&mut mark.cookie);
        let gathered = refresh.gathered();
        told_all += usize::from(gathered.present.is_some());
        all.extend(gathered);
    }
    Ok(match all_or_none(told_all, parts) {
        Ok(()) => told(all, &marks),
        Err(why) => Told::Lost(why),
    })
}

/// Tells of changes as they come, as [`crate::cycle::Source::watch`] promises; `None`: something changed.
pub async fn watch(session: &Session, wanted: &Wanted, since: &Mark, heard: mpsc::Sender<Option<Told>>) -> SourceError {
    match known(session, wanted, since).await {
        Ok(Ok(marks)) => Watch::start(session, marks).listen(session, &heard).await,
        Ok(Err(why)) => failed(session, why),
        Err(error) => error,
    }
}

/// Searches that stay open, one for each naming context.
struct Watch {
    contexts: Vec<Live>,
    messages: mpsc::Receiver<(usize, Message)>,
    /// Ends the searches when it is dropped.
    _readers: JoinSet<()>,
    pending: Gathered,
    /// Contexts whose refresh told everything that is there.
    told_all: usize,
    hearing: bool,
}

struct Live {
    mark: Context,
    refresh: Refresh,
    /// Cookies that came, the oldest first, and when.
    coming: VecDeque<(Instant, String)>,
}

enum Message {
    Item(Item),
    End(Result<Finished, SearchError>),
}

impl Watch {
    fn start(session: &Session, marks: Vec<Context>) -> Self {
        let (sender, messages) = mpsc::channel(IN_FLIGHT);
        let mut readers = JoinSet::new();
        for (number, mark) in marks.iter().enumerate() {
            let search = start(session, mark, Mode::RefreshAndPersist, Course::Persistent);
            readers.spawn(forward(number, search, sender.clone()));
        }
        let live = |mark: Context| Live { refresh: Refresh::since(&mark.cookie, session.facts), mark, coming: VecDeque::new() };
        Self {
            contexts: marks.into_iter().map(live).collect(),
            messages,
            _readers: readers,
            pending: Gathered::default(),
            told_all: 0,
            hearing: false,
        }
    }

    async fn listen(mut self, session: &Session, heard: &mpsc::Sender<Option<Told>>) -> SourceError {
        loop {
            tokio::select! {
                message = self.messages.recv() => {
                    let took = match message {
                        Some((number, message)) => self.take(number, message),
                        None => Err("the searches ended".to_owned()),
                    };
                    if let Err(why) = took {
                        return failed(session, why);
                    }
                    if !self.hearing && self.contexts.iter().all(|context| context.refresh.refreshed()) {
                        self.hearing = true;
                        if let Err(why) = all_or_none(self.told_all, self.contexts.len()) {
                            return failed(session, why);
                        }
                        if heard.send(None).await.is_err() {
                            return unheard(session);
                        }
                    }
                }
                place = heard.reserve(), if self.hearing && !self.pending.is_empty() => match place {
                    Ok(place) => place.send(Some(self.hand_over())),
                    Err(_) => return unheard(session),
                },
                () = heard.closed() => return unheard(session),
            }
        }
    }

    fn take(&mut self, number: usize, message: Message) -> Result<(), String> {
        let Some(Live { mark, refresh, coming }) = self.contexts.get_mut(number) else { return Ok(()) };
        let before = refresh.refreshed();
        match message {
            Message::Item(item) => refresh.take(item)?,
            Message::End(Ok(_)) => return Err(format!("the server ended the synchronization of {}", mark.base)),
            Message::End(Err(error)) if error.ends_session() => return Err(error.to_string()),
            Message::End(Err(error)) => return Err(refusal(&mark.base, &error)),
        }
        if refresh.refreshed() {
            if !before {
                // What was told up to here is whole, in whatever order it came.
                refresh.cookie().clone_into(&mut mark.cookie);
            } else if coming.back().map_or(&mark.cookie, |(_, cookie)| cookie) != refresh.cookie() {
                coming.push_back((Instant::now(), refresh.cookie().to_owned()));
            }
            let gathered = refresh.gathered();
            self.told_all += usize::from(gathered.present.is_some());
            self.pending.extend(gathered);
        }
        Ok(())
    }

    fn hand_over(&mut self) -> Told {
        for Live { mark, coming, .. } in &mut self.contexts {
            while coming.front().is_some_and(|(came, _)| came.elapsed() >= SETTLED) {
                if let Some((_, cookie)) = coming.pop_front() {
                    mark.cookie = cookie;
                }
            }
        }
        let marks: Vec<Context> = self.contexts.iter().map(|context| context.mark.clone()).collect();
        told(std::mem::take(&mut self.pending), &marks)
    }
}

async fn forward(number: usize, mut search: Search, messages: mpsc::Sender<(usize, Message)>) {
    while let Some(item) = search.next().await {
        if messages.send((number, Message::Item(item))).await.is_err() {
            return;
        }
    }
    let _ = messages.send((number, Message::End(search.finished().await))).await;
}

/// The marks of a watermark, if they are those of this server and of what is wanted now; else why not.
async fn known(session: &Session, wanted: &Wanted, since: &Mark) -> Result<Result<Vec<Context>, String>, SourceError> {
    let Ok(marks) = serde_json::from_value::<Vec<Context>>(since.at.clone()) else {
        return Ok(Err("the watermark cannot be read".to_owned()));
    };
    let bases = contexts(session, wanted);
    let same = |(mark, base): (&Context, &Dn)| Dn::parse(&mark.base).is_ok_and(|dn| dn == *base);
    if marks.is_empty() || marks.len() != bases.len() || !marks.iter().zip(&bases).all(same) {
        return Ok(Err("other naming contexts are tracked than before".to_owned()));
    }
    let mut server = Vec::new();
    for base in &bases {
        server.push(suffix(session, base).await?.0);
    }
    if server.join(" ") != since.server {
        return Ok(Err("the server holds another directory than the one that was read before".to_owned()));
    }
    Ok(Ok(marks))
}

/// Which entry a naming context begins with, the same on every replica, and OpenLDAP's numbers on it.
async fn suffix(session: &Session, base: &Dn) -> Result<(String, Vec<String>), SourceError> {
    let attributes = vec![session.facts.id_attribute.to_owned(), CONTEXT_CSN.to_owned()];
    let mut search = session.search(query(base.as_str(), Scope::Base, attributes));
    let (mut id, mut csns) = (String::new(), Vec::new());
    while let Some(item) = search.next().await {
        if let Item::Entry(raw) = item {
            let found = session.facts.id_form.entry_id(raw.values(session.facts.id_attribute));
            id = found.map(|id| id.as_str().to_owned()).unwrap_or_default();
            csns = raw.values(CONTEXT_CSN).iter().filter_map(AttributeValue::text).map(str::to_owned).collect();
        }
    }
    match search.finish().await {
        Err(error) if is_passing(&error) => Err(failed(session, error.to_string())),
        Ok(()) | Err(_) => Ok((id, csns)),
    }
}

/// The cookie of a consumer that knows everything up to now, from a server that gives it in no cheaper way: its entries
/// are thrown away.
async fn cookie_of_now(session: &Session, base: &Dn) -> Result<String, String> {
    let mut search = session.search_on(terms(Mode::RefreshOnly, None, Course::Whole), nothing_of(base));
    while search.next().await.is_some() {}
    let finished = search.finished().await.map_err(|error| refusal(base.as_str(), &error))?;
    let value = done(&finished).ok_or("the server ended the synchronization without the Sync Done control")?;
    let cookie = sync_message::Done::parse(value).map_err(|why| why.to_string())?.cookie;
    cookie.and_then(|cookie| String::from_utf8(cookie).ok()).ok_or("the server gave no cookie that is text".to_owned())
}

/// Begins a refresh from nothing to see whether it is answered, and whether the limits of the account let it run on.
async fn try_out(session: &Session, base: &Dn) -> Result<(), String> {
    let mut search = session.search_on(terms(Mode::RefreshOnly, None, Course::Whole), nothing_of(base));
    let mut entries = 0;
    while let Some(item) = search.next().await {
        if let Item::Entry(raw) = item {
            entries += 1;
            if raw.control(sync_message::STATE).is_none() {
                return Err(format!("the server announces content synchronization, but does not answer so below {base}"));
            }
        }
        if entries >= UNLIMITED {
            return Ok(());
        }
    }
    let finished = search.finished().await.map_err(|error| refusal(base.as_str(), &error))?;
    done(&finished).map(|_| ()).ok_or_else(|| format!("the server does not end a content synchronization of {base} as such"))
}

fn start(session: &Session, mark: &Context, mode: Mode, course: Course) -> Search {
    let attributes = vec!["objectClass".to_owned(), session.facts.id_attribute.to_owned()];
    session.search_on(terms(mode, Some(&mark.cookie), course), query(&mark.base, Scope::Subtree, attributes))
}

fn terms(mode: Mode, cookie: Option<&str>, course: Course) -> Terms {
    Terms { controls: vec![sync_message::request(mode, cookie.map(str::as_bytes))], course }
}

fn query(base: &str, scope: Scope, attributes: Vec<String>) -> Query {
    Query { base: base.to_owned(), scope, filter: "(objectClass=*)".to_owned(), attributes }
}

/// RFC 4511 §4.5.1.8: `1.1` asks for no attribute.
fn nothing_of(base: &Dn) -> Query {
    query(base.as_str(), Scope::Subtree, vec!["1.1".to_owned()])
}

fn done(finished: &Finished) -> Option<&[u8]> {
    let control = finished.controls.iter().find(|control| control.ctype == sync_message::DONE)?;
    Some(control.val.as_deref().unwrap_or_default())
}

/// What is there is known only if each part tells it; what one of them then does not name would seem to be gone.
fn all_or_none(told_all: usize, parts: usize) -> Result<(), String> {
    if told_all == 0 || told_all == parts {
        return Ok(());
    }
    Err("one naming context tells what is there, and another what is gone".to_owned())
}

fn told(gathered: Gathered, marks: &[Context]) -> Told {
    let Gathered { touched, gone, present } = gathered;
    Told::Since { touched, gone, present, at: at(marks) }
}

fn at(marks: &[Context]) -> serde_json::Value {
    serde_json::to_value(marks).unwrap_or_default()
}

/// True if the same question may be answered a little later (busy, unavailable, a lost connection).
fn is_passing(error: &SearchError) -> bool {
    error.ends_session() || matches!(error, SearchError::Result { code: 51 | 52, .. })
}

/// What a refused synchronization means, and what the admin can do.
fn refusal(base: &str, error: &SearchError) -> String {
    let SearchError::Result { code, .. } = error else { return error.to_string() };
    match code {
        3 | 4 | 11 => format!(
            "the account may not read {base} in one go: {error}. Give it size=unlimited and time=unlimited \
             (389 Directory Server: nsSizeLimit, nsTimeLimit and nsLookThroughLimit -1); without, tracking: auto uses timestamp"
        ),
        12 => format!("the server does not synchronize {base} (OpenLDAP: without the overlay syncprov): {error}"),
        53 => format!("the server stands before what was read of {base}, as after a restored backup: {error}"),
        // e-syncRefreshRequired (RFC 4533 §2.6).
        4096 => format!("the server cannot tell what changed in {base} since then: e-syncRefreshRequired (4096)"),
        _ => format!("the synchronization of {base} failed: {error}"),
    }
}

fn failed(session: &Session, message: String) -> SourceError {
    SourceError::Failed { url: session.url.to_string(), message }
}

fn unheard(session: &Session) -> SourceError {
    failed(session, "nobody listens any more".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_says_what_it_means_and_only_a_busy_server_is_asked_again() {
        let check = |code, expected: &str, passing| {
            let error = SearchError::Result { code, text: String::new() };
            let why = refusal("dc=x", &error);
            assert!(why.contains(expected), "{why}");
            assert_eq!(is_passing(&error), passing, "{why}");
        };
        check(4, "size=unlimited", false);
        check(11, "nsLookThroughLimit", false);
        check(12, "syncprov", false);
        check(53, "restored backup", false);
        check(4096, "e-syncRefreshRequired (4096)", false);
        check(50, "insufficientAccessRights (50)", false);
        check(51, "busy (51)", true);
        check(52, "unavailable (52)", true);
    }

    #[test]
    fn contexts_tell_all_that_is_there_together_or_not_at_all() {
        assert!(all_or_none(0, 2).is_ok() && all_or_none(2, 2).is_ok() && all_or_none(1, 2).is_err());
    }
}
