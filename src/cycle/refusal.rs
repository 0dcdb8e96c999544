//! Requests that the target refused for what they say: the same words are refused again, so they are not sent every
//! cycle. Whatever takes access away is sent all the same.

use std::collections::BTreeSet;

use crate::model::{EntryId, Resource, Snapshot, Value};
use crate::plan::{Action, Change, ClaimAfter, Edit, Held, Plan, Planned, diff, requests};

use super::{Recorded, TargetError, stage};

/// Why a request was refused, and what it said if it would be refused again.
pub(super) struct Refusal {
    pub(super) why: String,
    digest: Option<String>,
}

impl Refusal {
    /// One that may be another answer next time.
    pub(super) fn passing(why: impl Into<String>) -> Self {
        Self { why: why.into(), digest: None }
    }

    /// A refusal of what the request says.
    pub(super) fn of_words(action: &Action, why: impl Into<String>) -> Self {
        Self { why: why.into(), digest: digest(action) }
    }

    /// An answer to a request: a client error is about what it said, all others pass.
    pub(super) fn judged(action: &Action, error: &TargetError) -> Self {
        match error {
            TargetError::Conflict(_) | TargetError::Rejected { status: 400..=499, .. } => {
                Self::of_words(action, error.to_string())
            }
            TargetError::Rejected { .. }
            | TargetError::NotFound
            | TargetError::AnswerLost(_)
            | TargetError::Unauthorized(_)
            | TargetError::Unavailable(_)
            | TargetError::Protocol(_)
            | TargetError::Secret(_) => Self::passing(error.to_string()),
        }
    }

    pub(super) fn recorded(self) -> Recorded {
        match self.digest {
            Some(digest) => Recorded::Declined { why: self.why, digest },
            None => Recorded::Refused(self.why),
        }
    }
}

/// Takes what was refused before and is not due again out of the plan, and holds it, with whoever waits for its name.
pub(super) fn hold_refused(plan: &mut Plan, snapshot: &Snapshot, members_per_request: usize) {
    if snapshot.refused.is_empty() {
        return;
    }
    let mut out: Vec<Option<String>> = Vec::with_capacity(plan.changes.len());
    for planned in &plan.changes {
        out.push(refused(&planned.change, snapshot, members_per_request));
    }
    while let Some((index, why)) = follower(&plan.changes, &out) {
        if let Some(slot) = out.get_mut(index) {
            *slot = Some(why);
        }
    }
    let mut places = Vec::with_capacity(out.len());
    let mut kept = 0;
    for why in &out {
        places.push(why.is_none().then_some(kept));
        kept += usize::from(why.is_none());
    }
    let changes = std::mem::take(&mut plan.changes);
    let mut told: BTreeSet<EntryId> = plan.held.iter().map(|held| held.entry_id.clone()).collect();
    for (mut planned, why) in changes.into_iter().zip(out) {
        match why {
            None => {
                planned.after = planned.after.iter().filter_map(|other| places.get(*other).copied().flatten()).collect();
                plan.changes.push(planned);
            }
            Some(why) => {
                uncount(plan, &planned.change.action);
                let Change { entry_id, resource_type, name, .. } = planned.change;
                if told.insert(entry_id.clone()) {
                    plan.counts.held += 1;
                    plan.held.push(Held { entry_id, resource_type, name, why });
                }
            }
        }
    }
}

/// The next change that waits for a name that a held one keeps.
fn follower(changes: &[Planned], out: &[Option<String>]) -> Option<(usize, String)> {
    let is_out = |index: &usize| out.get(*index).is_some_and(Option::is_some);
    changes.iter().enumerate().filter(|(index, _)| !is_out(index)).find_map(|(index, planned)| {
        let held = planned.after.iter().filter(|other| is_out(other)).filter_map(|other| Some(&changes.get(*other)?.change));
        let holder = stage::keeper(&planned.change, held)?;
        Some((index, stage::waits_for(&holder.entry_id)))
    })
}

fn uncount(plan: &mut Plan, action: &Action) {
    let count = match action {
        Action::Create(_) => &mut plan.counts.create,
        Action::Adopt { .. } => &mut plan.counts.adopt,
        Action::Relink { .. } => &mut plan.counts.relink,
        Action::Update { .. } => &mut plan.counts.update,
        Action::Delete { .. } => &mut plan.counts.delete,
        Action::Claim { .. } | Action::Release | Action::Forget => return,
    };
    *count = count.saturating_sub(1);
}

/// Why a change is not sent: every request of it was refused, word for word, and is not due.
fn refused(change: &Change, snapshot: &Snapshot, members_per_request: usize) -> Option<String> {
    let known = snapshot.refused.get(&change.entry_id)?;
    let mut why = None;
    for request in requests(change, members_per_request) {
        let digest = digest(&request.action)?;
        let refusal = known.iter().find(|refusal| refusal.digest == digest && !refusal.due)?;
        why = Some(refusal.why.clone());
    }
    let again = "it is sent again when the directory's values change, by `resync`, and now and then by itself";
    why.filter(|_| change.claim == ClaimAfter::Held).map(|why| format!("{why}; {again}"))
}

/// What a request says, as a digest; none for one that takes access away, which is always sent. References are left out
/// of creates: whether they can travel is not up to the directory.
fn digest(action: &Action) -> Option<String> {
    let mut hasher = blake3::Hasher::new();
    let mut say = |text: &str| {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    };
    match action {
        Action::Create(Resource { resource_type, attributes, .. }) => {
            say(resource_type.as_str());
            for (path, value) in attributes.iter().filter(|(_, value)| value.reference().is_none()) {
                say(path.as_str());
                say_value(&mut say, value);
            }
        }
        Action::Update { edits, .. } => {
            for edit in edits {
                match edit {
                    Edit::Attribute { path, after, .. } if !diff::deactivates(edit) => {
                        say(path.as_str());
                        match after {
                            Some(value) => say_value(&mut say, value),
                            None => say("\u{1}none"),
                        }
                    }
                    Edit::Members { add, remove } if remove.is_empty() => add.iter().for_each(|id| say(id.as_str())),
                    Edit::Attribute { .. } | Edit::Members { .. } | Edit::Foreign { .. } => return None,
                }
            }
        }
        Action::Adopt { .. }
        | Action::Relink { .. }
        | Action::Delete { .. }
        | Action::Claim { .. }
        | Action::Release
        | Action::Forget => return None,
    }
    Some(hasher.finalize().to_hex().to_string())
}

fn say_value(say: &mut impl FnMut(&str), value: &Value) {
    match value {
        Value::Text(text) => say(text),
        Value::Flag(flag) => say(if *flag { "\u{1}true" } else { "\u{1}false" }),
        Value::Reference(id) => {
            say("\u{1}entry");
            say(id.as_str());
        }
    }
}
