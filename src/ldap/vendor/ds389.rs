//! 389 Directory Server, FreeIPA, Red Hat Directory Server.

use super::{Facts, listing, marks};
use crate::ldap::id::IdForm;
use crate::model::Vendor;

/// FreeIPA: a bind after it is refused, whatever the password (its ipa_pwd_extop plugin).
const PRINCIPAL_EXPIRATION: &str = "krbPrincipalExpiration";

/// The facts. Imported entries have no entryUUID, every entry has nsUniqueId. Accounts made by the server's
/// own tool are `nsPerson`, which is not derived from `person`. FreeIPA makes a private group for each user, a
/// `mepManagedEntry`, which nobody wants at a target.
pub const FACTS: Facts = Facts {
    vendor: Vendor::Ds389,
    recognises: |root| root.vendor_name.starts_with("389 ") || root.vendor_version.starts_with("389-Directory"),
    id_attribute: "nsUniqueId",
    id_form: IdForm::Text,
    user_filter: "(|(objectClass=person)(objectClass=nsPerson))",
    group_filter: concat!(
        "(|(objectClass=groupOfNames)(objectClass=groupOfUniqueNames)(objectClass=groupOfURLs)",
        "(&(objectClass=posixGroup)(!(objectClass=mepManagedEntry))))"
    ),
    member_attributes: &["member", "uniqueMember"],
    listing: &listing::POSIX,
    never_empty: &[],
    status_attributes: &[marks::ACCOUNT_LOCK, PRINCIPAL_EXPIRATION],
    status: |entry, now| {
        let term = marks::Term { from: None, until: Some(PRINCIPAL_EXPIRATION) };
        marks::status(entry, &[marks::ACCOUNT_LOCK], term, now)
    },
    container_filter: "(|(objectClass=organizationalUnit)(objectClass=organization)(objectClass=dcObject)(objectClass=domain)(objectClass=country)(objectClass=locality)(objectClass=nsContainer))",
    domain_scope: false,
};
