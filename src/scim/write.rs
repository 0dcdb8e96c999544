//! Edits and deletes of one resource: what each answer means, and what is tried before it is believed.

use std::time::Duration;

use serde_json::Value as Json;

use super::answer::Answer;
use super::found::{MembersIn, found, get, id};
use super::members;
use super::request::Request;
use super::target::{Provider, judged};
use crate::cycle::{Outcome, References, TargetError};
use crate::model::{ResourceId, ResourceType, Value};
use crate::plan::Edit;

/// The schema of an error (RFC 7644 §3.12).
const ERROR: &str = "urn:ietf:params:scim:api:messages:2.0:Error";

impl Provider {
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
        let outcome = match edits {
            [edit @ (Edit::Members { .. } | Edit::Foreign { .. })] => members::change(self, id, edit, references).await,
            edits => self.edit_what_can_be(resource_type, id, edits, references).await,
        };
        self.shared(resource_type).outdate();
        match outcome {
            Err(TargetError::NotFound) => Err(self.missing(resource_type).await),
            outcome => outcome,
        }
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
    pub(super) async fn settled(
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
        let mut answer = self.write(request).await?;
        if matches!(answer.status, 404 | 410)
            && let Some(wait) = self.unsettled(id)
        {
            tokio::time::sleep(wait).await;
            answer = self.write(request).await?;
        }
        self.shared(request.resource_type).outdate();
        if answer.is_success() {
            return Ok(Outcome::Gone);
        }
        match self.judged_again(request.resource_type, id, &answer).await {
            TargetError::NotFound => match self.missing(request.resource_type).await {
                TargetError::NotFound => Ok(Outcome::Gone),
                error => Err(error),
            },
            error => Err(error),
        }
    }

    /// What it means that a resource is not there. Where not even its collection is, nothing is known of it: a gateway
    /// that has lost its way answers 404 to everything, and nobody is switched off by that.
    async fn missing(&self, resource_type: ResourceType) -> TargetError {
        match self.transport.send(&Request::collection(resource_type)).await {
            Ok(answer) if matches!(answer.status, 404 | 410) => TargetError::Rejected {
                status: answer.status,
                detail: "it says that the resource is not there, and says the same of all of its kind".to_owned(),
            },
            Ok(_) => TargetError::NotFound,
            Err(error) => error,
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

/// The resource after an edit. Some providers change its id with its externalId (GitLab's is the externalId): an id
/// that is not the value of an edit is somebody else's, and nothing more may be sent to it.
/// An answer that has a body and is not JSON did not come from a SCIM service; one that is an error, or that shows a user
/// switched otherwise than was asked for, did not do it, whatever its status.
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
    if is_error(&json) {
        let detail = format!("it answered {} with an error in it: {}", answer.status, answer.detail());
        return Err(TargetError::Rejected { status: answer.status, detail });
    }
    let is_it = |json: &&Json| is_resource(json) || id(json).as_deref() == Some(known.as_str());
    let shown = Some(&json).filter(is_it).and_then(shown_active);
    if let (Some(sent), Some(shown)) = (sent_active(edits), shown)
        && sent != shown
    {
        return Err(not_switched(answer.status, shown));
    }
    let told = id(&json).filter(|_| is_resource(&json)).map(|id| ResourceId::new(&id));
    let told = told.filter(|id| super::url::resource(resource_type, id).is_some() && is_said_by(edits, id));
    Ok(Outcome::Exists(told.unwrap_or_else(|| known.clone())))
}

/// True if an id is a value that was sent.
fn is_said_by(edits: &[Edit], id: &ResourceId) -> bool {
    edits.iter().any(|edit| match edit {
        Edit::Attribute { after: Some(Value::Text(text)), .. } => text.eq_ignore_ascii_case(id.as_str()),
        Edit::Attribute { .. } | Edit::Members { .. } | Edit::Foreign { .. } => false,
    })
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
pub(super) fn shown_active(json: &Json) -> Option<bool> {
    let found = found(ResourceType::User, json, MembersIn::Nowhere)?;
    match found.attributes.get("active") {
        Some(Value::Flag(flag)) => Some(*flag),
        Some(Value::Text(_) | Value::Reference(_)) | None => None,
    }
}

/// True for the JSON of an error (RFC 7644 §3.12), whatever status it came with.
fn is_error(json: &Json) -> bool {
    let schemas = json.as_object().and_then(|object| get(object, "schemas")).and_then(Json::as_array);
    schemas.is_some_and(|schemas| schemas.iter().filter_map(Json::as_str).any(|schema| schema.eq_ignore_ascii_case(ERROR)))
}

/// True for the JSON of a user or a group. Other documents have ids too, and theirs lead to something else.
fn is_resource(json: &Json) -> bool {
    let Some(object) = json.as_object() else { return false };
    ["userName", "displayName"].iter().any(|name| get(object, name).is_some_and(Json::is_string))
}
