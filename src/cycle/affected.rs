//! Who is affected by what changed: starting from the entries that a change feed points at, looks at each, compares with
//! what is remembered, and goes on to whoever that concerns, until nobody new is found.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::sync::mpsc;

use crate::model::{
    Alias, ChannelName, Coverage, Delta, Dn, DnKey, Entry, EntryId, Kind, MemberName, Place, ResourceType, Seat, Standing,
    TargetName, Wanted, Watermark,
};
use crate::plan::Rules;

use super::{Channel, CycleError, Part, SeatQuestion, Source, SourceError, Store};

/// More entries than this, and more than a tenth of all, are not looked at one by one: reading everything is cheaper.
const MANY: usize = 2000;

/// Steps from one who is affected to the next at most: groups are not nested deeper than that.
const STEPS: usize = 100;

/// Entries that were looked at, and what was remembered of them before.
#[derive(Debug, Default)]
pub(super) struct Affected {
    /// Those that are there.
    pub(super) read: BTreeMap<EntryId, Entry>,
    /// Those that are certainly not.
    pub(super) absent: BTreeSet<EntryId>,
    /// What was remembered of them.
    pub(super) before: BTreeMap<EntryId, Seat>,
}

/// What came of the search.
pub(super) enum Search {
    /// These.
    Found(Affected),
    /// Only a full reading can tell, and why.
    Full(String),
}

/// Where to look first.
pub(super) async fn places<St: Store>(
    store: &St,
    channel: &ChannelName,
    delta: &Delta,
    also: &BTreeSet<EntryId>,
) -> Result<Result<Vec<Place>, String>, CycleError> {
    if delta.touched.values().any(|touched| matches!(touched.kind, Kind::Container | Kind::Any)) {
        let containers = store.containers(channel).await?;
        for (id, touched) in &delta.touched {
            let moved = match containers.get(id) {
                Some(dn) => dn.key() != touched.dn.key(),
                None => touched.kind == Kind::Container,
            };
            if moved {
                return Ok(Err(format!("{} is new or was moved, and takes with it what is below", touched.dn)));
            }
        }
    }
    let mut ids: BTreeSet<EntryId> = delta.gone.iter().chain(also).cloned().collect();
    if let Some(present) = &delta.present {
        ids.extend(store.seated(channel).await?.into_iter().filter(|id| !present.contains(id)));
    }
    ids.retain(|id| !delta.touched.contains_key(id));
    let mut places: Vec<Place> = delta
        .touched
        .iter()
        .filter(|(_, touched)| touched.kind != Kind::Container)
        .map(|(id, touched)| Place { id: Some(id.clone()), dn: Some(touched.dn.clone()), kind: touched.kind })
        .collect();
    let seats = store.seats(channel, SeatQuestion::Of(ids.clone())).await?;
    let mut seated: BTreeMap<EntryId, Seat> = seats.into_iter().map(|seat| (seat.id.clone(), seat)).collect();
    for id in ids {
        match seated.remove(&id) {
            Some(seat) => places.push(place_of(&seat)),
            // Nothing is remembered of one that is gone: it concerned nobody.
            None if also.contains(&id) => places.push(Place { id: Some(id), dn: None, kind: Kind::Any }),
            None => {}
        }
    }
    Ok(Ok(places))
}

fn place_of(seat: &Seat) -> Place {
    let kind = match seat.resource_type {
        ResourceType::User => Kind::User,
        ResourceType::Group => Kind::Group,
    };
    Place { id: Some(seat.id.clone()), dn: Some(seat.dn.clone()), kind }
}

