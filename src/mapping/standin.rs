//! Stand-in for the compiler.
#![allow(missing_docs)]
use super::{Mapping, Rule};
use crate::model::{AttributePath, Capabilities};
#[derive(Clone, Copy)]
pub enum Preset {
    ActiveDirectory,
    InetOrgPerson,
    None,
}
pub struct RuleError {
    pub rule: String,
    pub message: String,
    pub hint: Option<String>,
    pub column: Option<usize>,
}
pub fn compile(_: Preset, own: &[(String, String)], _: &Capabilities) -> Result<Mapping, Vec<RuleError>> {
    let mut mapping = Mapping::default();
    let mut errors = Vec::new();
    for (path, expression) in own {
        match AttributePath::parse(path) {
            Ok(path) => mapping.rules.push(Rule { path }),
            Err(error) => {
                errors.push(RuleError { rule: path.clone(), message: error.problem.to_owned(), hint: None, column: None })
            }
        }
        if let Some(at) = expression.find(')').filter(|_| !expression.contains('(')) {
            let message = "a ) that nothing opened".to_owned();
            errors.push(RuleError { rule: path.clone(), message, hint: None, column: Some(at + 1) });
        }
    }
    if errors.is_empty() { Ok(mapping) } else { Err(errors) }
}
