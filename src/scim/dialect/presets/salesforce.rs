//! Salesforce. Facts from the vendor's pages on SCIM.

use super::known::Preset;

pub(super) const PRESET: Preset = Preset {
    name: "salesforce",
    knobs: &[
        // In the plural there.
        ("discovery", "/ServiceProviderConfigs"),
        // Users are never deleted, only deactivated.
        ("delete_is_deactivate", "yes"),
    ],
    after_first_load: None,
};
