//! New resources: what each answer to a create means, and what is done where the target has one already.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::model::{AttributePath, EntryId, Link, Origin, Resource, ResourceId, Uncertain, Value};
use crate::plan::{
    Action, Change, Edit, Existing, Found, Situation, Stage, diff, entry_of, is_changeable, linked_as_it_is, managed, situation,
};

use super::apply::Applying;
use super::refusal::Refusal;
use super::{CycleError, Disposition, IntentId, Outcome, Recorded, Source, Store, Target, TargetError, matching, recover};

impl<S: Source, T: Target, St: Store> Applying<'_, S, T, St> {
    /// A new resource. What refers to entries that are not linked yet follows later; so do members.
    pub(super) async fn create(&self, change: &Change, wanted: &Resource) -> Result<(), CycleError> {
        let first_members = self.first_members(wanted);
        let references = self.references(wanted.attributes.values().filter_map(Value::reference).chain(&first_members));
        let mut sent = Resource { members: first_members, ..wanted.clone() };
        let mut late = Vec::new();
        sent.attributes.retain(|path, value| {
            let open = value.reference().is_some_and(|id| !references.contains_key(id));
            if open {
                late.push(Edit::Attribute { path: path.clone(), before: None, after: Some(value.clone()) });
            }
            !open
        });
        let request = Change { action: Action::Create(sent.clone()), ..change.clone() };
        let (intent, answer) = self.send(request.clone(), change, &references).await?;
        let resource_id = match answer {
            Ok(Outcome::Exists(ref id) | Outcome::Partly { resource_id: ref id, .. }) if !self.takes(change, id) => {
                let why = "the target answered its create with the id of a resource that is linked to another entry";
                return self.refuse(change, intent, Refusal::passing(why)).await;
            }
            Ok(Outcome::Exists(id)) => id,
            // Members that did not travel in the create follow like the rest of them.
            Ok(Outcome::Partly { resource_id, undone, doubtful, .. }) => {
                sent.members.retain(|member| !undone.contains(member) && !doubtful.contains(member));
                resource_id
            }
            Ok(Outcome::Gone) => {
                let why = "the target answered a create as if it were a delete";
                return self.refuse(change, intent, Refusal::passing(why)).await;
            }
            Err(TargetError::Conflict(detail)) => {
                return self.already_there(change, wanted, intent, &request.action, &detail).await;
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
                return self.refuse(change, intent, Refusal::judged(&request.action, &error)).await;
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
            acknowledged: sent.clone(),
            uncertain: Uncertain::default(),
        });
        if !late.is_empty() {
            self.follow_up(Stage::References, change, &resource_id, late);
        }
        let add: BTreeSet<EntryId> = wanted.members.difference(&sent.members).cloned().collect();
        if !add.is_empty() {
            let members = Edit::Members { add, remove: BTreeSet::new() };
            self.follow_up(Stage::Members, change, &resource_id, vec![members]);
        }
        Ok(())
    }

    /// The members that travel in a group's create.
    fn first_members(&self, wanted: &Resource) -> BTreeSet<EntryId> {
        let capabilities = self.channel.target.capabilities();
        if !capabilities.create_with_members {
            return BTreeSet::new();
        }
        let state = self.lock();
        let linked = wanted.members.iter().filter(|member| state.links.contains_key(*member));
        linked.take(capabilities.members_per_request).cloned().collect()
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

    /// Keeps a resource for the change's entry, until it is linked; false if it is another's.
    pub(super) fn takes(&self, change: &Change, id: &ResourceId) -> bool {
        let mut state = self.lock();
        let holder = state.holders.entry((change.resource_type, id.clone())).or_insert_with(|| change.entry_id.clone());
        *holder == change.entry_id
    }

    /// True if a resource is linked to another entry than the change's.
    pub(super) fn is_anothers(&self, change: &Change, id: &ResourceId) -> bool {
        let state = self.lock();
        state.holders.get(&(change.resource_type, id.clone())).is_some_and(|entry| *entry != change.entry_id)
    }

    /// What the target holds of a resource; once more if it is nothing, because what is new may not show yet. None of it
    /// once the cycle is over.
    async fn look_up(&self, resource: &Resource) -> Result<Option<Option<matching::Matched>>, TargetError> {
        let settle = self.channel.target.settle();
        for wait in [Duration::ZERO, settle] {
            tokio::select! {
                biased;
                () = self.over.cancelled() => return Ok(None),
                () = tokio::time::sleep(wait) => {}
            }
            let Some(_place) = self.place().await else { return Ok(None) };
            let found = matching::look_up(self.channel, resource).await?;
            if found.is_some() || settle.is_zero() {
                return Ok(Some(found));
            }
        }
        Ok(Some(None))
    }

    /// Looks for what a create without an answer made.
    async fn arrived(&self, change: &Change, sent: &Resource) -> Result<Option<ResourceId>, CycleError> {
        let found = match self.look_up(sent).await {
            Ok(found) => found.flatten(),
            Err(error) if error.disposition() == Disposition::System => return Err(error.into()),
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
    async fn already_there(
        &self,
        change: &Change,
        wanted: &Resource,
        intent: IntentId,
        said: &Action,
        detail: &str,
    ) -> Result<(), CycleError> {
        let passing = || Refusal::passing(detail).recorded();
        let found = match self.look_up(wanted).await {
            Ok(Some(Some(found))) => found,
            Ok(None) => {
                self.record(change, Some(intent), passing(), None).await?;
                return Err(CycleError::Stopped);
            }
            Ok(Some(None)) => {
                let why = format!(
                    "the target says that it already exists ({detail}), but does not find it: it may be managed by hand, \
                     deactivated or deleted there; remove or rename it at the target"
                );
                return self.refuse(change, intent, Refusal::of_words(said, why)).await;
            }
            Err(error) => {
                self.record(change, Some(intent), passing(), None).await?;
                if error.disposition() == Disposition::System {
                    return Err(error.into());
                }
                self.hold(change, error.to_string());
                return Ok(());
            }
        };
        self.record(change, Some(intent), passing(), None).await?;
        self.adopt_existing(change, wanted, found).await
    }

    async fn adopt_existing(
        &self,
        change: &Change,
        wanted: &Resource,
        (path, candidates): (AttributePath, Vec<Found>),
    ) -> Result<(), CycleError> {
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
                    managed(&found, wanted, |id| entry_of(&state.holders, id), |_| false)
                };
                let mut edits = diff::edits_of_found(&held, wanted);
                // Nothing is taken away here, where the guard has not seen it: the next cycle does.
                let capabilities = self.channel.target.capabilities();
                edits.retain(|edit| !diff::deactivates(edit) && is_changeable(&capabilities, wanted.resource_type, edit));
                self.adopt(change, &found.resource_id, held, edits).await
            }
        }
    }
}
