//! Everything that is refused, with its exact place.

use super::surroundings::{directory, parsed, spoilt, told};

/// What replaces what, and the one problem that follows. `…` at the end stands for words of another room.
type Row<'a> = (&'a str, &'a str, &'a str);

fn check(rows: &[Row<'_>]) {
    let directory = directory();
    let mut failures = Vec::new();
    for (from, to, expected) in rows {
        let told = told(directory.path(), &spoilt(&[(from, to)]));
        let fits = match (told.as_slice(), expected.strip_suffix('…')) {
            ([one], Some(beginning)) => one.starts_with(beginning),
            ([one], None) => one == expected,
            _ => false,
        };
        if !fits {
            failures.push(format!("{from} → {to}\n expected {expected}\n told     {}", told.join("\n          ")));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn the_sound_configuration_is_accepted() {
    assert_eq!(told(directory().path(), super::surroundings::SOUND), Vec::<String>::new());
}

#[test]
fn a_preset_that_is_not_known_hides_nothing_else() {
    let directory = directory();
    let spoilt = spoilt(&[
        ("preset: paloalto-cie", "preset: paloalto"),
        ("    auth:", "    rat: 5\n    dialect: { op_cas: x }\n    auth:"),
    ]);
    let told = told(directory.path(), &spoilt);
    let expected = [
        "c.yaml:8:13: targets.cie.preset: must be one of generic, paloalto-cie, ",
        "c.yaml:10:5: targets.cie.rat: unknown key [did you mean rate?]",
        "c.yaml:11:16: targets.cie.dialect.op_cas: there is no such knob [did you mean op_case?]",
    ];
    assert_eq!(told.len(), expected.len(), "{told:#?}");
    assert!(told.iter().zip(expected).all(|(told, expected)| told.starts_with(expected)), "{told:#?}");
}

#[test]
fn a_dialect_is_refused_where_it_stands() {
    let dialect = |written: &str| format!("    dialect: {{ {written} }}\n    base_url");
    let rows = [
        ("op_cas: title", "c.yaml:9:16: targets.cie.dialect.op_cas: there is no such knob [did you mean op_case?]"),
        ("op_case: tilte", "c.yaml:9:25: targets.cie.dialect.op_case: must be one of lower, title"),
        ("page_size: 0", "c.yaml:9:27: targets.cie.dialect.page_size: must be a whole number above zero"),
        ("etag: ~", "c.yaml:9:22: targets.cie.dialect.etag: expected text, a number…"),
        (
            "unset: null",
            "c.yaml:9:23: targets.cie.dialect.unset: expected a word, found nothing [null is nothing in YAML; the word stands in \
             quotes: unset: \"null\"]",
        ),
        ("never: [[userType]]", "c.yaml:9:23: targets.cie.dialect.never: expected a list of texts or numbers, found a list"),
        ("never: ['a[b']", "c.yaml:9:23: targets.cie.dialect.never: …"),
        (
            "headers: 'X-A: 1 | authorization: Bearer hunter2'",
            "c.yaml:9:16: targets.cie.dialect.headers: headers that carry credentials are not set here [credentials belong into auth \
             of the target, as a secret]",
        ),
        ("headers: [hunter2]", "c.yaml:9:25: targets.cie.dialect.headers: must be written like X-Name: value"),
        ("longest: userName", "c.yaml:9:25: targets.cie.dialect.longest: must be written like userName 21"),
        ("rate: 5/s", "c.yaml:9:16: targets.cie.dialect.rate: is not set here [there is a key for it: rate of the target]"),
        (
            "workers: 5",
            "c.yaml:9:16: targets.cie.dialect.workers: is not set here [there is a key for it: workers of the channel]",
        ),
        (
            "user_removal: delete, user_delete: no",
            "c.yaml:9:5: targets.cie.dialect: user_removal deletes users, and user_delete is no [deactivate instead…",
        ),
        (
            "groups: no",
            "c.yaml:18:5: channels.chicago.groups: the target's dialect says that it has no groups [leave groups out; if your tenant \
             has them, write dialect: { groups: yes } in the target]",
        ),
    ];
    let written: Vec<(String, &str)> = rows.iter().map(|(written, expected)| (dialect(written), *expected)).collect();
    check(&written.iter().map(|(to, expected)| ("    base_url", to.as_str(), *expected)).collect::<Vec<_>>());
    for (written, _) in written.iter().filter(|(written, _)| written.contains("hunter2")) {
        let told = parsed(directory().path(), &spoilt(&[("    base_url", written)])).unwrap_err().to_string();
        assert!(!told.contains("hunter2"), "{told}");
    }
    check(&[("    base_url", "    dialect: yes\n    base_url", "c.yaml:9:14: targets.cie.dialect: expected a map of keys…")]);
}

#[test]
fn a_preset_keeps_channels_from_what_its_target_does_not_have_or_must_not_do() {
    let directory = directory();
    let github = [("paloalto-cie", "github-emu"), ("    guard:", "    removal: { users: delete }\n    guard:")];
    let said = told(directory.path(), &spoilt(&github));
    assert_eq!(said.len(), 1, "{said:?}");
    for part in ["c.yaml:19:23: channels.chicago.removal.users:", "preset github-emu", "cannot be had back", "user_delete: yes"] {
        assert!(said[0].contains(part), "{part}: {said:?}");
    }
    let said = told(directory.path(), &spoilt(&[("paloalto-cie", "gitlab")]));
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("c.yaml:17:5: channels.chicago.groups: a target of preset gitlab has no groups"), "{said:?}");
}

#[test]
fn keys_are_refused_where_they_stand() {
    check(&[
        ("state_dir:", "statedir:", "c.yaml:1:1: statedir: unknown key [did you mean state_dir?]"),
        ("    urls:", "    ulrs: x\n    urls:", "c.yaml:4:5: sources.corp.ulrs: unknown key [did you mean urls?]"),
        (
            "password: { file: secret } }",
            "password: { file: secret }, dm: x }",
            "c.yaml:5:61: sources.corp.bind.dm: unknown key [did you mean dn?]",
        ),
        (
            "users: { base_dn: \"dc=x\" }",
            "users: { base_dn: \"dc=x\", fliter: \"(a=b)\" }",
            "c.yaml:16:31: channels.chicago.users.fliter: unknown key [did you mean filter?]",
        ),
        (
            "      window:",
            "      windows: 1\n      window:",
            "c.yaml:20:7: channels.chicago.guard.windows: unknown key [did you mean window?]",
        ),
        (
            "{ bearer: { file: secret } }",
            "{ bearer: { file: secret }, xyz: 1 }",
            "c.yaml:10:39: targets.cie.auth: unknown key [known here: expires_on, bearer, basic, header, oauth]",
        ),
        (
            "    preset:",
            "    7: x\n    preset:",
            "c.yaml:8:5: targets.cie: expected text as a key, found a number [put it in quotes]",
        ),
        (
            "    source: corp",
            "    {}: x\n    source: corp",
            "c.yaml:13:5: channels.chicago: expected text as a key, found a map [put it in quotes]",
        ),
    ]);
}

#[test]
fn a_key_that_stands_twice_is_refused_at_every_level() {
    check(&[
        ("sources:", "state_dir: x\nsources:", "c.yaml:2:1: state_dir: the key stands here twice [keep one of the two]"),
        (
            "targets:",
            "  corp: { urls: ldaps://y }\ntargets:",
            "c.yaml:6:3: sources.corp: the key stands here twice [keep one of the two]",
        ),
        (
            "users: { base_dn: \"dc=x\" }",
            "users: { base_dn: \"dc=x\", base_dn: \"dc=y\" }",
            "c.yaml:16:31: channels.chicago.users.base_dn: the key stands here twice [keep one of the two]",
        ),
        (
            "    guard:",
            "    mapping: { users: { rules: { title: title, title: cn } } }\n    guard:",
            "c.yaml:19:48: channels.chicago.mapping.users.rules.title: the key stands here twice [keep one of the two]",
        ),
    ]);
}

#[test]
fn what_cannot_be_merged_is_refused() {
    check(&[(
        "    source: corp",
        "    <<: 7\n    source: corp",
        "c.yaml:13:5: channels.chicago.<<: expected a map to merge, found a number",
    )]);
}

#[test]
fn keys_that_must_be_there_are_missed_at_their_section() {
    check(&[
        ("    urls: [\"ldaps://dc1.example.com\", \"ldap://127.0.0.1:389\"]\n", "", "c.yaml:3:3: sources.corp.urls: is missing"),
        ("dn: \"cn=sync,dc=x\", ", "", "c.yaml:5:5: sources.corp.bind.dn: is missing"),
        ("    base_url: https://scim.example.com/v2\n", "", "c.yaml:7:3: targets.cie.base_url: is missing"),
        ("    source: corp\n", "", "c.yaml:12:3: channels.chicago.source: is missing"),
        ("base_dn: \"dc=x\" }", "nested: false }", "c.yaml:16:5: channels.chicago.users.base_dn: is missing"),
        (
            "    users: { base_dn: \"dc=x\" }\n    groups:\n      base_dn: \"dc=x\"\n",
            "",
            "c.yaml:12:3: channels.chicago.users: is missing",
        ),
        (
            "  guard:\n      window: 24h\n",
            "  removal: { users: {} }\n",
            "c.yaml:19:16: channels.chicago.removal.users.action: is missing",
        ),
    ]);
}

#[test]
fn values_of_the_wrong_kind_are_refused() {
    check(&[
        ("state_dir: state", "state_dir: 7", "c.yaml:1:12: state_dir: expected text, found a number [put it in quotes]"),
        (
            "state_dir: state",
            "state_dir:",
            "c.yaml:1:11: state_dir: expected text, found nothing [leave the key out if it is not needed]",
        ),
        ("state_dir: state", "state_dir: \" \"", "c.yaml:1:12: state_dir: is empty"),
        (
            "    bind:",
            "    start_tls: maybe\n    bind:",
            "c.yaml:5:16: sources.corp.start_tls: expected true or false, found text",
        ),
        (
            "    bind:",
            "    vendor: openldap\n    in_chain: true\n    bind:",
            "c.yaml:6:15: sources.corp.in_chain: the matching rule in-chain is Active Directory's",
        ),
        ("    bind:", "    page_size: 1001\n    bind:", "c.yaml:5:16: sources.corp.page_size: must be from 1 to 1000"),
        (
            "    bind:",
            "    page_size: 2.5\n    bind:",
            "c.yaml:5:16: sources.corp.page_size: expected a whole number, found a number",
        ),
        ("    bind:", "    timeouts: 10s\n    bind:", "c.yaml:5:15: sources.corp.timeouts: expected a map of keys, found text"),
        (
            "    groups:\n      base_dn: \"dc=x\"\n",
            "    groups: [cn]\n",
            "c.yaml:17:13: channels.chicago.groups: expected a map of keys, found a list",
        ),
        ("    guard:", "    workers: 0\n    guard:", "c.yaml:19:14: channels.chicago.workers: must be from 1 to 100"),
        ("    guard:", "    workers: 101\n    guard:", "c.yaml:19:14: channels.chicago.workers: must be from 1 to 100"),
        ("    guard:", "    workers: -1\n    guard:", "c.yaml:19:14: channels.chicago.workers: must be from 1 to 100"),
        (
            "window: 24h",
            "window: 24",
            "c.yaml:20:15: channels.chicago.guard.window: expected a duration such as 90s, 30m, 24h or 1d, found a number",
        ),
        (
            "window: 24h",
            "window: soon",
            "c.yaml:20:15: channels.chicago.guard.window: expected a duration such as 90s, 30m, 24h or 1d",
        ),
        (
            "window: 24h",
            "window: 1mo",
            "c.yaml:20:15: channels.chicago.guard.window: expected a duration such as 90s, 30m, 24h or 1d",
        ),
        ("window: 24h", "window: 1s", "c.yaml:20:15: channels.chicago.guard.window: must be from 1m to 366d"),
        ("window: 24h", "users: { percent: 101 }", "c.yaml:20:25: channels.chicago.guard.users.percent: must be from 0 to 100"),
        ("window: 24h", "users: { percent: .nan }", "c.yaml:20:25: channels.chicago.guard.users.percent: must be from 0 to 100"),
        (
            "    auth:",
            "    rate: { per_second: 0 }\n    auth:",
            "c.yaml:10:25: targets.cie.rate.per_second: must be from 0.01 to 10000",
        ),
        (
            "    auth:",
            "    rate: { per_minute: -1 }\n    auth:",
            "c.yaml:10:25: targets.cie.rate.per_minute: must be from 0.01 to 600000",
        ),
        (
            "    auth:",
            "    rate: { per_hour: 1e9 }\n    auth:",
            "c.yaml:10:23: targets.cie.rate.per_hour: must be from 0.01 to 36000000",
        ),
        (
            "    auth:",
            "    rate: { user_create: { per_hour: 0 } }\n    auth:",
            "c.yaml:10:38: targets.cie.rate.user_create.per_hour: must be from 0.01 to 36000000",
        ),
        (
            "    auth:",
            "    rate: { group_update: 5 }\n    auth:",
            "c.yaml:10:27: targets.cie.rate.group_update: expected a map of keys, found a number",
        ),
        (
            "    auth:",
            "    rate: { read: { burst: 5 } }\n    auth:",
            "c.yaml:10:21: targets.cie.rate.read.burst: unknown key [known here: per_second, per_minute, per_hour]",
        ),
        ("    auth:", "    rate: { burst: 0 }\n    auth:", "c.yaml:10:20: targets.cie.rate.burst: must be from 1 to 10000"),
        (
            "    auth:",
            "    rate: { burst: many }\n    auth:",
            "c.yaml:10:20: targets.cie.rate.burst: expected a whole number, found text",
        ),
    ]);
}

#[test]
fn words_that_are_not_known_are_refused() {
    check(&[
        (
            "    bind:",
            "    vendor: activedirectory\n    bind:",
            "c.yaml:5:13: sources.corp.vendor: must be one of auto, active_directory, openldap, ds389, ping_directory, generic [did you mean active_directory?]",
        ),
        (
            "    bind:",
            "    tracking: dirsinc\n    bind:",
            "c.yaml:5:15: sources.corp.tracking: must be one of auto, full, usn, dirsync, syncrepl, timestamp [did you mean dirsync?]",
        ),
        (
            "    bind:",
            "    tracking: usn\n    vendor: openldap\n    bind:",
            "c.yaml:5:15: sources.corp.tracking: the vendor openldap does not tell its changes in this way [take syncrepl or timestamp, or auto]",
        ),
        (
            "    bind:",
            "    tracking: dirsync\n    vendor: generic\n    bind:",
            "c.yaml:5:15: sources.corp.tracking: the vendor generic does not tell its changes in this way [take timestamp, or auto]",
        ),
        (
            "    bind:",
            "    tracking: syncrepl\n    vendor: active_directory\n    bind:",
            "c.yaml:5:15: sources.corp.tracking: the vendor active_directory does not tell its changes in this way [take dirsync or usn, or auto]",
        ),
        (
            "    guard:",
            "    mode: liv\n    guard:",
            "c.yaml:19:11: channels.chicago.mode: must be one of live, preview [did you mean live?]",
        ),
        (
            "    guard:",
            "    existing: linkonly\n    guard:",
            "c.yaml:19:15: channels.chicago.existing: must be one of overwrite, link_only, never [did you mean link_only?]",
        ),
        (
            "    guard:",
            "    removal: { users: disable }\n    guard:",
            "c.yaml:19:23: channels.chicago.removal.users: must be one of deactivate, deactivate_then_delete, delete, keep…",
        ),
        (
            "    guard:",
            "    removal: { users: deactivate_then_delete }\n    guard:",
            "c.yaml:19:23: channels.chicago.removal.users: after is missing: how long until they are deleted [users: { action: deactivate_then_delete, after: 30d }]",
        ),
        (
            "    guard:",
            "    removal: { users: { action: deactivate_then_delete, after: 5h } }\n    guard:",
            "c.yaml:19:64: channels.chicago.removal.users.after: must be from 1d to 3650d",
        ),
        (
            "    guard:",
            "    removal: { users: { action: delete, after: 5d } }\n    guard:",
            "c.yaml:19:48: channels.chicago.removal.users.after: goes with action: deactivate_then_delete alone",
        ),
        (
            "    guard:",
            "    removal: { users: { action: keep, delete_adopted: true } }\n    guard:",
            "c.yaml:19:39: channels.chicago.removal.users.delete_adopted: unknown key…",
        ),
        (
            "    groups:\n",
            "    groups:\n      members: exactly\n",
            "c.yaml:18:16: channels.chicago.groups.members: must be one of managed, add_only, exact [did you mean exact?]",
        ),
        (
            "    groups:\n",
            "    groups:\n      same_name: join\n",
            "c.yaml:18:18: channels.chicago.groups.same_name: must be one of hold, merge",
        ),
        (
            "    groups:\n",
            "    groups:\n      recreated: delete\n",
            "c.yaml:18:18: channels.chicago.groups.recreated: must be one of relink, hold…",
        ),
        (
            "    guard:",
            "    removal: { groups: { action: deactivate } }\n    guard:",
            "c.yaml:19:34: channels.chicago.removal.groups.action: must be one of delete, empty, keep",
        ),
        (
            "      base_dn: \"dc=x\"\n",
            "      nesting: flat\n",
            "c.yaml:18:16: channels.chicago.groups.nesting: must be one of flatten, keep [did you mean flatten?]",
        ),
        (
            "      base_dn: \"dc=x\"\n",
            "      name: \"(cn)\"\n",
            "c.yaml:18:13: channels.chicago.groups.name: not the name of an LDAP attribute",
        ),
        ("preset: paloalto-cie", "preset: paloalto-cei", "c.yaml:8:13: targets.cie.preset: must be one of …"),
        (
            "    guard:",
            "    mapping: { users: { preset: ad } }\n    guard:",
            "c.yaml:19:33: channels.chicago.mapping.users.preset: must be one of auto, active_directory, inetorgperson, none…",
        ),
    ]);
}

#[test]
fn references_names_and_empty_sections_are_refused() {
    check(&[
        (
            "source: corp",
            "source: crop",
            "c.yaml:13:13: channels.chicago.source: there is no source \"crop\" [did you mean corp?]",
        ),
        ("target: cie", "target: okta", "c.yaml:14:13: channels.chicago.target: there is no target \"okta\" [there is cie]"),
        (
            "  chicago:",
            "  chicago north:",
            "c.yaml:12:3: channels.'chicago north': the name of a channel is made of letters, digits, - _ and .",
        ),
    ]);
    let directory = directory();
    let head = super::surroundings::SOUND.split("channels:").next().unwrap().to_owned();
    for (tail, expected) in [
        ("channels: {}\n", "c.yaml:11:1: channels: there is no channel here"),
        ("channels:\n", "c.yaml:11:10: channels: expected a map of keys, found nothing [leave the key out if it is not needed]"),
        ("", "c.yaml:1:1: channels: is missing"),
    ] {
        assert_eq!(told(directory.path(), &format!("{head}{tail}")), [expected]);
    }
}

#[test]
fn urls_that_cannot_be_used_are_refused() {
    check(&[
        (
            "ldaps://dc1.example.com",
            "https://dc1.example.com",
            "c.yaml:4:12: sources.corp.urls[0]: the URL must begin with ldaps:// or ldap://",
        ),
        (
            "ldap://127.0.0.1:389",
            "dap://x",
            "c.yaml:4:39: sources.corp.urls[1]: the URL must begin with ldaps:// or ldap:// [did you mean ldap?]",
        ),
        (
            "ldap://127.0.0.1:389",
            "dc2.example.com",
            "c.yaml:4:39: sources.corp.urls[1]: not a URL: it must begin with ldaps:// or ldap://",
        ),
        (
            "ldap://127.0.0.1:389",
            "ldaps://h/dc=x",
            "c.yaml:4:39: sources.corp.urls[1]: the URL must not hold a DN: base DNs stand in the channels",
        ),
        (
            "ldap://127.0.0.1:389",
            "ldaps://me:hunter2@h",
            "c.yaml:4:39: sources.corp.urls[1]: the URL must not hold a user name or password",
        ),
        ("ldap://127.0.0.1:389", "ldaps://", "c.yaml:4:39: sources.corp.urls[1]: the URL names no host"),
        ("[\"ldaps://dc1.example.com\", \"ldap://127.0.0.1:389\"]", "[]", "c.yaml:4:11: sources.corp.urls: the list is empty"),
        (
            "https://scim.example.com/v2",
            "ftp://scim.example.com/v2",
            "c.yaml:9:15: targets.cie.base_url: the URL must begin with https:// or http://",
        ),
        (
            "https://scim.example.com/v2",
            "https://scim.example.com/v2?x=1",
            "c.yaml:9:15: targets.cie.base_url: the URL must not hold a ? or #",
        ),
        ("https://scim.example.com/v2", "https://", "c.yaml:9:15: targets.cie.base_url: not a URL: empty host"),
    ]);
}

#[test]
fn clear_text_is_refused_unless_it_stays_here_or_is_allowed() {
    check(&[
        (
            "ldaps://dc1.example.com",
            "ldap://dc1.example.com",
            "c.yaml:4:12: sources.corp.urls[0]: the bind password would travel in clear text [use ldaps:// or start_tls: true, or allow_cleartext: true if you must]",
        ),
        (
            "https://scim",
            "http://scim",
            "c.yaml:9:15: targets.cie.base_url: everything, the token included, would travel in clear text [use https://, or allow_cleartext: true if you must]",
        ),
        (
            "    bind:",
            "    start_tls: true\n    bind:",
            "c.yaml:5:16: sources.corp.start_tls: StartTLS is for ldap:// URLs; an ldaps:// connection is encrypted already",
        ),
    ]);
    let simple = "bind: { dn: \"cn=sync,dc=x\", password: { file: secret } }";
    let external = "bind: { external: { certificate: client.pem, key: client.key } }";
    let directory = directory();
    for (changes, expected) in [
        (
            vec![("\"ldaps://dc1.example.com\", ", ""), (simple, external)],
            "c.yaml:4:12: sources.corp.urls[0]: a client certificate is shown only on an encrypted connection [use ldaps:// or start_tls: true]",
        ),
        (
            vec![(simple, "bind: { external: { certificate: client.pem, key: other.key } }")],
            "c.yaml:5:55: sources.corp.bind.external.key: the file other.key is not the key of the certificate client.pem",
        ),
        (
            vec![(simple, "bind: { dn: cn=a, external: { certificate: client.pem, key: client.key } }")],
            "c.yaml:5:33: sources.corp.bind.external: stands alone [a bind is dn with password, or external, or gssapi]",
        ),
        #[cfg(not(feature = "gssapi"))]
        (
            vec![(simple, "bind: { gssapi: { principal: sync@EXAMPLE.COM } }")],
            "c.yaml:5:21: sources.corp.bind.gssapi: this program was built without the feature gssapi [build it with: cargo build --release --features gssapi]",
        ),
        #[cfg(feature = "gssapi")]
        (
            vec![(simple, "bind: { gssapi: { principal: sync } }")],
            "c.yaml:5:34: sources.corp.bind.gssapi.principal: is no principal with its realm, such as sync@EXAMPLE.COM",
        ),
        (
            vec![(simple, "bind: { external: { certificate: client.pem } }")],
            "c.yaml:5:13: sources.corp.bind.external.key: is missing",
        ),
    ] {
        let found = told(directory.path(), &spoilt(&changes));
        let found: Vec<String> = found.iter().map(|line| line.replace(&format!("{}/", directory.path().display()), "")).collect();
        assert_eq!(found, [expected], "{changes:?}");
    }
    for changes in [
        vec![("ldaps://dc1.example.com", "ldap://localhost"), ("https://scim.example.com", "http://[::1]:80")],
        vec![("ldaps://dc1.example.com", "ldap://[::1]"), ("https://scim.example.com", "http://127.1.2.3")],
        vec![("ldaps://dc1.example.com", "ldap://h"), ("    bind:", "    allow_cleartext: true\n    bind:")],
        vec![("ldaps://dc1.example.com", "ldap://h"), ("    bind:", "    start_tls: true\n    bind:")],
        vec![("https://scim.example.com", "http://h"), ("    auth:", "    allow_cleartext: true\n    auth:")],
        vec![("ldaps://dc1.example.com", "ldap://h"), ("    bind: { dn: \"cn=sync,dc=x\", password: { file: secret } }\n", "")],
    ] {
        assert_eq!(told(directory.path(), &spoilt(&changes)), Vec::<String>::new(), "{changes:?}");
    }
}

#[test]
fn names_filters_schedules_zones_and_rules_are_refused_where_they_break() {
    check(&[
        (
            "users: { base_dn: \"dc=x\" }",
            "users: { base_dn: \"dc=x,ou\" }",
            "c.yaml:16:31: channels.chicago.users.base_dn: not a distinguished name: an attribute type without = and a value",
        ),
        (
            "users: { base_dn: \"dc=x\" }",
            "users: { base_dn: [\"dc=x\", \"nonsense\"] }",
            "c.yaml:16:41: channels.chicago.users.base_dn[1]: not a distinguished name: an attribute type without = and a value",
        ),
        (
            "users: { base_dn: \"dc=x\" }",
            "users: { base_dn: \"dc=x\", filter: \"(cn=a\" }",
            "c.yaml:16:39: channels.chicago.users.filter: not an LDAP filter: …",
        ),
        (
            "users: { base_dn: \"dc=x\" }",
            "users: { base_dn: \"dc=x\", filter: [\"(a=b)\", \"(&\"] }",
            "c.yaml:16:49: channels.chicago.users.filter[1]: not an LDAP filter: …",
        ),
        (
            "\"*/5 * * * *\"",
            "\"*/5 * * *\"",
            "c.yaml:15:15: channels.chicago.schedule: not a cron expression: needs five fields (minute, hour, day, month, weekday), found 4",
        ),
        (
            "\"*/5 * * * *\"",
            "\"0 0 30 2 *\"",
            "c.yaml:15:15: channels.chicago.schedule: not a cron expression: names a moment that never comes",
        ),
        (
            "    guard:",
            "    time_zone: Europe/Berlim\n    guard:",
            "c.yaml:19:16: channels.chicago.time_zone: not a time zone of the IANA database, such as Europe/Berlin [did you mean Europe/Berlin?]",
        ),
        (
            "    guard:",
            "    mapping: { users: { rules: { \"a b\": cn } } }\n    guard:",
            "c.yaml:19:34: channels.chicago.mapping.users.rules.'a b': …",
        ),
        (
            "    guard:",
            "    mapping: { users: { rules: { title: 7 } } }\n    guard:",
            "c.yaml:19:41: channels.chicago.mapping.users.rules.title: expected text, found a number [put it in quotes]",
        ),
        (
            "    guard:",
            "    mapping: { users: { rules: { title: \"cn)\" } } }\n    guard:",
            "c.yaml:19:44: channels.chicago.mapping.users.rules.title: …",
        ),
        (
            "    auth:",
            "    ca_file: none.pem\n    auth:",
            "c.yaml:10:14: targets.cie.ca_file: none.pem: No such file or directory (os error 2)",
        ),
        (
            "    auth:",
            "    ca_file: secret\n    auth:",
            "c.yaml:10:14: targets.cie.ca_file: secret holds no certificate in PEM form",
        ),
    ]);
}

#[test]
fn text_that_is_not_one_yaml_document_is_told_at_once() {
    let directory = directory();
    for (text, expected) in [
        ("", "c.yaml: the file is empty"),
        ("# nothing\n", "c.yaml: the file is empty"),
        ("a: b: c\n", "c.yaml:1:5: not readable as YAML: mapping values are not allowed in this context"),
        ("a: [1\nb: 2\n", "c.yaml:2:2: not readable as YAML: did not find expected ',' or ']'"),
        ("a:\n\tb: 1\n", "c.yaml:2:1: not readable as YAML: found character that cannot start any token"),
        ("a: *nobody\n", "c.yaml:1:4: not readable as YAML: unknown anchor"),
        ("a: 1\n---\nb: 2\n", "c.yaml: the file holds more than one YAML document (a line of ---)"),
        (
            "a: !secret x\n",
            "c.yaml:1:4: not readable as YAML: YAML tags (a word after !) have no meaning here; quote the text if the ! belongs to it",
        ),
        ("just text\n", "c.yaml:1:1: expected a map of keys, found text"),
    ] {
        assert_eq!(told(directory.path(), text), [expected], "{text:?}");
    }
}

#[test]
fn everything_is_told_in_one_go_in_the_order_of_the_file() {
    let directory = directory();
    let text = spoilt(&[
        ("state_dir", "statedir"),
        ("ldaps://dc1", "ldap://dc1"),
        ("cn=sync,dc=x", "sync"),
        ("paloalto-cie", "nothing"),
        ("source: corp", "source: crop"),
        ("*/5 * * * *", "*/5"),
        ("window: 24h", "window: 0"),
    ]);
    let places: Vec<String> =
        told(directory.path(), &text).iter().map(|line| line.split(": ").take(2).collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(
        places,
        [
            "c.yaml:1:1 statedir",
            "c.yaml:4:12 sources.corp.urls[0]",
            "c.yaml:5:22 sources.corp.bind.dn",
            "c.yaml:8:13 targets.cie.preset",
            "c.yaml:13:13 channels.chicago.source",
            "c.yaml:15:15 channels.chicago.schedule",
            "c.yaml:20:15 channels.chicago.guard.window",
        ]
    );
}

#[test]
fn a_mistake_behind_an_alias_is_told_once() {
    let directory = directory();
    let text = spoilt(&[("    groups:\n      base_dn", "    groups: &g\n      base_db: x\n      base_dn")])
        + "  boston: { source: corp, target: cie, users: { base_dn: dc=y }, groups: *g }\n";
    assert_eq!(
        told(directory.path(), &text),
        ["c.yaml:18:7: channels.chicago.groups.base_db: unknown key [did you mean base_dn?]"]
    );
}

#[test]
fn a_problem_is_shown_with_its_line_and_a_caret() {
    let directory = directory();
    let problems = parsed(directory.path(), &spoilt(&[("source: corp", "source: crop")])).err().unwrap();
    assert_eq!(
        problems.to_string().replace(&format!("{}/", directory.path().display()), ""),
        "c.yaml:13:13: channels.chicago.source: there is no source \"crop\"\n  13 |     source: crop\n     |             ^ did you mean corp?"
    );
}

#[test]
fn a_file_that_cannot_be_read_is_told_by_its_name() {
    let directory = directory();
    let problems = crate::config::load(&directory.path().join("none.yaml")).err().unwrap();
    assert!(problems.to_string().ends_with("none.yaml: cannot be read: No such file or directory (os error 2)"), "{problems}");
}
