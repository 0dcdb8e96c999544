//! A whole reading over one session: the groups (see [`super::walk`]), then the users.

use std::collections::HashMap;

use ldap3::Scope;
use percent_encoding::percent_decode_str;
use tokio::sync::mpsc;

use crate::cycle::SourceError;
use crate::model::{Alias, AttributeName, Coverage, Dn, DnKey, Entry, EntryId, ResourceType, Wanted};

use super::causes::Causes;
use super::decode::{self, Members};
use super::foreign::foreign;
use super::ranges;
use super::raw_entry::RawEntry;
use super::search::{Item, Query};
use super::session::Session;

/// Entries of one reading at most.
const MOST: usize = 5_000_000;

/// Entries that may come twice in one search without reason, as those do that are moved meanwhile.
const REPEATS: usize = 1000;

/// Reads what is wanted, as [`crate::cycle::Source::read`] promises.
pub async fn read(session: &Session, wanted: &Wanted, sink: mpsc::Sender<Entry>) -> Result<Coverage, SourceError> {
    let mut reading = Reading::new(session, wanted, sink);
    let end = reading.everything().await;
    match end {
        Err(Halt::ReceiverGone) => {
            reading.causes.add("the reading was stopped before its end".to_owned());
            return Ok(reading.causes.coverage());
        }
        Ok(()) | Err(Halt::ConnectionLost) => {}
    }
    match (reading.sent, reading.causes.coverage()) {
        (false, Coverage::Partial(sentences)) => {
            Err(SourceError::Failed { url: session.url.to_string(), message: sentences.join("; ") })
        }
        (_, coverage) => Ok(coverage),
    }
}

/// Why a reading ends before its end. The causes hold the sentence.
pub(super) enum Halt {
    /// Nobody takes the entries any more.
    ReceiverGone,
    /// Nothing more can be asked.
    ConnectionLost,
}

/// What the entries of a search are taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Users.
    User,
    /// Groups by the vendor's filter: selected if the admin gave no filter and they are below a base of groups.
    Group,
    /// Whatever the admin's filter for groups matches, if it is a group.
    SelectedGroup,
    /// The one group that decides scope.
    ScopeGroup,
}

/// State of a reading under way.
pub(super) struct Reading<'a> {
    pub(super) session: &'a Session,
    pub(super) wanted: &'a Wanted,
    sink: mpsc::Sender<Entry>,
    /// Where each entry was that was sent.
    seen: HashMap<EntryId, DnKey>,
    /// Which entry each of these places is.
    keys: HashMap<DnKey, EntryId>,
    /// True if the searches by the admin's filter for groups left something out: whoever else finds a group
    /// below the bases of groups does not know whether that filter selects it.
    pub(super) filter_cut: bool,
    /// Entries of the search under way that had come before.
    repeats: usize,
    /// Members of each group read; `None` if they could not be read whole.
    pub(super) groups: HashMap<DnKey, Option<Vec<Dn>>>,
    /// The names by which groups list other members.
    pub(super) aliases: HashMap<DnKey, Vec<Alias>>,
    /// Members of groups that stand for somebody outside the forest.
    pub(super) foreign: usize,
    /// Where each of them is, by its lasting id.
    pub(super) places: HashMap<EntryId, DnKey>,
    /// The groups that are provisioned.
    pub(super) selected: Vec<DnKey>,
    pub(super) causes: Causes,
    sent: bool,
}

impl<'a> Reading<'a> {
    /// A reading of which nothing is read yet.
    pub(super) fn new(session: &'a Session, wanted: &'a Wanted, sink: mpsc::Sender<Entry>) -> Self {
        Self {
            session,
            wanted,
            sink,
            seen: HashMap::new(),
            keys: HashMap::new(),
            filter_cut: false,
            repeats: 0,
            groups: HashMap::new(),
            aliases: HashMap::new(),
            foreign: 0,
            places: HashMap::new(),
            selected: Vec::new(),
            causes: Causes::default(),
            sent: false,
        }
    }

    /// True if this entry was sent.
    pub(super) fn has_sent(&self, id: &EntryId) -> bool {
        self.seen.contains_key(id)
    }
}

