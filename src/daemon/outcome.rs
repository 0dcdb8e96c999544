//! What is said of a cycle that ended.

use crate::assemble::Live;
use crate::config::Mode;
use crate::cycle::{CycleEnd, CycleError, Report, Target};
use crate::model::ChannelName;

/// What was done, as words for a sentence: `created 3, updated 1`, or that nothing had to be done.
pub fn deeds(report: &Report) -> String {
    let done: Vec<String> = report.applied.done.iter().map(|(word, count)| format!("{word} {count}")).collect();
    match (done.is_empty(), report.end) {
        (false, _) => done.join(", "),
        (true, CycleEnd::Done) => "nothing had to be done".to_owned(),
        (true, CycleEnd::DoneWithHeld | CycleEnd::Quarantined | CycleEnd::Failed) => "nothing was done".to_owned(),
    }
}

/// What the admin has to do at the target after a first load.
pub fn next_step(live: &Live, report: &Report) -> Option<&'static str> {
    let is_first_load = report.first && report.error.is_none() && live.mode == Mode::Live;
    live.channel.target.capabilities().after_first_load.filter(|_| is_first_load)
}

/// Logs how a cycle ended, once.
pub fn log(channel: &ChannelName, report: &Report, preview: bool) {
    let (held, deeds) = (report.held.len(), deeds(report));
    for note in &report.notes {
        tracing::info!(%channel, "{channel}: {note}");
    }
    if let Some(prepared) = &report.prepared {
        for cause in crate::cycle::partial_causes(prepared) {
            tracing::warn!(%channel, "{channel}: {cause}");
        }
        for tripped in &prepared.plan.verdict.tripped {
            tracing::error!(%channel, kind = tripped.kind.as_str(), "{channel} is quarantined: {}", tripped.message);
        }
        if preview {
            let planned = prepared.plan.changes.len();
            tracing::info!(%channel, planned, held, "{channel}: preview ended, {planned} steps are planned, nothing was sent");
            return;
        }
    }
    match (report.end, &report.error) {
        (CycleEnd::Done, _) => tracing::info!(%channel, "{channel}: cycle done, {deeds}"),
        (CycleEnd::DoneWithHeld, _) => {
            tracing::warn!(%channel, held, "{channel}: cycle done, {deeds}; {held} held, `ldap2scim status` names them")
        }
        (CycleEnd::Quarantined, _) => {
            tracing::warn!(%channel, held, "{channel}: cycle done but for what the guard stopped, {deeds}")
        }
        // Somebody stopped the program: nothing is wrong.
        (CycleEnd::Failed, Some(error @ CycleError::Stopped)) => tracing::info!(%channel, "{channel}: {error}; {deeds}"),
        (CycleEnd::Failed, Some(error)) => tracing::error!(%channel, "{channel}: cycle failed: {error}; {deeds}"),
        (CycleEnd::Failed, None) => tracing::error!(%channel, "{channel}: cycle failed, {deeds}"),
    }
}
