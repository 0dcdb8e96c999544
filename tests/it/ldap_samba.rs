//! The source against Samba as a real Active Directory, and the whole program between it and a provider.

use std::collections::{BTreeMap, BTreeSet};

use ldap2scim::cycle::{Source, SourceError};
use ldap2scim::ldap::{Bind, Directory, Settings};
use ldap2scim::model::{AttributeName, Coverage, Dn, Entry, ResourceType, Selection, Status, Vendor, Wanted};
use ldap2scim::secret::Secret;
use tokio::sync::mpsc;

use crate::support::provider::{Personality, Provider};
use crate::support::samba::{Account, DOMAIN, SUFFIX, Samba, Setup};

/// In the past: 2020-01-01 in Windows' time.
const LONG_AGO: &str = "132223104000000000";

fn wanted(users: &str, groups: &str) -> Wanted {
    let below = |base: &str| Selection { base_dns: vec![Dn::parse(&format!("{base}{SUFFIX}")).unwrap()], filter: None };
    Wanted {
        users: below(users),
        user_attributes: ["sAMAccountName", "mail"].map(AttributeName::new).to_vec(),
        groups: Some(below(groups)),
        group_attributes: vec![AttributeName::new("cn")],
        membership: true,
        scope_groups: Vec::new(),
    }
}

fn staff() -> Wanted {
    wanted("OU=Staff,", "OU=Teams,")
}

/// What a reading brought, users by sAMAccountName.
struct Read {
    users: BTreeMap<String, Entry>,
    groups: Vec<Entry>,
}

async fn tried(directory: &Directory, wanted: &Wanted) -> Result<(Read, Coverage), SourceError> {
    let (sender, mut entries) = mpsc::channel::<Entry>(64);
    let mut read = Read { users: BTreeMap::new(), groups: Vec::new() };
    let (reading, ()) = tokio::join!(directory.read(wanted, sender), async {
        while let Some(entry) = entries.recv().await {
            match entry.resource_type {
                ResourceType::User => {
                    let name = entry.values(&AttributeName::new("sAMAccountName"))[0].text().unwrap().to_owned();
                    assert!(read.users.insert(name, entry).is_none());
                }
                ResourceType::Group => read.groups.push(entry),
            }
        }
    });
    Ok((read, reading?.coverage))
}

/// Everything that is wanted.
async fn read(settings: Settings, wanted: &Wanted) -> Read {
    let (read, coverage) = tried(&Directory::new(settings), wanted).await.unwrap();
    assert_eq!(coverage, Coverage::Full);
    read
}

fn unit(name: &str) -> String {
    format!("dn: OU={name},{SUFFIX}\nobjectClass: organizationalUnit\nou: {name}\n\n")
}

fn user(name: &str) -> String {
    format!(
        "dn: CN={name},OU=Staff,{SUFFIX}\nobjectClass: user\nsAMAccountName: {name}\nuserPrincipalName: {name}@ad.test\n\
         userAccountControl: 544\ngivenName: {name}\nsn: Example\nmail: {name}@example.com\n\n"
    )
}

fn team(name: &str, members: &[&str]) -> String {
    let members: String = members.iter().map(|member| format!("member: CN={member},OU=Staff,{SUFFIX}\n")).collect();
    format!("dn: CN={name},OU=Teams,{SUFFIX}\nobjectClass: group\nsAMAccountName: {name}\n{members}\n")
}

fn company() -> String {
    let units = [unit("Staff"), unit("Teams"), unit("Elsewhere")].concat();
    [units, ["ada", "bob", "eve"].map(user).concat(), team("makers", &["ada", "bob"])].concat()
}

fn replace(name: &str, attribute: &str, value: &str) -> String {
    format!("dn: CN={name},OU=Staff,{SUFFIX}\nchangetype: modify\nreplace: {attribute}\n{attribute}: {value}\n\n")
}

fn move_to(from: &str, name: &str, unit: &str) -> String {
    format!("dn: {from}\nchangetype: modrdn\nnewrdn: CN={name}\ndeleteoldrdn: 1\nnewsuperior: OU={unit},{SUFFIX}\n\n")
}

/// Settings with another name and password to bind with.
fn bound(samba: &Samba, name: &str, password: &str) -> Settings {
    let bind = Bind::Simple { dn: name.to_owned(), password: Secret::Inline(password.into()) };
    Settings { bind, ..samba.settings(Account::Plain) }
}

