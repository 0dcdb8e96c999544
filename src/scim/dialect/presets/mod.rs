//! The providers that are known by name: one file for each, which holds only what differs from the RFC.

mod generic;
mod known;
mod paloalto_cie;

pub use known::{preset, preset_names};
