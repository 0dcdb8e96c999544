//! Live channels: the real daemon hears of a change and carries it on, and loses none whatever happens meanwhile.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value as Json;

use crate::support::provider::{Personality, Provider};
use crate::support::samba::{self, Account, Samba};
use crate::support::site::person;
use crate::support::slapd::{BIND_DN, SUFFIX, Setup, Slapd};

/// The daemon between a directory and a provider, with a live channel `main`.
struct Daemon {
    provider: Provider,
    desk: tempfile::TempDir,
    child: Child,
}

impl Daemon {
    fn start(source: &str, channel: &str) -> Self {
        let (provider, desk) = (Provider::start_blocking(Personality::default()), tempfile::tempdir().unwrap());
        let write = |name: &str, text: &str| {
            std::fs::write(desk.path().join(name), text).unwrap();
            std::fs::set_permissions(desk.path().join(name), std::fs::Permissions::from_mode(0o600)).unwrap();
        };
        write("token", &provider.token());
        let config = format!(
            "state_dir: state\nsources:\n  corp:\n{source}targets:\n  sp:\n    preset: generic\n    base_url: {}\n    \
             auth: {{ bearer: {{ file: token }} }}\n    rate: {{ per_second: 1000, burst: 10 }}\n\
             channels:\n  main:\n    source: corp\n    target: sp\n    live: true\n{channel}",
            provider.base_url(),
        );
        write("config.yaml", &config);
        let log = std::fs::File::create(desk.path().join("log")).unwrap();
        let child = program(&desk).arg("run").stdout(Stdio::null()).stderr(log).spawn().unwrap();
        Self { provider, desk, child }
    }

    /// Between a slapd that tells its changes and a provider.
    fn at_slapd(slapd: &Slapd) -> Self {
        let source = format!(
            "    urls: [\"{}\"]\n    bind: {{ dn: \"{BIND_DN}\", password: {{ file: {} }} }}\n",
            slapd.url(),
            slapd.password_file().display()
        );
        Self::start(&source, &format!("    users: {{ base_dn: \"ou=People,{SUFFIX}\" }}\n"))
    }

    /// The document of `status` on the channel.
    fn status(&self) -> Json {
        let output = program(&self.desk).args(["--format", "json", "status"]).output().unwrap();
        let document: Json = serde_json::from_slice(&output.stdout).unwrap_or_default();
        document["channels"][0].clone()
    }

