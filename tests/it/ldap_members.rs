//! Members that groups do not list by DN, and members from elsewhere, on real servers.

use std::collections::{BTreeMap, BTreeSet};

use ldap2scim::cycle::{Source, SourceError};
use ldap2scim::ldap::{Directory, Settings};
use ldap2scim::model::{Alias, AttributeName, Coverage, Dn, Entry, ResourceType, ScopeGroup, Selection, Wanted};
use tokio::sync::mpsc;

use crate::support::samba::{self, Account, Samba};
use crate::support::slapd::{SUFFIX, Setup, Slapd};

fn dn(text: &str) -> Dn {
    Dn::parse(text).unwrap()
}

fn wanted(people: &str, groups: &str) -> Wanted {
    let below = |base: &str| Selection { base_dns: vec![dn(base)], filter: None };
    Wanted {
        users: below(people),
        user_attributes: vec![AttributeName::new("mail")],
        groups: Some(below(groups)),
        group_attributes: vec![AttributeName::new("cn")],
        membership: true,
        scope_groups: Vec::new(),
    }
}

fn people_and_groups() -> Wanted {
    wanted("ou=People,dc=example,dc=com", "ou=Groups,dc=example,dc=com")
}

async fn read(settings: Settings, wanted: &Wanted) -> (Vec<Entry>, Result<Coverage, SourceError>) {
    let (sender, mut receiver) = mpsc::channel(16);
    let directory = Directory::new(settings);
    let (reading, entries) = tokio::join!(directory.read(wanted, sender), async {
        let mut entries = Vec::new();
        while let Some(entry) = receiver.recv().await {
            entries.push(entry);
        }
        entries
    });
    (entries, reading.map(|reading| reading.coverage))
}

fn at<'a>(entries: &'a [Entry], text: &str) -> &'a Entry {
    entries.iter().find(|entry| entry.dn == dn(text)).unwrap_or_else(|| panic!("no {text}"))
}

fn members(entry: &Entry) -> Option<BTreeSet<Dn>> {
    entry.members.as_ref().map(|members| members.iter().cloned().collect())
}

fn causes(coverage: &Result<Coverage, SourceError>) -> String {
    match coverage {
        Ok(Coverage::Partial(causes)) => causes.join("\n"),
        other => panic!("not partial: {other:?}"),
    }
}

fn unit(name: &str) -> String {
    format!("dn: ou={name},{SUFFIX}\nobjectClass: organizationalUnit\nou: {name}\n\n")
}

fn user(uid: &str, city: &str) -> String {
    format!("dn: cn={uid},ou=People,{SUFFIX}\nobjectClass: inetOrgPerson\nuid: {uid}\ncn: {uid}\nsn: Example\nl: {city}\n\n")
}

fn by_rule(name: &str, urls: &[&str]) -> String {
    let urls: String = urls.iter().map(|url| format!("memberURL: {url}\n")).collect();
    format!("dn: cn={name},ou=Groups,{SUFFIX}\nobjectClass: groupOfURLs\ncn: {name}\n{urls}\n")
}

fn by_uid(name: &str, uids: &[&str]) -> String {
    let uids: String = uids.iter().map(|uid| format!("memberUid: {uid}\n")).collect();
    format!("dn: cn={name},ou=Groups,{SUFFIX}\nobjectClass: posixGroup\ncn: {name}\ngidNumber: 5\n{uids}\n")
}

fn company(groups: &[String]) -> String {
    [unit("People"), unit("Groups"), user("ada", "Oslo"), user("bob", "Oslo"), user("eve", "Rome"), groups.concat()].concat()
}

#[tokio::test]
async fn a_posix_group_lists_its_members_by_uid() {
    let slapd = Slapd::start(&company(&[by_uid("unix", &["ada", "BOB"])]));
    let (entries, coverage) = read(slapd.settings(), &people_and_groups()).await;
    assert_eq!(coverage.unwrap(), Coverage::Full);
    let unix = at(&entries, "cn=unix,ou=Groups,dc=example,dc=com");
    assert_eq!(unix.member_aliases, [Alias::new(Alias::UID, "ada"), Alias::new(Alias::UID, "BOB")]);
    assert!(unix.selected && unix.members.as_ref().is_some_and(Vec::is_empty));
    let ada = at(&entries, "cn=ada,ou=People,dc=example,dc=com");
    assert_eq!(ada.aliases, [Alias::new(Alias::UID, "ada")]);
    assert!(!ada.attributes.contains_key(&AttributeName::new("uid")), "it was not mapped");
}

