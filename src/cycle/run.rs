//! A whole cycle: load → read → prepare → apply → settle → finish.

use std::collections::BTreeSet;

use tokio_util::sync::CancellationToken;

use crate::model::{Changes, Delta, EntryId, Seat, Settlement, Standing};
use crate::plan::{Held, linked};

use super::changes::{self, Ask, Outlook, Ready};
use super::prepare::{Prepared, planned, read_for, wanted_of};
use super::report::summary;
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
        let outlook = tokio::select! {
            outlook = self.outlook(&standing, heard, pending) => outlook,
            () = self.stop.cancelled() => Err(CycleError::Stopped),
        };
        let (report, judged) = match outlook {
            Ok(Outlook::Full(why)) => {
                return Box::pin(self.everything(Some(cycle), None, Some(format!("everything was read: {why}")))).await;
            }
            Ok(Outlook::Nothing(watermark)) => {
                if watermark != standing.watermark {
                    let seats = crate::model::Seats::Changed(Vec::new(), BTreeSet::new());
                    let Standing { fingerprint, pending, .. } = standing;
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
        self.finish(cycle, &report, judged.as_ref()).await?;
        Ok(report)
    }

    async fn outlook(&self, standing: &Standing, heard: Option<Delta>, pending: bool) -> Result<Outlook, CycleError> {
        let channel = self.channel;
        let vendor = channel.source.identify().await?;
        // What the target can do is part of the fingerprint, and a new process does not know it yet.
        let window = channel.rules.guard.window;
        let little = self.store.load_some(&channel.target_name, channel.name(), window, &Part::default()).await?;
        channel.target.recall(&little.knowledge);
        if settle::fingerprint(self.channel, vendor) != standing.fingerprint {
            return Ok(Outlook::Full("the configuration, or what the target can do, is another than before".to_owned()));
        }
        changes::prepare(self.channel, self.store, Ask { standing, vendor, heard, pending }, self.progress).await
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
        let (target, name, window) = (&channel.target_name, channel.name(), channel.rules.guard.window);
        let little = self.store.load_some(target, name, window, &Part::default()).await?;
        let (first, known) = (little.first, little.knowledge.clone());
        let told = match &due {
            Some(standing) => self.told(standing, &little).await?,
            None => None,
        };
        // What is remembered is loaded while the directory answers.
        let loading = async {
            let snapshot = self.store.load(target, name, window).await?;
            let cycle = match begun {
                Some(cycle) => cycle,
                None => self.begin(linked(&snapshot, name).0).await?,
            };
            Ok::<_, CycleError>((snapshot, cycle))
        };
        let reading = async {
            tokio::select! {
                read = read_for(channel, &little, depth, None, self.progress) => read,
                () = self.stop.cancelled() => Err(CycleError::Stopped),
            }
        };
        let (loaded, read) = tokio::join!(loading, reading);
        let (snapshot, cycle) = loaded?;
        let planning = async { planned(channel, snapshot, read?, depth, self.progress).await };
        let prepared = tokio::select! {
            prepared = planning => prepared,
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
        let vendor = channel.source.identify().await?;
        channel.target.recall(&snapshot.knowledge);
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

    async fn finish(&self, cycle: CycleId, report: &Report, judged: Option<&BTreeSet<EntryId>>) -> Result<(), CycleError> {
        Ok(self.store.finish(cycle, &summary(report, self.trigger, judged)).await?)
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