/// Looks at `places` and at whoever is affected by what is seen there.
pub(super) async fn search<S: Source, T, St: Store>(
    channel: &Channel<S, T>,
    store: &St,
    wanted: &Wanted,
    standing: &Standing,
    since: &Watermark,
    places: Vec<Place>,
) -> Result<Search, CycleError> {
    let most = MANY.max(usize::try_from((standing.users + standing.groups) / 10).unwrap_or(MANY));
    let mut searching = Searching {
        source: &*channel.source,
        store,
        target: &channel.target_name,
        rules: &channel.rules,
        wanted,
        since,
        roots: wanted.scope_groups.iter().filter_map(|group| group.id.clone()).collect(),
        asked: BTreeSet::new(),
        found: Affected::default(),
    };
    let mut next = places;
    for _ in 0..STEPS {
        next.retain(|place| searching.asked.insert(place.clone()));
        next.retain(|place| place.id.as_ref().is_none_or(|id| !searching.found.knows(id)));
        if next.is_empty() {
            return Ok(Search::Found(searching.found));
        }
        if searching.found.read.len() + searching.found.absent.len() + next.len() > most {
            return Ok(Search::Full(format!("more than {most} entries are affected by what changed")));
        }
        let seen = match searching.look(std::mem::take(&mut next)).await? {
            Ok(seen) => seen,
            Err(why) => return Ok(Search::Full(why)),
        };
        next = searching.concerned(&seen).await?;
    }
    Ok(Search::Full("what changed concerns others without end".to_owned()))
}

impl Affected {
    fn knows(&self, id: &EntryId) -> bool {
        self.read.contains_key(id) || self.absent.contains(id)
    }
}

struct Searching<'a, S, St> {
    source: &'a S,
    store: &'a St,
    target: &'a TargetName,
    rules: &'a Rules,
    wanted: &'a Wanted,
    since: &'a Watermark,
    /// Groups that decide scope.
    roots: BTreeSet<EntryId>,
    asked: BTreeSet<Place>,
    found: Affected,
}

/// What is different now from what was remembered, as far as it concerns others.
#[derive(Default)]
struct Concerns {
    /// Names of entries that came, went, moved, or became another kind: whoever lists them is concerned.
    names: BTreeSet<MemberName>,
    /// Former names of entries that moved or went: a server may rewrite the groups that list them, and tell nobody.
    former: BTreeSet<MemberName>,
    /// DNs that somebody may refer to, under which somebody else stands now, or nobody.
    referred: BTreeSet<DnKey>,
    /// Whom a group lists now and did not before, or the other way round.
    changed: BTreeSet<MemberName>,
    /// The same as written, where they came.
    added: BTreeMap<DnKey, Dn>,
    /// Groups of which something changed.
    groups: BTreeSet<MemberName>,
}

