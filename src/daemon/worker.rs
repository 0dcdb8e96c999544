//! One channel's life: sleep until its time, run a cycle, sleep again.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::assemble::Live;
use crate::config::Mode;
use crate::cycle::{CycleEnd, CycleError, Extent, Progress, Store, Trigger};
use crate::model::ChannelName;

use super::ear::{Ear, Heard};
use super::outcome;

/// The wall clock may jump while we sleep, so it is looked at this often.
const LOOK: Duration = Duration::from_secs(20);

/// A live channel asks for changes so often, whatever it hears.
const ASKED: Duration = Duration::from_secs(60);

/// After a cycle that failed a live channel tries again so soon, and each time it fails again twice as late, up to [`ASKED`].
const AGAIN: Duration = Duration::from_secs(2);

/// What a worker is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Doing {
    /// Nothing until then.
    Waiting(Timestamp),
    /// Nothing: it has no schedule.
    Idle,
    /// A cycle.
    Cycle,
}

/// What a worker tells.
#[derive(Debug, Clone)]
pub struct Told {
    /// Who.
    pub channel: ChannelName,
    /// What it is doing now.
    pub doing: Doing,
    /// How its last cycle ended, if one did.
    pub last: Option<CycleEnd>,
    /// Live channels: how changes are heard.
    pub hearing: Option<Hearing>,
}

/// A worker's parts.
pub struct Worker<St> {
    /// The channel.
    pub live: Arc<Live>,
    /// The store.
    pub store: St,
    /// No new requests; those in flight finish.
    pub stop: CancellationToken,
    /// The end after the cycle that runs.
    pub retire: CancellationToken,
    /// Whom to tell.
    pub tell: mpsc::UnboundedSender<Told>,
}

/// What a worker wakes up for.
enum Wake {
    /// Its time has come.
    Tick,
    /// Something was heard.
    Heard(Option<Heard>),
    /// It is told to retire.
    Retire,
}

