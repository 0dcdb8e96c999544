//! A target that refuses how something is said is told the same in other words. What it takes then is remembered, and
//! nothing is remembered on the word of a single odd value.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use super::answer::Answer;
use super::patch::element_path;
use super::target::{Provider, judged};
use super::wire::is_manager;
use super::write::{edited, not_switched, sent_active};
use super::{SaidBy, UpdateBy};
use crate::cycle::{Disposition, Outcome, References, TargetError};
use crate::model::{AttributePath, ResourceId, ResourceType, Value, Witness};
use crate::plan::Edit;

/// Other words for one request at most.
const FORMS: usize = 2;

/// Times that other words may fail before they are not tried any more. One would let a single odd entry spoil them for all.
const FAILURES: u32 = 3;

/// What was tried.
#[derive(Default)]
pub(super) struct Tried {
    failures: Mutex<BTreeMap<&'static str, u32>>,
    changed: Mutex<BTreeSet<(ResourceType, AttributePath)>>,
    /// The first resource at which an attribute could not be changed.
    fixed: Mutex<BTreeMap<(ResourceType, AttributePath), ResourceId>>,
}

impl Tried {
    fn is_worth_it(&self, knob: &str) -> bool {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).get(knob).is_none_or(|times| *times < FAILURES)
    }

    fn failed(&self, knob: &'static str) {
        *self.failures.lock().unwrap_or_else(PoisonError::into_inner).entry(knob).or_default() += 1;
    }
}

impl Provider {
    /// True where the admin did not say how a knob stands.
    pub(super) fn may_find_out(&self, knob: &str) -> bool {
        self.dialect().said_by(knob) != SaidBy::Configuration
    }

    /// Remembers how a knob stands here, and says why.
    pub(super) fn found_out(&self, knob: &str, value: &str, why: &str, witness: Witness) {
        if self.learn(knob, value, witness) {
            tracing::warn!(knob, value, "The target {why}: remembered, and kept to from now on");
        }
    }

    /// The same edits in the other ways that may be what is missing. `None` if none of them is taken either.
    pub(super) async fn in_other_words(
        &self,
        resource_type: ResourceType,
        id: &ResourceId,
        edits: &[Edit],
        references: &References,
        refusal: &Answer,
    ) -> Result<Option<Outcome>, TargetError> {
        let ways = self.other_ways(resource_type, edits, refusal);
        let worth = |way: &&(&'static str, &'static str)| self.may_find_out(way.0) && self.tried.is_worth_it(way.0);
        for (knob, value) in ways.iter().filter(worth).take(FORMS) {
            let mut dialect = (*self.dialect()).clone();
            if dialect.value(knob) == *value || dialect.set(knob, value, SaidBy::Learnt) != Ok(true) {
                continue;
            }
            let answer = match self.send_edits_in(&dialect, resource_type, id, edits, references, None).await {
                Ok(Some(answer)) => answer,
                Ok(None) => continue,
                Err(error @ (TargetError::AnswerLost(_) | TargetError::NotFound)) => return Err(error),
                Err(error) if error.disposition() == Disposition::System => return Err(error),
                Err(_) => {
                    self.tried.failed(knob);
                    continue;
                }
            };
            if !answer.is_success() {
                self.tried.failed(knob);
                continue;
            }
            let outcome = edited(&answer, resource_type, id, edits)?;
            self.see(resource_type, id, edits, &answer).await?;
            let why = format!("answers {} to the usual form, and takes this one", refusal.status);
            self.found_out(knob, value, &why, Witness::Learnt);
            return Ok(Some(outcome));
        }
        Ok(None)
    }

    /// Before a form is believed to switch users off, it is seen to have done so.
    async fn see(
        &self,
        resource_type: ResourceType,
        id: &ResourceId,
        edits: &[Edit],
        answer: &Answer,
    ) -> Result<(), TargetError> {
        let Some(sent) = sent_active(edits) else { return Ok(()) };
        let Some(found) = self.read_one(resource_type, id).await? else { return Ok(()) };
        match found.attributes.get("active") {
            Some(Value::Flag(shown)) if *shown != sent => Err(not_switched(answer.status, *shown)),
            _ => Ok(()),
        }
    }

    /// Knobs, and the values to try, the likeliest first. Booleans are not among them: text in their place was seen to be
    /// acknowledged and ignored.
    fn other_ways(&self, resource_type: ResourceType, edits: &[Edit], refusal: &Answer) -> Vec<(&'static str, &'static str)> {
        let by = self.dialect().knobs.update(resource_type);
        let verb = match resource_type {
            ResourceType::User => "user_update",
            ResourceType::Group => "group_update",
        };
        let removes = edits.iter().any(|edit| match edit {
            Edit::Members { remove, .. } => !remove.is_empty(),
            Edit::Foreign { .. } => true,
            Edit::Attribute { .. } => false,
        });
        match refusal.status {
            // 501 to the removal of a member is about its form, not about PATCH.
            501 if removes => Vec::new(),
            405 | 501 if by == UpdateBy::Patch => vec![(verb, "put")],
            405 | 501 => vec![(verb, "patch")],
            _ if by == UpdateBy::Patch && refusal.is_about(&["invalidPath", "invalidSyntax"]) => forms(edits),
            _ => Vec::new(),
        }
    }

