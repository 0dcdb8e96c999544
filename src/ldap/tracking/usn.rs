//! Changes by update sequence numbers of one domain controller (MS-ADTS §3.1.1.1.9).
//!
//! Whatever changed below the root of the naming context is asked for: an entry that left the admin's bases or filters
//! changed too. Deletions come the same way if the account sees what was deleted. Otherwise the ids of all are read
//! now and then.

use std::collections::{BTreeMap, BTreeSet};

use ldap3::Scope;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::cycle::SourceError;
use crate::ldap::search::{Item, Query, SearchError};
use crate::ldap::session::Session;
use crate::model::{Dn, EntryId, Touched, Wanted};

use super::domain_controller::{self as controller, DomainController};
use super::{Mark, Told, deletions, notification};

/// How far changes were told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct At {
    /// The last update.
    usn: u64,
    /// When all were last known to be there or not, in milliseconds since 1970.
    ids: i64,
}

/// Whether the server offers it and the account may use it: why, or why not.
pub async fn offered(session: &Session, wanted: &Wanted) -> Result<String, String> {
    let contexts = controller::naming_contexts(session, wanted)?;
    let DomainController { name, .. } = DomainController::ask(session).await.map_err(|error| error.to_string())?;
    let told = match controller::sees_deleted(session, &contexts).await {
        Ok(true) => "deletions are told too",
        Ok(false) => deletions::NOT_SHOWN,
        Err(error) => return Err(error.to_string()),
    };
    Ok(format!("the domain controller {name} numbers its updates; {told}"))
}

/// Where the server stands now: which it is, and how far.
pub async fn mark(session: &Session, _wanted: &Wanted) -> Result<(String, serde_json::Value), SourceError> {
    let now = DomainController::ask(session).await?;
    Ok((now.invocation, At { usn: now.usn, ids: session.opened.0 }.into()))
}

/// What changed since.
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
    let mut touched = BTreeMap::new();
    let mut gone = BTreeSet::new();
    if now.usn > at.usn {
        for context in &contexts {
            match updates(session, context, at.usn, &mut touched, &mut gone).await {
                Ok(None) => {}
                Ok(Some(why)) => return Ok(Told::Lost(why)),
                Err(error) => return Err(controller::failed(session, &format!("what changed below {context}"), &error)),
            }
        }
    }
    let (present, ids) = deletions::present(session, &contexts, wanted, at.ids).await?;
    Ok(Told::Since { touched, gone, present, at: At { usn: now.usn, ids }.into() })
}

/// Tells of changes as they come, as [`crate::cycle::Source::watch`] promises; `None`: something changed.
pub async fn watch(session: &Session, wanted: &Wanted, _since: &Mark, heard: mpsc::Sender<Option<Told>>) -> SourceError {
    notification::watch(session, wanted, heard).await
}

/// Takes in what was updated after `usn`; a sentence where something of it cannot be told.
async fn updates(
    session: &Session,
    context: &Dn,
    usn: u64,
    touched: &mut BTreeMap<EntryId, Touched>,
    gone: &mut BTreeSet<EntryId>,
) -> Result<Option<String>, SearchError> {
    let query = Query {
        base: context.as_str().to_owned(),
        scope: Scope::Subtree,
        filter: format!("(uSNChanged>={})", usn.saturating_add(1)),
        attributes: controller::IDENTITY.map(str::to_owned).to_vec(),
    };
    let mut search = session.search_on(controller::show_deleted(), query);
    while let Some(item) = search.next().await {
        let entry = match item {
            Item::Entry(entry) => entry,
            Item::Undecodable => return Ok(Some(format!("something changed below {context} whose DN is not UTF-8"))),
            Item::TooLarge(dn) => return Ok(Some(format!("{dn} was changed and is larger than what is accepted"))),
            // Other partitions of the forest: what is wanted is in this one.
            Item::Reference(_) | Item::Intermediate { .. } => continue,
        };
        // An entry whose id we may not read was never among ours.
        let Some(id) = controller::id(session, &entry) else { continue };
        if controller::is_deleted(&entry) {
            gone.insert(id);
            continue;
        }
        match Dn::parse(&entry.dn) {
            Ok(dn) => touched.insert(id, Touched { dn, kind: controller::kind(&entry) }),
            Err(error) => return Ok(Some(format!("something changed below {context} whose DN cannot be read: {error}"))),
        };
    }
    search.finish().await.map(|()| None)
}

impl From<At> for serde_json::Value {
    fn from(at: At) -> Self {
        serde_json::json!({ "usn": at.usn, "ids": at.ids })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ldap::tracking::Way;

    #[test]
    fn a_mark_is_written_as_it_was_before() {
        let mark = Mark {
            way: Way::Usn,
            server: "3f2504e0-4f89-11d3-9a0c-0305e82c3301".to_owned(),
            at: At { usn: 4711, ids: 5 }.into(),
        };
        let text = r#"{"way":"usn","server":"3f2504e0-4f89-11d3-9a0c-0305e82c3301","at":{"ids":5,"usn":4711}}"#;
        assert_eq!(serde_json::to_string(&mark).unwrap(), text);
        assert_eq!(serde_json::from_value::<At>(mark.at).unwrap(), At { usn: 4711, ids: 5 });
    }
}
