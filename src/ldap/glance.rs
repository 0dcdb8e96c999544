//! A glance at the place where an entry was last heard of: most are still there and still selected, which one round trip
//! shows. Whatever it does not show clearly is left to be looked for by its id, see [`super::look`].

use ldap3::Scope;

use crate::model::{Dn, EntryId, Place, ResourceType};

use super::decode;
use super::id::IdForm;
use super::raw_entry::RawEntry;
use super::reading::{Halt, Reading, Role};
use super::search::{Item, Query, Search, SearchError};

/// Places glanced at at once, with up to three questions for each: hides the round trips, and is far below the operations
/// that a server lets one connection have open.
const AT_ONCE: usize = 32;

/// Groups fetched at once. Each may hold megabytes of members.
const GROUPS_AT_ONCE: usize = 4;

/// The questions about one place, under way.
struct Asked<'a> {
    place: &'a Place,
    base: String,
    /// Whether a group stands there.
    group: Option<Search>,
    /// Whether the admin's filter for groups matches it.
    chosen: Option<Search>,
    /// The user that stands there.
    user: Option<Search>,
}

/// What they brought.
struct Answers {
    group: Option<RawEntry>,
    chosen: Option<RawEntry>,
    user: Option<RawEntry>,
}

/// What a glance shows.
enum Seen {
    /// A group that is selected, and in which role it is to be fetched.
    Group(Role),
    /// A user that is selected.
    User(RawEntry),
    /// This entry, and nothing that can be told at a glance.
    Other(EntryId),
    /// Nothing.
    Nothing,
}

