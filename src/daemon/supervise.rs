//! The main loop: starts the workers, hears signals, tells systemd.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::assemble::{AssembleError, Assembled, Kept, Live, assemble};
use crate::config::{self, Problems};
use crate::cycle::{CycleEnd, StoreError};
use crate::model::ChannelName;
use crate::store::{HearingStatus, Sqlite};

use super::notify;
use super::worker::{Doing, Hearing, Told, Worker};

/// The longest wait for requests in flight when the program is told to end.
const GRACE: Duration = Duration::from_secs(10);

/// Between two signs, for `status`, that changes are still heard. It believes a sign for longer.
const SIGN: Duration = Duration::from_secs(30);

/// Why the daemon could not start.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// The configuration.
    #[error(transparent)]
    Configuration(#[from] Problems),
    /// The parts.
    #[error(transparent)]
    Parts(#[from] AssembleError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The system.
    #[error("signals cannot be received: {0}")]
    Signals(std::io::Error),
}

/// A worker that runs.
struct Running {
    retire: CancellationToken,
    task: JoinHandle<()>,
}

/// The daemon's state.
struct Supervisor {
    config: PathBuf,
    /// Empty: all.
    only: Vec<ChannelName>,
    state_dir: PathBuf,
    store: Sqlite,
    kept: Kept,
    stop: CancellationToken,
    tell: mpsc::UnboundedSender<Told>,
    workers: BTreeMap<ChannelName, Running>,
    known: BTreeMap<ChannelName, Told>,
    /// What was written down of each channel's hearing: whether it hears, and since when.
    signed: BTreeMap<ChannelName, (bool, Option<String>)>,
}

/// Runs until SIGTERM or SIGINT. `only` restricts it to some channels; empty means all.
pub async fn run(config: &Path, only: &[ChannelName]) -> Result<(), DaemonError> {
    let mut kept = Kept::default();
    let Assembled { state_dir, channels } = parts(config, only, &mut kept)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(DaemonError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(DaemonError::Signals)?;
    let mut hangup = signal(SignalKind::hangup()).map_err(DaemonError::Signals)?;
    let store = Sqlite::open(&state_dir)?;
    let (tell, mut told) = mpsc::unbounded_channel();
    let mut supervisor = Supervisor {
        config: config.to_owned(),
        only: only.to_vec(),
        state_dir,
        store,
        kept,
        stop: CancellationToken::new(),
        tell,
        workers: BTreeMap::new(),
        known: BTreeMap::new(),
        signed: BTreeMap::new(),
    };
    supervisor.employ(channels);
    tracing::info!(channels = supervisor.workers.len(), "ready: channels run at their scheduled times");
    notify::ready(&supervisor.status());
    let mut watchdog = notify::watchdog_interval().map(tokio::time::interval);
    let mut signs = tokio::time::interval(SIGN);
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hangup.recv() => supervisor.reload(),
            Some(told) = told.recv() => supervisor.hear(told),
            _ = signs.tick() => supervisor.sign_all(),
            () = tick(&mut watchdog) => notify::alive(),
        }
    }
    supervisor.end().await;
    Ok(())
}

/// Waits for the next tick; for ever without a watchdog.
async fn tick(watchdog: &mut Option<tokio::time::Interval>) {
    match watchdog {
        Some(interval) => {
            interval.tick().await;
        }
        None => std::future::pending().await,
    }
}

fn parts(config: &Path, only: &[ChannelName], kept: &mut Kept) -> Result<Assembled, DaemonError> {
    let settings = config::load(config)?;
    for warning in &settings.warnings {
        tracing::warn!("{}", warning.headline());
    }
    let mut assembled = assemble(settings, kept)?;
    assembled.channels.retain(|live| only.is_empty() || only.contains(live.name()));
    Ok(assembled)
}

impl Supervisor {
    /// Gives each channel a worker, which begins when the channel's former one has ended; channels that are gone end
    /// after the cycle that runs.
    fn employ(&mut self, channels: Vec<Arc<Live>>) {
        let mut former = std::mem::take(&mut self.workers);
        for worker in former.values() {
            worker.retire.cancel();
        }
        self.known.clear();
        self.signed.clear();
        for live in channels {
            let name = live.name().clone();
            let retire = self.stop.child_token();
            let (stop, store, tell) = (self.stop.clone(), self.store.clone(), self.tell.clone());
            let worker = Worker { live, store, stop, retire: retire.clone(), tell };
            let before = former.remove(&name).map(|running| running.task);
            let task = tokio::spawn(async move {
                if let Some(before) = before {
                    let _ = before.await;
                }
                worker.run().await;
            });
            self.workers.insert(name, Running { retire, task });
        }
        for (name, running) in former {
            tracing::info!(channel = %name, "{name} is not configured any more: it ends after the cycle that runs");
            self.workers.entry(name).or_insert(running);
        }
    }

