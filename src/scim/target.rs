//! The service provider as the cycle sees it: questions, and one change at a time.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use percent_encoding::percent_decode_str;

use super::answer::Answer;
use super::found::{MembersIn, found, get, id};
use super::members::{MemberEdits, settle};
use super::request::Request;
use super::transport::Transport;
use super::turns::Turns;
use super::{Dialect, FilterUse, SaidBy, Settings, listing};
use crate::cycle::{Found, Lookup, Outcome, References, Target, TargetError};
use crate::model::{AttributePath, Capabilities, Fact, Knowledge, MembersRead, Resource, ResourceId, ResourceType, Witness};
use crate::plan::{Action, Change, Edit, answers};

/// One service provider. Shared by all channels that write to it: pace, pauses, credentials and what was learnt
/// are the target's, not the channel's.
pub struct Provider {
    dialect: RwLock<Arc<Dialect>>,
    untaught: Arc<Dialect>,
    facts: Mutex<Knowledge>,
    pub(super) transport: Transport,
    turns: Turns,
    collections: [AtomicBool; 2],
    unfilterable: Mutex<BTreeSet<(ResourceType, AttributePath)>>,
}

impl Provider {
    /// Prepares to speak with a target. Reads the CA file; nothing is sent.
    pub fn new(settings: Settings) -> Result<Self, TargetError> {
        let transport = Transport::new(&settings)?;
        let untaught = Arc::new(settings.dialect);
        Ok(Self {
            transport,
            dialect: RwLock::new(Arc::clone(&untaught)),
            untaught,
            facts: Mutex::default(),
            turns: Turns::default(),
            collections: [AtomicBool::new(false), AtomicBool::new(false)],
            unfilterable: Mutex::new(BTreeSet::new()),
        })
    }

