//! Linked resources: what each answer to an edit or a delete means for the link.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::model::{AttributePath, EntryId, ResourceId, ResourceType, Value};
use crate::plan::{Action, Change, ClaimAfter, Edit, Stage, Tally, diff, requests, tally_of};

use super::apply::Applying;
use super::refusal::Refusal;
use super::{CycleError, Intent, IntentId, Outcome, Recorded, References, Source, Store, Target, TargetError};

impl<S: Source, T: Target, St: Store> Applying<'_, S, T, St> {
    /// Edits of a linked resource, request by request.
    pub(super) async fn update(&self, change: &Change, edits: Vec<Edit>) -> Result<(), CycleError> {
        let Some(link) = self.lock().links.get(&change.entry_id).cloned() else {
            self.hold(change, "its resource is not linked any more; it is looked at again by the next cycle".into());
            return Ok(());
        };
        let deactivates = edits.iter().any(diff::deactivates);
        let Sendable { now: edits, settled, late } = self.sendable(edits);
        let mut resource_id = link.resource_id;
        if !late.is_empty() {
            self.follow_up(Stage::References, change, &resource_id, late);
        }
        if !settled.is_empty() {
            let claim = self.claim_after(change, edits.is_empty());
            self.record(change, None, Recorded::Edited { resource_id: resource_id.clone(), edits: settled }, claim).await?;
        }
        let cut = Change { action: Action::Update { resource_id: resource_id.clone(), edits: edits.clone() }, ..change.clone() };
        let pieces = requests(&cut, self.channel.target.capabilities().members_per_request);
        let count = pieces.len();
        let mut all = true;
        for (number, piece) in pieces.into_iter().enumerate() {
            let Action::Update { edits, .. } = piece.action else { continue };
            let references = self.references_of(&change.entry_id, &edits);
            let request =
                Change { action: Action::Update { resource_id: resource_id.clone(), edits: edits.clone() }, ..change.clone() };
            let (intent, answer) = self.send(request.clone(), &cut, &references).await?;
            drop(references);
            let switches_off = edits.iter().any(diff::deactivates);
            match answer {
                Ok(Outcome::Exists(_)) if switches_off && self.channel.target.capabilities().deactivate_is_delete => {
                    self.gone(change, intent).await?;
                    self.done("deactivated");
                    tracing::info!(channel = %self.channel.name(), entry = %change.entry_id, "deactivated, which removes it there");
                    return Ok(());
                }
                Ok(Outcome::Exists(id)) => {
                    let id = if self.is_anothers(change, &id) { resource_id.clone() } else { id };
                    let claim = self.claim_after(change, number + 1 == count && all);
                    let recorded = Recorded::Edited { resource_id: id.clone(), edits: edits.clone() };
                    self.record(change, Some(intent), recorded, claim).await?;
                    self.moved(&change.entry_id, &id);
                    self.acknowledge(&change.entry_id, &edits);
                    resource_id = id;
                }
                Ok(Outcome::Partly { undone, doubtful, why, .. }) => {
                    self.partly(&cut, intent, &request, Shortfall { undone, doubtful, why }).await?;
                    all = false;
                }
                Ok(Outcome::Gone) | Err(TargetError::NotFound) if switches_off && self.may_be_hidden(&change.entry_id) => {
                    // An answer was lost, and it is off already.
                    let claim = self.claim_after(change, number + 1 == count && all);
                    let recorded = Recorded::Edited { resource_id: resource_id.clone(), edits: edits.clone() };
                    self.record(change, Some(intent), recorded, claim).await?;
                    self.acknowledge(&change.entry_id, &edits);
                }
                Ok(Outcome::Gone) | Err(TargetError::NotFound)
                    if self.may_be_hidden(&change.entry_id) && !edits.iter().any(diff::activates) =>
                {
                    self.refuse(change, intent, Refusal::of_words(&request.action, HIDDEN)).await?;
                    all = false;
                }
                Ok(Outcome::Gone) | Err(TargetError::NotFound) => {
                    return self.vanished(change, intent, switches_off || change.claim == ClaimAfter::Ended).await;
                }
                Err(TargetError::AnswerLost(why)) if edits.iter().all(|edit| matches!(edit, Edit::Foreign { .. })) => {
                    // Nothing is remembered of them, so nothing stays open either.
                    let recorded = Recorded::Edited { resource_id: resource_id.clone(), edits: Vec::new() };
                    self.record(change, Some(intent), recorded, None).await?;
                    self.hold(change, format!(
                        "the answer to a removal of members that are nobody's here was lost ({why}); `resync` looks at them again"
                    ));
                    all = false;
                }
                Err(TargetError::AnswerLost(why)) => {
                    self.hold(change, format!("the answer to an update was lost ({why}); it is sent again by the next cycle"));
                    return Ok(());
                }
                Err(error @ (TargetError::Conflict(_) | TargetError::Rejected { .. })) => {
                    self.refuse(change, intent, Refusal::judged(&request.action, &error)).await?;
                    all = false;
                }
                Err(error) => return self.give_up(change, intent, error).await,
            }
        }
        if all && count > 0 {
            self.done(if deactivates { "deactivated" } else { "updated" });
            tracing::info!(
                channel = %self.channel.name(), entry = %change.entry_id, resource = %resource_id,
                "{}", if deactivates { "deactivated" } else { "updated" }
            );
        }
        Ok(())
    }

    /// Some members were not taken. What nobody knows of stays an open intent, which makes it uncertain; the rest is
    /// acknowledged, and whoever was refused is sent again by the next cycle.
    async fn partly(&self, change: &Change, intent: IntentId, request: &Change, shortfall: Shortfall) -> Result<(), CycleError> {
        let Shortfall { undone, doubtful, why } = shortfall;
        let Action::Update { resource_id, edits } = &request.action else { return Ok(()) };
        let mut done = of_members(edits, |member| !undone.contains(member) && !doubtful.contains(member));
        let doubted = of_members(edits, |member| doubtful.contains(member));
        // Of strangers nothing is remembered, so nothing stays open either: who may have gone counts as gone.
        done.extend(strangers(edits, |member| !undone.contains(member)));
        let part = |edits: &[Edit]| {
            let action = Action::Update { resource_id: resource_id.clone(), edits: edits.to_vec() };
            Change { action, ..change.clone() }
        };
        let tally = |part: &Change| tally_of(part, change, &self.plan.removed_users);
        let (counted, in_doubt) = match (change.empties_a_group(), done.is_empty()) {
            (false, _) => (tally(&part(&done)), tally(&part(&doubted))),
            // It counts as the group, whichever of its members left.
            (true, false) => (tally(request), Tally::default()),
            (true, true) => (Tally::default(), tally(request)),
        };
        if !doubted.is_empty() {
            self.store.intend(self.cycle, vec![Intent { change: part(&doubted), tally: in_doubt }]).await?;
        }
        let claim = self.claim_after(change, false);
        let recorded = Recorded::Partly { resource_id: resource_id.clone(), edits: done.clone(), tally: counted };
        self.record(change, Some(intent), recorded, claim).await?;
        self.acknowledge(&change.entry_id, &done);
        let mut left = undone.iter().chain(&doubtful);
        let named = left.next().map(ToString::to_string).unwrap_or_default();
        let others = match left.count() {
            0 => String::new(),
            1 => " and one more".to_owned(),
            more => format!(" and {more} more"),
        };
        self.hold(change, format!("its members were changed but for entry {named}{others}: {why}"));
        Ok(())
    }

    /// Some providers change a resource's id with an edit.
    fn moved(&self, entry_id: &EntryId, resource_id: &ResourceId) {
        let mut state = self.lock();
        let Some(link) = state.links.get_mut(entry_id).filter(|link| link.resource_id != *resource_id) else { return };
        let resource_type = link.resource_type;
        let former = std::mem::replace(&mut link.resource_id, resource_id.clone());
        state.holders.remove(&(resource_type, former));
        state.holders.insert((resource_type, resource_id.clone()), entry_id.clone());
    }

    /// The next request to the resource is sent with what this one changed.
    fn acknowledge(&self, entry_id: &EntryId, edits: &[Edit]) {
        let mut state = self.lock();
        let Some(link) = state.links.get_mut(entry_id) else { return };
        if let Some(held) = link.acknowledged.as_mut() {
            diff::apply(Arc::make_mut(held), edits);
        }
        if edits.iter().any(diff::deactivates) {
            link.may_be_off = true;
        } else if edits.iter().any(diff::activates) {
            link.may_be_off = false;
        }
    }

    /// True for a user who is switched off, or may be: some providers answer as if there were none until it is switched
    /// on again. That is its first request then, and one that finds nothing either is believed.
    fn may_be_hidden(&self, entry_id: &EntryId) -> bool {
        let may_be_off = self.lock().links.get(entry_id).is_some_and(|link| link.may_be_off);
        may_be_off && !self.channel.target.capabilities().deactivate_is_delete
    }

    /// What can be sent now, what is settled without sending (members to remove who are not at the target any
    /// more), and references to somebody who is not linked yet. Members who are not linked wait for a later cycle.
    fn sendable(&self, edits: Vec<Edit>) -> Sendable {
        let state = self.lock();
        let linked = |id: &EntryId| state.links.contains_key(id);
        let mut sendable = Sendable::default();
        for edit in edits {
            match edit {
                Edit::Attribute { after: Some(Value::Reference(ref id)), .. } if !linked(id) => sendable.late.push(edit),
                edit @ (Edit::Attribute { .. } | Edit::Foreign { .. }) => sendable.now.push(edit),
                Edit::Members { add, remove } => {
                    let add: BTreeSet<EntryId> = add.into_iter().filter(|id| linked(id)).collect();
                    let (remove, gone): (BTreeSet<EntryId>, BTreeSet<EntryId>) = remove.into_iter().partition(|id| linked(id));
                    if !gone.is_empty() {
                        sendable.settled.push(Edit::Members { add: BTreeSet::new(), remove: gone });
                    }
                    if !add.is_empty() || !remove.is_empty() {
                        sendable.now.push(Edit::Members { add, remove });
                    }
                }
            }
        }
        sendable
    }

    /// A resource that should be there is not. A few are believed, and made again by the next cycle; many mean that
    /// this is not the target that we know.
    async fn vanished(&self, change: &Change, intent: IntentId, was_removal: bool) -> Result<(), CycleError> {
        if !was_removal {
            let (vanished, linked) = {
                let mut state = self.lock();
                state.vanished += 1;
                (state.vanished, state.links.len())
            };
            if vanished > 3 && vanished.saturating_mul(10) > linked as u64 {
                self.record(change, Some(intent), Recorded::Refused("not found at the target".into()), None).await?;
                return Err(CycleError::WrongTarget { missing: usize::try_from(vanished).unwrap_or(usize::MAX), linked });
            }
            self.hold(change, "its resource was deleted at the target; it is made again by the next cycle".into());
        } else {
            self.done("deactivated");
        }
        self.gone(change, intent).await
    }

    /// The resource is not there any more.
    async fn gone(&self, change: &Change, intent: IntentId) -> Result<(), CycleError> {
        self.record(change, Some(intent), Recorded::Gone, Some(false)).await?;
        self.unlink(&change.entry_id);
        Ok(())
    }

    /// A delete that only switched the user off: the link stays, so that a return finds it.
    async fn switched_off(&self, change: &Change, intent: IntentId, resource_id: &ResourceId) -> Result<(), CycleError> {
        let path = AttributePath::known("active");
        let off = Edit::Attribute { path, before: None, after: Some(Value::Flag(false)) };
        let recorded = Recorded::Edited { resource_id: resource_id.clone(), edits: vec![off] };
        self.record(change, Some(intent), recorded, Some(false)).await?;
        self.done("deactivated");
        tracing::info!(channel = %self.channel.name(), entry = %change.entry_id, "deleted, which switches it off there");
        Ok(())
    }

    /// Deletes a resource; one that is gone already is what was wanted.
    pub(super) async fn delete(&self, change: &Change) -> Result<(), CycleError> {
        let (intent, answer) = self.send(change.clone(), change, &References::new()).await?;
        let stays = change.resource_type == ResourceType::User && self.channel.target.capabilities().delete_is_deactivate;
        match (answer, &change.action) {
            (Ok(Outcome::Gone | Outcome::Exists(_) | Outcome::Partly { .. }), Action::Delete { resource_id }) if stays => {
                self.switched_off(change, intent, resource_id).await
            }
            (Ok(Outcome::Gone | Outcome::Exists(_) | Outcome::Partly { .. }) | Err(TargetError::NotFound), _) => {
                self.gone(change, intent).await?;
                self.done("deleted");
                tracing::info!(channel = %self.channel.name(), entry = %change.entry_id, "deleted");
                Ok(())
            }
            (Err(TargetError::AnswerLost(why)), _) => {
                self.hold(change, format!("the answer to its delete was lost ({why}); it is sent again by the next cycle"));
                Ok(())
            }
            (Err(error @ (TargetError::Conflict(_) | TargetError::Rejected { .. })), action) => {
                self.refuse(change, intent, Refusal::judged(action, &error)).await
            }
            (Err(error), _) => self.give_up(change, intent, error).await,
        }
    }
}

