//! The shape of the facts, and the list of the vendors.

use ldap3::Scope;

use crate::ldap::id::IdForm;
use crate::ldap::raw_entry::RawEntry;
use crate::ldap::root_dse::RootDse;
use crate::model::{EntryId, Moment, Status, Vendor};

use super::listing::Listing;
use super::{active_directory, ds389, generic, openldap, ping_directory};

/// What we know of one kind of directory.
#[derive(Debug)]
pub struct Facts {
    /// Which.
    pub vendor: Vendor,
    /// True if this root DSE is one of its servers'.
    pub recognises: fn(&RootDse) -> bool,
    /// The attribute that holds the lasting id.
    pub id_attribute: &'static str,
    /// Its form.
    pub id_form: IdForm,
    /// People, when the admin gives no filter.
    pub user_filter: &'static str,
    /// Groups, when the admin gives no filter.
    pub group_filter: &'static str,
    /// The attributes that list them.
    pub member_attributes: &'static [&'static str],
    /// How groups list members otherwise.
    pub listing: &'static Listing,
    /// Object classes whose entries cannot be without a member: one that shows none hides them.
    pub never_empty: &'static [&'static str],
    /// What must be asked for to tell the status.
    pub status_attributes: &'static [&'static str],
    /// The status that these tell of the present, and the moment from which they tell another.
    pub status: fn(&RawEntry, Moment) -> (Status, Option<Moment>),
    /// Entries that commonly stand above others. Classes that a server does not know match nothing (RFC 4511 §4.5.1.7).
    pub container_filter: &'static str,
    /// True if the domain scope control keeps the server from naming its other partitions.
    pub domain_scope: bool,
}

impl Facts {
    /// A filter that entries with one of these lasting ids match, and no others; `None` if one of them is no id of this
    /// directory's form.
    pub fn any_of<'a>(&self, ids: impl IntoIterator<Item = &'a EntryId>) -> Option<String> {
        let one = |id| Some(format!("({}={})", self.id_attribute, self.id_form.filter_value(id)?));
        Some(format!("(|{})", ids.into_iter().map(one).collect::<Option<String>>()?))
    }

    /// Where to look for an entry by its lasting id: base, scope and filter of each search.
    pub fn places_of(&self, id: &EntryId, naming_contexts: &[String]) -> Vec<(String, Scope, String)> {
        match self.id_form {
            // MS-ADTS §3.1.1.3.1.2.4: the alternative form of a DN.
            IdForm::Guid => vec![(format!("<GUID={id}>"), Scope::Base, "(objectClass=*)".to_owned())],
            IdForm::Text => {
                let filter = format!("({}={})", self.id_attribute, ldap3::ldap_escape(id.as_str()));
                naming_contexts.iter().map(|base| (base.clone(), Scope::Subtree, filter.clone())).collect()
            }
        }
    }
}

/// Classes of RFC 4519 and RFC 2247 whose entries are there to hold others.
pub const CONTAINERS: &str = "(|(objectClass=organizationalUnit)(objectClass=organization)(objectClass=dcObject)(objectClass=domain)(objectClass=country)(objectClass=locality))";

/// Tried in this order on a root DSE; the last recognises everything.
const ALL: [&Facts; 5] = [&active_directory::FACTS, &ds389::FACTS, &ping_directory::FACTS, &openldap::FACTS, &generic::FACTS];

/// The facts of a vendor.
pub fn facts(vendor: Vendor) -> &'static Facts {
    ALL.into_iter().find(|facts| facts.vendor == vendor).unwrap_or(&generic::FACTS)
}