    /// The dialect in force.
    pub fn dialect(&self) -> Arc<Dialect> {
        Arc::clone(&self.dialect.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// From now on a knob stands so, unless the configuration says otherwise. True if it does now.
    pub(super) fn learn(&self, knob: &str, value: &str, witness: Witness) -> bool {
        let fact = Fact { value: value.to_owned(), witness };
        let by = match witness {
            Witness::Announced => SaidBy::Announced,
            Witness::Learnt => SaidBy::Learnt,
        };
        let mut dialect = self.dialect.write().unwrap_or_else(PoisonError::into_inner);
        let mut changed = Dialect::clone(&dialect);
        if changed.set(knob, value, by) != Ok(true) {
            return false;
        }
        *dialect = Arc::new(changed);
        drop(dialect);
        self.facts.lock().unwrap_or_else(PoisonError::into_inner).insert(knob.to_owned(), fact);
        true
    }

    /// One resource by id.
    pub(super) async fn read_one(&self, resource_type: ResourceType, id: &ResourceId) -> Result<Option<Found>, TargetError> {
        let answer = self.transport.send(&Request::one(resource_type, id)?).await?;
        match answer.status {
            404 | 410 => Ok(None),
            _ if !answer.is_success() => Err(answer.rejected()),
            _ => {
                let members = if self.dialect().capabilities.members_read == MembersRead::Group {
                    MembersIn::Answer
                } else {
                    MembersIn::Nowhere
                };
                let found = found(resource_type, &answer.json()?, members)
                    .ok_or_else(|| TargetError::Protocol("a resource was answered without its id".to_owned()))?;
                if found.resource_id.as_str().eq_ignore_ascii_case(id.as_str()) {
                    return Ok(Some(found));
                }
                Err(TargetError::Rejected {
                    status: answer.status,
                    detail: "it was asked for a resource by its id and answered with another".to_owned(),
                })
            }
        }
    }

    /// Sends edits; `None` if nothing was left to send.
    pub(super) async fn send_edits(
        &self,
        resource_type: ResourceType,
        id: &ResourceId,
        edits: &[Edit],
        references: &References,
        found: Option<&Found>,
    ) -> Result<Option<Answer>, TargetError> {
        match Request::edits(resource_type, id, edits, &self.dialect(), references, found)? {
            None => Ok(None),
            Some(request) => self.transport.send(&request).await.map(Some),
        }
    }

    async fn create(&self, request: &Request, resource: &Resource) -> Result<Outcome, TargetError> {
        let answer = self.transport.send(request).await?;
        if !answer.is_success() {
            // 404 to a create is about the collection, not about a resource.
            return Err(if answer.status == 404 { answer.rejected() } else { judged(&answer) });
        }
        self.works(resource.resource_type);
        let told = answer.json().ok().as_ref().and_then(id).or_else(|| location_id(&answer, resource.resource_type));
        if let Some(id) = told {
            return Ok(Outcome::Exists(ResourceId::new(&id)));
        }
        let lost = || TargetError::AnswerLost(format!("it answered {} to a create without saying the id", answer.status));
        let value = resource.name().ok_or_else(lost)?.to_owned();
        let path = resource.resource_type.name_path();
        let lookup = Lookup { resource_type: resource.resource_type, path, value };
        // It is there, whatever goes wrong with the look-up.
        let found = self.find(&lookup).await.map_err(|_| lost())?;
        match found.as_slice() {
            [one] => Ok(Outcome::Exists(one.resource_id.clone())),
            _ => Err(lost()),
        }
    }

    async fn update(
        &self,
        change: &Change,
        id: &ResourceId,
        edits: &[Edit],
        references: &References,
    ) -> Result<Outcome, TargetError> {
        let _turn = self.turns.take(id).await;
        let resource_type = change.resource_type;
        let Some(answer) = self.send_edits(resource_type, id, edits, references, None).await? else {
            return Ok(Outcome::Exists(id.clone()));
        };
        if answer.is_success() {
            return edited(&answer, resource_type, id);
        }
        if let [Edit::Members { add, remove }] = edits {
            return settle(self, id, MemberEdits { add, remove }, references, &answer).await;
        }
        if !answer.is_no_target() {
            return Err(self.judged_again(resource_type, id, &answer).await);
        }
        // Something that the edits speak of is not there: say it again with what is (RFC 7644 §3.5.2.3).
        let Some(found) = self.read_one(resource_type, id).await? else { return Err(TargetError::NotFound) };
        match self.send_edits(resource_type, id, edits, references, Some(&found)).await? {
            None => Ok(Outcome::Exists(id.clone())),
            Some(answer) if answer.is_success() => edited(&answer, resource_type, id),
            Some(answer) => Err(judged(&answer)),
        }
    }

    async fn delete(&self, request: &Request, id: &ResourceId) -> Result<Outcome, TargetError> {
        let _turn = self.turns.take(id).await;
        let answer = self.transport.send(request).await?;
        if answer.is_success() {
            return Ok(Outcome::Gone);
        }
        match self.judged_again(request.resource_type, id, &answer).await {
            TargetError::NotFound => Ok(Outcome::Gone),
            error => Err(error),
        }
    }

    /// A refusal of a change; one that says that the resource is not there is believed if the resource cannot be read
    /// either. Providers, and gateways before them, answer 404 to methods that they do not have.
    async fn judged_again(&self, resource_type: ResourceType, id: &ResourceId, answer: &Answer) -> TargetError {
        match judged(answer) {
            TargetError::NotFound => match self.read_one(resource_type, id).await {
                Ok(None) => TargetError::NotFound,
                Ok(Some(_)) => TargetError::Rejected {
                    status: answer.status,
                    detail: "it says that the resource is not there, and shows it when it is asked for".to_owned(),
                },
                Err(error) => error,
            },
            error => error,
        }
    }

    /// The whole list, compared on our side.
    async fn scan(&self, lookup: &Lookup) -> Result<Vec<Found>, TargetError> {
        let all = self.list(lookup.resource_type).await?;
        Ok(all.into_iter().filter(|found| answers(lookup, found)).collect())
    }

    /// Remembers that look-ups by this attribute do not work here.
    fn learn_unfilterable(&self, lookup: &Lookup, why: &str) {
        let mut known = self.unfilterable.lock().unwrap_or_else(PoisonError::into_inner);
        if known.insert((lookup.resource_type, lookup.path.clone())) {
            tracing::warn!(
                resource_type = lookup.resource_type.as_str(), path = %lookup.path,
                "The target {why}: from now on every look-up by this attribute lists everything"
            );
        }
    }

    fn works(&self, resource_type: ResourceType) {
        self.collection(resource_type).store(true, Ordering::Relaxed);
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
        *self.dialect.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&self.untaught);
        self.unfilterable.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.recall(&announced);
    }

    fn filters(&self, resource_type: ResourceType) -> bool {
        let dialect = self.dialect();
        let (keys, known) = match resource_type {
            ResourceType::User => (&dialect.capabilities.match_keys.users, &dialect.knobs.unfilterable_users),
            ResourceType::Group => (&dialect.capabilities.match_keys.groups, &dialect.knobs.unfilterable_groups),
        };
        let unfilterable = self.unfilterable.lock().unwrap_or_else(PoisonError::into_inner);
        let works = |key: &AttributePath| !known.contains(key) && !unfilterable.contains(&(resource_type, key.clone()));
        dialect.knobs.filter != FilterUse::Scan && keys.iter().all(works)
    }

    fn settle(&self) -> Duration {
        self.dialect().knobs.settle
    }

    fn learnt(&self) -> Knowledge {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn population(&self, resource_type: ResourceType) -> Result<Option<u64>, TargetError> {
        let total = listing::population(&self.transport, resource_type).await?;
        self.works(resource_type);
        Ok(total)
    }

    async fn find(&self, lookup: &Lookup) -> Result<Vec<Found>, TargetError> {
        let key = (lookup.resource_type, lookup.path.clone());
        let learnt = self.unfilterable.lock().unwrap_or_else(PoisonError::into_inner).contains(&key);
        if learnt || self.dialect().knobs.filter == FilterUse::Scan {
            return self.scan(lookup).await;
        }
        let request = Request::lookup(lookup);
        if !request.is_of_usual_length() {
            return self.scan(lookup).await;
        }
        let answer = self.transport.send(&request).await?;
        match answer.status {
            200..=299 => {
                let page = answer.page()?;
                let read = |json| found(lookup.resource_type, json, MembersIn::Nowhere);
                let all: Option<Vec<Found>> = page.resources.iter().map(read).collect();
                let all =
                    all.ok_or_else(|| TargetError::Protocol("a look-up was answered with a resource without id".to_owned()))?;
                self.works(lookup.resource_type);
                if all.iter().any(|found| !answers(lookup, found)) {
                    self.learn_unfilterable(lookup, "ignores the filter");
                    return self.scan(lookup).await;
                }
                let withheld = all.is_empty() && page.total.is_some_and(|total| total > 0);
                if withheld { self.scan(lookup).await } else { Ok(all) }
            }
            // Several providers say so that nothing matches; others, that there is no such address.
            404 if self.collection(lookup.resource_type).load(Ordering::Relaxed) => Ok(Vec::new()),
            404 => self.population(lookup.resource_type).await.map(|_| Vec::new()),
            // Whatever it stumbles over may be in the value, which somebody chose: the list tells all the same.
            _ => {
                if answer.status == 501 {
                    self.learn_unfilterable(lookup, "has no such filter");
                }
                self.scan(lookup).await.map_err(|error| match error {
                    TargetError::Protocol(_) => answer.rejected(),
                    other => other,
                })
            }
        }
    }

    async fn get(&self, resource_type: ResourceType, id: &ResourceId) -> Result<Option<Found>, TargetError> {
        self.read_one(resource_type, id).await
    }

    async fn list(&self, resource_type: ResourceType) -> Result<Vec<Found>, TargetError> {
        let all = listing::list(&self.transport, resource_type, self.dialect().capabilities.page_size.max(1)).await?;
        self.works(resource_type);
        Ok(all)
    }

    async fn apply(&self, change: &Change, references: &References) -> Result<Outcome, TargetError> {
        let request = Request::change(change, &self.dialect(), references)?;
        match (&change.action, request) {
            (Action::Create(resource), Some(request)) => self.create(&request, resource).await,
            (Action::Update { resource_id, edits }, _) => self.update(change, resource_id, edits, references).await,
            (Action::Delete { resource_id }, Some(request)) => self.delete(&request, resource_id).await,
            (
                Action::Create(_)
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
        _ if answer.is_conflict() => TargetError::Conflict(answer.detail()),
        _ => answer.rejected(),
    }
}

/// The resource after an edit. Some providers change its id with its externalId (GitLab's is the externalId).
/// An answer that has a body and is not JSON did not come from a SCIM service.
fn edited(answer: &Answer, resource_type: ResourceType, known: &ResourceId) -> Result<Outcome, TargetError> {
    if answer.is_empty() {
        return Ok(Outcome::Exists(known.clone()));
    }
    let json =
        answer.json().map_err(|_| TargetError::AnswerLost(format!("status {} with a body that is not JSON", answer.status)))?;
    let told = id(&json).filter(|_| is_resource(&json)).map(|id| ResourceId::new(&id));
    let told = told.filter(|id| super::url::resource(resource_type, id).is_some());
    Ok(Outcome::Exists(told.unwrap_or_else(|| known.clone())))
}

/// True for the JSON of a user or a group. Other documents have ids too, and theirs lead to something else.
fn is_resource(json: &serde_json::Value) -> bool {
    let Some(object) = json.as_object() else { return false };
    ["userName", "displayName"].iter().any(|name| get(object, name).is_some_and(serde_json::Value::is_string))
}

/// The id at the end of `Location`.
fn location_id(answer: &Answer, resource_type: ResourceType) -> Option<String> {
    let path = answer.location.as_deref()?.split(['?', '#']).next()?;
    let (before, id) = path.trim_end_matches('/').rsplit_once('/')?;
    let place = super::url::collection(resource_type);
    (before.ends_with(place) && !id.is_empty()).then(|| percent_decode_str(id).decode_utf8_lossy().into_owned())
}
