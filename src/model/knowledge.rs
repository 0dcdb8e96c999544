//! What was found out about a target while working with it, by the knob of the dialect that it sets.

use std::collections::BTreeMap;

/// How a fact became known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Witness {
    /// The target announces it (`/ServiceProviderConfig`).
    Announced,
    /// An answer to a request of ours said so.
    Learnt,
}

/// One fact about a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// The knob's value, as the configuration would write it.
    pub value: String,
    /// How it became known.
    pub witness: Witness,
}

/// Facts by the name of their knob.
pub type Knowledge = BTreeMap<String, Fact>;
