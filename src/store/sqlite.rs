//! The store for one writing process: `cycle::Store` over SQLite.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::cycle::{CycleId, CycleStart, CycleSummary, Intent, IntentId, Part, Record, SeatQuestion, Store, StoreError};
use crate::model::{ChannelName, Dn, DnKey, EntryId, Knowledge, Seat, Settlement, Snapshot, Standing, TargetName};

use super::clock::Clock;
use super::hearing::HearingStatus;
use super::viewer::Viewer;
use super::writer::Writer;
use super::{cycle, hearing, history, journal, knowledge, lock, open, record, roster};

/// The state of one state directory, for writing. Clones share one writer.
#[derive(Clone)]
pub struct Sqlite {
    state_dir: Arc<Path>,
    clock: Arc<Clock>,
    writer: Arc<Writer>,
}

impl Sqlite {
    /// Opens the state for writing: takes the lock, creates what is missing, migrates. Blocks for a moment.
    pub fn open(state_dir: &Path) -> Result<Self, StoreError> {
        Self::open_in(state_dir, Timestamp::now)
    }

    /// The same with a clock handed in.
    pub fn open_in(state_dir: &Path, clock: impl Fn() -> Timestamp + Send + 'static) -> Result<Self, StoreError> {
        let clock = Arc::new(Clock::new(clock));
        open::directory(state_dir)?;
        let lock = lock::take(&open::lock_file(state_dir))?;
        let path = open::database(state_dir);
        let connection = open::writer(&path)?;
        cycle::close_interrupted(&connection, clock.now().as_millisecond()).map_err(|fault| fault.at(&path))?;
        let writer = Writer::start(path, connection, lock, Arc::clone(&clock))?;
        Ok(Self { state_dir: state_dir.into(), clock, writer: Arc::new(writer) })
    }

    /// Ends the writing after everything asked so far and releases file and lock, also for clones.
    pub async fn close(self) {
        self.writer.close().await;
    }

    /// Writes down how a live channel hears.
    pub async fn sign(&self, channel: &ChannelName, hearing: HearingStatus) -> Result<(), StoreError> {
        let channel = channel.clone();
        self.writer.run(move |connection, _| hearing::put(connection, channel.as_str(), &hearing)).await
    }

    /// Writes down that nobody hears for any channel.
    pub async fn unsign(&self) -> Result<(), StoreError> {
        self.writer.run(|connection, _| hearing::clear(connection)).await
    }

    /// Reads over a connection of its own, so that a long answer holds no other channel's commit up.
    async fn view<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Viewer) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (state_dir, now) = (Arc::clone(&self.state_dir), self.clock.now());
        let reading = tokio::task::spawn_blocking(move || {
            let removed = || StoreError::Unusable {
                path: open::database(&state_dir).display().to_string(),
                message: "was removed while it was in use".to_owned(),
            };
            Viewer::open_in(&state_dir, move || now)?.ok_or_else(removed).and_then(|viewer| question(&viewer))
        });
        reading.await.unwrap_or_else(|error| {
            let path = open::database(&self.state_dir);
            Err(StoreError::Failed(format!("{}: reading it ended early: {error}", path.display())))
        })
    }
}

impl std::fmt::Debug for Sqlite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Sqlite").field(&self.state_dir).finish()
    }
}

impl Store for Sqlite {
    async fn load(&self, target: &TargetName, channel: &ChannelName, window: Duration) -> Result<Snapshot, StoreError> {
        let (target, channel) = (target.clone(), channel.clone());
        self.view(move |viewer| viewer.load(&target, &channel, window)).await
    }

    async fn standing(&self, channel: &ChannelName) -> Result<Option<Standing>, StoreError> {
        let channel = channel.clone();
        self.view(move |viewer| viewer.standing(&channel)).await
    }

    async fn load_some(
        &self,
        target: &TargetName,
        channel: &ChannelName,
        window: Duration,
        part: &Part,
    ) -> Result<Snapshot, StoreError> {
        let (target, channel, part) = (target.clone(), channel.clone(), part.clone());
        self.view(move |viewer| viewer.load_some(&target, &channel, window, &part)).await
    }

    async fn seats(&self, channel: &ChannelName, question: SeatQuestion) -> Result<Vec<Seat>, StoreError> {
        let channel = channel.clone();
        self.view(move |viewer| viewer.seats(&channel, &question)).await
    }

    async fn seated(&self, channel: &ChannelName) -> Result<BTreeSet<EntryId>, StoreError> {
        let channel = channel.clone();
        self.view(move |viewer| viewer.seated(&channel)).await
    }

    async fn containers(&self, channel: &ChannelName) -> Result<BTreeMap<EntryId, Dn>, StoreError> {
        let channel = channel.clone();
        self.view(move |viewer| viewer.containers(&channel)).await
    }

    async fn settle(&self, cycle: CycleId, settlement: Option<Settlement>) -> Result<(), StoreError> {
        let work = move |connection: &rusqlite::Connection, now: Timestamp| {
            let cycle = cycle::running(connection, cycle)?;
            roster::settle(connection, &cycle, settlement.as_ref(), now.as_millisecond())
        };
        self.writer.run(work).await
    }

    async fn begin(&self, start: &CycleStart) -> Result<CycleId, StoreError> {
        let start = start.clone();
        self.writer.run(move |connection, now| cycle::begin(connection, &start, now.as_millisecond())).await
    }

    async fn intend(&self, cycle: CycleId, intents: Vec<Intent>) -> Result<Vec<IntentId>, StoreError> {
        let work = move |connection: &rusqlite::Connection, now: Timestamp| {
            let cycle = cycle::running(connection, cycle)?;
            intents.iter().map(|intent| journal::intend(connection, &cycle, intent, now.as_millisecond())).collect()
        };
        self.writer.run(work).await
    }

    async fn record(&self, cycle: CycleId, records: Vec<Record>) -> Result<(), StoreError> {
        let work = move |connection: &rusqlite::Connection, now: Timestamp| {
            let cycle = cycle::running(connection, cycle)?;
            records.iter().try_for_each(|record| record::record(connection, &cycle, record, now.as_millisecond()))
        };
        self.writer.run(work).await
    }

    async fn follow(&self, cycle: CycleId, scope_groups: &BTreeMap<DnKey, EntryId>) -> Result<(), StoreError> {
        let scope_groups = scope_groups.clone();
        let work = move |connection: &rusqlite::Connection, _: Timestamp| {
            let cycle = cycle::running(connection, cycle)?;
            cycle::follow(connection, &cycle, &scope_groups)
        };
        self.writer.run(work).await
    }

    async fn learn(&self, cycle: CycleId, knowledge: &Knowledge) -> Result<(), StoreError> {
        let knowledge = knowledge.clone();
        let work = move |connection: &rusqlite::Connection, now: Timestamp| {
            let cycle = cycle::running(connection, cycle)?;
            knowledge::put(connection, &cycle.target, &knowledge, now.as_millisecond())
        };
        self.writer.run(work).await
    }

    async fn finish(&self, cycle: CycleId, summary: &CycleSummary) -> Result<(), StoreError> {
        let summary = summary.clone();
        let work = move |connection: &rusqlite::Connection, now: Timestamp| {
            let cycle = cycle::running(connection, cycle)?;
            cycle::finish(connection, &cycle, &summary, now.as_millisecond())?;
            if history::is_due(cycle.id) { history::sweep(connection, now) } else { Ok(()) }
        };
        self.writer.run(work).await
    }
}
