//! What settings come of a configuration, and what draws a warning.

use std::time::Duration;

use super::surroundings::{SOUND, directory, parsed, spoilt, warned, write};
use crate::config::reader::{Reader, Secrets};
use crate::config::{Channel, KEYS, Mode, Settings};
use crate::ldap::{Bind, Tracking};
use crate::model::{Selection, Vendor};
use crate::plan::{
    Existing, GroupRemoval, GroupRules, GroupScope, Limit, MappingChoice, Members, Nesting, Recreated, SameName, UserRemoval,
};
use crate::scim::Auth;
use crate::secret::Secret;

const FULL: &str = r#"
state_dir: state
sources:
  corp:
    urls: ldap://dc1.example.com:3268
    vendor: active_directory
    start_tls: true
    ca_file: ca.pem
    bind: { dn: "cn=sync,dc=x", password: { file: secret } }
    page_size: 100
    in_chain: true
    tracking: usn
    largest_entry_mib: 256
    timeouts: { connect: 1s, operation: 1m 30s, idle: 5s }
  lab:
    urls: [ldap://localhost]
    allow_cleartext: true
  by_certificate:
    urls: ldaps://localhost
    bind: { external: { certificate: client.pem, key: client.key } }
targets:
  cie:
    preset: paloalto-cie
    base_url: https://scim.example.com/v2
    auth: { bearer: { env: PATH } }
    ca_file: ca.pem
    rate:
      per_second: 2.5
      per_minute: 120
      per_hour: 6000
      burst: 3
      read: { per_second: 20, per_minute: 1000, per_hour: 50000 }
      user_create: { per_second: 1, per_minute: 30, per_hour: 1000 }
      user_update: { per_second: 2, per_minute: 60, per_hour: 2000 }
      group_update: { per_second: 3, per_minute: 90, per_hour: 3000 }
    dialect: { page_size: 50, never: [userType, nickName], etag: true, settle: 0.5, member_remove: value_array, headers: ["X-A: 1, 2", "X-B: 3"] }
    timeouts: { connect: 2s, request: 3s }
  lab:
    base_url: http://127.0.0.1:8080
    allow_cleartext: false
  idle1:
    base_url: https://idle
    auth: { basic: { user: sync, password: { file: secret } }, expires_on: 2027-01-31 }
    client_certificate: { certificate: client.pem, key: client.key }
    proxy: { url: "https://proxy", user: me, password: { file: secret }, no_proxy: [localhost] }
  idle2:
    base_url: https://idle
    auth: { header: { name: X-Key, value: { file: secret } } }
    proxy: none
  idle3:
    base_url: https://idle
    auth: { oauth: { token_url: https://idp, client_id: us, client_secret: { file: secret } } }
channels:
  chicago: &chicago
    source: corp
    target: cie
    mode: preview
    schedule: "30 2 * * *"
    time_zone: Europe/Berlin
    workers: 7
    users: { base_dn: [dc=x, dc=y], filter: ["(a=1)", "(b=2)"], group_dn: [cn=g], nested: true }
    groups: { base_dn: dc=z, filter: "(c=3)", group_dn: cn=h, nested: true, include_self: true, name: dn, nesting: keep, members: exact, same_name: merge, recreated: hold }
    mapping:
      users: { preset: active_directory, rules: { userName: mail, title: title } }
    provision_disabled: false
    existing: link_only
    removal: { users: { action: deactivate_then_delete, after: 30d }, groups: { action: delete, delete_adopted: true } }
    guard:
      window: 1d
      users: { percent: 1.5, at_least: 1, at_most: 2 }
      groups: { percent: 3, at_least: 4, at_most: 5 }
      memberships: { percent: 6, at_least: 7, at_most: 8 }
      per_group: { percent: 9, at_least: 10, at_most: 11 }
      identity: { percent: 12, at_least: 13, at_most: 14 }
  berlin:
    <<: *chicago
    mode: live
    users: { base_dn: "dc=berlin" }
  plain:
    source: lab
    target: lab
    users: { base_dn: "dc=x" }
    groups: {}
"#;

fn full() -> Settings {
    let directory = directory();
    parsed(directory.path(), FULL).unwrap_or_else(|problems| panic!("{problems}"))
}

fn channel<'a>(settings: &'a Settings, name: &str) -> &'a Channel {
    settings.channels.iter().find(|channel| channel.name.as_str() == name).unwrap()
}

#[test]
fn sources_are_read_with_all_their_keys() {
    let settings = full();
    let corp = &settings.sources["corp"];
    assert_eq!(corp.urls[0].as_str(), "ldap://dc1.example.com:3268");
    assert_eq!((corp.name.as_str(), corp.vendor, corp.start_tls), ("corp", Some(Vendor::ActiveDirectory), true));
    assert!(corp.ca_file.as_ref().unwrap().is_absolute());
    assert_eq!((corp.page_size, corp.connect_timeout), (100, Duration::from_secs(1)));
    assert!(corp.in_chain && !settings.sources["lab"].in_chain);
    assert_eq!((corp.operation_timeout, corp.idle_timeout), (Duration::from_secs(90), Duration::from_secs(5)));
    assert_eq!(corp.largest_entry, 256 * 1024 * 1024);
    assert_eq!(corp.tracking, Tracking::Usn);
    let Bind::Simple { dn, password: Secret::File(path) } = &corp.bind else { panic!("a simple bind with a file") };
    assert_eq!((dn.as_str(), path.file_name().unwrap().to_str()), ("cn=sync,dc=x", Some("secret")));
    let lab = &settings.sources["lab"];
    assert!(matches!(lab.bind, Bind::Anonymous) && lab.vendor.is_none() && !lab.start_tls && lab.allow_cleartext);
    assert_eq!(lab.tracking, Tracking::Auto);
    assert_eq!((lab.page_size, lab.connect_timeout.as_secs(), lab.operation_timeout.as_secs()), (500, 10, 60));
    assert_eq!((lab.idle_timeout.as_secs(), lab.largest_entry), (60, 128 * 1024 * 1024));
}

#[test]
fn a_bind_may_be_by_client_certificate() {
    let directory = directory();
    let settings = parsed(directory.path(), FULL).unwrap_or_else(|problems| panic!("{problems}"));
    let Bind::External(certificate) = &settings.sources["by_certificate"].bind else { panic!("a bind by certificate") };
    assert_eq!(certificate.certificate, directory.path().join("client.pem"));
    assert!(certificate.fault().is_none());
}

#[test]
fn a_bind_may_name_a_user_principal() {
    let directory = directory();
    let settings = parsed(directory.path(), &spoilt(&[("cn=sync,dc=x", "sync@example.com")])).ok().unwrap();
    assert!(matches!(&settings.sources["corp"].bind, Bind::Simple { dn, .. } if dn == "sync@example.com"));
}

#[test]
fn targets_are_read_with_all_their_keys() {
    let settings = full();
    let [(_, cie), .., (_, lab)] = settings.targets.iter().collect::<Vec<_>>()[..] else { panic!("several targets") };
    assert_eq!((cie.name.as_str(), cie.base_url.as_str()), ("cie", "https://scim.example.com/v2"));
    assert!(matches!(&cie.auth, Auth::Bearer(Secret::Env(name)) if name == "PATH"));
    for (knob, expected) in [
        ("rate", "2.5/s, 120/min, 6000/h"),
        ("burst", "3"),
        ("rate_read", "20/s, 1000/min, 50000/h"),
        ("rate_user_create", "1/s, 30/min, 1000/h"),
        ("rate_user_update", "2/s, 60/min, 2000/h"),
        ("rate_group_update", "3/s, 90/min, 3000/h"),
    ] {
        assert_eq!(cie.dialect.value(knob), expected);
        assert_eq!(cie.dialect.said_by(knob), crate::scim::SaidBy::Configuration, "{knob}");
    }
    assert_eq!((cie.connect_timeout.as_secs(), cie.request_timeout.as_secs()), (2, 3));
    for (knob, value, from) in [
        ("page_size", "50", "configuration"),
        ("never", "userType, nickName", "configuration"),
        ("etag", "yes", "configuration"),
        ("settle", "0.5", "configuration"),
        ("member_remove", "value_array", "configuration"),
        ("headers", "X-A: 1, 2 | X-B: 3", "configuration"),
        ("manager", "text", "preset paloalto-cie"),
        ("unset", "remove", "default"),
    ] {
        let row = cie.dialect.rows().into_iter().find(|row| row.name == knob).unwrap();
        assert_eq!((row.value.as_str(), row.from.as_str()), (value, from), "{knob}");
    }
    let generic = crate::scim::preset("generic").unwrap();
    assert!(matches!(lab.auth, Auth::None) && lab.ca_file.is_none());
    assert_eq!(lab.dialect, generic);
}

#[test]
fn channels_are_read_with_all_their_keys() {
    let settings = full();
    let names: Vec<&str> = settings.channels.iter().map(|channel| channel.name.as_str()).collect();
    assert_eq!(names, ["chicago", "berlin", "plain"], "the file's order");
    let chicago = channel(&settings, "chicago");
    assert_eq!((chicago.source.as_str(), chicago.target.as_str(), chicago.mode), ("corp", "cie", Mode::Preview));
    assert_eq!(chicago.schedule.as_ref().unwrap().to_string(), "30 2 * * * (Europe/Berlin)");
    assert_eq!(chicago.workers, 7);
    let dn = |text| crate::model::Dn::parse(text).unwrap();
    let rules = &chicago.rules;
    assert_eq!(
        rules.users.selection,
        Selection { base_dns: vec![dn("dc=x"), dn("dc=y")], filter: Some("(|(a=1)(b=2))".to_owned()) }
    );
    assert_eq!(rules.users.scope, GroupScope { group_dns: vec![dn("cn=g")], nested: true });
    assert_eq!(
        rules.groups,
        Some(GroupRules {
            selection: Selection { base_dns: vec![dn("dc=z")], filter: Some("(c=3)".to_owned()) },
            scope: GroupScope { group_dns: vec![dn("cn=h")], nested: true },
            include_self: true,
            name: crate::model::AttributeName::new("dn"),
            nesting: Nesting::Keep,
            members: Members::Exact,
            same_name: SameName::Merge,
            recreated: Recreated::Hold,
        })
    );
    assert!(matches!(rules.mapping, MappingChoice::Fixed(_)));
    assert!(!rules.provision_disabled);
    assert_eq!(
        (rules.existing, rules.user_removal),
        (Existing::LinkOnly, UserRemoval::DeactivateThenDelete(Duration::from_secs(30 * 24 * 3600)))
    );
    assert_eq!((rules.group_removal, rules.delete_adopted_groups), (GroupRemoval::Delete, true));
    let guard = rules.guard;
    let limit = |percent, at_least, at_most| Limit { percent, at_least, at_most: Some(at_most) };
    assert_eq!(guard.window, Duration::from_secs(24 * 3600));
    assert_eq!(
        [guard.users, guard.groups, guard.memberships, guard.per_group, guard.identity],
        [limit(1.5, 1, 2), limit(3.0, 4, 5), limit(6.0, 7, 8), limit(9.0, 10, 11), limit(12.0, 13, 14)]
    );
}

#[test]
fn what_is_left_out_has_its_default() {
    let settings = full();
    let plain = channel(&settings, "plain");
    assert_eq!((plain.mode, plain.schedule.is_none()), (Mode::Live, true));
    assert_eq!(plain.workers, crate::scim::preset("generic").unwrap().workers);
    let rules = &plain.rules;
    assert_eq!(rules.users.selection.filter, None);
    assert_eq!(rules.users.scope, GroupScope { group_dns: Vec::new(), nested: false });
    let groups = rules.groups.as_ref().unwrap();
    assert_eq!(groups.selection, rules.users.selection, "the bases of the users");
    assert_eq!((groups.name.as_str(), groups.nesting, groups.include_self), ("cn", Nesting::Flatten, false));
    assert!(matches!(rules.mapping, MappingChoice::ByVendor { .. }) && rules.provision_disabled);
    assert_eq!((rules.existing, rules.user_removal), (Existing::Overwrite, UserRemoval::Deactivate));
    assert_eq!((rules.group_removal, rules.delete_adopted_groups), (GroupRemoval::Delete, false));
    assert_eq!((groups.members, groups.same_name, groups.recreated), (Members::Managed, SameName::Hold, Recreated::Relink));
    assert_eq!(rules.guard.users, Limit { percent: 2.0, at_least: 5, at_most: Some(100) });
    assert_eq!(rules.guard.groups, Limit { percent: 2.0, at_least: 2, at_most: Some(10) });
    assert_eq!(rules.guard.memberships, Limit { percent: 5.0, at_least: 20, at_most: Some(1000) });
    assert_eq!(rules.guard.per_group, Limit { percent: 50.0, at_least: 10, at_most: None });
    assert_eq!(rules.guard.identity, Limit { percent: 2.0, at_least: 5, at_most: None });
    assert_eq!(rules.guard.window, Duration::from_secs(24 * 3600));
}

#[test]
fn removal_is_a_word_or_a_map_and_left_out_as_the_target_has_it() {
    let directory = directory();
    let day = Duration::from_secs(24 * 3600);
    for (written, users, groups) in [
        ("", UserRemoval::Deactivate, GroupRemoval::Delete),
        ("    removal: { users: keep, groups: empty }\n", UserRemoval::Keep, GroupRemoval::Empty),
        ("    removal: { users: { action: delete } }\n", UserRemoval::Delete, GroupRemoval::Delete),
        (
            "    removal: { users: { action: deactivate_then_delete, after: 1d }, groups: keep }\n",
            UserRemoval::DeactivateThenDelete(day),
            GroupRemoval::Keep,
        ),
    ] {
        let file = spoilt(&[("    guard:", &format!("{written}    guard:"))]);
        let settings = parsed(directory.path(), &file).unwrap_or_else(|problems| panic!("{problems}"));
        let rules = &settings.channels[0].rules;
        assert_eq!((rules.user_removal, rules.group_removal), (users, groups), "{written}");
    }
    let reader = Reader::new(directory.path(), Secrets::Needed);
    let root = crate::config::tree::grow("{}").unwrap();
    let mut dialect = crate::scim::Dialect::default();
    dialect.user_removal = UserRemoval::Keep;
    dialect.group_removal = GroupRemoval::Empty;
    let removal = crate::config::removal::removal(&reader.root(&root).unwrap(), Some(&dialect));
    assert_eq!((removal.users, removal.groups), (UserRemoval::Keep, GroupRemoval::Empty));
}

#[test]
fn users_whose_deletion_destroys_are_deleted_only_where_the_target_s_section_says_so() {
    let directory = directory();
    for (written, user_delete, refused) in [
        ("removal: { users: delete }", false, true),
        ("removal: { users: { action: deactivate_then_delete, after: 1d } }", false, true),
        ("removal: { users: delete }", true, false),
        ("removal: { users: deactivate }", false, false),
    ] {
        let reader = Reader::new(directory.path(), Secrets::Needed);
        let root = crate::config::tree::grow(written).unwrap();
        let mut dialect = crate::scim::Dialect::default();
        dialect.user_delete = user_delete;
        let _ = crate::config::removal::removal(&reader.root(&root).unwrap(), Some(&dialect));
        assert_eq!(reader.outcome(written, "c.yaml").is_err(), refused, "{written} {user_delete}");
    }
}

#[test]
fn what_a_channel_leaves_out_about_groups_is_the_target_s_and_where_there_are_none_they_are_refused() {
    let directory = directory();
    let written = "c: { source: s, target: t, schedule: '@daily', users: { base_dn: dc=x }, groups: { base_dn: dc=x } }";
    let told = |change: fn(&mut crate::scim::Dialect)| {
        let mut dialect = crate::scim::Dialect::default();
        change(&mut dialect);
        let reader = Reader::new(directory.path(), Secrets::Needed);
        let root = crate::config::tree::grow(written).unwrap();
        let section = reader.root(&root).unwrap();
        let (name, field) = section.named().remove(0);
        let abilities = [("t", &dialect)].into();
        let around = crate::config::channel::Surroundings { sources: vec!["s"], targets: vec!["t"], abilities };
        let channel = crate::config::channel::channel(name, field, &around);
        let nesting = channel.and_then(|channel| Some(channel.rules.groups?.nesting));
        (nesting, reader.outcome(written, "c.yaml").err().map(|problems| problems.0[0].headline()))
    };
    assert_eq!(told(|_| ()), (Some(Nesting::Flatten), None));
    assert_eq!(told(|dialect| dialect.nesting = Nesting::Keep), (Some(Nesting::Keep), None));
    let (_, refused) = told(|dialect| dialect.groups = false);
    assert!(refused.is_some_and(|problem| problem.contains("c.groups") && problem.contains("has no groups")));
}

#[test]
fn a_merged_channel_keeps_what_it_says_itself() {
    let settings = full();
    let berlin = channel(&settings, "berlin");
    assert_eq!((berlin.mode, berlin.workers), (Mode::Live, 7));
    assert_eq!(berlin.rules.users.scope.group_dns, Vec::new());
}

#[test]
fn windows_that_are_written_replace_the_presets_and_the_others_stay() {
    let directory = directory();
    for (written, expected) in [
        ("per_minute: 600", ["600/min", "1", "unlimited"]),
        ("burst: 20", ["25/s", "20", "unlimited"]),
        ("user_create: { per_hour: 1000 }", ["25/s", "1", "1000/h"]),
        ("per_hour: 0.5, per_second: 3", ["3/s, 0.5/h", "1", "unlimited"]),
        ("user_create: {}", ["25/s", "1", "unlimited"]),
    ] {
        let text = spoilt(&[("    auth:", &format!("    rate: {{ {written} }}\n    auth:"))]);
        let settings = parsed(directory.path(), &text).ok().unwrap();
        let (_, target) = settings.targets.iter().next().unwrap();
        let values = ["rate", "burst", "rate_user_create"].map(|knob| target.dialect.value(knob));
        assert_eq!(values, expected, "{written}");
    }
}

#[test]
fn channels_know_all_that_share_their_target() {
    let settings = full();
    let known =
        |name| channel(&settings, name).rules.channels_of_target.iter().map(|n| n.as_str().to_owned()).collect::<Vec<_>>();
    assert_eq!(known("berlin"), ["chicago", "berlin"]);
    assert_eq!(known("plain"), ["plain"]);
}

#[test]
fn the_list_of_keys_is_what_is_read() {
    let directory = directory();
    let reader = Reader::new(directory.path(), Secrets::Needed);
    let root = crate::config::tree::grow(FULL).unwrap();
    crate::config::load::settings(&reader, &root).unwrap();
    // What a program without the feature refuses is asked for all the same.
    let ticket = crate::config::tree::grow("sources: { a: { urls: ldaps://h, bind: { gssapi: { principal: a@B } } } }").unwrap();
    let _ = crate::config::load::settings(&reader, &ticket);
    let mut listed: Vec<String> = KEYS.iter().map(|key| (*key).to_owned()).collect();
    listed.sort();
    assert_eq!(reader.asked(), listed);
}

#[test]
fn what_a_channel_leaves_out_is_as_the_targets_dialect_has_it() {
    let directory = directory();
    let rules = |changes: &[(&str, &str)]| parsed(directory.path(), &spoilt(changes)).ok().unwrap().channels[0].clone();
    let plain = rules(&[]);
    assert_eq!((plain.rules.user_removal, plain.rules.group_removal), (UserRemoval::Deactivate, GroupRemoval::Delete));
    let dialect = "    dialect: { nesting: keep, user_removal: keep, group_removal: empty }\n    base_url";
    let other = rules(&[("    base_url", dialect)]);
    assert_eq!((other.rules.user_removal, other.rules.group_removal), (UserRemoval::Keep, GroupRemoval::Empty));
    assert_eq!(other.rules.groups.unwrap().nesting, Nesting::Keep);
    let said = "    groups:\n      nesting: flatten\n";
    let removal = "    removal: { users: deactivate, groups: delete }\n    guard:";
    let written = rules(&[("    base_url", dialect), ("    groups:\n", said), ("    guard:", removal)]);
    assert_eq!((written.rules.user_removal, written.rules.group_removal), (UserRemoval::Deactivate, GroupRemoval::Delete));
    assert_eq!(written.rules.groups.unwrap().nesting, Nesting::Flatten);
    assert_eq!(rules(&[("paloalto-cie", "aws-iam-identity-center")]).rules.group_removal, GroupRemoval::Empty);
}

#[test]
fn every_preset_works_with_the_mapping_of_every_directory() {
    let directory = directory();
    for preset in crate::scim::preset_names() {
        let groups = ("    groups:\n      base_dn: \"dc=x\"\n", "");
        let settings = parsed(directory.path(), &spoilt(&[("paloalto-cie", preset), groups]));
        let settings = settings.unwrap_or_else(|problems| panic!("{preset}: {problems}"));
        assert!(matches!(settings.channels[0].rules.mapping, MappingChoice::ByVendor { .. }), "{preset}");
    }
}

#[test]
fn a_target_without_groups_or_deletes_may_be_told_that_it_has_them() {
    let directory = directory();
    for (changes, expected) in [
        (vec![("preset: paloalto-cie", "preset: gitlab"), ("    base_url", "    dialect: { groups: yes }\n    base_url")], None),
        (
            vec![
                ("preset: paloalto-cie", "preset: github-emu"),
                ("    base_url", "    dialect: { user_delete: true }\n    base_url"),
                ("    guard:", "    removal: { users: delete }\n    guard:"),
            ],
            Some(UserRemoval::Delete),
        ),
    ] {
        let settings = parsed(directory.path(), &spoilt(&changes)).unwrap_or_else(|problems| panic!("{problems}"));
        assert_eq!(settings.channels[0].rules.user_removal, expected.unwrap_or(UserRemoval::Deactivate));
    }
}

#[test]
fn a_file_is_loaded_and_its_relative_paths_start_at_it() {
    let directory = directory();
    write(directory.path(), "c.yaml", SOUND, 0o644);
    let settings = crate::config::load(&directory.path().join("c.yaml")).ok().unwrap();
    assert_eq!(settings.state_dir, directory.path().join("state"));
}

#[test]
fn what_works_and_is_still_worth_a_look_is_warned_of() {
    let directory = directory();
    let second = |rest: &str| format!("  boston: {{ source: corp, target: cie, schedule: '@daily', {rest} }}\n");
    for (changes, appended, expected) in [
        (vec![], String::new(), vec![]),
        (
            vec![("    schedule: \"*/5 * * * *\"\n", "")],
            String::new(),
            vec![
                "c.yaml:12:3: channels.chicago: no schedule: this channel runs only by hand [schedule: \"*/5 * * * *\" runs it every five minutes]",
            ],
        ),
        (
            vec![("    bind: { dn: \"cn=sync,dc=x\", password: { file: secret } }\n", "")],
            String::new(),
            vec![
                "c.yaml:3:3: sources.corp: no bind: the directory is read anonymously [most directories, Active Directory among them, show an anonymous reader little or nothing]",
            ],
        ),
        (
            vec![("    auth: { bearer: { file: secret } }\n", "")],
            String::new(),
            vec!["c.yaml:7:3: targets.cie: no auth: requests go out without credentials"],
        ),
        (
            vec![("base_dn: \"dc=x\" }", "base_dn: \"dc=x\", nested: true }")],
            String::new(),
            vec!["c.yaml:16:31: channels.chicago.users.nested: has no effect without group_dn"],
        ),
        (
            vec![("window: 24h", "per_group: { percent: 100 }")],
            String::new(),
            vec![
                "c.yaml:20:7: channels.chicago.guard.per_group: 100 percent and no at_most: this guard never trips [set at_most, or a lower percent]",
            ],
        ),
        (
            vec![("    guard:", "    removal: { groups: { action: empty, delete_adopted: true } }\n    guard:")],
            String::new(),
            vec!["c.yaml:19:41: channels.chicago.removal.groups.delete_adopted: has no effect without action: delete"],
        ),
        (
            vec![("window: 24h", "users: { at_least: 200 }")],
            String::new(),
            vec!["c.yaml:20:7: channels.chicago.guard.users: at_least is above at_most: at_most wins"],
        ),
        (
            vec![("targets:", "  spare: { urls: ldap://localhost, bind: { dn: cn=a, password: { file: secret } } }\ntargets:")],
            String::new(),
            vec!["c.yaml:6:3: sources.spare: no channel uses this source"],
        ),
        (
            vec![],
            second("users: { base_dn: 'ou=b,dc=x' }"),
            vec![
                "c.yaml:21:3: channels.boston: reads users that the channel chicago provisions to cie as well [allowed: chicago stands first, so it decides their attributes]",
            ],
        ),
        (
            vec![("ldaps://dc1.example.com", "ldap://h"), ("    bind:", "    allow_cleartext: true\n    bind:")],
            String::new(),
            vec!["c.yaml:4:12: sources.corp.urls[0]: the bind password travels in clear text [use ldaps:// or start_tls: true]"],
        ),
        (vec![], second("users: { base_dn: dc=y }"), vec![]),
        (vec![], second("users: { base_dn: dc=x, filter: '(a=b)' }"), vec![]),
    ] {
        assert_eq!(warned(directory.path(), &(spoilt(&changes) + &appended)), expected, "{changes:?}{appended}");
    }
}
