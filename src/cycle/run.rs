//! A whole cycle: load → read → prepare → apply → settle → finish.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::model::{Changes, Delta, EntryId, Seat, Settlement, Standing};
use crate::plan::{Held, linked};

use super::changes::{self, Ask, Outlook, Ready};
use super::prepare::{Prepared, prepare, wanted_of};
use super::report::{Seen, summary};
use super::settle;
use super::{
    Channel, CycleEnd, CycleError, CycleId, CycleStart, Depth, Part, Phase, Progress, ProgressSender, Report, SeatQuestion,
    Source, Store, Target, Trigger, apply,
};

/// How much of the directory is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Extent {
    /// What changed since the last cycle, where the directory tells it and not too long ago everything was read.
    Changes {
        /// What was heard of it already; `None` asks.
        heard: Option<Delta>,
        /// Entries whose change is still to be made are looked at again.
        pending: bool,
    },
    /// Everything.
    All,
}

/// Where only a full reading can make a change that is still to be made, there is none sooner than this after another: an
/// entry that stays held does not make every cycle read everything.
const APART: Duration = Duration::from_secs(300);

/// Runs a cycle and keeps its history. `Trigger::Preview` applies nothing.
pub async fn run<S: Source, T: Target, St: Store>(
    channel: &Channel<S, T>,
    store: &St,
    trigger: Trigger,
    extent: Extent,
    stop: &CancellationToken,
    progress: &ProgressSender,
) -> Result<Report, CycleError> {
    let standing = match trigger {
        Trigger::Sync => store.standing(channel.name()).await?,
        Trigger::Resync | Trigger::Preview => None,
    };
    let running = Running { channel, store, trigger, stop, progress };
    let report = match (standing, extent) {
        (Some(standing), Extent::Changes { heard, pending }) if standing.since_full < channel.full_every => {
            Box::pin(running.changes(standing, heard, pending)).await
        }
        (standing, Extent::Changes { .. }) => Box::pin(running.everything(None, standing, None)).await,
        (_, Extent::All) => Box::pin(running.everything(None, None, None)).await,
    };
    progress.send_replace(Progress { phase: Phase::Idle, ..Progress::default() });
    report
}

/// The parts of one cycle, named once.
struct Running<'a, S, T, St> {
    channel: &'a Channel<S, T>,
    store: &'a St,
    trigger: Trigger,
    stop: &'a CancellationToken,
    progress: &'a ProgressSender,
}

/// What was told of changes before everything was read, and what was remembered then.
struct Told {
    ids: BTreeSet<EntryId>,
    before: Vec<Seat>,
}

