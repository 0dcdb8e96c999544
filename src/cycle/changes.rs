//! Prepares a cycle of what changed since the last one: only those who are affected are looked at, judged and planned, by
//! the same rules as everybody in a full reading. Whatever cannot be told for certain so is left to a full reading.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::model::{
    Changes, ChannelName, Coverage, Delta, DnKey, EntryId, MemberName, ResourceType, Seat, Seats, Settlement, Snapshot, Standing,
    Touched, Value, Vendor, Wanted, Watermark,
};
use crate::plan::{Desired, Existing, Judge, Known, Scope, Situation, folded, plan};

use super::affected::{self, Affected, Search, listed, names};
use super::prepare::{Prepared, wanted_of};
use super::{
    Channel, CycleError, Part, Phase, Progress, ProgressSender, SeatQuestion, Source, Store, Target, matching, refusal, settle,
};

/// What a look at the changes comes to.
pub(super) enum Outlook {
    /// Nothing changed; the directory stands there now.
    Nothing(Watermark),
    /// This is to be done.
    Ready(Box<Ready>),
    /// Only a full reading can tell, and why.
    Full(String),
}

/// A cycle over changes that is ready to be applied.
pub(super) struct Ready {
    pub(super) prepared: Prepared,
    /// What is written down when it was applied, but for those whose change is still to be made.
    pub(super) settlement: Settlement,
    /// Everybody who was judged.
    pub(super) judged: BTreeSet<EntryId>,
}

/// What is asked of a cycle over changes.
pub(super) struct Ask<'a> {
    pub(super) standing: &'a Standing,
    pub(super) vendor: Vendor,
    /// What is remembered of the target beside its links.
    pub(super) little: Snapshot,
    /// What was heard already; else the directory is asked.
    pub(super) heard: Option<Delta>,
    /// Entries whose change is still to be made are looked at again.
    pub(super) pending: bool,
}

/// Prepares it.
pub(super) async fn prepare<S: Source, T: Target, St: Store>(
    channel: &Channel<S, T>,
    store: &St,
    ask: Ask<'_>,
    progress: &ProgressSender,
) -> Result<Outlook, CycleError> {
    let (standing, name) = (ask.standing, channel.name());
    let wanted = wanted_of(channel, ask.vendor, &ask.little.scope_groups);
    let delta = match &ask.heard {
        Some(delta) => delta.clone(),
        None => match channel.source.changes(&wanted, &standing.watermark).await? {
            Changes::Since(delta) => delta,
            Changes::Lost(why) => return Ok(Outlook::Full(why)),
        },
    };
    let mut also = standing.due.clone();
    if ask.pending {
        also.extend(standing.pending.iter().cloned());
    }
    let places = match affected::places(store, name, &delta, &also).await? {
        Ok(places) => places,
        Err(why) => return Ok(Outlook::Full(why)),
    };
    if places.is_empty() {
        return Ok(Outlook::Nothing(delta.watermark));
    }
    progress.send_replace(Progress { phase: Phase::Reading, done: 0, total: places.len() as u64 });
    let found = match affected::search(channel, store, &wanted, standing, &delta.watermark, places).await? {
        Search::Found(found) => found,
        Search::Full(why) => return Ok(Outlook::Full(why)),
    };
    progress.send_replace(Progress { phase: Phase::Matching, ..Progress::default() });
    let judged: BTreeSet<EntryId> = found.read.keys().chain(&found.absent).cloned().collect();
    let still: BTreeSet<EntryId> = standing.pending.iter().filter(|id| !judged.contains(*id)).cloned().collect();
    let leavers = Arc::new(leavers(store, name, &still).await?);
    let (mut desired, again) = match desired(channel, store, &wanted, &ask, found, &delta.touched).await? {
        Ok(desired) => desired,
        Err(why) => return Ok(Outlook::Full(why)),
    };
    if !leavers.is_empty() {
        desired.entries.values_mut().for_each(|judged| judged.in_doubt.add(Arc::clone(&leavers)));
    }
    let mut prepared = match planned(channel, store, &ask, desired).await? {
        Ok(prepared) => prepared,
        Err(why) => return Ok(Outlook::Full(why)),
    };
    let pending = still.into_iter().chain(again).chain(settle::listing(&prepared, &leavers)).collect();
    let settlement = Settlement {
        watermark: delta.watermark,
        fingerprint: standing.fingerprint.clone(),
        seats: Seats::Changed(settle::seats(&mut prepared, name), prepared.desired.gone.clone()),
        pending,
        counted: None,
    };
    Ok(Outlook::Ready(Box::new(Ready { prepared, settlement, judged })))
}

/// Who has left and is still to be removed, among entries that are not looked at now: the guard may have stopped it, and
/// then no group loses such a member either before both are judged together.
async fn leavers<St: Store>(
    store: &St,
    channel: &ChannelName,
    pending: &BTreeSet<EntryId>,
) -> Result<BTreeSet<EntryId>, CycleError> {
    if pending.is_empty() {
        return Ok(BTreeSet::new());
    }
    let seats = store.seats(channel, SeatQuestion::Of(pending.clone())).await?;
    let stay: BTreeSet<EntryId> = seats.into_iter().filter(|seat| seat.in_scope).map(|seat| seat.id).collect();
    Ok(pending.difference(&stay).cloned().collect())
}

