//! Any provider that was made for Okta, and parses what that sends: see its vendor's SCIM 2.0 protocol reference.

use super::known::Preset;

pub(super) const PRESET: Preset = Preset {
    name: "okta-style",
    knobs: &[
        // Profiles are read and sent whole; PATCH is for `active` and for groups, without a path.
        ("user_update", "put"),
        ("patch_form", "pathless"),
    ],
    after_first_load: None,
};
