//! Budgets of loss: their kinds, their size, and what is said of one that is exceeded.

use super::Change;

/// Kinds of loss that have a budget each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GuardKind {
    /// Users absent or out of scope.
    Users,
    /// Users disabled in the directory; same size of budget, counted apart.
    DisabledUsers,
    /// Groups deleted.
    Groups,
    /// Members removed, over all groups.
    Memberships,
    /// Members removed from one group.
    PerGroup,
    /// userName and displayName changed.
    Identity,
    /// The reading holds nobody although somebody is linked.
    EmptySource,
}

impl GuardKind {
    /// The word used in messages, `status` and the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::DisabledUsers => "disabled users",
            Self::Groups => "groups",
            Self::Memberships => "memberships",
            Self::PerGroup => "one group's members",
            Self::Identity => "names",
            Self::EmptySource => "empty source",
        }
    }
}

/// A budget: trips above `min(at_most, max(at_least, percent of base))`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limit {
    /// Percent of what was linked when the window began.
    pub percent: f64,
    /// Never trips at or below this.
    pub at_least: u64,
    /// Always trips above this, if given.
    pub at_most: Option<u64>,
}

impl Limit {
    /// The most that passes.
    pub fn allows(&self, base: u64) -> u64 {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "counts are far below 2^52"
        )]
        let share = (base as f64 * self.percent / 100.0).floor() as u64;
        share.max(self.at_least).min(self.at_most.unwrap_or(u64::MAX))
    }
}

/// The budgets of a channel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GuardSettings {
    /// How far back removals are counted.
    pub window: std::time::Duration,
    /// Users absent or out of scope; also the size of the budget of disabled users.
    pub users: Limit,
    /// Groups.
    pub groups: Limit,
    /// Memberships over all groups.
    pub memberships: Limit,
    /// Memberships of one group, of that group's members.
    pub per_group: Limit,
    /// Names changed.
    pub identity: Limit,
}

/// One kind that is over its limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tripped {
    /// Which.
    pub kind: GuardKind,
    /// What to know and what to do.
    pub message: String,
    /// How many the plan holds.
    pub planned: u64,
    /// How many the window already holds.
    pub already: u64,
    /// How many pass.
    pub allowed: u64,
}

/// What the guard says about a plan.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Kinds over their limit.
    pub tripped: Vec<Tripped>,
    /// Changes that are therefore not done.
    pub stopped: Vec<Change>,
}