#[tokio::test]
async fn a_posix_group_that_decides_scope_has_members_though_it_names_no_dn() {
    let slapd = Slapd::start(&company(&[by_uid("unix", &["ada"]), by_uid("nobody", &[])]));
    let scoped = |name: &str| {
        let group = ScopeGroup { dn: dn(&format!("cn={name},ou=Groups,dc=example,dc=com")), id: None };
        Wanted { scope_groups: vec![group], ..people_and_groups() }
    };
    assert_eq!(read(slapd.settings(), &scoped("unix")).await.1.unwrap(), Coverage::Full);
    assert!(causes(&read(slapd.settings(), &scoped("nobody")).await.1).contains("has no members that we can see"));
    let warnings = |probe: ldap2scim::ldap::Probe| probe.warnings.join("\n");
    let told = "has no members that we can see";
    assert!(!warnings(Directory::new(slapd.settings()).probe(&scoped("unix")).await.unwrap()).contains(told));
    assert!(warnings(Directory::new(slapd.settings()).probe(&scoped("nobody")).await.unwrap()).contains(told));
}

#[tokio::test]
async fn a_uid_that_may_not_be_read_is_unknown_and_not_absent() {
    let slapd = Slapd::with(Setup {
        ldif: company(&[by_uid("unix", &["ada"])]),
        access: "access to attrs=uid by * none",
        ..Setup::default()
    });
    let (entries, coverage) = read(slapd.settings(), &people_and_groups()).await;
    assert_eq!(coverage.unwrap(), Coverage::Full);
    assert_eq!(at(&entries, "cn=ada,ou=People,dc=example,dc=com").aliases, [Alias::untold(Alias::UID)]);
    let probe = Directory::new(slapd.settings()).probe(&people_and_groups()).await.unwrap();
    assert!(probe.warnings.join("\n").contains("3 users came without all of uid"), "{:?}", probe.warnings);
}

#[tokio::test]
async fn without_groups_nothing_more_is_read() {
    let slapd = Slapd::start(&company(&[by_uid("unix", &["ada"])]));
    let alone = Wanted { groups: None, membership: false, ..people_and_groups() };
    let (entries, coverage) = read(slapd.settings(), &alone).await;
    assert_eq!((coverage.unwrap(), entries.len()), (Coverage::Full, 3));
    assert!(entries.iter().all(|entry| entry.aliases.is_empty() && entry.attributes.is_empty()));
}

#[tokio::test]
async fn a_group_by_rule_has_whom_its_urls_mean() {
    let oslo = "ldap:///ou=People,dc=example,dc=com??sub?(l=Oslo)";
    let eve = "ldap:///cn=eve,ou=People,dc=example,dc=com??base";
    let everything = "ldap:///dc=example,dc=com??sub?(|(l=Rome)(objectClass=groupOfURLs))";
    let groups = [by_rule("oslo", &[oslo]), by_rule("both", &[oslo, eve]), by_rule("nested", &[everything])];
    let slapd = Slapd::start(&company(&groups));
    let (entries, coverage) = read(slapd.settings(), &people_and_groups()).await;
    assert_eq!(coverage.unwrap(), Coverage::Full);
    let check = |group: &str, names: &[&str]| {
        let group = at(&entries, &format!("cn={group},ou=Groups,dc=example,dc=com"));
        let expected = names.iter().map(|name| dn(&format!("cn={name},ou=People,dc=example,dc=com"))).collect();
        assert_eq!(members(group), Some(expected), "{}", group.dn);
        assert_eq!(group.member_aliases, [Alias::by_rule()]);
    };
    check("oslo", &["ada", "bob"]);
    check("both", &["ada", "bob", "eve"]);
    check("nested", &["eve"]);
}

