//! Changes by modifyTimestamp, for directories that tell them in no better way; what is gone, by reading all ids now
//! and then.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use ldap3::Scope;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::cycle::SourceError;
use crate::ldap::raw_entry::RawEntry;
use crate::ldap::search::{Item, Query, SearchError};
use crate::ldap::session::Session;
use crate::model::{AttributeValue, Dn, EntryId, Touched, Vendor, Wanted};

use super::contexts::contexts;
use super::kind::kind;
use super::{Mark, Told, stamp};

const MODIFIED: &str = "modifyTimestamp";
const CREATED: &str = "createTimestamp";

/// Seconds before the mark that are asked for again: what servers that take writes may differ in their clocks, and what
/// a change may take from one to another. Kerberos tolerates as much (RFC 4120 §5.3); seeing an entry twice does no harm.
const OVERLAP: i64 = 300;

/// Seconds that the server's clock may be behind ours. The mark follows the stamps that are seen, but no further behind
/// our clock than this, so that the last changes of a busy day are not read again all night.
const BEHIND: i64 = 3600;

/// Seconds between two readings of all ids, which find what is gone.
const LISTING: i64 = 600;

/// How far it was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct At {
    bases: Vec<String>,
    /// Stamps before this were read, in seconds since 1970.
    stamp: i64,
    /// When all ids were read, by our clock.
    listed: i64,
}

/// Whether the server offers it and the account may use it: why, or why not.
pub async fn offered(session: &Session, wanted: &Wanted) -> Result<String, String> {
    if session.facts.vendor == Vendor::ActiveDirectory {
        return Err("Active Directory computes modifyTimestamp and cannot search by it; it has usn and dirsync".to_owned());
    }
    for base in contexts(session, wanted) {
        let mut search = session.sample(query(session, &base, "(objectClass=*)".to_owned(), &[MODIFIED, CREATED]));
        let (mut entries, mut stamped) = (0, 0);
        while let Some(item) = search.next().await {
            if let Item::Entry(raw) = item {
                entries += 1;
                stamped += usize::from(newest(&raw).is_some());
            }
        }
        search.finish().await.map_err(|error| format!("{base} cannot be searched: {error}"))?;
        if entries > 0 && stamped == 0 {
            return Err(format!("the account may not read modifyTimestamp below {base}"));
        }
    }
    Ok("entries carry modifyTimestamp; what is gone is found by reading all ids every 10 minutes".to_owned())
}

/// Where the server stands now: which it is, and how far.
pub async fn mark(session: &Session, wanted: &Wanted) -> Result<(String, serde_json::Value), SourceError> {
    let now = now();
    let bases = contexts(session, wanted);
    let mut stamp = now - BEHIND;
    // The last changes, if there were any lately; else the clock alone, with all the time that it may be ahead.
    for base in &bases {
        let seen = touched(session, base, now - BEHIND).await.map_err(|error| failed(session, &error))?;
        if let Ok(seen) = seen {
            stamp = advanced(stamp, now, &seen);
        }
    }
    let bases = bases.iter().map(|base| base.as_str().to_owned()).collect();
    Ok((session.url.to_string(), at(&At { bases, stamp, listed: now })))
}

/// What changed since.
pub async fn changes(session: &Session, wanted: &Wanted, since: &Mark) -> Result<Told, SourceError> {
    let bases = contexts(session, wanted);
    let Ok(mut mark) = serde_json::from_value::<At>(since.at.clone()) else {
        return Ok(Told::Lost("the watermark cannot be read".to_owned()));
    };
    if since.server != session.url.as_str() {
        return Ok(Told::Lost(format!("{} answers instead of {}: their timestamps may differ", session.url, since.server)));
    }
    if !mark.bases.iter().map(String::as_str).eq(bases.iter().map(Dn::as_str)) {
        return Ok(Told::Lost("other naming contexts are tracked than before".to_owned()));
    }
    let now = now();
    let lists = !(0..LISTING).contains(&(now - mark.listed));
    let (mut all, mut present, mut stamp) = (BTreeMap::new(), BTreeSet::new(), mark.stamp);
    for base in &bases {
        match touched(session, base, mark.stamp - OVERLAP).await.map_err(|error| failed(session, &error))? {
            Ok(seen) => {
                stamp = advanced(stamp, now, &seen);
                all.extend(seen.into_iter().map(|(id, (touched, _))| (id, touched)));
            }
            Err(why) => return Ok(Told::Lost(why)),
        }
        if lists {
            match ids(session, base).await.map_err(|error| failed(session, &error))? {
                Ok(ids) => present.extend(ids),
                Err(why) => return Ok(Told::Lost(why)),
            }
        }
    }
    mark.stamp = stamp;
    if lists {
        mark.listed = now;
    }
    Ok(Told::Since { touched: all, gone: BTreeSet::new(), present: lists.then_some(present), at: at(&mark) })
}

