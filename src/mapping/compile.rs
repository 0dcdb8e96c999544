//! Written rules and a preset → a mapping, or everything that is wrong with them at once.

use std::collections::BTreeSet;

use crate::model::{AttributePath, Capabilities};

use super::expression::{Kind, Node};
use super::functions::{Code, Function};
use super::parse::parse;
use super::places::{Place, Takes, covers};
use super::presets::{Preset, preset_rules};
use super::rule::{Mapping, Rule};
use super::tokens::Fault;

/// What is wrong with a rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{rule}: {message}")]
pub struct RuleError {
    /// Its path as written; a required path that no rule gives.
    pub rule: String,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub hint: Option<String>,
    /// Where in the expression, in characters from 1; `None` if the path is at fault.
    pub column: Option<usize>,
}

impl RuleError {
    fn new(rule: &str, message: impl Into<String>, hint: Option<String>) -> Self {
        Self { rule: rule.to_owned(), message: message.into(), hint, column: None }
    }
}

/// Compiles rules (path, expression). Own rules take the place of the preset's for the same path.
/// Paths that the target never takes are left out of the preset and refused in own rules.
/// Every error is collected.
pub fn compile(preset: Preset, own_rules: &[(String, String)], capabilities: &Capabilities) -> Result<Mapping, Vec<RuleError>> {
    let required = required(capabilities);
    let mut errors = Vec::new();
    let mut rules = Vec::new();
    let mut taken: BTreeSet<AttributePath> = BTreeSet::new();
    for (written, expression) in own_rules {
        let place = match Place::of(written) {
            Ok(place) => place,
            Err((message, hint)) => {
                errors.push(RuleError::new(written, message, hint));
                continue;
            }
        };
        if !taken.insert(place.path.clone()) {
            errors.push(RuleError::new(written, format!("there is another rule for {}", place.path), None));
        } else if capabilities.never.iter().any(|never| covers(never, &place.path)) {
            let hint = Some("leave the rule out".to_owned());
            errors.push(RuleError::new(written, format!("this target does not take {}", place.path), hint));
        } else {
            match compiled(place, expression) {
                Ok(rule) => rules.push(rule),
                Err(fault) => errors.push(told(written, fault)),
            }
        }
    }
    for row in preset_rules(preset) {
        let place = match Place::of(row.path) {
            Ok(place) => place,
            Err((message, hint)) => {
                errors.push(RuleError::new(row.path, message, hint));
                continue;
            }
        };
        if taken.contains(&place.path) || capabilities.never.iter().any(|never| covers(never, &place.path)) {
            continue;
        }
        let is_required = required.iter().any(|path| covers(path, &place.path));
        let expression = row.if_required.filter(|_| is_required).unwrap_or(row.expression);
        match compiled(place, expression) {
            Ok(rule) => rules.push(rule),
            Err(fault) => errors.push(told(row.path, fault)),
        }
    }
    for path in &required {
        let given = |other: &AttributePath| covers(path, other);
        if !taken.iter().any(given) && !rules.iter().any(|rule| given(&rule.path)) {
            let hint = Some(format!("add a rule for {path}, or choose a preset"));
            errors.push(RuleError::new(path.as_str(), "no rule gives it, and the target requires it", hint));
        }
    }
    if errors.is_empty() {
        rules.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(Mapping { rules, required })
    } else {
        Err(errors)
    }
}

/// What must have a value. `active` always has: it follows the account's status.
fn required(capabilities: &Capabilities) -> Vec<AttributePath> {
    let mut required = vec![AttributePath::known("userName")];
    for path in &capabilities.required {
        if path.as_str() != "active" && !required.contains(path) {
            required.push(path.clone());
        }
    }
    required
}

fn told(rule: &str, fault: Fault) -> RuleError {
    RuleError { rule: rule.to_owned(), message: fault.message, hint: fault.hint, column: Some(fault.column) }
}

fn compiled(place: Place, expression: &str) -> Result<Rule, Fault> {
    let Place { path, takes, accessory } = place;
    let parsed = parse(expression)?;
    match (takes, parsed.kind) {
        (Takes::Text | Takes::Reference, Kind::Flag) => {
            return Err(Fault::new(parsed.column, format!("{path} takes a text, this is true or false"))
                .hint("write if(condition, \"yes\", \"no\") to make a text of a condition"));
        }
        (Takes::Flag, Kind::Text) => {
            return Err(Fault::new(parsed.column, format!("{path} takes true or false, this is a text"))
                .hint("write true, false or a condition; an LDAP boolean is compared: a == \"TRUE\""));
        }
        (_, Kind::Number)
        | (Takes::Text | Takes::Reference | Takes::Any, Kind::Text)
        | (Takes::Flag | Takes::Any, Kind::Flag) => {}
    }
    if path.as_str() == "userName" && !depends_on_the_entry(&parsed.node) {
        return Err(Fault::new(parsed.column, "every user would have the same userName, or none")
            .hint("name an attribute, for example uid"));
    }
    Ok(Rule { path, expression: expression.trim().to_owned(), node: parsed.node, kind: parsed.kind, takes, accessory })
}

fn depends_on_the_entry(node: &Node) -> bool {
    let mut depends = false;
    node.walk(&mut |node| {
        depends |= match node {
            Node::Attribute(_) => true,
            Node::Call(Function { name, code: Code::Texts(_), .. }, _) => matches!(*name, "entry_id" | "dn"),
            _ => false,
        };
    });
    depends
}
