//! The private slapd of the bench, started by scripts/lab/slapd.sh and stopped by its process id.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use super::company;
use super::measure::{Measured, measure};

/// What the program reads, users and then groups: base, filter, attributes.
pub const SEARCHES: [(&str, &str, &str); 2] = [
    (
        company::PEOPLE,
        "(objectClass=inetOrgPerson)",
        "uid cn sn givenName displayName mail title departmentNumber employeeNumber telephoneNumber mobile \
         facsimileTelephoneNumber street l st postalCode preferredLanguage manager pwdAccountLockedTime entryUUID",
    ),
    (company::GROUPS, "(objectClass=groupOfNames)", "cn member entryUUID"),
];

/// A running slapd.
pub struct Slapd {
    pub url: String,
    pub bind_dn: String,
    pub bind_password: String,
    root_dn: String,
    root_password: String,
    process: String,
}

impl Slapd {
    /// Loads the LDIF and starts.
    pub fn start(directory: &Path, suffix: &str, ldif: &Path) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/lab/slapd.sh");
        let status = Command::new(script).arg(directory).arg(suffix).arg(ldif).status().unwrap();
        assert!(status.success(), "scripts/lab/slapd.sh failed; has scripts/prepare run?");
        let written = std::fs::read_to_string(directory.join("env")).unwrap();
        let read = |name: &str| {
            let line = written.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
            line.unwrap_or_else(|| panic!("no {name} in {written}")).to_owned()
        };
        Self {
            url: read("LDAP_URL"),
            bind_dn: read("BIND_DN"),
            bind_password: read("BIND_PASSWORD"),
            root_dn: read("ROOT_DN"),
            root_password: read("ROOT_PASSWORD"),
            process: read("SLAPD_PID"),
        }
    }

    /// DN and password of whom no limit holds.
    #[allow(dead_code)] // Only one of the two benches binds so.
    pub fn root(&self) -> (&str, &str) {
        (&self.root_dn, &self.root_password)
    }

    /// Applies changes.
    pub fn modify(&self, ldif: &str) {
        let mut child = Command::new("ldapmodify")
            .args(["-x", "-H", &self.url, "-D", &self.root_dn, "-w", &self.root_password])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(ldif.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success(), "ldapmodify failed");
    }

    /// `ldapsearch` asks for the root DSE.
    pub fn ask(&self) -> Measured {
        let mut command = Command::new("ldapsearch");
        command.args(["-LLL", "-x", "-H", &self.url, "-D", &self.bind_dn, "-w", &self.bind_password]);
        let measured = measure(command.args(["-s", "base", "-b", ""]), Path::new("/dev/null"));
        assert!(measured.succeeded, "ldapsearch failed");
        measured
    }

    /// The yardstick: `ldapsearch` reads the same entries and attributes, in pages, users and then groups.
    pub fn search(&self) -> Measured {
        let measured = SEARCHES.map(|(base, filter, attributes)| {
            let mut command = Command::new("ldapsearch");
            command.args(["-LLL", "-x", "-H", &self.url, "-D", &self.bind_dn, "-w", &self.bind_password]);
            command.args(["-E", "pr=500/noprompt", "-b", base, filter]).args(attributes.split_whitespace());
            let measured = measure(&mut command, Path::new("/dev/null"));
            assert!(measured.succeeded, "ldapsearch failed");
            measured
        });
        Measured {
            wall: measured.iter().map(|each| each.wall).sum(),
            cpu: measured.iter().map(|each| each.cpu).sum(),
            peak_kb: measured.iter().map(|each| each.peak_kb).max().unwrap_or(0),
            succeeded: true,
        }
    }
}

impl Drop for Slapd {
    fn drop(&mut self) {
        let kill = |signal: &str| Command::new("sh").args(["-c", &format!("kill -{signal} {}", self.process)]).status();
        let _ = kill("TERM");
        let gone = || !Path::new("/proc").join(&self.process).exists();
        for _ in 0..100 {
            if gone() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        let _ = kill("KILL");
    }
}
