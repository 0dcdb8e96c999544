//! The source against Samba as a real Active Directory.

use ldap2scim::cycle::Source;
use ldap2scim::ldap::Directory;
use ldap2scim::model::Vendor;

use crate::support::samba::{Account, Samba};

#[tokio::test]
async fn a_copy_of_a_domain_controller_has_an_invocation_id_of_its_own() {
    let samba = Samba::start("");
    let copy = samba.start_copy_with_new_invocation_id();
    assert_eq!(Directory::new(samba.settings(Account::Plain)).identify().await.unwrap(), Vendor::ActiveDirectory);
    assert_eq!(Directory::new(copy.settings(Account::Plain)).identify().await.unwrap(), Vendor::ActiveDirectory);
    let id = |samba: &Samba| samba.ldapsearch("CN=Configuration,DC=ad,DC=test", "(objectClass=nTDSDSA)", &["invocationId"]);
    assert_ne!(id(&samba), id(&copy));
    assert!(id(&samba).contains("invocationId:"));
}
