//! The list of presets.

use super::super::Dialect;
use super::{generic, paloalto_cie};

/// Names of all presets, the plain one first.
pub fn preset_names() -> &'static [&'static str] {
    &[generic::NAME, paloalto_cie::NAME]
}

/// The dialect of a preset.
pub fn preset(name: &str) -> Option<Dialect> {
    match name {
        generic::NAME => Some(generic::dialect()),
        paloalto_cie::NAME => Some(paloalto_cie::dialect()),
        _ => None,
    }
}
