//! One channel's life: sleep until its time, run a cycle, sleep again.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::assemble::Live;
use crate::config::Mode;
use crate::cycle::{CycleEnd, CycleError, Progress, Store, Trigger};
use crate::model::ChannelName;

use super::outcome;

/// The wall clock may jump while we sleep, so it is looked at this often.
const LOOK: Duration = Duration::from_secs(20);

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

impl<St: Store + Clone + 'static> Worker<St> {
    /// Lives until it is told to retire. Ticks that pass during a cycle are not made up.
    pub async fn run(self) {
        let mut last = None;
        loop {
            let next = self.live.schedule.as_ref().and_then(|schedule| schedule.next_after(&Timestamp::now()));
            let Some(next) = next else {
                self.tell(Doing::Idle, last);
                return self.retire.cancelled().await;
            };
            self.tell(Doing::Waiting(next), last);
            tokio::select! {
                () = until(next) => {}
                () = self.retire.cancelled() => return,
            }
            self.tell(Doing::Cycle, last);
            last = Some(self.cycle().await);
            if self.retire.is_cancelled() {
                return;
            }
        }
    }

    /// Runs a cycle in a task of its own, so that a bug in it ends the cycle and not the worker.
    async fn cycle(&self) -> CycleEnd {
        let (live, store, stop) = (Arc::clone(&self.live), self.store.clone(), self.stop.clone());
        let channel = self.live.name();
        let cycle = tokio::spawn(async move {
            let (progress, _) = watch::channel(Progress::default());
            live.cycle(&store, Trigger::Sync, &stop, &progress).await
        });
        match tokio_util::task::AbortOnDropHandle::new(cycle).await {
            Ok(Ok(report)) => {
                outcome::log(channel, &report, self.live.mode == Mode::Preview);
                if let Some(next) = outcome::next_step(&self.live, &report) {
                    tracing::warn!(%channel, "{channel}: next step at the target: {next}");
                }
                report.end
            }
            Ok(Err(CycleError::Stopped)) => CycleEnd::Failed,
            Ok(Err(error)) => {
                tracing::error!(%channel, "{channel}: cycle failed: {error}");
                CycleEnd::Failed
            }
            Err(_) => {
                tracing::error!(%channel, "{channel}: the cycle ended by a bug in this program; please report the lines before this one");
                CycleEnd::Failed
            }
        }
    }

    fn tell(&self, doing: Doing, last: Option<CycleEnd>) {
        // Nobody listens any more only while the program ends.
        let _ = self.tell.send(Told { channel: self.live.name().clone(), doing, last });
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
