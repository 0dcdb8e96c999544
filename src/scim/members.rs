//! Changes of a group's members. A request that is refused is looked into: what is as it should be is done, and what
//! is left is sent in halves, down to the members that the provider does not take. Each of the others goes through.

use std::collections::BTreeSet;

use super::answer::Answer;
use super::bisect::{Member, Refused, Search, aligned, edit_of, is_server_error};
use super::member_reading::never_readable;
use super::request::Request;
use super::target::{Provider, judged};
use super::write::edited;
use super::{Dialect, MemberRemove, UpdateBy};
use crate::cycle::{Found, Outcome, References, TargetError};
use crate::model::{Resource, ResourceId, ResourceType, Witness};
use crate::plan::{Action, Change, Edit};

/// Requests refused one after the other, none having passed, after which it is not about single members. Halving a
/// chunk of 100 comes to pieces of six by then, so some piece would have passed had a few members been bad.
const HOPELESS: usize = 20;

/// Adds and removes members. The caller holds the group's turn.
pub(super) async fn change(
    provider: &Provider,
    group: &ResourceId,
    edit: &Edit,
    references: &References,
) -> Result<Outcome, TargetError> {
    let (members, references) = Member::all(edit, references);
    let mut work =
        Work { provider, group, references, search: Search::new(members), there: None, empty: false, other_form_tried: false };
    while let Some(piece) = work.search.next(provider.dialect().capabilities.members_per_request) {
        match work.say(&piece, None).await {
            Ok(None) => work.search.done(piece),
            Ok(Some(answer)) if answer.is_success() => match edited(&answer, ResourceType::Group, &work.search.id(group), &[]) {
                Ok(outcome) => {
                    work.passed(piece);
                    work.search.moved(outcome);
                }
                Err(error) => work.search.stop(piece, error),
            },
            Ok(Some(answer)) => {
                let again = piece.clone();
                match work.refused(piece, &answer).await {
                    Ok(()) => {}
                    // It is gone, and everything that was done to it with it.
                    Err(TargetError::NotFound) => return Err(TargetError::NotFound),
                    Err(error) => work.search.stop(again, error),
                }
            }
            Err(error) => work.search.stop(piece, error),
        }
    }
    work.conclude().await
}

/// Creates a group with members; without them, if with them it is refused: a bad member keeps no group out.
pub(super) async fn create(
    provider: &Provider,
    request: &Request,
    change: &Change,
    resource: &Resource,
    references: &References,
) -> Result<Outcome, TargetError> {
    let error = match provider.create(request, resource).await {
        Err(error @ TargetError::Rejected { .. }) => error,
        other => return other,
    };
    let bare = Resource { members: BTreeSet::new(), ..resource.clone() };
    let change = Change { action: Action::Create(bare.clone()), ..change.clone() };
    let Some(request) = Request::change(&change, &provider.dialect(), references)? else { return Err(error) };
    match provider.create(&request, &bare).await? {
        Outcome::Exists(resource_id) => {
            let (undone, doubtful) = (resource.members.clone(), BTreeSet::new());
            Ok(Outcome::Partly { resource_id, undone, doubtful, why: error.to_string() })
        }
        other @ (Outcome::Partly { .. } | Outcome::Gone) => Ok(other),
    }
}

/// One edit on its way.
pub(super) struct Work<'a> {
    pub(super) provider: &'a Provider,
    pub(super) group: &'a ResourceId,
    references: References,
    pub(super) search: Search,
    /// Who is in the group, once something was refused and where that can be known.
    there: Option<Option<BTreeSet<ResourceId>>>,
    /// The group showed nobody when it was read.
    empty: bool,
    /// The other form of removal was tried.
    pub(super) other_form_tried: bool,
}

