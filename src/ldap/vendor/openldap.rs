//! OpenLDAP slapd.

use super::facts::CONTAINERS;
use super::{Facts, listing, marks};
use crate::ldap::id::IdForm;
use crate::model::Vendor;

/// The time in which authentication is let pass; a start that is not before the end disables the account
/// (slapo-ppolicy(5), pwdStartTime and pwdEndTime).
const TERM: marks::Term = marks::Term { from: Some("pwdStartTime"), until: Some("pwdEndTime") };

/// The facts. `inetOrgPerson` leaves out accounts of services, which are commonly `person` or `account`.
/// Its schema has `member` and `uniqueMember` as MUST (RFC 4519 §3.5, §3.6), and slapd holds to it.
pub const FACTS: Facts = Facts {
    vendor: Vendor::OpenLdap,
    recognises: |root| root.object_classes.iter().any(|class| class.eq_ignore_ascii_case("OpenLDAProotDSE")),
    id_attribute: "entryUUID",
    id_form: IdForm::Text,
    user_filter: "(objectClass=inetOrgPerson)",
    group_filter: concat!(
        "(|(objectClass=groupOfNames)(objectClass=groupOfUniqueNames)(objectClass=groupOfMembers)",
        "(objectClass=groupOfURLs)(objectClass=posixGroup))"
    ),
    member_attributes: &["member", "uniqueMember"],
    listing: &listing::POSIX_DYNLIST,
    never_empty: &["groupofnames", "groupofuniquenames"],
    status_attributes: &[marks::LOCKED_TIME, marks::ACCOUNT_LOCK, "pwdStartTime", "pwdEndTime"],
    status: |entry, now| marks::status(entry, &[marks::LOCKED_TIME, marks::ACCOUNT_LOCK], TERM, now),
    container_filter: CONTAINERS,
    domain_scope: false,
};