    /// Waits until something is so; never for ever.
    #[track_caller]
    fn until(&self, what: &str, is: impl Fn() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(100);
        while !is() {
            let log = || std::fs::read_to_string(self.desk.path().join("log")).unwrap();
            assert!(Instant::now() < deadline, "{what}: never\n{}\n{}", self.status(), log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    #[track_caller]
    fn until_it_hears(&self) {
        self.until("changes are heard", || self.status()["live"]["hears"] == true);
    }

    /// One attribute of each user at the provider.
    fn values(&self, attribute: &str) -> BTreeMap<String, String> {
        let text = |user: &Json, key: &str| user[key].as_str().unwrap_or_default().to_owned();
        self.provider.users().iter().map(|user| (text(user, "userName"), text(user, attribute))).collect()
    }

    fn value(&self, user: &str, attribute: &str) -> String {
        self.values(attribute).remove(user).unwrap_or_default()
    }

    fn end(mut self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        assert!(self.child.wait().unwrap().success());
        assert_eq!(self.status()["live"]["hears"], Json::Null, "a daemon that ended hears nothing");
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn program(desk: &tempfile::TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ldap2scim"));
    command.arg("--config").arg(desk.path().join("config.yaml")).stdin(Stdio::null());
    command.env_remove("LDAP2SCIM_LOG").env_remove("NOTIFY_SOCKET").env("TZ", "UTC");
    command
}

fn slapd(people: &[&str]) -> Slapd {
    let ou = format!("dn: ou=People,{SUFFIX}\nobjectClass: organizationalUnit\nou: People\n\n");
    let ldif = people.iter().fold(ou, |ldif, name| ldif + &person(name));
    Slapd::with(Setup {
        ldif,
        overlays: vec!["syncprov"],
        session_log: Some(10_000),
        limits: "size=unlimited",
        ..Setup::default()
    })
}

fn titled(name: &str, title: &str) -> String {
    format!("dn: uid={name},ou=People,{SUFFIX}\nchangetype: modify\nreplace: title\ntitle: {title}\n\n")
}

#[test]
fn a_change_is_carried_on_as_soon_as_it_is_heard_and_status_says_that_it_is_heard() {
    let slapd = slapd(&["ada", "bob"]);
    let daemon = Daemon::at_slapd(&slapd);
    daemon.until_it_hears();
    let status = daemon.status();
    assert_eq!(status["tracking"]["way"], "syncrepl", "{status}");
    let said = program(&daemon.desk).arg("status").output().unwrap().stdout;
    let said = String::from_utf8(said).unwrap();
    assert!(said.contains("changes: told by syncrepl; everything was read "), "{said}");
    assert!(said.contains("live: changes are heard as they come, since "), "{said}");
    slapd.ldapmodify(&titled("ada", "Countess"));
    let begun = Instant::now();
    daemon.until("the title", || daemon.value("ada", "title") == "Countess");
    assert!(begun.elapsed() < Duration::from_secs(20), "it was polled, not heard");
    slapd.ldapadd(&person("eve"));
    daemon.until("the newcomer", || daemon.provider.user("eve").is_some());
    slapd.ldapdelete(&[&format!("uid=bob,ou=People,{SUFFIX}")]);
    daemon.until("the leaver", || daemon.provider.user("bob").unwrap()["active"] == false);
    daemon.provider.assert_clean();
    daemon.end();
}

#[test]
fn of_a_burst_of_two_thousand_changes_none_is_lost() {
    let names: Vec<String> = (0..500).map(|number| format!("user{number:03}")).collect();
    let slapd = slapd(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let daemon = Daemon::at_slapd(&slapd);
    daemon.until_it_hears();
    let (mut burst, mut last) = (String::new(), BTreeMap::new());
    for number in 0..2000_usize {
        // Each user several times, in another order each time.
        let name = &names[(number * 7 + number / 500) % names.len()];
        let _ = write!(burst, "{}", titled(name, &format!("Title {number}")));
        last.insert(name.clone(), format!("Title {number}"));
        if number % 500 == 499 {
            slapd.ldapmodify(&std::mem::take(&mut burst));
        }
    }
    daemon.until("the last value of each", || daemon.values("title") == last);
    daemon.provider.assert_clean();
}

#[test]
fn a_directory_that_was_started_again_is_heard_again_and_nothing_is_lost_in_between() {
    let mut slapd = slapd(&["ada", "bob"]);
    let daemon = Daemon::at_slapd(&slapd);
    daemon.until_it_hears();
    slapd.restart();
    slapd.ldapmodify(&titled("ada", "Countess"));
    slapd.ldapdelete(&[&format!("uid=bob,ou=People,{SUFFIX}")]);
    daemon.until("what changed meanwhile", || {
        daemon.value("ada", "title") == "Countess" && daemon.provider.user("bob").unwrap()["active"] == false
    });
    daemon.until_it_hears();
    let log = std::fs::read_to_string(daemon.desk.path().join("log")).unwrap();
    assert_eq!(log.matches("changes are not heard, so they are asked for every").count(), 1, "it is said once: {log}");
    slapd.ldapmodify(&titled("ada", "Programmer"));
    daemon.until("what changed after it", || daemon.value("ada", "title") == "Programmer");
    daemon.provider.assert_clean();
}

#[test]
fn what_was_heard_by_a_cycle_that_failed_is_made_by_a_later_one() {
    let slapd = slapd(&["ada", "bob"]);
    let daemon = Daemon::at_slapd(&slapd);
    daemon.until_it_hears();
    daemon.provider.set_token("another");
    slapd.ldapmodify(&titled("ada", "Countess"));
    daemon.until("the cycle fails", || daemon.status()["last_cycle"]["end"] == "failed");
    // Heard alone, this would not hold what the failed cycle was told of.
    slapd.ldapmodify(&titled("bob", "Builder"));
    std::fs::write(daemon.desk.path().join("token"), "another").unwrap();
    daemon.until("both", || daemon.value("ada", "title") == "Countess" && daemon.value("bob", "title") == "Builder");
}

#[test]
fn a_directory_that_cannot_tell_as_it_happens_is_asked_and_status_says_why() {
    let slapd =
        Slapd::start(&format!("dn: ou=People,{SUFFIX}\nobjectClass: organizationalUnit\nou: People\n\n{}", person("ada")));
    let daemon = Daemon::at_slapd(&slapd);
    daemon.until("it is said why", || daemon.status()["live"]["why"].is_string());
    let live = &daemon.status()["live"];
    assert_eq!(live["hears"], false, "{live}");
    assert!(live["why"].as_str().unwrap().contains("does not tell of changes as they happen"), "{live}");
    slapd.ldapmodify(&titled("ada", "Countess"));
    daemon.until("the title", || daemon.value("ada", "title") == "Countess");
}

#[test]
fn samba_notifies_and_a_cycle_by_usn_follows() {
    let user = |name: &str| {
        format!(
            "dn: CN={name},OU=Staff,{}\nobjectClass: user\nsAMAccountName: {name}\nuserAccountControl: 66080\n\n",
            samba::SUFFIX
        )
    };
    let ou = format!("dn: OU=Staff,{}\nobjectClass: organizationalUnit\nou: Staff\n\n", samba::SUFFIX);
    let samba = Samba::start(&format!("{ou}{}{}", user("ada"), user("bob")));
    let account = Account::SeesDeleted;
    let source = format!(
        "    urls: [\"{}\"]\n    ca_file: {}\n    tracking: usn\n    bind: {{ dn: \"{}\", password: {{ file: {} }} }}\n",
        samba.tls_url(),
        samba.ca_file().display(),
        account.dn(),
        samba.password_file().display()
    );
    let rules = "    mapping: { users: { preset: auto, rules: { userName: sAMAccountName } } }\n";
    let daemon = Daemon::start(&source, &format!("    users: {{ base_dn: \"OU=Staff,{}\" }}\n{rules}", samba::SUFFIX));
    daemon.until_it_hears();
    assert_eq!(daemon.status()["tracking"]["way"], "usn");
    let begun = Instant::now();
    let dn = |name: &str| format!("CN={name},OU=Staff,{}", samba::SUFFIX);
    samba.ldapmodify(&format!("dn: {}\nchangetype: modify\nreplace: title\ntitle: Countess\n", dn("ada")));
    daemon.until("the title", || daemon.value("ada", "title") == "Countess");
    assert!(begun.elapsed() < Duration::from_secs(30), "it was polled, not heard");
    samba.ldapdelete(&[&dn("bob")]);
    daemon.until("the leaver", || daemon.provider.user("bob").unwrap()["active"] == false);
}