impl<S: Source, St: Store> Searching<'_, S, St> {
    fn channel(&self) -> &ChannelName {
        &self.rules.channel
    }

    async fn seats(&self, question: SeatQuestion) -> Result<Vec<Seat>, CycleError> {
        Ok(self.store.seats(self.channel(), question).await?)
    }

    /// Looks at places; tells who was seen or is absent, or why only a full reading can tell.
    async fn look(&mut self, places: Vec<Place>) -> Result<Result<BTreeSet<EntryId>, String>, CycleError> {
        let (sender, mut entries) = mpsc::channel::<Entry>(1024);
        let taking = async {
            let mut taken = Vec::new();
            while let Some(entry) = entries.recv().await {
                taken.push(entry);
            }
            taken
        };
        let (looked, taken) = tokio::join!(self.source.look(self.wanted, places, self.since, sender), taking);
        let looked = match looked {
            Ok(looked) => looked,
            Err(SourceError::Failed { url, message }) => return Ok(Err(format!("{url}: {message}"))),
            Err(error) => return Err(error.into()),
        };
        match looked.coverage {
            Coverage::Full | Coverage::Changes => {}
            Coverage::Partial(causes) => return Ok(Err(causes.join("; "))),
        }
        let mut seen: BTreeSet<EntryId> = looked.absent.iter().cloned().collect();
        self.found.absent.extend(looked.absent);
        for entry in taken {
            seen.insert(entry.id.clone());
            self.found.absent.remove(&entry.id);
            self.found.read.insert(entry.id.clone(), entry);
        }
        for seat in self.seats(SeatQuestion::Of(seen.clone())).await? {
            self.found.before.insert(seat.id.clone(), seat);
        }
        Ok(Ok(seen))
    }

    /// Whom it concerns that these were seen as they are.
    async fn concerned(&self, seen: &BTreeSet<EntryId>) -> Result<Vec<Place>, CycleError> {
        let mut concerns = Concerns::default();
        for id in seen {
            concerns.compare(self.found.before.get(id), self.found.read.get(id));
        }
        self.with_unlinked(seen, &mut concerns).await?;
        let mut places: BTreeSet<Place> = BTreeSet::new();
        let add = |seats: Vec<Seat>, places: &mut BTreeSet<Place>| places.extend(seats.iter().map(place_of));
        if !concerns.referred.is_empty() {
            add(self.seats(SeatQuestion::Referring(concerns.referred.clone())).await?, &mut places);
        }
        // Whoever was seen may have come into a group that lists members by a rule, or left it.
        concerns.former.insert(MemberName::Alias(Alias::by_rule()));
        let above: BTreeSet<MemberName> =
            concerns.names.iter().chain(&concerns.former).chain(&concerns.groups).chain(&concerns.changed).cloned().collect();
        let above = self.seats(SeatQuestion::Above(above)).await?;
        let lists_former = |seat: &Seat| {
            seat.members.as_ref().is_some_and(|members| members.iter().any(|member| concerns.former.contains(member)))
        };
        places.extend(above.iter().filter(|seat| seat.in_scope || lists_former(seat)).map(place_of));
        places.extend(self.unknown(&concerns).await?);
        add(self.seats(SeatQuestion::Elsewhere(self.newcomers(seen))).await?, &mut places);
        if !concerns.changed.is_empty() && self.decides_scope(&above, seen) {
            let listed = self.seats(SeatQuestion::At(concerns.changed.clone())).await?;
            let groups = listed.iter().filter(|seat| seat.resource_type == ResourceType::Group).map(|seat| seat.id.clone());
            let below = self.seats(SeatQuestion::Below(groups.collect())).await?;
            let selected: Vec<&Seat> = listed.iter().chain(&below).filter(|seat| seat.selected).collect();
            places.extend(selected.iter().map(|seat| place_of(seat)));
            // Whoever comes into scope or leaves it comes into groups or leaves them.
            let names: BTreeSet<MemberName> = selected.iter().flat_map(|seat| seat.names()).collect();
            let dns = selected.iter().map(|seat| seat.dn.key().clone()).collect();
            add(self.seats(SeatQuestion::Referring(dns)).await?, &mut places);
            places.extend(self.seats(SeatQuestion::Above(names)).await?.iter().filter(|seat| seat.in_scope).map(place_of));
        }
        Ok(places.into_iter().collect())
    }

    /// Whoever is not linked may be from now on, and is then a member of groups and the manager of somebody.
    async fn with_unlinked(&self, seen: &BTreeSet<EntryId>, concerns: &mut Concerns) -> Result<(), CycleError> {
        let part = Part { others: seen.clone(), ..Part::default() };
        let linked = self.store.load_some(self.target, self.channel(), Duration::ZERO, &part).await?.others;
        for entry in seen.iter().filter(|id| !linked.contains_key(*id)).filter_map(|id| self.found.read.get(id)) {
            concerns.names.extend(names(entry));
            concerns.referred.insert(entry.dn.key().clone());
        }
        Ok(())
    }

    /// First RDNs of those who were not known before. One that was moved here from where nobody looks was a member there
    /// under another DN, and a server tells nobody that its groups list it by this one now.
    fn newcomers(&self, seen: &BTreeSet<EntryId>) -> BTreeSet<String> {
        let came = seen.iter().filter(|id| !self.found.before.contains_key(*id)).filter_map(|id| self.found.read.get(id));
        came.map(|entry| entry.dn.key().leaf().to_owned()).collect()
    }

    /// Members that came and of whom nothing is known: groups outside the bases, perhaps.
    async fn unknown(&self, concerns: &Concerns) -> Result<Vec<Place>, CycleError> {
        if concerns.added.is_empty() {
            return Ok(Vec::new());
        }
        let names = concerns.added.keys().cloned().map(MemberName::Dn).collect();
        let known = self.seats(SeatQuestion::At(names)).await?;
        let known: BTreeSet<&DnKey> = known.iter().chain(self.found.before.values()).map(|seat| seat.dn.key()).collect();
        let read: BTreeSet<&DnKey> = self.found.read.values().map(|entry| entry.dn.key()).collect();
        let unknown = concerns.added.values().filter(|dn| !known.contains(dn.key()) && !read.contains(dn.key()));
        Ok(unknown.map(|dn| Place { id: None, dn: Some(dn.clone()), kind: Kind::Any }).collect())
    }

    /// True if scope may depend on one of these groups, or on one of those that were just seen.
    fn decides_scope(&self, above: &[Seat], seen: &BTreeSet<EntryId>) -> bool {
        !self.wanted.scope_groups.is_empty()
            && (above.iter().any(|seat| self.roots.contains(&seat.id))
                || seen.iter().any(|id| self.roots.contains(id))
                || self.roots.len() < self.wanted.scope_groups.len())
    }
}

