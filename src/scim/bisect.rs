//! The search for the members that a provider does not take: pieces that wait, and what became of each member.

use std::collections::{BTreeSet, VecDeque};

use super::answer::Answer;
use crate::cycle::{Outcome, References, TargetError};
use crate::model::{EntryId, ResourceId};
use crate::plan::Edit;

/// One membership to be changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) entry: EntryId,
    pub(super) id: ResourceId,
    pub(super) leaves: bool,
}

impl Member {
    /// The members of an edit that have a resource, and how to find these by entry. Members who are nobody's entry go
    /// by their id.
    pub(super) fn all(edit: &Edit, references: &References) -> (Vec<Self>, References) {
        let known = |entry: &EntryId, leaves| Some(Self { entry: entry.clone(), id: references.get(entry)?.clone(), leaves });
        match edit {
            Edit::Attribute { .. } => (Vec::new(), References::new()),
            Edit::Members { add, remove } => {
                let coming = add.iter().filter_map(|entry| known(entry, false));
                (coming.chain(remove.iter().filter_map(|entry| known(entry, true))).collect(), references.clone())
            }
            Edit::Foreign { remove } => {
                let entry = |id: &ResourceId| EntryId::new(id.as_str());
                let members = remove.iter().map(|id| Self { entry: entry(id), id: id.clone(), leaves: true }).collect();
                (members, remove.iter().map(|id| (entry(id), id.clone())).collect())
            }
        }
    }
}

/// A piece as an edit.
pub(super) fn edit_of(piece: &[Member]) -> Edit {
    let of = |leaves| piece.iter().filter(move |member| member.leaves == leaves).map(|member| member.entry.clone()).collect();
    Edit::Members { add: of(false), remove: of(true) }
}

/// True for a membership that is as it should be.
pub(super) fn aligned(member: &Member, there: &BTreeSet<ResourceId>) -> bool {
    there.contains(&member.id) != member.leaves
}

/// What a refusal is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// How many there are.
    TooMany,
    /// How it is said.
    Form,
    /// The members, or some of them; or the group, or the number: nobody says.
    Members,
    /// The provider stumbled over it, every time. It may have been done.
    Server,
    /// Something else: it is not tried again.
    Altogether,
}

impl Refused {
    pub(super) fn of(answer: &Answer) -> Self {
        match (answer.status, answer.scim_type().as_deref()) {
            (413, _) | (_, Some("tooMany")) => Self::TooMany,
            (400, Some("invalidPath" | "invalidSyntax" | "invalidFilter")) | (501, _) => Self::Form,
            (400 | 404 | 409 | 410 | 422, _) => Self::Members,
            _ if is_server_error(answer) => Self::Server,
            _ => Self::Altogether,
        }
    }
}

/// True for an answer after which nobody knows what was done.
pub(super) fn is_server_error(answer: &Answer) -> bool {
    matches!(answer.status, 408 | 500 | 502 | 504..=599)
}

/// Where the search is.
pub(super) struct Search {
    waiting: VecDeque<Vec<Member>>,
    id: Option<ResourceId>,
    done: Vec<Member>,
    undone: BTreeSet<EntryId>,
    doubtful: BTreeSet<EntryId>,
    /// Members of pieces over which the provider stumbled unseen.
    shaken: BTreeSet<EntryId>,
    first: Option<(EntryId, TargetError)>,
    whole: usize,
    refusals: usize,
    largest: usize,
    added: bool,
    too_many: bool,
    suspected: Option<usize>,
}

impl Search {
    pub(super) fn new(members: Vec<Member>) -> Self {
        Self {
            whole: members.len(),
            waiting: VecDeque::from([members]),
            id: None,
            done: Vec::new(),
            undone: BTreeSet::new(),
            doubtful: BTreeSet::new(),
            shaken: BTreeSet::new(),
            first: None,
            refusals: 0,
            largest: 0,
            added: false,
            too_many: false,
            suspected: None,
        }
    }

    /// The next piece, cut to what is taken at once.
    pub(super) fn next(&mut self, most: usize) -> Option<Vec<Member>> {
        let mut piece = self.waiting.pop_front().filter(|piece| !piece.is_empty())?;
        if piece.len() > most.max(1) {
            self.waiting.push_front(piece.split_off(most.max(1)));
        }
        Some(piece)
    }

    /// The group's id, which some providers change with an edit.
    pub(super) fn id(&self, group: &ResourceId) -> ResourceId {
        self.id.as_ref().unwrap_or(group).clone()
    }

