//! Starts Samba as a private Active Directory domain controller on loopback, stopped by process id.
//!
//! ```ignore
//! let samba = Samba::start("dn: OU=Staff,DC=ad,DC=test\nobjectClass: organizationalUnit\n");
//! samba.ldapmodify("dn: CN=Ada,OU=Staff,DC=ad,DC=test\nchangetype: modify\nreplace: userAccountControl\n…");
//! let directory = Directory::new(samba.settings(Account::Plain));
//! ```
//!
//! The domain `ad.test` is made once by `scripts/prepare`; a test gets a copy of it in a temporary directory. Samba's ports are
//! fixed in its code, so each server takes an address of its own, 127.0.0.N, and only root, or who may bind to ports
//! below 1024, can start one. The server ends when the value is dropped, and by itself when the test's process dies.
//! Four accounts differ in what they were granted: see [`Account`]. All changes go over LDAP as the domain's administrator,
//! but for [`Samba::start`]'s content, which is loaded before the server starts.

use std::io::{ErrorKind, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ldap2scim::ldap::{Bind, Settings};
use ldap2scim::secret::Secret;
use rustls::pki_types::{CertificateDer, pem::PemObject};
use tempfile::TempDir;
use url::Url;

use super::slapd::write_certificates;

/// The suffix of every test domain.
pub const SUFFIX: &str = "DC=ad,DC=test";
/// The domain's name of before Windows 2000: `ADTEST\sync`.
pub const DOMAIN: &str = "ADTEST";
/// May do everything.
pub const ADMIN_DN: &str = "CN=Administrator,CN=Users,DC=ad,DC=test";
/// Its password.
pub const ADMIN_PASSWORD: &str = "Admin!Passw0rd";
/// The password of every [`Account`].
pub const PASSWORD: &str = "Sync!Passw0rd";

/// LDAP and the global catalogue, each without and with TLS.
const PORTS: [u16; 4] = [389, 636, 3268, 3269];
/// Nobody listens here: who holds it holds the address, in this process and in all others.
const LOCK_PORT: u16 = 390;
/// The last numbers of the addresses that tests use.
const NUMBERS: std::ops::Range<u8> = 32..224;

/// An account that reads the domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Account {
    /// Nothing was granted: it sees no tombstones and may not ask for what changed by DirSync.
    Plain,
    /// It may read CN=Deleted Objects.
    SeesDeleted,
    /// It has the right DS-Replication-Get-Changes.
    MayReplicate,
    /// Both.
    SeesDeletedAndMayReplicate,
}

impl Account {
    /// sAMAccountName, and the first RDN below CN=Users.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "sync",
            Self::SeesDeleted => "sync-deleted",
            Self::MayReplicate => "sync-replication",
            Self::SeesDeletedAndMayReplicate => "sync-both",
        }
    }

    pub fn dn(self) -> String {
        format!("CN={},CN=Users,{SUFFIX}", self.name())
    }
}

/// How the server is made.
#[derive(Default)]
pub struct Setup {
    /// Entries to begin with, loaded before the start, so without a password policy.
    pub ldif: String,
    /// Change records, applied after that.
    pub changes: String,
    /// Simple bind without TLS is let in (`ldap server require strong auth = no`).
    pub plain: bool,
}

/// A running server.
pub struct Samba {
    directory: TempDir,
    address: Ipv4Addr,
    _held: TcpListener,
    running: Option<(Child, ChildStdin)>,
}

impl Samba {
    /// A server with this content below the suffix, which wants TLS.
    pub fn start(ldif: &str) -> Self {
        Self::with(Setup { ldif: ldif.to_owned(), ..Setup::default() })
    }

    /// A server made to measure.
    pub fn with(setup: Setup) -> Self {
        Self::of(&domain("empty"), &setup)
    }

    /// A server with a company of 1,500 users and some 100 groups with awkward names, of which [`Truth::of_samba`](super::company::Truth::of_samba) tells
    /// what a reader must find.
    pub fn start_company() -> Self {
        Self::of(&domain("company"), &Setup::default())
    }

    /// A copy of this server's whole state as another domain controller of the same domain would have it: entries, ids
    /// and USNs are the same, the invocationId is another.
    pub fn start_copy_with_new_invocation_id(&self) -> Self {
        let id = format!("{:032x}", fastrand::u128(..));
        let id = [&id[..8], &id[8..12], &id[12..16], &id[16..20], &id[20..]].join("-");
        let settings =
            format!("CN=NTDS Settings,CN=DC1,CN=Servers,CN=Default-First-Site-Name,CN=Sites,CN=Configuration,{SUFFIX}");
        let changes = format!("dn: {settings}\nchangetype: modify\nreplace: invocationId\ninvocationId: {id}\n");
        let plain = self.configuration_says("ldap server require strong auth = no");
        Self::of(self.directory.path(), &Setup { changes, plain, ..Setup::default() })
    }

