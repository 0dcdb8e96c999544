//! Microsoft Active Directory, and Samba as a domain controller.

use super::{Facts, listing};
use crate::ldap::id::IdForm;
use crate::ldap::raw_entry::RawEntry;
use crate::model::{Status, Vendor};

/// LDAP_CAP_ACTIVE_DIRECTORY_OID (MS-ADTS §3.1.1.3.4.3).
const ACTIVE_DIRECTORY: &str = "1.2.840.113556.1.4.800";

/// UF_ACCOUNTDISABLE (MS-ADTS §2.2.16).
const ACCOUNT_DISABLED: i64 = 0x2;

const CONTROL: &str = "userAccountControl";

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
    status_attributes: &[CONTROL],
    status,
    container_filter: "(|(objectClass=organizationalUnit)(objectClass=container)(objectClass=domain)(objectClass=builtinDomain))",
    domain_scope: true,
};

/// Every account has the attribute: where it does not come, we may not read it.
fn status(entry: &RawEntry) -> Status {
    match entry.values(CONTROL) {
        [value] => match value.text().and_then(|text| text.trim().parse::<i64>().ok()) {
            Some(flags) if flags & ACCOUNT_DISABLED != 0 => Status::Disabled,
            Some(_) => Status::Enabled,
            None => Status::Unknown,
        },
        _ => Status::Unknown,
    }
}
