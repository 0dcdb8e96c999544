//! A directory with a sound configuration, and ways to spoil it.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::config::load::parse;
use crate::config::{Problem, Problems, Settings};

/// A sound configuration; tests replace pieces of it.
pub const SOUND: &str = r#"state_dir: state
sources:
  corp:
    urls: ["ldaps://dc1.example.com", "ldap://127.0.0.1:389"]
    bind: { dn: "cn=sync,dc=x", password: { file: secret } }
targets:
  cie:
    preset: paloalto-cie
    base_url: https://scim.example.com/v2
    auth: { bearer: { file: secret } }
channels:
  chicago:
    source: corp
    target: cie
    schedule: "*/5 * * * *"
    users: { base_dn: "dc=x" }
    groups:
      base_dn: "dc=x"
    guard:
      window: 24h
"#;

/// A directory with secrets and certificates.
pub fn directory() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    write(directory.path(), "secret", "hunter2\n", 0o600);
    write(directory.path(), "open", "hunter2\n", 0o604);
    write(directory.path(), "shared", "hunter2\n", 0o660);
    write(directory.path(), "empty", "\n", 0o600);
    write(directory.path(), "ca.pem", "-----BEGIN CERTIFICATE-----\n", 0o644);
    let keys = ["client.key", "other.key"].map(|name| {
        let key = rcgen::KeyPair::generate().unwrap();
        write(directory.path(), name, &key.serialize_pem(), 0o600);
        key
    });
    let client = rcgen::CertificateParams::new(vec!["sync".to_owned()]).unwrap().self_signed(&keys[0]).unwrap();
    write(directory.path(), "client.pem", &client.pem(), 0o644);
    directory
}

/// Writes a file with a mode.
pub fn write(directory: &Path, name: &str, content: &str, mode: u32) {
    let path = directory.join(name);
    std::fs::write(&path, content).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// What becomes of a text in a directory.
pub fn parsed(directory: &Path, text: &str) -> Result<Settings, Problems> {
    parse(text, directory.join("c.yaml").to_str().unwrap())
}

/// The sound configuration with pieces replaced, each of which must be there.
pub fn spoilt(changes: &[(&str, &str)]) -> String {
    changes.iter().fold(SOUND.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from} is not in the sound configuration");
        text.replacen(from, to, 1)
    })
}

/// The problems of a text as one line each, with their hints, without the directory.
pub fn told(directory: &Path, text: &str) -> Vec<String> {
    let problems = parsed(directory, text).err().map(|problems| problems.0).unwrap_or_default();
    problems.iter().map(|problem| line(directory, problem)).collect()
}

/// The warnings of a text that has no problems.
pub fn warned(directory: &Path, text: &str) -> Vec<String> {
    match parsed(directory, text) {
        Ok(settings) => settings.warnings.iter().map(|warning| line(directory, warning)).collect(),
        Err(problems) => panic!("{problems}"),
    }
}

fn line(directory: &Path, problem: &Problem) -> String {
    let hint = problem.hint.as_ref().map(|hint| format!(" [{hint}]")).unwrap_or_default();
    format!("{}{hint}", problem.headline()).replace(&format!("{}/", directory.display()), "")
}
