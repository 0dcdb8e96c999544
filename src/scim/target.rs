//! The service provider as the cycle sees it: questions, and one change at a time.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use super::answer::Answer;
use super::bisect::is_server_error;
use super::bulk::Bulk;
use super::find::Shared;
use super::listing::NoList;
use super::member_reading::Sight;
use super::other_words::Tried;
use super::recent::Recent;
use super::request::Request;
use super::transport::Transport;
use super::turns::Turns;
use super::{Dialect, FilterUse, SaidBy, Settings, fact, listing, members};
use crate::cycle::{Found, Lookup, Outcome, References, Target, TargetError};
use crate::model::{Capabilities, Fact, Knowledge, ResourceId, ResourceType, Witness};
use crate::plan::{Action, Change};

/// One service provider. Shared by all channels that write to it: pace, pauses, credentials and what was learnt
/// are the target's, not the channel's.
pub struct Provider {
    configured: Dialect,
    dialect: RwLock<Arc<Dialect>>,
    facts: Mutex<Knowledge>,
    pub(super) transport: Transport,
    pub(super) turns: Turns,
    pub(super) recent: Recent,
    pub(super) tried: Tried,
    collections: [AtomicBool; 2],
    lists: [Shared; 2],
    pub(super) sight: Sight,
    pub(super) bulk: Bulk,
}

impl Provider {
    /// Prepares to speak with a target. Reads the CA file; nothing is sent.
    pub fn new(settings: Settings) -> Result<Self, TargetError> {
        Ok(Self {
            transport: Transport::new(&settings)?,
            dialect: RwLock::new(Arc::new(settings.dialect.clone())),
            configured: settings.dialect,
            facts: Mutex::default(),
            turns: Turns::default(),
            recent: Recent::default(),
            tried: Tried::default(),
            collections: [AtomicBool::new(false), AtomicBool::new(false)],
            lists: [Shared::default(), Shared::default()],
            sight: Sight::default(),
            bulk: Bulk::default(),
        })
    }

