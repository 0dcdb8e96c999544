//! A provider that keeps to RFC 7643 and 7644: what every other preset starts from.

use super::known::Preset;

pub(super) const PRESET: Preset = Preset { name: "generic", knobs: &[], after_first_load: None };