    pub(super) fn moved(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Exists(id) | Outcome::Partly { resource_id: id, .. } => self.id = Some(id),
            Outcome::Gone => {}
        }
    }

    /// Nothing was to be done for these.
    pub(super) fn done(&mut self, piece: Vec<Member>) {
        self.done.extend(piece);
    }

    /// A piece was acknowledged. Tells its size where larger ones were refused as too large.
    pub(super) fn passed(&mut self, piece: Vec<Member>) -> Option<usize> {
        let size = piece.len();
        self.largest = self.largest.max(size);
        self.refusals = 0;
        self.added |= piece.iter().any(|member| !member.leaves);
        self.done.extend(piece);
        std::mem::take(&mut self.too_many).then_some(size)
    }

    pub(super) fn added(&self) -> bool {
        self.added
    }

    /// This one goes next, as it is.
    pub(super) fn again(&mut self, piece: Vec<Member>) {
        if !piece.is_empty() {
            self.waiting.push_front(piece);
        }
    }

    /// Both halves go next.
    pub(super) fn too_many(&mut self, mut piece: Vec<Member>) {
        self.too_many = true;
        let second = piece.split_off(piece.len().div_ceil(2));
        self.again(second);
        self.again(piece);
    }

    /// Both halves wait for their turn. Tells how many requests were refused since one passed.
    pub(super) fn halve(&mut self, mut piece: Vec<Member>, perhaps_too_many: bool, doubtful: bool) -> usize {
        if perhaps_too_many && piece.len() == self.whole {
            self.suspected = Some(piece.len());
        }
        if doubtful {
            self.shaken.extend(piece.iter().map(|member| member.entry.clone()));
        }
        let second = piece.split_off(piece.len().div_ceil(2));
        self.waiting.extend([piece, second]);
        self.refusals += 1;
        self.refusals
    }

    /// Who is there is known: nobody is in doubt for what happened before.
    pub(super) fn seen(&mut self) {
        self.shaken.clear();
    }

    /// Not taken.
    pub(super) fn bad(&mut self, piece: Vec<Member>, error: TargetError, doubtful: bool) {
        self.refusals += 1;
        self.failed(&piece, error, doubtful);
    }

    /// Neither this piece nor what waits is tried any more.
    pub(super) fn stop(&mut self, piece: Vec<Member>, error: TargetError) {
        let lost = matches!(error, TargetError::AnswerLost(_));
        self.failed(&piece, error.clone(), lost);
        self.give_up(error);
    }

    /// What waits is not tried any more.
    pub(super) fn give_up(&mut self, error: TargetError) {
        for piece in std::mem::take(&mut self.waiting) {
            self.failed(&piece, error.clone(), false);
        }
    }

    fn failed(&mut self, piece: &[Member], error: TargetError, doubtful: bool) {
        for member in piece {
            let entry = member.entry.clone();
            if self.first.is_none() {
                self.first = Some((entry.clone(), error.clone()));
            }
            if doubtful || self.shaken.contains(&entry) {
                self.doubtful.insert(entry)
            } else {
                self.undone.insert(entry)
            };
        }
    }

    /// The largest piece that passed, if the whole was refused for its size alone, as it seems: all of it went through
    /// in pieces. Some providers answer a number of members that they do not take as they answer a bad member.
    pub(super) fn size_that_passed(&self) -> Option<usize> {
        let whole = self.suspected?;
        (self.first.is_none() && self.largest > 0 && self.largest < whole).then_some(self.largest)
    }

    /// What came of all of it.
    pub(super) fn outcome(self, group: &ResourceId) -> Result<Outcome, TargetError> {
        let resource_id = self.id(group);
        let Some((entry, error)) = self.first else { return Ok(Outcome::Exists(resource_id)) };
        if self.done.is_empty() && !self.doubtful.is_empty() {
            return Err(match error {
                TargetError::AnswerLost(why) => TargetError::AnswerLost(why),
                other => TargetError::AnswerLost(other.to_string()),
            });
        }
        if self.done.is_empty() {
            return Err(match error {
                TargetError::Rejected { status, detail } if self.whole > 1 => {
                    TargetError::Rejected { status, detail: format!("{detail} (entry {entry})") }
                }
                other => other,
            });
        }
        Ok(Outcome::Partly { resource_id, undone: self.undone, doubtful: self.doubtful, why: error.to_string() })
    }
}
