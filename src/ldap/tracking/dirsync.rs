//! Changes by the DirSync control (MS-ADTS §3.1.1.3.4.1.3).
//!
//! It is asked as who may replicate (DS-Replication-Get-Changes); without that right it would tell less than update
//! sequence numbers do. A Windows domain controller tells such an account of deletions too, Samba only if it may also read
//! CN=Deleted Objects: where nothing deleted is seen, the ids of all are read now and then. All attributes are asked for: the list of attributes is a filter,
//! and a change that it leaves out could be the one by which an entry leaves the scope.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ldap3::Scope;
use ldap3::controls::RawControl;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::cycle::SourceError;
use crate::ldap::ber::{self, Element};
use crate::ldap::raw_entry::RawEntry;
use crate::ldap::search::{Course, Item, Query, SearchError, Terms};
use crate::ldap::session::Session;
use crate::model::{AttributeValue, Dn, EntryId, Kind, Touched, Wanted};

use super::domain_controller::{self as controller, DomainController};
use super::{Mark, Told, deletions, notification};

/// LDAP_SERVER_DIRSYNC_OID.
const DIRSYNC: &str = "1.2.840.113556.1.4.841";

/// LDAP_DIRSYNC_INCREMENTAL_VALUES: of a group of 50,000 only the member that was added comes, not all.
const INCREMENTAL_VALUES: u32 = 0x8000_0000;

/// As many octets in an answer as the server likes.
const MOST_OCTETS: u32 = 0x7fff_ffff;

/// Matches no entry: the answer is a cookie of the present, and nothing else.
const NOTHING: &str = "(!(objectClass=*))";

/// Answers to one question at most. Active Directory goes through some thousand entries for each, and no domain has
/// this many thousands.
const MOST_ANSWERS: usize = 20_000;

/// How far changes were told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct At {
    /// The last update that the domain controller knew of.
    usn: u64,
    /// The cookie of each naming context, in base64.
    cookies: BTreeMap<String, String>,
    /// When all were last known to be there or not, in milliseconds since 1970.
    ids: i64,
}

/// Why changes are not told.
enum Stop {
    /// Only a full reading shows them.
    Lost(String),
    /// They can be asked for again.
    Failed(SourceError),
}

/// Whether the server offers it and the account may use it: why, or why not.
pub async fn offered(session: &Session, wanted: &Wanted) -> Result<String, String> {
    if !session.root.controls.iter().any(|oid| oid == DIRSYNC) {
        return Err("the server does not offer the DirSync control".to_owned());
    }
    let contexts = controller::naming_contexts(session, wanted)?;
    let DomainController { name, .. } = DomainController::ask(session).await.map_err(|error| error.to_string())?;
    for context in &contexts {
        if let Err(error) = ask(session, context, NOTHING, &[], &mut News::default()).await {
            return Err(match error {
                Stop::Failed(error) => error.to_string(),
                Stop::Lost(why) => {
                    format!(
                        "{why}; it wants the right DS-Replication-Get-Changes (\"Replicating Directory Changes\") on {context}"
                    )
                }
            });
        }
    }
    let told = match controller::sees_deleted(session, &contexts).await {
        Ok(true) => "deletions are told too",
        Ok(false) => deletions::NOT_SHOWN,
        Err(error) => return Err(error.to_string()),
    };
    Ok(format!("the bind account may ask the domain controller {name} by DirSync what changed; {told}"))
}

/// Where the server stands now: which it is, and how far.
pub async fn mark(session: &Session, wanted: &Wanted) -> Result<(String, serde_json::Value), SourceError> {
    let now = DomainController::ask(session).await?;
    let contexts = controller::naming_contexts(session, wanted).map_err(|why| controller::says(session, why))?;
    let mut cookies = BTreeMap::new();
    for context in &contexts {
        let cookie = all(session, context, NOTHING, Vec::new(), &mut News::default()).await.map_err(|stop| match stop {
            Stop::Lost(why) => controller::says(session, why),
            Stop::Failed(error) => error,
        })?;
        cookies.insert(context.as_str().to_owned(), STANDARD.encode(cookie));
    }
    Ok((now.invocation, At { usn: now.usn, cookies, ids: session.opened.0 }.into()))
}

