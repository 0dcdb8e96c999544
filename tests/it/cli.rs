//! The real program: exit codes, output, signals. Between a real slapd and a provider in the test process.

use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::support::provider::{Fault, Personality, Provider};
use crate::support::site::{Said, person, team};
use crate::support::slapd::{BIND_DN, SUFFIX, Slapd};

/// A configuration, and the program.
struct Desk {
    dir: tempfile::TempDir,
}

impl Desk {
    fn new(config: &str) -> Self {
        let desk = Self { dir: tempfile::tempdir().unwrap() };
        desk.write("config.yaml", config);
        desk
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ldap2scim"));
        command.arg("--config").arg(self.path("config.yaml")).args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.env_remove("LDAP2SCIM_LOG").env_remove("NOTIFY_SOCKET").env("TZ", "UTC");
        command
    }

    fn run(&self, arguments: &[&str]) -> Said {
        said(&mut self.command(arguments))
    }

    #[track_caller]
    fn expect(&self, code: i32, arguments: &[&str]) -> Said {
        let said = self.run(arguments);
        assert_eq!(said.code, code, "{arguments:?}\n{}\n{}", said.out, said.err);
        said
    }

    fn json(&self, code: i32, arguments: &[&str]) -> Vec<Json> {
        let arguments: Vec<&str> = ["--format", "json"].into_iter().chain(arguments.iter().copied()).collect();
        self.expect(code, &arguments).out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

fn said(command: &mut Command) -> Said {
    let output = command.output().unwrap();
    Said {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A directory, a provider, and channels between them.
struct Office {
    slapd: Slapd,
    provider: Provider,
    desk: Desk,
}

const OUS: &str = "dn: ou=People,dc=example,dc=com\nobjectClass: organizationalUnit\nou: People\n\n\
                   dn: ou=Groups,dc=example,dc=com\nobjectClass: organizationalUnit\nou: Groups\n\n";

impl Office {
    /// One channel `main` with `more` in it.
    fn open(ldif: &str, more: &str) -> Self {
        let office = Self {
            slapd: Slapd::start(&format!("{OUS}{ldif}")),
            provider: Provider::start_blocking(Personality::default()),
            desk: Desk::new(""),
        };
        office.desk.write("token", &office.provider.token());
        office.configure(&channel("main", more));
        office
    }

    fn configure(&self, channels: &str) {
        self.desk.write(
            "config.yaml",
            &format!(
                "state_dir: state\n\
                 sources:\n  corp:\n    tracking: full\n    urls: [\"{}\"]\n    bind: {{ dn: \"{BIND_DN}\", password: {{ file: password }} }}\n\
                 targets:\n  sp:\n    preset: generic\n    base_url: {}\n    auth: {{ bearer: {{ file: token }} }}\n    \
                 rate: {{ per_second: 1000, burst: 10 }}\nchannels:\n{channels}",
                self.slapd.url(),
                self.provider.base_url(),
            ),
        );
        if !self.desk.path("password").exists() {
            self.desk.write("password", "sync");
        }
    }

    fn small(more: &str) -> Self {
        let people: String = ["ada", "bob", "eve"].map(person).concat();
        Self::open(&format!("{people}{}{}", team("makers", &["ada", "bob"]), team("staff", &["eve"])), more)
    }

    fn modify(&self, dn: &str, lines: &str) {
        self.slapd.ldapmodify(&format!("dn: {dn},{SUFFIX}\nchangetype: modify\n{lines}\n"));
    }

    fn delete(&self, name: &str) {
        self.slapd.ldapdelete(&[&format!("uid={name},ou=People,{SUFFIX}")]);
    }
}

fn channel(name: &str, more: &str) -> String {
    format!(
        "  {name}:\n    source: corp\n    target: sp\n    users: {{ base_dn: \"ou=People,{SUFFIX}\" }}\n    \
         groups: {{ base_dn: \"ou=Groups,{SUFFIX}\" }}\n{more}"
    )
}

/// The lines from the first mark on, without the headings before and the summary after.
fn changes(out: &str) -> String {
    let is_mark = |line: &&str| line.starts_with(['+', '=', '~', '-', '.', '!']) || line.starts_with("    ");
    out.lines().filter(is_mark).collect::<Vec<_>>().join("\n")
}

#[test]
fn wrong_arguments_end_with_2_and_say_what_was_meant() {
    let desk = Desk::new("");
    for (arguments, meant) in [
        (&["snyc"][..], "sync"),
        (&["sync", "--chanel", "x"], "--channel"),
        (&["dry-run", "--format", "xml"], "json"),
        (&["explain"], "<WHO>"),
        (&[], "Usage"),
    ] {
        let said = desk.expect(2, arguments);
        assert!(said.err.contains(meant), "{arguments:?}: {}", said.err);
        assert!(said.out.is_empty(), "{arguments:?}");
    }
}

#[test]
fn every_help_lists_the_exit_codes() {
    let desk = Desk::new("");
    for command in [&["--help"][..], &["check", "--help"], &["dry-run", "-h"], &["sync", "--help"], &["help", "status"]] {
        let said = desk.expect(0, command);
        for line in ["0   done", "3   done, but entries are held", "4   quarantined", "78  configuration"] {
            assert!(said.out.contains(line), "{command:?}: {}", said.out);
        }
    }
    assert!(desk.expect(0, &["--version"]).out.starts_with("ldap2scim "));
}

#[test]
fn a_wrong_configuration_ends_with_78_and_names_each_place() {
    let office = Office::small("    guard: { windw: 24h }\n    existing: sometimes\n");
    for command in ["check", "dry-run", "sync", "status", "run"] {
        let said = office.desk.expect(78, &[command]);
        for part in ["config.yaml:", "channels.main.guard", "window", "channels.main.existing", "overwrite"] {
            assert!(said.err.contains(part), "{command}: {}", said.err);
        }
        assert!(!office.desk.path("state").exists(), "{command} touched the state");
    }
    let missing = said(Command::new(env!("CARGO_BIN_EXE_ldap2scim")).args(["--config", "/nowhere/c.yaml", "sync"]));
    assert_eq!(missing.code, 78);
    assert!(missing.err.contains("/nowhere/c.yaml"), "{}", missing.err);
}

#[test]
fn an_unknown_channel_ends_with_2_and_names_the_nearest() {
    let office = Office::small("");
    for command in ["check", "dry-run", "sync", "resync", "status", "run"] {
        let said = office.desk.expect(2, &[command, "--channel", "mian"]);
        assert!(said.err.contains("did you mean main?"), "{}", said.err);
    }
}

#[test]
fn status_without_state_says_so() {
    let office = Office::small("    schedule: \"30 2 * * *\"\n");
    let said = office.desk.expect(0, &["status"]);
    assert!(said.out.contains("no state yet in"), "{}", said.out);
    assert!(said.out.contains("last cycle: none yet") && said.out.contains("02:30:00"), "{}", said.out);
    assert_eq!(office.desk.json(0, &["status"])[0]["state"], json!(false));
    assert!(!office.desk.path("state").exists());
}

#[test]
fn a_dry_run_shows_each_change_and_leaves_everything_as_it_was() {
    let office = Office::small("");
    let said = office.desk.expect(0, &["dry-run"]);
    let shown = changes(&said.out);
    assert!(shown.contains("+ user ada (not at the target yet)\n    active = true\n"), "{shown}");
    assert!(shown.contains("+ group makers (not at the target yet)\n    displayName = \"makers\"\n"), "{shown}");
    assert!(shown.contains("    members: +ada +bob"), "{shown}");
    assert!(said.out.contains("would create 5, adopt 0, change 0"), "{}", said.out);
    assert!(said.out.contains("guard: passed"), "{}", said.out);
    assert!(!office.desk.path("state").exists(), "a dry-run makes no state");
    assert!(office.provider.writes().is_empty());

    let synced = office.desk.expect(0, &["sync"]);
    assert!(synced.out.contains("created 5"), "{}", synced.out);
    let before = std::fs::read(office.desk.path("state/state.sqlite")).unwrap();
    office.modify("uid=ada,ou=People", "replace: mail\nmail: lovelace@example.com\n");
    office.modify(
        "cn=makers,ou=Groups",
        &format!("add: member\nmember: uid=eve,ou=People,{SUFFIX}\n-\ndelete: member\nmember: uid=bob,ou=People,{SUFFIX}\n"),
    );
    let shown = changes(&office.desk.expect(0, &["dry-run"]).out);
    assert!(shown.contains("\"ada@example.com\" -> \"lovelace@example.com\""), "{shown}");
    assert!(shown.contains("~ group makers (members differ)\n    members: +eve -bob"), "{shown}");
    assert_eq!(shown.lines().filter(|line| !line.starts_with(' ')).count(), 2, "{shown}");
    assert_eq!(std::fs::read(office.desk.path("state/state.sqlite")).unwrap(), before, "a dry-run leaves the state as it was");
}

#[test]
fn json_is_a_header_and_then_one_line_a_change() {
    let office = Office::small("");
    office.slapd.ldapadd(&format!(
        "dn: uid=nobody,ou=People,{SUFFIX}\nobjectClass: inetOrgPerson\nuid: nobody\ncn: Nobody\nsn: Nobody\n\n\
         dn: cn=staff,ou=People,{SUFFIX}\nobjectClass: groupOfNames\ncn: staff\nmember: uid=ada,ou=People,{SUFFIX}\n"
    ));
    office.configure(&format!(
        "{}    mapping: {{ users: {{ preset: auto, rules: {{ userName: mail }} }} }}\n",
        channel("main", "")
    ));
    let documents = office.desk.json(3, &["dry-run"]);
    let header = &documents[0];
    for (key, value) in [
        ("document", json!("plan")),
        ("version", json!(1)),
        ("channel", json!("main")),
        ("first", json!(true)),
        ("vendor", json!("openldap")),
        ("reading", json!({ "coverage": "full", "causes": [] })),
    ] {
        assert_eq!(header[key], value, "{header}");
    }
    assert_eq!(header["counts"]["to_create"], json!(5), "{header}");
    let ada = documents.iter().find(|document| document["name"] == "ada@example.com").unwrap();
    assert_eq!((&ada["document"], &ada["action"], &ada["reason"]), (&json!("change"), &json!("create"), &json!("not_there")));
    let edit = ada["edits"].as_array().unwrap().iter().find(|edit| edit["path"] == "userName").unwrap();
    assert_eq!((&edit["before"], &edit["after"]), (&Json::Null, &json!("ada@example.com")));
    let makers = documents.iter().find(|document| document["name"] == "makers").unwrap();
    assert_eq!(makers["members"]["add"].as_array().unwrap().len(), 2);
    let held: Vec<&Json> = documents.iter().filter(|document| document["document"] == "held").collect();
    assert_eq!(held.len(), 1, "{held:?}");
    assert!(held[0]["why"].as_str().unwrap().contains("userName"), "{held:?}");
}

/// Every key that a document has stands in docs/json.md.
#[test]
fn the_documents_are_described() {
    let office = Office::small("");
    office.desk.json(0, &["dry-run", "--full"]).iter().chain(&office.desk.json(0, &["check"])).for_each(described);
    office.desk.json(0, &["sync"]).iter().for_each(described);
    office.delete("eve");
    let after = [office.desk.json(0, &["status"]), office.desk.json(0, &["explain", "ada"]), office.desk.json(0, &["resync"])];
    after.iter().flatten().for_each(described);
}

fn described(document: &Json) {
    let manual = include_str!("../../docs/json.md");
    let free = ["counts", "done", "inputs"];
    match document {
        Json::Object(map) => {
            for (key, value) in map {
                assert!(manual.contains(&format!("`{key}`")), "{key} is not in docs/json.md");
                if !free.contains(&key.as_str()) {
                    described(value);
                }
            }
        }
        Json::Array(all) => all.iter().for_each(described),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
    }
}

#[test]
fn names_that_could_steer_a_terminal_are_escaped() {
    // cn: bad ESC [31m
    let office = Office::open(
        &format!(
            "dn: uid=bad,ou=People,{SUFFIX}\nobjectClass: inetOrgPerson\nuid: bad\ncn:: YmFkG1szMW0=\nsn: Bad\nmail: bad@example.com\n\n"
        ),
        "",
    );
    // The mapping refuses control characters; what a name at the target or a DN holds of them is escaped.
    office.provider.add_user("evil\u{1b}[31m", json!({}));
    let said = office.desk.expect(3, &["dry-run"]);
    assert!(said.out.contains("control character"), "{}", said.out);
    assert!(!said.out.contains('\u{1b}'));
}

#[test]
fn a_reader_that_goes_away_ends_nothing() {
    let office = Office::open(&(0..300).map(|n| person(&format!("u{n:03}"))).collect::<String>(), "");
    for command in ["dry-run", "sync"] {
        let mut child = office.desk.command(&[command]).spawn().unwrap();
        drop(child.stdout.take());
        let mut err = String::new();
        child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0), "{command}: {err}");
        assert!(!err.contains("error"), "{command}: {err}");
    }
    assert_eq!(office.provider.users().len(), 300);
}

#[test]
fn a_flood_of_leavers_is_quarantined_until_it_is_settled() {
    let names: Vec<String> = (0..20).map(|n| format!("u{n:02}")).collect();
    let office = Office::open(&names.iter().map(|name| person(name)).collect::<String>(), "");
    office.desk.expect(0, &["sync"]);
    names.iter().take(10).for_each(|name| office.delete(name));
    let preview = office.desk.expect(4, &["dry-run"]);
    assert!(
        preview.out.contains("stopped by the guard:\n  ~ user u00 (no longer read: deleted, moved or filtered out)"),
        "{}",
        preview.out
    );
    assert!(preview.out.contains("guard: stopped users: 10 planned"), "{}", preview.out);
    assert!(office.desk.expect(4, &["sync"]).out.contains("guard.users"));
    let status = office.desk.expect(4, &["status"]);
    assert!(status.out.contains("quarantined since"), "{}", status.out);
    assert_eq!(status.out.matches("10 planned").count(), 1, "told once: {}", status.out);
    assert_eq!(office.provider.users().iter().filter(|user| user["active"] == true).count(), 20);
    office.configure(&channel("main", "    guard: { users: { percent: 80 } }\n"));
    office.desk.expect(0, &["sync"]);
    office.desk.expect(0, &["status"]);
    assert_eq!(office.provider.users().iter().filter(|user| user["active"] == true).count(), 10);
}

#[test]
fn a_failure_is_told_with_what_to_do_and_without_the_secret() {
    let office = Office::small("");
    office.desk.write("password", "hunter2-wrong");
    let said = office.desk.expect(1, &["sync"]);
    assert!(said.err.contains("refused the bind") && said.err.contains("check how the source binds"), "{}", said.err);
    assert!(!said.err.contains("hunter2"), "{}", said.err);
    assert!(office.desk.expect(1, &["check"]).out.contains("FAILED"));
    office.desk.write("password", "sync");
    office.desk.write("token", "wrong-token-3141");
    let said = office.desk.expect(1, &["-vv", "sync"]);
    assert!(said.err.contains("refuses the credentials") && said.err.contains("check the target's auth"), "{}", said.err);
    assert!(!format!("{}{}", said.out, said.err).contains("wrong-token-3141"));
    assert_eq!(office.desk.run(&["status"]).code, 1);
}

#[test]
fn status_works_where_the_secrets_are_out_of_reach() {
    let office = Office::small("");
    office.desk.expect(0, &["sync"]);
    for secret in ["password", "token"] {
        std::fs::remove_file(office.desk.path(secret)).unwrap();
    }
    assert!(office.desk.expect(0, &["status"]).out.contains("last cycle: done"));
    assert!(office.desk.expect(78, &["check"]).err.contains("readable to the user who runs this"));
}

#[test]
fn a_channel_in_preview_sends_nothing_and_says_so() {
    let office = Office::small("    mode: preview\n");
    let said = office.desk.expect(0, &["sync"]);
    assert!(said.out.contains("nothing was sent") && said.out.contains("create 5"), "{}", said.out);
    assert!(office.provider.writes().is_empty());
    assert!(office.desk.expect(0, &["status"]).out.contains("preview"));
}

#[test]
fn a_resync_repairs_what_drifted_and_reports_strangers() {
    let office = Office::small("");
    office.desk.expect(0, &["sync"]);
    let ada = office.provider.user("ada").unwrap()["id"].as_str().unwrap().to_owned();
    office.provider.edit(&ada, |user| user["active"] = json!(false));
    office.provider.add_user("stranger", json!({}));
    let said = office.desk.expect(0, &["resync"]);
    assert!(said.out.contains("1 linked resources differ"), "{}", said.out);
    assert!(said.out.contains("1 user and 0 groups without a link"), "{}", said.out);
    assert_eq!(office.provider.user("ada").unwrap()["active"], json!(true));
    assert!(office.provider.user("stranger").is_some());
}

#[test]
fn two_channels_of_one_target_are_told_of_what_they_share() {
    let office = Office::small("");
    office.configure(&format!("{}{}", channel("main", ""), channel("second", "")));
    for command in ["check", "dry-run"] {
        let said = office.desk.expect(0, &[command]);
        assert!(
            said.out.contains("overlap: 3 users and 2 groups are in scope of main and of second; main stands first"),
            "{}",
            said.out
        );
    }
    office.desk.expect(0, &["sync"]);
    let again = office.desk.expect(0, &["dry-run", "--channel", "second"]);
    assert!(again.out.contains("in scope of main and of second"), "{}", again.out);
    assert!(again.out.contains("would create 0, adopt 0, change 0"), "nothing is left to do: {}", again.out);
}

#[test]
fn an_entry_is_explained_however_it_is_named() {
    let office = Office::small("");
    office.desk.expect(0, &["sync"]);
    let ada = office.provider.user("ada").unwrap();
    let entry_id = ada["externalId"].as_str().unwrap();
    for who in ["ada", "ADA@example.com", entry_id, "UID=Ada, OU=People, DC=example,DC=com", "ada Example"] {
        let said = office.desk.expect(0, &["explain", who]);
        for part in [
            "found:   user uid=ada,ou=People,dc=example,dc=com",
            "scope:   in, because it is below ou=People",
            "userName = \"ada\"",
            "created by us, claimed by main",
            "nothing would be sent",
            "member of makers",
        ] {
            assert!(said.out.contains(part), "{who}: {part}\n{}", said.out);
        }
    }
    assert!(office.desk.expect(0, &["explain", "makers"]).out.contains("2 members in scope"));
    let said = office.desk.expect(1, &["explain", "mallory"]);
    assert!(said.err.contains("was not found") && said.err.contains("main"), "{}", said.err);
    office.modify("cn=makers,ou=Groups", &format!("delete: member\nmember: uid=ada,ou=People,{SUFFIX}\n"));
    office.delete("ada");
    let said = office.desk.expect(0, &["explain", "ada"]);
    assert!(said.out.contains("not among what corp reads") && said.out.contains("active: true -> false"), "{}", said.out);
}

/// A daemon with a socket on which it tells what systemd would hear.
struct Daemon {
    child: Child,
    socket: UnixDatagram,
}

impl Daemon {
    fn start(desk: &Desk) -> Self {
        let path = desk.path("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(90))).unwrap();
        let mut command = desk.command(&["run"]);
        command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "200000").stdout(Stdio::null()).stderr(Stdio::null());
        let mut daemon = Self { child: command.spawn().unwrap(), socket };
        daemon.hear("READY=1");
        daemon
    }

    /// Waits until systemd would hear this.
    #[track_caller]
    fn hear(&mut self, part: &str) -> String {
        let mut buffer = [0; 4096];
        loop {
            let length = self.socket.recv(&mut buffer).unwrap_or_else(|error| panic!("{part} was never told: {error}"));
            let told = String::from_utf8_lossy(&buffer[..length]).into_owned();
            if told.contains(part) {
                return told;
            }
        }
    }

    /// Takes in whatever it tells from now on, as systemd would: a full socket would make it wait.
    fn keep_listening(&self) {
        let socket = self.socket.try_clone().unwrap();
        std::thread::spawn(move || while socket.recv(&mut [0; 4096]).is_ok() {});
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn beside_a_daemon_others_look_and_do_not_write() {
    let office = Office::small("    schedule: \"0 0 1 1 *\"\n");
    let mut daemon = Daemon::start(&office.desk);
    daemon.hear("WATCHDOG=1");
    let said = office.desk.expect(1, &["sync"]);
    assert!(said.err.contains("is in use by another ldap2scim") && said.err.contains("only one process writes"), "{}", said.err);
    office.desk.expect(0, &["dry-run"]);
    office.desk.expect(0, &["status"]);
    daemon.signal("-TERM");
    daemon.hear("STOPPING=1");
    assert_eq!(daemon.child.wait().unwrap().code(), Some(0));
    office.desk.expect(0, &["sync"]);
}

#[test]
fn a_daemon_runs_on_time_and_takes_a_new_configuration_only_if_it_is_right() {
    let office = Office::small("    schedule: \"0 0 1 1 *\"\n");
    let mut daemon = Daemon::start(&office.desk);
    office.configure("  broken: true\n");
    daemon.signal("-HUP");
    let told = daemon.hear("RELOADING=1");
    assert!(told.contains("MONOTONIC_USEC="), "{told}");
    daemon.hear("READY=1");
    assert!(daemon.child.try_wait().unwrap().is_none(), "the old configuration stays");
    office.configure(&channel("main", "    schedule: \"* * * * *\"\n"));
    daemon.signal("-HUP");
    daemon.hear("READY=1");
    daemon.hear("cycle runs");
    daemon.hear("last cycle done");
    assert_eq!(office.provider.users().len(), 3);
    daemon.signal("-INT");
    assert_eq!(daemon.child.wait().unwrap().code(), Some(0));
}

/// A daemon told to end while its first create is under way, at a provider made slow: how long that took.
fn ends_after(slow: impl FnOnce(&Provider)) -> (Office, Duration) {
    let office = Office::small("    schedule: \"* * * * *\"\n    workers: 1\n");
    let mut daemon = Daemon::start(&office.desk);
    daemon.keep_listening();
    slow(&office.provider);
    while !office.provider.requests().iter().any(|request| request.method == "POST") {
        assert!(daemon.child.try_wait().unwrap().is_none(), "it ended by itself");
        std::thread::sleep(Duration::from_millis(20));
    }
    let told = std::time::Instant::now();
    daemon.signal("-TERM");
    assert_eq!(daemon.child.wait().unwrap().code(), Some(0));
    (office, told.elapsed())
}

#[test]
fn a_daemon_told_to_end_finishes_the_request_in_flight_and_begins_no_other() {
    let (office, _) =
        ends_after(|provider| provider.change_personality(|personality| personality.latency = Duration::from_secs(2)));
    assert_eq!(office.provider.users().len(), 1);
    assert!(!office.desk.run(&["status"]).out.contains("without an answer"), "what was in flight was recorded");
}

#[test]
fn a_daemon_told_to_end_waits_ten_seconds_for_a_request_and_not_longer() {
    let (office, took) = ends_after(|provider| provider.fail_when("POST", "/Users", 1000, Fault::Stall));
    assert!(took >= Duration::from_secs(9) && took < Duration::from_secs(20), "{took:?}");
    assert!(office.desk.run(&["status"]).out.contains("without an answer"), "the next cycle knows that it must look");
}

#[test]
fn an_interrupted_sync_finishes_what_is_in_flight_and_the_next_goes_on() {
    let names: Vec<String> = (0..300).map(|n| format!("u{n:03}")).collect();
    let office = Office::open(&names.iter().map(|name| person(name)).collect::<String>(), "");
    office.provider.change_personality(|personality| personality.latency = Duration::from_millis(20));
    let mut child = office.desk.command(&["sync"]).spawn().unwrap();
    while office.provider.users().is_empty() {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it was interrupted");
        std::thread::yield_now();
    }
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let mut err = String::new();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1), "{err}");
    assert!(err.contains("requests in flight are finished") && err.contains("stopped before everything was done"), "{err}");
    assert!(office.provider.users().len() < 300);
    assert!(!office.desk.run(&["status"]).out.contains("without an answer"), "what was in flight was recorded");
    office.provider.change_personality(|personality| personality.latency = Duration::ZERO);
    office.desk.expect(0, &["sync"]);
    assert_eq!(office.provider.users().len(), 300);
    office.provider.assert_clean();
}

#[test]
fn log_lines_can_be_documents() {
    let office = Office::small("");
    let said = office.desk.expect(0, &["-v", "--log-format", "json", "sync"]);
    let lines: Vec<Json> = said.err.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    assert!(lines.iter().any(|line| line["fields"]["message"] == "created"), "{}", said.err);
    assert!(!said.err.contains("ada@example.com"), "values are not logged: {}", said.err);
}

#[test]
fn a_check_prints_the_dialect_with_who_said_so_and_what_the_schemas_do_not_take() {
    let office = Office::small("");
    office.provider.change_personality(|personality| {
        personality.documents.announced = json!({ "filter": { "maxResults": 40 } });
        let mut schema = crate::support::provider::schemas::user_schema();
        schema["attributes"].as_array_mut().unwrap().retain(|attribute| attribute["name"] != "displayName");
        personality.documents.schemas = Some(crate::support::provider::documents::listed(vec![schema]));
    });
    let text = std::fs::read_to_string(office.desk.path("config.yaml")).unwrap();
    office
        .desk
        .write("config.yaml", &text.replace("    preset: generic", "    preset: entra-style\n    dialect: { etag: true }"));
    let said = office.desk.expect(0, &["check"]);
    for part in [
        "  dialect: preset entra-style, all as by default (-v shows it) but for:",
        "    op_case = title (preset entra-style)",
        "    etag = yes (configuration)",
        "    page_size = 40 (announced)",
        "    rate = 1000/s (configuration)",
        "  warning: The schema of a user at the target has no displayName",
    ] {
        assert!(said.out.contains(part), "{part}\n{}", said.out);
    }
    assert!(!said.out.contains("(default)"), "{}", said.out);
    let whole = office.desk.expect(0, &["-v", "check"]).out;
    assert!(whole.contains("    unset = remove (default)") && whole.contains("    never = (nothing) (default)"), "{whole}");
    let document = &office.desk.json(0, &["check"])[0];
    let rows = document["targets"][0]["dialect"].as_array().unwrap();
    assert_eq!(rows.len(), ldap2scim::scim::KNOBS.len());
    assert!(rows.contains(&json!({ "name": "page_size", "value": "40", "from": "announced" })), "{rows:?}");
    assert!(office.provider.writes().is_empty());
    assert!(!office.desk.path("state").exists(), "check remembers nothing");
}

#[test]
fn what_was_learnt_about_a_target_is_shown_by_status() {
    let office = Office::small("");
    office.provider.change_personality(|personality| {
        personality.members_per_request = 1;
        personality.membership.too_many = 413;
    });
    office.desk.expect(0, &["sync"]);
    let said = office.desk.expect(0, &["status"]);
    assert!(said.out.contains("  sp learnt members_per_request = 1, since "), "{}", said.out);
    let document = office.desk.json(0, &["status"]);
    let facts = document[0]["channels"][0]["knowledge"].as_array().expect("knowledge");
    assert!(facts.iter().any(|fact| fact["knob"] == "members_per_request" && fact["value"] == "1"), "{facts:?}");
}
