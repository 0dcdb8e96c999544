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
pub(super) fn shown_active(json: &Json) -> Option<bool> {
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
