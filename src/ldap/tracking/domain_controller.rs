//! A domain controller as the ways of telling changes see it: which one it is, how far it is, and what it holds.

use std::collections::{BTreeMap, BTreeSet};

use ldap3::Scope;
use ldap3::controls::RawControl;

use crate::cycle::SourceError;
use crate::ldap::raw_entry::RawEntry;
use crate::ldap::search::{Item, Query, Search, SearchError, Terms};
use crate::ldap::session::Session;
use crate::model::{AttributeValue, Dn, EntryId, Kind, Selection, Touched, Wanted};

/// Everything.
pub const ANYTHING: &str = "(objectClass=*)";

/// What tells who an entry is and of what kind.
pub const IDENTITY: [&str; 3] = ["objectGUID", "objectClass", "isDeleted"];

/// Shows what was deleted (MS-ADTS §3.1.1.3.4.1.14).
const SHOW_DELETED: &str = "1.2.840.113556.1.4.417";

/// GUID_DELETED_OBJECTS_CONTAINER_W: the container of what was deleted, whatever it is called (MS-ADTS §6.1.1.4).
const DELETED_OBJECTS: &str = "18E2EA80684F11D2B9AA00C04F79F805";

/// Ids asked for in one search: the filter of so many stays under 6 KiB.
const IDS_AT_ONCE: usize = 100;

/// Classes of entries that are there to have others below them (MS-ADSC), as the vendor's facts name them; domainDNS is a
/// domain.
const CONTAINERS: [&str; 8] =
    ["organizationalunit", "container", "builtindomain", "domaindns", "domain", "locality", "organization", "country"];

/// The domain controller that answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DomainController {
    /// Its name.
    pub name: String,
    /// Which copy of its database it is: another after a restore (MS-ADTS §3.1.1.1.9).
    pub invocation: String,
    /// The last change that it knows of.
    pub usn: u64,
}

impl DomainController {
    /// Asks which it is.
    pub async fn ask(session: &Session) -> Result<Self, SourceError> {
        let names = ["dsServiceName", "highestCommittedUSN", "dnsHostName"];
        let root = one(session, String::new(), &names).await.map_err(|error| failed(session, "its root DSE", &error))?;
        let text = |name| root.as_ref().and_then(|root| only_text(root, name)).unwrap_or_default();
        let usn = text("highestCommittedUSN").parse().ok();
        let settings = text("dsServiceName");
        let (Some(usn), false) = (usn, settings.is_empty()) else {
            return Err(says(session, "its root DSE does not say how far its changes go".to_owned()));
        };
        let entry = one(session, settings, &["invocationId"]).await;
        let entry = entry.map_err(|error| failed(session, "its own settings (invocationId)", &error))?;
        let octets = entry.as_ref().and_then(|entry| entry.values("invocationId").first());
        let invocation = octets.and_then(|octets| session.facts.id_form.entry_id(std::slice::from_ref(octets)));
        let Some(invocation) = invocation else {
            return Err(says(session, "the bind account may not read its invocationId".to_owned()));
        };
        Ok(Self { name: text("dnsHostName"), invocation: invocation.as_str().to_owned(), usn })
    }

    /// Why changes since another look cannot be told by this one, if so.
    pub fn lost(&self, invocation: &str, usn: u64) -> Option<String> {
        if self.invocation != invocation {
            return Some(format!(
                "the domain controller {} answers, and another one, or this one before it was restored, told the changes until now: \
                 its invocationId is {}, it was {invocation}",
                self.name, self.invocation
            ));
        }
        (self.usn < usn).then(|| {
            format!(
                "the domain controller {} is at update {}, and was at {usn} before: its database was put back to an older state",
                self.name, self.usn
            )
        })
    }
}

/// The naming contexts of this server that hold what is wanted, or why there are none.
pub fn naming_contexts(session: &Session, wanted: &Wanted) -> Result<Vec<Dn>, String> {
    let all: Vec<Dn> = session.root.naming_contexts.iter().filter_map(|text| Dn::parse(text).ok()).collect();
    holding(&all, wanted)
}

fn holding(all: &[Dn], wanted: &Wanted) -> Result<Vec<Dn>, String> {
    let context = |dn: &Dn| all.iter().filter(|context| dn.is_within(context)).max_by_key(|context| context.key().as_str().len());
    let bases = wanted.users.base_dns.iter().chain(wanted.groups.iter().flat_map(|groups| &groups.base_dns));
    let mut found = BTreeSet::new();
    for base in bases {
        found.insert(context(base).ok_or_else(|| format!("the server does not hold {base}"))?.clone());
    }
    found.extend(wanted.scope_groups.iter().filter_map(|group| context(&group.dn)).cloned());
    Ok(found.into_iter().collect())
}

/// The control that shows what was deleted.
pub fn show_deleted() -> Terms {
    let control = RawControl { ctype: SHOW_DELETED.to_owned(), crit: true, val: None };
    Terms { controls: vec![control], ..Terms::default() }
}

