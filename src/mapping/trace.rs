//! A mapping explained: each rule with what it read and what it gave. For one entry at a time.

use crate::model::{AttributePath, Entry};

use super::expression::Node;
use super::functions::Function;
use super::places::{covers, same_element};
use super::rule::{Mapping, MappingError, Output, Rule};
use super::texts::Texts;

/// One rule's way for one entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    /// Where the value goes.
    pub path: AttributePath,
    /// The expression as written.
    pub expression: String,
    /// What it reads, in the order written, each once, also what an untaken branch would read.
    pub inputs: Vec<Input>,
    /// What it gave, or why the entry is held.
    pub output: Result<Output, MappingError>,
}

/// Something that a rule reads.
#[derive(Clone, PartialEq, Eq)]
pub struct Input {
    /// The attribute, or `dn()`, `entry_id()`.
    pub name: String,
    /// Its values as the rule sees them; one that is not text is shown as its length.
    pub values: Vec<String>,
}

impl std::fmt::Debug for Input {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({} values)", self.name, self.values.len())
    }
}

impl Mapping {
    /// Every rule's way for an entry, in path order, also after one that failed.
    pub fn trace(&self, entry: &Entry) -> Vec<Trace> {
        let mut traces: Vec<Trace> = self.rules.iter().map(|rule| rule.trace(entry)).collect();
        let filled: Vec<AttributePath> = self
            .rules
            .iter()
            .zip(&traces)
            .filter(|(rule, trace)| !rule.accessory && !matches!(trace.output, Ok(Output::Nothing)))
            .map(|(rule, _)| rule.path.clone())
            .collect();
        for (rule, trace) in self.rules.iter().zip(&mut traces) {
            if rule.accessory && trace.output.is_ok() && !filled.iter().any(|path| same_element(path, &rule.path)) {
                trace.output = Ok(Output::Nothing);
            }
        }
        for path in &self.required {
            let empty = |trace: &Trace| matches!(trace.output, Ok(Output::Nothing));
            if traces.iter().filter(|trace| covers(path, &trace.path)).all(empty) {
                let error = self.empty(path);
                traces.iter_mut().filter(|trace| covers(path, &trace.path)).for_each(|trace| trace.output = Err(error.clone()));
            }
        }
        traces
    }
}

impl Rule {
    fn trace(&self, entry: &Entry) -> Trace {
        let mut inputs: Vec<Input> = Vec::new();
        self.node.walk(&mut |node| {
            if let Some(input) = input(node, entry)
                && !inputs.iter().any(|known| known.name == input.name)
            {
                inputs.push(input);
            }
        });
        Trace { path: self.path.clone(), expression: self.expression.clone(), inputs, output: self.output(entry) }
    }
}

fn input(node: &Node, entry: &Entry) -> Option<Input> {
    match node {
        Node::Attribute(name) => {
            let values = match Texts::read(name, entry) {
                Ok(texts) => texts.as_slice().iter().map(ToString::to_string).collect(),
                Err(_) => entry
                    .values(name)
                    .iter()
                    .map(|value| {
                        value
                            .text()
                            .map_or_else(|| format!("({} octets, not text)", value.octets().len()), |text| text.trim().to_owned())
                    })
                    .collect(),
            };
            Some(Input { name: name.as_str().to_owned(), values })
        }
        Node::Call(Function { name: "dn", .. }, _) => {
            Some(Input { name: "dn()".to_owned(), values: vec![entry.dn.as_str().to_owned()] })
        }
        Node::Call(Function { name: "entry_id", .. }, _) => {
            Some(Input { name: "entry_id()".to_owned(), values: vec![entry.id.as_str().to_owned()] })
        }
        _ => None,
    }
}