impl Reading<'_> {
    async fn everything(&mut self) -> Result<(), Halt> {
        if self.wanted.membership || !self.wanted.scope_groups.is_empty() {
            self.all_groups().await?;
        }
        let filter = self.wanted.users.filter.as_deref().unwrap_or(self.session.facts.user_filter).to_owned();
        for base in outermost(&self.wanted.users.base_dns) {
            self.below(&base, &filter, Role::User).await?;
        }
        Ok(())
    }

    /// Searches the subtree of a base.
    pub(super) async fn below(&mut self, base: &Dn, filter: &str, role: Role) -> Result<(), Halt> {
        let query = self.query(base, Scope::Subtree, filter, role);
        let mut search = self.session.search(query);
        let mut unfinished = Vec::new();
        self.repeats = 0;
        while let Some(item) = search.next().await {
            if let Some(raw) = self.judge(item, base) {
                if raw.unfinished().is_empty() && (role == Role::User || !self.is_dynamic(&raw)) {
                    self.hand_on(raw, role, Members::Whole).await?;
                } else {
                    unfinished.push(raw);
                }
            }
        }
        if let Err(error) = search.finish().await {
            self.causes.add(format!("the search below {base} did not run to its end: {error}"));
            if error.ends_session() {
                return Err(Halt::ConnectionLost);
            }
        }
        for raw in unfinished {
            self.complete(raw, role).await?;
        }
        Ok(())
    }

    pub(super) fn query(&self, base: &Dn, scope: Scope, filter: &str, role: Role) -> Query {
        let resource_type = match role {
            Role::User => ResourceType::User,
            Role::Group | Role::SelectedGroup | Role::ScopeGroup => ResourceType::Group,
        };
        let attributes = decode::attributes(self.session.facts, resource_type, self.wanted);
        Query { base: base.as_str().to_owned(), scope, filter: filter.to_owned(), attributes }
    }

    /// The entry of an item, or `None` with the cause noted.
    pub(super) fn judge(&mut self, item: Item, base: &Dn) -> Option<RawEntry> {
        match item {
            Item::Entry(raw) => return Some(raw),
            Item::Undecodable => {
                self.causes.add(format!("an entry below {base} was left out because its DN is not UTF-8"));
            }
            Item::TooLarge(dn) => {
                let most = self.session.largest_entry() / (1024 * 1024);
                self.causes.add(format!(
                    "{dn} was left out because it is larger than {most} MiB (largest_entry_mib) or has more values than are accepted"
                ));
            }
            Item::Reference(urls) => {
                let foreign = |url: &&String| !(self.session.facts.domain_scope && is_own_partition(url));
                if urls.is_empty() || urls.iter().any(|url| foreign(&url)) {
                    let urls = urls.join(" or ");
                    self.causes.add(format!("the search below {base} would go on at {urls}, which is not followed"));
                }
            }
            Item::Intermediate { .. } => {}
        }
        None
    }

    /// Fetches the values that the server left out, then hands the entry on.
    pub(super) async fn complete(&mut self, mut raw: RawEntry, role: Role) -> Result<(), Halt> {
        let mut members = Members::Whole;
        for (name, next) in raw.unfinished() {
            let rest = ranges::rest(self.session, &raw.dn, &name, next).await;
            let error = match rest {
                Ok(values) => {
                    raw.complete(&name, values);
                    continue;
                }
                Err(error) => error,
            };
            self.causes.add(format!("not all values of {name} of {} were read: {error}", raw.dn));
            if error.ends_session() {
                return Err(Halt::ConnectionLost);
            }
            if role == Role::User || !self.is_member_attribute(&name) {
                return Ok(());
            }
            members = Members::InPart;
        }
        if role != Role::User && self.is_dynamic(&raw) && !self.add_dynamic_members(&mut raw).await? {
            members = Members::InPart;
        }
        self.hand_on(raw, role, members).await
    }

    fn is_member_attribute(&self, name: &AttributeName) -> bool {
        let facts = self.session.facts;
        let mut lists = facts.member_attributes.iter().chain(facts.listing.group_attributes);
        lists.any(|member| AttributeName::new(member) == *name)
    }

    /// Decodes an entry and sends it, unless it was sent before.
    pub(super) async fn hand_on(&mut self, raw: RawEntry, role: Role, mut members: Members) -> Result<(), Halt> {
        let facts = self.session.facts;
        if role != Role::User && members == Members::Whole && decode::hides_members(&raw, facts) {
            self.causes.add(format!("the members of the group {} cannot be read: the bind account has no right to them", raw.dn));
            members = Members::InPart;
        }
        let decoded = match role {
            Role::User => decode::user(raw, facts, self.wanted, self.session.opened),
            Role::SelectedGroup if !decode::is_group(&raw, facts) => {
                tracing::debug!(dn = raw.dn, "the filter for groups matches an entry that is no group");
                return Ok(());
            }
            Role::Group | Role::SelectedGroup | Role::ScopeGroup => decode::group(raw, facts, self.wanted, members),
        };
        let mut entry = match decoded {
            Ok(entry) => entry,
            Err(sentence) => {
                self.causes.add(sentence);
                return Ok(());
            }
        };
        if !self.is_who_it_seems(&entry) {
            return Ok(());
        }
        if role != Role::User {
            entry.selected = role == Role::SelectedGroup || self.is_selected_by_place(&entry.dn, role);
            self.groups.insert(entry.dn.key().clone(), entry.members.clone());
            if !entry.member_aliases.is_empty() {
                self.aliases.insert(entry.dn.key().clone(), entry.member_aliases.clone());
            }
            self.foreign += count_foreign(&entry);
            self.places.insert(entry.id.clone(), entry.dn.key().clone());
            if entry.selected {
                self.selected.push(entry.dn.key().clone());
            }
        }
        self.bear_with_it(&entry)?;
        if self.seen.contains_key(&entry.id) || (role == Role::Group && !entry.selected && self.may_be_selected(&entry.dn)) {
            return Ok(());
        }
        self.seen.insert(entry.id.clone(), entry.dn.key().clone());
        self.keys.insert(entry.dn.key().clone(), entry.id.clone());
        self.sink.send(entry).await.map_err(|_| Halt::ReceiverGone)?;
        self.sent = true;
        Ok(())
    }

    /// Ends the reading where it would never end: each entry comes again in a search once at most, because an earlier
    /// search brought it, and nobody has more entries than [`MOST`].
    fn bear_with_it(&mut self, entry: &Entry) -> Result<(), Halt> {
        self.repeats += usize::from(self.seen.contains_key(&entry.id));
        if self.repeats > self.seen.len() + REPEATS {
            self.causes.add("the server sends the same entries again and again".to_owned());
            return Err(Halt::ConnectionLost);
        }
        if self.seen.len() >= MOST {
            self.causes.add(format!("the server sends more than {MOST} entries"));
            return Err(Halt::ConnectionLost);
        }
        Ok(())
    }

    /// False, with the cause noted, for an entry that comes under the id of another. Of one that comes under the name
    /// of another the cause is noted only: planning sees both, and takes neither for the one that is named.
    fn is_who_it_seems(&mut self, entry: &Entry) -> bool {
        let (id, key) = (&entry.id, entry.dn.key());
        if self.seen.get(id).is_some_and(|other| other != key) {
            self.causes.add(format!("{} was left out because another entry has the same lasting id {id}", entry.dn));
            return false;
        }
        if self.keys.get(key).is_some_and(|other| other != id) {
            self.causes.add(format!("another entry has a DN that means the same as {}", entry.dn));
        }
        true
    }

    /// True for a group of which a search that did not run to its end would have told whether it is selected.
    fn may_be_selected(&self, dn: &Dn) -> bool {
        let bases = self.wanted.groups.iter().flat_map(|groups| &groups.base_dns);
        self.filter_cut && bases.into_iter().any(|base| dn.is_within(base))
    }

    fn is_selected_by_place(&self, dn: &Dn, role: Role) -> bool {
        role == Role::Group
            && self
                .wanted
                .groups
                .as_ref()
                .is_some_and(|groups| groups.filter.is_none() && groups.base_dns.iter().any(|base| dn.is_within(base)))
    }
}

