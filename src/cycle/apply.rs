//! Carries a plan out: stage by stage, several workers, one write in flight per resource; an intent is stored before
//! each request and its record after it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Mutex;

use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio_util::sync::CancellationToken;

use crate::model::{EntryId, Link, Origin, ResourceId, ResourceType, Value};
use crate::plan::{Action, Change, ClaimAfter, Edit, Held, Plan, Stage, drift};

use super::prepare::Prepared;
use super::recover::Recovered;
use super::{Channel, CycleError, CycleId, Phase, Progress, ProgressSender, Record, Recorded, References, Source, Store, Target};

/// What was done.
#[derive(Debug, Clone, Default)]
pub struct Applied {
    /// Changes carried out, by word: `created`, `adopted`, `updated`, `deactivated`, `deleted`, `forgotten`.
    pub done: BTreeMap<&'static str, u64>,
    /// Entries whose change the target refused, or whose answer was lost.
    pub held: Vec<Held>,
}

/// The state that workers share.
pub(super) struct Applying<'a, S, T, St> {
    pub(super) channel: &'a Channel<S, T>,
    pub(super) store: &'a St,
    pub(super) cycle: CycleId,
    pub(super) plan: &'a Plan,
    pub(super) claims: BTreeSet<EntryId>,
    pub(super) state: Mutex<State>,
}

/// What changes while a plan is carried out.
#[derive(Default)]
pub(super) struct State {
    pub(super) links: BTreeMap<EntryId, Linked>,
    pub(super) holders: BTreeMap<(ResourceType, ResourceId), EntryId>,
    pub(super) entries: BTreeSet<EntryId>,
    pub(super) later: Vec<(Stage, Change)>,
    pub(super) applied: Applied,
    pub(super) vanished: u64,
}

/// What the next request needs to know of a link. What it acknowledged is the store's to keep.
#[derive(Clone)]
pub(super) struct Linked {
    pub(super) resource_type: ResourceType,
    pub(super) resource_id: ResourceId,
}

const STAGES: [Stage; 9] = [
    Stage::Revoke,
    Stage::Users,
    Stage::References,
    Stage::Groups,
    Stage::Members,
    Stage::Moves,
    Stage::DeleteGroups,
    Stage::DeleteUsers,
    Stage::Claims,
];

/// Applies a plan. What was done before an error is in the store, and in what is returned beside it.
pub async fn apply<S: Source, T: Target, St: Store>(
    channel: &Channel<S, T>,
    store: &St,
    cycle: CycleId,
    prepared: &Prepared,
    stop: &CancellationToken,
    progress: &ProgressSender,
) -> (Applied, Result<(), CycleError>) {
    let state = State {
        links: prepared.snapshot.links.iter().map(|(entry_id, link)| (entry_id.clone(), Linked::of(link))).collect(),
        holders: crate::plan::holders(&prepared.snapshot),
        entries: prepared.desired.entries.keys().cloned().collect(),
        ..State::default()
    };
    let claimed = prepared.snapshot.claims.iter().filter(|(_, channels)| channels.contains(channel.name()));
    let claims = claimed.map(|(entry_id, _)| entry_id.clone()).collect();
    let applying = Applying { channel, store, cycle, plan: &prepared.plan, claims, state: Mutex::new(state) };
    let result = match note_what_became_known(store, cycle, channel, prepared).await {
        Ok(()) => applying.stages(stop, progress).await,
        Err(error) => Err(error),
    };
    let applied = std::mem::take(&mut applying.lock().applied);
    (applied, result)
}

/// Writes down what recovery and comparison found out, before anything new is sent.
async fn note_what_became_known<S, T, St: Store>(
    store: &St,
    cycle: CycleId,
    channel: &Channel<S, T>,
    prepared: &Prepared,
) -> Result<(), CycleError> {
    let record = |entry_id: &EntryId, resource_type, result, claim| Record {
        intent: None,
        entry_id: entry_id.clone(),
        resource_type,
        result,
        claim,
    };
    let mut records: Vec<Record> = prepared
        .recovered
        .iter()
        .map(|recovered| match recovered {
            Recovered::Arrived(link) => {
                tracing::info!(channel = %channel.name(), entry = %link.entry_id, "a create whose answer was lost had arrived");
                record(&link.entry_id, link.acknowledged.resource_type, linked(link), Some(true))
            }
            Recovered::NeverArrived(entry_id, resource_type) => record(entry_id, *resource_type, Recorded::Gone, None),
        })
        .collect();
    if let Some(drift::Comparison { corrected, missing, .. }) = &prepared.comparison {
        records.extend(
            corrected.iter().map(|(entry_id, resource)| {
                record(entry_id, resource.resource_type, Recorded::Corrected(resource.clone()), None)
            }),
        );
        records.extend(
            missing.iter().map(|link| record(&link.entry_id, link.acknowledged.resource_type, Recorded::Gone, Some(false))),
        );
    }
    if !records.is_empty() {
        store.record(cycle, records).await?;
    }
    if prepared.desired.scope_groups != prepared.snapshot.scope_groups && prepared.desired.coverage.is_full() {
        store.follow(cycle, &prepared.desired.scope_groups).await?;
    }
    Ok(())
}

