//! Every deviation from the RFC that we can follow, each with the RFC's way as its default.

use crate::model::Capabilities;
use crate::scim::Rate;

/// A provider's way of speaking.
#[derive(Debug, Clone, PartialEq)]
pub struct Dialect {
    /// Name of the preset it came from.
    pub name: &'static str,
    /// What it can do, as far as it changes what is planned.
    pub capabilities: Capabilities,
    /// How it wants things said.
    pub knobs: Knobs,
    /// Requests a second, unless the configuration says otherwise.
    pub rate: Rate,
    /// Concurrent senders, unless the configuration says otherwise.
    pub workers: usize,
}

/// How things are said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Knobs {
    /// Media type of what we send.
    pub content_type: ContentType,
    /// Letters of `op`.
    pub op_case: OpCase,
    /// Form of booleans.
    pub booleans: Booleans,
    /// How members leave a group.
    pub member_remove: MemberRemove,
    /// How a value is taken away.
    pub unset: Unset,
    /// Form of the manager.
    pub manager: ManagerForm,
    /// Whether look-ups filter.
    pub filter: FilterUse,
}

/// Media type of what we send.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ContentType {
    /// `application/scim+json` (RFC 7644 §8.1).
    #[default]
    ScimJson,
    /// `application/json`: Slack's SCIM reference uses it in every sample.
    Json,
}

/// Letters of `op`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OpCase {
    /// `replace` (RFC 7644 §3.5.2; case-insensitive there, lower case in every sample).
    #[default]
    Lower,
    /// `Replace`: what Entra ID sends without its `aadOptscim062020` flag, so some providers know nothing else.
    Title,
}

/// Form of booleans.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Booleans {
    /// `false` (RFC 7643 §2.3.2).
    #[default]
    Json,
    /// `"False"`: what Entra ID sends without its `aadOptscim062020` flag. Elsewhere dangerous: providers
    /// were seen to answer 200 to it and leave the user active.
    Text,
}

/// How members leave a group.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum MemberRemove {
    /// One operation for each: `members[value eq "id"]` (RFC 7644 §3.5.2.2). Okta sends it.
    #[default]
    PathFilter,
    /// One operation for all: path `members`, the members as its value. Not in the RFC; Entra ID's default,
    /// and all that some providers parse. Sentry honours only the first element of it.
    ValueArray,
}

/// How a value is taken away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Unset {
    /// `remove` (RFC 7644 §3.5.2.2).
    #[default]
    Remove,
    /// `replace` with an empty string: providers were seen that refuse `remove` on users.
    Empty,
}

/// Form of the manager in the enterprise extension.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ManagerForm {
    /// `{"value": "id"}` (RFC 7643 §4.3).
    #[default]
    Object,
    /// `"id"`: Entra ID's attribute table types `manager` as String, and its PATCH sample shows a plain id.
    Text,
}

/// Whether look-ups filter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum FilterUse {
    /// `attribute eq "value"` (RFC 7644 §3.4.2.2). A provider that ignores or refuses it is noticed, and scanned.
    #[default]
    Equals,
    /// Never: resources are listed and compared on our side. For providers without any filter (several have none
    /// for groups).
    Scan,
}