    /// Edits without those of attributes that cannot be changed here.
    pub(super) async fn edit_what_can_be(
        &self,
        resource_type: ResourceType,
        id: &ResourceId,
        edits: &[Edit],
        references: &References,
    ) -> Result<Outcome, TargetError> {
        let dialect = self.dialect();
        let never = &dialect.capabilities.updates(resource_type).never;
        let is_fixed = |edit: &&Edit| matches!(edit, Edit::Attribute { path, .. } if never.contains(path));
        let (fixed, rest): (Vec<&Edit>, Vec<&Edit>) = edits.iter().partition(is_fixed);
        if fixed.is_empty() {
            return self.edit(resource_type, id, edits, references).await;
        }
        let error = TargetError::Rejected { status: 400, detail: format!("not sent: {} cannot be changed there", named(&fixed)) };
        if rest.is_empty() {
            return Err(error);
        }
        let rest: Vec<Edit> = rest.into_iter().cloned().collect();
        self.edit(resource_type, id, &rest, references).await?;
        Err(in_part(&error))
    }

    /// One of the attributes cannot be changed: each goes alone, so that it does not keep the others back.
    pub(super) async fn one_by_one(
        &self,
        resource_type: ResourceType,
        id: &ResourceId,
        edits: &[Edit],
        references: &References,
        refusal: &Answer,
    ) -> Result<Outcome, TargetError> {
        let pieces = pieces(edits);
        if let [piece] = pieces.as_slice() {
            self.note_immutable(resource_type, id, piece);
            return Err(judged(refusal));
        }
        let (mut id, mut done, mut first_error) = (id.clone(), false, None);
        for piece in &pieces {
            match Box::pin(self.edit(resource_type, &id, piece, references)).await {
                // Members do not go this way, so nothing is ever done in part here.
                Ok(Outcome::Exists(now) | Outcome::Partly { resource_id: now, .. }) => (id, done) = (now, true),
                Ok(Outcome::Gone) => done = true,
                Err(error) => {
                    let ends = error.disposition() == Disposition::System;
                    first_error.get_or_insert(error);
                    if ends {
                        break;
                    }
                }
            }
        }
        match first_error {
            None => Ok(Outcome::Exists(id)),
            Some(error) if done => Err(in_part(&error)),
            Some(error) => Err(error),
        }
    }

    /// An attribute that was seen to change can be changed.
    pub(super) fn note_changeable(&self, resource_type: ResourceType, edits: &[Edit]) {
        let mut changed = self.tried.changed.lock().unwrap_or_else(PoisonError::into_inner);
        for edit in edits {
            if let Edit::Attribute { path, .. } = edit
                && !changed.contains(&(resource_type, path.clone()))
            {
                changed.insert((resource_type, path.clone()));
            }
        }
    }

    /// Remembers an attribute as one that cannot be changed here. Not where a value was to be taken away, which may be
    /// refused because one is required; not where it was changed for others; `active` never; and not on the word of one
    /// resource, which may be protected there while all others are not.
    fn note_immutable(&self, resource_type: ResourceType, id: &ResourceId, piece: &[Edit]) {
        let knob = match resource_type {
            ResourceType::User => "user_immutable",
            ResourceType::Group => "group_immutable",
        };
        let dialect = self.dialect();
        let mut paths = dialect.capabilities.updates(resource_type).never.clone();
        let before = paths.len();
        for edit in piece {
            let Edit::Attribute { path, after: Some(_), .. } = edit else { return };
            let key = (resource_type, path.clone());
            if path.as_str() == "active" || self.tried.changed.lock().unwrap_or_else(PoisonError::into_inner).contains(&key) {
                return;
            }
            if self.tried.fixed.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_insert_with(|| id.clone()) == id {
                return;
            }
            if !paths.contains(path) {
                paths.push(path.clone());
            }
        }
        if paths.len() > before {
            let list: Vec<&str> = paths.iter().map(AttributePath::as_str).collect();
            self.found_out(knob, &list.join(", "), "does not let an attribute be changed", Witness::Learnt);
        }
    }
}

/// What may be wrong with the form of edits.
fn forms(edits: &[Edit]) -> Vec<(&'static str, &'static str)> {
    let attribute = |edit: &Edit| match edit {
        Edit::Attribute { path, after, .. } => Some((path.clone(), after.is_some())),
        Edit::Members { .. } | Edit::Foreign { .. } => None,
    };
    let Some(all) = edits.iter().map(attribute).collect::<Option<Vec<_>>>() else { return Vec::new() };
    let mut ways = Vec::new();
    if all.iter().any(|(path, sets)| *sets && is_manager(path)) {
        ways.push(("manager", "text"));
    }
    if all.iter().any(|(_, sets)| !sets) {
        ways.push(("unset", "empty"));
    }
    if all.iter().any(|(path, sets)| *sets && path.selector().is_none()) {
        ways.push(("patch_form", "pathless"));
    }
    ways.push(("op_case", "title"));
    ways
}

/// Edits of one attribute or element together.
fn pieces(edits: &[Edit]) -> Vec<Vec<Edit>> {
    let mut pieces: Vec<(Option<AttributePath>, Vec<Edit>)> = Vec::new();
    for edit in edits {
        let key = match edit {
            Edit::Attribute { path, .. } => Some(element_path(path).unwrap_or_else(|| path.clone())),
            Edit::Members { .. } | Edit::Foreign { .. } => None,
        };
        match pieces.iter_mut().find(|(known, _)| *known == key) {
            Some((_, piece)) => piece.push(edit.clone()),
            None => pieces.push((key, vec![edit.clone()])),
        }
    }
    pieces.into_iter().map(|(_, piece)| piece).collect()
}

fn named(edits: &[&Edit]) -> String {
    let path = |edit: &&Edit| match edit {
        Edit::Attribute { path, .. } => path.as_str().to_owned(),
        Edit::Members { .. } | Edit::Foreign { .. } => "members".to_owned(),
    };
    edits.iter().map(path).collect::<Vec<_>>().join(", ")
}

/// Not all of it, and not nothing: what is there now is not known to whoever asked.
fn in_part(error: &TargetError) -> TargetError {
    TargetError::AnswerLost(format!("the rest was changed, but for one part: {error}"))
}
