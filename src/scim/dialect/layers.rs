//! The dialect in force, and who said so: configuration before what was learnt, before the preset, before what the
//! target announces, before the RFC.

use std::collections::BTreeMap;
use std::time::Duration;

use super::table::{KNOBS, knob};
use super::{Knobs, PutMode, UpdateBy};
use crate::model::Capabilities;
use crate::plan::{GroupRemoval, Nesting, UserRemoval};
use crate::scim::Rates;

/// Who said how a knob stands; the later in this list, the more it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SaidBy {
    /// Nobody: the RFC, or what is safe everywhere.
    Default,
    /// The target, in `/ServiceProviderConfig`.
    Announced,
    /// The preset.
    Preset,
    /// An answer of the target.
    Learnt,
    /// The admin.
    Configuration,
}

/// A value that a knob does not take.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KnobError {
    /// There is no such knob.
    #[error("there is no {0}")]
    Unknown(String),
    /// The value is not one of it.
    #[error("{0}")]
    Value(String),
}

/// A provider's way of speaking.
#[derive(Debug, Clone, PartialEq)]
pub struct Dialect {
    /// Name of the preset it came from.
    pub name: &'static str,
    /// What it can do, as far as it changes what is planned.
    pub capabilities: Capabilities,
    /// How it wants things said.
    pub knobs: Knobs,
    /// Requests, unless the configuration says otherwise.
    pub rates: Rates,
    /// Concurrent senders, unless the configuration says otherwise.
    pub workers: usize,
    /// Requests sent for one change at most.
    pub tries: u32,
    /// The longest pause asked for that is sat out.
    pub longest_pause: Duration,
    /// There are groups.
    pub groups: bool,
    /// Nested groups, unless the channel says otherwise.
    pub nesting: Nesting,
    /// Users who leave, unless the channel says otherwise.
    pub user_removal: UserRemoval,
    /// Groups that leave, unless the channel says otherwise.
    pub group_removal: GroupRemoval,
    /// Users may be deleted. Where deleting destroys what cannot be had back, the admin must say so here too.
    pub user_delete: bool,
    /// Changes in one bulk request.
    pub bulk_operations: usize,
    pub(in crate::scim) said: BTreeMap<&'static str, SaidBy>,
}

impl Default for Dialect {
    fn default() -> Self {
        Self {
            name: "generic",
            capabilities: Capabilities::default(),
            knobs: Knobs::default(),
            rates: Rates::per_second(25.0, 1),
            workers: 4,
            tries: 5,
            longest_pause: Duration::from_secs(15 * 60),
            groups: true,
            nesting: Nesting::Flatten,
            user_removal: UserRemoval::Deactivate,
            group_removal: GroupRemoval::Delete,
            user_delete: true,
            // RFC 7643 §8.5 has 1000 in its example; a hundred keep an answer small and a loss cheap.
            bulk_operations: 100,
            said: BTreeMap::new(),
        }
    }
}

/// One line of the dialect in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DialectRow {
    /// What.
    pub name: &'static str,
    /// How.
    pub value: String,
    /// Who said so: `default`, `announced`, `preset NAME`, `learnt` or `configuration`.
    pub from: String,
}

impl Dialect {
    /// Sets a knob. `Ok(false)` where somebody who counts more has set it already.
    pub fn set(&mut self, name: &str, value: &str, by: SaidBy) -> Result<bool, KnobError> {
        let knob = knob(name).ok_or_else(|| KnobError::Unknown(name.to_owned()))?;
        // Bulk is allowed here and offered there: where the target has none, nobody's leave makes it have one.
        let withdrawn = knob.name == "bulk" && value == "no" && by >= SaidBy::Announced;
        if self.said_by(knob.name) > by && !withdrawn {
            return Ok(false);
        }
        (knob.read)(self, value).map_err(KnobError::Value)?;
        self.said.insert(knob.name, by);
        let puts = self.knobs.user_update == UpdateBy::Put || self.knobs.group_update == UpdateBy::Put;
        self.capabilities.whole_updates = puts && self.knobs.put_mode == PutMode::Full;
        self.capabilities.lists = self.knobs.scan_limit > 0;
        self.capabilities.changes_per_request = if self.knobs.bulk { self.bulk_operations } else { 1 };
        Ok(true)
    }

    /// Who said how a knob stands.
    pub fn said_by(&self, name: &str) -> SaidBy {
        self.said.get(name).copied().unwrap_or(SaidBy::Default)
    }

    /// A knob's value as it is written; nothing for a knob that there is not.
    pub fn value(&self, name: &str) -> String {
        knob(name).map(|knob| (knob.write)(self)).unwrap_or_default()
    }

    /// Every value in force.
    pub fn rows(&self) -> Vec<DialectRow> {
        let from = |name| match self.said_by(name) {
            SaidBy::Default => "default".to_owned(),
            SaidBy::Announced => "announced".to_owned(),
            SaidBy::Preset => format!("preset {}", self.name),
            SaidBy::Learnt => "learnt".to_owned(),
            SaidBy::Configuration => "configuration".to_owned(),
        };
        KNOBS.iter().map(|knob| DialectRow { name: knob.name, value: (knob.write)(self), from: from(knob.name) }).collect()
    }
}
