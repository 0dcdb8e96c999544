//! The words that stand in columns for the variants of our enums. Never change one: files hold them.

use crate::cycle::{CycleEnd, Trigger};
use crate::model::{Origin, ResourceType, Witness};
use crate::plan::Reason;

use super::fault::Fault;

/// An enum that is kept as a word.
pub(super) trait Word: Sized + Copy + 'static {
    /// Every variant with its word.
    const ALL: &'static [(Self, &'static str)];

    /// The word of a variant.
    fn word(self) -> &'static str;

    /// The variant of a word.
    fn read(word: &str) -> Result<Self, Fault> {
        match Self::ALL.iter().find(|(_, known)| *known == word) {
            Some((variant, _)) => Ok(*variant),
            None => Fault::told(format!("holds the unknown word {word:?}")),
        }
    }
}

macro_rules! words {
    ($type:ident { $($variant:ident = $word:literal),+ $(,)? }) => {
        impl Word for $type {
            const ALL: &'static [(Self, &'static str)] = &[$(($type::$variant, $word)),+];

            fn word(self) -> &'static str {
                match self {
                    $($type::$variant => $word),+
                }
            }
        }
    };
}

words!(ResourceType { User = "user", Group = "group" });
words!(Witness { Announced = "announced", Learnt = "learnt" });
words!(Origin { Created = "created", Adopted = "adopted" });
words!(Trigger { Sync = "sync", Resync = "resync", Preview = "preview" });
words!(CycleEnd { Done = "done", DoneWithHeld = "done_with_held", Quarantined = "quarantined", Failed = "failed" });

/// A reason for people who read the history; nothing reads it back.
pub(super) fn reason_text(reason: &Reason) -> String {
    let word = match reason {
        Reason::NotThere => "not there",
        Reason::Matched(path) => return format!("matched by {path}"),
        Reason::AttributesDiffer => "attributes differ",
        Reason::MembersDiffer => "members differ",
        Reason::Disabled => "disabled",
        Reason::Returned => "returned",
        Reason::Absent => "absent",
        Reason::OutOfScope(clause) => return format!("out of scope: {clause}"),
        Reason::AnswerLost => "answer lost",
        Reason::Drifted => "drifted",
        Reason::ReferenceLate => "reference late",
        Reason::SharedLink => "shared link",
        Reason::StillClaimed => "still claimed",
        Reason::Recreated(from) => return format!("made anew in place of {from}"),
        Reason::Parked => "name parked",
        Reason::GraceOver => "grace over",
    };
    word.to_owned()
}
