//! The providers that are known by name: one file for each.

mod generic;
mod known;
mod paloalto_cie;

pub use known::{preset, preset_names};
