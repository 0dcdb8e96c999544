//! What the tests share: servers, fakes that keep state, check functions.

pub mod bridge;
pub mod company;
pub mod directory;
pub mod https;
pub mod ldap_proxy;
pub mod personalities;
pub mod provider;
pub mod samba;
pub mod scim_server;
pub mod site;
pub mod slapd;
