//! A whole cycle: load → read → prepare → apply → finish, and what to say of it.

use tokio_util::sync::CancellationToken;

use crate::model::Snapshot;
use crate::plan::{Held, Plan, linked};

use super::apply::Applied;
use super::prepare::{Prepared, prepare};
use super::{
    Channel, CycleEnd, CycleError, CycleStart, CycleSummary, Depth, Phase, Progress, ProgressSender, Source, Store, Target,
    Trigger, apply,
};

/// What became of a cycle.
#[derive(Debug)]
pub struct Report {
    /// How it ended.
    pub end: CycleEnd,
    /// Why it failed, if it did.
    pub error: Option<CycleError>,
    /// What was prepared, if it came to that.
    pub prepared: Option<Prepared>,
    /// What was done.
    pub applied: Applied,
    /// Entries held by the plan or by the target.
    pub held: Vec<Held>,
    /// True if this was the first cycle of the channel that was carried out.
    pub first: bool,
}

/// Runs a cycle and keeps its history. `Trigger::Preview` applies nothing.
pub async fn run<S: Source, T: Target, St: Store>(
    channel: &Channel<S, T>,
    store: &St,
    trigger: Trigger,
    stop: &CancellationToken,
    progress: &ProgressSender,
) -> Result<Report, CycleError> {
    let depth = match trigger {
        Trigger::Sync | Trigger::Preview => Depth::Usual,
        Trigger::Resync => Depth::Full,
    };
    let snapshot = store.load(&channel.target_name, channel.name(), channel.rules.guard.window).await?;
    let start = CycleStart {
        channel: channel.name().clone(),
        target: channel.target_name.clone(),
        trigger,
        linked: linked(&snapshot, channel.name()).0,
    };
    let (first, known) = (snapshot.first, snapshot.knowledge.clone());
    let cycle = store.begin(&start).await?;
    let report = carry(channel, store, cycle, snapshot, trigger, depth, stop, progress).await;
    let report = Report { first, ..report };
    progress.send_replace(Progress { phase: Phase::Idle, ..Progress::default() });
    let learnt = channel.target.learnt();
    if learnt != known {
        store.learn(cycle, &learnt).await?;
    }
    store.finish(cycle, &summary(&report, trigger)).await?;
    Ok(report)
}

#[expect(clippy::too_many_arguments, reason = "the parts of one cycle, named once")]
async fn carry<S: Source, T: Target, St: Store>(
    channel: &Channel<S, T>,
    store: &St,
    cycle: super::CycleId,
    snapshot: Snapshot,
    trigger: Trigger,
    depth: Depth,
    stop: &CancellationToken,
    progress: &ProgressSender,
) -> Report {
    let failed = |error| Report {
        end: CycleEnd::Failed,
        error: Some(error),
        prepared: None,
        applied: Applied::default(),
        held: Vec::new(),
        first: false,
    };
    let preparing = prepare(channel, snapshot, depth, None, progress);
    let prepared = tokio::select! {
        prepared = preparing => match prepared {
            Ok(prepared) => prepared,
            Err(error) => return failed(error),
        },
        () = stop.cancelled() => return failed(CycleError::Stopped),
    };
    let (applied, result) = match trigger {
        Trigger::Preview => (Applied::default(), Ok(())),
        Trigger::Sync | Trigger::Resync => apply::apply(channel, store, cycle, &prepared, stop, progress).await,
    };
    let held: Vec<Held> = prepared.plan.held.iter().chain(&applied.held).cloned().collect();
    let error = result.err();
    let end = match &error {
        Some(_) => CycleEnd::Failed,
        None if !prepared.plan.verdict.tripped.is_empty() => CycleEnd::Quarantined,
        None if !held.is_empty() || !prepared.desired.coverage.is_full() => CycleEnd::DoneWithHeld,
        None => CycleEnd::Done,
    };
    Report { end, error, prepared: Some(prepared), applied, held, first: false }
}

fn summary(report: &Report, trigger: Trigger) -> CycleSummary {
    let mut messages: Vec<String> = report.error.iter().map(ToString::to_string).collect();
    if trigger == Trigger::Preview && report.error.is_none() {
        messages.push("preview: nothing was sent to the target".into());
    }
    let plan = report.prepared.as_ref().map(|prepared| &prepared.plan);
    if let Some(prepared) = &report.prepared {
        messages.extend(partial_causes(prepared));
        messages.extend(prepared.plan.verdict.tripped.iter().map(|tripped| tripped.message.clone()));
    }
    CycleSummary {
        end: report.end,
        messages,
        counts: plan.map(|plan| counted(plan, &report.applied)).unwrap_or_default(),
        held: plan.map(|_| report.held.clone()),
        judged: None,
        quarantine: plan.map(quarantine),
    }
}

/// One row for each kind; what is said of several groups is put together.
fn quarantine(plan: &Plan) -> Vec<(&'static str, String)> {
    let mut rows: Vec<(&'static str, String)> = Vec::new();
    for tripped in &plan.verdict.tripped {
        match rows.iter_mut().find(|(kind, _)| *kind == tripped.kind.as_str()) {
            Some((_, message)) => {
                message.push_str("; ");
                message.push_str(&tripped.message);
            }
            None => rows.push((tripped.kind.as_str(), tripped.message.clone())),
        }
    }
    rows
}

/// Sentences on what a partial reading lacked.
pub fn partial_causes(prepared: &Prepared) -> Vec<String> {
    match &prepared.desired.coverage {
        crate::model::Coverage::Full | crate::model::Coverage::Changes => Vec::new(),
        crate::model::Coverage::Partial(causes) => {
            let mut sentences = vec!["the reading is partial, so nothing is concluded from what is absent".to_owned()];
            sentences.extend(causes.iter().cloned());
            sentences
        }
    }
}

/// Counts in the order to print them.
pub fn counted(plan: &Plan, applied: &Applied) -> Vec<(&'static str, u64)> {
    let counts = &plan.counts;
    let mut all = vec![
        ("users in scope", counts.users),
        ("groups in scope", counts.groups),
        ("to create", counts.create),
        ("to adopt", counts.adopt),
        ("to relink", counts.relink),
        ("to update", counts.update),
        ("to delete", counts.delete),
        ("to forget", counts.forget),
        ("held", counts.held),
        ("stopped by the guard", plan.verdict.stopped.len() as u64),
        ("members left out", counts.members_left_out),
        ("members put there by others", counts.members_foreign),
        ("references open", counts.references_open),
    ];
    all.extend(applied.done.iter().map(|(word, count)| (*word, *count)));
    all
}