#[tokio::test]
async fn a_group_whose_rule_cannot_be_followed_is_not_read_whole_and_is_named() {
    for url in [
        "ldap:///ou=Gone,dc=example,dc=com??sub?(l=Oslo)",
        "ldap://elsewhere.example.com/ou=People,dc=example,dc=com??sub?(l=Oslo)",
        "ldap:///ou=People,dc=example,dc=com??sub?(l=Oslo",
        "ldap:///ou=People,dc=example,dc=com?member?sub?(l=Oslo)",
    ] {
        let fine = by_rule("fine", &["ldap:///ou=People,dc=example,dc=com??one?(l=Rome)"]);
        let slapd = Slapd::start(&company(&[by_rule("odd", &[url]), fine]));
        let (entries, coverage) = read(slapd.settings(), &people_and_groups()).await;
        let told = causes(&coverage);
        assert!(told.contains("cn=odd,ou=Groups,dc=example,dc=com"), "{url}: {told}");
        assert_eq!(at(&entries, "cn=odd,ou=Groups,dc=example,dc=com").members, None, "{url}");
        assert_eq!(members(at(&entries, "cn=fine,ou=Groups,dc=example,dc=com")).unwrap().len(), 1, "{url}");
    }
}

#[tokio::test]
async fn a_search_that_a_rule_means_and_that_a_limit_cuts_leaves_the_members_unknown() {
    let slapd = Slapd::with(Setup {
        ldif: company(&[by_rule("oslo", &["ldap:///ou=People,dc=example,dc=com??sub?(l=Oslo)"])]),
        limits: "size.soft=500 size.hard=500 size.pr=1000 size.prtotal=unlimited size.unchecked=3",
        ..Setup::default()
    });
    let (entries, coverage) = read(slapd.settings(), &people_and_groups()).await;
    assert!(causes(&coverage).contains("cn=oslo,ou=Groups,dc=example,dc=com"), "{coverage:?}");
    assert_eq!(at(&entries, "cn=oslo,ou=Groups,dc=example,dc=com").members, None);
}

#[tokio::test]
async fn where_the_server_lists_the_members_of_a_rule_itself_they_are_taken() {
    let slapd = Slapd::with(Setup {
        ldif: company(&[by_rule("oslo", &["ldap:///ou=People,dc=example,dc=com??sub?(l=Oslo)"])]),
        overlays: vec!["dynlist"],
        ..Setup::default()
    });
    let shown = slapd.ldapsearch("cn=oslo,ou=Groups,dc=example,dc=com", "(objectClass=*)", &["member"]);
    assert_eq!(shown.matches("member: ").count(), 2, "{shown}");
    let (entries, coverage) = read(slapd.settings(), &people_and_groups()).await;
    assert_eq!(coverage.unwrap(), Coverage::Full);
    let oslo = at(&entries, "cn=oslo,ou=Groups,dc=example,dc=com");
    assert_eq!((oslo.members.as_ref().unwrap().len(), members(oslo).unwrap().len()), (2, 2));
}

/// Groups nested in each other outside the bases: a chain, a ring, one aside, and users among them.
fn forest() -> String {
    let unit = |name: &str| format!("dn: OU={name},{0}\nobjectClass: organizationalUnit\n\n", samba::SUFFIX);
    let user = |place: &str, name: &str| {
        format!("dn: CN={name},OU={place},{}\nobjectClass: user\nsAMAccountName: {name}\n\n", samba::SUFFIX)
    };
    let group = |(number, name): (usize, &str)| {
        format!("dn: CN={name},OU=Else,{}\nobjectClass: group\nsAMAccountName: group {number}\n\n", samba::SUFFIX)
    };
    let names = ["top", "mid", "low", "ring", "aside", "all\\, of (us)", "odd"];
    let groups: String = names.into_iter().enumerate().map(group).collect();
    [unit("Staff"), unit("Else"), user("Staff", "ada"), user("Staff", "bob"), user("Else", "eve"), groups].concat()
}

fn nesting() -> String {
    let list = |group: &str, members: &[&str]| {
        let members: String = members.iter().map(|member| format!("member: {member},{}\n", samba::SUFFIX)).collect();
        format!("dn: CN={group},OU=Else,{}\nchangetype: modify\nadd: member\n{members}\n", samba::SUFFIX)
    };
    [
        list("top", &["CN=mid,OU=Else", "CN=eve,OU=Else", "CN=all\\, of (us),OU=Else"]),
        list("all\\, of (us)", &["CN=low,OU=Else"]),
        list("mid", &["CN=low,OU=Else", "CN=ada,OU=Staff"]),
        list("low", &["CN=ring,OU=Else"]),
        list("ring", &["CN=mid,OU=Else", "CN=bob,OU=Staff"]),
        list("aside", &["CN=bob,OU=Staff"]),
        list("odd", &["CN=S-1-5-11,CN=ForeignSecurityPrincipals", "CN=ada,OU=Staff"]),
    ]
    .concat()
}

