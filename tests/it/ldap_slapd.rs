//! The source against a real OpenLDAP server.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ldap2scim::cycle::{Source, SourceError};
use ldap2scim::ldap::{Bind, Directory, Settings, Tracking};
use ldap2scim::model::{AttributeName, Coverage, Dn, Entry, ResourceType, ScopeGroup, Selection, Status, Vendor, Wanted};
use ldap2scim::secret::Secret;
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;

use crate::support::slapd::{SUFFIX, Setup, Slapd, free_port};

fn dn(text: &str) -> Dn {
    Dn::parse(text).unwrap()
}

fn people() -> Wanted {
    let below = |base: &str| Selection { base_dns: vec![dn(base)], filter: None };
    Wanted {
        users: below("ou=People,dc=example,dc=com"),
        user_attributes: vec![AttributeName::new("uid"), AttributeName::new("cn"), AttributeName::new("mail")],
        groups: Some(below("ou=Groups,dc=example,dc=com")),
        group_attributes: vec![AttributeName::new("cn")],
        membership: true,
        scope_groups: Vec::new(),
    }
}

struct Read {
    entries: Vec<Entry>,
    coverage: Result<Coverage, SourceError>,
}

impl Read {
    /// First RDN values, users and groups apart.
    fn names(&self, resource_type: ResourceType) -> Vec<&str> {
        let of_type = self.entries.iter().filter(|entry| entry.resource_type == resource_type);
        let mut names: Vec<&str> = of_type.map(|entry| entry.dn.as_str()).collect();
        names.sort_unstable();
        names
    }

    fn full(self) -> Self {
        assert!(matches!(self.coverage, Ok(Coverage::Full)), "{:?}", self.coverage);
        self
    }

    /// The causes of a partial reading.
    fn causes(&self) -> String {
        match &self.coverage {
            Ok(Coverage::Partial(causes)) => causes.join("\n"),
            other => panic!("not partial: {other:?}"),
        }
    }

    fn at(&self, text: &str) -> &Entry {
        self.entries.iter().find(|entry| entry.dn == dn(text)).unwrap_or_else(|| panic!("no {text}"))
    }
}

async fn read(settings: Settings, wanted: &Wanted) -> Read {
    read_from(&Directory::new(settings), wanted).await
}

async fn read_from(directory: &Directory, wanted: &Wanted) -> Read {
    let (sender, mut receiver) = mpsc::channel(16);
    let taking = tokio::spawn(async move {
        let mut entries = Vec::new();
        while let Some(entry) = receiver.recv().await {
            entries.push(entry);
        }
        entries
    });
    let coverage = directory.read(wanted, sender).await.map(|reading| reading.coverage);
    Read { entries: taking.await.unwrap(), coverage }
}

fn unit(name: &str) -> String {
    format!("dn: ou={name},{SUFFIX}\nobjectClass: organizationalUnit\nou: {name}\n\n")
}

fn user(uid: &str) -> String {
    format!(
        "dn: uid={uid},ou=People,{SUFFIX}\nobjectClass: inetOrgPerson\nuid: {uid}\ncn: {uid} Example\nsn: Example\nmail: {uid}@example.com\n\n"
    )
}

fn group(dn: &str, members: &[&str]) -> String {
    let members: String = members.iter().map(|member| format!("member: {member}\n")).collect();
    let name = dn.split(['=', ',']).nth(1).unwrap();
    format!("dn: {dn}\nobjectClass: groupOfNames\ncn: {name}\n{members}\n")
}

fn ada_and_bob() -> String {
    [
        unit("People"),
        unit("Groups"),
        user("ada"),
        user("bob"),
        group("cn=staff,ou=Groups,dc=example,dc=com", &["uid=ada,ou=People,dc=example,dc=com"]),
    ]
    .concat()
}

