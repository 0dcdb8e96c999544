//! Where a secret comes from. It is read when it is needed, so that one that rotates is noticed,
//! and never shown.

use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};

/// Octets of a secret at most.
const LONGEST: u64 = 64 * 1024;

/// The place of a secret.
#[derive(Debug, Clone)]
pub enum Secret {
    /// A file; the last line break is cut off.
    File(PathBuf),
    /// An environment variable.
    Env(String),
    /// A systemd credential: a file of this name in `$CREDENTIALS_DIRECTORY`.
    Credential(String),
    /// Written in the configuration itself; accepted with a warning.
    Inline(SecretString),
}

/// What a secret's file looks like from outside: another look, another secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    modified: (i64, i64),
    inode: (u64, u64),
    length: u64,
}

impl Secret {
    /// How its file looks, without reading it. `None` for what does not change while the program runs, and for a
    /// file that cannot be looked at.
    pub fn stamp(&self) -> Option<Stamp> {
        let Self::File(path) = self else { return None };
        let seen = std::fs::metadata(path).ok()?;
        Some(Stamp { modified: (seen.mtime(), seen.mtime_nsec()), inode: (seen.dev(), seen.ino()), length: seen.len() })
    }

    /// Reads the secret. The error says what to do and holds nothing of the secret.
    pub fn read(&self) -> Result<SecretString, String> {
        let text = match self {
            // Empty, it would be no password: a directory takes that for somebody anonymous (RFC 4513 §5.1.2).
            Self::Inline(secret) if secret.expose_secret().is_empty() => return Err(format!("{self} is empty")),
            Self::Inline(secret) => return Ok(secret.clone()),
            Self::Env(name) => {
                std::env::var(name).map_err(|_| format!("the environment variable {name} is not set or not UTF-8"))?
            }
            Self::File(path) => read_file(path, Kept::ByItsMode)?,
            Self::Credential(name) => {
                let directory = std::env::var_os("CREDENTIALS_DIRECTORY")
                    .ok_or_else(|| format!("credential {name}: $CREDENTIALS_DIRECTORY is not set; credentials exist only under systemd (LoadCredential=)"))?;
                read_file(&PathBuf::from(directory).join(name), Kept::BySystemd)?
            }
        };
        let trimmed = text.strip_suffix('\n').map_or(text.as_str(), |t| t.strip_suffix('\r').unwrap_or(t));
        if trimmed.is_empty() { Err(format!("{self} is empty")) } else { Ok(trimmed.into()) }
    }

    /// A digest to notice a change by. Equal secrets give equal digests within one process.
    pub fn fingerprint(secret: &SecretString) -> [u8; 32] {
        *blake3::hash(secret.expose_secret().as_bytes()).as_bytes()
    }
}

/// Who keeps a file from others.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kept {
    ByItsMode,
    BySystemd,
}

/// Reads a file. Its mode is looked at each time, since a secret that rotates is a new file.
fn read_file(path: &std::path::Path, kept: Kept) -> Result<String, String> {
    let told = |error: std::io::Error| format!("{}: {error}", path.display());
    let file = std::fs::File::open(path).map_err(told)?;
    let mode = file.metadata().map_err(told)?.permissions().mode() & 0o777;
    if kept == Kept::ByItsMode && mode & 0o027 != 0 {
        return Err(format!("{} may be used by others (mode {mode:03o}); chmod 600 it", path.display()));
    }
    let mut octets = Vec::new();
    file.take(LONGEST + 1).read_to_end(&mut octets).map_err(told)?;
    if octets.len() as u64 > LONGEST {
        return Err(format!("{} is longer than any secret", path.display()));
    }
    String::from_utf8(octets).map_err(|_| format!("{} is not UTF-8", path.display()))
}

impl std::fmt::Display for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => write!(f, "the file {}", path.display()),
            Self::Env(name) => write!(f, "the environment variable {name}"),
            Self::Credential(name) => write!(f, "the credential {name}"),
            Self::Inline(_) => f.write_str("the secret in the configuration"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str, mode: u32) -> (tempfile::TempDir, Secret) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        (folder, Secret::File(path))
    }

    #[test]
    fn a_file_is_read_only_while_it_is_kept_from_others() {
        for (mode, kept) in [(0o600, true), (0o400, true), (0o640, true), (0o644, false), (0o620, false), (0o601, false)] {
            let (_folder, secret) = file("geheim\n", mode);
            match secret.read() {
                Ok(read) => assert!(kept && read.expose_secret() == "geheim", "{mode:o}"),
                Err(why) => assert!(!kept && !why.contains("geheim"), "{mode:o}: {why}"),
            }
        }
    }

    #[test]
    fn what_cannot_be_a_secret_is_refused_without_being_shown() {
        for text in ["", "\n", "\r\n"] {
            assert!(file(text, 0o600).1.read().unwrap_err().contains("is empty"));
        }
        assert!(file(&"x".repeat(70_000), 0o600).1.read().unwrap_err().contains("longer than any secret"));
        assert!(Secret::Inline("".into()).read().unwrap_err().contains("is empty"));
    }
}