/// What changed since.
///
/// A cookie may be shown to another domain controller too, which then tells more than what changed, up to everything:
/// a full reading costs less than a look at each.
pub async fn changes(session: &Session, wanted: &Wanted, since: &Mark) -> Result<Told, SourceError> {
    let Ok(at) = serde_json::from_value::<At>(since.at.clone()) else {
        return Ok(Told::Lost("how far the changes were told cannot be read".to_owned()));
    };
    let now = DomainController::ask(session).await?;
    if let Some(why) = now.lost(&since.server, at.usn) {
        return Ok(Told::Lost(why));
    }
    let contexts = match controller::naming_contexts(session, wanted) {
        Ok(contexts) => contexts,
        Err(why) => return Ok(Told::Lost(why)),
    };
    let mut news = News::default();
    let mut cookies = BTreeMap::new();
    for context in &contexts {
        let cookie = at.cookies.get(context.as_str()).and_then(|cookie| STANDARD.decode(cookie).ok());
        let Some(cookie) = cookie else {
            return Ok(Told::Lost(format!("it was not told how far the changes below {context} were read")));
        };
        let next = match all(session, context, controller::ANYTHING, cookie, &mut news).await {
            Ok(next) => next,
            Err(Stop::Lost(why)) => return Ok(Told::Lost(why)),
            Err(Stop::Failed(error)) => return Err(error),
        };
        cookies.insert(context.as_str().to_owned(), STANDARD.encode(next));
        let unknown = std::mem::take(&mut news.unknown);
        if let Err(error) = controller::look_up(session, context, &unknown, &mut news.touched).await {
            return Err(controller::failed(session, "the kinds of the entries that changed", &error));
        }
    }
    let (present, ids) = deletions::present(session, &contexts, wanted, at.ids).await?;
    Ok(Told::Since { touched: news.touched, gone: news.gone, present, at: At { usn: now.usn, cookies, ids }.into() })
}

/// Tells of changes as they come, as [`crate::cycle::Source::watch`] promises; `None`: something changed.
pub async fn watch(session: &Session, wanted: &Wanted, _since: &Mark, heard: mpsc::Sender<Option<Told>>) -> SourceError {
    notification::watch(session, wanted, heard).await
}

/// What was told.
#[derive(Debug, Default)]
struct News {
    touched: BTreeMap<EntryId, Touched>,
    gone: BTreeSet<EntryId>,
    /// Entries of which it was not told what they are, only what of them changed: their ids as the server writes them.
    unknown: BTreeMap<EntryId, AttributeValue>,
}

impl News {
    fn take(&mut self, session: &Session, entry: &RawEntry) -> Result<(), String> {
        let octets = entry.values(session.facts.id_attribute).first().cloned();
        let (Some(id), Some(octets)) = (controller::id(session, entry), octets) else {
            return Err("a change was told without the id of the entry".to_owned());
        };
        if controller::is_deleted(entry) {
            self.touched.remove(&id);
            self.unknown.remove(&id);
            self.gone.insert(id);
            return Ok(());
        }
        let dn = Dn::parse(controller::plain_dn(&entry.dn))
            .map_err(|error| format!("the DN of an entry that changed cannot be read: {error}"))?;
        let kind = controller::kind(entry);
        if kind == Kind::Any {
            self.unknown.insert(id.clone(), octets);
        }
        self.gone.remove(&id);
        self.touched.insert(id, Touched { dn, kind });
        Ok(())
    }
}

/// Asks until nothing more comes; returns the cookie of the end.
async fn all(session: &Session, context: &Dn, filter: &str, mut cookie: Vec<u8>, news: &mut News) -> Result<Vec<u8>, Stop> {
    for _ in 0..MOST_ANSWERS {
        let answer = ask(session, context, filter, &cookie, news).await?;
        cookie = answer.cookie;
        if !answer.more {
            return Ok(cookie);
        }
    }
    Err(Stop::Failed(controller::says(session, "what changed comes without end".to_owned())))
}

/// Asks once.
async fn ask(session: &Session, context: &Dn, filter: &str, cookie: &[u8], news: &mut News) -> Result<Answer, Stop> {
    let control = RawControl { ctype: DIRSYNC.to_owned(), crit: true, val: Some(question(cookie)) };
    let query = Query {
        base: context.as_str().to_owned(),
        scope: Scope::Subtree,
        filter: filter.to_owned(),
        attributes: vec!["*".to_owned()],
    };
    let mut search = session.search_on(Terms { controls: vec![control], course: Course::Whole }, query);
    while let Some(item) = search.next().await {
        match item {
            Item::Entry(entry) => news.take(session, &entry).map_err(Stop::Lost)?,
            Item::Undecodable => return Err(Stop::Lost(format!("something changed below {context} whose DN is not UTF-8"))),
            Item::TooLarge(dn) => return Err(Stop::Lost(format!("{dn} was changed and is larger than what is accepted"))),
            // Other partitions of the forest: what is wanted is in this one.
            Item::Reference(_) | Item::Intermediate { .. } => {}
        }
    }
    let finished = search.finished().await.map_err(|error| stop(session, context, &error))?;
    let control = finished.controls.iter().find(|control| control.ctype == DIRSYNC);
    control.and_then(|control| answer(control.val.as_deref().unwrap_or_default())).ok_or_else(|| {
        Stop::Failed(controller::says(session, "the answer to DirSync came without a cookie that can be read".to_owned()))
    })
}