impl Concerns {
    fn compare(&mut self, before: Option<&Seat>, now: Option<&Entry>) {
        let (was, is): (BTreeSet<MemberName>, BTreeSet<MemberName>) =
            (before.iter().flat_map(|seat| seat.names()).collect(), now.iter().flat_map(|entry| names(entry)).collect());
        if was != is || before.map(|seat| seat.resource_type) != now.map(|entry| entry.resource_type) {
            self.former.extend(was.difference(&is).cloned());
            self.names.extend(was.union(&is).cloned());
            let dns = before.map(|seat| &seat.dn).into_iter().chain(now.map(|entry| &entry.dn));
            self.referred.extend(dns.map(|dn| dn.key().clone()));
        }
        let is_group = |kind: Option<ResourceType>| kind == Some(ResourceType::Group);
        if !is_group(before.map(|seat| seat.resource_type)) && !is_group(now.map(|entry| entry.resource_type)) {
            return;
        }
        let (listed, lists) = (before.and_then(|seat| seat.members.clone()), now.and_then(listed));
        let selected = before.map(|seat| seat.selected) == now.map(|entry| entry.selected);
        if listed != lists || was != is || !selected {
            self.groups.extend(was.union(&is).cloned());
            let (listed, lists) = (listed.unwrap_or_default(), lists.unwrap_or_default());
            self.changed.extend(listed.symmetric_difference(&lists).cloned());
            // One that was moved under another name, or whose selection changed, means something else to all its members.
            if was != is || !selected {
                self.changed.extend(listed.union(&lists).cloned());
            }
            let came: BTreeSet<&MemberName> = lists.difference(&listed).collect();
            let dns = now.iter().flat_map(|entry| entry.members.iter().flatten());
            let dns = dns.filter(|dn| came.contains(&MemberName::Dn(dn.key().clone())));
            self.added.extend(dns.map(|dn| (dn.key().clone(), dn.clone())));
        }
    }
}

/// Every name by which a group may list an entry.
pub(super) fn names(entry: &Entry) -> impl Iterator<Item = MemberName> + '_ {
    std::iter::once(MemberName::Dn(entry.dn.key().clone())).chain(entry.aliases.iter().cloned().map(MemberName::Alias))
}

/// Whom a group lists; nothing where that was not read whole.
pub(super) fn listed(entry: &Entry) -> Option<BTreeSet<MemberName>> {
    let dns = entry.members.as_ref()?.iter().map(|dn| MemberName::Dn(dn.key().clone()));
    Some(dns.chain(entry.member_aliases.iter().cloned().map(MemberName::Alias)).collect())
}
