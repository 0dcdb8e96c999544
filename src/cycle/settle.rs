//! What is written down at the end of a cycle, so that the next one can begin where this one saw the directory.

use std::collections::BTreeSet;

use crate::model::{
    ChannelName, EntryId, LinkedCounts, MemberName, Resource, ResourceType, Seat, Seats, Settlement, Standing, Status, Vendor,
};
use crate::plan::{Desired, Scope};

use super::apply::Applied;
use super::prepare::Prepared;
use super::{Channel, Target};

/// Names of entries in one message at most.
const NAMED: usize = 5;

/// A digest of everything that the seats of a channel depend on besides the directory.
pub(super) fn fingerprint<S, T: Target>(channel: &Channel<S, T>, vendor: Vendor) -> String {
    let text = format!("{:?}\n{}\n{vendor:?}\n{:?}", channel.rules, channel.target_name, channel.target.capabilities());
    blake3::hash(text.as_bytes()).to_hex().to_string()
}

/// Entries whose change is still to be made: held, stopped by the guard, refused, or begun and not done; and the groups
/// that keep a member because its removal was stopped.
pub(super) fn unfinished(prepared: &Prepared, applied: &Applied) -> BTreeSet<EntryId> {
    let held = prepared.plan.held.iter().chain(&applied.held).map(|held| held.entry_id.clone());
    let stopped = &prepared.plan.verdict.stopped;
    let stay = stopped.iter().filter(|change| change.tally.users_absent > 0).map(|change| change.entry_id.clone()).collect();
    held.chain(stopped.iter().map(|change| change.entry_id.clone())).chain(listing(prepared, &stay)).collect()
}

/// Groups that were judged and that hold one of these at the target.
pub(super) fn listing(prepared: &Prepared, members: &BTreeSet<EntryId>) -> BTreeSet<EntryId> {
    let links = prepared.snapshot.links.values().filter(|link| prepared.desired.entries.contains_key(&link.entry_id));
    links.filter(|link| !link.acknowledged.members.is_disjoint(members)).map(|link| link.entry_id.clone()).collect()
}

/// What is remembered of those who were judged. One of whom nobody could tell whether it is in scope is there as it was
/// before: it comes into no group by that.
pub(super) fn seats(prepared: &mut Prepared, channel: &ChannelName) -> Vec<Seat> {
    let mut seats = std::mem::take(&mut prepared.desired.seats);
    for seat in &mut seats {
        let scope = prepared.desired.entries.get(&seat.id).map(|judged| &judged.scope);
        if matches!(scope, Some(Scope::Unknown(_))) {
            seat.in_scope = prepared.snapshot.is_claimed_by(&seat.id, channel);
        }
    }
    seats
}

/// What a full reading leaves; nothing where the directory does not tell its changes.
pub(super) fn after_full<S, T: Target>(
    channel: &Channel<S, T>,
    prepared: &mut Prepared,
    applied: &Applied,
) -> Option<Settlement> {
    let reading = prepared.reading.take()?;
    let pending = unfinished(prepared, applied);
    Some(Settlement {
        watermark: reading.watermark?,
        fingerprint: fingerprint(channel, prepared.vendor),
        counted: Some(counted(prepared, None)),
        seats: Seats::All(seats(prepared, channel.name()), reading.containers),
        pending,
    })
}

/// What the channel claims after a cycle that did what it planned, and how many users and groups are in scope.
pub(super) fn counted(prepared: &Prepared, standing: Option<&Standing>) -> (LinkedCounts, u64, u64) {
    let desired = &prepared.desired;
    let mut linked = standing.map(|standing| standing.linked).unwrap_or_default();
    for link in standing.iter().flat_map(|_| prepared.snapshot.links.values()) {
        let concerned = desired.entries.contains_key(&link.entry_id) || desired.gone.contains(&link.entry_id);
        if concerned && prepared.snapshot.claims.contains_key(&link.entry_id) {
            take(&mut linked, &link.acknowledged);
        }
    }
    let (mut users, mut groups) = desired.beside;
    for judged in desired.entries.values().filter(|judged| matches!(judged.scope, Scope::In(_) | Scope::Unknown(_))) {
        match judged.resource_type {
            ResourceType::User => {
                users += 1;
                linked.users += u64::from(judged.status != Status::Disabled);
            }
            ResourceType::Group => {
                groups += 1;
                linked.groups += 1;
                linked.memberships += judged.mapped.as_ref().map_or(0, |resource| resource.members.len() as u64);
            }
        }
    }
    (linked, users, groups)
}

fn take(linked: &mut LinkedCounts, acknowledged: &Resource) {
    match acknowledged.resource_type {
        ResourceType::User => linked.users = linked.users.saturating_sub(u64::from(acknowledged.active() != Some(false))),
        ResourceType::Group => {
            linked.groups = linked.groups.saturating_sub(1);
            linked.memberships = linked.memberships.saturating_sub(acknowledged.members.len() as u64);
        }
    }
}

/// Entries that a full reading shows otherwise than was remembered, though nobody told of a change: a sentence, if there
/// are any.
pub(super) fn missed(before: &[Seat], now: &Desired, told: &BTreeSet<EntryId>) -> Option<String> {
    let is = |seat: &Seat| (seat.dn.key().clone(), seat.selected, seat.aliases.clone(), seat.members.clone());
    let now: std::collections::BTreeMap<&EntryId, &Seat> = now.seats.iter().map(|seat| (&seat.id, seat)).collect();
    let were: BTreeSet<&EntryId> = before.iter().map(|seat| &seat.id).collect();
    // One who moved is named by its groups by another name.
    let moved: BTreeSet<MemberName> = before.iter().filter(|seat| told.contains(&seat.id)).flat_map(Seat::names).collect();
    let lists_moved = |seat: &Seat| seat.members.iter().flatten().any(|member| moved.contains(member));
    // A group outside of the bases is read only as long as another one lists it.
    let differs = |seat: &Seat| now.get(&seat.id).map_or(seat.selected, |now| is(now) != is(seat));
    let changed = before.iter().filter(|seat| differs(seat) && !lists_moved(seat));
    let came = now.values().filter(|seat| !were.contains(&seat.id)).copied();
    let missed: Vec<&Seat> = changed.chain(came).filter(|seat| !told.contains(&seat.id)).collect();
    let names: Vec<&str> = missed.iter().take(NAMED).map(|seat| seat.dn.as_str()).collect();
    let dots = if missed.len() > NAMED { ", …" } else { "" };
    (!missed.is_empty()).then(|| {
        format!(
            "the full reading found {} entries changed of which nothing had been told: {}{dots}",
            missed.len(),
            names.join(", ")
        )
    })
}
