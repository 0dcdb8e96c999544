//! Opens the database: for the one writer, who creates and migrates it, and for readers, who leave it as it is.

use std::fs::{DirBuilder, OpenOptions, Permissions};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use crate::cycle::StoreError;

use super::fault::{Fault, unusable};
use super::link;

/// A schema, and what SQL cannot do of the way to it.
struct Migration {
    sql: &'static str,
    then: fn(&Connection) -> Result<(), Fault>,
}

impl Migration {
    const fn of(sql: &'static str) -> Self {
        Self { sql, then: |_| Ok(()) }
    }
}

/// Every schema in order; the number in `user_version` is how many of them were applied.
const MIGRATIONS: &[Migration] = &[
    Migration::of(include_str!("migrations/001_first.sql")),
    Migration::of(include_str!("migrations/002_knowledge.sql")),
    Migration { sql: include_str!("migrations/003_roster.sql"), then: link::name_all },
];

/// Marks the file as ours (`l2sc`).
const APPLICATION_ID: i64 = 0x6C32_7363;

/// How long a connection waits for another's lock, which is held for the time of one commit.
const PATIENCE: Duration = Duration::from_secs(10);

/// Statements kept prepared: more than this room has.
const STATEMENTS: usize = 128;

/// The database in a state directory.
pub(super) fn database(state_dir: &Path) -> PathBuf {
    state_dir.join("state.sqlite")
}

/// The lock file in a state directory.
pub(super) fn lock_file(state_dir: &Path) -> PathBuf {
    state_dir.join("lock")
}

/// Makes the state directory if it is missing, for this user alone.
pub(super) fn directory(state_dir: &Path) -> Result<(), StoreError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(state_dir);
    made.map_err(|error| unusable(state_dir, "cannot be used as the state directory", &error))?;
    let found = state_dir.metadata().map_err(|error| unusable(state_dir, "cannot be looked at", &error))?;
    let mode = found.permissions().mode() & 0o7777;
    // Whoever may write here could put a database of their own in our place, or a link to somebody's file.
    let message = if mode & 0o022 != 0 {
        format!("is writable by others than its owner (mode {mode:04o}); chmod go-w it, or choose another state directory")
    } else if who_we_are().is_some_and(|we| we != ROOT && found.uid() != we && found.uid() != ROOT) {
        "belongs to another user; run this program as that user, or choose another state directory".to_owned()
    } else {
        return Ok(());
    };
    Err(StoreError::Unusable { path: state_dir.display().to_string(), message })
}

const ROOT: u32 = 0;

/// The user that this process runs as, where the system tells.
fn who_we_are() -> Option<u32> {
    Path::new("/proc/self").metadata().ok().map(|found| found.uid())
}

/// Refuses what somebody else may have put in our file's place: a link, or another user's file.
pub(super) fn ours(path: &Path) -> std::io::Result<()> {
    let wrong = |what: &str| Err(std::io::Error::other(format!("it is {what}, which this program does not make")));
    let found = match path.symlink_metadata() {
        Ok(found) => found,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    match found {
        found if found.is_symlink() => wrong("a symbolic link"),
        found if !found.is_file() => wrong("no ordinary file"),
        found if found.nlink() > 1 => wrong("a file of several names"),
        _ => Ok(()),
    }
}

/// Opens for writing, creates what is missing and brings the schema up to date. The caller holds the lock.
pub(super) fn writer(path: &Path) -> Result<Connection, StoreError> {
    private_file(path).map_err(|error| unusable(path, "cannot be opened for writing", &error))?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(|error| Fault::from(error).at(path))?;
    settle(&connection).map_err(|fault| fault.at(path))?;
    let applied = applied(&connection, path)?;
    durable(&connection).and_then(|()| migrate(&mut connection, applied)).map_err(|fault| fault.at(path))?;
    Ok(connection)
}

/// Opens for reading beside a writer. `None` if there is no database yet. The file stays as it is.
pub(super) fn reader(path: &Path) -> Result<Option<Connection>, StoreError> {
    match path.metadata() {
        Ok(found) if found.len() == 0 => return Ok(None),
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unusable(path, "cannot be read", &error)),
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(|error| Fault::from(error).at(path))?;
    settle(&connection).map_err(|fault| fault.at(path))?;
    let known = MIGRATIONS.len();
    match applied(&connection, path)? {
        0 => Ok(None),
        applied if applied == known => Ok(Some(connection)),
        applied => Err(StoreError::Unusable {
            path: path.display().to_string(),
            message: format!("has schema {applied}, this program reads {known}: the next sync brings it up to date"),
        }),
    }
}

/// SQLite would create the file with the process's umask; it holds people's data.
fn private_file(path: &Path) -> std::io::Result<()> {
    ours(path)?;
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
    if file.metadata()?.permissions().mode() & 0o077 != 0 {
        file.set_permissions(Permissions::from_mode(0o600))?;
    }
    Ok(())
}

fn settle(connection: &Connection) -> Result<(), Fault> {
    connection.busy_timeout(PATIENCE)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "temp_store", "memory")?;
    connection.pragma_update(None, "cache_size", -16_384)?;
    Ok(())
}

/// How many migrations the file has seen, if it is ours.
fn applied(connection: &Connection, path: &Path) -> Result<usize, StoreError> {
    let number =
        |query: &str| connection.query_row(query, [], |row| row.get::<_, i64>(0)).map_err(|error| Fault::from(error).at(path));
    let (version, mark) = (number("PRAGMA user_version")?, number("PRAGMA application_id")?);
    let is_empty = number("SELECT count(*) FROM sqlite_schema")? == 0;
    let path = path.display().to_string();
    if version == 0 && mark == 0 && is_empty {
        return Ok(0);
    }
    if mark != APPLICATION_ID {
        let message = "is an SQLite database of another program; choose another state directory".to_owned();
        return Err(StoreError::Unusable { path, message });
    }
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    match usize::try_from(version) {
        Ok(applied) if version <= known => Ok(applied),
        _ => Err(StoreError::Newer { path, found: version, known }),
    }
}

/// A commit is on the disk when it returns, and readers never wait for it.
fn durable(connection: &Connection) -> Result<(), Fault> {
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if !mode.eq_ignore_ascii_case("wal") {
        return Fault::told("the file system does not support a write-ahead log (shared memory); a local disk is needed");
    }
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "journal_size_limit", 64 * 1024 * 1024)?;
    Ok(())
}

/// Each migration is one transaction together with its number.
fn migrate(connection: &mut Connection, applied: usize) -> Result<(), Fault> {
    for (number, migration) in (1_i64..).zip(MIGRATIONS).skip(applied) {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(migration.sql)?;
        (migration.then)(&transaction)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", number)?;
        transaction.commit()?;
    }
    Ok(())
}