impl<S: Source, T: Target, St: Store> Running<'_, S, T, St> {
    /// A cycle over what changed; over everything where that is not enough.
    async fn changes(&self, standing: Standing, heard: Option<Delta>, pending: bool) -> Result<Report, CycleError> {
        let cycle = self.begin(standing.linked).await?;
        let looking = async {
            let outlook = self.outlook(&standing, heard.clone(), pending).await;
            let may_wait = pending && !standing.pending.is_empty() && standing.since_full < APART;
            match outlook {
                Ok(Outlook::Full(_)) if may_wait => self.outlook(&standing, heard, false).await,
                outlook => outlook,
            }
        };
        let outlook = tokio::select! {
            outlook = looking => outlook,
            () = self.stop.cancelled() => Err(CycleError::Stopped),
        };
        let (report, judged) = match outlook {
            Ok(Outlook::Full(why)) => {
                return Box::pin(self.everything(Some(cycle), None, Some(format!("everything was read: {why}")))).await;
            }
            Ok(Outlook::Nothing(watermark)) => {
                if watermark != standing.watermark {
                    let seats = crate::model::Seats::Changed(Vec::new(), BTreeSet::new());
                    let (fingerprint, pending) = (standing.fingerprint.clone(), standing.pending.clone());
                    let settlement = Settlement { watermark, fingerprint, seats, pending, counted: None };
                    self.store.settle(cycle, Some(settlement)).await?;
                }
                (Report::quiet(), Some(BTreeSet::new()))
            }
            Ok(Outlook::Ready(ready)) => {
                let Ready { prepared, mut settlement, judged } = *ready;
                let known = prepared.snapshot.knowledge.clone();
                let report = self.carry_out(cycle, prepared).await;
                self.learn(cycle, &known).await?;
                if let (None, Some(prepared)) = (&report.error, &report.prepared) {
                    settlement.pending.extend(settle::unfinished(prepared, &report.applied));
                    settlement.counted = Some(settle::counted(prepared, Some(&standing)));
                    self.store.settle(cycle, Some(settlement)).await?;
                }
                (report, Some(judged))
            }
            Err(error) => (Report::failed(error), Some(BTreeSet::new())),
        };
        let seen = judged.map(|judged| Seen { pending: standing.pending.is_subset(&judged), judged });
        self.finish(cycle, &report, seen.as_ref()).await?;
        Ok(report)
    }

    async fn outlook(&self, standing: &Standing, heard: Option<Delta>, pending: bool) -> Result<Outlook, CycleError> {
        let (channel, nothing) = (self.channel, Part::default());
        let little = self.store.load_some(&channel.target_name, channel.name(), channel.rules.guard.window, &nothing).await?;
        // What the target can do is a part of what the seats depend on.
        channel.target.recall(&little.knowledge);
        let vendor = channel.source.identify().await?;
        if settle::fingerprint(channel, vendor) != standing.fingerprint {
            return Ok(Outlook::Full("the configuration, or what the target can do, is another than before".to_owned()));
        }
        changes::prepare(channel, self.store, Ask { standing, vendor, little, heard, pending }, self.progress).await
    }

    /// A cycle over everything. `due` is where the channel stood, if everything is read only to see that nothing was missed.
    async fn everything(
        &self,
        begun: Option<CycleId>,
        due: Option<Standing>,
        note: Option<String>,
    ) -> Result<Report, CycleError> {
        let depth = match self.trigger {
            Trigger::Sync | Trigger::Preview => Depth::Usual,
            Trigger::Resync => Depth::Full,
        };
        let channel = self.channel;
        let snapshot = self.store.load(&channel.target_name, channel.name(), channel.rules.guard.window).await?;
        let (first, known) = (snapshot.first, snapshot.knowledge.clone());
        let cycle = match begun {
            Some(cycle) => cycle,
            None => self.begin(linked(&snapshot, channel.name()).0).await?,
        };
        let told = match &due {
            Some(standing) => self.told(standing, &snapshot).await?,
            None => None,
        };
        let preparing = prepare(channel, snapshot, depth, None, self.progress);
        let prepared = tokio::select! {
            prepared = preparing => prepared,
            () = self.stop.cancelled() => Err(CycleError::Stopped),
        };
        let mut report = match prepared {
            Ok(prepared) => self.carry_out(cycle, prepared).await,
            Err(error) => Report::failed(error),
        };
        report.first = first;
        report.notes.extend(note);
        if let (None, Some(prepared)) = (&report.error, &mut report.prepared) {
            report.notes.extend(told.and_then(|told| settle::missed(&told.before, &prepared.desired, &told.ids)));
            self.settle(cycle, prepared, &report.applied).await?;
        }
        self.learn(cycle, &known).await?;
        self.finish(cycle, &report, None).await?;
        Ok(report)
    }

    /// Keeps what was found out about the target.
    async fn learn(&self, cycle: CycleId, known: &crate::model::Knowledge) -> Result<(), CycleError> {
        let learnt = self.channel.target.learnt();
        if learnt != *known {
            self.store.learn(cycle, &learnt).await?;
        }
        Ok(())
    }

    /// After a reading that shows everything the next cycle can begin where this one saw the directory.
    async fn settle(&self, cycle: CycleId, prepared: &mut Prepared, applied: &super::Applied) -> Result<(), CycleError> {
        if self.trigger == Trigger::Preview || !prepared.desired.coverage.is_full() {
            return Ok(());
        }
        let settlement = settle::after_full(self.channel, prepared, applied);
        Ok(self.store.settle(cycle, settlement).await?)
    }

    /// What the directory tells of changes, to be held against a full reading.
    async fn told(&self, standing: &Standing, snapshot: &crate::model::Snapshot) -> Result<Option<Told>, CycleError> {
        let channel = self.channel;
        channel.target.recall(&snapshot.knowledge);
        let vendor = channel.source.identify().await?;
        if settle::fingerprint(channel, vendor) != standing.fingerprint {
            return Ok(None);
        }
        let wanted = wanted_of(channel, vendor, &snapshot.scope_groups);
        match channel.source.changes(&wanted, &standing.watermark).await {
            Ok(Changes::Since(delta)) => {
                let seated = self.store.seated(channel.name()).await?;
                let gone = seated.iter().filter(|id| delta.present.as_ref().is_some_and(|present| !present.contains(*id)));
                let ids = delta.touched.keys().chain(&delta.gone).chain(gone).cloned().collect();
                Ok(Some(Told { ids, before: self.store.seats(channel.name(), SeatQuestion::Of(seated)).await? }))
            }
            Ok(Changes::Lost(_)) | Err(_) => Ok(None),
        }
    }

    async fn begin(&self, linked: crate::model::LinkedCounts) -> Result<CycleId, CycleError> {
        let start = CycleStart {
            channel: self.channel.name().clone(),
            target: self.channel.target_name.clone(),
            trigger: self.trigger,
            linked,
        };
        Ok(self.store.begin(&start).await?)
    }

    async fn finish(&self, cycle: CycleId, report: &Report, seen: Option<&Seen>) -> Result<(), CycleError> {
        Ok(self.store.finish(cycle, &summary(report, self.trigger, seen)).await?)
    }

    async fn carry_out(&self, cycle: CycleId, prepared: Prepared) -> Report {
        let (applied, result) = match self.trigger {
            Trigger::Preview => (super::Applied::default(), Ok(())),
            Trigger::Sync | Trigger::Resync => {
                apply::apply(self.channel, self.store, cycle, &prepared, self.stop, self.progress).await
            }
        };
        let held: Vec<Held> = prepared.plan.held.iter().chain(&applied.held).cloned().collect();
        let error = result.err();
        let end = match &error {
            Some(_) => CycleEnd::Failed,
            None if !prepared.plan.verdict.tripped.is_empty() => CycleEnd::Quarantined,
            None if !held.is_empty() || !prepared.desired.coverage.is_whole() => CycleEnd::DoneWithHeld,
            None => CycleEnd::Done,
        };
        Report { end, error, prepared: Some(prepared), applied, held, ..Report::quiet() }
    }
}
