//! What the admin decided about one channel, as far as planning needs it.

use std::time::Duration;

use crate::mapping::Mapping;
use crate::model::{AttributeName, ChannelName, Dn, Selection, Vendor};

use super::GuardSettings;

/// What happens to a user's resource when the entry leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserRemoval {
    /// `active: false`; the link is kept so that a return finds it.
    Deactivate,
    /// The same, and deleted when this long has passed since.
    DeactivateThenDelete(Duration),
    /// The resource is deleted.
    Delete,
    /// The resource is left as it is; the link is forgotten.
    Keep,
}

/// What happens to a group's resource when the entry leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupRemoval {
    /// The resource is deleted.
    Delete,
    /// The members that we put there are removed; the resource and its link stay, so that a return finds it.
    Empty,
    /// The resource is left as it is; the link is forgotten.
    Keep,
}

/// Whose members of a group we remove.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Members {
    /// Those that we added, and those whose resources are linked to our entries; others are reported.
    #[default]
    Managed,
    /// Nobody's.
    AddOnly,
    /// Everybody's who is not a member in the directory.
    Exact,
}

/// Groups in scope that want one displayName.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SameName {
    /// The linked one keeps it; others are held.
    #[default]
    Hold,
    /// They feed one group of the target: its members are those of all of them.
    Merge,
}

/// A group that vanishes while another one with its name appears.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Recreated {
    /// The resource is linked to the new entry.
    #[default]
    Relink,
    /// Both are held.
    Hold,
}

/// What is done with a matching resource that is already there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// Linked and made to hold what the directory says.
    Overwrite,
    /// Linked as it is; later changes in the directory are sent.
    LinkOnly,
    /// Left alone; the entry is held.
    Never,
}

/// Nested groups at the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nesting {
    /// Members of nested groups become members.
    Flatten,
    /// Nested groups are sent as members.
    Keep,
}

/// Scope by membership.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupScope {
    /// Groups; a member of any is in. Empty: membership does not matter.
    pub group_dns: Vec<Dn>,
    /// Members of nested groups count.
    pub nested: bool,
}

/// Users of a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserRules {
    /// Base DNs and filter.
    pub selection: Selection,
    /// Group DNs.
    pub scope: GroupScope,
}

/// Groups of a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupRules {
    /// Base DNs and filter.
    pub selection: Selection,
    /// Group DNs: the groups nested in these.
    pub scope: GroupScope,
    /// The named groups themselves are provisioned too.
    pub include_self: bool,
    /// The attribute whose value becomes displayName; `dn` for the DN itself.
    pub name: AttributeName,
    /// Nested groups at the target.
    pub nesting: Nesting,
    /// Whose members are removed.
    pub members: Members,
    /// Groups of one name.
    pub same_name: SameName,
    /// Groups made anew.
    pub recreated: Recreated,
}

/// Mapping rules for each kind of directory, chosen when the directory is known.
#[derive(Debug, Clone)]
pub enum MappingChoice {
    /// The same for every vendor.
    Fixed(Box<Mapping>),
    /// By vendor.
    ByVendor {
        /// For Active Directory.
        active_directory: Box<Mapping>,
        /// For inetOrgPerson (RFC 2798): everything else.
        inetorgperson: Box<Mapping>,
    },
}

impl MappingChoice {
    /// The rules for a directory.
    pub fn of(&self, vendor: Vendor) -> &Mapping {
        match (self, vendor) {
            (Self::Fixed(mapping), _) => mapping,
            (Self::ByVendor { active_directory, .. }, Vendor::ActiveDirectory) => active_directory,
            (
                Self::ByVendor { inetorgperson, .. },
                Vendor::OpenLdap | Vendor::Ds389 | Vendor::PingDirectory | Vendor::Generic,
            ) => inetorgperson,
        }
    }
}

/// A channel's rules.
#[derive(Debug, Clone)]
pub struct Rules {
    /// This channel.
    pub channel: ChannelName,
    /// Every channel of the same target, in the file's order: the first that claims an entry owns its attributes.
    pub channels_of_target: Vec<ChannelName>,
    /// Users.
    pub users: UserRules,
    /// Groups; `None` provisions none.
    pub groups: Option<GroupRules>,
    /// Mapping of users.
    pub mapping: MappingChoice,
    /// Disabled accounts are created (switched off).
    pub provision_disabled: bool,
    /// Matching resources that are already there.
    pub existing: Existing,
    /// Users who leave.
    pub user_removal: UserRemoval,
    /// Groups that leave.
    pub group_removal: GroupRemoval,
    /// Groups that leave and were there before us: deleted too if `group_removal` says so, else emptied.
    pub delete_adopted_groups: bool,
    /// Guard.
    pub guard: GuardSettings,
}
