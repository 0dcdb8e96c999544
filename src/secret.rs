//! Where a secret comes from. It is read when it is needed, so that one that rotates is noticed,
//! and never shown.

use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};

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

impl Secret {
    /// Reads the secret. The error says what to do and holds nothing of the secret.
    pub fn read(&self) -> Result<SecretString, String> {
        let text = match self {
            Self::Inline(secret) => return Ok(secret.clone()),
            Self::Env(name) => {
                std::env::var(name).map_err(|_| format!("the environment variable {name} is not set or not UTF-8"))?
            }
            Self::File(path) => read_file(path)?,
            Self::Credential(name) => {
                let directory = std::env::var_os("CREDENTIALS_DIRECTORY")
                    .ok_or_else(|| format!("credential {name}: $CREDENTIALS_DIRECTORY is not set; credentials exist only under systemd (LoadCredential=)"))?;
                read_file(&PathBuf::from(directory).join(name))?
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

fn read_file(path: &std::path::Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
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