    /// The dialect in force.
    pub fn dialect(&self) -> Arc<Dialect> {
        Arc::clone(&self.dialect.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The dialect as it was configured, before anything was found out.
    pub(super) fn configured(&self) -> &Dialect {
        &self.configured
    }

    /// Takes what the target announces in place of what it announced before. `facts` is given the dialect without either.
    pub(super) fn announce(&self, facts: impl FnOnce(&Dialect) -> Vec<(&'static str, String)>) {
        let mut plain = self.configured.clone();
        let mut known = self.facts.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, fact| fact.witness == Witness::Learnt);
        for (knob, fact) in known.iter() {
            let _set = plain.set(knob, &fact.value, SaidBy::Learnt);
        }
        drop(known);
        let announced = facts(&plain);
        *self.dialect.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(plain);
        for (knob, value) in announced {
            self.learn(knob, &value, Witness::Announced);
        }
    }

    /// From now on a knob stands so, unless the configuration says otherwise. True if it does now.
    pub(super) fn learn(&self, knob: &str, value: &str, witness: Witness) -> bool {
        let fact = Fact { value: value.to_owned(), witness };
        let by = match witness {
            Witness::Announced => SaidBy::Announced,
            Witness::Learnt => SaidBy::Learnt,
        };
        let mut dialect = self.dialect.write().unwrap_or_else(PoisonError::into_inner);
        if !fact::is_admissible(&dialect, knob, value) {
            return false;
        }
        let mut changed = Dialect::clone(&dialect);
        if changed.set(knob, value, by) != Ok(true) {
            return false;
        }
        *dialect = Arc::new(changed);
        drop(dialect);
        self.facts.lock().unwrap_or_else(PoisonError::into_inner).insert(knob.to_owned(), fact);
        true
    }

    /// The collection is there.
    pub(super) fn works(&self, resource_type: ResourceType) {
        self.collection(resource_type).store(true, Ordering::Relaxed);
    }

    pub(super) fn has_worked(&self, resource_type: ResourceType) -> bool {
        self.collection(resource_type).load(Ordering::Relaxed)
    }

    /// The list that look-ups of a type share.
    pub(super) fn shared(&self, resource_type: ResourceType) -> &Shared {
        let [users, groups] = &self.lists;
        match resource_type {
            ResourceType::User => users,
            ResourceType::Group => groups,
        }
    }

    fn collection(&self, resource_type: ResourceType) -> &AtomicBool {
        let [users, groups] = &self.collections;
        match resource_type {
            ResourceType::User => users,
            ResourceType::Group => groups,
        }
    }
}

impl Target for Provider {
    fn capabilities(&self) -> Arc<Capabilities> {
        Arc::new(self.dialect().capabilities.clone())
    }

    fn recall(&self, knowledge: &Knowledge) {
        for (knob, fact) in knowledge {
            self.learn(knob, &fact.value, fact.witness);
        }
    }

    fn forget(&self) {
        let mut announced = std::mem::take(&mut *self.facts.lock().unwrap_or_else(PoisonError::into_inner));
        announced.retain(|_, fact| fact.witness == Witness::Announced);
        *self.dialect.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(self.configured.clone());
        self.recall(&announced);
    }

    fn filters(&self, resource_type: ResourceType) -> bool {
        let dialect = self.dialect();
        let (keys, known) = match resource_type {
            ResourceType::User => (&dialect.capabilities.match_keys.users, &dialect.knobs.unfilterable_users),
            ResourceType::Group => (&dialect.capabilities.match_keys.groups, &dialect.knobs.unfilterable_groups),
        };
        dialect.knobs.filter != FilterUse::Scan && keys.iter().all(|key| !known.contains(key))
    }

    fn settle(&self) -> Duration {
        self.dialect().knobs.settle
    }

    fn learnt(&self) -> Knowledge {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn discover(&self) {
        // Whatever goes wrong here goes wrong again with the next request, which says so.
        if self.heed().await.is_err() {
            tracing::debug!("The target could not be asked what it can");
        }
    }

    async fn population(&self, resource_type: ResourceType) -> Result<Option<u64>, TargetError> {
        let total = self.counted(resource_type).await?;
        self.works(resource_type);
        Ok(total)
    }

    async fn find(&self, lookup: &Lookup) -> Result<Vec<Found>, TargetError> {
        self.look_for(lookup).await
    }

    async fn get(&self, resource_type: ResourceType, id: &ResourceId) -> Result<Option<Found>, TargetError> {
        self.read_one(resource_type, id).await
    }

    async fn list(&self, resource_type: ResourceType) -> Result<Vec<Found>, TargetError> {
        let all = self.list_up_to(resource_type, listing::MOST).await?;
        all.ok_or_else(|| listing::incomplete(resource_type, &format!("it is longer than {} resources", listing::MOST)))
    }

    async fn list_up_to(&self, resource_type: ResourceType, most: usize) -> Result<Option<Vec<Found>>, TargetError> {
        let all = match self.listed(resource_type, most).await {
            Ok(all) => Some(all),
            Err(NoList::TooMany) => None,
            Err(NoList::Failed(error)) => return Err(error),
        };
        self.works(resource_type);
        Ok(all)
    }

    async fn apply(&self, change: &Change, references: &References) -> Result<Outcome, TargetError> {
        if let Action::Update { resource_id, edits } = &change.action {
            return self.update(change.resource_type, resource_id, edits, references).await;
        }
        let request = Request::change(change, &self.dialect(), references)?;
        match (&change.action, request) {
            (Action::Create(resource), Some(request)) if !resource.members.is_empty() => {
                members::create(self, &request, change, resource, references).await
            }
            (Action::Create(resource), Some(request)) => self.create(&request, resource).await,
            (Action::Delete { resource_id }, Some(request)) => self.delete(&request, resource_id).await,
            (
                Action::Create(_)
                | Action::Update { .. }
                | Action::Delete { .. }
                | Action::Adopt { .. }
                | Action::Relink { .. }
                | Action::Claim { .. }
                | Action::Release
                | Action::Forget,
                _,
            ) => Err(TargetError::Protocol("a step that sends nothing was given to be sent".to_owned())),
        }
    }
}

/// A refusal of a change, as the cycle names it.
pub(super) fn judged(answer: &Answer) -> TargetError {
    match answer.status {
        404 | 410 => TargetError::NotFound,
        _ if is_server_error(answer) => TargetError::AnswerLost(format!("status {}: {}", answer.status, answer.detail())),
        _ if answer.is_conflict() => TargetError::Conflict(answer.detail()),
        _ => answer.rejected(),
    }
}
