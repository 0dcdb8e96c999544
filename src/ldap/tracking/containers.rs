//! Entries that may stand above others: one that is moved or renamed takes along what is below, of which nothing is told.

use std::collections::BTreeMap;

use ldap3::Scope;

use crate::ldap::look::bases;
use crate::ldap::reading::outermost;
use crate::ldap::search::{Item, Query, SearchError};
use crate::ldap::session::Session;
use crate::model::{Dn, EntryId, Wanted};

/// Reads them in every suffix that holds a base, those above the bases too.
pub async fn containers(session: &Session, wanted: &Wanted) -> Result<BTreeMap<EntryId, Dn>, SearchError> {
    let facts = session.facts;
    let mut all = BTreeMap::new();
    for suffix in outermost(&session.root.suffixes_of(bases(wanted))) {
        let mut search = session.search(Query {
            base: suffix.as_str().to_owned(),
            scope: Scope::Subtree,
            filter: facts.container_filter.to_owned(),
            attributes: vec![facts.id_attribute.to_owned()],
        });
        while let Some(item) = search.next().await {
            if let Item::Entry(raw) = item
                && let (Some(id), Ok(dn)) = (facts.id_form.entry_id(raw.values(facts.id_attribute)), Dn::parse(&raw.dn))
            {
                all.insert(id, dn);
            }
        }
        search.finish().await?;
    }
    Ok(all)
}