/// True if the account is seen to see what was deleted. Whether it may is not told otherwise: who may not is shown
/// nothing, as if nothing had been deleted.
pub async fn sees_deleted(session: &Session, contexts: &[Dn]) -> Result<bool, SearchError> {
    for context in contexts {
        let query = Query {
            base: format!("<WKGUID={DELETED_OBJECTS},{context}>"),
            scope: Scope::OneLevel,
            filter: "(isDeleted=TRUE)".to_owned(),
            attributes: vec!["isDeleted".to_owned()],
        };
        let mut search = session.search_on(show_deleted(), query);
        // One is enough; the rest is not waited for.
        if let Some(Item::Entry(_)) = search.next().await {
            continue;
        }
        return match search.finish().await {
            Err(error) if error.ends_session() => Err(error),
            Ok(()) | Err(_) => Ok(false),
        };
    }
    Ok(true)
}

/// The ids of all users and groups of these naming contexts, and of whatever the admin's filters match there.
pub async fn present(session: &Session, contexts: &[Dn], wanted: &Wanted) -> Result<BTreeSet<EntryId>, SearchError> {
    let mut all = BTreeSet::new();
    let filter = present_filter(&wanted.users, wanted.groups.as_ref());
    for context in contexts {
        let attributes = vec![IDENTITY[0].to_owned()];
        let query = Query { base: context.as_str().to_owned(), scope: Scope::Subtree, filter: filter.clone(), attributes };
        let mut search = session.search(query);
        while let Some(item) = search.next().await {
            if let Item::Entry(entry) = item {
                all.extend(id(session, &entry));
            }
        }
        search.finish().await?;
    }
    Ok(all)
}

fn present_filter(users: &Selection, groups: Option<&Selection>) -> String {
    let own = [Some(users), groups].into_iter().flatten().filter_map(|selection| selection.filter.as_deref()).map(str::trim);
    let own: String = own.map(|filter| if filter.starts_with('(') { filter.to_owned() } else { format!("({filter})") }).collect();
    format!("(|(objectCategory=person)(objectCategory=group){own})")
}

/// Looks up where these entries are now and of what kind they are; `octets` are their ids as the server writes them.
/// Those that are not seen stay as they are.
pub async fn look_up(
    session: &Session,
    context: &Dn,
    octets: &BTreeMap<EntryId, AttributeValue>,
    touched: &mut BTreeMap<EntryId, Touched>,
) -> Result<(), SearchError> {
    let unknown: Vec<&AttributeValue> = octets.values().collect();
    for some in unknown.chunks(IDS_AT_ONCE) {
        let ids: String = some.iter().map(|value| format!("(objectGUID={})", escaped(value.octets()))).collect();
        let query = Query {
            base: context.as_str().to_owned(),
            scope: Scope::Subtree,
            filter: format!("(|{ids})"),
            attributes: IDENTITY.map(str::to_owned).to_vec(),
        };
        let mut search = session.search(query);
        while let Some(item) = search.next().await {
            if let Item::Entry(entry) = item
                && let (Some(id), Ok(dn)) = (id(session, &entry), Dn::parse(&entry.dn))
            {
                touched.insert(id, Touched { dn, kind: kind(&entry) });
            }
        }
        search.finish().await?;
    }
    Ok(())
}

/// The lasting id, if it came.
pub fn id(session: &Session, entry: &RawEntry) -> Option<EntryId> {
    session.facts.id_form.entry_id(entry.values(session.facts.id_attribute))
}

/// True for a tombstone, a deleted object or a recycled one.
pub fn is_deleted(entry: &RawEntry) -> bool {
    only_text(entry, "isDeleted").is_some_and(|text| text.eq_ignore_ascii_case("true"))
}

/// What kind of entry it is, by its classes.
pub fn kind(entry: &RawEntry) -> Kind {
    let classes: BTreeSet<String> =
        entry.values("objectClass").iter().filter_map(AttributeValue::text).map(str::to_ascii_lowercase).collect();
    let is = |names: &[&str]| names.iter().any(|name| classes.contains(*name));
    if is(&["group"]) {
        Kind::Group
    } else if is(&["person", "user"]) {
        Kind::User
    } else if is(&CONTAINERS) {
        Kind::Container
    } else {
        Kind::Any
    }
}

/// The DN of an entry without what an extended form puts before it: `<GUID=…>;<SID=…>;CN=…` (MS-ADTS §3.1.1.3.4.1.5).
pub fn plain_dn(mut text: &str) -> &str {
    while let Some((_, rest)) = text.strip_prefix('<').and_then(|rest| rest.split_once(">;")) {
        text = rest;
    }
    text
}

/// A failure of the server, as an error.
pub fn failed(session: &Session, what: &str, error: &SearchError) -> SourceError {
    says(session, format!("{what} could not be read: {error}"))
}

