//! Edits go out with the verb of the target: what differs, or the whole resource; on a fresh reading where that is needed.

use serde_json::Value as Json;

use super::answer::Answer;
use super::found::{MembersIn, found, get};
use super::request::Request;
use super::target::Provider;
use super::wire::Speech;
use super::{Dialect, PutMode, UpdateBy, member_reading, patch, put};
use crate::cycle::{Found, References, TargetError};
use crate::model::{MembersRead, ResourceId, ResourceType};
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
        let mut found = found(resource_type, &json, members)
            .ok_or_else(|| TargetError::Protocol("a resource was answered without its id".to_owned()))?;
        if !found.resource_id.as_str().eq_ignore_ascii_case(id.as_str()) {
            let detail = "it was asked for a resource by its id and answered with another".to_owned();
            return Err(TargetError::Rejected { status: answer.status, detail });
        }
        if resource_type == ResourceType::Group {
            member_reading::judge(self, &mut found).await?;
        }
        let meta = json.as_object().and_then(|object| get(object, "meta")).and_then(Json::as_object);
        let version = meta.and_then(|meta| get(meta, "version")).and_then(Json::as_str).map(str::to_owned);
        // What no header can hold is no version.
        let version = answer.etag.or(version).filter(|text| text.bytes().all(|octet| (0x20..0x7f).contains(&octet)));
        Ok(Some(Reading { found, version, json }))
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
            // A version cannot travel in a bulk.
            let answer = match request.if_match {
                Some(_) => self.transport.send(&request).await?,
                None => self.write(&request).await?,
            };
            if answer.status != 412 || request.if_match.is_none() || reading_number >= FRESH_READINGS {
                return Ok(Some(answer));
            }
            reading_number += 1;
        }
    }
}
