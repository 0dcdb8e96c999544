//! One look at the directory: what is wanted of it, and how much of it came.

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
    /// Something is missing: nothing may be concluded from absence. Each cause is a sentence for the admin.
    Partial(Vec<String>),
}

impl Coverage {
    /// True if absence means gone.
    pub fn is_full(&self) -> bool {
        match self {
            Self::Full => true,
            Self::Partial(_) => false,
        }
    }
}
