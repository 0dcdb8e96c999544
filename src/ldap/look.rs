//! A look at some entries, for what a change feed or the roster points at.
//!
//! What the look says of an entry is what a full reading would say of it. It asks in two steps. A glance (see
//! [`super::glance`]) finds those that stand where they were and are selected. All others are looked for by their lasting
//! ids, with the very searches of a full reading, each narrowed to those ids: same bases, same filters, same order. So it
//! is the server that says what is below a base and what matches a filter, and one search tells both at one moment: an entry
//! that is being moved is never missed between two questions.

use std::collections::{BTreeMap, BTreeSet};

use ldap3::Scope;
use tokio::sync::mpsc;

use crate::cycle::SourceError;
use crate::model::{Coverage, Dn, Entry, EntryId, Kind, Looked, Place, ScopeGroup, Wanted};

use super::reading::{Halt, Reading, Role, outermost};
use super::search::Query;
use super::session::Session;

const ANYTHING: &str = "(objectClass=*)";

/// No attributes (RFC 4511 §4.5.1.8).
const NONE: &str = "1.1";

/// Ids in one filter. Where the id is not indexed each search costs the server a walk over everything, so they are few; and
/// a filter of this size, some six thousand characters, is still far below what servers take.
const IDS_AT_ONCE: usize = 100;

/// Looks, as [`crate::cycle::Source::look`] promises, once it is known that the server is as far as the watermark.
pub async fn look(
    session: &Session,
    wanted: &Wanted,
    places: Vec<Place>,
    entries: mpsc::Sender<Entry>,
) -> Result<Looked, SourceError> {
    let mut reading = Reading::new(session, wanted, entries);
    let mut absent = BTreeSet::new();
    let end = reading.places(&places, &mut absent).await;
    absent.retain(|id| !reading.has_sent(id));
    let lost = match end {
        Ok(()) => false,
        Err(Halt::ConnectionLost) => true,
        Err(Halt::ReceiverGone) => {
            reading.causes.add("the look was stopped before its end".to_owned());
            false
        }
    };
    let sent_any = places.iter().filter_map(|place| place.id.as_ref()).any(|id| reading.has_sent(id));
    match reading.causes.coverage() {
        Coverage::Full | Coverage::Changes => Ok(Looked { coverage: Coverage::Changes, absent }),
        Coverage::Partial(sentences) if lost && !sent_any && absent.is_empty() => {
            Err(SourceError::Failed { url: session.url.to_string(), message: sentences.join("; ") })
        }
        Coverage::Partial(sentences) => Ok(Looked { coverage: Coverage::Partial(sentences), absent }),
    }
}