fn count_foreign(group: &Entry) -> usize {
    group.members.iter().flatten().filter(|member| foreign(member).is_some()).count()
}

/// The bases that lie in no other, each once.
pub(super) fn outermost<'a>(bases: impl IntoIterator<Item = &'a Dn>) -> Vec<Dn> {
    let mut outer: Vec<Dn> = Vec::new();
    for base in bases {
        if !outer.iter().any(|other| base.is_within(other)) {
            outer.retain(|other| !other.is_within(base));
            outer.push(base.clone());
        }
    }
    outer
}

/// Partitions of a forest that hold neither users nor groups (MS-ADTS §3.1.1.1.5).
fn is_own_partition(url: &str) -> bool {
    let path = url.split_once("://").and_then(|(_, rest)| rest.split_once('/')).map_or("", |(_, path)| path);
    let dn = percent_decode_str(path).decode_utf8_lossy().to_ascii_lowercase();
    ["cn=configuration,", "dc=domaindnszones,", "dc=forestdnszones,"].iter().any(|start| dn.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bases_inside_others_are_dropped() {
        let dns = |texts: &[&str]| texts.iter().map(|text| Dn::parse(text).unwrap()).collect::<Vec<_>>();
        let check = |all: &[&str], expected: &[&str]| assert_eq!(outermost(&dns(all)), dns(expected));
        check(&["ou=a,dc=x", "dc=x", "dc=y", "OU=b, DC=Y"], &["dc=x", "dc=y"]);
        check(&["ou=a,dc=x", "OU=A,DC=X"], &["ou=a,dc=x"]);
        check(&[], &[]);
    }

    #[test]
    fn only_partitions_without_people_are_left_unread() {
        assert!(is_own_partition("ldap://ad.test/CN=Configuration,DC=ad,DC=test"));
        assert!(is_own_partition("ldap://DomainDnsZones.ad.test/DC=DomainDnsZones,DC=ad,DC=test"));
        assert!(is_own_partition("ldap://f.ad.test/DC%3DForestDnsZones%2CDC=ad,DC=test"));
        assert!(!is_own_partition("ldap://child.ad.test/DC=child,DC=ad,DC=test"));
        assert!(!is_own_partition("ldap://ad.test"));
    }
}
