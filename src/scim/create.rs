//! New resources: what each answer to a create means, and where the id is when the answer does not say it.

use percent_encoding::percent_decode_str;

use super::answer::Answer;
use super::found::id;
use super::request::Request;
use super::target::{Provider, judged};
use super::write::shown_active;
use crate::cycle::{Lookup, Outcome, References, TargetError};
use crate::model::{AttributePath, Resource, ResourceId, ResourceType, Value};
use crate::plan::Edit;

impl Provider {
    /// Creates a resource.
    pub(super) async fn create(&self, request: &Request, resource: &Resource) -> Result<Outcome, TargetError> {
        let settle = self.dialect().knobs.settle;
        self.shared(resource.resource_type).outdate();
        let answer = self.write(request).await?;
        self.shared(resource.resource_type).outdate();
        if !answer.is_success() {
            // 404 to a create is about the collection, not about a resource.
            return Err(if answer.status == 404 { answer.rejected() } else { judged(&answer) });
        }
        self.works(resource.resource_type);
        let json = answer.json().ok();
        let told = json.as_ref().and_then(id).or_else(|| location_id(&answer, resource.resource_type));
        // What cannot be addressed could never be switched off.
        let told = told.filter(|id| super::url::resource(resource.resource_type, &ResourceId::new(id)).is_some());
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
        let lookup = Lookup { resource_type: resource.resource_type, path, value };
        // It is there, whatever goes wrong with the look-up; it may take its time to show.
        let settle = self.dialect().knobs.settle;
        let mut found = self.look_for(&lookup).await.map_err(|_| lost())?;
        if found.is_empty() && !settle.is_zero() {
            tokio::time::sleep(settle).await;
            found = self.look_for(&lookup).await.map_err(|_| lost())?;
        }
        match found.as_slice() {
            [one] => Ok(one.resource_id.clone()),
            _ => Err(lost()),
        }
    }

    /// Some providers create everybody switched on, whatever they are told. Where the next edit does not help either, the
    /// create counts as refused: it is found again by the next cycle, as it is.
    async fn switch_off(&self, resource_type: ResourceType, id: &ResourceId) -> Result<(), TargetError> {
        let path = AttributePath::known("active");
        let edit = Edit::Attribute { path, before: Some(Value::Flag(true)), after: Some(Value::Flag(false)) };
        match self.edit(resource_type, id, &[edit], &References::new()).await {
            Ok(_) => Ok(()),
            Err(error) => Err(TargetError::Rejected {
                status: 200,
                detail: format!("it was created switched on, although it was to be off, and then: {error}"),
            }),
        }
    }
}

/// The id at the end of `Location`.
fn location_id(answer: &Answer, resource_type: ResourceType) -> Option<String> {
    let path = answer.location.as_deref()?.split(['?', '#']).next()?;
    let (before, id) = path.trim_end_matches('/').rsplit_once('/')?;
    let place = super::url::collection(resource_type);
    (before.ends_with(place) && !id.is_empty()).then(|| percent_decode_str(id).decode_utf8_lossy().into_owned())
}