    fn reload(&mut self) {
        notify::reloading();
        match parts(&self.config, &self.only, &mut self.kept) {
            Ok(assembled) if assembled.state_dir != self.state_dir => {
                tracing::error!("the new configuration is refused: state_dir changes only with a restart; the old one stays");
            }
            Ok(assembled) => {
                self.employ(assembled.channels);
                tracing::info!(
                    channels = self.workers.len(),
                    "the configuration was loaded again; cycles that run finish with the old one"
                );
            }
            Err(error) => {
                for line in error.to_string().lines() {
                    tracing::error!("{line}");
                }
                tracing::error!("the new configuration is refused; the old one stays");
            }
        }
        notify::ready(&self.status());
    }

    fn hear(&mut self, told: Told) {
        if let Some(hearing) = &told.hearing
            && self.signed.get(&told.channel).is_none_or(|(hears, why)| (*hears, why) != (hearing.hears, &hearing.deaf))
        {
            self.signed.insert(told.channel.clone(), (hearing.hears, hearing.deaf.clone()));
            self.sign(&told);
        }
        self.known.insert(told.channel.clone(), told);
        self.workers.retain(|_, running| !running.task.is_finished());
        // A channel that is gone may have had something to say after it went.
        self.known.retain(|channel, _| self.workers.contains_key(channel));
        notify::status(&self.status());
    }

    /// Writes down how every live channel hears, so that `status` knows that it is still so.
    fn sign_all(&self) {
        self.known.values().for_each(|told| self.sign(told));
    }

    fn sign(&self, told: &Told) {
        let Some(Hearing { hears, deaf, since, .. }) = told.hearing.clone() else { return };
        let (store, channel) = (self.store.clone(), told.channel.clone());
        tokio::spawn(async move {
            let signed = store.sign(&channel, HearingStatus { hears, why: deaf, since, signed_at: Timestamp::now() }).await;
            if let Err(error) = signed {
                tracing::debug!(%channel, %error, "how changes are heard could not be written down");
            }
        });
    }

    fn status(&self) -> String {
        let each: Vec<String> = self.known.values().map(words).collect();
        if each.is_empty() { format!("{} channels", self.workers.len()) } else { each.join("; ") }
    }

    /// No new requests; those in flight have a while to finish.
    async fn end(mut self) {
        notify::stopping();
        tracing::info!("stopping: requests in flight are finished");
        self.stop.cancel();
        if !self.signed.is_empty()
            && let Err(error) = self.store.unsign().await
        {
            tracing::debug!(%error, "that nothing is heard any more could not be written down");
        }
        let tasks: Vec<JoinHandle<()>> = std::mem::take(&mut self.workers).into_values().map(|running| running.task).collect();
        let aborts: Vec<_> = tasks.iter().map(JoinHandle::abort_handle).collect();
        if tokio::time::timeout(GRACE, futures_util::future::join_all(tasks)).await.is_err() {
            tracing::warn!(
                "requests in flight took longer than {GRACE:?}: they are left; what became of them is looked up by the next cycle"
            );
            aborts.iter().for_each(tokio::task::AbortHandle::abort);
        }
        self.store.close().await;
        tracing::info!("stopped");
    }
}

fn words(told: &Told) -> String {
    let last = match told.last {
        None => "",
        Some(CycleEnd::Done) => ", last cycle done",
        Some(CycleEnd::DoneWithHeld) => ", last cycle done, but not for everybody",
        Some(CycleEnd::Quarantined) => ", quarantined",
        Some(CycleEnd::Failed) => ", last cycle failed",
    };
    let hears = told.hearing.as_ref().map(|hearing| hearing.hears);
    match &told.doing {
        Doing::Waiting(_) if hears == Some(true) => format!("{}: live{last}", told.channel),
        Doing::Waiting(_) if hears == Some(false) => format!("{}: live, but changes are asked for{last}", told.channel),
        Doing::Waiting(next) => format!("{}: next {}{last}", told.channel, next.strftime("%H:%M UTC")),
        Doing::Idle => format!("{}: no schedule", told.channel),
        Doing::Cycle => format!("{}: cycle runs{last}", told.channel),
    }
}