#[tokio::test]
async fn groups_come_before_users_with_ids_members_and_the_wanted_attributes() {
    let slapd = Slapd::start(&ada_and_bob());
    let directory = Directory::new(slapd.settings());
    assert_eq!(directory.identify().await.unwrap(), Vendor::OpenLdap);
    let read = read_from(&directory, &people()).await.full();
    let kinds: Vec<ResourceType> = read.entries.iter().map(|entry| entry.resource_type).collect();
    assert_eq!(kinds, [ResourceType::Group, ResourceType::User, ResourceType::User]);
    let staff = read.at("cn=staff,ou=Groups,dc=example,dc=com");
    assert_eq!(staff.members, Some(vec![dn("uid=ada,ou=People,dc=example,dc=com")]));
    assert!(staff.selected);
    let ada = read.at("uid=ada,ou=People,dc=example,dc=com");
    assert_eq!(ada.status, Status::Enabled);
    assert_eq!(ada.attributes.keys().map(AttributeName::as_str).collect::<Vec<_>>(), ["cn", "mail", "uid"]);
    let id = slapd.ldapsearch(ada.dn.as_str(), "(objectClass=*)", &["entryUUID"]);
    assert!(id.contains(&format!("entryUUID: {}\n", ada.id)), "{id}");
}

#[tokio::test]
async fn paging_reads_beyond_the_size_limit() {
    let users: String = (0..1203).map(|n| user(&format!("u{n}"))).collect();
    let slapd = Slapd::start(&[unit("People"), unit("Groups"), users].concat());
    assert_eq!(read(slapd.settings(), &people()).await.full().entries.len(), 1203);
}

#[tokio::test]
async fn a_page_size_that_the_server_refuses_is_made_smaller() {
    let users: String = (0..250).map(|n| user(&format!("u{n}"))).collect();
    let ldif = [unit("People"), unit("Groups"), users].concat();
    let limits = "size.soft=500 size.hard=5000 size.pr=100 size.prtotal=unlimited";
    let slapd = Slapd::with(Setup { ldif, limits, ..Setup::default() });
    assert_eq!(read(slapd.settings(), &people()).await.full().entries.len(), 250);
}

#[tokio::test]
async fn a_search_cut_by_a_size_limit_is_partial() {
    let users: String = (0..300).map(|n| user(&format!("u{n}"))).collect();
    let ldif = [unit("People"), unit("Groups"), users].concat();
    let limits = "size.soft=200 size.hard=200 size.pr=100 size.prtotal=200";
    let slapd = Slapd::with(Setup { ldif, limits, ..Setup::default() });
    let read = read(slapd.settings(), &people()).await;
    assert!(!read.entries.is_empty());
    assert!(read.causes().contains("LimitExceeded"), "{}", read.causes());
}

#[tokio::test]
async fn a_referral_entry_makes_the_reading_partial() {
    let referral = "dn: ou=Elsewhere,ou=People,dc=example,dc=com\nobjectClass: referral\nobjectClass: extensibleObject\nou: Elsewhere\nref: ldap://other.example.com/ou=People,dc=other\n\n";
    let slapd = Slapd::start(&[ada_and_bob(), referral.to_owned()].concat());
    let read = read(slapd.settings(), &people()).await;
    assert_eq!(read.names(ResourceType::User).len(), 2);
    assert!(read.causes().contains("ldap://other.example.com/ou=People,dc=other"), "{}", read.causes());
}

#[tokio::test]
async fn a_base_that_does_not_exist_is_partial_or_an_error() {
    let slapd = Slapd::start(&ada_and_bob());
    let mut wanted = people();
    wanted.users.base_dns.push(dn("ou=Gone,dc=example,dc=com"));
    let some = read(slapd.settings(), &wanted).await;
    assert!(some.causes().contains("ou=Gone,dc=example,dc=com") && some.causes().contains("noSuchObject (32)"));
    wanted.users.base_dns = vec![dn("ou=Gone,dc=example,dc=com")];
    wanted.groups = None;
    let none = read(slapd.settings(), &wanted).await;
    assert!(matches!(none.coverage, Err(SourceError::Failed { .. })), "{:?}", none.coverage);
}

