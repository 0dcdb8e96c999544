//! `mapping` of a channel: the preset and the admin's own rules, compiled.

use crate::mapping::{Preset, RuleError, compile};
use crate::model::Capabilities;
use crate::plan::MappingChoice;

use super::reader::{Field, Section};
use super::values::{text, word};

#[derive(Clone, Copy)]
enum Choice {
    ByVendor,
    Fixed(Preset),
}

const PRESETS: &[(&str, Choice)] = &[
    ("auto", Choice::ByVendor),
    ("active_directory", Choice::Fixed(Preset::ActiveDirectory)),
    ("inetorgperson", Choice::Fixed(Preset::InetOrgPerson)),
    ("none", Choice::Fixed(Preset::None)),
];

/// The mapping of a channel; without `capabilities` (the target is not known) it is read and not compiled.
pub(super) fn mapping(channel: &Section<'_>, capabilities: Option<&Capabilities>) -> Option<MappingChoice> {
    let mut choice = Some(Choice::ByVendor);
    let mut rules = Vec::new();
    let mut blamed = channel.field.clone();
    if let Some(field) = channel.optional("mapping") {
        blamed = field.clone();
        let section = field.section()?;
        if let Some(users) = section.optional("users").and_then(Field::section) {
            if let Some(field) = users.optional("preset") {
                choice = word(&field, PRESETS);
            }
            if let Some(section) = users.optional("rules").and_then(Field::section) {
                rules = section.named();
            }
            users.finish();
        }
        section.finish();
    }
    let expressions: Vec<Option<(String, String)>> =
        rules.iter().map(|(path, field)| Some(((*path).to_owned(), text(field)?.to_owned()))).collect();
    let complete = expressions.iter().all(Option::is_some);
    let written: Vec<(String, String)> = expressions.into_iter().flatten().collect();
    let capabilities = capabilities?;
    let compiled = |preset| compile(preset, &written, capabilities);
    let result = match choice? {
        Choice::Fixed(preset) => compiled(preset).map(|mapping| MappingChoice::Fixed(Box::new(mapping))),
        Choice::ByVendor => match (compiled(Preset::ActiveDirectory), compiled(Preset::InetOrgPerson)) {
            (Ok(active_directory), Ok(inetorgperson)) => Ok(MappingChoice::ByVendor {
                active_directory: Box::new(active_directory),
                inetorgperson: Box::new(inetorgperson),
            }),
            (first, second) => Err(first.err().into_iter().chain(second.err()).flatten().collect()),
        },
    };
    match result {
        Ok(choice) => complete.then_some(choice),
        Err(errors) => {
            errors.iter().for_each(|error| tell(error, &rules, &blamed));
            None
        }
    }
}

/// Tells of a rule at its place: in the expression where the column is known, else at the key; a rule that is
/// not in the file (it is missing, or the preset's) at the section. The same said of two presets is said once.
fn tell(error: &RuleError, rules: &[(&str, Field<'_>)], section: &Field<'_>) {
    let finding = match (rules.iter().find(|(path, _)| *path == error.rule), error.column) {
        (Some((_, field)), Some(column)) => field.finding(&error.message).at_character(text(field).unwrap_or_default(), column),
        (Some((_, field)), None) => field.finding_at_key(&error.message),
        (None, _) => section.finding_at_key(format!("{}: {}", error.rule, error.message)),
    };
    section.reader.problem(finding.hint(error.hint.clone()));
}
