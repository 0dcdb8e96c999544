//! Thousands of entries with every awkward name, read from real servers and judged by the real rules: whom we find active and
//! in which group equals what the script that wrote them knows.

use std::collections::{BTreeMap, BTreeSet};

use ldap2scim::cycle::{Source, wanted};
use ldap2scim::ldap::{Directory, Settings};
use ldap2scim::mapping::{self, Preset};
use ldap2scim::model::{Coverage, Dn, Entry, EntryId, ResourceType, Selection, Status};
use ldap2scim::plan::{Desired, Judge, Judged, MappingChoice, Rules, Scope};
use ldap2scim::scim;
use ldap2scim::secret::Secret;
use tokio::sync::mpsc;

use crate::support::bridge;
use crate::support::company::Truth;
use crate::support::samba::{self, Account, Samba};
use crate::support::slapd::{self, Setup, Slapd};

/// Reads a whole directory and judges it: users below some bases, groups below others, named by an attribute.
async fn judged(settings: Settings, preset: Preset, login: &str, people: &[String], groups: &[String]) -> Desired {
    let scim = scim::Settings::new(
        "nobody",
        "http://127.0.0.1".parse().unwrap(),
        scim::Auth::Bearer(Secret::Inline("token".into())),
        scim::preset("generic").unwrap(),
    );
    let capabilities = &scim.dialect.capabilities;
    let mapping = mapping::compile(preset, &[("userName".to_owned(), login.to_owned())], capabilities).unwrap();
    let below =
        |bases: &[String]| Selection { base_dns: bases.iter().map(|base| Dn::parse(base).unwrap()).collect(), filter: None };
    let mut rules = Rules { mapping: MappingChoice::Fixed(Box::new(mapping)), ..bridge::rules(&scim) };
    rules.users.selection = below(people);
    rules.groups.as_mut().unwrap().selection = below(groups);
    let directory = Directory::new(settings);
    let vendor = directory.identify().await.unwrap();
    let mapping = rules.mapping.of(vendor);
    let before = BTreeMap::new();
    let wanted = wanted(&rules, mapping.attributes(), &before);
    let mut judge = Judge::new(&rules, mapping, capabilities, &before);
    let (sender, mut entries) = mpsc::channel::<Entry>(1024);
    let (reading, ()) = tokio::join!(directory.read(&wanted, sender), async {
        while let Some(entry) = entries.recv().await {
            judge.take(&entry);
        }
    });
    judge.finish(reading.unwrap().coverage)
}

/// Every way in which what we found is not the truth, a line each.
fn lies(desired: &Desired, truth: &Truth) -> Vec<String> {
    let of_type = |kind| {
        desired.entries.values().filter(move |entry| entry.resource_type == kind && entry.scope != Scope::Out(String::new()))
    };
    let users: BTreeMap<&EntryId, &Judged> = of_type(ResourceType::User).map(|user| (&user.entry_id, user)).collect();
    let mut lies: Vec<String> =
        users.values().filter_map(|user| Some(format!("{}: {}", user.dn, user.mapped.as_ref().err()?))).collect();
    let found: BTreeMap<&str, &Judged> = users.values().map(|user| (user.name.as_str(), *user)).collect();
    lies.extend(found.keys().filter(|name| !truth.users.contains_key(**name)).map(|name| format!("{name} is not there")));
    for (login, person) in &truth.users {
        let Some(user) = found.get(login.as_str()) else {
            lies.push(format!("{login} was not found"));
            continue;
        };
        if user.dn != Dn::parse(&person.dn).unwrap() {
            lies.push(format!("{login} was found at {}, and is at {}", user.dn, person.dn));
        }
        let status = if person.active { Status::Enabled } else { Status::Disabled };
        if user.status != status {
            lies.push(format!("{login} was found {:?}, and is {status:?} (expired: {})", user.status, person.expired));
        }
    }
    let groups: BTreeMap<&str, &Judged> = of_type(ResourceType::Group)
        .filter(|group| matches!(group.scope, Scope::In(_)))
        .map(|group| (group.name.as_str(), group))
        .collect();
    lies.extend(groups.keys().filter(|name| !truth.groups.contains_key(**name)).map(|name| format!("{name} is not there")));
    for (name, members) in &truth.groups {
        let Some(group) = groups.get(name.as_str()) else {
            lies.push(format!("the group {name} was not found"));
            continue;
        };
        let resource = group.mapped.as_ref().unwrap();
        let told = |id: &EntryId| users.get(id).map_or_else(|| id.to_string(), |user| user.name.clone());
        let found: BTreeSet<String> = resource.members.iter().map(told).collect();
        if found != *members || !group.members_whole {
            let (missing, extra) = (members.difference(&found).count(), found.difference(members).count());
            lies.push(format!(
                "{name}: {missing} missing, {extra} too many of {}; whole: {}",
                members.len(),
                group.members_whole
            ));
        }
    }
    lies
}

#[tokio::test]
async fn what_is_read_from_slapd_is_the_truth_for_every_user_and_group() {
    let (ldif, truth) = Truth::for_slapd(slapd::SUFFIX, 3000, 150);
    let slapd = Slapd::with(Setup { ldif, overlays: vec!["memberof", "refint", "ppolicy"], ..Setup::default() });
    let [people, groups] = ["Staff", "StaffGroups"].map(|unit| vec![format!("ou={unit},{}", slapd::SUFFIX)]);
    let desired = judged(slapd.settings(), Preset::InetOrgPerson, "uid", &people, &groups).await;
    assert_eq!(desired.coverage, Coverage::Full);
    let lies = lies(&desired, &truth);
    assert!(lies.is_empty(), "{} lies:\n{}", lies.len(), lies.join("\n"));
    assert!(truth.users.len() == 3000 && truth.groups.len() > 150 && truth.users.values().any(|person| !person.active));
}

#[tokio::test]
async fn what_is_read_from_samba_is_the_truth_for_every_user_and_group() {
    let truth = Truth::of_samba();
    let samba = Samba::start_company();
    let below = |place: &str| format!("{place},{}", samba::SUFFIX);
    let groups = ["OU=StaffGroups", "CN=Domain Users,CN=Users", "CN=Domain Guests,CN=Users"].map(below);
    let settings = samba.settings(Account::Plain);
    let desired = judged(settings, Preset::ActiveDirectory, "sAMAccountName", &[below("OU=Staff")], &groups).await;
    assert_eq!(desired.coverage, Coverage::Full);
    let lies = lies(&desired, &truth);
    assert!(lies.is_empty(), "{} lies:\n{}", lies.len(), lies.join("\n"));
    assert!(truth.users.len() == 1500 && truth.groups.len() > 80 && truth.users.values().any(|person| person.expired));
}
