//! What a cycle needs of the three outside systems, and how each of them fails.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::References;
use crate::model::{
    Capabilities, Changes, ChannelName, Delta, Dn, DnKey, Entry, EntryId, Knowledge, LinkedCounts, Looked, MemberName, Origin,
    Place, Reading, Resource, ResourceId, ResourceType, Seat, Settlement, Snapshot, Standing, TargetName, Vendor, Wanted,
    Watermark,
};
use crate::plan::{Change, Edit, Held, Tally};
pub use crate::plan::{Found, Lookup};

/// What a failure ends: the work on one entry, or the cycle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    /// The entry is held; everything else goes on.
    Entry,
    /// The system cannot be worked with now: the cycle ends.
    System,
}

/// The directory.
pub trait Source: Send + Sync {
    /// Connects if need be and tells what kind of directory this is.
    fn identify(&self) -> impl Future<Output = Result<Vendor, SourceError>> + Send;

    /// Reads what is wanted into `entries`: every group before the first user, no entry twice.
    /// `Partial` where something is missing; `Err` where nothing of worth was read; `Interrupted` where another server may
    /// do better: then what was sent is thrown away and the next call begins again there, since no reading mixes two
    /// servers. Stops early, with `Partial`, when the receiver is gone.
    fn read(&self, wanted: &Wanted, entries: mpsc::Sender<Entry>) -> impl Future<Output = Result<Reading, SourceError>> + Send;

    /// What changed after a watermark that a reading of the same source gave.
    fn changes(&self, wanted: &Wanted, since: &Watermark) -> impl Future<Output = Result<Changes, SourceError>> + Send;

    /// Looks at some entries, on a server that is as far as the watermark, and sends those that are there as `read` would:
    /// users that are selected, groups whether selected or not. Groups need not come first.
    fn look(
        &self,
        wanted: &Wanted,
        places: Vec<Place>,
        since: &Watermark,
        entries: mpsc::Sender<Entry>,
    ) -> impl Future<Output = Result<Looked, SourceError>> + Send;

    /// Tells at once when something changes after the watermark, until it cannot any more: the error says why. `None`
    /// stands for something of which only [`Source::changes`] tells more. Begins with `None` when it has begun to hear.
    fn watch(
        &self,
        wanted: &Wanted,
        since: &Watermark,
        heard: mpsc::Sender<Option<Delta>>,
    ) -> impl Future<Output = SourceError> + Send;
}

/// Why the directory could not be read. Messages name hosts and DNs, never values or secrets.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SourceError {
    /// No server of the list could be reached or spoken with; one sentence for each.
    #[error("no directory server could be used: {}", .0.join("; "))]
    Unreachable(Vec<String>),
    /// The server refused the bind (invalidCredentials and kin). Not tried again until the secret changes.
    #[error("{url} refused the bind as {dn}: {message}")]
    Refused {
        /// Server.
        url: String,
        /// Who was binding.
        dn: String,
        /// Result code name and the server's text.
        message: String,
    },
    /// The server answered with an error or not by the protocol.
    #[error("{url}: {message}")]
    Failed {
        /// Server.
        url: String,
        /// What happened.
        message: String,
    },
    /// The server failed in the middle of a reading, and another server has not failed lately.
    #[error("{url} failed in the middle of a reading: {message}")]
    Interrupted {
        /// Server.
        url: String,
        /// What happened.
        message: String,
    },
    /// The secret could not be read.
    #[error("the bind password cannot be read: {0}")]
    Secret(String),
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

/// Number of a cycle in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CycleId(pub i64);

/// Number of an intent in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct IntentId(pub i64);

/// How a cycle was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// `sync`, or a tick of the daemon.
    Sync,
    /// `resync`.
    Resync,
    /// A tick of a channel in preview: nothing is written to the target.
    Preview,
}

/// A cycle that begins.
#[derive(Debug, Clone)]
pub struct CycleStart {
    /// Channel.
    pub channel: ChannelName,
    /// Target.
    pub target: TargetName,
    /// How.
    pub trigger: Trigger,
    /// What the channel claims as it begins.
    pub linked: LinkedCounts,
}

