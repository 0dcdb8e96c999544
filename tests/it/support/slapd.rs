//! Starts a private OpenLDAP server on loopback, stopped by process id.
//!
//! ```ignore
//! let slapd = Slapd::start("dn: ou=People,dc=example,dc=com\nobjectClass: organizationalUnit\nou: People\n");
//! slapd.ldapadd("dn: uid=ada,ou=People,dc=example,dc=com\n…");
//! let directory = Directory::new(slapd.settings());
//! ```
//!
//! The suffix entry `dc=example,dc=com` and the service account `cn=sync,ou=Services,dc=example,dc=com` are made
//! for you. The service account (password `sync`, in [`Slapd::password_file`]) is what [`Slapd::settings`] binds
//! as: it may read everything and lives under the server's size limits (500 without pages). The root DN, which
//! `ldapadd`, `ldapmodify` and `ldapdelete` bind as, knows no limits: never test limits as root.
//! Everything lies in a temporary directory; the server is killed when the value is dropped.
//! [`Setup`] chooses limits, overlays and more; ports come from the system.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use ldap2scim::certificate::ClientCertificate;
use ldap2scim::ldap::{Bind, Settings};
use ldap2scim::secret::Secret;
use tempfile::TempDir;
use url::Url;

/// The suffix of every test directory.
pub const SUFFIX: &str = "dc=example,dc=com";
/// The service account.
pub const BIND_DN: &str = "cn=sync,ou=Services,dc=example,dc=com";
/// Its password.
pub const BIND_PASSWORD: &str = "sync";
/// Knows no limits and no access rules.
pub const ROOT_DN: &str = "cn=admin,dc=example,dc=com";

/// Programs of packages slapd and ldap-utils; `/usr/sbin` is not on everybody's path.
fn program(name: &str) -> Command {
    let tools = concat!(env!("CARGO_MANIFEST_DIR"), "/target/tools/openldap");
    let places = [tools, "/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/libexec", "/usr/libexec"];
    let found = places.iter().map(|place| Path::new(place).join(name)).find(|path| path.exists());
    Command::new(found.unwrap_or_else(|| name.into()))
}

/// How the server is made.
pub struct Setup {
    /// The content, below the suffix; loaded without schema checks, so operational attributes may be in it.
    pub ldif: String,
    /// `memberof` and `refint`, as most real directories have.
    pub overlays: Vec<&'static str>,
    /// Operations that the overlay `syncprov`, where it is among the overlays, remembers until the server ends.
    pub session_log: Option<u32>,
    /// Limits of the service account (slapd.conf(5), `limits`).
    pub limits: &'static str,
    /// Access rules, before the last one that lets the service account read everything.
    pub access: &'static str,
    /// More lines for the database section of slapd.conf.
    pub more: &'static str,
    /// More lines for its global section.
    pub global: &'static str,
    /// Variables of the server's environment, which name files.
    pub environment: Vec<(&'static str, PathBuf)>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            ldif: String::new(),
            overlays: vec!["memberof", "refint"],
            session_log: None,
            limits: "size.soft=500 size.hard=5000 size.pr=1000 size.prtotal=unlimited",
            access: "",
            more: "",
            global: "",
            environment: Vec::new(),
        }
    }
}

/// A running server.
pub struct Slapd {
    directory: TempDir,
    child: Child,
    port: u16,
    tls_port: u16,
    environment: Vec<(&'static str, PathBuf)>,
}

impl Slapd {
    /// A server with this content and everything else as [`Setup::default`].
    pub fn start(ldif: &str) -> Self {
        Self::with(Setup { ldif: ldif.to_owned(), ..Setup::default() })
    }

