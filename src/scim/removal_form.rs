//! How members leave is said in one form or the other, and many providers parse only one of the two. Which, is found
//! out with a single member.

use std::collections::BTreeSet;

use super::answer::Answer;
use super::bisect::Member;
use super::members::Work;
use super::target::judged;
use super::{MemberRemove, SaidBy, UpdateBy};
use crate::cycle::{References, TargetError};
use crate::model::{EntryId, ResourceId, ResourceType, Witness};
use crate::plan::Edit;

impl Work<'_> {
    /// Some providers parse only one form of removal, and it is never the same. The other form is tried with one member,
    /// and kept if that one is gone then. Providers that know no values of a removal take it for a removal of all, so
    /// that form is tried only where it can be seen what came of it, and what it took is given back.
    pub(super) async fn in_another_form(&mut self, mut piece: Vec<Member>, answer: &Answer) -> Result<(), TargetError> {
        let dialect = self.provider.dialect();
        let chosen = dialect.said_by("member_remove") == SaidBy::Configuration || dialect.knobs.group_update == UpdateBy::Put;
        let other = match dialect.knobs.member_remove {
            MemberRemove::PathFilter => MemberRemove::ValueArray,
            MemberRemove::ValueArray => MemberRemove::PathFilter,
            MemberRemove::ReplaceAll => MemberRemove::ReplaceAll,
        };
        let leaver = piece.iter().position(|member| member.leaves);
        let (Some(place), false, false) = (leaver, chosen || other == MemberRemove::ReplaceAll, self.other_form_tried) else {
            return self.otherwise(piece, answer).await;
        };
        self.other_form_tried = true;
        let member = piece.swap_remove(place);
        let Some(before) = self.read_again().await? else { return Err(TargetError::NotFound) };
        let blind = before.members.as_ref().is_none_or(|members| members.len() < 2 || !members.contains(&member.id));
        if other == MemberRemove::ValueArray && blind {
            piece.push(member);
            return self.otherwise(piece, answer).await;
        }
        let taken = match self.say(std::slice::from_ref(&member), Some(other)).await {
            Ok(Some(second)) => second.is_success(),
            Ok(None) => false,
            Err(error) => {
                piece.push(member);
                self.search.stop(piece, error);
                return Ok(());
            }
        };
        let after = if taken { self.read_again().await?.and_then(|found| found.members) } else { None };
        if let (Some(before), Some(after)) = (&before.members, &after) {
            let lost: BTreeSet<ResourceId> =
                before.iter().filter(|id| **id != member.id && !after.contains(*id)).cloned().collect();
            if !lost.is_empty() {
                self.give_back(lost).await?;
                self.search.done(vec![member]);
                return self.otherwise(piece, answer).await;
            }
        }
        let left = match (&after, other) {
            (Some(after), _) => taken && !after.contains(&member.id),
            (None, MemberRemove::PathFilter) => taken,
            (None, MemberRemove::ValueArray | MemberRemove::ReplaceAll) => false,
        };
        if left {
            self.provider.learn("member_remove", word_of(other), Witness::Learnt);
            self.passed(vec![member]);
            self.search.again(piece);
        } else {
            piece.push(member);
            return self.otherwise(piece, answer).await;
        }
        Ok(())
    }

    /// Members whom a removal took along that was meant for another.
    async fn give_back(&self, lost: BTreeSet<ResourceId>) -> Result<(), TargetError> {
        tracing::error!(group = %self.group, members = lost.len(), "The target took the removal of one member for one of all; they are added again");
        let references: References = lost.iter().map(|id| (EntryId::new(id.as_str()), id.clone())).collect();
        let lost: Vec<EntryId> = lost.iter().map(|id| EntryId::new(id.as_str())).collect();
        for part in lost.chunks(self.provider.dialect().capabilities.members_per_request.max(1)) {
            let edit = Edit::Members { add: part.iter().cloned().collect(), remove: BTreeSet::new() };
            let answer = self.provider.send_edits(ResourceType::Group, self.group, &[edit], &references, None).await?;
            if let Some(answer) = answer.filter(|answer| !answer.is_success()) {
                return Err(TargetError::AnswerLost(format!(
                    "a removal of one member took all of them, and they could not be given back: {}",
                    judged(&answer)
                )));
            }
        }
        Ok(())
    }
}

fn word_of(form: MemberRemove) -> &'static str {
    match form {
        MemberRemove::PathFilter => "path_filter",
        MemberRemove::ValueArray => "value_array",
        MemberRemove::ReplaceAll => "replace_all",
    }
}
