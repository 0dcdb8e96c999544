//! Snowflake. Facts from the vendor's SCIM reference and its note on behaviour change bundle 2026_03.

use super::known::Preset;

pub(super) const PRESET: Preset = Preset {
    name: "snowflake",
    knobs: &[
        // Before bundle 2026_03 any list without a filter was answered with one user that does not exist: lists are
        // not believed.
        ("scan_limit", "0"),
        // A group is a role: with the role go the privileges that were granted to it.
        ("group_removal", "empty"),
    ],
    after_first_load: None,
};
