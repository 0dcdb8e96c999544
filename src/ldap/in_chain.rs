//! Active Directory's own way of following nested groups, where the admin asks for it: the matching rule in-chain (MS-ADTS
//! §3.1.1.3.4.4.3) finds the groups below one that decides scope in one search. It only says which groups to read, so that
//! the answer is the walk's. It pays where thousands of users outside the bases stand in groups: a walk asks for each of
//! them whether it is a group. On a large domain the rule itself takes the server many seconds.

use ldap3::Scope;

use crate::model::Dn;

use super::reading::{Halt, Reading};
use super::search::{Item, Query};

const IN_CHAIN: &str = "memberOf:1.2.840.113556.1.4.1941:";

impl Reading<'_> {
    /// Looks for the groups below some by the rule. `None` where that is not asked for or cannot be done: they are walked
    /// then.
    pub(super) async fn groups_in_chain(&mut self, roots: &[Dn]) -> Result<Option<Vec<Dn>>, Halt> {
        let facts = self.session.facts;
        if !self.session.in_chain || !facts.listing.in_chain {
            return Ok(None);
        }
        let mut found = Vec::new();
        for root in roots {
            let filter = format!("(&{}({IN_CHAIN}={}))", facts.group_filter, ldap3::ldap_escape(root.as_str()));
            for base in self.domains() {
                let (filter, attributes) = (filter.clone(), vec!["1.1".to_owned()]);
                let query = Query { base: base.as_str().to_owned(), scope: Scope::Subtree, filter, attributes };
                let mut search = self.session.search(query);
                while let Some(item) = search.next().await {
                    if let Item::Entry(raw) = item {
                        found.extend(Dn::parse(&raw.dn));
                    }
                }
                match search.finish().await {
                    Ok(()) => {}
                    Err(error) if error.ends_session() => {
                        self.causes.add(format!("the search for groups in {root} did not run to its end: {error}"));
                        return Err(Halt::ConnectionLost);
                    }
                    Err(error) => {
                        tracing::info!(group = %root, %error, "the rule in-chain failed; nested groups are walked instead");
                        return Ok(None);
                    }
                }
            }
        }
        Ok(Some(found))
    }

    /// True if the rule shows this entry, should it be a group: it stands in a domain of this server, and not in one below,
    /// which another server holds.
    pub(super) fn is_shown_in_chain(&self, dn: &Dn) -> bool {
        self.domains().iter().any(|domain| {
            let head = dn.key().as_str().strip_suffix(domain.key().as_str()).unwrap_or_default();
            dn.is_within(domain) && !head.split(',').any(|name| name.starts_with("dc="))
        })
    }

    fn domains(&self) -> Vec<Dn> {
        let contexts = self.session.root.naming_contexts.iter().filter_map(|context| Dn::parse(context).ok());
        let is_domain = |dn: &Dn| {
            let key = dn.key().as_str();
            key.starts_with("dc=") && !["dc=domaindnszones,", "dc=forestdnszones,"].iter().any(|zone| key.starts_with(zone))
        };
        contexts.filter(is_domain).collect()
    }
}
