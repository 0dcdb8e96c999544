//! Creates, edits and deletes of one resource: what is sent, and what each answer to it means.

use std::time::Duration;

use percent_encoding::percent_decode_str;
use serde_json::Value as Json;

use super::answer::Answer;
use super::found::{MembersIn, found, get, id};
use super::members::{MemberEdits, settle};
use super::request::Request;
use super::target::{Provider, judged};
use super::wire::Speech;
use super::{Dialect, PutMode, UpdateBy, patch, put};
use crate::cycle::{Found, Lookup, Outcome, References, TargetError};
use crate::model::{MembersRead, Resource, ResourceId, ResourceType, Value};
use crate::plan::Edit;

/// Times that an edit is built on a fresh reading, when somebody else changes the resource meanwhile.
const FRESH_READINGS: usize = 3;

/// A resource as it was read.
pub(super) struct Reading {
    pub(super) found: Found,
    pub(super) json: Json,
    /// `ETag`, or `meta.version` (RFC 7643 §3.1).
    version: Option<String>,
}

impl Provider {
    /// One resource by id.
    pub(super) async fn read_one(&self, resource_type: ResourceType, id: &ResourceId) -> Result<Option<Found>, TargetError> {
        Ok(self.read_whole(resource_type, id).await?.map(|reading| reading.found))
    }

    /// The same with all that it was answered with.
    pub(super) async fn read_whole(&self, resource_type: ResourceType, id: &ResourceId) -> Result<Option<Reading>, TargetError> {
        let answer = self.transport.send(&Request::one(resource_type, id)?).await?;
        match answer.status {
            404 | 410 => return Ok(None),
            _ if !answer.is_success() => return Err(answer.rejected()),
            _ => {}
        }
        let members =
            if self.dialect().capabilities.members_read == MembersRead::Group { MembersIn::Answer } else { MembersIn::Nowhere };
        let json = answer.json()?;
        let found = found(resource_type, &json, members)
            .ok_or_else(|| TargetError::Protocol("a resource was answered without its id".to_owned()))?;
        if !found.resource_id.as_str().eq_ignore_ascii_case(id.as_str()) {
            let detail = "it was asked for a resource by its id and answered with another".to_owned();
            return Err(TargetError::Rejected { status: answer.status, detail });
        }
        let meta = json.as_object().and_then(|object| get(object, "meta")).and_then(Json::as_object);
        let version = meta.and_then(|meta| get(meta, "version")).and_then(Json::as_str).map(str::to_owned);
        Ok(Some(Reading { found, version: answer.etag.or(version), json }))
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
        self.send_edits_in(&self.dialect(), resource_type, id, edits, references, found).await
    }

    /// The same in another way of speaking. Where the edit is built on a reading, and the resource was changed since,
    /// on a fresh one.
    pub(super) async fn send_edits_in(
        &self,
        dialect: &Dialect,
        resource_type: ResourceType,
        id: &ResourceId,
        edits: &[Edit],
        references: &References,
        found: Option<&Found>,
    ) -> Result<Option<Answer>, TargetError> {
        let speech = Speech { knobs: &dialect.knobs, references };
        if patch::body(speech, edits, found).is_none() {
            return Ok(None);
        }
        let by = dialect.knobs.update(resource_type);
        let full = dialect.knobs.put_mode == PutMode::Full && references.acknowledged.is_some();
        let reads = dialect.knobs.etag || by == UpdateBy::Put && (resource_type == ResourceType::Group || !full);
        if by == UpdateBy::Put && resource_type == ResourceType::Group && dialect.capabilities.members_read != MembersRead::Group
        {
            let detail = "not sent: the target takes a group only whole, and does not show its members".to_owned();
            return Err(TargetError::Rejected { status: 400, detail });
        }
        let mut reading_number = 1;
        loop {
            let reading = match reads {
                true => Some(self.read_whole(resource_type, id).await?.ok_or(TargetError::NotFound)?),
                false => None,
            };
            let json = reading.as_ref().map(|reading| &reading.json);
            let request = match by {
                UpdateBy::Patch => Request::edits(resource_type, id, edits, dialect, references, found)?,
                UpdateBy::Put => Some(Request::put(resource_type, id, put::body(speech, resource_type, id, edits, json)?)?),
            };
            let Some(mut request) = request else { return Ok(None) };
            if dialect.knobs.etag {
                request.if_match = reading.and_then(|reading| reading.version);
            }
            let answer = self.transport.send(&request).await?;
            if answer.status != 412 || request.if_match.is_none() || reading_number >= FRESH_READINGS {
                return Ok(Some(answer));
            }
            reading_number += 1;
        }
    }

