//! The directory: connection, search, decoding, one file of facts per vendor.
#![allow(missing_docs)] // stand-in
use crate::model::Vendor;
use std::{path::PathBuf, time::Duration};
#[derive(Debug, Clone)]
pub struct Settings {
    pub name: String,
    pub urls: Vec<url::Url>,
    pub vendor: Option<Vendor>,
    pub start_tls: bool,
    pub ca_file: Option<PathBuf>,
    pub bind: Bind,
    pub allow_cleartext: bool,
    pub page_size: u32,
    pub connect_timeout: Duration,
    pub operation_timeout: Duration,
}
#[derive(Debug, Clone)]
pub enum Bind {
    Anonymous,
    Simple { dn: String, password: crate::secret::Secret },
}
pub fn check_filter(text: &str) -> Result<(), String> {
    ldap3::parse_filter(text).map(|_| ()).map_err(|_| "not of RFC 4515".to_owned())
}
impl Settings {
    pub fn new(name: &str, urls: Vec<url::Url>, bind: Bind) -> Self {
        let (connect_timeout, operation_timeout) = (Duration::from_secs(10), Duration::from_secs(60));
        let (name, vendor, ca_file) = (name.to_owned(), None, None);
        let (start_tls, allow_cleartext, page_size) = (false, false, 500);
        Self { name, urls, vendor, start_tls, ca_file, bind, allow_cleartext, page_size, connect_timeout, operation_timeout }
    }
}