/// A request that is about to be sent.
#[derive(Debug, Clone)]
pub struct Intent {
    /// What is sent: `Create`, `Update` or `Delete`, cut to one request, references stripped to what is linked.
    pub change: Change,
    /// What the guard counts for it.
    pub tally: Tally,
}

/// What is written down when a request was answered, or for a step that sends nothing.
#[derive(Debug, Clone)]
pub struct Record {
    /// The intent that this closes; `None` for steps that send nothing (adopt, claim, forget).
    pub intent: Option<IntentId>,
    /// The entry.
    pub entry_id: EntryId,
    /// User or group.
    pub resource_type: ResourceType,
    /// What is now true.
    pub result: Recorded,
    /// What becomes of the channel's claim: made, given up, or left as it is.
    pub claim: Option<bool>,
}

/// What a record makes true.
#[derive(Debug, Clone)]
pub enum Recorded {
    /// The entry is linked to this resource, which acknowledged this much. Replaces any older link of the entry.
    Linked {
        /// Id at the target.
        resource_id: ResourceId,
        /// Who made it.
        origin: Origin,
        /// What it acknowledged.
        acknowledged: Resource,
    },
    /// The linked resource acknowledged these edits; what was uncertain of the same paths and members is certain.
    Edited {
        /// Id at the target after the edit (some providers change it).
        resource_id: ResourceId,
        /// The edits.
        edits: Vec<Edit>,
    },
    /// The same for a part of what the intent says: the guard counts what was done and not what was asked for.
    Partly {
        /// Id at the target.
        resource_id: ResourceId,
        /// What was done.
        edits: Vec<Edit>,
        /// What the guard counts for it, in place of what it counted for the intent.
        tally: Tally,
    },
    /// The link of another entry is this entry's from now on, with everything that the resource acknowledged. Claims
    /// of the channel go with it.
    Relinked {
        /// Whose it was.
        from: EntryId,
        /// What the guard counts for it: nothing is sent, so there is no intent that could be counted.
        tally: Tally,
    },
    /// What is remembered of a link's acknowledged state is replaced: a full comparison found it different.
    Corrected(Resource),
    /// There is no such resource any more: the link is dropped.
    Gone,
    /// The target refused; nothing changed there. Takes back what the guard counted.
    Refused(String),
    /// The same for what the request says, which it would refuse again: it is remembered, and how often, until the entry's
    /// resource acknowledges something.
    Declined {
        /// The target's words.
        why: String,
        /// A digest of what the request says.
        digest: String,
    },
    /// Nothing but the claim changes.
    Unchanged,
}

/// How a cycle ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CycleEnd {
    /// Everything planned was done.
    Done,
    /// Done, but entries are held or were refused, or the reading was partial, so that leavers may be left.
    DoneWithHeld,
    /// The guard held something back.
    Quarantined,
    /// It could not be carried through.
    Failed,
}

/// What is kept of a finished cycle, for `status` and history.
#[derive(Debug, Clone)]
pub struct CycleSummary {
    /// How.
    pub end: CycleEnd,
    /// One or more sentences for people: the failure, the guard's message, the partial reading's causes.
    pub messages: Vec<String>,
    /// Counts by name, in the order to print them.
    pub counts: Vec<(&'static str, u64)>,
    /// Entries held or refused. Replaces those of the channel's last cycle; `None` leaves them (nothing was judged).
    pub held: Option<Vec<Held>>,
    /// Of whom `held` speaks: of nobody else is anything replaced. `None`: of everybody.
    pub judged: Option<BTreeSet<EntryId>>,
    /// Kinds the guard stopped, with its message; empty lifts the quarantine. `None` leaves it as it was.
    pub quarantine: Option<Vec<(&'static str, String)>>,
}

/// Which part of what is remembered of a target is loaded.
#[derive(Debug, Clone, Default)]
pub struct Part {
    /// Entries of which everything is.
    pub entries: BTreeSet<EntryId>,
    /// Names: whoever holds one of them is loaded too.
    pub names: BTreeSet<(ResourceType, String)>,
    /// Entries of which only the resource is.
    pub others: BTreeSet<EntryId>,
}

/// A question about seats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SeatQuestion {
    /// Those of these entries.
    Of(BTreeSet<EntryId>),
    /// Those that have one of these names.
    At(BTreeSet<MemberName>),
    /// The groups that list one of these names, those that list them, and so on. Of their members only those are told
    /// through which they were found.
    Above(BTreeSet<MemberName>),
    /// The groups nested in these, however deep, these included, with all members; and everybody whom they list.
    Below(BTreeSet<EntryId>),
    /// Users that refer to one of these.
    Referring(BTreeSet<DnKey>),
    /// Groups that list a DN with one of these first RDNs, normalised, under which nobody is known.
    Elsewhere(BTreeSet<String>),
}

/// What survives a restart. Every method that changes something is durable when it returns.
pub trait Store: Send + Sync {
    /// What is remembered of a target, as this channel sees it. `window` is the guard's.
    fn load(
        &self,
        target: &TargetName,
        channel: &ChannelName,
        window: Duration,
    ) -> impl Future<Output = Result<Snapshot, StoreError>> + Send;