impl<St: Store + Clone + 'static> Worker<St> {
    /// Lives until it is told to retire. Ticks that pass during a cycle are not made up.
    pub async fn run(self) {
        let mut last = None;
        let mut ear = self.live.hears.map(|quiet| (Ear::open(&self.live, &self.store), quiet));
        let mut hearing = Hearing::new();
        let mut again = AGAIN;
        // A live channel begins with what happened while nobody listened.
        let mut next = if ear.is_some() { Some(Timestamp::now()) } else { self.next() };
        loop {
            let Some(moment) = next else {
                self.tell(Doing::Idle, last, &hearing);
                return self.retire.cancelled().await;
            };
            self.tell(Doing::Waiting(moment), last, &hearing);
            // Its time goes before what is heard: under a constant stream it would never come.
            let wake = tokio::select! {
                biased;
                () = self.retire.cancelled() => Wake::Retire,
                () = until(moment) => Wake::Tick,
                heard = hear(&mut ear) => Wake::Heard(heard),
            };
            let is_tick = matches!(wake, Wake::Tick);
            let extent = match wake {
                Wake::Retire => return,
                Wake::Tick => Extent::Changes { heard: None, pending: true },
                Wake::Heard(Some(Heard::Change(delta))) => {
                    let Some((ear, quiet)) = &mut ear else { continue };
                    let delta = tokio::select! {
                        delta = ear.until_quiet(delta, *quiet) => delta,
                        () = self.retire.cancelled() => return,
                    };
                    // What a cycle was told of that failed, or could not see everything, is lost with it: it is asked for.
                    Extent::Changes { heard: delta.filter(|_| !hearing.behind), pending: false }
                }
                Wake::Heard(Some(heard)) => {
                    let hears = matches!(heard, Heard::Hears);
                    hearing.take(self.live.name(), heard);
                    if !hears {
                        continue;
                    }
                    // What came before it heard is asked for once.
                    Extent::Changes { heard: None, pending: false }
                }
                Wake::Heard(None) => {
                    hearing.take(self.live.name(), Heard::Deaf("the listening ended by a bug in this program".to_owned()));
                    ear = None;
                    continue;
                }
            };
            self.tell(Doing::Cycle, last, &hearing);
            let (end, whole) = self.cycle(extent).await;
            hearing.behind = !whole;
            last = Some(end);
            if self.retire.is_cancelled() {
                return;
            }
            if is_tick {
                next = self.next();
            }
            if !hearing.behind {
                again = AGAIN;
            } else if self.live.hears.is_some() {
                next = next.into_iter().chain(Timestamp::now().checked_add(again).ok()).min();
                again = (again * 2).min(ASKED);
            }
        }
    }

    /// When it wakes up by itself. A live channel asks often too: for what nobody tells, such as an account that expires.
    fn next(&self) -> Option<Timestamp> {
        let now = Timestamp::now();
        let scheduled = self.live.schedule.as_ref().and_then(|schedule| schedule.next_after(&now));
        let asked = self.live.hears.and_then(|_| now.checked_add(ASKED).ok());
        scheduled.into_iter().chain(asked).min()
    }

    /// Runs a cycle in a task of its own, so that a bug in it ends the cycle and not the worker. Tells how it ended, and
    /// whether it saw all that it was to see.
    async fn cycle(&self, extent: Extent) -> (CycleEnd, bool) {
        let (live, store, stop) = (Arc::clone(&self.live), self.store.clone(), self.stop.clone());
        let channel = self.live.name();
        let cycle = tokio::spawn(async move {
            let (progress, _) = watch::channel(Progress::default());
            live.cycle(&store, Trigger::Sync, extent, &stop, &progress).await
        });
        match tokio_util::task::AbortOnDropHandle::new(cycle).await {
            Ok(Ok(report)) => {
                outcome::log(channel, &report, self.live.mode == Mode::Preview);
                if let Some(next) = outcome::next_step(&self.live, &report) {
                    tracing::warn!(%channel, "{channel}: next step at the target: {next}");
                }
                (report.end, report.is_whole())
            }
            Ok(Err(CycleError::Stopped)) => (CycleEnd::Failed, false),
            Ok(Err(error)) => {
                tracing::error!(%channel, "{channel}: cycle failed: {error}");
                (CycleEnd::Failed, false)
            }
            Err(_) => {
                tracing::error!(%channel, "{channel}: the cycle ended by a bug in this program; please report the lines before this one");
                (CycleEnd::Failed, false)
            }
        }
    }

    fn tell(&self, doing: Doing, last: Option<CycleEnd>, hearing: &Hearing) {
        let hearing = self.live.hears.map(|_| hearing.clone());
        // Nobody listens any more only while the program ends.
        let _ = self.tell.send(Told { channel: self.live.name().clone(), doing, last, hearing });
    }
}

/// How a live channel hears.
#[derive(Debug, Clone)]
pub struct Hearing {
    /// Changes are heard as they come.
    pub hears: bool,
    /// Why they are not, as it was last said; `None` before the first word.
    pub deaf: Option<String>,
    /// Since when that is so.
    pub since: Timestamp,
    /// The last cycle failed, or did not see everything.
    behind: bool,
}

impl Hearing {
    fn new() -> Self {
        Self { hears: false, deaf: None, since: Timestamp::now(), behind: false }
    }

    fn take(&mut self, channel: &ChannelName, heard: Heard) {
        match heard {
            Heard::Hears => {
                tracing::info!(%channel, "{channel}: changes are heard as they come");
                *self = Self { hears: true, deaf: None, since: Timestamp::now(), ..*self };
            }
            Heard::Deaf(why) => {
                if self.hears || self.deaf.is_none() {
                    tracing::warn!(%channel, "{channel}: changes are not heard, so they are asked for every {ASKED:?}: {why}");
                    self.since = Timestamp::now();
                } else if self.deaf.as_ref() != Some(&why) {
                    tracing::info!(%channel, "{channel}: changes are still not heard: {why}");
                }
                (self.hears, self.deaf) = (false, Some(why));
            }
            Heard::Change(_) => {}
        }
    }
}

/// The next thing that is heard; for ever where nobody listens.
async fn hear(ear: &mut Option<(Ear, Duration)>) -> Option<Heard> {
    match ear {
        Some((ear, _)) => ear.next().await,
        None => std::future::pending().await,
    }
}

/// Returns at a moment of the wall clock.
async fn until(moment: Timestamp) {
    loop {
        let left = moment.duration_since(Timestamp::now());
        match Duration::try_from(left) {
            Ok(left) if !left.is_zero() => tokio::time::sleep(left.min(LOOK)).await,
            Ok(_) | Err(_) => return,
        }
    }
}