#[tokio::test]
async fn an_account_binds_by_its_dn_its_principal_name_or_the_domains_old_name() {
    let samba = Samba::start(&company());
    for name in [Account::Plain.dn(), "sync@ad.test".to_owned(), format!("{DOMAIN}\\sync")] {
        let directory = Directory::new(Settings {
            bind: Bind::Simple { dn: name.clone(), password: Secret::File(samba.password_file()) },
            ..samba.settings(Account::Plain)
        });
        assert_eq!(directory.identify().await.unwrap(), Vendor::ActiveDirectory);
        let (read, coverage) = tried(&directory, &staff()).await.unwrap();
        assert_eq!((coverage, read.users.len()), (Coverage::Full, 3), "{name}");
    }
}

#[tokio::test]
async fn a_wrong_password_is_told_as_such_and_sent_once() {
    // Without a threshold the server does not count.
    let changes = format!("dn: {SUFFIX}\nchangetype: modify\nreplace: lockoutThreshold\nlockoutThreshold: 10\n");
    let samba = Samba::with(Setup { ldif: company(), changes, ..Setup::default() });
    let directory = Directory::new(bound(&samba, "sync@ad.test", "wrong"));
    for _ in 0..3 {
        let Err(SourceError::Refused { message, .. }) = tried(&directory, &staff()).await.map(|_| ()) else { panic!() };
        assert!(message.starts_with("invalidCredentials (49): the name or the password is wrong ("), "{message}");
        assert!(message.contains("data 52e"), "{message}");
    }
    let counted = samba.ldapsearch(&Account::Plain.dn(), "(objectClass=*)", &["badPwdCount"]);
    assert!(counted.contains("badPwdCount: 1\n"), "{counted}");
}

#[tokio::test]
async fn an_account_that_is_disabled_is_told_as_such_and_read_with_again_once_it_is_enabled() {
    let samba = Samba::start(&company());
    let directory = Directory::new(samba.settings(Account::Plain));
    let set = |control: &str| {
        let dn = Account::Plain.dn();
        samba.ldapmodify(&format!("dn: {dn}\nchangetype: modify\nreplace: userAccountControl\nuserAccountControl: {control}\n"));
    };
    set("66050");
    let Err(SourceError::Refused { message, .. }) = tried(&directory, &staff()).await.map(|_| ()) else { panic!() };
    assert!(message.starts_with("invalidCredentials (49): the account is disabled ("), "{message}");
    set("66048");
    assert_eq!(tried(&directory, &staff()).await.unwrap().1, Coverage::Full);
}

#[tokio::test]
async fn a_simple_bind_without_tls_is_refused_with_what_to_do() {
    let samba = Samba::start(&company());
    let clear = Settings { urls: vec![samba.url()], ..samba.settings(Account::Plain) };
    let Err(SourceError::Unreachable(causes)) = tried(&Directory::new(clear.clone()), &staff()).await.map(|_| ()) else {
        panic!()
    };
    assert!(
        causes[0].contains("strongerAuthRequired (8)") && causes[0].contains("use ldaps://, or start_tls: true"),
        "{causes:?}"
    );
    let encrypted = Settings { start_tls: true, ..clear };
    assert_eq!(read(encrypted, &staff()).await.users.len(), 3);
    let lenient = Samba::with(Setup { ldif: company(), plain: true, ..Setup::default() });
    let clear = Settings { urls: vec![lenient.url()], ..lenient.settings(Account::Plain) };
    assert_eq!(read(clear, &staff()).await.users.len(), 3);
}

#[tokio::test]
async fn every_object_guid_is_told_as_sambas_own_tools_print_it() {
    let samba = Samba::start_company();
    let read = read(samba.settings(Account::Plain), &wanted("OU=Staff,", "OU=StaffGroups,")).await;
    let printed = samba.ldbsearch(SUFFIX, "(objectClass=user)", &["sAMAccountName", "objectGUID"]);
    let value =
        |record: &str, name: &str| record.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ").map(str::to_owned));
    let ids: BTreeMap<String, String> = printed
        .split("\n\n")
        .filter_map(|record| Some((value(record, "sAMAccountName")?, value(record, "objectGUID")?)))
        .collect();
    assert_eq!(read.users.len(), 1500);
    for (name, user) in &read.users {
        assert_eq!(user.id.as_str(), ids[name], "{name}");
    }
    let shown = samba.samba_tool(&["user", "show", "u000000", "--attributes=objectGUID"]);
    assert!(shown.contains(&format!("objectGUID: {}\n", read.users["u000000"].id)), "{shown}");
}

