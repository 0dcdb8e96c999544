//! What should be × what is → a plan. Pure: no clock, no network, no file.

mod budget;
mod change;
mod decide;
mod desired;
pub mod diff;
mod doubt;
pub mod drift;

mod feasible;
mod fitting;
mod found;
mod guard;
mod handover;
mod matching;
mod membership;
mod names;
mod naming;
mod planning;
mod removal;
mod requests;
mod rings;
mod rules;
mod scope;
mod stages;
mod taken;

pub use budget::{GuardKind, GuardSettings, Limit, Tripped, Verdict};
pub use change::{Action, Change, ClaimAfter, Counts, Edit, Held, Plan, Planned, Reason, Stage, Tally};
pub use decide::Known;
pub use desired::{Desired, Judge, Judged};
pub use doubt::Doubt;
pub use fitting::{changes, is_changeable};
pub use found::{Found, linked_as_it_is, managed};
pub use matching::{Lookup, Situation, answers, entry_of, holders, lookups, situation};
pub use names::folded;
pub use planning::{linked, plan, unlinked};
pub use requests::{requests, tally_of};
pub use rules::{
    Existing, GroupRemoval, GroupRules, GroupScope, MappingChoice, Members, Nesting, Recreated, Rules, SameName, UserRemoval,
    UserRules,
};
pub use scope::Scope;

#[cfg(test)]
mod tests;
