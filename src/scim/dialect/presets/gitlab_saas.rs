//! gitlab.com. Facts from the vendor's page on the internal SCIM API for groups.

use super::known::Preset;

pub(super) const PRESET: Preset = Preset {
    name: "gitlab-saas",
    knobs: &[
        // As on a self-managed instance.
        ("required", "userName, externalId, emails, name"),
        ("user_updates", "active, externalId"),
        ("groups", "no"),
        // Switching a user off removes its membership and its SCIM identity from the group.
        ("deactivate_is_delete", "yes"),
    ],
    after_first_load: None,
};