    fn of(original: &Path, setup: &Setup) -> Self {
        let directory = TempDir::new().unwrap();
        for part in ["private", "state", "lock", "cache", "run", "bind-dns"] {
            run(Command::new("cp")
                .args(["-a", "--reflink=auto", "--sparse=auto"])
                .arg(original.join(part))
                .arg(directory.path()));
        }
        let addresses = NUMBERS.map(|number| Ipv4Addr::new(127, 0, 0, number).to_string());
        write_certificates(directory.path(), &addresses.chain(["dc1.ad.test".to_owned()]).collect::<Vec<_>>());
        write_secret(&directory.path().join("password"), PASSWORD);
        write_secret(&directory.path().join("admin-password"), ADMIN_PASSWORD);
        // Samba insists on it.
        write_mode(&directory.path().join("server.key"), 0o600);
        let (address, held) = take_address();
        let mut samba = Self { directory, address, _held: held, running: None };
        samba.configure(setup.plain);
        samba.ldb("ldbadd", &setup.ldif);
        samba.ldb("ldbmodify", &setup.changes);
        samba.resume();
        samba
    }

    /// Ends the server; its address and its state stay.
    pub fn stop(&mut self) {
        if let Some((mut child, _input)) = self.running.take() {
            // Its databases take a sudden end: each write is one transaction.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Starts it again on the same address with the same state.
    pub fn resume(&mut self) {
        let log = std::fs::File::create(self.log_file()).unwrap();
        let mut child = program("samba")
            .args(["-F", "--no-process-group", "-M", "single", "--debug-stdout", "-s"])
            .arg(self.configuration())
            // It ends at the end of its input: when this process dies, however that happens.
            .stdin(Stdio::piped())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("{MISSING}: {error}"));
        let input = child.stdin.take().unwrap();
        self.running = Some((child, input));
        let deadline = Instant::now() + Duration::from_secs(60);
        for port in PORTS {
            while TcpStream::connect((self.address, port)).is_err() {
                let ended = self.running.as_mut().is_some_and(|(child, _)| child.try_wait().unwrap().is_some());
                assert!(!ended && Instant::now() < deadline, "Samba does not come up on {}: {}", self.address, self.log());
                std::thread::sleep(Duration::from_millis(10));
            }
        }
    }

    /// The running server's.
    pub fn process_id(&self) -> u32 {
        self.running.as_ref().unwrap().0.id()
    }

    /// 127.0.0.N
    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// `ldap://127.0.0.N`; binds without TLS are refused unless the setup said `plain`.
    pub fn url(&self) -> Url {
        format!("ldap://{}", self.address).parse().unwrap()
    }

    /// `ldaps://127.0.0.N`
    pub fn tls_url(&self) -> Url {
        format!("ldaps://{}", self.address).parse().unwrap()
    }

    /// The authority that signed the server's certificate; the same for a copy of the server.
    pub fn ca_file(&self) -> PathBuf {
        self.directory.path().join("ca.pem")
    }

    /// The password of every [`Account`], in a file.
    pub fn password_file(&self) -> PathBuf {
        self.directory.path().join("password")
    }

    /// The account's bind by its DN.
    pub fn bind(&self, account: Account) -> Bind {
        Bind::Simple { dn: account.dn(), password: Secret::File(self.password_file()) }
    }

    /// Settings that read this server over TLS.
    pub fn settings(&self, account: Account) -> Settings {
        let mut settings = Settings::new("test", vec![self.tls_url()], self.bind(account));
        settings.ca_file = Some(self.ca_file());
        settings
    }

    /// The ldap3 crate's client, bound as the account, for what a source does not ask.
    pub async fn client_of(&self, account: Account) -> ldap3::Ldap {
        let mut roots = rustls::RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(self.ca_file()).unwrap() {
            roots.add(certificate.unwrap()).unwrap();
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = config.with_root_certificates(roots).with_no_client_auth();
        let settings = ldap3::LdapConnSettings::new().set_config(Arc::new(config));
        let (connection, mut ldap) = ldap3::LdapConnAsync::with_settings(settings, self.tls_url().as_str()).await.unwrap();
        tokio::spawn(connection.drive());
        ldap.simple_bind(&account.dn(), PASSWORD).await.unwrap().success().unwrap();
        ldap
    }

    /// Adds entries.
    pub fn ldapadd(&self, ldif: &str) {
        self.client("ldapadd", &[], ldif);
    }

    /// Applies change records.
    pub fn ldapmodify(&self, ldif: &str) {
        self.client("ldapmodify", &[], ldif);
    }

    /// The same with the control that lets one name what was deleted, as an undeletion does.
    pub fn ldapmodify_deleted(&self, ldif: &str) {
        self.client("ldapmodify", &["-e", "!1.2.840.113556.1.4.417"], ldif);
    }

    /// Deletes entries.
    pub fn ldapdelete(&self, dns: &[&str]) {
        self.client("ldapdelete", &[], &format!("{}\n", dns.join("\n")));
    }

    /// What `ldapsearch` prints, without line wraps.
    pub fn ldapsearch(&self, base: &str, filter: &str, attributes: &[&str]) -> String {
        let mut arguments = vec!["-LLL", "-o", "ldif-wrap=no", "-b", base, filter];
        arguments.extend(attributes);
        self.client("ldapsearch", &arguments, "")
    }

    /// What `samba-tool` says, working on the database itself.
    pub fn samba_tool(&self, arguments: &[&str]) -> String {
        let mut command = program("samba-tool");
        command.args(arguments).arg("-H").arg(self.database()).arg("--configfile").arg(self.configuration());
        text(run(&mut command))
    }

    /// What `ldbsearch` prints, an implementation of its own, working on the database itself.
    pub fn ldbsearch(&self, base: &str, filter: &str, attributes: &[&str]) -> String {
        let mut command = program("ldbsearch");
        command.arg("-H").arg(self.database()).arg("--configfile").arg(self.configuration());
        text(run(command.args(["-b", base, filter]).args(attributes)))
    }

    /// What the server said.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    fn client(&self, name: &str, arguments: &[&str], input: &str) -> String {
        let mut command = program(name);
        command.env("LDAPTLS_CACERT", self.ca_file());
        command.args(["-x", "-H", self.tls_url().as_str(), "-D", ADMIN_DN, "-w", ADMIN_PASSWORD]).args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{name} (package ldap-utils): {error}"));
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        text(passed(name, child.wait_with_output().unwrap()))
    }

    /// Changes the database while no server runs on it.
    fn ldb(&self, name: &str, ldif: &str) {
        if ldif.trim().is_empty() {
            return;
        }
        let file = self.directory.path().join("content.ldif");
        std::fs::write(&file, ldif).unwrap();
        let mut command = program(name);
        command.args(["--nosync", "-o", "batch_mode:1", "-H"]).arg(self.database());
        run(command.arg("--configfile").arg(self.configuration()).arg(file));
    }

    fn configure(&self, plain: bool) {
        let text = include_str!("../../../scripts/lab/smb.conf")
            .replace("@DIRECTORY@", &self.directory.path().display().to_string())
            .replace("@ADDRESS@", &self.address.to_string())
            .replace("@STRONG@", if plain { "no" } else { "yes" });
        std::fs::write(self.configuration(), text).unwrap();
    }

    fn configuration_says(&self, line: &str) -> bool {
        std::fs::read_to_string(self.configuration()).unwrap().contains(line)
    }

    fn configuration(&self) -> PathBuf {
        self.directory.path().join("smb.conf")
    }

    fn database(&self) -> PathBuf {
        self.directory.path().join("private/sam.ldb")
    }

    fn log_file(&self) -> PathBuf {
        self.directory.path().join("samba.out")
    }
}

impl Drop for Samba {
    fn drop(&mut self) {
        self.stop();
    }
}

const MISSING: &str =
    "Samba as a domain controller is missing: run scripts/prepare, which installs it (packages samba, samba-ad-dc, ldb-tools)";

/// Programs of Samba's packages; `/usr/sbin` is not on everybody's path.
fn program(name: &str) -> Command {
    let places = ["/usr/sbin", "/usr/bin", "/usr/local/samba/sbin", "/usr/local/samba/bin"];
    let found = places.iter().map(|place| Path::new(place).join(name)).find(|path| path.exists());
    Command::new(found.unwrap_or_else(|| name.into()))
}

/// A domain that `scripts/prepare` made.
fn domain(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/samba").join(name);
    assert!(path.join("private").exists(), "{} is missing: run scripts/prepare, which makes it", path.display());
    path
}

/// An address that nobody else holds and on which nobody listens.
fn take_address() -> (Ipv4Addr, TcpListener) {
    let count = usize::from(NUMBERS.end - NUMBERS.start);
    let first = fastrand::usize(..count);
    for number in NUMBERS.cycle().skip(first).take(count) {
        let address = Ipv4Addr::new(127, 0, 0, number);
        let held = match TcpListener::bind((address, LOCK_PORT)) {
            Ok(held) => held,
            Err(error) if error.kind() == ErrorKind::PermissionDenied => panic!(
                "Samba listens on ports 389 and 636, which this user may not: run the tests as root, or set \
                 net.ipv4.ip_unprivileged_port_start to 389 or less ({error})"
            ),
            Err(_) => continue,
        };
        if PORTS.iter().all(|port| TcpListener::bind((address, *port)).is_ok()) {
            return (address, held);
        }
    }
    panic!("no address from 127.0.0.{} to 127.0.0.{} is free for Samba's ports {PORTS:?}", NUMBERS.start, NUMBERS.end - 1);
}

fn write_secret(path: &Path, secret: &str) {
    std::fs::write(path, secret).unwrap();
    write_mode(path, 0o600);
}

fn write_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
}

fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}; {MISSING}"));
    passed(&format!("{command:?}"), output)
}

fn passed(what: &str, output: Output) -> Output {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{what}: {out}{err}");
    output
}

fn text(output: Output) -> String {
    String::from_utf8(output.stdout).unwrap()
}
