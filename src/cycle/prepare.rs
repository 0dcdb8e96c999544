//! Read the directory, ask the target what must be asked, and plan. Sends nothing that changes anything and
//! writes nothing to the store.

use std::collections::BTreeMap;

use tokio::sync::mpsc;

use crate::model::{AttributeName, DnKey, Entry, EntryId, Reading, ScopeGroup, Snapshot, Vendor, Wanted, Witness};
use crate::plan::{Desired, Judge, Known, Plan, Rules, Situation, drift, plan};

use super::compare;
use super::matching;
use super::recover::{self, Recovered};
use super::refusal;
use super::{Channel, CycleError, Depth, Phase, Progress, ProgressSender, Source, SourceError, Target};

/// A cycle that is ready to be applied, or to be shown.
#[derive(Debug)]
pub struct Prepared {
    /// What is remembered, after recovery and comparison.
    pub snapshot: Snapshot,
    /// What the directory says.
    pub desired: Desired,
    /// What the target said about entries that are not linked.
    pub situations: BTreeMap<EntryId, Situation>,
    /// What to do.
    pub plan: Plan,
    /// What became known about creates whose answer was lost.
    pub recovered: Vec<Recovered>,
    /// What a full comparison found.
    pub comparison: Option<drift::Comparison>,
    /// What kind of directory was read.
    pub vendor: Vendor,
    /// Entries that were watched for.
    pub watched: Vec<Entry>,
    /// What leads from this reading to the next; `None` where only some entries were looked at.
    pub reading: Option<Reading>,
}

/// Picks entries to keep whole, for `explain`.
pub type Watch<'a> = &'a (dyn Fn(&Entry) -> bool + Send + Sync);

/// What a directory says, and what it is.
pub(super) struct Read {
    vendor: Vendor,
    desired: Desired,
    watched: Vec<Entry>,
    reading: Reading,
}

/// Reads, asks and plans.
pub async fn prepare<S: Source, T: Target>(
    channel: &Channel<S, T>,
    snapshot: Snapshot,
    depth: Depth,
    watch: Option<Watch<'_>>,
    progress: &ProgressSender,
) -> Result<Prepared, CycleError> {
    let read = read_for(channel, &snapshot, depth, watch, progress).await?;
    planned(channel, snapshot, read, depth, progress).await
}

/// Reads the directory. Of what is remembered only the scope groups, what the target can and whether it is the first cycle
/// are looked at: all else may be loaded meanwhile.
pub(super) async fn read_for<S: Source, T: Target>(
    channel: &Channel<S, T>,
    snapshot: &Snapshot,
    depth: Depth,
    watch: Option<Watch<'_>>,
    progress: &ProgressSender,
) -> Result<Read, CycleError> {
    remember(channel, snapshot, depth);
    let vendor = channel.source.identify().await?;
    // What a target can changes seldom, so it is not asked in every cycle.
    if snapshot.first || depth == Depth::Full {
        channel.target.discover().await;
    }
    let (desired, watched, reading) = read(channel, vendor, &snapshot.scope_groups, watch, progress).await?;
    Ok(Read { vendor, desired, watched, reading })
}

/// Asks and plans.
pub(super) async fn planned<S: Source, T: Target>(
    channel: &Channel<S, T>,
    mut snapshot: Snapshot,
    read: Read,
    depth: Depth,
    progress: &ProgressSender,
) -> Result<Prepared, CycleError> {
    let Read { vendor, mut desired, watched, reading } = read;
    progress.send_replace(Progress { phase: Phase::Matching, ..Progress::default() });
    let (recovered, unclear) = recover::look_up(channel, &mut snapshot).await?;
    let mut notes = Vec::new();
    let mut listed = None;
    let comparison = match depth {
        Depth::Usual => None,
        Depth::Full if !channel.target.capabilities().lists => {
            notes
                .push("what is there was not compared with what is remembered: lists of this target are not believed".to_owned());
            None
        }
        Depth::Full => {
            let found = compare::list(channel, &snapshot).await?;
            let comparison =
                compare::confirmed(channel, &snapshot, drift::compare(&channel.rules, &snapshot, &desired, &found)).await?;
            drift::correct(&mut snapshot, &comparison);
            listed = Some(found);
            Some(comparison)
        }
    };
    desired.merge_namesakes(&channel.rules, &snapshot);
    let (capabilities, nothing) = (channel.target.capabilities(), BTreeMap::new());
    let know = |situations| Known::new(&channel.rules, &capabilities, &snapshot, &desired, situations, comparison.as_ref());
    let mut situations = matching::situations(channel, &know(&nothing), listed.as_deref(), &mut notes).await?;
    situations.extend(unclear.iter().map(|held| (held.entry_id.clone(), Situation::Disputed(held.why.clone()))));
    let mut plan = plan(&know(&situations));
    plan.notes.splice(0..0, notes);
    for held in unclear {
        if !plan.held.iter().any(|other| other.entry_id == held.entry_id) {
            plan.held.push(held);
            plan.counts.held += 1;
        }
    }
    match depth {
        Depth::Usual => refusal::hold_refused(&mut plan, &snapshot, capabilities.members_per_request),
        Depth::Full => {}
    }
    plan.counts.members_foreign += comparison.as_ref().map_or(0, |comparison| comparison.members_foreign);
    let reading = Some(reading);
    Ok(Prepared { snapshot, desired, situations, plan, recovered, comparison, vendor, watched, reading })
}

