//! What is asked of the provider, as a value: method, path, query and body. Nothing is sent here.

use serde_json::{Value as Json, json};

use super::url::{collection, encoded, equals, resource};
use super::wire::Speech;
use super::{Dialect, FilterUse, Knobs, Pagination, patch};
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
    /// Reads, with the question in the body (RFC 7644 §3.4.3).
    Search,
    /// Creates; not to be repeated blindly.
    Post,
    /// Edits; what we say in it may be said twice.
    Patch,
    /// Says the whole resource; may be said twice.
    Put,
    /// Deletes.
    Delete,
}

impl Method {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post | Self::Search => "POST",
            Self::Patch => "PATCH",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }

    /// True if it changes nothing, whatever becomes of it.
    pub(super) fn is_read(self) -> bool {
        match self {
            Self::Get | Self::Search => true,
            Self::Post | Self::Patch | Self::Put | Self::Delete => false,
        }
    }
}

/// Which part of a list is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cut {
    /// From this resource on, counted from 1 (RFC 7644 §3.4.2.4).
    Index(usize),
    /// From where the last page ended; empty for the first (RFC 9865).
    Cursor(String),
    /// All of it.
    Whole,
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
    /// The version that the resource must still have (RFC 7644 §3.14).
    pub(super) if_match: Option<String>,
}

impl Request {
    fn of(method: Method, resource_type: ResourceType, path: String) -> Self {
        Self { method, resource_type, path, query: String::new(), body: None, if_match: None }
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

    /// The whole resource, in place of what is there.
    pub(super) fn put(resource_type: ResourceType, id: &ResourceId, body: Json) -> Result<Self, TargetError> {
        let mut request = Self::of(Method::Put, resource_type, at(resource_type, id)?);
        request.body = Some(body);
        Ok(request)
    }

    /// Candidates for a look-up: two, so that an ambiguous one shows.
    pub(super) fn lookup(lookup: &Lookup, knobs: &Knobs) -> Self {
        let resource_type = lookup.resource_type;
        let filter = equals(&lookup.path, &lookup.value);
        let excluded = leaves_members_out(resource_type, knobs);
        if knobs.filter == FilterUse::Search {
            let mut body = json!({
                "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"], "filter": filter, "startIndex": 1, "count": 2
            });
            if excluded && let Some(object) = body.as_object_mut() {
                object.insert("excludedAttributes".to_owned(), json!(["members"]));
            }
            let mut request = Self::of(Method::Search, resource_type, format!("{}/.search", collection(resource_type)));
            request.body = Some(body);
            return request;
        }
        let page = match knobs.pagination {
            Pagination::Auto | Pagination::Index => "&startIndex=1&count=2",
            Pagination::Cursor => "&count=2",
            Pagination::None => "",
        };
        let mut request = Self::of(Method::Get, resource_type, collection(resource_type).to_owned());
        let without = if excluded { "&excludedAttributes=members" } else { "" };
        request.query = format!("filter={}{page}{without}", encoded(&filter));
        request
    }

    /// A page of a list. Groups without their members, where they can be asked for so.
    pub(super) fn page(resource_type: ResourceType, cut: &Cut, count: usize, knobs: &Knobs) -> Self {
        let mut request = Self::of(Method::Get, resource_type, collection(resource_type).to_owned());
        let mut parts = match cut {
            Cut::Index(start) => vec![format!("startIndex={start}"), format!("count={count}")],
            Cut::Cursor(cursor) => vec![format!("cursor={}", encoded(cursor)), format!("count={count}")],
            Cut::Whole => Vec::new(),
        };
        if leaves_members_out(resource_type, knobs) {
            parts.push("excludedAttributes=members".to_owned());
        }
        request.query = parts.join("&");
        request
    }

    /// A question that any provider answers, whatever it has.
    pub(super) fn harmless() -> Self {
        Self::collection(ResourceType::User)
    }

    /// Whether there is a collection.
    pub(super) fn collection(resource_type: ResourceType) -> Self {
        let mut request = Self::of(Method::Get, resource_type, collection(resource_type).to_owned());
        let without = if resource_type == ResourceType::Group { "&excludedAttributes=members" } else { "" };
        request.query = format!("count=1{without}");
        request
    }

    /// What the provider says of itself, at a place below the base URL.
    pub(super) fn about(place: &str) -> Self {
        Self::of(Method::Get, ResourceType::User, place.to_owned())
    }
}

/// True if groups are asked for without their members.
fn leaves_members_out(resource_type: ResourceType, knobs: &Knobs) -> bool {
    resource_type == ResourceType::Group && knobs.excluded_attributes
}

fn at(resource_type: ResourceType, id: &ResourceId) -> Result<String, TargetError> {
    let unfit = || TargetError::Rejected {
        status: 400,
        detail: "not sent: the id that the target gave the resource cannot stand in an address".to_owned(),
    };
    resource(resource_type, id).ok_or_else(unfit)
}