/// What was seen, judged among what is remembered; and who is to be looked at once more.
async fn desired<S: Source, T: Target, St: Store>(
    channel: &Channel<S, T>,
    store: &St,
    wanted: &Wanted,
    ask: &Ask<'_>,
    mut found: Affected,
    touched: &BTreeMap<EntryId, Touched>,
) -> Result<Result<(Desired, BTreeSet<EntryId>), String>, CycleError> {
    let name = channel.name();
    let again = follow_moves(&mut found, touched);
    let capabilities = channel.target.capabilities();
    let mapping = channel.rules.mapping.of(ask.vendor);
    let mut judge = Judge::new(&channel.rules, mapping, &capabilities, &ask.little.scope_groups);
    found.read.values().for_each(|entry| judge.take(entry));
    let own: BTreeSet<MemberName> = found.read.values().flat_map(names).collect();
    let members: BTreeSet<MemberName> = found.read.values().filter_map(listed).flatten().collect();
    let untold = members.iter().filter_map(|member| match member {
        MemberName::Alias(alias) => Some(MemberName::Alias(alias.its_untold())),
        MemberName::Dn(_) => None,
    });
    let members: BTreeSet<MemberName> = untold.chain(members.iter().cloned()).collect();
    let referred = judge.references().into_iter().map(MemberName::Dn);
    let at = store.seats(name, SeatQuestion::At(own.iter().cloned().chain(members).chain(referred).collect())).await?;
    let is_other = |seat: &Seat| !found.read.contains_key(&seat.id) && !found.absent.contains(&seat.id);
    let twin = |seat: &&Seat| own.contains(&MemberName::Dn(seat.dn.key().clone()));
    if let Some(twin) = at.iter().filter(|seat| is_other(seat)).find(twin) {
        return Ok(Err(format!("{} is the DN of another entry than before, or of two", twin.dn)));
    }
    let ids: BTreeSet<EntryId> = wanted.scope_groups.iter().filter_map(|group| group.id.clone()).collect();
    let mut roots = store.seats(name, SeatQuestion::Of(ids.clone())).await?;
    let is_there =
        |id: &EntryId| !found.absent.contains(id) && (found.read.contains_key(id) || roots.iter().any(|root| root.id == *id));
    if ids.len() < wanted.scope_groups.len() || !ids.iter().all(is_there) {
        return Ok(Err("a group that decides scope is not there".to_owned()));
    }
    // Whoever is in one of them is found from below.
    roots.iter_mut().for_each(|root| root.members = root.members.take().map(|_| BTreeSet::new()));
    let above = store.seats(name, SeatQuestion::Above(own)).await?;
    let nested = at.iter().filter(|seat| seat.resource_type == ResourceType::Group && is_other(seat)).map(|seat| seat.id.clone());
    let below = store.seats(name, SeatQuestion::Below(nested.collect())).await?;
    judge.surround(roots.into_iter().chain(above).chain(at).chain(below).filter(|seat| is_other(seat)));
    let mut desired = judge.finish(Coverage::Changes);
    match &desired.coverage {
        Coverage::Full | Coverage::Changes => {}
        Coverage::Partial(causes) => return Ok(Err(causes.join("; "))),
    }
    let were =
        |kind: ResourceType| found.before.values().filter(|seat| seat.in_scope && seat.resource_type == kind).count() as u64;
    let standing = ask.standing;
    desired.beside =
        (standing.users.saturating_sub(were(ResourceType::User)), standing.groups.saturating_sub(were(ResourceType::Group)));
    desired.gone = found.absent;
    Ok(Ok((desired, again)))
}

/// A server may rewrite the groups that list an entry a moment after it was moved: until then its former name means it,
/// if nobody else stands there, not even one that is not selected. Returns the groups to look at once more.
fn follow_moves(found: &mut Affected, touched: &BTreeMap<EntryId, Touched>) -> BTreeSet<EntryId> {
    let mut here: BTreeMap<&DnKey, BTreeSet<&EntryId>> = BTreeMap::new();
    let told = touched.iter().map(|(id, touched)| (id, &touched.dn));
    for (id, dn) in told.chain(found.read.values().map(|entry| (&entry.id, &entry.dn))) {
        here.entry(dn.key()).or_default().insert(id);
    }
    let moved: BTreeMap<DnKey, crate::model::Dn> = found
        .read
        .values()
        .filter_map(|entry| {
            let before = found.before.get(&entry.id)?;
            let free = here.get(before.dn.key()).is_none_or(|ids| ids.iter().all(|id| **id == entry.id));
            let went = before.dn.key() != entry.dn.key() && free;
            went.then(|| (before.dn.key().clone(), entry.dn.clone()))
        })
        .collect();
    let mut again = BTreeSet::new();
    if moved.is_empty() {
        return again;
    }
    for entry in found.read.values_mut() {
        for member in entry.members.iter_mut().flatten() {
            if let Some(now) = moved.get(member.key()) {
                *member = now.clone();
                again.insert(entry.id.clone());
            }
        }
    }
    again
}

