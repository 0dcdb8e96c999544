//! Carries a plan out. What each kind of change does is here; the order is `stage`'s, the sending `send`'s.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::model::{AttributePath, EntryId, Link, Origin, Resource, ResourceId, ResourceType, Value};
use crate::plan::{Action, Change, ClaimAfter, Edit, Held, Plan, Stage, Tally, drift};

use super::prepare::Prepared;
use super::recover::Recovered;
use super::{Channel, CycleError, CycleId, ProgressSender, Record, Recorded, References, Source, Store, Target};

/// What was done.
#[derive(Debug, Clone, Default)]
pub struct Applied {
    /// Changes carried out, by word: `created`, `adopted`, `relinked`, `updated`, `deactivated`, `deleted`, `forgotten`.
    pub done: BTreeMap<&'static str, u64>,
    /// Entries whose change the target refused, or whose answer was lost.
    pub held: Vec<Held>,
}

/// Changes under way for each that is on the wire: a change spends two durable commits in the store, one before and one
/// after it is sent, and each may take as long as an answer does.
const UNDER_WAY: usize = 4;

/// The state that changes under way share.
pub(super) struct Applying<'a, S, T, St> {
    pub(super) channel: &'a Channel<S, T>,
    pub(super) store: &'a St,
    pub(super) cycle: CycleId,
    pub(super) plan: &'a Plan,
    pub(super) claims: BTreeSet<EntryId>,
    /// The last change of each entry whose claim ends: it ends with that one.
    last: BTreeMap<&'a EntryId, &'a Change>,
    /// Requests in flight at most.
    pub(super) places: Arc<Semaphore>,
    /// Changes begun and not done at most.
    pub(super) under_way: usize,
    /// Nothing new is sent: it was told to stop, or cannot go on.
    pub(super) over: CancellationToken,
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
    pub(super) held: BTreeSet<EntryId>,
    pub(super) vanished: u64,
}

/// What the next request needs to know of a link. What it acknowledged is the store's to keep, but for targets that
/// want to be told all of it each time.
#[derive(Clone)]
pub(super) struct Linked {
    pub(super) resource_type: ResourceType,
    pub(super) resource_id: ResourceId,
    pub(super) acknowledged: Option<Arc<Resource>>,
    /// It is switched off, or may be: some providers show nothing of it then.
    pub(super) may_be_off: bool,
}

