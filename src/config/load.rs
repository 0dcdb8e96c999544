//! From the file to the settings.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::model::{ChannelName, TargetName};

use super::channel::{Surroundings, channel};
use super::excerpt::excerpt;
use super::lint;
use super::reader::{Field, Reader, Secrets, Section};
use super::source::source;
use super::target::target;
use super::tree::{Kind, Node, SyntaxError, grow};
use super::values::text;
use super::{Channel, Problem, Problems, Settings};

/// What serde_yaml says of a text without a document.
const EMPTY: &str = "EOF while parsing a value";
const STATE_DIR: &str = "/var/lib/ldap2scim";

/// Reads and checks a file.
pub fn load(path: &Path) -> Result<Settings, Problems> {
    read(path, Secrets::Needed)
}

/// The same for who connects to nothing: secrets may be out of reach, as credentials are outside the service.
pub fn load_without_secrets(path: &Path) -> Result<Settings, Problems> {
    read(path, Secrets::Unneeded)
}

fn read(path: &Path, secrets: Secrets) -> Result<Settings, Problems> {
    let file = path.display().to_string();
    match std::fs::read_to_string(path) {
        Ok(text) => parsed(&text, &file, secrets),
        Err(error) => {
            let message = format!("cannot be read: {error}");
            let (line, column, path, hint, excerpt) = (None, None, String::new(), None, None);
            Err(Problems(vec![Problem { file, line, column, path, message, hint, excerpt }]))
        }
    }
}

/// Checks a text that came from a file of this name. Relative paths in it start at the file's directory.
#[cfg(test)]
pub(super) fn parse(text: &str, file_name: &str) -> Result<Settings, Problems> {
    parsed(text, file_name, Secrets::Needed)
}

/// Checks a text that came from a file of this name. Relative paths in it start at the file's directory.
fn parsed(text: &str, file_name: &str, secrets: Secrets) -> Result<Settings, Problems> {
    let refused = |error| Problems(vec![unreadable(error, text, file_name)]);
    let root = grow(text).map_err(refused)?;
    if matches!(root.kind, Kind::Nothing) {
        return Err(refused(SyntaxError { message: EMPTY.to_owned(), position: None }));
    }
    let reader = Reader::new(Path::new(file_name).parent().unwrap_or(Path::new("")), secrets);
    let settings = settings(&reader, &root);
    let warnings = reader.outcome(text, file_name)?;
    // Where nothing was wrong everything is there, so this refusal cannot be met.
    let settings = settings.ok_or_else(|| refused(SyntaxError { message: EMPTY.to_owned(), position: None }))?;
    Ok(Settings { warnings, ..settings })
}

/// Text that is not YAML: told at once and alone.
fn unreadable(error: SyntaxError, text: &str, file_name: &str) -> Problem {
    let message = match error.message.as_str() {
        EMPTY => "the file is empty".to_owned(),
        "deserializing from YAML containing more than one document is not supported" => {
            "the file holds more than one YAML document (a line of ---)".to_owned()
        }
        other => format!("not readable as YAML: {other}"),
    };
    Problem {
        file: file_name.to_owned(),
        line: error.position.map(|p| p.line),
        column: error.position.map(|p| p.column),
        // Where the structure is unknown, anything may be a secret.
        excerpt: error.position.and_then(|position| excerpt(text, position, true)),
        path: String::new(),
        message,
        hint: None,
    }
}

/// Everything that could be read; what is missing of it was told to the reader.
pub(super) fn settings(reader: &Reader, root: &Node) -> Option<Settings> {
    let section = reader.root(root)?;
    let state_dir = match section.optional("state_dir") {
        None => Some(PathBuf::from(STATE_DIR)),
        Some(field) => text(&field).map(|written| reader.resolved(written)),
    };
    let sources_written = names(&section, "sources", "source");
    let targets_written = names(&section, "targets", "target");
    let channels_written = names(&section, "channels", "channel");
    section.finish();
    let sources: BTreeMap<_, _> =
        sources_written.iter().filter_map(|(name, field)| Some(((*name).to_owned(), source(name, field.clone())?))).collect();
    let targets: BTreeMap<_, _> = targets_written.iter().filter_map(|(name, field)| target(name, field.clone())).collect();
    let around = Surroundings {
        sources: sources_written.iter().map(|(name, _)| *name).collect(),
        targets: targets_written.iter().map(|(name, _)| *name).collect(),
        abilities: targets_written
            .iter()
            .filter_map(|(name, _)| Some((*name, targets.get(&TargetName::new(name))?.dialect.clone())))
            .collect(),
    };
    let mut channels: Vec<Channel> =
        channels_written.iter().filter_map(|(name, field)| channel(name, field.clone(), &around)).collect();
    tell_channels_of_each_other(&mut channels);
    lint::unused(&sources_written, &channels.iter().map(|c| c.source.as_str()).collect::<BTreeSet<_>>(), "source");
    lint::unused(&targets_written, &channels.iter().map(|c| c.target.as_str()).collect::<BTreeSet<_>>(), "target");
    lint::overlaps(&channels_written, &channels);
    Some(Settings { state_dir: state_dir?, sources, targets, channels, warnings: Vec::new() })
}

/// The entries of a section of names; it must be there and hold one at least.
fn names<'a>(root: &Section<'a>, key: &'static str, what: &str) -> Vec<(&'a str, Field<'a>)> {
    let Some(section) = root.required(key).and_then(Field::section) else { return Vec::new() };
    let entries = section.named();
    if entries.is_empty() {
        section.field.reader.problem(section.field.finding_at_key(format!("there is no {what} here")));
    }
    for (name, field) in &entries {
        if name.is_empty() || !name.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.')) {
            let message = format!("the name of a {what} is made of letters, digits, - _ and .");
            field.reader.problem(field.finding_at_key(message));
        }
    }
    entries
}

/// Each channel learns of all that share its target, in the file's order.
fn tell_channels_of_each_other(channels: &mut [Channel]) {
    let mut by_target: BTreeMap<TargetName, Vec<ChannelName>> = BTreeMap::new();
    for channel in channels.iter() {
        by_target.entry(channel.target.clone()).or_default().push(channel.name.clone());
    }
    for channel in channels {
        channel.rules.channels_of_target = by_target.get(&channel.target).cloned().unwrap_or_default();
    }
}
