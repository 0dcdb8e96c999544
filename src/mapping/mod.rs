//! Entry → resource: rules from a target's attribute path to an expression over LDAP attributes.

mod rule;

pub use rule::{Mapped, Mapping, MappingError, Rule};