/// Tells the target what is known about it. A full look believes only what it announces, so that one that was mended is
/// found out anew.
fn remember<S, T: Target>(channel: &Channel<S, T>, snapshot: &Snapshot, depth: Depth) {
    let mut known = snapshot.knowledge.clone();
    match depth {
        Depth::Usual => {}
        Depth::Full => {
            channel.target.forget();
            known.retain(|_, fact| fact.witness == Witness::Announced);
        }
    }
    channel.target.recall(&known);
}

/// Readings that are begun in one cycle at most, each on another server than the one that failed: more servers than this fail
/// for a common cause.
const READINGS: u32 = 4;

/// Reads and judges; asks the target nothing. What a server sent that failed in the middle is forgotten before the next is
/// asked.
pub async fn read<S: Source, T: Target>(
    channel: &Channel<S, T>,
    vendor: Vendor,
    scope_groups: &BTreeMap<DnKey, EntryId>,
    watch: Option<Watch<'_>>,
    progress: &ProgressSender,
) -> Result<(Desired, Vec<Entry>, Reading), CycleError> {
    let mut begun = 1;
    loop {
        match read_once(channel, vendor, scope_groups, watch, progress).await {
            Err(CycleError::Source(error @ SourceError::Interrupted { .. })) if begun < READINGS => {
                tracing::warn!(%error, "the reading is begun again on another server");
                begun += 1;
            }
            end => return end,
        }
    }
}

async fn read_once<S: Source, T: Target>(
    channel: &Channel<S, T>,
    vendor: Vendor,
    scope_groups: &BTreeMap<DnKey, EntryId>,
    watch: Option<Watch<'_>>,
    progress: &ProgressSender,
) -> Result<(Desired, Vec<Entry>, Reading), CycleError> {
    let mapping = channel.rules.mapping.of(vendor);
    let wanted = wanted_of(channel, vendor, scope_groups);
    let capabilities = channel.target.capabilities();
    let mut judge = Judge::new(&channel.rules, mapping, &capabilities, scope_groups);
    let (sender, mut entries) = mpsc::channel::<Entry>(1024);
    let mut watched = Vec::new();
    let judging = async {
        let mut done = 0;
        while let Some(entry) = entries.recv().await {
            judge.take(&entry);
            done += 1;
            if done % 256 == 0 {
                progress.send_replace(Progress { phase: Phase::Reading, done, total: 0 });
            }
            if watch.is_some_and(|watch| watch(&entry)) {
                watched.push(entry);
            }
        }
        progress.send_replace(Progress { phase: Phase::Reading, done, total: 0 });
    };
    let (reading, ()) = tokio::join!(channel.source.read(&wanted, sender), judging);
    let reading = reading?;
    Ok((judge.finish(reading.coverage.clone()), watched, reading))
}

/// What a channel wants of a directory of this kind.
pub(super) fn wanted_of<S, T>(channel: &Channel<S, T>, vendor: Vendor, known: &BTreeMap<DnKey, EntryId>) -> Wanted {
    wanted(&channel.rules, channel.rules.mapping.of(vendor).attributes(), known)
}

/// What a channel wants of its directory. `known` tells which entries the scope groups were before.
pub fn wanted(rules: &Rules, user_attributes: Vec<AttributeName>, known: &BTreeMap<DnKey, EntryId>) -> Wanted {
    let mut scope_groups = rules.users.scope.group_dns.clone();
    if let Some(groups) = &rules.groups {
        scope_groups.extend(groups.scope.group_dns.iter().cloned());
    }
    scope_groups.sort();
    scope_groups.dedup();
    let scope_groups: Vec<ScopeGroup> =
        scope_groups.into_iter().map(|dn| ScopeGroup { id: known.get(dn.key()).cloned(), dn }).collect();
    Wanted {
        users: rules.users.selection.clone(),
        user_attributes,
        groups: rules.groups.as_ref().map(|groups| groups.selection.clone()),
        group_attributes: rules.groups.iter().map(|groups| groups.name.clone()).filter(|name| name.as_str() != "dn").collect(),
        membership: rules.groups.is_some() || !scope_groups.is_empty(),
        scope_groups,
    }
}
