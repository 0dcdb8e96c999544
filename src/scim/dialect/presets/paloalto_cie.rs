//! Palo Alto Networks Cloud Identity Engine, SCIM Connector. Facts from the vendor's page "Configure SCIM
//! Connector for the Cloud Identity Engine", its PingFederate instructions, and the attribute table of
//! Microsoft's gallery tutorial for the same connector.

use super::known::Preset;

pub(super) const PRESET: Preset = Preset {
    name: "paloalto-cie",
    knobs: &[
        // Only userName and a group's displayName are marked as filterable, so the generic match keys stand,
        // and externalId is no key. These six are those that the vendor's table marks as required.
        ("required", "userName, active, displayName, name.givenName, name.familyName, name.formatted"),
        // The vendor's page: "userType" is not supported.
        ("never", "userType"),
        // The table of group attributes is displayName and members; there is no externalId in it.
        ("group_external_id", "no"),
        // The attribute table types the enterprise extension's manager as String, not as a complex attribute.
        ("manager", "text"),
        // No limit is published; the vendor advises at most 5 threads for PingFederate's initial load.
        ("workers", "5"),
    ],
    after_first_load: Some(
        "In the Cloud Identity Engine open the directory, run Full Sync, and wait until it shows a SCIM Change Timestamp: \
         the directory is not in use before.",
    ),
};
