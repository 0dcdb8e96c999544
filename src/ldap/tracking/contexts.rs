//! The naming contexts in which changes matter: wider than the admin's bases, so that what leaves them is seen.

use crate::ldap::reading::outermost;
use crate::ldap::session::Session;
use crate::model::{Dn, Wanted};

/// The innermost naming context around each base that is wanted and each group that decides scope; the base itself
/// where the server names none.
pub(super) fn contexts(session: &Session, wanted: &Wanted) -> Vec<Dn> {
    let named: Vec<Dn> = session.root.naming_contexts.iter().filter_map(|text| Dn::parse(text).ok()).collect();
    around(&named, wanted)
}

fn around(named: &[Dn], wanted: &Wanted) -> Vec<Dn> {
    let groups = wanted.groups.iter().flat_map(|groups| &groups.base_dns);
    let scope = wanted.scope_groups.iter().map(|group| &group.dn);
    let bases = wanted.users.base_dns.iter().chain(groups).chain(scope);
    let innermost = |base: &Dn| {
        let holding = named.iter().filter(|context| base.is_within(context));
        holding.max_by_key(|context| context.key().as_str().len()).unwrap_or(base).clone()
    };
    let mut contexts = outermost(&bases.map(innermost).collect::<Vec<_>>());
    contexts.sort_by(|a, b| a.key().cmp(b.key()));
    contexts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ScopeGroup, Selection};

    #[test]
    fn the_context_around_each_base_is_tracked_once() {
        let dn = |text: &str| Dn::parse(text).unwrap();
        let dns = |texts: &[&str]| texts.iter().map(|text| dn(text)).collect::<Vec<_>>();
        let check = |named: &[&str], users: &[&str], groups: &[&str], scope: &[&str], expected: &[&str]| {
            let selection = |bases: &[&str]| Selection { base_dns: dns(bases), filter: None };
            let wanted = Wanted {
                users: selection(users),
                user_attributes: Vec::new(),
                groups: Some(selection(groups)),
                group_attributes: Vec::new(),
                membership: true,
                scope_groups: scope.iter().map(|text| ScopeGroup { dn: dn(text), id: None }).collect(),
            };
            assert_eq!(around(&dns(named), &wanted), dns(expected));
        };
        check(&["dc=a", "dc=b"], &["ou=p,DC=A", "ou=q,dc=a"], &[], &[], &["dc=a"]);
        check(&["dc=a", "dc=b"], &["ou=p,dc=a"], &["dc=b"], &["cn=s,dc=c"], &["cn=s,dc=c", "dc=a", "dc=b"]);
        check(&["dc=x,dc=a", "dc=a"], &["ou=p,dc=x,dc=a"], &[], &[], &["dc=x,dc=a"]);
        check(&[], &["ou=p,dc=a"], &["ou=g,ou=p,dc=a"], &[], &["ou=p,dc=a"]);
    }
}
