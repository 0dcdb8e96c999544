//! A channel's mapping as compiled from its rules.

use crate::model::{AttributeName, AttributePath, Dn, Entry, Resource};

/// One rule.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Where the value goes.
    pub path: AttributePath,
}

/// Rules for users, compiled.
#[derive(Debug, Clone, Default)]
pub struct Mapping {
    /// In path order.
    pub rules: Vec<Rule>,
    /// Paths that must have a value, else the entry is held.
    pub required: Vec<AttributePath>,
}

/// What mapping made of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapped {
    /// Everything but references and `active`.
    pub resource: Resource,
    /// Values of reference paths (`manager`): DNs that planning resolves to entries.
    pub references: Vec<(AttributePath, Dn)>,
}

/// Why an entry cannot be mapped. Names rules and attributes, never values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MappingError {
    /// A required path came out empty.
    #[error("{path} has no value ({rule})")]
    Empty {
        /// The path.
        path: AttributePath,
        /// The rule as written.
        rule: String,
    },
    /// Several values where one is allowed.
    #[error("{path} would have {count} values ({rule}): choose one in the rule")]
    Several {
        /// The path.
        path: AttributePath,
        /// The rule as written.
        rule: String,
        /// How many.
        count: usize,
    },
    /// A value that is not text, not a DN or the like.
    #[error("{path} cannot take the value of {rule}: {problem}")]
    Unfit {
        /// The path.
        path: AttributePath,
        /// The rule as written.
        rule: String,
        /// What is wrong.
        problem: String,
    },
}

impl Mapping {
    /// LDAP attributes that the rules read.
    pub fn attributes(&self) -> Vec<AttributeName> {
        Vec::new()
    }

    /// Maps one user.
    pub fn evaluate(&self, entry: &Entry) -> Result<Mapped, MappingError> {
        let resource = Resource::empty(entry.resource_type);
        Ok(Mapped { resource, references: Vec::new() })
    }
}
