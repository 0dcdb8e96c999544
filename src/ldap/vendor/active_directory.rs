//! Microsoft Active Directory, and Samba as a domain controller.

use super::{Facts, listing, marks};
use crate::ldap::id::IdForm;
use crate::ldap::moment::filetime;
use crate::ldap::raw_entry::RawEntry;
use crate::model::{Moment, Status, Vendor};

/// LDAP_CAP_ACTIVE_DIRECTORY_OID (MS-ADTS §3.1.1.3.4.3).
const ACTIVE_DIRECTORY: &str = "1.2.840.113556.1.4.800";

/// UF_ACCOUNTDISABLE (MS-ADTS §2.2.16).
const ACCOUNT_DISABLED: i64 = 0x2;

const CONTROL: &str = "userAccountControl";

/// When the account expires, as a FILETIME (MS-ADA1 §2.3).
const EXPIRES: &str = "accountExpires";

/// Its values of accounts that never expire.
const NEVER: [i64; 2] = [0, i64::MAX];

/// The facts. `objectCategory=person` leaves computers out, `objectClass=user` leaves contacts out.
pub const FACTS: Facts = Facts {
    vendor: Vendor::ActiveDirectory,
    recognises: |root| root.capabilities.iter().any(|oid| oid == ACTIVE_DIRECTORY),
    id_attribute: "objectGUID",
    id_form: IdForm::Guid,
    user_filter: "(&(objectCategory=person)(objectClass=user))",
    group_filter: "(objectCategory=group)",
    member_attributes: &["member"],
    listing: &listing::ACTIVE_DIRECTORY,
    never_empty: &[],
    status_attributes: &[CONTROL, EXPIRES],
    status,
    container_filter: "(|(objectClass=organizationalUnit)(objectClass=container)(objectClass=domain)(objectClass=builtinDomain)(objectClass=locality)(objectClass=organization)(objectClass=country))",
    domain_scope: true,
};

/// Every account has userAccountControl: where it does not come, we may not read it. Both attributes belong to one
/// property set, User-Account-Restrictions (MS-ADTS §7.1.1.2.2), and are read by the same right.
fn status(entry: &RawEntry, now: Moment) -> (Status, Option<Moment>) {
    let Some(flags) = number(entry, CONTROL) else { return (Status::Unknown, None) };
    if flags & ACCOUNT_DISABLED != 0 {
        return (Status::Disabled, None);
    }
    match number(entry, EXPIRES) {
        Some(units) if !NEVER.contains(&units) => marks::within(None, Some(filetime(units)), now),
        None if !entry.values(EXPIRES).is_empty() => (Status::Unknown, None),
        Some(_) | None => (Status::Enabled, None),
    }
}

/// The one value, if it is a number.
fn number(entry: &RawEntry, name: &str) -> Option<i64> {
    match entry.values(name) {
        [value] => value.text()?.trim().parse().ok(),
        _ => None,
    }
}