#[tokio::test]
async fn references_to_other_partitions_are_not_followed_and_make_nothing_partial() {
    let samba = Samba::start(&company());
    let sent = samba.ldapsearch(SUFFIX, "(sAMAccountName=ada)", &["cn"]);
    assert!(sent.contains("ldaps://ad.test/CN=Configuration"), "the server refers to its other partitions: {sent}");
    let read = read(samba.settings(Account::Plain), &wanted("", "")).await;
    let names: BTreeSet<&str> = read.users.keys().map(String::as_str).collect();
    assert!(names.is_superset(&BTreeSet::from(["ada", "bob", "eve", "Administrator", "krbtgt", "sync"])), "{names:?}");
    assert!(read.groups.iter().all(|group| group.selected));
}

#[tokio::test]
async fn an_entry_is_known_by_its_id_through_rename_move_deletion_and_undeletion() {
    let samba = Samba::start(&company());
    let look = async || read(samba.settings(Account::Plain), &staff()).await;
    let dn = |name: &str, unit: &str| Dn::parse(&format!("CN={name},OU={unit},{SUFFIX}")).unwrap();
    let first = look().await;
    let (ada, bob) = (first.users["ada"].id.clone(), first.users["bob"].id.clone());
    let members = |read: &Read| read.groups[0].members.clone().unwrap().into_iter().collect::<BTreeSet<Dn>>();
    assert_eq!(members(&first), BTreeSet::from([dn("ada", "Staff"), dn("bob", "Staff")]));

    samba.ldapmodify(&move_to(&format!("CN=ada,OU=Staff,{SUFFIX}"), "Ada\\, Countess", "Staff"));
    samba.ldapmodify(&move_to(&format!("CN=bob,OU=Staff,{SUFFIX}"), "bob", "Elsewhere"));
    let second = look().await;
    assert_eq!((&second.users["ada"].id, &second.users["ada"].dn), (&ada, &dn("Ada\\, Countess", "Staff")));
    assert_eq!(second.users.keys().collect::<Vec<_>>(), ["ada", "eve"], "bob is beyond the base");
    let followed = BTreeSet::from([dn("Ada\\, Countess", "Staff"), dn("bob", "Elsewhere")]);
    assert_eq!(members(&second), followed, "the server follows its members");

    samba.ldapmodify(&move_to(&format!("CN=bob,OU=Elsewhere,{SUFFIX}"), "bob", "Staff"));
    assert_eq!(look().await.users["bob"].id, bob);
    samba.ldapdelete(&[&format!("CN=bob,OU=Staff,{SUFFIX}")]);
    let third = look().await;
    assert!(!third.users.contains_key("bob"));
    assert_eq!(members(&third), BTreeSet::from([dn("Ada\\, Countess", "Staff")]));

    samba.ldapmodify_deleted(&format!(
        "dn: CN=bob\\0ADEL:{bob},CN=Deleted Objects,{SUFFIX}\nchangetype: modify\ndelete: isDeleted\n-\nreplace: distinguishedName\n\
         distinguishedName: CN=bob,OU=Staff,{SUFFIX}\n\n"
    ));
    let fourth = look().await;
    assert_eq!(fourth.users["bob"].id, bob, "the same one");
    assert_eq!(members(&fourth), members(&third), "memberships do not come back with it");
}

#[tokio::test]
async fn an_account_is_off_when_it_is_disabled_or_its_time_is_over() {
    let samba = Samba::start(&company());
    samba.ldapmodify(&[replace("ada", "userAccountControl", "546"), replace("bob", "accountExpires", LONG_AGO)].concat());
    let read = read(samba.settings(Account::Plain), &staff()).await;
    assert_eq!((read.users["ada"].status, read.users["eve"].status), (Status::Disabled, Status::Enabled));
    assert_eq!(read.users["bob"].status, Status::Disabled);
}