#[tokio::test]
async fn a_scope_group_outside_the_bases_brings_the_groups_nested_in_it() {
    let ldif = [
        ada_and_bob(),
        unit("Far"),
        unit("Farther"),
        group(
            "cn=scope,ou=Far,dc=example,dc=com",
            &["cn=inner,ou=Farther,dc=example,dc=com", "uid=none,ou=Far,dc=example,dc=com"],
        ),
        group(
            "cn=inner,ou=Farther,dc=example,dc=com",
            &["cn=back,ou=Groups,dc=example,dc=com", "uid=ada,ou=People,dc=example,dc=com"],
        ),
        group("cn=back,ou=Groups,dc=example,dc=com", &["cn=last,ou=Far,dc=example,dc=com", "cn=scope,ou=Far,dc=example,dc=com"]),
        group("cn=last,ou=Far,dc=example,dc=com", &["uid=bob,ou=People,dc=example,dc=com"]),
        group("cn=unrelated,ou=Far,dc=example,dc=com", &["uid=bob,ou=People,dc=example,dc=com"]),
    ]
    .concat();
    let slapd = Slapd::start(&ldif);
    let mut wanted = people();
    wanted.scope_groups = vec![ScopeGroup { dn: dn("CN=Scope, OU=Far, DC=Example, DC=com"), id: None }];
    let read = read(slapd.settings(), &wanted).await.full();
    let groups: BTreeMap<&str, bool> = read
        .entries
        .iter()
        .filter(|entry| entry.resource_type == ResourceType::Group)
        .map(|entry| (entry.dn.as_str().split(',').next().unwrap(), entry.selected))
        .collect();
    let expected = [("cn=back", true), ("cn=inner", false), ("cn=last", false), ("cn=scope", false), ("cn=staff", true)];
    assert_eq!(groups, BTreeMap::from(expected));
}

#[tokio::test]
async fn a_provisioned_group_brings_the_groups_nested_in_it_from_outside_the_bases() {
    let ldif = [
        ada_and_bob(),
        unit("Far"),
        group("cn=outer,ou=Groups,dc=example,dc=com", &["cn=inner,ou=Far,dc=example,dc=com"]),
        group("cn=inner,ou=Far,dc=example,dc=com", &["cn=deep,ou=Far,dc=example,dc=com"]),
        group("cn=deep,ou=Far,dc=example,dc=com", &["uid=bob,ou=People,dc=example,dc=com", "cn=inner,ou=Far,dc=example,dc=com"]),
    ]
    .concat();
    let slapd = Slapd::start(&ldif);
    let read = read(slapd.settings(), &people()).await.full();
    for (name, selected) in [("cn=outer,ou=Groups", true), ("cn=inner,ou=Far", false), ("cn=deep,ou=Far", false)] {
        assert_eq!(read.at(&format!("{name},dc=example,dc=com")).selected, selected, "{name}");
    }
    assert_eq!(read.names(ResourceType::Group).len(), 4);
}

#[tokio::test]
async fn a_scope_group_that_is_missing_empty_or_none_makes_the_reading_partial() {
    let ldif = [ada_and_bob(), unit("Far"), group("cn=empty,ou=Far,dc=example,dc=com", &[""])].concat();
    let slapd = Slapd::start(&ldif.replace("member: \n", "member:\n"));
    for (group, sentence) in [
        ("cn=gone,ou=Far,dc=example,dc=com", "does not exist"),
        ("cn=gone,ou=Groups,dc=example,dc=com", "does not exist"),
        ("cn=empty,ou=Far,dc=example,dc=com", "has no members"),
        ("uid=ada,ou=People,dc=example,dc=com", "is not a group"),
    ] {
        let mut wanted = people();
        wanted.scope_groups = vec![ScopeGroup { dn: dn(group), id: None }];
        let read = read(slapd.settings(), &wanted).await;
        assert!(read.causes().contains(sentence), "{group}: {}", read.causes());
        assert_eq!(read.names(ResourceType::User).len(), 2, "what can be read is read");
    }
}

