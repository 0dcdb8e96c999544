//! Atlassian Cloud, user provisioning. Facts from the vendor's REST reference of the user provisioning API and from
//! its article on filtering users.

use super::known::Preset;

pub(super) const PRESET: Preset = Preset {
    name: "atlassian",
    knobs: &[
        // The article: users can be filtered by both, one at a time.
        ("match_users", "externalId, userName"),
        // DELETE switches the account off and drops its SCIM record: it cannot be reached until it is created again.
        ("user_delete", "no"),
        // A group's name could not be changed through SCIM when this was last looked at.
        ("group_immutable", "displayName"),
    ],
    after_first_load: None,
};
