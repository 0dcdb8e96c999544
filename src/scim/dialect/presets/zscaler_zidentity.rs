//! Zscaler ZIdentity. Fact from the vendor's help on SCIM: fifty requests in a second.

use super::known::Preset;

pub(super) const PRESET: Preset = Preset {
    name: "zscaler-zidentity",
    knobs: &[
        // Below the limit, which all clients of the tenant share.
        ("rate", "40/s"),
        // As many as it takes to reach that rate if an answer takes 200 milliseconds.
        ("workers", "8"),
    ],
    after_first_load: None,
};
