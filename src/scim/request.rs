//! What is asked of the provider, as a value: method, path, query and body. Nothing is sent here.

use serde_json::Value as Json;

use super::url::{collection, encoded, equals, resource};
use super::wire::Speech;
use super::{Dialect, patch};
use crate::cycle::{Found, Lookup, References, TargetError};
use crate::model::{ResourceId, ResourceType};
use crate::plan::{Action, Change, Edit};

/// RFC 9110 §4.1 asks for 8000 octets; the base URL needs some of them.
const LONGEST_ADDRESS: usize = 7000;

/// What HTTP does with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    /// Reads.
    Get,
    /// Creates; not to be repeated blindly.
    Post,
    /// Edits; what we say in it may be said twice.
    Patch,
    /// Deletes.
    Delete,
}

impl Method {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// One request.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Request {
    pub(super) method: Method,
    /// User or group, for the log.
    pub(super) resource_type: ResourceType,
    /// Below the base URL, encoded.
    pub(super) path: String,
    /// Encoded, without the question mark.
    pub(super) query: String,
    pub(super) body: Option<Json>,
}

impl Request {
    fn of(method: Method, resource_type: ResourceType, path: String) -> Self {
        Self { method, resource_type, path, query: String::new(), body: None }
    }

    /// The one request that a change is. `None` if nothing is left of it: every reference in it is to an entry
    /// without a resource.
    pub(super) fn change(change: &Change, dialect: &Dialect, references: &References) -> Result<Option<Self>, TargetError> {
        let resource_type = change.resource_type;
        match &change.action {
            Action::Create(resource) => {
                let speech = Speech { knobs: &dialect.knobs, references };
                let mut request = Self::of(Method::Post, resource_type, collection(resource_type).to_owned());
                request.body = Some(speech.document(resource));
                Ok(Some(request))
            }
            Action::Update { resource_id, edits } => Self::edits(resource_type, resource_id, edits, dialect, references, None),
            Action::Delete { resource_id } => Ok(Some(Self::of(Method::Delete, resource_type, at(resource_type, resource_id)?))),
            Action::Adopt { .. } | Action::Relink { .. } | Action::Claim { .. } | Action::Release | Action::Forget => {
                Err(TargetError::Protocol("a step that sends nothing was given to be sent".to_owned()))
            }
        }
    }

    /// A PATCH. `found`: see [`patch::body`].
    pub(super) fn edits(
        resource_type: ResourceType,
        id: &ResourceId,
        edits: &[Edit],
        dialect: &Dialect,
        references: &References,
        found: Option<&Found>,
    ) -> Result<Option<Self>, TargetError> {
        let Some(body) = patch::body(Speech { knobs: &dialect.knobs, references }, edits, found) else { return Ok(None) };
        let mut request = Self::of(Method::Patch, resource_type, at(resource_type, id)?);
        request.body = Some(body);
        Ok(Some(request))
    }

    /// One resource, whole.
    pub(super) fn one(resource_type: ResourceType, id: &ResourceId) -> Result<Self, TargetError> {
        Ok(Self::of(Method::Get, resource_type, at(resource_type, id)?))
    }

    /// True if the address is of a length that servers accept.
    pub(super) fn is_of_usual_length(&self) -> bool {
        self.path.len() + self.query.len() <= LONGEST_ADDRESS
    }

    /// Candidates for a look-up: two, so that an ambiguous one shows.
    pub(super) fn lookup(lookup: &Lookup) -> Self {
        let mut request = Self::page(lookup.resource_type, 1, 2);
        request.query = format!("filter={}&{}", encoded(&equals(&lookup.path, &lookup.value)), request.query);
        request
    }

    /// A page of a list. Groups without their members.
    pub(super) fn page(resource_type: ResourceType, start: usize, count: usize) -> Self {
        let mut request = Self::of(Method::Get, resource_type, collection(resource_type).to_owned());
        let without = match resource_type {
            ResourceType::User => "",
            ResourceType::Group => "&excludedAttributes=members",
        };
        request.query = format!("startIndex={start}&count={count}{without}");
        request
    }

    /// What the provider says of itself, at a place below the base URL.
    pub(super) fn about(place: &str) -> Self {
        Self::of(Method::Get, ResourceType::User, place.to_owned())
    }
}

fn at(resource_type: ResourceType, id: &ResourceId) -> Result<String, TargetError> {
    let unfit = || TargetError::Rejected {
        status: 400,
        detail: "not sent: the id that the target gave the resource cannot stand in an address".to_owned(),
    };
    resource(resource_type, id).ok_or_else(unfit)
}