#[tokio::test]
async fn a_copy_of_a_domain_controller_shows_the_same_entries_under_an_invocation_id_of_its_own() {
    let samba = Samba::start(&company());
    let copy = samba.start_copy_with_new_invocation_id();
    let id = |samba: &Samba| samba.ldapsearch(&format!("CN=Configuration,{SUFFIX}"), "(objectClass=nTDSDSA)", &["invocationId"]);
    assert!(id(&samba).contains("invocationId:: "));
    assert_ne!(id(&samba), id(&copy));
    let (here, there) =
        (read(samba.settings(Account::Plain), &staff()).await, read(copy.settings(Account::Plain), &staff()).await);
    for (name, user) in &here.users {
        assert_eq!(user.id, there.users[name].id, "{name}");
    }
    copy.ldapmodify(&replace("ada", "userAccountControl", "546"));
    let status = async |samba: &Samba| read(samba.settings(Account::Plain), &staff()).await.users["ada"].status;
    assert_eq!((status(&samba).await, status(&copy).await), (Status::Enabled, Status::Disabled), "each has a state of its own");
}

#[tokio::test]
async fn deleted_entries_are_shown_to_accounts_that_were_granted_it_alone() {
    let samba = Samba::start(&company());
    samba.ldapdelete(&[&format!("CN=bob,OU=Staff,{SUFFIX}")]);
    for account in [Account::Plain, Account::SeesDeleted, Account::MayReplicate, Account::SeesDeletedAndMayReplicate] {
        let mut ldap = samba.client_of(account).await;
        // Show deleted entries (MS-ADTS §3.1.1.3.4.1.14).
        let show = ldap3::controls::RawControl { ctype: "1.2.840.113556.1.4.417".to_owned(), crit: true, val: None };
        let base = format!("CN=Deleted Objects,{SUFFIX}");
        let found = ldap.with_controls(show).search(&base, ldap3::Scope::OneLevel, "(sAMAccountName=bob)", vec!["cn"]).await;
        let seen = found.unwrap().success().is_ok_and(|(entries, _)| !entries.is_empty());
        let granted = matches!(account, Account::SeesDeleted | Account::SeesDeletedAndMayReplicate);
        assert_eq!(seen, granted, "{account:?}");
        // DirSync with no flags (MS-ADTS §3.1.1.3.4.1.3): a sequence of flags, octets at most, no cookie.
        let dirsync = vec![0x30, 0x09, 0x02, 0x01, 0x00, 0x02, 0x02, 0x7f, 0xff, 0x04, 0x00];
        let dirsync = ldap3::controls::RawControl { ctype: "1.2.840.113556.1.4.841".to_owned(), crit: true, val: Some(dirsync) };
        let found = ldap.with_controls(dirsync).search(SUFFIX, ldap3::Scope::Subtree, "(sAMAccountName=ada)", vec!["cn"]).await;
        let granted = matches!(account, Account::MayReplicate | Account::SeesDeletedAndMayReplicate);
        assert_eq!(found.unwrap().success().is_ok(), granted, "{account:?}");
    }
}

#[test]
fn nothing_is_left_of_a_domain_controller() {
    let mut samba = Samba::start("");
    let (address, process) = (samba.address(), samba.process_id());
    let is_there = || std::path::Path::new(&format!("/proc/{process}")).exists();
    assert!(is_there());
    samba.stop();
    assert!(!is_there());
    samba.resume();
    let process = samba.process_id();
    let panicked = std::thread::spawn(move || {
        let _samba = samba;
        panic!("as a failing test does");
    });
    assert!(panicked.join().is_err());
    assert!(!std::path::Path::new(&format!("/proc/{process}")).exists());
    assert!(std::net::TcpStream::connect((address, 389)).is_err());
}

/// The program between Samba and a provider in this process.
struct Site {
    samba: Samba,
    provider: Provider,
    directory: tempfile::TempDir,
}

