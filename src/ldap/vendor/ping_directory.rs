//! PingDirectory, and UnboundID and Nokia servers of the same code.

use super::facts::CONTAINERS;
use super::{Facts, listing, marks};
use crate::ldap::id::IdForm;
use crate::model::Vendor;

/// `ds-pwp-account-disabled`: an administrator switched the account off.
const ACCOUNT_DISABLED: &str = "ds-pwp-account-disabled";

/// The facts.
pub const FACTS: Facts = Facts {
    vendor: Vendor::PingDirectory,
    recognises: |root| ["Ping Identity", "UnboundID"].iter().any(|name| root.vendor_name.starts_with(name)),
    id_attribute: "entryUUID",
    id_form: IdForm::Text,
    user_filter: "(objectClass=person)",
    group_filter: concat!(
        "(|(objectClass=groupOfNames)(objectClass=groupOfUniqueNames)(objectClass=groupOfEntries)",
        "(objectClass=groupOfURLs)(objectClass=posixGroup))"
    ),
    member_attributes: &["member", "uniqueMember"],
    listing: &listing::POSIX,
    never_empty: &[],
    status_attributes: &[ACCOUNT_DISABLED, marks::LOCKED_TIME, marks::ACCOUNT_LOCK],
    status: |entry| marks::status(entry, &[ACCOUNT_DISABLED, marks::LOCKED_TIME, marks::ACCOUNT_LOCK]),
    container_filter: CONTAINERS,
    domain_scope: false,
};
