//! The program under measurement, with a configuration and a state directory of its own for each target.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::company;
use super::measure::{Measured, measure};
use super::server::Slapd;
use super::sink::{self, Sink};

/// The program and its directory.
pub struct Program<'a> {
    path: &'a Path,
    /// Where everything of it lies.
    pub directory: &'a Path,
    slapd: &'a Slapd,
}

/// What a channel's configuration says.
pub struct Channel {
    /// Requests in flight.
    pub workers: usize,
    /// Requests a second.
    pub per_second: u32,
    /// How many of them may go at once; nothing leaves it to the program.
    pub burst: Option<u32>,
    /// Groups are provisioned too.
    pub groups: bool,
    /// Narrows the users down.
    pub filter: Option<String>,
}

impl Default for Channel {
    fn default() -> Self {
        Self { workers: 16, per_second: 10_000, burst: Some(10_000), groups: true, filter: None }
    }
}

/// A configuration ready to run.
pub struct Configured<'a> {
    program: &'a Path,
    config: PathBuf,
    output: PathBuf,
}

impl<'a> Program<'a> {
    /// The program at a path.
    pub fn new(path: &'a Path, directory: &'a Path, slapd: &'a Slapd) -> Self {
        Self { path, directory, slapd }
    }

    /// Writes the configuration of a channel to a sink, with nothing remembered.
    pub fn channel(&self, name: &str, sink: &Sink, channel: &Channel) -> Configured<'a> {
        let directory = self.directory.join(name);
        let private = |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        std::fs::create_dir(&directory).unwrap();
        private(&directory, 0o700);
        let secret = |name: &str, value: &str| {
            let path = directory.join(name);
            std::fs::write(&path, value).unwrap();
            private(&path, 0o600);
            path
        };
        let password = secret("ldap-password", &self.slapd.bind_password);
        let token = secret("scim-token", sink::TOKEN);
        let burst = channel.burst.map(|burst| format!(", burst: {burst}")).unwrap_or_default();
        let filter = channel.filter.as_ref().map(|filter| format!(", filter: \"{filter}\"")).unwrap_or_default();
        let groups = if channel.groups { format!("    groups: {{ base_dn: \"{}\" }}\n", company::GROUPS) } else { String::new() };
        let text = format!(
            "state_dir: {state}\n\
             sources:\n  company:\n    urls: [\"{url}\"]\n    bind: {{ dn: \"{dn}\", password: {{ file: {password} }} }}\n\
             targets:\n  sink:\n    preset: generic\n    base_url: {base_url}\n    auth: {{ bearer: {{ file: {token} }} }}\n    \
             rate: {{ per_second: {rate}{burst} }}\n\
             channels:\n  all:\n    source: company\n    target: sink\n    schedule: \"*/5 * * * *\"\n    workers: {workers}\n    \
             users: {{ base_dn: \"{people}\"{filter} }}\n{groups}    \
             mapping: {{ users: {{ preset: auto, rules: {{ userName: uid }} }} }}\n",
            state = directory.join("state").display(),
            url = self.slapd.url,
            dn = self.slapd.bind_dn,
            password = password.display(),
            base_url = sink.base_url(),
            token = token.display(),
            rate = channel.per_second,
            workers = channel.workers,
            people = company::PEOPLE,
        );
        let config = directory.join("config.yaml");
        std::fs::write(&config, text).unwrap();
        Configured { program: self.path, config, output: directory.join("output") }
    }
}

impl Configured<'_> {
    /// Runs one cycle; a failure is told with the end of what it printed.
    pub fn sync(&self, name: &str, faults: &mut Vec<String>) -> Measured {
        self.run(&["sync"], name, faults)
    }

    /// The same over everything, whatever the directory tells of changes.
    pub fn sync_full(&self, name: &str, faults: &mut Vec<String>) -> Measured {
        self.run(&["sync", "--full"], name, faults)
    }

    fn run(&self, command: &[&str], name: &str, faults: &mut Vec<String>) -> Measured {
        let measured = measure(Command::new(self.program).arg("--config").arg(&self.config).args(command), &self.output);
        if !measured.succeeded {
            let text = std::fs::read_to_string(&self.output).unwrap_or_default();
            let end: Vec<&str> = text.lines().rev().take(12).collect();
            faults.push(format!("{name}: the program failed: {}", end.into_iter().rev().collect::<Vec<_>>().join("\n    ")));
        }
        measured
    }
}
