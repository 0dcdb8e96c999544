//! What the admin decided about one channel, as far as planning needs it.

use crate::mapping::Mapping;
use crate::model::{AttributeName, ChannelName, Dn, Selection, Vendor};

use super::GuardSettings;

/// What happens to a user's resource when the entry leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserRemoval {
    /// `active: false`; the link is kept so that a return finds it.
    Deactivate,
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
    /// The resource is left as it is; the link is forgotten.
    Keep,
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
    /// Guard.
    pub guard: GuardSettings,
}
