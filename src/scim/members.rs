//! What to do when a group refuses an edit of its members: look what is there, and send the rest one by one.

use std::collections::BTreeSet;

use super::answer::Answer;
use super::target::{Provider, judged};
use crate::cycle::{Disposition, Outcome, References, TargetError};
use crate::model::{EntryId, ResourceId, ResourceType};
use crate::plan::Edit;

/// Adds and removals of one group's members.
#[derive(Clone, Copy)]
pub(super) struct MemberEdits<'a> {
    pub(super) add: &'a BTreeSet<EntryId>,
    pub(super) remove: &'a BTreeSet<EntryId>,
}

/// A membership that is as it should be is done, whatever the answer was: providers answer 409 to a member that
/// is there, and noTarget or 404 to one that is not. One bad member does not keep the others of its request back.
pub(super) async fn settle(
    provider: &Provider,
    group: &ResourceId,
    edits: MemberEdits<'_>,
    references: &References,
    refusal: &Answer,
) -> Result<Outcome, TargetError> {
    let form = refusal.scim_type().is_some_and(|kind| matches!(kind.as_str(), "invalidPath" | "invalidSyntax" | "invalidFilter"));
    if form || !matches!(refusal.status, 400 | 404 | 409 | 410) {
        return Err(judged(refusal));
    }
    let Some(found) = provider.read_one(ResourceType::Group, group).await? else { return Err(TargetError::NotFound) };
    let is_member = |entry: &EntryId| Some(found.members.as_ref()?.contains(references.get(entry)?));
    let add: Vec<&EntryId> = edits.add.iter().filter(|entry| is_member(entry) != Some(true)).collect();
    let remove: Vec<&EntryId> = edits.remove.iter().filter(|entry| is_member(entry) != Some(false)).collect();
    let single = edits.add.len() + edits.remove.len() == 1;
    let mut done = 0;
    let mut first_error = None;
    for (entry, leaves) in add.iter().map(|entry| (*entry, false)).chain(remove.iter().map(|entry| (*entry, true))) {
        let result = if single { Ok(Some(refusal.clone())) } else { one(provider, group, entry, leaves, references).await };
        let error = match result {
            Ok(None) => continue,
            Ok(Some(answer)) if answer.is_success() => {
                done += 1;
                continue;
            }
            Ok(Some(answer)) => {
                // Where members cannot be read, the answer itself is all the evidence there is.
                let there_already = !leaves && answer.status == 409;
                let gone_already = leaves && (answer.is_no_target() || matches!(answer.status, 404 | 410));
                if found.members.is_none() && (there_already || gone_already) {
                    continue;
                }
                match judged(&answer) {
                    // The group is there: it was read. What is missing is the member.
                    TargetError::NotFound => answer.rejected(),
                    other => other,
                }
            }
            Err(error) => error,
        };
        let ends = error.disposition() == Disposition::System;
        first_error.get_or_insert(error);
        if ends {
            break;
        }
    }
    match first_error {
        None => Ok(Outcome::Exists(group.clone())),
        Some(error) if done == 0 => Err(error),
        // Not all of it, and not nothing: what is there now is not known to whoever asked.
        Some(error) => Err(TargetError::AnswerLost(format!("{done} memberships were changed one by one, and then: {error}"))),
    }
}

async fn one(
    provider: &Provider,
    group: &ResourceId,
    entry: &EntryId,
    leaves: bool,
    references: &References,
) -> Result<Option<Answer>, TargetError> {
    let entry = BTreeSet::from([entry.clone()]);
    let edit = match leaves {
        true => Edit::Members { add: BTreeSet::new(), remove: entry },
        false => Edit::Members { add: entry, remove: BTreeSet::new() },
    };
    provider.send_edits(ResourceType::Group, group, &[edit], references, None).await
}