/// A sentence about the server, as an error.
pub fn says(session: &Session, message: String) -> SourceError {
    SourceError::Failed { url: session.url.to_string(), message }
}

async fn one(session: &Session, base: String, names: &[&str]) -> Result<Option<RawEntry>, SearchError> {
    let attributes = names.iter().map(|name| (*name).to_owned()).collect();
    let query = Query { base, scope: Scope::Base, filter: ANYTHING.to_owned(), attributes };
    let mut search: Search = session.search(query);
    let mut found = None;
    while let Some(item) = search.next().await {
        if let Item::Entry(entry) = item {
            found = Some(entry);
        }
    }
    search.finish().await.map(|()| found)
}

fn only_text(entry: &RawEntry, name: &str) -> Option<String> {
    match entry.values(name) {
        [value] => value.text().map(str::to_owned),
        _ => None,
    }
}

fn escaped(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("\\{octet:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ScopeGroup;

    fn dn(text: &str) -> Dn {
        Dn::parse(text).unwrap()
    }

    #[test]
    fn only_the_same_database_that_did_not_go_back_tells_what_changed() {
        let now = DomainController { name: "dc1.ad.test".to_owned(), invocation: "a".to_owned(), usn: 10 };
        assert_eq!(now.lost("a", 9), None);
        assert_eq!(now.lost("a", 10), None);
        let other = now.lost("b", 9).unwrap();
        assert!(["dc1.ad.test", "is a", "was b"].iter().all(|part| other.contains(part)), "{other}");
        let back = now.lost("a", 11).unwrap();
        assert!(["dc1.ad.test", "10", "11"].iter().all(|part| back.contains(part)), "{back}");
    }

    #[test]
    fn the_kind_is_told_by_the_classes() {
        let check = |classes: &[&str], expected| {
            let mut entry = RawEntry::empty("cn=x");
            entry.add("objectClass", classes.iter().map(|class| class.as_bytes().to_vec()).collect());
            assert_eq!(kind(&entry), expected, "{classes:?}");
        };
        check(&["top", "person", "organizationalPerson", "user"], Kind::User);
        check(&["top", "person", "organizationalPerson", "contact"], Kind::User);
        check(&["top", "Group"], Kind::Group);
        check(&["top", "organizationalUnit"], Kind::Container);
        check(&["top", "container"], Kind::Container);
        check(&["top", "builtinDomain"], Kind::Container);
        check(&["top", "domain", "domainDNS"], Kind::Container);
        check(&["top", "dnsNode"], Kind::Any);
        check(&[], Kind::Any);
    }

    #[test]
    fn a_dn_is_understood_in_its_extended_form() {
        assert_eq!(plain_dn("<GUID=a>;<SID=b>;CN=c,DC=x"), "CN=c,DC=x");
        assert_eq!(plain_dn("<GUID=a>;CN=c\\3E\\;,DC=x"), "CN=c\\3E\\;,DC=x");
        assert_eq!(plain_dn("CN=c,DC=x"), "CN=c,DC=x");
    }

    #[test]
    fn the_naming_context_of_a_base_is_the_nearest_above_it() {
        let all = [dn("DC=x"), dn("CN=Configuration,DC=x"), dn("CN=Schema,CN=Configuration,DC=x")];
        let below = |bases: &[&str], group: &str| {
            let users = Selection { base_dns: bases.iter().map(|base| dn(base)).collect(), filter: None };
            let wanted = Wanted {
                users,
                user_attributes: vec![],
                groups: None,
                group_attributes: vec![],
                membership: true,
                scope_groups: vec![ScopeGroup { dn: dn(group), id: None }],
            };
            holding(&all, &wanted)
        };
        assert_eq!(below(&["ou=a,dc=x", "OU=b,DC=x"], "cn=g,dc=x"), Ok(vec![dn("dc=x")]));
        assert_eq!(below(&["ou=a,dc=x"], "cn=g,cn=configuration,dc=x"), Ok(vec![dn("cn=configuration,dc=x"), dn("dc=x")]));
        assert_eq!(below(&["ou=a,dc=x"], "cn=g,dc=y"), Ok(vec![dn("dc=x")]));
        assert!(below(&["ou=a,dc=y"], "cn=g,dc=x").is_err_and(|why| why.contains("ou=a,dc=y")));
    }

    #[test]
    fn whatever_the_admin_selects_is_among_the_ids() {
        let selection = |filter: Option<&str>| Selection { base_dns: vec![], filter: filter.map(str::to_owned) };
        let check = |users, groups: Option<&Selection>, expected: &str| {
            let filter = present_filter(&selection(users), groups);
            assert_eq!(filter, format!("(|(objectCategory=person)(objectCategory=group){expected})"));
            assert_eq!(crate::ldap::check_filter(&filter), Ok(()));
        };
        check(None, None, "");
        check(Some("objectClass=computer"), Some(&selection(Some(" (cn=a*) "))), "(objectClass=computer)(cn=a*)");
    }
}
