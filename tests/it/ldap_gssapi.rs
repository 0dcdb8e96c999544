//! The bind by Kerberos ticket, against MIT's key distribution centre (Debian: krb5-kdc, krb5-admin-server,
//! libsasl2-modules-gssapi-mit) and slapd. Only with the feature `gssapi`; scripts/test runs without it.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::slapd::{SUFFIX, Setup, Slapd, free_port};

const MAPPED: &str = "sasl-host localhost\nsasl-realm TEST.LOCAL\n\
    authz-regexp \"^uid=([^,]+),(cn=test.local,)?cn=gssapi,cn=auth$\" \"cn=$1,ou=Services,dc=example,dc=com\"";

/// A realm `TEST.LOCAL` with the principals `ldap/localhost` and `sync`.
struct Realm {
    folder: tempfile::TempDir,
    server: Child,
}

impl Realm {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (place, port) = (folder.path().display(), free_port());
        let client = format!(
            "[libdefaults]\ndefault_realm = TEST.LOCAL\ndns_lookup_kdc = false\ndns_canonicalize_hostname = false\nrdns = false\n\
             [realms]\nTEST.LOCAL = {{\nkdc = 127.0.0.1:{port}\n}}\n[domain_realm]\nlocalhost = TEST.LOCAL\n"
        );
        let server = format!(
            "[realms]\nTEST.LOCAL = {{\ndatabase_name = {place}/principal\nkey_stash_file = {place}/stash\n\
             kdc_listen = 127.0.0.1:{port}\nkdc_tcp_listen = 127.0.0.1:{port}\n}}\n"
        );
        std::fs::write(folder.path().join("krb5.conf"), client).unwrap();
        std::fs::write(folder.path().join("kdc.conf"), server).unwrap();
        let run = |program: &str, arguments: &[&str]| {
            let output = command(program, folder.path()).args(arguments).output().unwrap();
            assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
        };
        run("kdb5_util", &["create", "-s", "-P", "master", "-r", "TEST.LOCAL"]);
        for (principal, keytab) in [("ldap/localhost", "slapd.keytab"), ("sync", "sync.keytab")] {
            run("kadmin.local", &["-q", &format!("addprinc -randkey {principal}")]);
            run("kadmin.local", &["-q", &format!("ktadd -k {place}/{keytab} {principal}")]);
        }
        let server = command("krb5kdc", folder.path()).arg("-n").stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let deadline = Instant::now() + Duration::from_secs(10);
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "the key distribution centre comes up");
            std::thread::sleep(Duration::from_millis(5));
        }
        Self { folder, server }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

impl Drop for Realm {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn command(program: &str, folder: &Path) -> Command {
    let mut command = Command::new(Path::new("/usr/sbin").join(program));
    command.env("KRB5_CONFIG", folder.join("krb5.conf")).env("KRB5_KDC_PROFILE", folder.join("kdc.conf"));
    command
}

#[test]
fn a_kerberos_ticket_from_a_keytab_is_the_bind_and_another_principal_has_none() {
    let realm = Realm::start();
    let environment = vec![("KRB5_CONFIG", realm.path("krb5.conf")), ("KRB5_KTNAME", realm.path("slapd.keytab"))];
    let ldif = format!("dn: uid=ada,{SUFFIX}\nobjectClass: inetOrgPerson\nuid: ada\ncn: ada\nsn: ada\n");
    let slapd = Slapd::with(Setup { ldif, global: MAPPED, environment, ..Setup::default() });
    let check = |principal: &str| {
        let text = format!(
            "state_dir: state\nsources:\n  corp:\n    urls: {}\n    ca_file: {}\n    bind: {{ gssapi: {{ principal: {principal} }} }}\n\
             targets:\n  app: {{ base_url: 'http://127.0.0.1:1' }}\n\
             channels:\n  all: {{ source: corp, target: app, users: {{ base_dn: '{SUFFIX}' }} }}\n",
            slapd.tls_url(),
            slapd.ca_file().display()
        );
        std::fs::write(realm.path("config.yaml"), text).unwrap();
        let mut program = Command::new(env!("CARGO_BIN_EXE_ldap2scim"));
        program.env("KRB5_CONFIG", realm.path("krb5.conf")).env("KRB5_CLIENT_KTNAME", realm.path("sync.keytab"));
        program.env("KRB5CCNAME", "MEMORY:").arg("--config").arg(realm.path("config.yaml")).arg("check");
        let mut child = program.stdout(Stdio::piped()).spawn().unwrap();
        let mut told = String::new();
        child.stdout.take().unwrap().read_to_string(&mut told).unwrap();
        child.wait().unwrap();
        told
    };
    let told = check("sync@TEST.LOCAL");
    let expected = "bound as sync@TEST.LOCAL by Kerberos ticket (SASL GSSAPI); the server takes us for dn:cn=sync,ou=services,";
    assert!(told.to_ascii_lowercase().contains(&expected.to_ascii_lowercase()), "{told}");
    assert!(told.contains("in scope: 1 user"), "{told}");
    let told = check("stranger@TEST.LOCAL");
    assert!(told.contains("no Kerberos ticket for the bind"), "{told}");
}
