//! A channel's mapping as compiled from its rules, and what it makes of an entry.

use std::collections::BTreeSet;

use crate::model::{AttributeName, AttributePath, Dn, Entry, Resource, Value};

use super::expression::{Kind, Node};
use super::places::{Takes, covers, same_element};
use super::texts::{OUTPUT_LIMIT, Problem, Texts};

/// One rule.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Where the value goes.
    pub path: AttributePath,
    /// The expression as written.
    pub expression: String,
    pub(super) node: Node,
    pub(super) kind: Kind,
    pub(super) takes: Takes,
    pub(super) accessory: bool,
}

/// Rules for users, compiled.
#[derive(Debug, Clone, Default)]
pub struct Mapping {
    /// In path order.
    pub rules: Vec<Rule>,
    /// Paths that must have a value, else the entry is held.
    pub required: Vec<AttributePath>,
}

/// What a rule gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// No value.
    Nothing,
    /// A value.
    Value(Value),
    /// Another entry, not yet looked for.
    Reference(Dn),
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
    /// A value that is longer than the target takes.
    #[error("{path} has more than the {longest} characters that the target takes: shorten it in the directory or in the rule")]
    TooLong {
        /// The path.
        path: AttributePath,
        /// Characters at most.
        longest: usize,
    },
}

impl Rule {
    /// What the rule gives for an entry.
    pub(super) fn output(&self, entry: &Entry) -> Result<Output, MappingError> {
        self.value(entry).map_err(|problem| {
            let (path, rule) = (self.path.clone(), self.expression.clone());
            match problem {
                Problem::Several(count) => MappingError::Several { path, rule, count },
                Problem::Unfit(problem) => MappingError::Unfit { path, rule, problem },
            }
        })
    }

    fn value(&self, entry: &Entry) -> Result<Output, Problem> {
        if self.kind == Kind::Flag {
            return Ok(Output::Value(Value::Flag(self.node.flag(entry)?)));
        }
        let texts = self.node.texts(entry)?;
        if self.takes == Takes::Reference {
            return reference(&texts);
        }
        match texts {
            Texts::Zero => Ok(Output::Nothing),
            Texts::One(text) if text.trim().is_empty() => Ok(Output::Nothing),
            Texts::One(text) => {
                fit(&text)?;
                Ok(Output::Value(Value::Text(text.into_owned())))
            }
            Texts::Many(texts) => Err(Problem::Several(texts.len())),
        }
    }
}

/// The one entry that the DNs name.
fn reference(texts: &Texts<'_>) -> Result<Output, Problem> {
    let mut named = BTreeSet::new();
    for text in texts.as_slice() {
        named.insert(Dn::parse(text).map_err(|error| Problem::Unfit(error.to_string()))?);
    }
    match (named.len(), named.pop_first()) {
        (_, None) => Ok(Output::Nothing),
        (1, Some(dn)) => Ok(Output::Reference(dn)),
        (count, Some(_)) => Err(Problem::Several(count)),
    }
}

/// Refuses what no target can be trusted with.
fn fit(text: &str) -> Result<(), Problem> {
    if text.len() > OUTPUT_LIMIT {
        return Err(Problem::Unfit(format!("the text is longer than {OUTPUT_LIMIT} octets")));
    }
    if text.chars().any(|c| c.is_control() && !matches!(c, '\t' | '\n' | '\r')) {
        return Err(Problem::Unfit("the text holds a control character".to_owned()));
    }
    Ok(())
}

impl Mapping {
    /// LDAP attributes that the rules read, in order, each once.
    pub fn attributes(&self) -> Vec<AttributeName> {
        let mut names = BTreeSet::new();
        for rule in &self.rules {
            rule.node.walk(&mut |node| {
                if let Node::Attribute(name) = node {
                    names.insert(name.clone());
                }
            });
        }
        names.into_iter().collect()
    }

    /// Maps one user. The first rule that fails, in path order, is the error.
    pub fn evaluate(&self, entry: &Entry) -> Result<Mapped, MappingError> {
        let mut values = Vec::with_capacity(self.rules.len());
        let mut references = Vec::new();
        let mut accessories = false;
        for rule in &self.rules {
            match rule.output(entry)? {
                Output::Nothing => {}
                Output::Value(value) => {
                    accessories |= rule.accessory;
                    values.push((rule.path.clone(), value));
                }
                Output::Reference(dn) => references.push((rule.path.clone(), dn)),
            }
        }
        if accessories {
            self.drop_lone_accessories(&mut values);
        }
        let mut resource = Resource::empty(entry.resource_type);
        resource.attributes = values.into_iter().collect();
        let mapped = Mapped { resource, references };
        match self.required.iter().find(|path| !mapped.holds(path)) {
            Some(path) => Err(self.empty(path)),
            None => Ok(mapped),
        }
    }

    /// `primary` and `display` are no element by themselves.
    fn drop_lone_accessories(&self, values: &mut Vec<(AttributePath, Value)>) {
        let is_accessory = |path: &AttributePath| self.rules.iter().any(|rule| rule.accessory && rule.path == *path);
        let lone: Vec<AttributePath> = values
            .iter()
            .map(|(path, _)| path)
            .filter(|path| is_accessory(path))
            .filter(|path| !values.iter().any(|(other, _)| same_element(path, other) && !is_accessory(other)))
            .cloned()
            .collect();
        values.retain(|(path, _)| !lone.contains(path));
    }

    /// The error for a required path without a value.
    pub(super) fn empty(&self, path: &AttributePath) -> MappingError {
        let rules: Vec<&str> =
            self.rules.iter().filter(|rule| covers(path, &rule.path)).map(|rule| rule.expression.as_str()).collect();
        let rule = if rules.is_empty() { "no rule gives it".to_owned() } else { rules.join("; ") };
        MappingError::Empty { path: path.clone(), rule }
    }
}

impl Mapped {
    /// True if there is a value at the path or below it.
    fn holds(&self, path: &AttributePath) -> bool {
        let attributes = &self.resource.attributes;
        attributes.contains_key(path)
            || attributes.keys().any(|other| covers(path, other))
            || self.references.iter().any(|(other, _)| covers(path, other))
    }
}