/// Tells of changes as they come, as [`crate::cycle::Source::watch`] promises: there is no way to.
pub async fn watch(session: &Session, _: &Wanted, _: &Mark, _: mpsc::Sender<Option<Told>>) -> SourceError {
    let message = "a directory that is tracked by timestamp does not tell of changes as they happen".to_owned();
    SourceError::Failed { url: session.url.to_string(), message }
}

/// What was touched, each with its newest stamp.
type Seen = BTreeMap<EntryId, (Touched, Option<i64>)>;

/// The mark after these were seen. A stamp later than our clock is not trusted: an entry from the future would take the
/// mark past all that changes until then. It comes again each time instead.
fn advanced(mark: i64, now: i64, seen: &Seen) -> i64 {
    let newest = seen.values().filter_map(|(_, stamp)| *stamp).filter(|stamp| *stamp <= now).max();
    mark.max(newest.unwrap_or(mark)).max(now - BEHIND)
}

async fn touched(session: &Session, base: &Dn, from: i64) -> Result<Result<Seen, String>, SearchError> {
    let from = stamp::text(from);
    let filter = format!("(|({MODIFIED}>={from})({CREATED}>={from}))");
    let mut search = session.search(query(session, base, filter, &["objectClass", MODIFIED, CREATED]));
    let (mut seen, mut unknown) = (Seen::new(), None);
    while let Some(item) = search.next().await {
        match item {
            Item::Entry(raw) => match (entry_id(session, &raw), Dn::parse(&raw.dn)) {
                (Some(id), Ok(dn)) => {
                    seen.insert(id, (Touched { dn, kind: kind(&raw) }, newest(&raw)));
                }
                _ => unknown = Some(format!("an entry below {base} was changed of which id or DN cannot be read")),
            },
            Item::Undecodable => unknown = Some(format!("an entry below {base} was changed whose DN is not UTF-8")),
            Item::TooLarge(dn) => unknown = Some(format!("{dn} was changed and is larger than what is accepted")),
            Item::Reference(_) | Item::Intermediate { .. } => {}
        }
    }
    whole(search.finish().await, base, unknown.map_or(Ok(seen), Err))
}

/// The ids of all entries: whole, or why not.
async fn ids(session: &Session, base: &Dn) -> Result<Result<BTreeSet<EntryId>, String>, SearchError> {
    let mut search = session.search(query(session, base, "(objectClass=*)".to_owned(), &[]));
    let mut ids = BTreeSet::new();
    while let Some(item) = search.next().await {
        if let Item::Entry(raw) = item {
            // An entry without an id is in no reading, and so is not missed.
            ids.extend(entry_id(session, &raw));
        }
    }
    whole(search.finish().await, base, Ok(ids))
}

fn whole<T>(end: Result<(), SearchError>, base: &Dn, found: Result<T, String>) -> Result<Result<T, String>, SearchError> {
    match end {
        Ok(()) => Ok(found),
        Err(error) if error.ends_session() || matches!(error, SearchError::Result { code: 51 | 52, .. }) => Err(error),
        Err(error) => Ok(Err(format!("the search below {base} for what changed did not run to its end: {error}"))),
    }
}

fn newest(raw: &RawEntry) -> Option<i64> {
    let stamps = [MODIFIED, CREATED].into_iter().flat_map(|name| raw.values(name));
    stamps.filter_map(AttributeValue::text).filter_map(stamp::seconds).max()
}

fn entry_id(session: &Session, raw: &RawEntry) -> Option<EntryId> {
    session.facts.id_form.entry_id(raw.values(session.facts.id_attribute))
}

fn query(session: &Session, base: &Dn, filter: String, attributes: &[&str]) -> Query {
    let attributes = attributes.iter().copied().chain([session.facts.id_attribute]).map(str::to_owned).collect();
    Query { base: base.as_str().to_owned(), scope: Scope::Subtree, filter, attributes }
}

fn at(mark: &At) -> serde_json::Value {
    serde_json::to_value(mark).unwrap_or_default()
}

fn now() -> i64 {
    Timestamp::now().as_second()
}

fn failed(session: &Session, error: &SearchError) -> SourceError {
    SourceError::Failed { url: session.url.to_string(), message: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Kind;

    #[test]
    fn the_mark_follows_what_is_seen_but_never_into_the_future_or_far_behind() {
        let now = 1_000_000;
        let check = |mark, stamps: &[i64], expected| {
            let touched = Touched { dn: Dn::parse("cn=x").unwrap(), kind: Kind::Any };
            let seen = stamps.iter().map(|stamp| (EntryId::new(&stamp.to_string()), (touched.clone(), Some(*stamp))));
            assert_eq!(advanced(mark, now, &seen.collect()), expected, "{mark} {stamps:?}");
        };
        check(now - 100, &[now - 90, now - 20], now - 20);
        check(now - 100, &[now - 50, now + 1, 9_000_000], now - 50);
        check(now - 100, &[], now - 100);
        check(now - 100, &[now - 300], now - 100);
        check(now - 9000, &[], now - BEHIND);
    }
}
