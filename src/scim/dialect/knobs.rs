//! How things are said: every deviation from the RFC that we can follow, each with the RFC's way as its default.

use std::time::Duration;

use super::word::{Word, words};
use crate::model::{AttributePath, ResourceType};

/// How things are said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Knobs {
    /// Media type of what we send.
    pub content_type: ContentType,
    /// Headers that every request carries besides ours.
    pub headers: Vec<(String, String)>,
    /// Where the target announces what it can.
    pub discovery: Discovery,
    /// How users are changed.
    pub user_update: UpdateBy,
    /// How groups are changed.
    pub group_update: UpdateBy,
    /// Whether a PATCH operation has a path.
    pub patch_form: PatchForm,
    /// Where the rest of a PUT comes from.
    pub put_mode: PutMode,
    /// Letters of `op`.
    pub op_case: OpCase,
    /// Form of booleans.
    pub booleans: Booleans,
    /// How members leave a group.
    pub member_remove: MemberRemove,
    /// Members carry their `type`.
    pub member_type: bool,
    /// How a value is taken away.
    pub unset: Unset,
    /// Form of the manager.
    pub manager: ManagerForm,
    /// Whether look-ups filter.
    pub filter: FilterUse,
    /// Attributes of users that cannot be filtered by, whatever `filter` says.
    pub unfilterable_users: Vec<AttributePath>,
    /// Attributes of groups that cannot be filtered by.
    pub unfilterable_groups: Vec<AttributePath>,
    /// Resources up to which a list stands in for a filter that does not work; 0: lists are not believed.
    pub scan_limit: usize,
    /// How lists are cut.
    pub pagination: Pagination,
    /// Groups are asked for without their members (RFC 7644 §3.9).
    pub excluded_attributes: bool,
    /// Writes carry `If-Match` with the version just read (RFC 7644 §3.14).
    pub etag: bool,
    /// How long a new resource may take to show in look-ups.
    pub settle: Duration,
    /// Changes travel in bulk (RFC 7644 §3.7).
    pub bulk: bool,
    /// Octets that a bulk request may have at most.
    pub bulk_payload: usize,
    /// Octets that any other body may have at most.
    pub longest_body: Option<usize>,
}

impl Knobs {
    /// How resources of a type are changed.
    pub fn update(&self, resource_type: ResourceType) -> UpdateBy {
        match resource_type {
            ResourceType::User => self.user_update,
            ResourceType::Group => self.group_update,
        }
    }

    /// What cannot be filtered by.
    pub fn unfilterable(&self, resource_type: ResourceType) -> &[AttributePath] {
        match resource_type {
            ResourceType::User => &self.unfilterable_users,
            ResourceType::Group => &self.unfilterable_groups,
        }
    }
}

impl Default for Knobs {
    fn default() -> Self {
        Self {
            content_type: ContentType::default(),
            headers: Vec::new(),
            discovery: Discovery::default(),
            user_update: UpdateBy::default(),
            group_update: UpdateBy::default(),
            patch_form: PatchForm::default(),
            put_mode: PutMode::default(),
            op_case: OpCase::default(),
            booleans: Booleans::default(),
            member_remove: MemberRemove::default(),
            member_type: false,
            unset: Unset::default(),
            manager: ManagerForm::default(),
            filter: FilterUse::default(),
            unfilterable_users: Vec::new(),
            unfilterable_groups: Vec::new(),
            scan_limit: 10_000,
            pagination: Pagination::default(),
            excluded_attributes: true,
            etag: false,
            settle: Duration::from_secs(2),
            bulk: false,
            // RFC 7643 §8.5 announces 1048576 in its example; most that have bulk follow it.
            bulk_payload: 1_048_576,
            longest_body: None,
        }
    }
}

words! {
    /// Media type of what we send.
    ContentType {
        /// `application/scim+json` (RFC 7644 §8.1).
        ScimJson = "scim_json",
        /// `application/json`: Slack's SCIM reference uses it in every sample.
        Json = "json",
    }
}

