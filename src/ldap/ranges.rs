//! The rest of an attribute of which the server sent a range only (MS-ADTS §3.1.1.3.1.3.3).

use ldap3::Scope;

use crate::model::{AttributeName, AttributeValue};

use super::raw_entry::RawEntry;
use super::search::{Item, Query, SearchError};
use super::session::Session;

/// Ranges fetched of one attribute at most: six million values at Active Directory's 1500 a range.
const MOST: usize = 4096;

/// Fetches everything from position `next` on.
pub async fn rest(session: &Session, dn: &str, name: &AttributeName, mut next: u64) -> Result<Vec<AttributeValue>, SearchError> {
    let mut all = Vec::new();
    for _ in 0..MOST {
        let mut entry = fetch(session, dn, name, next).await?;
        let range = entry.range(name);
        let values = entry.take(name);
        let Some(range) = range.filter(|range| !values.is_empty() && range.first == next) else {
            return Err(SearchError::Pages("the server sent another range than the one asked for"));
        };
        all.extend(values);
        match range.last {
            None => return Ok(all),
            Some(last) if last >= next => next = last.saturating_add(1),
            Some(_) => return Err(SearchError::Pages("the server sent a range that goes backwards")),
        }
    }
    Err(SearchError::Pages("the server sends ranges without end"))
}

async fn fetch(session: &Session, dn: &str, name: &AttributeName, next: u64) -> Result<RawEntry, SearchError> {
    let mut search = session.search(Query {
        base: dn.to_owned(),
        scope: Scope::Base,
        filter: "(objectClass=*)".to_owned(),
        attributes: vec![format!("{name};range={next}-*")],
    });
    let mut found = None;
    while let Some(item) = search.next().await {
        if let Item::Entry(entry) = item {
            found = Some(entry);
        }
    }
    search.finish().await?;
    found.ok_or(SearchError::Pages("the entry was not found again for the rest of its values"))
}