/// The facts that fit this root DSE.
pub fn recognise(root: &RootDse) -> &'static Facts {
    ALL.into_iter().find(|facts| (facts.recognises)(root)).unwrap_or(&generic::FACTS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ldap::check_filter;

    fn root(pairs: &[(&str, &str)]) -> RootDse {
        let mut entry = RawEntry::empty("");
        for (name, value) in pairs {
            entry.add(name, vec![value.as_bytes().to_vec()]);
        }
        RootDse::from(&entry)
    }

    #[test]
    fn each_root_dse_is_recognised() {
        let check = |pairs: &[(&str, &str)], vendor| assert_eq!(recognise(&root(pairs)).vendor, vendor, "{pairs:?}");
        check(&[("supportedCapabilities", "1.2.840.113556.1.4.800")], Vendor::ActiveDirectory);
        check(&[("vendorName", "389 Project"), ("vendorVersion", "389-Directory/2.3.1 B2023")], Vendor::Ds389);
        check(&[("vendorName", "Ping Identity Corporation")], Vendor::PingDirectory);
        check(&[("vendorName", "UnboundID Corp.")], Vendor::PingDirectory);
        check(&[("objectClass", "OpenLDAProotDSE")], Vendor::OpenLdap);
        check(&[("vendorName", "Somebody")], Vendor::Generic);
        check(&[], Vendor::Generic);
    }

    #[test]
    fn every_default_filter_is_a_filter() {
        for facts in ALL {
            assert_eq!(check_filter(facts.user_filter), Ok(()));
            assert_eq!(check_filter(facts.group_filter), Ok(()));
            assert_eq!(check_filter(facts.container_filter), Ok(()));
        }
    }

    #[test]
    fn status_follows_the_table() {
        use Status::{Disabled, Enabled, Unknown};
        use Vendor::{ActiveDirectory, Ds389, Generic, OpenLdap, PingDirectory};
        type Row = (Vendor, &'static [(&'static str, &'static str)], Status);
        let rows: &[Row] = &[
            (ActiveDirectory, &[("userAccountControl", "512")], Enabled),
            (ActiveDirectory, &[("userAccountControl", "514")], Disabled),
            (ActiveDirectory, &[("userAccountControl", "66050")], Disabled),
            (ActiveDirectory, &[("userAccountControl", "-2147483134")], Disabled),
            (ActiveDirectory, &[("userAccountControl", "many")], Unknown),
            (ActiveDirectory, &[], Unknown),
            (ActiveDirectory, &[("lockoutTime", "133000000000000000"), ("userAccountControl", "512")], Enabled),
            (Ds389, &[("nsAccountLock", "true")], Disabled),
            (Ds389, &[("nsAccountLock", "TRUE")], Disabled),
            (Ds389, &[("nsAccountLock", "false")], Enabled),
            (Ds389, &[], Enabled),
            (OpenLdap, &[("pwdAccountLockedTime", "000001010000Z")], Disabled),
            (OpenLdap, &[("pwdAccountLockedTime", "20260131120000Z")], Enabled),
            (OpenLdap, &[("nsAccountLock", "true")], Disabled),
            (OpenLdap, &[], Enabled),
            (PingDirectory, &[("ds-pwp-account-disabled", "true")], Disabled),
            (PingDirectory, &[("ds-pwp-account-disabled", "false")], Enabled),
            (PingDirectory, &[("pwdAccountLockedTime", "20260131120000.123Z")], Enabled),
            (Generic, &[("pwdAccountLockedTime", "000001010000Z")], Disabled),
            (Generic, &[], Enabled),
        ];
        for (vendor, pairs, expected) in rows {
            let mut entry = RawEntry::empty("uid=a");
            for (name, value) in *pairs {
                entry.add(name, vec![value.as_bytes().to_vec()]);
            }
            assert_eq!((facts(*vendor).status)(&entry, NOON), (*expected, None), "{vendor:?} {pairs:?}");
        }
    }

    /// 2026-01-31 12:00:00 UTC.
    const NOON: Moment = Moment(1_769_860_800_000);

    #[test]
    fn an_account_changes_its_status_when_its_time_comes() {
        use Status::{Disabled, Enabled, Unknown};
        use Vendor::{ActiveDirectory, Ds389, Generic, OpenLdap, PingDirectory};
        let at = |moment: i64| Some(Moment(moment));
        let hour = 3_600_000;
        type Row = (Vendor, &'static [(&'static str, &'static str)], (Status, Option<Moment>));
        let rows: &[Row] = &[
            (ActiveDirectory, &[("userAccountControl", "512"), ("accountExpires", "0")], (Enabled, None)),
            (ActiveDirectory, &[("userAccountControl", "512"), ("accountExpires", "9223372036854775807")], (Enabled, None)),
            (
                ActiveDirectory,
                &[("userAccountControl", "512"), ("accountExpires", "134143380000000000")],
                (Enabled, at(NOON.0 + hour)),
            ),
            (ActiveDirectory, &[("userAccountControl", "512"), ("accountExpires", "134143344000000000")], (Disabled, None)),
            (ActiveDirectory, &[("userAccountControl", "514"), ("accountExpires", "134143380000000000")], (Disabled, None)),
            (ActiveDirectory, &[("userAccountControl", "512"), ("accountExpires", "soon")], (Unknown, None)),
            (ActiveDirectory, &[("accountExpires", "0")], (Unknown, None)),
            (Ds389, &[("krbPrincipalExpiration", "20260131130000Z")], (Enabled, at(NOON.0 + hour))),
            (Ds389, &[("krbPrincipalExpiration", "20260131120000Z")], (Disabled, None)),
            (Ds389, &[("krbPrincipalExpiration", "20260131130000Z"), ("nsAccountLock", "true")], (Disabled, None)),
            (OpenLdap, &[("pwdStartTime", "20260131130000Z")], (Disabled, at(NOON.0 + hour))),
            (OpenLdap, &[("pwdStartTime", "20260131110000Z"), ("pwdEndTime", "20260131130000Z")], (Enabled, at(NOON.0 + hour))),
            (OpenLdap, &[("pwdStartTime", "20260131140000Z"), ("pwdEndTime", "20260131130000Z")], (Disabled, None)),
            (OpenLdap, &[("pwdEndTime", "20260131115959Z")], (Disabled, None)),
            (OpenLdap, &[("pwdEndTime", "soon")], (Unknown, None)),
            (PingDirectory, &[("ds-pwp-account-expiration-time", "20260131130000.000Z")], (Enabled, at(NOON.0 + hour))),
            (PingDirectory, &[("ds-pwp-account-activation-time", "20260131130000.000Z")], (Disabled, at(NOON.0 + hour))),
            (Generic, &[("pwdEndTime", "20260131115959Z")], (Enabled, None)),
        ];
        for (vendor, pairs, expected) in rows {
            let mut entry = RawEntry::empty("uid=a");
            for (name, value) in *pairs {
                entry.add(name, vec![value.as_bytes().to_vec()]);
            }
            assert_eq!((facts(*vendor).status)(&entry, NOON), *expected, "{vendor:?} {pairs:?}");
        }
    }
}