words! {
    /// How a resource is changed.
    UpdateBy {
        /// RFC 7644 §3.5.2: what differs, and nothing else.
        Patch = "patch",
        /// RFC 7644 §3.5.1: the whole resource. vCenter has no PATCH; Okta's connectors send PUT for profiles.
        Put = "put",
    }
}

words! {
    /// Whether a PATCH operation has a path.
    PatchForm {
        /// Each attribute by its own path.
        Path = "path",
        /// One `replace` without a path whose value holds the attributes: Okta, and AWS in its own sample.
        Pathless = "pathless",
    }
}

words! {
    /// Where the rest of a PUT comes from.
    PutMode {
        /// The resource is read first, and what we manage is laid over it, so that nothing of others is lost.
        Read = "read",
        /// Only what we manage is sent: for providers that merge (New Relic), or refuse what they answered themselves.
        Full = "full",
    }
}

words! {
    /// Letters of `op`.
    OpCase {
        /// `replace` (RFC 7644 §3.5.2; case-insensitive there, lower case in every sample).
        Lower = "lower",
        /// `Replace`: what Entra ID sends without its `aadOptscim062020` flag, so some providers know nothing else.
        Title = "title",
    }
}

words! {
    /// Form of booleans.
    Booleans {
        /// `false` (RFC 7643 §2.3.2).
        Json = "json",
        /// `"False"`: what Entra ID sends without its `aadOptscim062020` flag. Elsewhere dangerous: providers
        /// were seen to answer 200 to it and leave the user active.
        Text = "text",
    }
}

words! {
    /// How members leave a group.
    MemberRemove {
        /// One operation for each: `members[value eq "id"]` (RFC 7644 §3.5.2.2). Okta sends it.
        PathFilter = "path_filter",
        /// One operation for all: path `members`, the members as its value. Not in the RFC; Entra ID's default,
        /// and all that some providers parse. Sentry honours only the first element of it.
        ValueArray = "value_array",
        /// All who stay, as one `replace` of `members`: Okta's full push, Slack. AWS refuses it.
        ReplaceAll = "replace_all",
    }
}

words! {
    /// How a value is taken away.
    Unset {
        /// `remove` (RFC 7644 §3.5.2.2).
        Remove = "remove",
        /// `replace` with an empty string: providers were seen that refuse `remove` on users.
        Empty = "empty",
        /// `replace` with null (RFC 7643 §2.5 takes it for unassigned; strict providers refuse it).
        Null = "null",
        /// Not at all: the value stays there.
        Skip = "skip",
    }
}

words! {
    /// Form of the manager in the enterprise extension.
    ManagerForm {
        /// `{"value": "id"}` (RFC 7643 §4.3).
        Object = "object",
        /// `"id"`: Entra ID's attribute table types `manager` as String, and its PATCH sample shows a plain id.
        Text = "text",
        /// `{"managerId": "id"}`: Slack.
        ManagerId = "manager_id",
        /// Never sent.
        Off = "off",
    }
}

words! {
    /// Whether look-ups filter.
    FilterUse {
        /// `attribute eq "value"` (RFC 7644 §3.4.2.2). A provider that ignores or refuses it is noticed, and scanned.
        Equals = "eq",
        /// Never: resources are listed and compared on our side. For providers without any filter (several have none
        /// for groups).
        Scan = "scan",
        /// The same filter, asked by `POST /.search` (RFC 7644 §3.4.3), which keeps names out of addresses and their logs.
        Search = "search",
    }
}

words! {
    /// How lists are cut.
    Pagination {
        /// By index, and by cursor where the answer has one.
        Auto = "auto",
        /// `startIndex` and `count` (RFC 7644 §3.4.2.4).
        Index = "index",
        /// `cursor` and `count` (RFC 9865). AWS has no other way past the first page.
        Cursor = "cursor",
        /// One answer holds everything: Google's Cloud Identity SCIM has no pages.
        None = "none",
    }
}

/// Where the target announces what it can (RFC 7644 §4).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Discovery {
    /// `/ServiceProviderConfig`, where it is.
    #[default]
    Auto,
    /// Nowhere.
    Off,
    /// At this path: Salesforce has `/ServiceProviderConfigs`.
    At(String),
}
