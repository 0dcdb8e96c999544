//! Entry → resource: rules from a target's attribute path to an expression over LDAP attributes.

mod rule;
mod standin;

pub use rule::{Mapped, Mapping, MappingError, Rule};
pub use standin::*;
