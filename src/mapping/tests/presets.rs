//! The presets on entries as directories have them.

use super::super::presets::preset_rules;
use super::*;

/// What Palo Alto's Cloud Identity Engine requires.
const SIX: [&str; 6] = ["userName", "active", "displayName", "name.givenName", "name.familyName", "name.formatted"];

/// Every attribute of the same product's table that is mapped, in path order.
const TABLE: &str = r#"addresses[type eq "other"].formatted
addresses[type eq "work"].country
addresses[type eq "work"].formatted
addresses[type eq "work"].locality
addresses[type eq "work"].postalCode
addresses[type eq "work"].region
addresses[type eq "work"].streetAddress
displayName
emails[type eq "other"].value
emails[type eq "work"].value
externalId
name.familyName
name.formatted
name.givenName
name.honorificPrefix
name.honorificSuffix
phoneNumbers[type eq "fax"].value
phoneNumbers[type eq "mobile"].value
phoneNumbers[type eq "work"].value
preferredLanguage
title
urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department
urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber
urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager
userName"#;

fn preset(preset: Preset, required: &[&'static str]) -> Mapping {
    compile(preset, &[], &target_requiring(required)).unwrap()
}

fn check(mapping: &Mapping, attributes: &[(&str, &str)], expected: &str) {
    assert_eq!(shown(&mapping.evaluate(&entry(attributes)).unwrap()).join("\n"), expected.trim());
}

#[test]
fn presets_compile_and_give_every_attribute_of_the_table() {
    for name in [Preset::ActiveDirectory, Preset::InetOrgPerson] {
        for required in [&SIX[..], &[]] {
            let mapping = preset(name, required);
            let paths: Vec<&str> = mapping.rules.iter().map(|rule| rule.path.as_str()).collect();
            assert_eq!(paths.join("\n"), TABLE, "{}", name.as_str());
        }
        for row in preset_rules(name).iter().filter(|row| row.if_required.is_some()) {
            assert!(SIX.contains(&row.path), "{}", row.path);
        }
    }
}

#[test]
fn a_full_entry_of_active_directory_is_mapped_whole() {
    let ada = [
        ("userPrincipalName", "ada@corp.example.com"),
        ("sAMAccountName", "ada"),
        ("cn", "Lovelace, Ada"),
        ("name", "Lovelace, Ada"),
        ("displayName", "Ada Lovelace"),
        ("givenName", "Ada"),
        ("sn", "Lovelace"),
        ("personalTitle", "Lady"),
        ("generationQualifier", "II"),
        ("title", "Analyst"),
        ("preferredLanguage", "en-GB"),
        ("mail", "ada.lovelace@example.com"),
        ("otherMailbox", "b@home.example"),
        ("otherMailbox", "a@home.example"),
        ("telephoneNumber", "+44 20 7946 0101"),
        ("mobile", "+44 7700 900101"),
        ("facsimileTelephoneNumber", "+44 20 7946 0102"),
        ("streetAddress", "12 St James's Square"),
        ("l", "London"),
        ("st", "Greater London"),
        ("postalCode", "SW1Y 4JH"),
        ("c", "GB"),
        ("co", "United Kingdom"),
        ("homePostalAddress", "East Horsley"),
        ("employeeID", "1815"),
        ("department", "Engines"),
        ("manager", r"CN=Babbage\, Charles,OU=People,DC=example,DC=com"),
    ];
    let expected = r#"
addresses[type eq "other"].formatted: East Horsley
addresses[type eq "work"].country: GB
addresses[type eq "work"].formatted: 12 St James's Square\nLondon, Greater London SW1Y 4JH\nUnited Kingdom
addresses[type eq "work"].locality: London
addresses[type eq "work"].postalCode: SW1Y 4JH
addresses[type eq "work"].region: Greater London
addresses[type eq "work"].streetAddress: 12 St James's Square
displayName: Ada Lovelace
emails[type eq "other"].value: a@home.example
emails[type eq "work"].value: ada.lovelace@example.com
externalId: 6f1c1a5e-0d0a-4b0e-9a57-3b1f0a9f4c11
name.familyName: Lovelace
name.formatted: Ada Lovelace
name.givenName: Ada
name.honorificPrefix: Lady
name.honorificSuffix: II
phoneNumbers[type eq "fax"].value: +44 20 7946 0102
phoneNumbers[type eq "mobile"].value: +44 7700 900101
phoneNumbers[type eq "work"].value: +44 20 7946 0101
preferredLanguage: en-GB
title: Analyst
urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department: Engines
urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber: 1815
urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager: CN=Babbage\, Charles,OU=People,DC=example,DC=com
userName: ada@corp.example.com
"#;
    for required in [&SIX[..], &[]] {
        check(&preset(Preset::ActiveDirectory, required), &ada, expected);
    }
}

#[test]
fn a_service_account_gets_the_names_that_a_target_requires() {
    let account =
        [("userPrincipalName", "svc@example.com"), ("sAMAccountName", "svc-backup"), ("cn", "Backup"), ("name", "Backup")];
    let expected = "
displayName: Backup
externalId: 6f1c1a5e-0d0a-4b0e-9a57-3b1f0a9f4c11
name.familyName: Backup
name.formatted: Backup
name.givenName: Backup
userName: svc@example.com";
    check(&preset(Preset::ActiveDirectory, &SIX), &account, expected);
    let plain = "
externalId: 6f1c1a5e-0d0a-4b0e-9a57-3b1f0a9f4c11
userName: svc@example.com";
    check(&preset(Preset::ActiveDirectory, &[]), &account, plain);
}

#[test]
fn a_login_name_is_the_last_fallback_and_never_the_user_name() {
    let mapping = preset(Preset::ActiveDirectory, &["name.givenName", "name.familyName", "name.formatted"]);
    let expected = "
externalId: 6f1c1a5e-0d0a-4b0e-9a57-3b1f0a9f4c11
name.familyName: svc
name.formatted: svc
name.givenName: svc
userName: svc@example.com";
    check(&mapping, &[("userPrincipalName", "svc@example.com"), ("sAMAccountName", "svc")], expected);
    let cleared = entry(&[("sAMAccountName", "ada"), ("mail", "ada@example.com"), ("cn", "Ada")]);
    assert_eq!(mapping.evaluate(&cleared).unwrap_err().to_string(), "userName has no value (userPrincipalName)");
}

#[test]
fn an_entry_of_inetorgperson_with_several_values_is_mapped() {
    let bjorn = [
        ("uid", "bjorn"),
        ("cn", "Björn Åkesson"),
        ("cn", "Bjoern Aakesson"),
        ("sn", "Åkesson"),
        ("givenName", "Björn"),
        ("mail", "bjorn@example.com"),
        ("mail", "akesson@example.com"),
        ("telephoneNumber", "+46 8 2"),
        ("telephoneNumber", "+46 8 1"),
        ("title", "Engineer"),
        ("title", "Architect"),
        ("ou", "Platform"),
        ("departmentNumber", "42"),
        ("employeeNumber", "7"),
        ("street", "Kungsgatan 1"),
        ("l", "Stockholm"),
        ("postalCode", "111 43"),
        ("postalAddress", "Kungsgatan 1$111 43 Stockholm$Sweden"),
        ("homePostalAddress", "Strandvägen 2$Stockholm"),
        ("manager", "uid=astrid,ou=people,dc=example,dc=com"),
        ("preferredLanguage", "sv"),
    ];
    let expected = r#"
addresses[type eq "other"].formatted: Strandvägen 2\nStockholm
addresses[type eq "work"].formatted: Kungsgatan 1\n111 43 Stockholm\nSweden
addresses[type eq "work"].locality: Stockholm
addresses[type eq "work"].postalCode: 111 43
addresses[type eq "work"].streetAddress: Kungsgatan 1
displayName: Bjoern Aakesson
emails[type eq "other"].value: bjorn@example.com
emails[type eq "work"].value: akesson@example.com
externalId: 6f1c1a5e-0d0a-4b0e-9a57-3b1f0a9f4c11
name.familyName: Åkesson
name.formatted: Björn Åkesson
name.givenName: Björn
phoneNumbers[type eq "work"].value: +46 8 1
preferredLanguage: sv
title: Architect
urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department: 42
urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber: 7
urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager: uid=astrid,ou=people,dc=example,dc=com
userName: bjorn
"#;
    check(&preset(Preset::InetOrgPerson, &SIX), &bjorn, expected);
}

#[test]
fn several_user_names_or_managers_hold_the_entry_in_both_presets() {
    let uids = entry(&[("uid", "a"), ("uid", "b")]);
    let error = preset(Preset::InetOrgPerson, &[]).evaluate(&uids).unwrap_err();
    assert!(matches!(error, MappingError::Several { ref path, .. } if path.as_str() == "userName"), "{error}");
    let managers = entry(&[("uid", "a"), ("userPrincipalName", "a@x"), ("manager", "cn=a"), ("manager", "cn=b")]);
    for name in [Preset::ActiveDirectory, Preset::InetOrgPerson] {
        let error = preset(name, &[]).evaluate(&managers).unwrap_err();
        assert!(matches!(error, MappingError::Several { ref path, .. } if path.name() == "manager"), "{error}");
    }
}

#[test]
fn an_own_rule_takes_the_place_of_the_presets() {
    let rules = owned(&[("userName", "lower(item(mail, 1))"), ("title", "nothing()"), ("nickName", "uid")]);
    let mapping = compile(Preset::InetOrgPerson, &rules, &target()).unwrap();
    assert_eq!(mapping.rules.len(), 26);
    let mapped = mapping.evaluate(&entry(&[("uid", "ada"), ("mail", "Ada@X.org"), ("title", "Analyst")])).unwrap();
    assert_eq!(mapped.resource.name(), Some("ada@x.org"));
    assert_eq!(mapped.resource.text("title"), None);
    assert_eq!(mapped.resource.text("nickName"), Some("ada"));
}