    /// Creates a resource.
    pub(super) async fn create(&self, request: &Request, resource: &Resource) -> Result<Outcome, TargetError> {
        let settle = self.dialect().knobs.settle;
        self.shared(resource.resource_type).outdate();
        let answer = self.transport.send(request).await.inspect_err(|error| {
            if matches!(error, TargetError::AnswerLost(_)) {
                self.recent.doubt(resource, settle);
            }
        })?;
        self.shared(resource.resource_type).outdate();
        if !answer.is_success() {
            // 404 to a create is about the collection, not about a resource.
            return Err(if answer.status == 404 { answer.rejected() } else { judged(&answer) });
        }
        self.works(resource.resource_type);
        let json = answer.json().ok();
        let told = json.as_ref().and_then(id).or_else(|| location_id(&answer, resource.resource_type));
        let id = match told {
            Some(id) => ResourceId::new(&id),
            None => self.look_for_created(resource, answer.status).await?,
        };
        self.recent.created(&id, settle);
        if resource.active() == Some(false) && json.as_ref().and_then(shown_active) == Some(true) {
            self.switch_off(resource.resource_type, &id).await?;
        }
        Ok(Outcome::Exists(id))
    }

    /// The id of what was created, where the answer did not say it.
    async fn look_for_created(&self, resource: &Resource, status: u16) -> Result<ResourceId, TargetError> {
        let lost = || TargetError::AnswerLost(format!("it answered {status} to a create without saying the id"));
        let value = resource.name().ok_or_else(lost)?.to_owned();
        let path = resource.resource_type.name_path();
        self.recent.doubt(resource, self.dialect().knobs.settle);
        // It is there, whatever goes wrong with the look-up.
        let lookup = Lookup { resource_type: resource.resource_type, path, value };
        match self.look_for(&lookup).await.map_err(|_| lost())?.as_slice() {
            [one] => Ok(one.resource_id.clone()),
            _ => Err(lost()),
        }
    }

    /// Some providers create everybody switched on, whatever they are told. Where the next edit does not help either, the
    /// create counts as refused: it is found again by the next cycle, as it is.
    async fn switch_off(&self, resource_type: ResourceType, id: &ResourceId) -> Result<(), TargetError> {
        let path = crate::model::AttributePath::known("active");
        let edit = Edit::Attribute { path, before: Some(Value::Flag(true)), after: Some(Value::Flag(false)) };
        match self.edit(resource_type, id, &[edit], &References::new()).await {
            Ok(_) => Ok(()),
            Err(error) => Err(TargetError::Rejected {
                status: 200,
                detail: format!("it was created switched on, although it was to be off, and then: {error}"),
            }),
        }
    }

    /// Edits a resource, one writer at a time.
    pub(super) async fn update(
        &self,
        resource_type: ResourceType,
        id: &ResourceId,
        edits: &[Edit],
        references: &References,
    ) -> Result<Outcome, TargetError> {
        let _turn = self.turns.take(id).await;
        self.shared(resource_type).outdate();
        let outcome = self.edit_what_can_be(resource_type, id, edits, references).await;
        self.shared(resource_type).outdate();
        outcome
    }

    /// What the first answer means, and what is tried before it is believed.
    pub(super) async fn edit(
        &self,
        resource_type: ResourceType,
        id: &ResourceId,
        edits: &[Edit],
        references: &References,
    ) -> Result<Outcome, TargetError> {
        let Some(answer) = self.settled(resource_type, id, edits, references).await? else {
            return Ok(Outcome::Exists(id.clone()));
        };
        if answer.is_success() {
            self.note_changeable(resource_type, edits);
            return edited(&answer, resource_type, id, edits);
        }
        if let Some(outcome) = self.in_other_words(resource_type, id, edits, references, &answer).await? {
            return Ok(outcome);
        }
        if let [Edit::Members { add, remove }] = edits {
            return settle(self, id, MemberEdits { add, remove }, references, &answer).await;
        }
        if answer.is_about(&["mutability"]) {
            return self.one_by_one(resource_type, id, edits, references, &answer).await;
        }
        if !answer.is_no_target() {
            return Err(self.judged_again(resource_type, id, &answer).await);
        }
        // Something that the edits speak of is not there: say it again with what is (RFC 7644 §3.5.2.3).
        let Some(found) = self.read_one(resource_type, id).await? else { return Err(TargetError::NotFound) };
        match self.send_edits(resource_type, id, edits, references, Some(&found)).await? {
            None => Ok(Outcome::Exists(id.clone())),
            Some(answer) if answer.is_success() => edited(&answer, resource_type, id, edits),
            Some(answer) => Err(judged(&answer)),
        }
    }

