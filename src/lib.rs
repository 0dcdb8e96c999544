//! ldap2scim reads users and groups from LDAP or Active Directory and provisions them to SCIM 2.0
//! service providers. The rooms, in reading order; a room names only rooms above it in this list
//! (tests/it/architecture.rs holds the exact table).

pub mod model;

pub mod mapping;

pub mod plan;

pub mod cycle;

pub mod secret;

pub mod certificate;

pub mod ldap;

pub mod scim;

pub mod store;

pub mod config;

pub mod logging;

pub mod assemble;

pub mod daemon;

pub mod cli;
