//! What a target can do, as far as it changes what we decide. How we say it stays in `scim/`.

use super::{AttributePath, ResourceType};

/// Attributes by which an existing resource is looked for, in order. Each must be filterable there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MatchKeys {
    /// Of users.
    pub users: Vec<AttributePath>,
    /// Of groups.
    pub groups: Vec<AttributePath>,
}

/// Which attributes of a resource that exists can be changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Updates {
    /// Nothing but these; empty: everything.
    pub only: Vec<AttributePath>,
    /// Not these, whatever `only` says.
    pub never: Vec<AttributePath>,
}

/// How the members of a group can be read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum MembersRead {
    /// From the group itself.
    #[default]
    Group,
    /// By a list of users filtered by `groups.value`.
    UsersByGroup,
    /// Not at all.
    None,
}

/// What decides how a plan for this target looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    /// Matching.
    pub match_keys: MatchKeys,
    /// Attributes without which the target refuses a user.
    pub required: Vec<AttributePath>,
    /// Attributes of users that are sent at all; empty: everything that is mapped.
    pub only: Vec<AttributePath>,
    /// Attributes that are never sent, whatever is mapped.
    pub never: Vec<AttributePath>,
    /// Multi-valued attributes (`emails`) that hold one value: the first element that is mapped, `work` before others.
    pub single: Vec<AttributePath>,
    /// Characters that a value may have at most.
    pub longest: Vec<(AttributePath, usize)>,
    /// What of a linked user can be changed.
    pub user_updates: Updates,
    /// What of a linked group can be changed.
    pub group_updates: Updates,
    /// Memberships added or removed by one request at most.
    pub members_per_request: usize,
    /// A group is created with its first members.
    pub create_with_members: bool,
    /// Members that a group may have at most.
    pub most_members: Option<usize>,
    /// How members are read.
    pub members_read: MembersRead,
    /// True if a group carries our entry id as `externalId`.
    pub group_external_id: bool,
    /// Switching a user off removes the account there: the link is dropped then, a return creates a new one, and users
    /// who are disabled are not created.
    pub deactivate_is_delete: bool,
    /// Deleting a user only switches it off there: the link stays, and a return switches the user on again.
    pub delete_is_deactivate: bool,
    /// Members who move are removed from the old group before they are added to the new one (seats are scarce), instead
    /// of after it (nobody is without both).
    pub removes_first: bool,
    /// Resources are changed by sending all that we manage of them, so what was acknowledged goes along with a change.
    pub whole_updates: bool,
    /// Lists of everything are believed. Where they are not, nothing is concluded from who is missing in one.
    pub lists: bool,
    /// Resources in a page of a list.
    pub page_size: usize,
    /// Changes that travel in one request (RFC 7644 §3.7); 1 where there is no bulk.
    pub changes_per_request: usize,
    /// What an admin does at the other side after the first load.
    pub after_first_load: Option<&'static str>,
}

/// A provider that keeps to RFC 7643 and 7644.
impl Default for Capabilities {
    fn default() -> Self {
        Self {
            match_keys: MatchKeys { users: vec![ResourceType::User.name_path()], groups: vec![ResourceType::Group.name_path()] },
            // RFC 7643 §4.1.1: the one attribute of a user that is REQUIRED.
            required: vec![ResourceType::User.name_path()],
            only: Vec::new(),
            never: Vec::new(),
            single: Vec::new(),
            longest: Vec::new(),
            user_updates: Updates::default(),
            group_updates: Updates::default(),
            // The lowest cap that was seen among providers; above it one answers 400, another 413.
            members_per_request: 100,
            create_with_members: false,
            most_members: None,
            members_read: MembersRead::Group,
            group_external_id: true,
            deactivate_is_delete: false,
            delete_is_deactivate: false,
            removes_first: false,
            whole_updates: false,
            lists: true,
            // What every provider seen gives without cutting.
            page_size: 100,
            changes_per_request: 1,
            after_first_load: None,
        }
    }
}

impl Capabilities {
    /// What of a linked resource can be changed.
    pub fn updates(&self, resource_type: ResourceType) -> &Updates {
        match resource_type {
            ResourceType::User => &self.user_updates,
            ResourceType::Group => &self.group_updates,
        }
    }
}