impl Linked {
    fn of(link: &Link) -> Self {
        Self { resource_type: link.acknowledged.resource_type, resource_id: link.resource_id.clone() }
    }
}

fn linked(link: &Link) -> Recorded {
    Recorded::Linked { resource_id: link.resource_id.clone(), origin: link.origin, acknowledged: link.acknowledged.clone() }
}

impl<S: Source, T: Target, St: Store> Applying<'_, S, T, St> {
    pub(super) fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    async fn stages(&self, stop: &CancellationToken, progress: &ProgressSender) -> Result<(), CycleError> {
        let total = self.plan.changes.len() as u64;
        progress.send_replace(Progress { phase: Phase::Applying, done: 0, total });
        for stage in STAGES {
            let mut tasks: Vec<(usize, &Change, &[usize])> = self
                .plan
                .changes
                .iter()
                .enumerate()
                .filter(|(_, planned)| planned.stage == stage)
                .map(|(index, planned)| (index, &planned.change, planned.after.as_slice()))
                .collect();
            let later: Vec<Change> = {
                let mut state = self.lock();
                let (now, rest) = std::mem::take(&mut state.later).into_iter().partition(|(when, _)| *when == stage);
                state.later = rest;
                now.into_iter().map(|(_, change): (Stage, Change)| change).collect()
            };
            let planned = self.plan.changes.len();
            tasks.extend(later.iter().enumerate().map(|(index, change)| (planned + index, change, &[] as &[usize])));
            self.stage(tasks, stop, progress).await?;
        }
        Ok(())
    }

    /// One stage: whoever waits for nobody goes, `workers` at a time.
    async fn stage(
        &self,
        tasks: Vec<(usize, &Change, &[usize])>,
        stop: &CancellationToken,
        progress: &ProgressSender,
    ) -> Result<(), CycleError> {
        let numbers: BTreeSet<usize> = tasks.iter().map(|(number, ..)| *number).collect();
        let mut waits: BTreeMap<usize, usize> = BTreeMap::new();
        let mut followers: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        let mut ready = VecDeque::new();
        let changes: BTreeMap<usize, (&Change, &[usize])> =
            tasks.iter().map(|(number, change, after)| (*number, (*change, *after))).collect();
        for (number, _, after) in &tasks {
            let open = after.iter().filter(|other| numbers.contains(other));
            let mut count = 0;
            for other in open {
                followers.entry(*other).or_default().push(*number);
                count += 1;
            }
            if count == 0 {
                ready.push_back(*number);
            } else {
                waits.insert(*number, count);
            }
        }
        let mut running = FuturesUnordered::new();
        let mut failed = None;
        loop {
            while failed.is_none() && !stop.is_cancelled() && running.len() < self.channel.workers.max(1) {
                let Some(number) = ready.pop_front() else { break };
                let Some((change, after)) = changes.get(&number) else { break };
                running.push(async move { (number, self.in_turn(change, after).await) });
            }
            let Some((number, result)) = running.next().await else { break };
            if let Err(error) = result {
                failed = failed.or(Some(error));
            }
            progress.send_modify(|progress| progress.done = (progress.done + 1).min(progress.total));
            for follower in followers.remove(&number).unwrap_or_default() {
                if let Some(count) = waits.get_mut(&follower) {
                    *count -= 1;
                    if *count == 0 {
                        ready.push_back(follower);
                    }
                }
            }
        }
        match failed {
            Some(error) => Err(error),
            None if stop.is_cancelled() && !ready.is_empty() => Err(CycleError::Stopped),
            None => Ok(()),
        }
    }

    /// Carries a change out, unless it takes a name that the one before it did not give up.
    async fn in_turn(&self, change: &Change, after: &[usize]) -> Result<(), CycleError> {
        let Some(holder) = self.keeps_the_name(change, after) else { return self.carry_out(change).await };
        self.hold(change, format!("it waits for a name of entry {holder}, whose own change was not carried out"));
        Ok(())
    }

    fn keeps_the_name(&self, change: &Change, after: &[usize]) -> Option<EntryId> {
        let wanted = name_after(change)?.to_lowercase();
        let before = after.iter().filter_map(|number| Some(&self.plan.changes.get(*number)?.change));
        let mut holders = before.filter(|other| {
            other.resource_type == change.resource_type && name_before(other).is_some_and(|name| name.to_lowercase() == wanted)
        });
        let state = self.lock();
        let holder = holders.find(|other| state.applied.held.iter().any(|held| held.entry_id == other.entry_id))?;
        Some(holder.entry_id.clone())
    }

    async fn carry_out(&self, change: &Change) -> Result<(), CycleError> {
        match &change.action {
            Action::Create(resource) => self.create(change, resource).await,
            Action::Adopt { resource_id, found, edits } => self.adopt(change, resource_id, found.clone(), edits.clone()).await,
            Action::Update { edits, .. } => self.update(change, edits.clone()).await,
            Action::Delete { .. } => self.delete(change).await,
            Action::Claim { .. } => self.record(change, None, Recorded::Unchanged, Some(true)).await,
            Action::Release => {
                self.done("forgotten");
                self.record(change, None, Recorded::Unchanged, Some(false)).await
            }
            Action::Forget => {
                self.done("forgotten");
                self.record(change, None, Recorded::Gone, Some(false)).await?;
                self.unlink(&change.entry_id);
                Ok(())
            }
        }
    }

    pub(super) fn done(&self, word: &'static str) {
        *self.lock().applied.done.entry(word).or_default() += 1;
    }

    pub(super) fn hold(&self, change: &Change, why: String) {
        tracing::warn!(
            channel = %self.channel.name(),
            entry = %change.entry_id,
            resource_type = change.resource_type.as_str(),
            "a change was not carried out; `ldap2scim status` shows why"
        );
        self.lock().applied.held.push(Held {
            entry_id: change.entry_id.clone(),
            resource_type: change.resource_type,
            name: change.name.clone(),
            why,
        });
    }

    pub(super) async fn record(
        &self,
        change: &Change,
        intent: Option<super::IntentId>,
        result: Recorded,
        claim: Option<bool>,
    ) -> Result<(), CycleError> {
        let record = Record { intent, entry_id: change.entry_id.clone(), resource_type: change.resource_type, result, claim };
        Ok(self.store.record(self.cycle, vec![record]).await?)
    }

    pub(super) fn link(&self, link: &Link) {
        let mut state = self.lock();
        state.holders.insert((link.acknowledged.resource_type, link.resource_id.clone()), link.entry_id.clone());
        state.links.insert(link.entry_id.clone(), Linked::of(link));
    }

    pub(super) fn unlink(&self, entry_id: &EntryId) {
        let mut state = self.lock();
        if let Some(link) = state.links.remove(entry_id) {
            state.holders.remove(&(link.resource_type, link.resource_id));
        }
    }

    /// The resource ids of those of `wanted` that are linked.
    pub(super) fn references<'b>(&self, wanted: impl IntoIterator<Item = &'b EntryId>) -> References {
        let state = self.lock();
        wanted.into_iter().filter_map(|id| Some((id.clone(), state.links.get(id)?.resource_id.clone()))).collect()
    }

    /// Links a resource that was there, and edits it; members follow when every group is there.
    pub(super) async fn adopt(
        &self,
        change: &Change,
        resource_id: &ResourceId,
        found: crate::model::Resource,
        edits: Vec<Edit>,
    ) -> Result<(), CycleError> {
        let link = Link {
            entry_id: change.entry_id.clone(),
            resource_id: resource_id.clone(),
            origin: Origin::Adopted,
            acknowledged: found,
            uncertain: crate::model::Uncertain::default(),
        };
        self.record(change, None, linked(&link), Some(true)).await?;
        self.link(&link);
        self.done("adopted");
        let (members, attributes): (Vec<Edit>, Vec<Edit>) =
            edits.into_iter().partition(|edit| matches!(edit, Edit::Members { .. }));
        if !members.is_empty() {
            self.follow_up(Stage::Members, change, resource_id, members);
        }
        if attributes.is_empty() { Ok(()) } else { self.update(change, attributes).await }
    }

    /// Puts an update off to a later stage.
    pub(super) fn follow_up(&self, stage: Stage, change: &Change, resource_id: &ResourceId, edits: Vec<Edit>) {
        let action = Action::Update { resource_id: resource_id.clone(), edits };
        let tally = crate::plan::Tally::default();
        let change = Change { action, tally, claim: ClaimAfter::Held, ..change.clone() };
        self.lock().later.push((stage, change));
    }
}

