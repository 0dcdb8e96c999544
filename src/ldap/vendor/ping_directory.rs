//! PingDirectory, and UnboundID and Nokia servers of the same code.

use super::facts::CONTAINERS;
use super::{Facts, listing, marks};
use crate::ldap::id::IdForm;
use crate::model::Vendor;

/// `ds-pwp-account-disabled`: an administrator switched the account off.
const ACCOUNT_DISABLED: &str = "ds-pwp-account-disabled";

/// From when on, and until when, the account may be used (PingDirectory Security Guide, "Externally modifiable user
/// attributes").
const TERM: marks::Term =
    marks::Term { from: Some("ds-pwp-account-activation-time"), until: Some("ds-pwp-account-expiration-time") };

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
    status_attributes: &[
        ACCOUNT_DISABLED,
        marks::LOCKED_TIME,
        marks::ACCOUNT_LOCK,
        "ds-pwp-account-activation-time",
        "ds-pwp-account-expiration-time",
    ],
    status: |entry, now| marks::status(entry, &[ACCOUNT_DISABLED, marks::LOCKED_TIME, marks::ACCOUNT_LOCK], TERM, now),
    container_filter: CONTAINERS,
    domain_scope: false,
};