/// Applies a plan. What was done before an error is in the store, and in what is returned beside it.
pub async fn apply<S: Source, T: Target, St: Store>(
    channel: &Channel<S, T>,
    store: &St,
    cycle: CycleId,
    prepared: &Prepared,
    stop: &CancellationToken,
    progress: &ProgressSender,
) -> (Applied, Result<(), CycleError>) {
    let whole = channel.target.capabilities().whole_updates;
    let state = State {
        links: prepared
            .snapshot
            .others
            .iter()
            .map(|(entry_id, (resource_type, resource_id))| (entry_id.clone(), Linked::bare(*resource_type, resource_id)))
            .chain(prepared.snapshot.links.iter().map(|(entry_id, link)| (entry_id.clone(), Linked::of(link, whole))))
            .collect(),
        holders: crate::plan::holders(&prepared.snapshot),
        entries: prepared.desired.entries.keys().cloned().collect(),
        ..State::default()
    };
    let claimed = prepared.snapshot.claims.iter().filter(|(_, channels)| channels.contains(channel.name()));
    let claims = claimed.map(|(entry_id, _)| entry_id.clone()).collect();
    let places = channel.workers.max(1).saturating_mul(channel.target.capabilities().changes_per_request.max(1));
    let places = places.min(Semaphore::MAX_PERMITS);
    let ended = prepared.plan.changes.iter().map(|planned| &planned.change).filter(|change| change.claim == ClaimAfter::Ended);
    let applying = Applying {
        channel,
        store,
        cycle,
        plan: &prepared.plan,
        claims,
        last: ended.map(|change| (&change.entry_id, change)).collect(),
        places: Arc::new(Semaphore::new(places)),
        under_way: places.saturating_mul(UNDER_WAY),
        over: stop.child_token(),
        state: Mutex::new(state),
    };
    let result = match note_what_became_known(store, cycle, channel, prepared).await {
        Ok(()) => applying.stages(progress).await,
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
    /// One that others refer to.
    fn bare(resource_type: ResourceType, resource_id: &ResourceId) -> Self {
        Self { resource_type, resource_id: resource_id.clone(), acknowledged: None, may_be_off: false }
    }

    fn of(link: &Link, whole: bool) -> Self {
        Self {
            resource_type: link.acknowledged.resource_type,
            resource_id: link.resource_id.clone(),
            acknowledged: whole.then(|| Arc::new(link.acknowledged.clone())),
            may_be_off: link.acknowledged.active() == Some(false)
                || link.uncertain.paths.contains(&AttributePath::known("active")),
        }
    }
}

fn linked(link: &Link) -> Recorded {
    Recorded::Linked { resource_id: link.resource_id.clone(), origin: link.origin, acknowledged: link.acknowledged.clone() }
}

impl<S: Source, T: Target, St: Store> Applying<'_, S, T, St> {
    pub(super) fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub(super) async fn carry_out(&self, change: &Change) -> Result<(), CycleError> {
        match &change.action {
            Action::Create(resource) => self.create(change, resource).await,
            Action::Adopt { resource_id, found, edits } => self.adopt(change, resource_id, found.clone(), edits.clone()).await,
            Action::Relink { resource_id, from, edits } => self.relink(change, resource_id, from, edits.clone()).await,
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
        let mut state = self.lock();
        state.held.insert(change.entry_id.clone());
        state.applied.held.push(Held {
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
        let whole = self.channel.target.capabilities().whole_updates;
        let mut state = self.lock();
        state.holders.insert((link.acknowledged.resource_type, link.resource_id.clone()), link.entry_id.clone());
        state.links.insert(link.entry_id.clone(), Linked::of(link, whole));
    }

    pub(super) fn unlink(&self, entry_id: &EntryId) {
        let mut state = self.lock();
        if let Some(link) = state.links.remove(entry_id) {
            state.holders.remove(&(link.resource_type, link.resource_id));
        }
    }

    /// What a record says of the claim: nothing where it says nothing new. A claim ends with the last request of the last
    /// change of the entry, and not before everything was done.
    pub(super) fn claim_after(&self, change: &Change, last: bool) -> Option<bool> {
        match change.claim {
            ClaimAfter::Held => (!self.claims.contains(&change.entry_id)).then_some(true),
            ClaimAfter::Ended => {
                let last = last && self.last.get(&change.entry_id).is_none_or(|other| std::ptr::eq(*other, change));
                (last && !self.lock().held.contains(&change.entry_id)).then_some(false)
            }
        }
    }

    /// The resource ids of those of `wanted` that are linked.
    pub(super) fn references<'b>(&self, wanted: impl IntoIterator<Item = &'b EntryId>) -> References {
        let state = self.lock();
        let mut references = References::new();
        for id in wanted {
            if let Some(link) = state.links.get(id) {
                references.insert(id.clone(), link.resource_type, link.resource_id.clone());
            }
        }
        references
    }

    /// The same for edits of a linked resource, with what it acknowledged where the target is told all of it.
    pub(super) fn references_of(&self, entry_id: &EntryId, edits: &[Edit]) -> References {
        let acknowledged = self.lock().links.get(entry_id).and_then(|link| link.acknowledged.clone());
        let held = acknowledged.iter().flat_map(|held| held.attributes.values().filter_map(Value::reference));
        let mut references = self.references(edits.iter().flat_map(super::update::mentioned).chain(held));
        references.acknowledged = acknowledged;
        references
    }

    /// Links a resource that was there, and edits it; members follow when every group is there.
    pub(super) async fn adopt(
        &self,
        change: &Change,
        resource_id: &ResourceId,
        found: crate::model::Resource,
        edits: Vec<Edit>,
    ) -> Result<(), CycleError> {
        if !self.takes(change, resource_id) {
            self.hold(change, format!("the target's resource {resource_id} was linked to another entry meanwhile"));
            return Ok(());
        }
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
        self.edit_linked(change, resource_id, edits).await
    }

    /// The edits of a resource that has just been linked.
    async fn edit_linked(&self, change: &Change, resource_id: &ResourceId, edits: Vec<Edit>) -> Result<(), CycleError> {
        let (members, attributes): (Vec<Edit>, Vec<Edit>) =
            edits.into_iter().partition(|edit| matches!(edit, Edit::Members { .. } | Edit::Foreign { .. }));
        if !members.is_empty() {
            self.follow_up(Stage::Members, change, resource_id, members);
        }
        if attributes.is_empty() { Ok(()) } else { self.update(change, attributes).await }
    }

    /// Takes over the link of an entry that is gone.
    async fn relink(
        &self,
        change: &Change,
        resource_id: &ResourceId,
        from: &EntryId,
        edits: Vec<Edit>,
    ) -> Result<(), CycleError> {
        let tally = Tally { identity: change.tally.identity, ..Tally::default() };
        self.record(change, None, Recorded::Relinked { from: from.clone(), tally }, Some(true)).await?;
        {
            let mut state = self.lock();
            if let Some(link) = state.links.remove(from) {
                state.holders.insert((link.resource_type, link.resource_id.clone()), change.entry_id.clone());
                state.links.insert(change.entry_id.clone(), link);
            }
        }
        self.done("relinked");
        tracing::info!(channel = %self.channel.name(), entry = %change.entry_id, resource = %resource_id, "relinked");
        // Its name was counted as the link changed hands.
        let rest = Change { tally: Tally { identity: 0, ..change.tally }, ..change.clone() };
        self.edit_linked(&rest, resource_id, edits).await
    }

    /// Puts an update off to a later stage.
    pub(super) fn follow_up(&self, stage: Stage, change: &Change, resource_id: &ResourceId, edits: Vec<Edit>) {
        let action = Action::Update { resource_id: resource_id.clone(), edits };
        let change = Change { action, tally: Tally::default(), claim: ClaimAfter::Held, ..change.clone() };
        self.lock().later.push((stage, change));
    }
}
