//! New Relic. Facts from the vendor's tutorial on its SCIM API.

use super::known::Preset;

pub(super) const PRESET: Preset = Preset {
    name: "new-relic",
    knobs: &[
        // A user has one e-mail address, which is its userName.
        ("single", "emails"),
        // PUT merges, so there is nothing to read first where it is used.
        ("put_mode", "full"),
    ],
    after_first_load: None,
};