/// What is said of a change of a user who is switched off, where the target says that there is none.
const HIDDEN: &str =
    "it is switched off, and the target answers as if it were not there: the change waits until it is switched on again";

/// What of an edit of members was not done, or nobody knows of.
struct Shortfall {
    undone: BTreeSet<EntryId>,
    doubtful: BTreeSet<EntryId>,
    why: String,
}

/// Edits cut to some of their members.
fn of_members(edits: &[Edit], chosen: impl Fn(&EntryId) -> bool) -> Vec<Edit> {
    let some = |members: &BTreeSet<EntryId>| members.iter().filter(|member| chosen(member)).cloned().collect::<BTreeSet<_>>();
    let mut cut = Vec::new();
    for edit in edits {
        match edit {
            Edit::Attribute { .. } | Edit::Foreign { .. } => {}
            Edit::Members { add, remove } => {
                let (add, remove) = (some(add), some(remove));
                if !add.is_empty() || !remove.is_empty() {
                    cut.push(Edit::Members { add, remove });
                }
            }
        }
    }
    cut
}

/// Edits cut to some of the members that are nobody's of ours; these go by the ids of their resources.
fn strangers(edits: &[Edit], chosen: impl Fn(&EntryId) -> bool) -> Option<Edit> {
    let mut remove = BTreeSet::new();
    for edit in edits {
        match edit {
            Edit::Attribute { .. } | Edit::Members { .. } => {}
            Edit::Foreign { remove: all } => {
                remove.extend(all.iter().filter(|id| chosen(&EntryId::new(id.as_str()))).cloned());
            }
        }
    }
    (!remove.is_empty()).then_some(Edit::Foreign { remove })
}

/// Edits by what can be done with them.
#[derive(Default)]
struct Sendable {
    now: Vec<Edit>,
    settled: Vec<Edit>,
    late: Vec<Edit>,
}

/// Entries that an edit names.
pub(super) fn mentioned(edit: &Edit) -> Vec<&EntryId> {
    match edit {
        Edit::Attribute { after, .. } => after.iter().filter_map(Value::reference).collect(),
        Edit::Members { add, remove } => add.iter().chain(remove).collect(),
        Edit::Foreign { .. } => Vec::new(),
    }
}
