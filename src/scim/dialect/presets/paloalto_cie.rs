//! Palo Alto Networks Cloud Identity Engine, SCIM Connector. Facts from the vendor's page "Configure SCIM
//! Connector for the Cloud Identity Engine", its PingFederate instructions, and the attribute table of
//! Microsoft's gallery tutorial for the same connector.

use super::super::{Dialect, ManagerForm};
use super::generic;
use crate::model::AttributePath;

pub(super) const NAME: &str = "paloalto-cie";

pub(super) fn dialect() -> Dialect {
    let mut dialect = generic::dialect();
    dialect.name = NAME;
    // Only userName and a group's displayName are marked as filterable, so the generic match keys stand,
    // and externalId is no key. The six attributes are those the vendor's table marks as required.
    dialect.capabilities.required = ["userName", "active", "displayName", "name.givenName", "name.familyName", "name.formatted"]
        .map(AttributePath::known)
        .to_vec();
    // The vendor's page: "userType" is not supported.
    dialect.capabilities.never = vec![AttributePath::known("userType")];
    // The table of group attributes is displayName and members; there is no externalId in it.
    dialect.capabilities.group_external_id = false;
    dialect.capabilities.after_first_load = Some(
        "In the Cloud Identity Engine open the directory, run Full Sync, and wait until it shows a SCIM Change Timestamp: \
         the directory is not in use before.",
    );
    // The attribute table types the enterprise extension's manager as String, not as a complex attribute.
    dialect.knobs.manager = ManagerForm::Text;
    // No limit is published; the vendor advises at most 5 threads for PingFederate's initial load.
    dialect.workers = 5;
    dialect
}
