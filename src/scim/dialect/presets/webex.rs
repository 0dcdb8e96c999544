//! Webex. Fact from the vendor's reference of its groups' API.

use super::known::Preset;

pub(super) const PRESET: Preset = Preset {
    name: "webex",
    knobs: &[
        // A member is refused without its type.
        ("member_type", "yes"),
    ],
    after_first_load: None,
};
