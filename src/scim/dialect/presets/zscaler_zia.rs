//! Zscaler Internet Access. Fact from the vendor's help on SCIM: five requests in a second.

use super::known::Preset;

pub(super) const PRESET: Preset = Preset {
    name: "zscaler-zia",
    knobs: &[
        // One less than the limit, which all clients of the tenant share.
        ("rate", "4/s"),
    ],
    after_first_load: None,
};