impl Site {
    async fn start() -> Self {
        let (samba, provider) = (Samba::start(&company()), Provider::start(Personality::default()).await);
        let directory = tempfile::tempdir().unwrap();
        let token = directory.path().join("token");
        std::fs::write(&token, provider.token()).unwrap();
        std::fs::set_permissions(&token, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let text = format!(
            "state_dir: {place}/state\n\
             sources:\n  ad:\n    tracking: full\n    urls: [\"{url}\"]\n    ca_file: {ca}\n    \
             bind: {{ dn: \"sync@ad.test\", password: {{ file: {password} }} }}\n\
             targets:\n  sp:\n    preset: generic\n    base_url: {scim}\n    auth: {{ bearer: {{ file: token }} }}\n    \
             rate: {{ per_second: 1000, burst: 10 }}\n\
             channels:\n  main:\n    source: ad\n    target: sp\n    users: {{ base_dn: \"OU=Staff,{SUFFIX}\" }}\n    \
             groups: {{ base_dn: \"OU=Teams,{SUFFIX}\" }}\n",
            place = directory.path().display(),
            url = samba.tls_url(),
            ca = samba.ca_file().display(),
            password = samba.password_file().display(),
            scim = provider.base_url(),
        );
        std::fs::write(directory.path().join("config.yaml"), text).unwrap();
        Self { samba, provider, directory }
    }

    /// Runs the program, expects success, and gives what it said.
    #[track_caller]
    fn run(&self, command: &str) -> String {
        let mut program = std::process::Command::new(env!("CARGO_BIN_EXE_ldap2scim"));
        let output = program.arg("--config").arg(self.directory.path().join("config.yaml")).arg(command).output().unwrap();
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{command}: {said}");
        said
    }

    /// Names of users at the provider before the @, with whether they are on.
    fn users(&self) -> BTreeMap<String, bool> {
        let users = self.provider.users();
        let name = |user: &serde_json::Value| user["userName"].as_str().unwrap().split('@').next().unwrap().to_owned();
        users.iter().map(|user| (name(user), user["active"] == true)).collect()
    }

    /// Resource ids of users by name.
    fn id(&self, name: &str) -> String {
        self.provider.user(&format!("{name}@ad.test")).unwrap()["id"].as_str().unwrap().to_owned()
    }
}

fn states(states: &[(&str, bool)]) -> BTreeMap<String, bool> {
    states.iter().map(|(name, active)| ((*name).to_owned(), *active)).collect()
}

#[tokio::test]
async fn the_program_follows_a_domain_through_hires_renames_and_leavers() {
    let site = Site::start().await;
    let checked = site.run("check");
    assert!(checked.contains("active_directory"), "{checked}");
    site.run("sync");
    assert_eq!(site.users(), states(&[("ada", true), ("bob", true), ("eve", true)]));
    let (ada, bob) = (site.id("ada"), site.id("bob"));
    assert_eq!(site.provider.member_ids("makers"), BTreeSet::from([ada.clone(), bob.clone()]));

    site.samba.ldapadd(&user("max"));
    let join = format!("dn: CN=makers,OU=Teams,{SUFFIX}\nchangetype: modify\nadd: member\nmember: CN=max,OU=Staff,{SUFFIX}\n\n");
    let rename = move_to(&format!("CN=ada,OU=Staff,{SUFFIX}"), "Ada\\, Countess", "Staff");
    site.samba.ldapmodify(&[join, rename].concat());
    site.samba.ldapmodify(&format!(
        "dn: CN=Ada\\, Countess,OU=Staff,{SUFFIX}\nchangetype: modify\nreplace: userPrincipalName\nuserPrincipalName: countess@ad.test\n\n"
    ));
    site.run("sync");
    assert_eq!(site.users(), states(&[("bob", true), ("countess", true), ("eve", true), ("max", true)]));
    assert_eq!(site.id("countess"), ada, "one resource under a new name");
    let max = site.id("max");
    assert_eq!(site.provider.member_ids("makers"), BTreeSet::from([ada.clone(), bob.clone(), max.clone()]));

    // Disabled; expired; out of the base; deleted.
    site.samba.ldapmodify(&[replace("max", "userAccountControl", "546"), replace("eve", "accountExpires", LONG_AGO)].concat());
    site.run("sync");
    assert_eq!(site.users(), states(&[("bob", true), ("countess", true), ("eve", false), ("max", false)]));
    site.samba.ldapmodify(&move_to(&format!("CN=Ada\\, Countess,OU=Staff,{SUFFIX}"), "ada", "Elsewhere"));
    site.samba.ldapdelete(&[&format!("CN=bob,OU=Staff,{SUFFIX}")]);
    site.run("sync");
    assert_eq!(site.users(), states(&[("bob", false), ("countess", false), ("eve", false), ("max", false)]));
    assert!(site.provider.member_ids("makers").is_disjoint(&BTreeSet::from([ada, bob])));

    // Back in the base, and enabled again.
    site.samba.ldapmodify(&move_to(&format!("CN=ada,OU=Elsewhere,{SUFFIX}"), "ada", "Staff"));
    site.samba.ldapmodify(&[replace("max", "userAccountControl", "544"), replace("eve", "accountExpires", "0")].concat());
    site.run("sync");
    assert_eq!(site.users(), states(&[("bob", false), ("countess", true), ("eve", true), ("max", true)]));
    site.provider.forget_requests();
    site.run("sync");
    assert!(site.provider.writes().is_empty(), "nothing changed, nothing is sent");
    site.provider.assert_clean();
}