impl Reading<'_> {
    async fn places(&mut self, places: &[Place], absent: &mut BTreeSet<EntryId>) -> Result<(), Halt> {
        let mut unclear = self.glance(places).await?;
        let mut deciding: Vec<&ScopeGroup> = Vec::new();
        for group in &self.wanted.scope_groups {
            if places.iter().any(|place| is_at(group, place)) {
                deciding.push(group);
            }
        }
        let kinds: BTreeMap<&EntryId, Kind> = places.iter().filter_map(|place| Some((place.id.as_ref()?, place.kind))).collect();
        let dns = places.iter().filter_map(|place| place.dn.as_ref()).chain(bases(self.wanted));
        let suffixes = outermost(&self.session.root.suffixes_of(dns));
        unclear.retain(|id| {
            let is_id = self.session.facts.any_of([id]).is_some();
            if !is_id {
                self.causes.add(format!("{id} is no lasting id of this directory"));
            }
            is_id
        });
        for some in unclear.chunks(IDS_AT_ONCE) {
            absent.extend(self.by_ids(some.iter().collect(), &kinds, &suffixes).await?);
        }
        // One that is not found makes the reading partial, as it does a full one: nobody leaves the scope because
        // the group that decides it is gone.
        for place in places.iter().filter(|place| deciding.iter().any(|group| is_at(group, place))) {
            absent.retain(|id| place.id.as_ref() != Some(id));
        }
        for group in deciding {
            self.deciding(group).await?;
        }
        Ok(())
    }

    /// Sends those of the ids that are selected or groups, and returns those that certainly are neither.
    async fn by_ids(
        &mut self,
        ids: Vec<&EntryId>,
        kinds: &BTreeMap<&EntryId, Kind>,
        suffixes: &[Dn],
    ) -> Result<Vec<EntryId>, Halt> {
        let mut missing = ids;
        // A cause may lie in an entry that was sent (a group that hides its members), and says nothing of the others:
        // these are looked for once more without it.
        for _ in 0..2 {
            let (before, asked) = (self.causes.noted(), missing.len());
            let unsure = self.search_ids(&missing, suffixes).await?;
            missing.retain(|id| !self.has_sent(id));
            if self.causes.noted() == before {
                return Ok(self.certain(missing, kinds, unsure.as_deref()));
            }
            if missing.len() == asked {
                break;
            }
        }
        Ok(Vec::new())
    }

    /// Those of whom it is certain though not everything may be searched: of users it is. An id that was only met on the way
    /// is nobody's question.
    fn certain(&mut self, missing: Vec<&EntryId>, kinds: &BTreeMap<&EntryId, Kind>, unsure: Option<&str>) -> Vec<EntryId> {
        let mut certain = Vec::new();
        for id in missing {
            match (unsure, kinds.get(id)) {
                (_, None) => {}
                (Some(why), Some(Kind::Group)) => {
                    self.causes.add(format!("whether the group {id} is somewhere else now cannot be told: {why}"));
                }
                (_, Some(Kind::User | Kind::Group | Kind::Container | Kind::Any)) => certain.push(id.clone()),
            }
        }
        certain
    }

    /// The searches of a full reading, for these ids. Groups are looked for everywhere: they may be nested in others.
    /// Returns why that was not everywhere.
    async fn search_ids(&mut self, ids: &[&EntryId], suffixes: &[Dn]) -> Result<Option<String>, Halt> {
        let Some(any) = self.session.facts.any_of(ids.iter().copied()) else { return Ok(None) };
        let with = |filter: &str| format!("(&{any}{filter})");
        let wanted = self.wanted;
        let mut unsure = None;
        if self.asks_for_groups() {
            let before = self.causes.noted();
            if let Some(groups) = &wanted.groups
                && let Some(filter) = &groups.filter
            {
                for base in outermost(&groups.base_dns) {
                    self.below(&base, &with(filter), Role::SelectedGroup).await?;
                }
            }
            self.filter_cut = self.causes.noted() > before;
            unsure = self.groups_anywhere(suffixes, &with(self.session.facts.group_filter)).await?;
            self.filter_cut = false;
        }
        let filter = with(self.user_filter());
        for base in outermost(&wanted.users.base_dns) {
            self.below(&base, &filter, Role::User).await?;
        }
        Ok(unsure)
    }

    /// Searches the suffixes. One that may not be seen itself gives way to the bases below it.
    async fn groups_anywhere(&mut self, suffixes: &[Dn], filter: &str) -> Result<Option<String>, Halt> {
        let mut unsure = suffixes.is_empty().then(|| "the server does not tell which suffixes it holds".to_owned());
        for suffix in outermost(suffixes.iter().chain(bases(self.wanted))) {
            let is_base = bases(self.wanted).any(|base| *base == suffix);
            if is_base || self.may_be_seen(&suffix).await? {
                self.below(&suffix, filter, Role::Group).await?;
                continue;
            }
            for base in outermost(bases(self.wanted).filter(|base| base.is_within(&suffix))) {
                self.below(&base, filter, Role::Group).await?;
            }
            unsure = Some(format!("the bind account may not see {suffix}"));
        }
        Ok(unsure)
    }

    /// False if the server says that there is no such entry.
    async fn may_be_seen(&mut self, dn: &Dn) -> Result<bool, Halt> {
        let query = Query {
            base: dn.as_str().to_owned(),
            scope: Scope::Base,
            filter: ANYTHING.to_owned(),
            attributes: vec![NONE.to_owned()],
        };
        let mut search = self.session.search(query);
        while search.next().await.is_some() {}
        match search.finish().await {
            Err(error) if error.is_no_such_object() => Ok(false),
            Err(error) if error.ends_session() => {
                self.causes.add(format!("the look at {dn} did not come to its end: {error}"));
                Err(Halt::ConnectionLost)
            }
            // Whatever else it says, it says again when the search is made.
            Ok(()) | Err(_) => Ok(true),
        }
    }

    /// True if groups are read at all.
    pub(super) fn asks_for_groups(&self) -> bool {
        self.wanted.membership || !self.wanted.scope_groups.is_empty()
    }

    /// The filter for users.
    pub(super) fn user_filter(&self) -> &str {
        self.wanted.users.filter.as_deref().unwrap_or(self.session.facts.user_filter)
    }
}

/// The bases of everything that is wanted.
pub(super) fn bases(wanted: &Wanted) -> impl Iterator<Item = &Dn> {
    wanted.groups.iter().flat_map(|groups| &groups.base_dns).chain(&wanted.users.base_dns)
}

/// True if the place may be where this group is.
fn is_at(group: &ScopeGroup, place: &Place) -> bool {
    match (&group.id, &place.id) {
        (Some(own), Some(id)) => own == id,
        (_, _) => place.dn.as_ref().is_some_and(|dn| *dn == group.dn),
    }
}