/// The plan for them, or why only a full reading can make it.
async fn planned<S: Source, T: Target, St: Store>(
    channel: &Channel<S, T>,
    store: &St,
    ask: &Ask<'_>,
    desired: Desired,
) -> Result<Result<Prepared, String>, CycleError> {
    let snapshot = remembered(channel, store, ask.standing, &ask.little, &desired).await?;
    if !snapshot.unanswered_creates.is_empty() {
        return Ok(Err("the answer to a create was lost".to_owned()));
    }
    if let Some(why) = remade(channel, &snapshot, &desired) {
        return Ok(Err(why));
    }
    let (capabilities, nothing) = (channel.target.capabilities(), BTreeMap::new());
    let know = |situations| Known::new(&channel.rules, &capabilities, &snapshot, &desired, situations, None);
    let mut notes = Vec::new();
    let situations = matching::situations(channel, &know(&nothing), None, &mut notes).await?;
    // What the target holds and is to be left alone needs no full reading to be left alone.
    let is_settled = |situation: &Situation| match situation {
        Situation::Unmatched | Situation::Disputed(_) => true,
        Situation::Unlinked(..) => channel.rules.existing == Existing::Never,
    };
    if !situations.values().all(is_settled) {
        return Ok(Err("the target holds a resource that may belong to a new entry".to_owned()));
    }
    let mut plan = plan(&know(&situations));
    plan.notes.splice(0..0, notes);
    refusal::hold_refused(&mut plan, &snapshot, capabilities.members_per_request);
    let (recovered, comparison, watched) = (Vec::new(), None, Vec::new());
    Ok(Ok(Prepared { snapshot, desired, situations, plan, recovered, comparison, vendor: ask.vendor, watched, reading: None }))
}

/// A group that is gone and one that came at the same time may be the same one made anew, and groups of one name may feed
/// one: that is seen only among all of them.
fn remade<S, T>(channel: &Channel<S, T>, snapshot: &Snapshot, desired: &Desired) -> Option<String> {
    let groups = || desired.entries.values().filter(|judged| judged.resource_type == ResourceType::Group);
    let is_group =
        |id: &EntryId| snapshot.links.get(id).is_some_and(|link| link.acknowledged.resource_type == ResourceType::Group);
    let merges = channel.rules.groups.as_ref().is_some_and(|groups| groups.same_name == crate::plan::SameName::Merge);
    if merges && groups().any(|judged| matches!(judged.scope, Scope::In(_) | Scope::Unknown(_))) {
        return Some("groups of one name feed one group".to_owned());
    }
    let went = desired.gone.iter().any(is_group);
    let came = groups().any(|judged| matches!(judged.scope, Scope::In(_)) && !snapshot.links.contains_key(&judged.entry_id));
    let kind = |judged: &&crate::plan::Judged| {
        snapshot.links.get(&judged.entry_id).is_some_and(|link| link.acknowledged.resource_type != judged.resource_type)
    };
    if went && came {
        Some("a group is gone and another one came".to_owned())
    } else if desired.entries.values().any(|judged| kind(&judged)) {
        Some("an entry is of another kind than before".to_owned())
    } else {
        None
    }
}

/// What the plan needs to know of the target: the links of those who were looked at, whoever holds a name that they want,
/// and the resources of everybody whom they list or refer to.
async fn remembered<S, T, St: Store>(
    channel: &Channel<S, T>,
    store: &St,
    standing: &Standing,
    little: &Snapshot,
    desired: &Desired,
) -> Result<Snapshot, CycleError> {
    let load = async |part: &Part| store.load_some(&channel.target_name, channel.name(), channel.rules.guard.window, part).await;
    let mapped = || desired.entries.values().filter_map(|judged| judged.mapped.as_ref().ok());
    let names = mapped().filter_map(|resource| Some((resource.resource_type, folded(resource.name()?)))).collect();
    let entries = desired.entries.keys().chain(&desired.gone).cloned().collect();
    let mut snapshot = load(&Part { entries, names, others: BTreeSet::new() }).await?;
    let acknowledged = snapshot.links.values().map(|link| &link.acknowledged);
    let spoken_of = mapped()
        .chain(acknowledged)
        .flat_map(|resource| resource.members.iter().chain(resource.attributes.values().filter_map(Value::reference)));
    let others: BTreeSet<EntryId> = spoken_of.filter(|id| !snapshot.links.contains_key(*id)).cloned().collect();
    if !others.is_empty() {
        snapshot.others = load(&Part { others, ..Part::default() }).await?.others;
    }
    snapshot.linked = Some(standing.linked);
    snapshot.scope_groups.clone_from(&little.scope_groups);
    Ok(snapshot)
}
