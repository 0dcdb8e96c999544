//! What a target can do, as far as it changes what we decide. How we say it stays in `scim/`.

use super::AttributePath;

/// Attributes by which an existing resource is looked for, in order. Each must be filterable there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MatchKeys {
    /// Of users.
    pub users: Vec<AttributePath>,
    /// Of groups.
    pub groups: Vec<AttributePath>,
}

/// What decides how a plan for this target looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    /// Matching.
    pub match_keys: MatchKeys,
    /// Attributes without which the target refuses a user.
    pub required: Vec<AttributePath>,
    /// Attributes that are never sent, whatever is mapped.
    pub never: Vec<AttributePath>,
    /// Memberships added or removed by one request at most.
    pub members_per_request: usize,
    /// True if a group carries our entry id as `externalId`.
    pub group_external_id: bool,
    /// True if reading a group returns its members.
    pub members_readable: bool,
    /// Resources in a page of a list.
    pub page_size: usize,
    /// What an admin does at the other side after the first load.
    pub after_first_load: Option<&'static str>,
}
