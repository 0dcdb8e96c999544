//! Entry → resource: rules from a target's attribute path to an expression over LDAP attributes.
//! The language is described in docs/mapping.md, whose tables and examples are run as tests.

mod calls;
mod check;
mod compile;
mod expression;
mod functions;
mod nearest;
mod parse;
mod places;
mod presets;
mod rule;
mod texts;
mod tokens;
mod trace;

#[cfg(test)]
mod tests;

pub use compile::{RuleError, compile};
pub use functions::{Example, Function, Operator, functions, operators};
pub use places::covers;
pub use presets::{Preset, PresetRule, preset_rules};
pub use rule::{Mapped, Mapping, MappingError, Output, Rule};
pub use trace::{Input, Trace};