#[tokio::test]
async fn an_unreadable_scope_group_makes_the_reading_partial() {
    let access = "access to dn.base=\"cn=staff,ou=Groups,dc=example,dc=com\" attrs=member by * none";
    let slapd = Slapd::with(Setup { ldif: ada_and_bob(), access, ..Setup::default() });
    let mut wanted = people();
    wanted.scope_groups = vec![ScopeGroup { dn: dn("cn=staff,ou=Groups,dc=example,dc=com"), id: None }];
    assert!(read(slapd.settings(), &wanted).await.causes().contains("cannot be read"));
}

#[tokio::test]
async fn a_group_that_must_have_members_and_shows_none_makes_the_reading_partial() {
    let access = "access to dn.base=\"cn=staff,ou=Groups,dc=example,dc=com\" attrs=member by * none";
    let slapd = Slapd::with(Setup { ldif: ada_and_bob(), access, ..Setup::default() });
    let read = read(slapd.settings(), &people()).await;
    assert!(read.causes().contains("the members of the group cn=staff"), "{}", read.causes());
    let staff = read.entries.iter().find(|entry| entry.dn == dn("cn=staff,ou=Groups,dc=example,dc=com"));
    assert!(staff.is_some_and(|entry| entry.members.is_none()), "its members are unknown, not none");
}

#[tokio::test]
async fn an_entry_without_its_lasting_id_is_left_out_and_named() {
    let access = "access to dn.base=\"uid=bob,ou=People,dc=example,dc=com\" attrs=entryUUID by * none";
    let slapd = Slapd::with(Setup { ldif: ada_and_bob(), access, ..Setup::default() });
    let read = read(slapd.settings(), &people()).await;
    assert_eq!(read.names(ResourceType::User), ["uid=ada,ou=People,dc=example,dc=com"]);
    assert!(read.causes().contains("uid=bob,ou=People,dc=example,dc=com was left out"), "{}", read.causes());
}

#[tokio::test]
async fn filters_of_the_admin_choose_users_and_selected_groups() {
    let ldif = [ada_and_bob(), group("cn=app-x,ou=Groups,dc=example,dc=com", &["cn=staff,ou=Groups,dc=example,dc=com"])].concat();
    let slapd = Slapd::start(&ldif);
    let mut wanted = people();
    wanted.users.base_dns.push(dn("dc=example,dc=com"));
    wanted.users.filter = Some("(uid=b*)".to_owned());
    wanted.groups.as_mut().unwrap().base_dns = vec![dn("dc=example,dc=com")];
    wanted.groups.as_mut().unwrap().filter = Some("(|(cn=app-*)(uid=ada))".to_owned());
    let read = read(slapd.settings(), &wanted).await.full();
    assert_eq!(read.names(ResourceType::User), ["uid=bob,ou=People,dc=example,dc=com"]);
    assert!(read.at("cn=app-x,ou=Groups,dc=example,dc=com").selected);
    assert!(!read.at("cn=staff,ou=Groups,dc=example,dc=com").selected);
    assert_eq!(read.names(ResourceType::Group).len(), 2, "a user that the filter for groups matches is no group");
}

#[tokio::test]
async fn awkward_names_survive() {
    let awkward = [
        r"uid=a\2Cb,ou=People,dc=example,dc=com",
        r"uid=q\22uote,ou=People,dc=example,dc=com",
        "uid=zoë müller,ou=People,dc=example,dc=com",
        "uid=山田太郎,ou=People,dc=example,dc=com",
        r"uid=plus\2Band\3Bsemi,ou=People,dc=example,dc=com",
        r"uid=back\5Cslash,ou=People,dc=example,dc=com",
    ];
    let slapd = Slapd::start(&[unit("People"), unit("Groups")].concat());
    let mut ldif = String::new();
    for dn in awkward {
        ldif.push_str(&format!("dn: {dn}\nobjectClass: inetOrgPerson\ncn: x\nsn: x\n\n"));
    }
    ldif.push_str(&group("cn=all,ou=Groups,dc=example,dc=com", &awkward));
    slapd.ldapadd(&ldif);
    let read = read(slapd.settings(), &people()).await.full();
    let members = read.at("cn=all,ou=Groups,dc=example,dc=com").members.clone().unwrap();
    assert_eq!(members.len(), awkward.len());
    for name in awkward {
        assert!(members.contains(&read.at(name).dn), "{name}");
    }
}

