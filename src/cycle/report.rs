//! What became of a cycle, and what is kept of it.

use std::collections::BTreeSet;

use crate::model::EntryId;
use crate::plan::{Held, Plan};

use super::apply::Applied;
use super::prepare::Prepared;
use super::{CycleEnd, CycleError, CycleSummary, Trigger};

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
    /// What else the admin should know: why everything was read, what a full reading found that nobody had told.
    pub notes: Vec<String>,
}

impl Report {
    /// One that ended before anything was planned.
    pub(super) fn failed(error: CycleError) -> Self {
        Self { end: CycleEnd::Failed, error: Some(error), ..Self::quiet() }
    }

    /// False if something that it was to look at could not be: it is told again only to whoever asks.
    pub fn is_whole(&self) -> bool {
        self.error.is_none() && self.prepared.as_ref().is_none_or(|prepared| prepared.desired.coverage.is_whole())
    }

    /// One that found nothing to do.
    pub(super) fn quiet() -> Self {
        Self {
            end: CycleEnd::Done,
            error: None,
            prepared: None,
            applied: Applied::default(),
            held: Vec::new(),
            first: false,
            notes: Vec::new(),
        }
    }
}

/// Who was looked at in a cycle over changes.
pub(super) struct Seen {
    pub(super) judged: BTreeSet<EntryId>,
    /// True if everybody whose change was still to be made is among them.
    pub(super) pending: bool,
}

/// What is kept of it. `seen` tells who was looked at, where that was not everybody.
pub(super) fn summary(report: &Report, trigger: Trigger, seen: Option<&Seen>) -> CycleSummary {
    let mut messages: Vec<String> = report.error.iter().map(ToString::to_string).collect();
    if trigger == Trigger::Preview && report.error.is_none() {
        messages.push("preview: nothing was sent to the target".into());
    }
    messages.extend(report.notes.iter().cloned());
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
        judged: seen.map(|seen| seen.judged.clone()),
        // Who was stopped and is not looked at now is still stopped.
        quarantine: plan.map(quarantine).filter(|rows| seen.is_none_or(|seen| seen.pending) || !rows.is_empty()),
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
