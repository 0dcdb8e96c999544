//! Entries in scope of several channels of one target, and who owns their attributes.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{ChannelName, EntryId, ResourceType, Snapshot, TargetName};
use crate::plan::{Desired, Scope};

use super::change::Lists;
use super::text;

/// One channel's view of its target.
#[derive(Clone, Copy)]
pub struct View<'a> {
    /// The channel.
    pub channel: &'a ChannelName,
    /// Its target.
    pub target: &'a TargetName,
    /// Every channel of the target, in the file's order.
    pub order: &'a [ChannelName],
    /// What was read.
    pub desired: &'a Desired,
    /// What is remembered.
    pub snapshot: &'a Snapshot,
}

/// Entries that the same channels share. Names in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overlap {
    /// Who owns the attributes: the first in the file's order.
    pub owner: ChannelName,
    /// Who else claims them.
    pub others: Vec<ChannelName>,
    /// Users.
    pub users: Vec<String>,
    /// Groups.
    pub groups: Vec<String>,
}

/// The overlaps between what these channels read, and with what other channels of the same target claim already.
pub fn overlaps(views: &[View<'_>]) -> Vec<Overlap> {
    let mut sharing: BTreeMap<(&TargetName, &EntryId), BTreeSet<usize>> = BTreeMap::new();
    let mut names: BTreeMap<&EntryId, (ResourceType, &str)> = BTreeMap::new();
    let mut orders: BTreeMap<&TargetName, &[ChannelName]> = BTreeMap::new();
    for view in views {
        orders.insert(view.target, view.order);
        let place = |channel: &ChannelName| view.order.iter().position(|other| other == channel);
        for judged in view.desired.entries.values().filter(|judged| matches!(judged.scope, Scope::In(_))) {
            let channels = sharing.entry((view.target, &judged.entry_id)).or_default();
            channels.extend(place(view.channel));
            let read = |channel: &&ChannelName| !views.iter().any(|other| other.channel == *channel);
            let claims = view.snapshot.claims.get(&judged.entry_id).into_iter().flatten();
            channels.extend(claims.filter(read).filter_map(place));
            names.insert(&judged.entry_id, (judged.resource_type, &judged.name));
        }
    }
    let mut overlaps: BTreeMap<(&TargetName, BTreeSet<usize>), Overlap> = BTreeMap::new();
    for ((target, entry_id), channels) in sharing.into_iter().filter(|(_, channels)| channels.len() > 1) {
        let order = orders.get(target).copied().unwrap_or_default();
        let mut involved = channels.iter().filter_map(|place| order.get(*place).cloned());
        let Some(owner) = involved.next() else { continue };
        let others = involved.collect();
        let overlap = overlaps.entry((target, channels)).or_insert_with(|| Overlap {
            owner,
            others,
            users: Vec::new(),
            groups: Vec::new(),
        });
        match names.get(entry_id) {
            Some((ResourceType::User, name)) => overlap.users.push((*name).to_owned()),
            Some((ResourceType::Group, name)) => overlap.groups.push((*name).to_owned()),
            None => {}
        }
    }
    let mut overlaps: Vec<Overlap> = overlaps.into_values().collect();
    for overlap in &mut overlaps {
        overlap.users.sort();
        overlap.groups.sort();
    }
    overlaps
}

/// An overlap for people.
pub fn lines(overlap: &Overlap, lists: Lists) -> Vec<String> {
    let others: Vec<&str> = overlap.others.iter().map(ChannelName::as_str).collect();
    let mut lines = vec![format!(
        "overlap: {} are in scope of {} and of {}; {} stands first in the file and owns their attributes",
        text::people(overlap.users.len() as u64, overlap.groups.len() as u64),
        overlap.owner,
        others.join(", "),
        overlap.owner
    )];
    let all: Vec<String> = overlap.users.iter().chain(&overlap.groups).map(|name| text::word(name)).collect();
    let rest = all.len().saturating_sub(lists.limit());
    let more = if rest > 0 { format!(" ({rest} more)") } else { String::new() };
    let shown: Vec<String> = all.into_iter().take(lists.limit()).collect();
    lines.push(format!("  {}{more}", shown.join(" ")));
    lines
}
