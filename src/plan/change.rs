//! The plan as a value: changes in order, what is held, and the guard's verdict.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{AttributePath, EntryId, Resource, ResourceId, ResourceType, Value};

use super::budget::Verdict;

/// One attribute's difference, or that of a group's members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    /// A value at a path. `after: None` removes it.
    Attribute {
        /// Where.
        path: AttributePath,
        /// What the target acknowledged; `None` if nothing, or not known.
        before: Option<Value>,
        /// What it should be.
        after: Option<Value>,
    },
    /// Members by entry.
    Members {
        /// To add.
        add: BTreeSet<EntryId>,
        /// To remove.
        remove: BTreeSet<EntryId>,
    },
    /// Members that are nobody of ours are removed.
    Foreign {
        /// To remove.
        remove: BTreeSet<ResourceId>,
    },
}

/// What is done for one entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// A new resource. A group is created without its members; they follow as edits of their own.
    Create(Resource),
    /// A resource that was there is linked, and edited where it differs.
    Adopt {
        /// The resource.
        resource_id: ResourceId,
        /// What it was found to hold of what we manage.
        found: Resource,
        /// What is changed about it.
        edits: Vec<Edit>,
    },
    /// The link of an entry that is gone becomes this entry's, and the resource is edited where it differs.
    Relink {
        /// The resource.
        resource_id: ResourceId,
        /// The entry that it was linked to.
        from: EntryId,
        /// What is changed about it.
        edits: Vec<Edit>,
    },
    /// A linked resource is edited.
    Update {
        /// The resource.
        resource_id: ResourceId,
        /// What is changed about it; never empty.
        edits: Vec<Edit>,
    },
    /// A linked resource is deleted.
    Delete {
        /// The resource.
        resource_id: ResourceId,
    },
    /// The channel takes a share in a link that another channel made. Nothing is sent.
    Claim {
        /// The resource.
        resource_id: ResourceId,
    },
    /// The channel gives its claim up; the link stays for a return or for another channel. Nothing is sent.
    Release,
    /// The link is dropped, the resource stays as it is. Nothing is sent.
    Forget,
}

impl Action {
    /// The word for programs: in JSON and in the store's history.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Create(_) => "create",
            Self::Adopt { .. } => "adopt",
            Self::Relink { .. } => "relink",
            Self::Update { .. } => "update",
            Self::Delete { .. } => "delete",
            Self::Claim { .. } => "claim",
            Self::Release => "release",
            Self::Forget => "forget",
        }
    }
}

/// Why. A reason explains; nothing is decided on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// In scope and not known at the target.
    NotThere,
    /// In scope, and the target has a resource with the same value at this path.
    Matched(AttributePath),
    /// The directory's values differ from the acknowledged ones.
    AttributesDiffer,
    /// Members came or went.
    MembersDiffer,
    /// The directory disabled the account.
    Disabled,
    /// The account is back in scope or enabled again.
    Returned,
    /// The entry was not found in a complete reading.
    Absent,
    /// The entry left the scope; the clause that says so.
    OutOfScope(String),
    /// The answer to an earlier request was lost, so it is sent again.
    AnswerLost,
    /// The target no longer holds what it acknowledged.
    Drifted,
    /// A reference that could not travel earlier.
    ReferenceLate,
    /// Another channel made the link.
    SharedLink,
    /// Another channel still claims the entry.
    StillClaimed,
    /// The entry that had the resource is gone, and this one has its name.
    Recreated(EntryId),
    /// Names are exchanged in a ring: this resource gives its name up first.
    Parked,
    /// Deactivated this long ago, and to be deleted now.
    GraceOver,
}

/// What happens to the channel's claim when the change is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClaimAfter {
    /// The channel claims the entry.
    Held,
    /// The channel's claim ends: a removal.
    Ended,
}

/// What a change takes away, as the guard counts it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// A user removed who was absent or out of scope.
    pub users_absent: u64,
    /// A user switched off because the directory disabled the account.
    pub users_disabled: u64,
    /// A group removed.
    pub groups: u64,
    /// Memberships removed.
    pub memberships: u64,
    /// Names changed.
    pub identity: u64,
}

impl Tally {
    /// True if nothing is taken away.
    pub fn is_zero(&self) -> bool {
        *self == Self::default()
    }
}

/// One planned step for one entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The entry.
    pub entry_id: EntryId,
    /// User or group.
    pub resource_type: ResourceType,
    /// Its name for people: userName or displayName, else the DN.
    pub name: String,
    /// What is done.
    pub action: Action,
    /// Why.
    pub reason: Reason,
    /// What becomes of the claim.
    pub claim: ClaimAfter,
    /// What it takes away.
    pub tally: Tally,
}

impl Change {
    /// True if every member is taken from a group that leaves, and the group stays.
    pub fn empties_a_group(&self) -> bool {
        let update = matches!(self.action, Action::Update { .. });
        update && self.resource_type == ResourceType::Group && self.claim == ClaimAfter::Ended
    }
}

/// An entry left alone until someone looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The entry.
    pub entry_id: EntryId,
    /// User or group.
    pub resource_type: ResourceType,
    /// Its name for people.
    pub name: String,
    /// Why, as a sentence without attribute values.
    pub why: String,
}

/// When changes of a plan go out. Stages run one after the other, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Users switched off; members removed who gain nothing elsewhere.
    Revoke,
    /// Users created, adopted, edited; each after its manager.
    Users,
    /// References that could not travel in a create.
    References,
    /// Groups created, adopted, edited.
    Groups,
    /// Members added.
    Members,
    /// Members removed who were moved.
    Moves,
    /// Groups deleted.
    DeleteGroups,
    /// Users deleted.
    DeleteUsers,
    /// Claims taken or given up; nothing is sent.
    Claims,
}

/// A change with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// Stage.
    pub stage: Stage,
    /// Numbers of changes of the same stage that must be done first, whatever comes of them.
    pub after: Vec<usize>,
    /// The change.
    pub change: Change,
}

/// How many of each kind a plan holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Resources created.
    pub create: u64,
    /// Resources adopted.
    pub adopt: u64,
    /// Links handed on to another entry.
    pub relink: u64,
    /// Resources edited.
    pub update: u64,
    /// Resources deleted.
    pub delete: u64,
    /// Links forgotten or claims given up.
    pub forget: u64,
    /// Users switched off (also counted under update).
    pub deactivate: u64,
    /// Entries held.
    pub held: u64,
    /// Entries of the reading that are in scope: users.
    pub users: u64,
    /// Entries of the reading that are in scope: groups.
    pub groups: u64,
    /// Members of groups left out because they are not users in scope.
    pub members_left_out: u64,
    /// Members found at the target that we did not put there.
    pub members_foreign: u64,
    /// References to entries that are not linked.
    pub references_open: u64,
}

/// Everything that one cycle means to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Changes, ordered by stage; `after` holds indices into this list.
    pub changes: Vec<Planned>,
    /// Entries left alone.
    pub held: Vec<Held>,
    /// What the guard says; changes it stopped are in its `stopped`, not in `changes`.
    pub verdict: Verdict,
    /// Users whose removal is in `changes`: memberships they lose count as them.
    pub removed_users: BTreeSet<EntryId>,
    /// Counts.
    pub counts: Counts,
    /// Names for people of entries that changes refer to (members, managers).
    pub names: BTreeMap<EntryId, String>,
    /// Sentences for the admin about this plan.
    pub notes: Vec<String>,
}