impl Work<'_> {
    /// Sends a piece; in another form of removal than the dialect's, if one is given.
    pub(super) async fn say(&self, piece: &[Member], form: Option<MemberRemove>) -> Result<Option<Answer>, TargetError> {
        let edits = [edit_of(piece)];
        let group = self.search.id(self.group);
        let mut dialect = self.provider.dialect();
        if let Some(form) = form {
            let mut changed = Dialect::clone(&dialect);
            changed.knobs.member_remove = form;
            dialect = changed.into();
        }
        let found = if wants_all(&dialect) { Some(self.whole(&group).await?) } else { None };
        if form.is_none() {
            if found.is_none() {
                return self.provider.settled(ResourceType::Group, &group, &edits, &self.references).await;
            }
            return self.provider.send_edits(ResourceType::Group, &group, &edits, &self.references, found.as_ref()).await;
        }
        match Request::edits(ResourceType::Group, &group, &edits, &dialect, &self.references, None)? {
            None => Ok(None),
            Some(request) => self.provider.write(&request).await.map(Some),
        }
    }

    /// The group with all of its members: whoever is left out of a whole list loses the membership.
    async fn whole(&self, group: &ResourceId) -> Result<Found, TargetError> {
        let found = self.provider.read_one(ResourceType::Group, group).await?.ok_or(TargetError::NotFound)?;
        if found.members.is_some() {
            return Ok(found);
        }
        let detail = "not sent: this target takes nothing but a group's whole list of members, and does not show it".to_owned();
        Err(TargetError::Rejected { status: 400, detail })
    }

    /// In other words, if there are some that the provider takes.
    pub(super) async fn otherwise(&mut self, piece: Vec<Member>, answer: &Answer) -> Result<(), TargetError> {
        let (edits, group) = ([edit_of(&piece)], self.search.id(self.group));
        let said = self.provider.in_other_words(ResourceType::Group, &group, &edits, &self.references, answer).await?;
        match said {
            Some(outcome) => {
                self.passed(piece);
                self.search.moved(outcome);
            }
            None if piece.len() == 1 && Refused::of(answer) == Refused::Members => self.search.bad(piece, refusal(answer), false),
            None if piece.is_empty() => {}
            None => self.search.stop(piece, judged(answer)),
        }
        Ok(())
    }

    pub(super) fn passed(&mut self, piece: Vec<Member>) {
        if let Some(Some(there)) = &mut self.there {
            for member in &piece {
                if member.leaves {
                    there.remove(&member.id);
                } else {
                    there.insert(member.id.clone());
                }
            }
        }
        if let Some(size) = self.search.passed(piece) {
            self.learn_size(size);
        }
    }

    fn learn_size(&self, size: usize) {
        if size < self.provider.dialect().capabilities.members_per_request {
            self.provider.learn("members_per_request", &size.to_string(), Witness::Learnt);
        }
    }

    /// A piece was refused. An error says that it cannot be looked into.
    async fn refused(&mut self, piece: Vec<Member>, answer: &Answer) -> Result<(), TargetError> {
        let kind = Refused::of(answer);
        match kind {
            Refused::TooMany if piece.len() > 1 => {
                self.search.too_many(piece);
                return Ok(());
            }
            Refused::Form => return self.in_another_form(piece, answer).await,
            Refused::Altogether => return self.otherwise(piece, answer).await,
            Refused::TooMany | Refused::Members | Refused::Server => {}
        }
        if (self.there.is_none() || kind == Refused::Server) && !self.look().await? {
            return Err(TargetError::NotFound);
        }
        let before = piece.len();
        let there = self.there.clone().flatten();
        let (right, piece): (Vec<_>, Vec<_>) =
            piece.into_iter().partition(|member| there.as_ref().is_some_and(|there| aligned(member, there)));
        self.search.done(right);
        match piece.as_slice() {
            [] => {}
            _ if piece.len() < before && before > 1 => self.search.again(piece),
            [one] => {
                let known = there.is_some();
                // Where members cannot be read, the answer itself is all the evidence there is.
                let there_already = !one.leaves && answer.status == 409;
                let gone_already = one.leaves && (answer.is_no_target() || matches!(answer.status, 404 | 410));
                if !known && (there_already || gone_already) {
                    self.search.done(piece);
                } else if one.leaves && kind == Refused::Members && answer.status == 400 && answer.scim_type().is_none() {
                    return self.in_another_form(piece, answer).await;
                } else {
                    self.search.bad(piece, refusal(answer), kind == Refused::Server && !known);
                }
            }
            _ => {
                let doubtful = kind == Refused::Server && there.is_none();
                if self.search.halve(piece, answer.status == 400, doubtful) >= HOPELESS {
                    self.search.give_up(refusal(answer));
                }
            }
        }
        Ok(())
    }

    /// Reads who is there; false if the group is gone. An empty list counts where lists are known not to be empty always.
    async fn look(&mut self) -> Result<bool, TargetError> {
        let found = match self.provider.read_one(ResourceType::Group, &self.search.id(self.group)).await {
            Ok(Some(found)) => found,
            Ok(None) => return Ok(false),
            // A group that cannot be shown (there are some too large for it) can be changed all the same.
            Err(TargetError::Rejected { .. }) => {
                self.there = Some(None);
                return Ok(true);
            }
            Err(error) => return Err(error),
        };
        self.empty = found.members.as_ref().is_some_and(BTreeSet::is_empty);
        self.there = Some(found.members.filter(|members| !members.is_empty() || self.provider.sight.proven()));
        if matches!(self.there, Some(Some(_))) {
            self.search.seen();
        }
        Ok(true)
    }

    pub(super) async fn read_again(&self) -> Result<Option<Found>, TargetError> {
        self.provider.read_one(ResourceType::Group, &self.search.id(self.group)).await
    }

    /// What came of all of it. Whoever was added and is not shown by a group that shows nobody says that it never does.
    async fn conclude(self) -> Result<Outcome, TargetError> {
        if self.empty
            // Where another group has shown somebody, it is this one that is odd.
            && !self.provider.sight.proven()
            && self.search.added()
            && let Ok(Some(found)) = self.read_again().await
            && found.members.is_some_and(|members| members.is_empty())
        {
            never_readable(self.provider);
        }
        if let Some(size) = self.search.size_that_passed() {
            self.learn_size(size);
        }
        self.search.outcome(self.group)
    }
}

/// True if the provider takes nothing but whole lists.
fn wants_all(dialect: &Dialect) -> bool {
    dialect.knobs.group_update == UpdateBy::Patch && dialect.knobs.member_remove == MemberRemove::ReplaceAll
}

/// A refusal of one member. The group is there: it was read. What is missing is the member.
pub(super) fn refusal(answer: &Answer) -> TargetError {
    match judged(answer) {
        TargetError::NotFound => answer.rejected(),
        _ if is_server_error(answer) => answer.rejected(),
        other => other,
    }
}
