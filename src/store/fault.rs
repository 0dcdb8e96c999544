//! What goes wrong inside this room, before it is told to the outside with the file's name.

use std::path::Path;

use rusqlite::ErrorCode;

use crate::cycle::StoreError;

/// A failure that does not know yet in which file it happened.
#[derive(Debug)]
pub(super) enum Fault {
    /// SQLite failed.
    Sql(rusqlite::Error),
    /// What was asked cannot be done; a sentence.
    Told(String),
}

impl Fault {
    /// A failure with a sentence.
    pub(super) fn told<T>(sentence: impl Into<String>) -> Result<T, Self> {
        Err(Self::Told(sentence.into()))
    }

    /// The failure as the outside sees it.
    pub(super) fn at(self, file: &Path) -> StoreError {
        let path = file.display().to_string();
        let error = match self {
            Self::Told(sentence) => return StoreError::Failed(format!("{path}: {sentence}")),
            Self::Sql(error) => error,
        };
        let message = match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => "is not an SQLite database; it was not written by ldap2scim".to_owned(),
            Some(ErrorCode::DatabaseCorrupt) => format!("is damaged ({error}); restore it from a backup"),
            Some(ErrorCode::ReadOnly) => "cannot be written: the file or its directory is read-only".to_owned(),
            Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
                format!("cannot be opened ({error}); the directory must exist and be writable by this user")
            }
            Some(ErrorCode::DiskFull) => return StoreError::Failed(format!("{path}: the disk is full")),
            _ => return StoreError::Failed(format!("{path}: {error}")),
        };
        StoreError::Unusable { path, message }
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

/// What the operating system refused, as the outside sees it.
pub(super) fn unusable(file: &Path, what: &str, error: &std::io::Error) -> StoreError {
    StoreError::Unusable { path: file.display().to_string(), message: format!("{what}: {error}") }
}
