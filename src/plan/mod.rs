//! What should be × what is → a plan. Pure: no clock, no network, no file.

mod change;
mod guard;
mod rules;

pub use change::{Action, Change, ClaimAfter, Counts, Edit, Held, Plan, Planned, Reason, Stage, Tally};
pub use guard::{GuardKind, GuardSettings, Limit, Tripped, Verdict};
pub use rules::{Existing, GroupRemoval, GroupRules, GroupScope, MappingChoice, Nesting, Rules, UserRemoval, UserRules};