/// What a failure means: a server that is in trouble may be asked again, one that refuses will not take the cookie.
fn stop(session: &Session, context: &Dn, error: &SearchError) -> Stop {
    match error {
        // busy, unavailable, timeLimitExceeded, adminLimitExceeded: passing trouble.
        SearchError::Result { code: 3 | 11 | 51 | 52, .. }
        | SearchError::Pages(_)
        | SearchError::Silence(_)
        | SearchError::Lost(_) => Stop::Failed(controller::failed(session, &format!("what changed below {context}"), error)),
        SearchError::Result { .. } => {
            Stop::Lost(format!("the server refuses to tell by DirSync what changed below {context}: {error}"))
        }
    }
}

/// An answer's control.
#[derive(Debug, PartialEq, Eq)]
struct Answer {
    more: bool,
    cookie: Vec<u8>,
}

/// DirSyncRequestValue. Microsoft's own clients write the flags as 32 bits with a sign.
fn question(cookie: &[u8]) -> Vec<u8> {
    let flags = ber::write(0x02, &INCREMENTAL_VALUES.to_be_bytes());
    ber::write(0x30, &[flags, ber::write_unsigned(0x02, MOST_OCTETS), ber::write(0x04, cookie)].concat())
}

/// DirSyncResponseValue.
fn answer(value: &[u8]) -> Option<Answer> {
    ber::check_nesting(value, 4).ok()?;
    let Element { tag: 0x30, content } = ber::only(value).ok()? else { return None };
    let mut parts = ber::elements(content);
    let Element { tag: 0x02, content: more } = parts.next()?.ok()? else { return None };
    let Element { tag: 0x02, .. } = parts.next()?.ok()? else { return None };
    let Element { tag: 0x04, content: cookie } = parts.next()?.ok()? else { return None };
    let more = more.iter().any(|octet| *octet != 0);
    (parts.next().is_none() && !cookie.is_empty()).then(|| Answer { more, cookie: cookie.to_vec() })
}

impl From<At> for serde_json::Value {
    fn from(at: At) -> Self {
        serde_json::json!({ "usn": at.usn, "cookies": at.cookies, "ids": at.ids })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ldap::tracking::Way;

    #[test]
    fn a_mark_is_written_as_it_was_before() {
        let cookies = BTreeMap::from([("DC=ad,DC=test".to_owned(), STANDARD.encode(b"MSDS\x03"))]);
        let at = At { usn: 4711, cookies, ids: 5 };
        let mark = Mark { way: Way::DirSync, server: "3f2504e0-4f89-11d3-9a0c-0305e82c3301".to_owned(), at: at.clone().into() };
        let text = r#"{"way":"dirsync","server":"3f2504e0-4f89-11d3-9a0c-0305e82c3301","at":{"cookies":{"DC=ad,DC=test":"TVNEUwM="},"ids":5,"usn":4711}}"#;
        assert_eq!(serde_json::to_string(&mark).unwrap(), text);
        assert_eq!(serde_json::from_value::<At>(mark.at).unwrap(), at);
    }

    #[test]
    fn the_control_is_written_as_microsoft_does() {
        let expected = [0x30, 15, 2, 4, 0x80, 0, 0, 0, 2, 4, 0x7f, 0xff, 0xff, 0xff, 4, 1, b'c'];
        assert_eq!(question(b"c"), expected);
    }

    #[test]
    fn an_answer_is_read_and_a_bad_one_noticed() {
        let control = |more: u32, cookie: &[u8]| {
            ber::write(0x30, &[ber::write_unsigned(2, more), ber::write_unsigned(2, 0), ber::write(4, cookie)].concat())
        };
        assert_eq!(answer(&control(1, b"c")), Some(Answer { more: true, cookie: b"c".to_vec() }));
        assert_eq!(answer(&control(0, b"cc")), Some(Answer { more: false, cookie: b"cc".to_vec() }));
        for bad in [&b""[..], &[0x30], &[0x30, 0], &control(0, b""), &[0x30, 3, 2, 1, 0], &[0x30, 0x80, 0, 0]] {
            assert_eq!(answer(bad), None, "{bad:?}");
        }
    }
}
