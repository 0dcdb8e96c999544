//! One look at the directory: what is wanted of it, and how much of it came.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{AttributeName, Dn, EntryId};

/// Which entries of one kind are selected: below any base DN and matching the filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    /// Bases of the search, each with its whole subtree.
    pub base_dns: Vec<Dn>,
    /// An LDAP filter (RFC 4515); `None` means the vendor's default. Several are joined with `|` by whoever fills this.
    pub filter: Option<String>,
}

/// A group that decides scope.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ScopeGroup {
    /// Where the admin said it is.
    pub dn: Dn,
    /// Which entry it was when it was first read: it is followed through renames by this.
    pub id: Option<EntryId>,
}

/// What a reading is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Users; their attributes besides status and id.
    pub users: Selection,
    /// Attributes of users that mapping needs.
    pub user_attributes: Vec<AttributeName>,
    /// Groups that are provisioned; `None` if this channel provisions none.
    pub groups: Option<Selection>,
    /// Attributes of groups that mapping needs.
    pub group_attributes: Vec<AttributeName>,
    /// True if membership decides scope or groups are provisioned, so that the group graph must be read.
    pub membership: bool,
    /// Groups that decide scope, wherever they are; each must be found, readable and with its members.
    pub scope_groups: Vec<ScopeGroup>,
}

/// How much of what was wanted came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Coverage {
    /// Everything: what is absent is gone.
    Full,
    /// What was looked for, all of it: of anything else nothing is known, and nothing is concluded.
    Changes,
    /// Something is missing: nothing may be concluded from absence. Each cause is a sentence for the admin.
    Partial(Vec<String>),
}

impl Coverage {
    /// True if absence means gone.
    pub fn is_full(&self) -> bool {
        match self {
            Self::Full => true,
            Self::Changes | Self::Partial(_) => false,
        }
    }

    /// True if nothing that was asked for is missing.
    pub fn is_whole(&self) -> bool {
        match self {
            Self::Full | Self::Changes => true,
            Self::Partial(_) => false,
        }
    }
}

/// How far a directory was read: which server, and up to which change. Only the directory's room reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watermark(Arc<str>);

impl Watermark {
    /// Takes the text that tells it.
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A full reading, besides its entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// How much came.
    pub coverage: Coverage,
    /// Where the directory stood before the first entry was read; `None` where its changes are not tracked.
    pub watermark: Option<Watermark>,
    /// Entries that may stand above others, such as organisational units, where changes are tracked: one that is moved
    /// takes with it what is below, of which nothing is told.
    pub containers: BTreeMap<EntryId, Dn>,
}

impl Reading {
    /// A reading that leads to no other.
    pub fn untracked(coverage: Coverage) -> Self {
        Self { coverage, watermark: None, containers: BTreeMap::new() }
    }
}

/// What kind of entry was touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A user, by the vendor's filter or class.
    User,
    /// A group.
    Group,
    /// Anything that may have entries below it.
    Container,
    /// Not known: it is looked for as a user and as a group.
    Any,
}

/// An entry that was changed, made or moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Touched {
    /// Where it was then.
    pub dn: Dn,
    /// What it was.
    pub kind: Kind,
}

/// What changed after a watermark, as the directory tells it. It only says where to look: what is true of an entry is
/// what the look shows (see [`Looked`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delta {
    /// Entries that were changed, made or moved, whatever filter or base they match.
    pub touched: BTreeMap<EntryId, Touched>,
    /// Entries of which the directory says that they are gone.
    pub gone: BTreeSet<EntryId>,
    /// Every entry that is there, where that was told: one that is not among them and not touched is looked for.
    pub present: Option<BTreeSet<EntryId>>,
    /// Where the directory stood then.
    pub watermark: Watermark,
}

impl Delta {
    /// Adds what came later.
    pub fn merge(&mut self, later: Self) {
        self.present = match (self.present.take(), later.present) {
            (_, Some(present)) => Some(present),
            (Some(mut present), None) => {
                present.extend(later.touched.keys().cloned());
                Some(present)
            }
            (None, None) => None,
        };
        self.touched.extend(later.touched);
        self.gone.extend(later.gone);
        self.watermark = later.watermark;
    }
}

/// What became of the question for changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changes {
    /// They are these.
    Since(Delta),
    /// They cannot be told: only a full reading shows. One sentence says why.
    Lost(String),
}

/// An entry to look for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Who; `None`: whoever stands at the DN.
    pub id: Option<EntryId>,
    /// Where it was when it was last heard of. One that is not there any more is looked for by its id.
    pub dn: Option<Dn>,
    /// What it was.
    pub kind: Kind,
}

/// A look at some entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Looked {
    /// `Changes`, or `Partial` where not everything could be looked at.
    pub coverage: Coverage,
    /// Entries that were looked for by id and are certainly not there: not selected by the admin's bases and filters, and,
    /// for groups, no group at all. Every search that could have shown them ran to its end.
    pub absent: BTreeSet<EntryId>,
}