    /// The answer to edits; one that does not know what was created a moment ago is asked for again.
    async fn settled(
        &self,
        resource_type: ResourceType,
        id: &ResourceId,
        edits: &[Edit],
        references: &References,
    ) -> Result<Option<Answer>, TargetError> {
        let first = self.send_edits(resource_type, id, edits, references, None).await;
        let members = !edits.iter().all(|edit| matches!(edit, Edit::Attribute { .. }));
        let unknown = match &first {
            Err(TargetError::NotFound) => true,
            Ok(Some(answer)) => matches!(answer.status, 404 | 410) || members && answer.status == 400,
            Ok(None) | Err(_) => false,
        };
        let named = std::iter::once(id).chain(references.values());
        match self.recent.unsettled(named, self.dialect().knobs.settle).filter(|_| unknown) {
            None => first,
            Some(wait) => {
                tokio::time::sleep(wait).await;
                self.send_edits(resource_type, id, edits, references, None).await
            }
        }
    }

    /// Deletes a resource.
    pub(super) async fn delete(&self, request: &Request, id: &ResourceId) -> Result<Outcome, TargetError> {
        let _turn = self.turns.take(id).await;
        self.shared(request.resource_type).outdate();
        let mut answer = self.transport.send(request).await?;
        if matches!(answer.status, 404 | 410)
            && let Some(wait) = self.unsettled(id)
        {
            tokio::time::sleep(wait).await;
            answer = self.transport.send(request).await?;
        }
        self.shared(request.resource_type).outdate();
        if answer.is_success() {
            return Ok(Outcome::Gone);
        }
        match self.judged_again(request.resource_type, id, &answer).await {
            TargetError::NotFound => Ok(Outcome::Gone),
            error => Err(error),
        }
    }

    fn unsettled(&self, id: &ResourceId) -> Option<Duration> {
        self.recent.unsettled(std::iter::once(id), self.dialect().knobs.settle)
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
}

/// The resource after an edit. Some providers change its id with its externalId (GitLab's is the externalId).
/// An answer that has a body and is not JSON did not come from a SCIM service; one that shows a user switched otherwise
/// than was asked for did not do it, whatever its status.
pub(super) fn edited(
    answer: &Answer,
    resource_type: ResourceType,
    known: &ResourceId,
    edits: &[Edit],
) -> Result<Outcome, TargetError> {
    if answer.is_empty() {
        return Ok(Outcome::Exists(known.clone()));
    }
    let json =
        answer.json().map_err(|_| TargetError::AnswerLost(format!("status {} with a body that is not JSON", answer.status)))?;
    let shown = Some(&json).filter(|json| is_resource(json)).and_then(shown_active);
    if let (Some(sent), Some(shown)) = (sent_active(edits), shown)
        && sent != shown
    {
        return Err(not_switched(answer.status, shown));
    }
    let told = id(&json).filter(|_| is_resource(&json)).map(|id| ResourceId::new(&id));
    let told = told.filter(|id| super::url::resource(resource_type, id).is_some());
    Ok(Outcome::Exists(told.unwrap_or_else(|| known.clone())))
}

/// It said that all is well and did nothing.
pub(super) fn not_switched(status: u16, shown: bool) -> TargetError {
    let state = if shown { "on" } else { "off" };
    TargetError::Rejected { status, detail: format!("it acknowledged the change, and shows the user still switched {state}") }
}

/// What edits say of `active`.
pub(super) fn sent_active(edits: &[Edit]) -> Option<bool> {
    edits.iter().find_map(|edit| match edit {
        Edit::Attribute { path, after: Some(Value::Flag(flag)), .. } if path.as_str() == "active" => Some(*flag),
        Edit::Attribute { .. } | Edit::Members { .. } | Edit::Foreign { .. } => None,
    })
}

/// `active` in an answer.
fn shown_active(json: &Json) -> Option<bool> {
    let found = found(ResourceType::User, json, MembersIn::Nowhere)?;
    match found.attributes.get("active") {
        Some(Value::Flag(flag)) => Some(*flag),
        Some(Value::Text(_) | Value::Reference(_)) | None => None,
    }
}

/// True for the JSON of a user or a group. Other documents have ids too, and theirs lead to something else.
fn is_resource(json: &Json) -> bool {
    let Some(object) = json.as_object() else { return false };
    ["userName", "displayName"].iter().any(|name| get(object, name).is_some_and(Json::is_string))
}

/// The id at the end of `Location`.
fn location_id(answer: &Answer, resource_type: ResourceType) -> Option<String> {
    let path = answer.location.as_deref()?.split(['?', '#']).next()?;
    let (before, id) = path.trim_end_matches('/').rsplit_once('/')?;
    let place = super::url::collection(resource_type);
    (before.ends_with(place) && !id.is_empty()).then(|| percent_decode_str(id).decode_utf8_lossy().into_owned())
}