    /// Where a channel stands; `None` if it was never read in full, or not so that changes can be told.
    fn standing(&self, channel: &ChannelName) -> impl Future<Output = Result<Option<Standing>, StoreError>> + Send;

    /// What is remembered of a target of some entries only: links, claims and all else of `entries` and of whoever holds one
    /// of `names` (userName or displayName, without case); of `others` only their resources.
    fn load_some(
        &self,
        target: &TargetName,
        channel: &ChannelName,
        window: Duration,
        part: &Part,
    ) -> impl Future<Output = Result<Snapshot, StoreError>> + Send;

    /// Answers a question about a channel's seats.
    fn seats(&self, channel: &ChannelName, question: SeatQuestion) -> impl Future<Output = Result<Vec<Seat>, StoreError>> + Send;

    /// Every entry that has a seat.
    fn seated(&self, channel: &ChannelName) -> impl Future<Output = Result<BTreeSet<EntryId>, StoreError>> + Send;

    /// The containers of the last full reading.
    fn containers(&self, channel: &ChannelName) -> impl Future<Output = Result<BTreeMap<EntryId, Dn>, StoreError>> + Send;

    /// Writes down where the cycle's channel stands and what changed of its seats; `None` forgets all of it, so that the
    /// next cycle reads everything.
    fn settle(&self, cycle: CycleId, settlement: Option<Settlement>) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Opens a cycle.
    fn begin(&self, start: &CycleStart) -> impl Future<Output = Result<CycleId, StoreError>> + Send;

    /// Writes down what is about to be sent. Nothing is sent before this returns.
    fn intend(&self, cycle: CycleId, intents: Vec<Intent>) -> impl Future<Output = Result<Vec<IntentId>, StoreError>> + Send;

    /// Writes down what was answered. Several callers' records may share one transaction.
    fn record(&self, cycle: CycleId, records: Vec<Record>) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Writes down which entries the scope groups of the cycle's channel are, in place of what was known.
    fn follow(
        &self,
        cycle: CycleId,
        scope_groups: &BTreeMap<DnKey, EntryId>,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Writes down what is known about the cycle's target, in place of what was.
    fn learn(&self, cycle: CycleId, knowledge: &Knowledge) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Closes a cycle.
    fn finish(&self, cycle: CycleId, summary: &CycleSummary) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// Why the store failed. Always ends the cycle: what cannot be recorded is not sent.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// Another process writes.
    #[error("{path} is in use by another ldap2scim (process {process})")]
    Locked {
        /// The lock file.
        path: String,
        /// Process id in the lock file, or `unknown`.
        process: String,
    },
    /// The file was written by a newer program.
    #[error("{path} has schema {found}, this program knows up to {known}: it was written by a newer ldap2scim")]
    Newer {
        /// The database.
        path: String,
        /// Its version.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// The file cannot be used as it is.
    #[error("{path}: {message}")]
    Unusable {
        /// The database or directory.
        path: String,
        /// What is wrong.
        message: String,
    },
    /// A read or write failed.
    #[error("the state database failed: {0}")]
    Failed(String),
}
