//! AWS IAM Identity Center. Facts from the vendor's developer guide for its SCIM endpoint: the pages of CreateUser,
//! PatchUser, ListUsers, CreateGroup, PatchGroup, GetGroup, ListGroups and the page of limitations.

use super::known::Preset;

pub(super) const PRESET: Preset = Preset {
    name: "aws-iam-identity-center",
    knobs: &[
        // ListUsers and ListGroups: filters on externalId and on the name. A create whose externalId is taken is refused as
        // a duplicate whatever its name, so both are asked for.
        ("match_users", "externalId, userName"),
        ("match_groups", "externalId, displayName"),
        // CreateUser: these four are required.
        ("required", "userName, displayName, name.givenName, name.familyName"),
        // The limitations' page: not supported, and a request with one of them is refused.
        ("never", "ims, photos, x509Certificates, entitlements"),
        // The same page: of each of these one value may be given.
        ("single", "emails, addresses, phoneNumbers, roles"),
        // GetGroup and ListGroups answer with an empty list of members whoever is in; ListUsers can be filtered by
        // groups.value instead.
        ("members_read", "users_by_group"),
        // PatchGroup refuses to replace or remove all members. Other clients are known to work with one `remove` that
        // holds the members as its value; whether the form with a filter in the path works is nowhere said.
        ("member_remove", "value_array"),
        // ListUsers and ListGroups: startIndex is not supported; without a cursor there is nothing past the first page.
        ("pagination", "cursor"),
        // At most 100 in a page. Stated although it is the default: ServiceProviderConfig still announces 50.
        ("page_size", "100"),
        // ListGroups: attributes and excludedAttributes are not supported.
        ("excluded_attributes", "no"),
        // Accounts and permission sets are assigned to groups; a deleted group takes its assignments along.
        ("group_removal", "empty"),
        // No figure is published; the most used open client for this target sends five at a time.
        ("workers", "5"),
    ],
    after_first_load: None,
};