fn scoped_in_samba(group: &str) -> Wanted {
    let below = format!("OU=Staff,{}", samba::SUFFIX);
    let group = ScopeGroup { dn: dn(&format!("CN={group},{}", samba::SUFFIX)), id: None };
    Wanted { scope_groups: vec![group], ..wanted(&below, &below) }
}

#[tokio::test]
async fn the_rule_in_chain_and_walking_find_the_same() {
    let samba = Samba::with(samba::Setup { ldif: forest(), changes: nesting(), ..Default::default() });
    for group in ["top,OU=Else", "all\\, of (us),OU=Else", "aside,OU=Else", "Domain Users,CN=Users"] {
        let mut found = Vec::new();
        for in_chain in [false, true] {
            let settings = Settings { in_chain, ..samba.settings(Account::Plain) };
            let (entries, coverage) = read(settings, &scoped_in_samba(group)).await;
            assert_eq!(coverage.unwrap(), Coverage::Full, "{group}");
            let of_groups = entries.iter().filter(|entry| entry.resource_type == ResourceType::Group);
            found.push(of_groups.map(|entry| (entry.dn.clone(), members(entry))).collect::<BTreeMap<_, _>>());
        }
        assert_eq!(found[0], found[1], "{group}");
        let expected = match group {
            "top,OU=Else" => 5,
            "aside,OU=Else" | "Domain Users,CN=Users" => 1,
            _ => 4,
        };
        assert_eq!(found[0].len(), expected, "{group}: {:?}", found[0].keys());
    }
}

#[tokio::test]
async fn one_from_another_forest_is_left_out_and_one_that_means_everybody_leaves_scope_open() {
    let samba = Samba::with(samba::Setup { ldif: forest(), changes: nesting(), ..Default::default() });
    let (_, coverage) = read(samba.settings(Account::Plain), &scoped_in_samba("odd,OU=Else")).await;
    assert!(causes(&coverage).contains("CN=S-1-5-11,CN=ForeignSecurityPrincipals"), "{coverage:?}");
    samba.ldapmodify(&format!(
        "dn: CN=aside,OU=Else,{0}\nchangetype: modify\nadd: member\nmember: <SID=S-1-5-21-9-8-7-1105>\n",
        samba::SUFFIX
    ));
    let (entries, coverage) = read(samba.settings(Account::Plain), &scoped_in_samba("aside,OU=Else")).await;
    assert_eq!(coverage.unwrap(), Coverage::Full);
    assert_eq!(members(at(&entries, &format!("CN=aside,OU=Else,{}", samba::SUFFIX))).unwrap().len(), 2);
    let below = samba::SUFFIX.to_owned();
    let probe = Directory::new(samba.settings(Account::Plain)).probe(&wanted(&below, &below)).await.unwrap();
    assert!(probe.warnings.join("\n").contains("stand for somebody outside the forest"), "{:?}", probe.warnings);
}

#[tokio::test]
async fn a_user_and_its_primary_group_carry_one_name() {
    let samba = Samba::with(samba::Setup { ldif: forest(), ..Default::default() });
    let staff = format!("OU=Staff,{}", samba::SUFFIX);
    let (entries, coverage) = read(samba.settings(Account::Plain), &wanted(&staff, &format!("CN=Users,{}", samba::SUFFIX))).await;
    assert_eq!(coverage.unwrap(), Coverage::Full);
    let ada = at(&entries, &format!("CN=ada,{staff}"));
    let everybody = at(&entries, &format!("CN=Domain Users,CN=Users,{}", samba::SUFFIX));
    assert_eq!(ada.aliases, everybody.member_aliases);
    let sid = samba.ldbsearch(everybody.dn.as_str(), "(objectClass=*)", &["objectSid"]);
    let alias = ada.aliases[0].as_str().strip_prefix("primary:").unwrap();
    assert!(sid.contains(&format!("objectSid: {alias}\n")), "{alias}: {sid}");
}
