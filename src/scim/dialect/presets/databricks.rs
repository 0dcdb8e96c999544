//! Databricks, account level. The vendor's SCIM 2.1 reference keeps to the RFC in what we send: what is particular is
//! the place (the account, not a workspace) and the credentials (OAuth 2.0 client credentials of a service principal).

use super::known::Preset;

pub(super) const PRESET: Preset = Preset { name: "databricks", knobs: &[], after_first_load: None };
