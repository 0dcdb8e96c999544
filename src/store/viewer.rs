//! The store for processes that only look, beside a writer or without one.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::Connection;

use crate::cycle::{Part, SeatQuestion, StoreError};
use crate::model::{ChannelName, Dn, EntryId, Seat, Snapshot, Standing, TargetName};

use super::clock::Clock;
use super::fault::Fault;
use super::status::{self, ChannelStatus};
use super::{open, part, roster, snapshot};

/// A read-only view. Each question is answered from one consistent state; the database file stays as it is.
pub struct Viewer {
    path: PathBuf,
    clock: Clock,
    connection: Mutex<Connection>,
}

impl Viewer {
    /// Opens a view; `None` if there is no database yet.
    pub fn open(state_dir: &Path) -> Result<Option<Self>, StoreError> {
        Self::open_in(state_dir, Timestamp::now)
    }

    /// The same with a clock handed in.
    pub fn open_in(state_dir: &Path, clock: impl Fn() -> Timestamp + Send + 'static) -> Result<Option<Self>, StoreError> {
        let path = open::database(state_dir);
        let connection = open::reader(&path)?;
        Ok(connection.map(|connection| Self { path, clock: Clock::new(clock), connection: Mutex::new(connection) }))
    }

    /// What is remembered of a target, as `Store::load` tells it.
    pub fn load(&self, target: &TargetName, channel: &ChannelName, window: Duration) -> Result<Snapshot, StoreError> {
        self.read(|connection| snapshot::load(connection, target, channel, window, self.clock.now()))
    }

    /// A part of what is remembered of a target, as `Store::load_some` tells it.
    pub fn load_some(
        &self,
        target: &TargetName,
        channel: &ChannelName,
        window: Duration,
        part: &Part,
    ) -> Result<Snapshot, StoreError> {
        self.read(|connection| part::load(connection, target, channel, window, part, self.clock.now()))
    }

    /// Where a channel stands, as `Store::standing` tells it.
    pub fn standing(&self, channel: &ChannelName) -> Result<Option<Standing>, StoreError> {
        self.read(|connection| roster::standing(connection, channel, self.clock.now()))
    }

    /// Seats, as `Store::seats` tells them.
    pub fn seats(&self, channel: &ChannelName, question: &SeatQuestion) -> Result<Vec<Seat>, StoreError> {
        self.read(|connection| roster::answer(connection, channel, question))
    }

    /// Every entry that has a seat.
    pub fn seated(&self, channel: &ChannelName) -> Result<BTreeSet<EntryId>, StoreError> {
        self.read(|connection| roster::seated(connection, channel))
    }

    /// The containers of the last full reading.
    pub fn containers(&self, channel: &ChannelName) -> Result<BTreeMap<EntryId, Dn>, StoreError> {
        self.read(|connection| roster::containers(connection, channel))
    }

    /// Every channel that ever began a cycle, by name.
    pub fn channels(&self) -> Result<Vec<ChannelStatus>, StoreError> {
        self.read(status::channels)
    }

    fn read<T>(&self, question: impl FnOnce(&Connection) -> Result<T, Fault>) -> Result<T, StoreError> {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = connection.transaction().map_err(Fault::from).and_then(|transaction| question(&transaction));
        answer.map_err(|fault| fault.at(&self.path))
    }
}

impl std::fmt::Debug for Viewer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Viewer").field(&self.path).finish()
    }
}
