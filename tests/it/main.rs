//! Tests of the whole program and of its rooms against real servers: the table of contents.
#![recursion_limit = "256"]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::print_stdout, clippy::print_stderr, dead_code)]

mod architecture;
mod attacks;
mod changes;
mod cli;
mod conformance;
mod cycle;
mod documents;
mod exchange;
mod histories;
mod ldap_ad_feeds;
mod ldap_changes;
mod ldap_connection;
mod ldap_faults;
#[cfg(feature = "gssapi")]
mod ldap_gssapi;
mod ldap_hostile;
mod ldap_hosts;
mod ldap_look;
mod ldap_members;
mod ldap_samba;
mod ldap_slapd;
mod ldap_sync;
mod ldap_timestamp;
mod ldap_truth;
mod live;
mod main_job;
mod out_of_sight;
mod personalities;
mod recovery;
mod scim_auth;
mod scim_bulk;
mod scim_check;
mod scim_dialects;
mod scim_faults;
mod scim_knobs;
mod scim_members;
mod scim_pace;
mod scim_promises;
mod scim_properties;
mod scim_scimmy;
mod scim_server;
mod store_contract;
mod support;
