//! One change on its way: intent, request, and what each answer means for the link.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{AttributePath, EntryId, Link, Origin, Resource, ResourceId, Uncertain, Value};
use crate::plan::{
    Action, Change, Edit, Existing, Found, Situation, Stage, diff, entry_of, linked_as_it_is, managed, requests, situation,
    tally_of,
};

use super::apply::{Applying, claim_of};
use super::{CycleError, Intent, IntentId, Outcome, Recorded, References, Source, Store, Target, TargetError, matching, recover};

impl<S: Source, T: Target, St: Store> Applying<'_, S, T, St> {
    /// Writes the intent down, then sends.
    async fn send(
        &self,
        request: Change,
        whole: &Change,
        references: &References,
    ) -> Result<(IntentId, Result<Outcome, TargetError>), CycleError> {
        let tally = tally_of(&request, &whole.tally, &self.plan.removed_users);
        let intents = self.store.intend(self.cycle, vec![Intent { change: request.clone(), tally }]).await?;
        let Some(intent) = intents.first().copied() else {
            return Err(super::StoreError::Failed("an intent was stored without a number".into()).into());
        };
        Ok((intent, self.channel.target.apply(&request, references).await))
    }

    /// The target is not to be worked with: the intent is closed where the request certainly was not applied.
    async fn give_up(&self, change: &Change, intent: IntentId, error: TargetError) -> Result<(), CycleError> {
        match &error {
            TargetError::Unauthorized(_) | TargetError::Unavailable(_) | TargetError::Secret(_) => {
                self.record(change, Some(intent), Recorded::Refused(error.to_string()), None).await?;
            }
            TargetError::Protocol(_)
            | TargetError::AnswerLost(_)
            | TargetError::Conflict(_)
            | TargetError::NotFound
            | TargetError::Rejected { .. } => {}
        }
        Err(error.into())
    }

    async fn refuse(&self, change: &Change, intent: IntentId, why: String) -> Result<(), CycleError> {
        self.record(change, Some(intent), Recorded::Refused(why.clone()), None).await?;
        self.hold(change, why);
        Ok(())
    }

    /// A new resource. What refers to entries that are not linked yet follows later; so do members.
    pub(super) async fn create(&self, change: &Change, wanted: &Resource) -> Result<(), CycleError> {
        let references = self.references(wanted.attributes.values().filter_map(Value::reference));
        let mut sent = Resource { members: BTreeSet::new(), ..wanted.clone() };
        let mut late = Vec::new();
        sent.attributes.retain(|path, value| {
            let open = value.reference().is_some_and(|id| !references.contains_key(id));
            if open {
                late.push(Edit::Attribute { path: path.clone(), before: None, after: Some(value.clone()) });
            }
            !open
        });
        let request = Change { action: Action::Create(sent.clone()), ..change.clone() };
        let (intent, answer) = self.send(request, change, &references).await?;
        let resource_id = match answer {
            Ok(Outcome::Exists(id)) if self.is_anothers(change, &id) => {
                let why = "the target answered its create with the id of a resource that is linked to another entry";
                return self.refuse(change, intent, why.into()).await;
            }
            Ok(Outcome::Exists(id)) => id,
            Ok(Outcome::Gone) => {
                return self.refuse(change, intent, "the target answered a create as if it were a delete".into()).await;
            }
            Err(TargetError::Conflict(detail)) => {
                self.record(change, Some(intent), Recorded::Refused(detail.clone()), None).await?;
                return self.already_there(change, wanted, &detail).await;
            }
            Err(TargetError::AnswerLost(why)) => match self.arrived(change, &sent).await? {
                Some(id) => id,
                None => {
                    self.hold(change, format!("the answer to its create was lost ({why}) and it was not found; it is looked for again by the next cycle"));
                    return Ok(());
                }
            },
            Err(error @ TargetError::Rejected { .. }) if sent.attributes.values().any(|value| value.reference().is_some()) => {
                self.record(change, Some(intent), Recorded::Refused(error.to_string()), None).await?;
                return self.create_without_references(change, wanted, &error).await;
            }
            Err(error @ (TargetError::Rejected { .. } | TargetError::NotFound)) => {
                return self.refuse(change, intent, error.to_string()).await;
            }
            Err(error) => return self.give_up(change, intent, error).await,
        };
        let recorded = Recorded::Linked { resource_id: resource_id.clone(), origin: Origin::Created, acknowledged: sent.clone() };
        self.record(change, Some(intent), recorded, Some(true)).await?;
        self.done("created");
        tracing::info!(channel = %self.channel.name(), entry = %change.entry_id, resource = %resource_id, "created");
        self.link(&Link {
            entry_id: change.entry_id.clone(),
            resource_id: resource_id.clone(),
            origin: Origin::Created,
            acknowledged: sent,
            uncertain: Uncertain::default(),
        });
        if !late.is_empty() {
            self.follow_up(Stage::References, change, &resource_id, late);
        }
        if !wanted.members.is_empty() {
            let members = Edit::Members { add: wanted.members.clone(), remove: BTreeSet::new() };
            self.follow_up(Stage::Members, change, &resource_id, vec![members]);
        }
        Ok(())
    }

    /// A reference that the target does not take in this form keeps nobody from having an account.
    async fn create_without_references(&self, change: &Change, wanted: &Resource, error: &TargetError) -> Result<(), CycleError> {
        let (plain, references): (BTreeMap<_, _>, BTreeMap<_, _>) =
            wanted.attributes.clone().into_iter().partition(|(_, value)| value.reference().is_none());
        Box::pin(self.create(change, &Resource { attributes: plain, ..wanted.clone() })).await?;
        if self.lock().links.contains_key(&change.entry_id) {
            let paths: Vec<&str> = references.keys().map(AttributePath::as_str).collect();
            self.hold(change, format!(
                "it was created without {}: with it, {error}. It is sent once more by the next cycle; if the target never takes it, map it to nothing()",
                paths.join(", ")
            ));
        }
        Ok(())
    }

    /// True if a resource is linked to another entry than the change's.
    fn is_anothers(&self, change: &Change, id: &ResourceId) -> bool {
        let state = self.lock();
        state.holders.get(&(change.resource_type, id.clone())).is_some_and(|entry| *entry != change.entry_id)
    }

    /// Looks for what a create without an answer made.
    async fn arrived(&self, change: &Change, sent: &Resource) -> Result<Option<ResourceId>, CycleError> {
        let found = match matching::look_up(self.channel, sent).await {
            Ok(found) => found,
            Err(error) if error.disposition() == super::Disposition::System => return Err(error.into()),
            Err(_) => return Ok(None),
        };
        let Some((_, candidates)) = found else { return Ok(None) };
        let state = self.lock();
        let free = |found: &&Found| !state.holders.contains_key(&(found.resource_type, found.resource_id.clone()));
        Ok(candidates
            .iter()
            .filter(free)
            .find(|found| recover::is_ours(found, sent, &change.entry_id))
            .map(|found| found.resource_id.clone()))
    }

    /// The target says that the resource exists: it is adopted as the rules allow. A switch-off is left to the next
    /// cycle, where the guard counts it.
    async fn already_there(&self, change: &Change, wanted: &Resource, detail: &str) -> Result<(), CycleError> {
        let found = match matching::look_up(self.channel, wanted).await {
            Ok(found) => found,
            Err(error) if error.disposition() == super::Disposition::System => return Err(error.into()),
            Err(error) => {
                self.hold(change, error.to_string());
                return Ok(());
            }
        };
        let Some((path, candidates)) = found else {
            self.hold(
                change,
                format!(
                    "the target says that it already exists ({detail}), but does not find it: it may be managed by hand, \
                     deactivated or deleted there; remove or rename it at the target"
                ),
            );
            return Ok(());
        };
        let situation = {
            let state = self.lock();
            situation(
                &change.entry_id,
                &path,
                &candidates,
                |found| state.holders.get(&(found.resource_type, found.resource_id.clone())).cloned(),
                |external| state.entries.contains(&EntryId::new(external)),
            )
        };
        let mut found = match situation {
            Situation::Unlinked(found, _) => found,
            Situation::Disputed(why) => {
                self.hold(change, why);
                return Ok(());
            }
            Situation::Unmatched => return Ok(()),
        };
        match self.channel.rules.existing {
            Existing::Never => {
                self.hold(change, format!("the target has resource {} with its {path}, and existing: never", found.resource_id));
                Ok(())
            }
            Existing::LinkOnly => {
                let held = linked_as_it_is(&found, wanted);
                self.adopt(change, &found.resource_id, held, Vec::new()).await
            }
            Existing::Overwrite => {
                if let Err(error) = matching::with_members(self.channel, &mut found).await {
                    tracing::debug!(%error, "members of a group that is adopted could not be read");
                }
                let held = {
                    let state = self.lock();
                    managed(&found, wanted, |id| entry_of(&state.holders, id))
                };
                let mut edits = diff::edits_of_found(&held, wanted);
                edits.retain(|edit| !diff::deactivates(edit));
                self.adopt(change, &found.resource_id, held, edits).await
            }
        }
    }

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
        let claimed = self.is_claimed(&change.entry_id);
        if !settled.is_empty() {
            let claim = claim_of(claimed, change.claim, edits.is_empty());
            self.record(change, None, Recorded::Edited { resource_id: resource_id.clone(), edits: settled }, claim).await?;
        }
        let cut = Change { action: Action::Update { resource_id: resource_id.clone(), edits: edits.clone() }, ..change.clone() };
        let pieces = requests(&cut, self.channel.target.capabilities().members_per_request);
        let count = pieces.len();
        let mut all = true;
        for (number, piece) in pieces.into_iter().enumerate() {
            let Action::Update { edits, .. } = piece.action else { continue };
            let references = self.references(edits.iter().flat_map(mentioned));
            let request =
                Change { action: Action::Update { resource_id: resource_id.clone(), edits: edits.clone() }, ..change.clone() };
            let (intent, answer) = self.send(request, change, &references).await?;
            match answer {
                Ok(Outcome::Exists(id)) => {
                    let id = if self.is_anothers(change, &id) { resource_id.clone() } else { id };
                    let claim = claim_of(claimed, change.claim, number + 1 == count && all);
                    let recorded = Recorded::Edited { resource_id: id.clone(), edits: edits.clone() };
                    self.record(change, Some(intent), recorded, claim).await?;
                    self.moved(&change.entry_id, &id);
                    resource_id = id;
                }
                Ok(Outcome::Gone) | Err(TargetError::NotFound) => {
                    return self.vanished(change, intent, edits.iter().any(diff::deactivates)).await;
                }
                Err(TargetError::AnswerLost(why)) => {
                    self.hold(change, format!("the answer to an update was lost ({why}); it is sent again by the next cycle"));
                    return Ok(());
                }
                Err(error @ (TargetError::Conflict(_) | TargetError::Rejected { .. })) => {
                    self.refuse(change, intent, error.to_string()).await?;
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

    fn is_claimed(&self, entry_id: &EntryId) -> bool {
        self.claims.contains(entry_id)
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

    /// What can be sent now, what is settled without sending (members to remove who are not at the target any
    /// more), and references to somebody who is not linked yet. Members who are not linked wait for a later cycle.
    fn sendable(&self, edits: Vec<Edit>) -> Sendable {
        let state = self.lock();
        let linked = |id: &EntryId| state.links.contains_key(id);
        let mut sendable = Sendable::default();
        for edit in edits {
            match edit {
                Edit::Attribute { after: Some(Value::Reference(ref id)), .. } if !linked(id) => sendable.late.push(edit),
                edit @ Edit::Attribute { .. } => sendable.now.push(edit),
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
        self.record(change, Some(intent), Recorded::Gone, Some(false)).await?;
        self.unlink(&change.entry_id);
        Ok(())
    }

    /// Deletes a resource; one that is gone already is what was wanted.
    pub(super) async fn delete(&self, change: &Change) -> Result<(), CycleError> {
        let (intent, answer) = self.send(change.clone(), change, &References::new()).await?;
        match answer {
            Ok(_) | Err(TargetError::NotFound) => {
                self.record(change, Some(intent), Recorded::Gone, Some(false)).await?;
                self.unlink(&change.entry_id);
                self.done("deleted");
                tracing::info!(channel = %self.channel.name(), entry = %change.entry_id, "deleted");
                Ok(())
            }
            Err(TargetError::AnswerLost(why)) => {
                self.hold(change, format!("the answer to its delete was lost ({why}); it is sent again by the next cycle"));
                Ok(())
            }
            Err(error @ (TargetError::Conflict(_) | TargetError::Rejected { .. })) => {
                self.refuse(change, intent, error.to_string()).await
            }
            Err(error) => self.give_up(change, intent, error).await,
        }
    }
}

/// Edits by what can be done with them.
#[derive(Default)]
struct Sendable {
    now: Vec<Edit>,
    settled: Vec<Edit>,
    late: Vec<Edit>,
}

/// Entries that an edit names.
fn mentioned(edit: &Edit) -> Vec<&EntryId> {
    match edit {
        Edit::Attribute { after, .. } => after.iter().filter_map(Value::reference).collect(),
        Edit::Members { add, remove } => add.iter().chain(remove).collect(),
    }
}
