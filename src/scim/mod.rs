//! The service provider: a change becomes an HTTP request, an answer becomes an outcome.
#![allow(missing_docs)] // stand-in
use crate::model::{AttributePath, Capabilities, MatchKeys};
use std::{path::PathBuf, time::Duration};
#[derive(Debug, Clone)]
pub struct Settings {
    pub name: String,
    pub base_url: url::Url,
    pub auth: Auth,
    pub ca_file: Option<PathBuf>,
    pub allow_cleartext: bool,
    pub rate: Rate,
    pub dialect: Dialect,
    pub connect_timeout: Duration,
    pub request_timeout: Duration,
}
#[derive(Debug, Clone)]
pub enum Auth {
    None,
    Bearer(crate::secret::Secret),
}
#[derive(Debug, Clone)]
pub struct Rate {
    pub per_second: f64,
    pub burst: u32,
}
#[derive(Debug, Clone)]
pub struct Dialect {
    pub capabilities: Capabilities,
    pub rate: Rate,
    pub workers: usize,
}
pub fn preset(name: &str) -> Option<Dialect> {
    preset_names().contains(&name).then(|| Dialect {
        capabilities: Capabilities {
            match_keys: MatchKeys { users: vec![AttributePath::known("userName")], groups: vec![] },
            required: vec![],
            never: vec![],
            members_per_request: 100,
            group_external_id: true,
            members_readable: true,
            page_size: 100,
            after_first_load: None,
        },
        rate: Rate { per_second: 10.0, burst: 1 },
        workers: 4,
    })
}
pub fn preset_names() -> &'static [&'static str] {
    &["generic", "paloalto-cie"]
}
impl Settings {
    pub fn new(name: &str, base_url: url::Url, auth: Auth, dialect: Dialect) -> Self {
        let (connect_timeout, request_timeout) = (Duration::from_secs(10), Duration::from_secs(60));
        let (name, rate) = (name.to_owned(), dialect.rate.clone());
        Self { name, base_url, auth, ca_file: None, allow_cleartext: false, rate, dialect, connect_timeout, request_timeout }
    }
}
