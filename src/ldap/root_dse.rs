//! What the root DSE tells of a server, and its words made fit to be shown.

use crate::model::{AttributeValue, Dn};

use super::raw_entry::RawEntry;
pub use super::result_codes::result_name;

/// Attributes asked for, by name since most are operational.
pub const ATTRIBUTES: [&str; 6] =
    ["objectClass", "vendorName", "vendorVersion", "supportedCapabilities", "supportedControl", "namingContexts"];

/// The facts of the root DSE that matter to us. Empty if it may not be read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RootDse {
    /// `objectClass`
    pub object_classes: Vec<String>,
    /// `vendorName`
    pub vendor_name: String,
    /// `vendorVersion`
    pub vendor_version: String,
    /// `supportedCapabilities`
    pub capabilities: Vec<String>,
    /// `supportedControl`
    pub controls: Vec<String>,
    /// `namingContexts`
    pub naming_contexts: Vec<String>,
}

impl RootDse {
    /// The suffixes of the server that hold one of these entries, or lie below one.
    pub fn suffixes_of<'a>(&self, dns: impl IntoIterator<Item = &'a Dn>) -> Vec<Dn> {
        let mut open: Vec<Dn> = self.naming_contexts.iter().filter_map(|text| Dn::parse(text).ok()).collect();
        let mut suffixes = Vec::new();
        for dn in dns {
            suffixes.extend(open.extract_if(.., |suffix| dn.is_within(suffix) || suffix.is_within(dn)));
            if open.is_empty() {
                break;
            }
        }
        suffixes
    }
}

impl From<&RawEntry> for RootDse {
    fn from(entry: &RawEntry) -> Self {
        let texts = |name| entry.values(name).iter().filter_map(AttributeValue::text).map(str::to_owned).collect::<Vec<_>>();
        let text = |name| texts(name).into_iter().next().unwrap_or_default();
        Self {
            object_classes: texts("objectClass"),
            vendor_name: text("vendorName"),
            vendor_version: text("vendorVersion"),
            capabilities: texts("supportedCapabilities"),
            controls: texts("supportedControl"),
            naming_contexts: texts("namingContexts"),
        }
    }
}

/// A server's words, fit for one line: no control characters, at most 200 characters.
pub fn words(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(200).collect::<String>().trim().to_owned()
}