#[tokio::test]
async fn a_permanent_lock_disables_and_a_temporary_lockout_does_not() {
    let locked = |uid: &str, time: &str| user(uid).replace("\n\n", &format!("\npwdAccountLockedTime: {time}\n\n"));
    let ldif =
        [unit("People"), unit("Groups"), locked("gone", "000001010000Z"), locked("clumsy", "20260131120000Z"), user("fine")]
            .concat();
    let slapd = Slapd::with(Setup { ldif, overlays: vec!["ppolicy"], ..Setup::default() });
    let read = read(slapd.settings(), &people()).await.full();
    let status = |uid: &str| read.at(&format!("uid={uid},ou=People,dc=example,dc=com")).status;
    assert_eq!((status("gone"), status("clumsy"), status("fine")), (Status::Disabled, Status::Enabled, Status::Enabled));
}

/// Passes connections on to a port and counts them.
async fn counting_proxy(to: u16) -> (u16, Arc<AtomicUsize>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(async move {
                let mut server = tokio::net::TcpStream::connect(("127.0.0.1", to)).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
                let _ = server.shutdown().await;
            });
        }
    });
    (port, count)
}

#[tokio::test]
async fn a_wrong_password_is_tried_once_until_it_changes() {
    let slapd = Slapd::start(&ada_and_bob());
    let (port, count) = counting_proxy(slapd.port()).await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "wrong\n").unwrap();
    let mut settings = slapd.settings();
    settings.urls = [port, port].map(|port| format!("ldap://127.0.0.1:{port}").parse().unwrap()).to_vec();
    let dn = "cn=sync,ou=Services,dc=example,dc=com".to_owned();
    settings.bind = Bind::Simple { dn, password: Secret::File(file.path().to_owned()) };
    let directory = Directory::new(settings);
    for _ in 0..3 {
        let read = read_from(&directory, &people()).await;
        let Err(SourceError::Refused { message, .. }) = read.coverage else { panic!("{:?}", read.coverage) };
        assert!(message.contains("invalidCredentials (49)"), "{message}");
    }
    assert!(matches!(directory.identify().await, Err(SourceError::Refused { .. })));
    assert_eq!(count.load(Ordering::SeqCst), 1, "neither the other server nor the same again");
    std::fs::write(file.path(), "sync\n").unwrap();
    read_from(&directory, &people()).await.full();
    assert_eq!(count.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn the_next_server_is_tried_when_one_is_down() {
    let slapd = Slapd::start(&ada_and_bob());
    let mut settings = slapd.settings();
    settings.urls.insert(0, format!("ldap://127.0.0.1:{}", free_port()).parse().unwrap());
    read(settings.clone(), &people()).await.full();
    settings.urls.truncate(1);
    let down = read(settings, &people()).await;
    assert!(matches!(&down.coverage, Err(SourceError::Unreachable(causes)) if causes.len() == 1), "{:?}", down.coverage);
}

#[tokio::test]
async fn ldaps_and_start_tls_read_with_the_right_authority_only() {
    let slapd = Slapd::start(&ada_and_bob());
    let other = Slapd::start("");
    let start_tls = |host: &str| format!("ldap://{host}:{}", slapd.port()).parse::<url::Url>().unwrap();
    for (url, tls) in [(slapd.tls_url(), false), (start_tls("localhost"), true), (start_tls("127.0.0.1"), true)] {
        let mut settings = Settings { urls: vec![url.clone()], start_tls: tls, ..slapd.settings() };
        settings.ca_file = Some(slapd.ca_file());
        read(settings.clone(), &people()).await.full();
        assert!(Directory::new(settings.clone()).probe(&people()).await.unwrap().encrypted);
        for (untrusted, why) in
            [(Some(other.ca_file()), "invalid peer certificate"), (None, ""), (Some("/does/not/exist.pem".into()), "CA file")]
        {
            settings.ca_file = untrusted;
            let read = read(settings.clone(), &people()).await;
            let Err(SourceError::Unreachable(causes)) = &read.coverage else { panic!("{url}: {:?}", read.coverage) };
            assert!(causes[0].contains(why), "{causes:?}");
        }
    }
}

#[tokio::test]
async fn a_password_is_not_sent_in_clear_text_beyond_loopback() {
    let slapd = Slapd::start("");
    let mut settings = slapd.settings();
    // TEST-NET-1 (RFC 5737): nobody answers there, and nobody is asked.
    settings.urls = vec!["ldap://192.0.2.1".parse().unwrap()];
    let read = read(settings, &people()).await;
    let Err(SourceError::Unreachable(causes)) = read.coverage else { panic!("{:?}", read.coverage) };
    assert!(causes[0].contains("clear text"), "{causes:?}");
}

#[tokio::test]
async fn a_receiver_that_is_gone_stops_the_reading() {
    let users: String = (0..700).map(|n| user(&format!("u{n}"))).collect();
    let slapd = Slapd::start(&[unit("People"), unit("Groups"), users].concat());
    let (sender, mut receiver) = mpsc::channel(1);
    tokio::spawn(async move { receiver.recv().await });
    let coverage = Directory::new(slapd.settings()).read(&people(), sender).await;
    assert!(coverage.as_ref().is_ok_and(|reading| !reading.coverage.is_whole()), "{coverage:?}");
}

#[tokio::test]
async fn a_probe_tells_what_would_surprise() {
    let slapd = Slapd::start(&ada_and_bob());
    let mut wanted = people();
    wanted.user_attributes.push(AttributeName::new("departmentNumber"));
    wanted.scope_groups = vec![ScopeGroup { dn: dn("cn=gone,dc=example,dc=com"), id: None }];
    let probe = Directory::new(slapd.settings()).probe(&wanted).await.unwrap();
    assert_eq!((probe.vendor, probe.users, probe.groups, probe.encrypted), (Vendor::OpenLdap, 2, 1, false));
    assert_eq!(probe.naming_contexts, [SUFFIX]);
    let full = Settings { tracking: Tracking::Full, ..slapd.settings() };
    let tracking = Directory::new(full).probe(&wanted).await.unwrap().tracking;
    assert_eq!((tracking.name(), tracking.unmet), ("full", false));
    // A way that the server does not know is told of, and no other is taken in its place.
    let usn = Settings { tracking: Tracking::Usn, ..slapd.settings() };
    let probe_of_usn = Directory::new(usn).probe(&wanted).await.unwrap();
    assert_eq!(probe_of_usn.tracking.name(), "full");
    assert!(probe_of_usn.tracking.lacks[0].starts_with("usn cannot be used: "), "{:?}", probe_of_usn.tracking);
    assert!(probe_of_usn.warnings.iter().any(|warning| warning.contains("that is configured cannot be used")));
    assert_eq!(probe.absent_user_attributes, [AttributeName::new("departmentNumber")]);
    let warnings = probe.warnings.join("\n");
    for part in ["not encrypted", "departmentnumber", "cn=gone,dc=example,dc=com"] {
        assert!(warnings.contains(part), "{part}: {warnings}");
    }
}

#[tokio::test]
async fn a_missing_secret_is_told_as_such() {
    let slapd = Slapd::start("");
    let mut settings = slapd.settings();
    settings.bind = Bind::Simple { dn: "cn=x".to_owned(), password: Secret::File("/does/not/exist".into()) };
    assert!(matches!(read(settings, &people()).await.coverage, Err(SourceError::Secret(_))));
}
