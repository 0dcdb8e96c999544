//! Anything else that gives each entry an entryUUID (RFC 4530).

use super::facts::CONTAINERS;
use super::{Facts, listing, marks};
use crate::ldap::id::IdForm;
use crate::model::Vendor;

/// The facts.
pub const FACTS: Facts = Facts {
    vendor: Vendor::Generic,
    recognises: |_| true,
    id_attribute: "entryUUID",
    id_form: IdForm::Text,
    user_filter: "(objectClass=inetOrgPerson)",
    group_filter: concat!(
        "(|(objectClass=groupOfNames)(objectClass=groupOfUniqueNames)(objectClass=groupOfEntries)",
        "(objectClass=groupOfURLs)(objectClass=posixGroup))"
    ),
    member_attributes: &["member", "uniqueMember"],
    listing: &listing::POSIX,
    never_empty: &[],
    status_attributes: &[marks::LOCKED_TIME, marks::ACCOUNT_LOCK],
    status: |entry, now| marks::status(entry, &[marks::LOCKED_TIME, marks::ACCOUNT_LOCK], marks::Term::default(), now),
    container_filter: CONTAINERS,
    domain_scope: false,
};
