//! The list of presets, and how one becomes a dialect.

use super::super::{Dialect, SaidBy};
use super::{generic, paloalto_cie};

/// What is known of a provider.
pub(super) struct Preset {
    /// Its name in the configuration.
    pub(super) name: &'static str,
    /// Knobs that stand otherwise than the RFC's, each with its evidence beside it.
    pub(super) knobs: &'static [(&'static str, &'static str)],
    /// What an admin does at the other side after the first load.
    pub(super) after_first_load: Option<&'static str>,
}

/// Every preset, the plain one first.
const PRESETS: &[&Preset] = &[&generic::PRESET, &paloalto_cie::PRESET];

/// Names of all presets, the plain one first.
pub fn preset_names() -> impl Iterator<Item = &'static str> {
    PRESETS.iter().map(|preset| preset.name)
}

/// The dialect of a preset.
pub fn preset(name: &str) -> Option<Dialect> {
    let preset = PRESETS.iter().find(|preset| preset.name == name)?;
    let mut dialect = Dialect { name: preset.name, ..Dialect::default() };
    for (knob, value) in preset.knobs {
        // A test sets every knob of every preset, so none is refused here.
        let _set = dialect.set(knob, value, SaidBy::Preset);
    }
    dialect.capabilities.after_first_load = preset.after_first_load;
    Some(dialect)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_sets_knobs_that_there_are_to_other_values_than_the_default() {
        for preset in PRESETS {
            let mut dialect = Dialect::default();
            for (knob, value) in preset.knobs {
                let before = dialect.value(knob);
                assert_eq!(dialect.set(knob, value, SaidBy::Preset), Ok(true), "{} {knob}", preset.name);
                assert_ne!(dialect.value(knob), before, "{} sets {knob} to its default", preset.name);
            }
        }
    }
}
