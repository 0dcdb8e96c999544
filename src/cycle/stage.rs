//! The order in which a plan is carried out: stage by stage, several workers at a time, whoever waits for somebody
//! after that one.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use futures_util::stream::{FuturesUnordered, StreamExt};

use crate::model::{EntryId, Value};
use crate::plan::{Action, Change, Edit, Stage};

use super::apply::Applying;
use super::{CycleError, Phase, Progress, ProgressSender, Source, Store, Target};

const STAGES: [Stage; 9] = [
    Stage::Revoke,
    Stage::Users,
    Stage::References,
    Stage::Groups,
    Stage::Members,
    Stage::Moves,
    Stage::DeleteGroups,
    Stage::DeleteUsers,
    Stage::Claims,
];

impl<S: Source, T: Target, St: Store> Applying<'_, S, T, St> {
    /// Stage after stage.
    pub(super) async fn stages(&self, progress: &ProgressSender) -> Result<(), CycleError> {
        let total = self.plan.changes.len() as u64;
        progress.send_replace(Progress { phase: Phase::Applying, done: 0, total });
        for stage in STAGES {
            let mut tasks: Vec<(usize, &Change, &[usize])> = self
                .plan
                .changes
                .iter()
                .enumerate()
                .filter(|(_, planned)| planned.stage == stage)
                .map(|(index, planned)| (index, &planned.change, planned.after.as_slice()))
                .collect();
            let later: Vec<Change> = {
                let mut state = self.lock();
                let (now, rest) = std::mem::take(&mut state.later).into_iter().partition(|(when, _)| *when == stage);
                state.later = rest;
                now.into_iter().map(|(_, change): (Stage, Change)| change).collect()
            };
            let planned = self.plan.changes.len();
            tasks.extend(later.iter().enumerate().map(|(index, change)| (planned + index, change, &[] as &[usize])));
            self.stage(tasks, progress).await?;
        }
        Ok(())
    }

    /// One stage: whoever waits for nobody goes, more at a time than there are places on the wire.
    async fn stage(&self, tasks: Vec<(usize, &Change, &[usize])>, progress: &ProgressSender) -> Result<(), CycleError> {
        let numbers: BTreeSet<usize> = tasks.iter().map(|(number, ..)| *number).collect();
        let mut waits: BTreeMap<usize, usize> = BTreeMap::new();
        let mut followers: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        let mut ready = VecDeque::new();
        let changes: BTreeMap<usize, (&Change, &[usize])> =
            tasks.iter().map(|(number, change, after)| (*number, (*change, *after))).collect();
        for (number, _, after) in &tasks {
            let open = after.iter().filter(|other| numbers.contains(other));
            let mut count = 0;
            for other in open {
                followers.entry(*other).or_default().push(*number);
                count += 1;
            }
            if count == 0 {
                ready.push_back(*number);
            } else {
                waits.insert(*number, count);
            }
        }
        let mut running = FuturesUnordered::new();
        let mut failed = None;
        loop {
            while failed.is_none() && !self.over.is_cancelled() && running.len() < self.under_way {
                let Some(number) = ready.pop_front() else { break };
                let Some((change, after)) = changes.get(&number) else { break };
                running.push(async move { (number, self.in_turn(change, after).await) });
            }
            let Some((number, result)) = running.next().await else { break };
            if let Err(error) = result {
                self.over.cancel();
                // Those that were not sent any more only say that it is over; the others say why.
                failed = failed.filter(|known| !matches!(known, CycleError::Stopped)).or(Some(error));
            }
            progress.send_modify(|progress| progress.done = (progress.done + 1).min(progress.total));
            for follower in followers.remove(&number).unwrap_or_default() {
                if let Some(count) = waits.get_mut(&follower) {
                    *count -= 1;
                    if *count == 0 {
                        ready.push_back(follower);
                    }
                }
            }
        }
        match failed {
            Some(error) => Err(error),
            None if self.over.is_cancelled() && !ready.is_empty() => Err(CycleError::Stopped),
            None => Ok(()),
        }
    }

    /// Carries a change out, unless it takes a name that the one before it did not give up.
    async fn in_turn(&self, change: &Change, after: &[usize]) -> Result<(), CycleError> {
        let Some(holder) = self.keeps_the_name(change, after) else { return self.carry_out(change).await };
        self.hold(change, waits_for(&holder));
        Ok(())
    }

    fn keeps_the_name(&self, change: &Change, after: &[usize]) -> Option<EntryId> {
        let before = after.iter().filter_map(|number| Some(&self.plan.changes.get(*number)?.change));
        let state = self.lock();
        let holder = keeper(change, before.filter(|other| state.held.contains(&other.entry_id)))?;
        Some(holder.entry_id.clone())
    }
}

/// Which of `held` keeps the name that a change takes.
pub(super) fn keeper<'a>(change: &Change, mut held: impl Iterator<Item = &'a Change>) -> Option<&'a Change> {
    let wanted = name_after(change)?.to_lowercase();
    held.find(|other| {
        other.resource_type == change.resource_type && name_before(other).is_some_and(|name| name.to_lowercase() == wanted)
    })
}

/// Why somebody who waits for a name is held.
pub(super) fn waits_for(holder: &EntryId) -> String {
    format!("it waits for a name of entry {holder}, whose own change was not carried out")
}

/// The name that a change gives its resource.
fn name_after(change: &Change) -> Option<&str> {
    match &change.action {
        Action::Create(resource) => resource.name(),
        Action::Adopt { .. } | Action::Relink { .. } | Action::Update { .. } => match rename(change)? {
            (_, Some(Value::Text(name))) => Some(name),
            _ => None,
        },
        Action::Delete { .. } | Action::Claim { .. } | Action::Release | Action::Forget => None,
    }
}

/// The name that a change takes from its resource.
fn name_before(change: &Change) -> Option<&str> {
    match rename(change)? {
        (Some(Value::Text(name)), _) => Some(name),
        _ => None,
    }
}

fn rename(change: &Change) -> Option<(Option<&Value>, Option<&Value>)> {
    let (Action::Update { edits, .. } | Action::Adopt { edits, .. } | Action::Relink { edits, .. }) = &change.action else {
        return None;
    };
    let name = change.resource_type.name_path();
    edits.iter().find_map(|edit| match edit {
        Edit::Attribute { path, before, after } if *path == name => Some((before.as_ref(), after.as_ref())),
        Edit::Attribute { .. } | Edit::Members { .. } | Edit::Foreign { .. } => None,
    })
}