    /// A server made to measure.
    pub fn with(setup: Setup) -> Self {
        let directory = TempDir::new().unwrap();
        write_certificates(directory.path(), &["localhost", "127.0.0.1", "::1"].map(str::to_owned));
        write_configuration(directory.path(), &setup);
        let password = directory.path().join("password");
        std::fs::write(&password, BIND_PASSWORD).unwrap();
        std::fs::set_permissions(&password, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        load(directory.path(), &setup.ldif);
        // Between asking for a free port and using it somebody else may take it.
        for _ in 0..10 {
            let (port, tls_port) = (free_port(), free_port());
            if let Some(child) = launch(directory.path(), &setup.environment, port, tls_port) {
                return Self { directory, child, port, tls_port, environment: setup.environment };
            }
        }
        panic!("slapd does not come up");
    }

    /// Ends the server and starts it again on the same ports: what it had in memory only is lost.
    pub fn restart(&mut self) {
        self.stop();
        self.child = launch(self.directory.path(), &self.environment, self.port, self.tls_port).unwrap();
    }

    fn stop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// The port of `ldap://`.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `ldap://127.0.0.1:PORT`
    pub fn url(&self) -> Url {
        format!("ldap://127.0.0.1:{}", self.port).parse().unwrap()
    }

    /// `ldaps://localhost:PORT`; the certificate is for localhost, 127.0.0.1 and ::1.
    pub fn tls_url(&self) -> Url {
        format!("ldaps://localhost:{}", self.tls_port).parse().unwrap()
    }

    /// The authority that signed the server's certificate.
    pub fn ca_file(&self) -> PathBuf {
        self.directory.path().join("ca.pem")
    }

    /// Replaces the certificate `client.pem` and `client.key` by one for `CN=<name>,O=machines`.
    pub fn issue(&self, name: &str) -> ClientCertificate {
        let place = self.directory.path();
        issue(&std::fs::read_to_string(place.join("ca.key")).unwrap(), name, place)
    }

    /// The service account's password, in a file.
    pub fn password_file(&self) -> PathBuf {
        self.directory.path().join("password")
    }

    /// The service account's bind.
    pub fn bind(&self) -> Bind {
        Bind::Simple { dn: BIND_DN.to_owned(), password: Secret::File(self.password_file()) }
    }

    /// The bind of the root DN, who knows no limits.
    pub fn root_bind(&self) -> Bind {
        let file = self.directory.path().join("root-password");
        std::fs::write(&file, "admin").unwrap();
        std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        Bind::Simple { dn: ROOT_DN.to_owned(), password: Secret::File(file) }
    }

    /// Settings that read this server over plain loopback as the service account.
    pub fn settings(&self) -> Settings {
        Settings::new("test", vec![self.url()], self.bind())
    }

    /// Adds entries.
    pub fn ldapadd(&self, ldif: &str) {
        self.client("ldapadd", &["-c"], ldif);
    }

    /// Applies change records.
    pub fn ldapmodify(&self, ldif: &str) {
        self.client("ldapmodify", &[], ldif);
    }

    /// Deletes entries.
    pub fn ldapdelete(&self, dns: &[&str]) {
        self.client("ldapdelete", &[], &format!("{}\n", dns.join("\n")));
    }

    /// What `ldapsearch` prints as the root DN, without line wraps.
    pub fn ldapsearch(&self, base: &str, filter: &str, attributes: &[&str]) -> String {
        let mut arguments = vec!["-LLL", "-o", "ldif-wrap=no", "-b", base, filter];
        arguments.extend(attributes);
        self.client("ldapsearch", &arguments, "")
    }

    fn client(&self, name: &str, arguments: &[&str], input: &str) -> String {
        let mut command = program(name);
        command.args(["-x", "-H", self.url().as_str(), "-D", ROOT_DN, "-w", "admin"]).args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Slapd {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Fills the database with the content below the suffix.
fn load(directory: &Path, ldif: &str) {
    let _ = std::fs::remove_dir_all(directory.join("db"));
    std::fs::create_dir(directory.join("db")).unwrap();
    let ldif = format!("{}\n{}\n", base_ldif(), ldif.trim_start());
    std::fs::write(directory.join("content.ldif"), ldif).unwrap();
    let (configuration, content) = (directory.join("slapd.conf"), directory.join("content.ldif"));
    run(program("slapadd").args(["-q", "-w", "-f"]).arg(configuration).arg("-l").arg(content));
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Starts the server and waits until it says so; `None` if it ends instead.
fn launch(directory: &Path, environment: &[(&str, PathBuf)], port: u16, tls_port: u16) -> Option<Child> {
    let mut child = program("slapd")
        .envs(environment.iter().map(|(name, path)| (name, path)))
        .arg("-f")
        .arg(directory.join("slapd.conf"))
        .args(["-d", "none", "-h", &format!("ldap://127.0.0.1:{port}/ ldaps://127.0.0.1:{tls_port}/")])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("slapd (package slapd): {error}"));
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let (started, wait) = mpsc::channel();
    let log = directory.join("slapd.log");
    std::thread::spawn(move || {
        let mut log = std::fs::File::create(log).ok();
        for line in lines.map_while(Result::ok) {
            if line.contains("slapd starting") {
                let _ = started.send(());
            }
            if let Some(log) = &mut log {
                let _ = writeln!(log, "{line}");
            }
        }
    });
    // It says so shortly before it listens.
    let up = wait.recv_timeout(Duration::from_secs(30)).is_ok() && [port, tls_port].into_iter().all(answers);
    if up {
        return Some(child);
    }
    let _ = child.kill();
    let _ = child.wait();
    None
}

fn answers(port: u16) -> bool {
    let deadline = Instant::now() + Duration::from_secs(10);
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        if Instant::now() > deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    true
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn base_ldif() -> String {
    format!(
        "dn: {SUFFIX}\nobjectClass: dcObject\nobjectClass: organization\ndc: example\no: Example\n\n\
         dn: ou=Services,{SUFFIX}\nobjectClass: organizationalUnit\nou: Services\n\n\
         dn: {BIND_DN}\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\ncn: sync\nuserPassword: {BIND_PASSWORD}\n"
    )
}

fn write_configuration(directory: &Path, setup: &Setup) {
    let place = directory.display();
    let modules: String = setup.overlays.iter().map(|name| format!("moduleload {name}\n")).collect();
    let overlays: String = setup
        .overlays
        .iter()
        .map(|name| match *name {
            "memberof" => "overlay memberof\nmemberof-refint TRUE\nmemberof-dangling ignore\n".to_owned(),
            "refint" => {
                "overlay refint\nrefint_attributes member uniqueMember manager\nrefint_nothing cn=admin,dc=example,dc=com\n"
                    .to_owned()
            }
            "dynlist" => "overlay dynlist\ndynlist-attrset groupOfURLs memberURL member\n".to_owned(),
            "syncprov" => {
                let log = setup.session_log.map(|operations| format!("syncprov-sessionlog {operations}\n")).unwrap_or_default();
                format!("overlay syncprov\nsyncprov-checkpoint 100 5\n{log}")
            }
            other => format!("overlay {other}\n"),
        })
        .collect();
    let Setup { limits, access, more, global, .. } = setup;
    let text = format!(
        "include /etc/ldap/schema/core.schema\n\
         include /etc/ldap/schema/cosine.schema\n\
         include /etc/ldap/schema/nis.schema\n\
         include /etc/ldap/schema/inetorgperson.schema\n\
         include /etc/ldap/schema/dyngroup.schema\n\
         pidfile {place}/slapd.pid\n\
         modulepath /usr/lib/ldap\n\
         moduleload back_mdb\n\
         {modules}\
         TLSCACertificateFile {place}/ca.pem\n\
         TLSCertificateFile {place}/server.pem\n\
         TLSCertificateKeyFile {place}/server.key\n\
         sizelimit 500\n\
         {global}\n\
         threads 4\n\
         access to dn.base=\"\" by * read\n\
         database mdb\n\
         suffix \"{SUFFIX}\"\n\
         rootdn \"{ROOT_DN}\"\n\
         rootpw admin\n\
         directory {place}/db\n\
         maxsize 1073741824\n\
         dbnosync\n\
         index objectClass,entryUUID,member,uniqueMember,uid,cn,mail eq\n\
         limits dn.exact=\"{BIND_DN}\" {limits}\n\
         access to attrs=userPassword by anonymous auth by self write by * none\n\
         {access}\n\
         access to * by dn.exact=\"{BIND_DN}\" read by self read by * none\n\
         {more}\n\
         {overlays}"
    );
    std::fs::write(directory.join("slapd.conf"), text).unwrap();
}

/// An authority, and a certificate for these names and addresses that it signed: `ca.pem`, `server.pem`, `server.key`.
pub fn write_certificates(directory: &Path, names: &[String]) {
    use rcgen::{CertificateParams, DnType, Issuer, KeyPair};
    let authority = authority();
    let authority_key = KeyPair::generate().unwrap();
    std::fs::write(directory.join("ca.key"), authority_key.serialize_pem()).unwrap();
    std::fs::write(directory.join("ca.pem"), authority.self_signed(&authority_key).unwrap().pem()).unwrap();
    let issuer = Issuer::new(authority, authority_key);
    let mut server = CertificateParams::new(names.to_vec()).unwrap();
    server.distinguished_name.push(DnType::CommonName, names[0].as_str());
    let key = KeyPair::generate().unwrap();
    std::fs::write(directory.join("server.pem"), server.signed_by(&key, &issuer).unwrap().pem()).unwrap();
    std::fs::write(directory.join("server.key"), key.serialize_pem()).unwrap();
}

/// What an authority says of itself.
fn authority() -> rcgen::CertificateParams {
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyUsagePurpose};
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.distinguished_name.push(DnType::CommonName, "test authority");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    authority
}

/// A client certificate by this authority, in two files.
fn issue(authority_key: &str, name: &str, directory: &Path) -> ClientCertificate {
    use rcgen::{CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, Issuer, KeyPair};
    let issuer = Issuer::new(authority(), KeyPair::from_pem(authority_key).unwrap());
    let mut client = CertificateParams::new(Vec::new()).unwrap();
    client.distinguished_name = DistinguishedName::new();
    client.distinguished_name.push(DnType::OrganizationName, "machines");
    client.distinguished_name.push(DnType::CommonName, name);
    client.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let key = KeyPair::generate().unwrap();
    let (certificate, key_file) = (directory.join("client.pem"), directory.join("client.key"));
    std::fs::write(&certificate, client.signed_by(&key, &issuer).unwrap().pem()).unwrap();
    std::fs::write(&key_file, key.serialize_pem()).unwrap();
    std::fs::set_permissions(&key_file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    ClientCertificate { certificate, key: Secret::File(key_file) }
}
