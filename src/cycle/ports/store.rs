//! What a cycle needs of that which survives a restart, what it writes down there, and how it fails.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::time::Duration;

use crate::model::{
    ChannelName, Dn, DnKey, EntryId, Knowledge, LinkedCounts, MemberName, Origin, Resource, ResourceId, ResourceType, Seat,
    Settlement, Snapshot, Standing, TargetName,
};
use crate::plan::{Change, Edit, Held, Tally};

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
