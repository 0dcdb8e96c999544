//! What a cycle needs of the service provider, and how it fails.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use crate::cycle::References;
use crate::model::{Capabilities, EntryId, Knowledge, ResourceId, ResourceType};
use crate::plan::Change;
pub use crate::plan::{Found, Lookup};

/// What a failure ends: the work on one entry, or the cycle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    /// The entry is held; everything else goes on.
    Entry,
    /// The system cannot be worked with now: the cycle ends.
    System,
}

/// What became of a request that the target acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The resource is there, under this id.
    Exists(ResourceId),
    /// The resource is there, and all that was asked for is done but for these of its members.
    Partly {
        /// Its id.
        resource_id: ResourceId,
        /// Members whose membership is as it was before.
        undone: BTreeSet<EntryId>,
        /// Members of whom nobody knows.
        doubtful: BTreeSet<EntryId>,
        /// What was said of the first of them.
        why: String,
    },
    /// The resource is not there (any more).
    Gone,
}

/// The service provider.
pub trait Target: Send + Sync + 'static {
    /// What it can do, as far as is known now.
    fn capabilities(&self) -> Arc<Capabilities>;

    /// Takes what earlier cycles found out about the target.
    fn recall(&self, knowledge: &Knowledge);

    /// Drops what answers of the target taught, so that it is found out anew. What it announces stays.
    fn forget(&self);

    /// True if look-ups of a type are answered by filters, as far as is known; false where each lists everything.
    fn filters(&self, resource_type: ResourceType) -> bool;

    /// What is known about the target beyond its configuration: what was recalled, and what was found out since.
    fn learnt(&self) -> Knowledge;

    /// Asks the target what it can, and heeds what it says where nobody who counts more says otherwise. Changes nothing
    /// where it does not answer.
    fn discover(&self) -> impl Future<Output = ()> + Send;
    /// How long a new resource may take to show in look-ups. Absence is believed only of a second look so much later.
    fn settle(&self) -> Duration;

    /// How many resources of a type there are; `None` if the target does not say.
    fn population(&self, resource_type: ResourceType) -> impl Future<Output = Result<Option<u64>, TargetError>> + Send;

    /// Candidates for a look-up, re-checked on our side: only those whose value really equals (userName and
    /// displayName without case, everything else exactly).
    fn find(&self, lookup: &Lookup) -> impl Future<Output = Result<Vec<Found>, TargetError>> + Send;

    /// One resource by id, a group with its members; `None` if there is none.
    fn get(
        &self,
        resource_type: ResourceType,
        id: &ResourceId,
    ) -> impl Future<Output = Result<Option<Found>, TargetError>> + Send;

    /// Every resource of a type, complete or an error. Groups come without members.
    fn list(&self, resource_type: ResourceType) -> impl Future<Output = Result<Vec<Found>, TargetError>> + Send;

    /// The same, or `None` where there are more than `most`.
    fn list_up_to(
        &self,
        resource_type: ResourceType,
        most: usize,
    ) -> impl Future<Output = Result<Option<Vec<Found>>, TargetError>> + Send;

    /// Sends one change as one request (planning cuts changes to that size) and waits
    /// for rate, retries and pauses. `Adopt`, `Claim` and `Forget` are not sent: they are the cycle's business.
    /// References that are not in `references` are an error of the caller and are left out.
    fn apply(&self, change: &Change, references: &References) -> impl Future<Output = Result<Outcome, TargetError>> + Send;
}

/// Why the target did not do what was asked. Details are the provider's words, cut to 200 characters.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TargetError {
    /// 409, or 400 with scimType uniqueness: something holds the name or id.
    #[error("the target says that it already exists ({0})")]
    Conflict(String),
    /// 404 or 410 to a change of an existing resource.
    #[error("the target does not have the resource")]
    NotFound,
    /// Any other refusal of this one request.
    #[error("the target refused it with {status}: {detail}")]
    Rejected {
        /// HTTP status.
        status: u16,
        /// scimType and detail.
        detail: String,
    },
    /// The request may have been applied; its answer was lost, also after retries where those are safe.
    #[error("the answer was lost ({0})")]
    AnswerLost(String),
    /// 401, or 403 to everything: the credentials do not work.
    #[error("the target refuses the credentials: {0}")]
    Unauthorized(String),
    /// The target cannot be worked with now, after all retries. The request was not applied.
    #[error("the target cannot be used now: {0}")]
    Unavailable(String),
    /// The target does not speak SCIM here, or breaks it beyond tolerance.
    #[error("not a usable SCIM answer: {0}")]
    Protocol(String),
    /// The secret could not be read.
    #[error("the target's secret cannot be read: {0}")]
    Secret(String),
}

impl TargetError {
    /// What the failure ends.
    pub fn disposition(&self) -> Disposition {
        match self {
            Self::Conflict(_) | Self::NotFound | Self::Rejected { .. } | Self::AnswerLost(_) => Disposition::Entry,
            Self::Unauthorized(_) | Self::Unavailable(_) | Self::Protocol(_) | Self::Secret(_) => Disposition::System,
        }
    }
}