impl Reading<'_> {
    /// Sends those that are where they were and selected, and returns the ids of all others.
    pub(super) async fn glance(&mut self, places: &[Place]) -> Result<Vec<EntryId>, Halt> {
        let mut unclear = Vec::new();
        for some in places.chunks(AT_ONCE) {
            let asked: Vec<Asked<'_>> = some.iter().filter_map(|place| self.ask(place)).collect();
            let mut fetches = Vec::new();
            for asked in asked {
                let (place, base) = (asked.place, asked.base.clone());
                let seen = match answers(asked).await {
                    Ok(answers) => self.seen(place, answers),
                    Err(error) => {
                        self.unanswered(place, &error)?;
                        Seen::Nothing
                    }
                };
                match seen {
                    Seen::Group(role) => fetches.push((base, role)),
                    Seen::User(raw) => self.complete(raw, Role::User).await?,
                    Seen::Other(id) => unclear.push(id),
                    Seen::Nothing => {}
                }
            }
            for some in fetches.chunks(GROUPS_AT_ONCE) {
                self.fetch(some).await?;
            }
        }
        unclear.extend(places.iter().filter_map(|place| place.id.clone()));
        unclear.sort();
        unclear.dedup();
        unclear.retain(|id| !self.has_sent(id));
        Ok(unclear)
    }

    /// Asks about a place; `None` if nothing is known but an id that leads to no place.
    fn ask<'p>(&self, place: &'p Place) -> Option<Asked<'p>> {
        let facts = self.session.facts;
        let base = match (facts.id_form, &place.id, &place.dn) {
            // MS-ADTS §3.1.1.3.1.2.4: wherever it is now.
            (IdForm::Guid, Some(id), _) => format!("<GUID={id}>"),
            (_, _, Some(dn)) if !dn.key().as_str().is_empty() => dn.as_str().to_owned(),
            (_, _, _) => return None,
        };
        let may_lie_in = |bases: &[Dn]| match (facts.id_form, &place.dn) {
            (IdForm::Text, Some(dn)) => bases.iter().any(|base| dn.is_within(base)),
            (_, _) => true,
        };
        let who = |filter: &str| {
            let attributes = vec![facts.id_attribute.to_owned()];
            self.session.search(Query { base: base.clone(), scope: Scope::Base, filter: filter.to_owned(), attributes })
        };
        let wanted = self.wanted;
        let of_admin = wanted.groups.as_ref().filter(|groups| self.asks_for_groups() && may_lie_in(&groups.base_dns));
        let user = (place.id.is_none() || may_lie_in(&wanted.users.base_dns)).then(|| {
            let attributes = decode::attributes(facts, ResourceType::User, &wanted.user_attributes);
            let filter = self.user_filter().to_owned();
            self.session.search(Query { base: base.clone(), scope: Scope::Base, filter, attributes })
        });
        Some(Asked {
            place,
            group: self.asks_for_groups().then(|| who(facts.group_filter)),
            chosen: of_admin.and_then(|groups| groups.filter.as_deref()).map(who),
            user,
            base,
        })
    }

    /// Judges what was found. Only what is selected is clear: that nothing is selected there may be because the entry
    /// was moved between two of the questions.
    fn seen(&self, place: &Place, found: Answers) -> Seen {
        let facts = self.session.facts;
        let who = |raw: RawEntry| {
            let id = facts.id_form.entry_id(raw.values(facts.id_attribute))?;
            let dn = Dn::parse(&raw.dn).ok()?;
            place.id.as_ref().is_none_or(|wanted| *wanted == id).then_some((id, dn))
        };
        let within = |dn: &Dn, bases: &[Dn]| bases.iter().any(|base| dn.is_within(base));
        let group_bases = self.wanted.groups.as_ref().map_or(&[] as &[Dn], |groups| &groups.base_dns);
        let by_filter = self.wanted.groups.as_ref().is_some_and(|groups| groups.filter.is_some());
        match (found.chosen.and_then(who), found.group.and_then(who), found.user) {
            (Some((_, dn)), _, _) if within(&dn, group_bases) => Seen::Group(Role::SelectedGroup),
            (None, Some((_, dn)), _) if !by_filter && within(&dn, group_bases) => Seen::Group(Role::Group),
            (Some((id, _)), _, _) | (None, Some((id, _)), _) => Seen::Other(id),
            (None, None, None) => Seen::Nothing,
            (None, None, Some(user)) => match who(user.clone()) {
                Some((_, dn)) if within(&dn, &self.wanted.users.base_dns) => Seen::User(user),
                Some((id, _)) => Seen::Other(id),
                None => Seen::Nothing,
            },
        }
    }

    /// A glance that failed. Who has an id is looked for by it; of whoever stands at a DN nothing is known then.
    fn unanswered(&mut self, place: &Place, error: &SearchError) -> Result<(), Halt> {
        let dn = place.dn.as_ref().map_or_else(String::new, ToString::to_string);
        if error.ends_session() {
            self.causes.add(format!("the look at {dn} did not come to its end: {error}"));
            return Err(Halt::ConnectionLost);
        }
        // What another server holds is in no base of ours. It may be a group in which members of a group that decides
        // scope are nested.
        let is_foreign = error.is_referral() && self.wanted.scope_groups.is_empty();
        if place.id.is_none() && !is_foreign {
            self.causes.add(format!("{dn} cannot be looked at: {error}"));
        } else {
            tracing::debug!(dn, %error, "a glance shows nothing");
        }
        Ok(())
    }

    /// Fetches groups with their members. One that is not selected any more is not found, and looked for by its id.
    async fn fetch(&mut self, groups: &[(String, Role)]) -> Result<(), Halt> {
        let wanted = self.wanted;
        let by_admin = wanted.groups.as_ref().and_then(|groups| groups.filter.as_deref());
        let start = |(base, role): &(String, Role)| {
            let filter = by_admin.unwrap_or(self.session.facts.group_filter).to_owned();
            let attributes = decode::attributes(self.session.facts, ResourceType::Group, &wanted.group_attributes);
            (self.session.search(Query { base: base.clone(), scope: Scope::Base, filter, attributes }), *role)
        };
        let searches: Vec<(Search, Role)> = groups.iter().map(start).collect();
        for (search, role) in searches {
            match one(search).await {
                Ok(Some(raw)) if self.is_below_groups(&raw) => self.complete(raw, role).await?,
                Ok(_) => {}
                Err(error) if error.ends_session() => {
                    self.causes.add(format!("the look at groups did not come to its end: {error}"));
                    return Err(Halt::ConnectionLost);
                }
                Err(error) => tracing::debug!(%error, "a group that was seen cannot be fetched"),
            }
        }
        Ok(())
    }

    fn is_below_groups(&self, raw: &RawEntry) -> bool {
        let bases = self.wanted.groups.iter().flat_map(|groups| &groups.base_dns);
        Dn::parse(&raw.dn).is_ok_and(|dn| bases.into_iter().any(|base| dn.is_within(base)))
    }
}

/// Takes all answers; an error if one of the questions was not answered.
async fn answers(asked: Asked<'_>) -> Result<Answers, SearchError> {
    let group = answer(asked.group).await;
    let chosen = answer(asked.chosen).await;
    let user = answer(asked.user).await;
    Ok(Answers { group: group?, chosen: chosen?, user: user? })
}

async fn answer(search: Option<Search>) -> Result<Option<RawEntry>, SearchError> {
    match search {
        Some(search) => one(search).await,
        None => Ok(None),
    }
}

/// The entry that a search for one brings.
async fn one(mut search: Search) -> Result<Option<RawEntry>, SearchError> {
    let mut found = None;
    while let Some(item) = search.next().await {
        if let Item::Entry(raw) = item {
            found = Some(raw);
        }
    }
    match search.finish().await {
        Ok(()) => Ok(found),
        Err(error) if error.is_no_such_object() => Ok(None),
        Err(error) => Err(error),
    }
}
