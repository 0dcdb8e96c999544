//! A whole site: a real slapd, a real third-party SCIM server, and the real program with a configuration file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::Value as Json;

use super::scim_server::ScimServer;
use super::slapd::{BIND_DN, SUFFIX, Slapd};

/// Everything that one admin runs.
pub struct Site {
    pub slapd: Slapd,
    pub scim: ScimServer,
    dir: tempfile::TempDir,
}

/// What the program said.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Site {
    /// Starts both servers; `ldif` is the directory's content below the suffix. One channel, `main`.
    pub async fn start(ldif: &str) -> Self {
        let slapd = Slapd::start(&format!("{OUS}{ldif}"));
        let site = Self { slapd, scim: ScimServer::start().await, dir: tempfile::tempdir().unwrap() };
        let token = site.dir.path().join("token");
        std::fs::write(&token, site.scim.token()).unwrap();
        std::fs::set_permissions(&token, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        site.configure("");
        site
    }

    /// Writes the configuration anew: `more` is added to the channel `main`.
    pub fn configure(&self, more: &str) {
        self.configure_channels(&format!(
            "  main:\n    source: corp\n    target: sp\n    users: {{ base_dn: \"ou=People,{SUFFIX}\" }}\n    \
             groups: {{ base_dn: \"ou=Groups,{SUFFIX}\" }}\n{more}"
        ));
    }

    /// Writes the configuration anew with these channels, indented by two.
    pub fn configure_channels(&self, channels: &str) {
        let text = format!(
            "state_dir: {dir}/state\n\
             sources:\n  corp:\n    tracking: full\n    urls: [\"{ldap}\"]\n    bind: {{ dn: \"{BIND_DN}\", password: {{ file: {password} }} }}\n\
             targets:\n  sp:\n    preset: generic\n    base_url: {scim}\n    auth: {{ bearer: {{ file: token }} }}\n    \
             rate: {{ per_second: 1000, burst: 1 }}\n\
             channels:\n{channels}",
            dir = self.dir.path().display(),
            ldap = self.slapd.url(),
            password = self.slapd.password_file().display(),
            scim = self.scim.base_url(),
        );
        std::fs::write(self.config(), text).unwrap();
    }

    pub fn config(&self) -> PathBuf {
        self.dir.path().join("config.yaml")
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ldap2scim"));
        command.arg("--config").arg(self.config()).args(arguments).stdin(Stdio::null());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Said {
        let output = self.command(arguments).output().unwrap();
        Said {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs and expects an exit code.
    #[track_caller]
    pub fn expect(&self, code: i32, arguments: &[&str]) -> String {
        let said = self.run(arguments);
        assert_eq!(said.code, code, "{arguments:?}\n{}\n{}", said.out, said.err);
        said.out
    }

    /// Starts and leaves it running.
    pub fn spawn(&self, arguments: &[&str]) -> Child {
        self.command(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// Puts a mark into the SCIM server's log, which lags behind its answers, and returns the log up to it.
    pub async fn mark(&self, mark: &str) -> String {
        let url = format!("{}/Schemas?mark={mark}", self.scim.base_url());
        reqwest::Client::new().get(url).bearer_auth(self.scim.token()).send().await.unwrap();
        loop {
            let log = self.scim.log();
            if log.lines().any(|line| line.contains(&format!("mark={mark}"))) {
                return log;
            }
            tokio::task::yield_now().await;
        }
    }

    /// User names at the target with whether they are active. Panics on a duplicate.
    pub async fn users(&self) -> BTreeMap<String, bool> {
        let mut users = BTreeMap::new();
        for user in self.scim.users().await {
            let name = user["userName"].as_str().unwrap().to_owned();
            assert!(users.insert(name.clone(), user["active"] == true).is_none(), "{name} twice");
        }
        users
    }

    /// Names of active users at the target.
    pub async fn active(&self) -> Vec<String> {
        self.users().await.into_iter().filter(|(_, active)| *active).map(|(name, _)| name).collect()
    }

    /// Members of every group at the target by name. This server leaves ids of deleted users in groups: they are
    /// passed over.
    pub async fn groups(&self) -> BTreeMap<String, BTreeSet<String>> {
        let names: BTreeMap<String, String> =
            self.scim.users().await.iter().map(|user| (text(user, "id"), text(user, "userName"))).collect();
        let mut groups = BTreeMap::new();
        for group in self.scim.groups().await {
            let members = group["members"].as_array().cloned().unwrap_or_default();
            let members = members.iter().filter_map(|member| names.get(&text(member, "value")).cloned());
            let name = text(&group, "displayName");
            assert!(groups.insert(name.clone(), members.collect()).is_none(), "{name} twice");
        }
        groups
    }
}

fn text(json: &Json, key: &str) -> String {
    json[key].as_str().unwrap().to_owned()
}

const OUS: &str = "dn: ou=People,dc=example,dc=com\nobjectClass: organizationalUnit\nou: People\n\n\
                   dn: ou=Groups,dc=example,dc=com\nobjectClass: organizationalUnit\nou: Groups\n\n";

/// A user in LDIF, with a blank line after it.
pub fn person(name: &str) -> String {
    format!(
        "dn: uid={name},ou=People,{SUFFIX}\nobjectClass: inetOrgPerson\nuid: {name}\ncn: {name} Example\nsn: Example\n\
         givenName: {name}\nmail: {name}@example.com\n\n"
    )
}

/// A group in LDIF, with a blank line after it.
pub fn team(name: &str, members: &[&str]) -> String {
    let members: String = members.iter().map(|member| format!("member: uid={member},ou=People,{SUFFIX}\n")).collect();
    format!("dn: cn={name},ou=Groups,{SUFFIX}\nobjectClass: groupOfNames\ncn: {name}\n{members}\n")
}