/// The name that a change gives its resource.
fn name_after(change: &Change) -> Option<&str> {
    match &change.action {
        Action::Create(resource) => resource.name(),
        Action::Adopt { .. } | Action::Update { .. } => match rename(change)? {
            (_, Some(Value::Text(name))) => Some(name),
            _ => None,
        },
        Action::Delete { .. } | Action::Claim { .. } | Action::Release | Action::Forget => None,
    }
}

/// The name that a change takes from its resource.
fn name_before(change: &Change) -> Option<&str> {
    match rename(change)? {
        (Some(Value::Text(name)), _) => Some(name),
        _ => None,
    }
}

fn rename(change: &Change) -> Option<(Option<&Value>, Option<&Value>)> {
    let (Action::Update { edits, .. } | Action::Adopt { edits, .. }) = &change.action else { return None };
    let name = change.resource_type.name_path();
    edits.iter().find_map(|edit| match edit {
        Edit::Attribute { path, before, after } if *path == name => Some((before.as_ref(), after.as_ref())),
        Edit::Attribute { .. } | Edit::Members { .. } => None,
    })
}

/// What a record says of the claim: nothing where it says nothing new.
pub(super) fn claim_of(claimed: bool, claim: ClaimAfter, last: bool) -> Option<bool> {
    match claim {
        ClaimAfter::Held => (!claimed).then_some(true),
        ClaimAfter::Ended => last.then_some(false),
    }
}
