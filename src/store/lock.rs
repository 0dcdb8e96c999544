//! One writing process per state directory: an advisory lock that ends with the process, however it ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::cycle::StoreError;

use super::fault::unusable;
use super::open::ours;

/// The lock, held until this is dropped. The file stays: removing it would let two processes lock two files.
pub(super) struct Lock(#[expect(dead_code, reason = "held for its drop, which ends the lock")] File);

/// Takes the lock and leaves our process id in the file.
pub(super) fn take(path: &Path) -> Result<Lock, StoreError> {
    ours(path).map_err(|error| unusable(path, "cannot be opened", &error))?;
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(|error| unusable(path, "cannot be opened", &error))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(StoreError::Locked { path: path.display().to_string(), process: holder(&mut file) });
        }
        Err(TryLockError::Error(error)) => return Err(unusable(path, "cannot be locked", &error)),
    }
    let write = |file: &mut File| {
        file.set_len(0)?;
        file.rewind()?;
        writeln!(file, "{}", std::process::id())
    };
    write(&mut file).map_err(|error| unusable(path, "cannot be written", &error))?;
    Ok(Lock(file))
}

fn holder(file: &mut File) -> String {
    let mut text = String::new();
    match file.take(32).read_to_string(&mut text) {
        Ok(_) if text.trim().parse::<u32>().is_ok() => text.trim().to_owned(),
        _ => "unknown".to_owned(),
    }
}
