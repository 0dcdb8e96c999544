//! Tests of the language, of what is refused, of the presets, and of the manual.

mod evaluation;
mod language;
mod manual;
mod presets;
mod refused;

use std::collections::BTreeMap;

use super::{Mapped, Mapping, MappingError, Output, Preset, RuleError, compile};
use crate::model::{AttributeName, AttributePath, AttributeValue, Capabilities, Dn, Entry, EntryId, ResourceType, Status, Value};

/// A target that requires and refuses nothing.
fn target() -> Capabilities {
    Capabilities { required: Vec::new(), ..Capabilities::default() }
}

fn target_requiring(paths: &[&'static str]) -> Capabilities {
    Capabilities { required: paths.iter().map(|path| AttributePath::known(path)).collect(), ..target() }
}

fn entry_of_octets(attributes: &[(&str, &[u8])]) -> Entry {
    let mut read: BTreeMap<AttributeName, Vec<AttributeValue>> = BTreeMap::new();
    for (name, value) in attributes {
        read.entry(AttributeName::new(name)).or_default().push(AttributeValue::new(*value));
    }
    Entry {
        id: EntryId::new("6f1c1a5e-0d0a-4b0e-9a57-3b1f0a9f4c11"),
        dn: Dn::parse("uid=ada,ou=people,dc=example,dc=com").unwrap(),
        resource_type: ResourceType::User,
        selected: true,
        status: Status::Enabled,
        status_until: None,
        aliases: Vec::new(),
        members: None,
        member_aliases: Vec::new(),
        attributes: read,
    }
}

fn entry(attributes: &[(&str, &str)]) -> Entry {
    let octets: Vec<(&str, &[u8])> = attributes.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
    entry_of_octets(&octets)
}

fn owned(rules: &[(&str, &str)]) -> Vec<(String, String)> {
    rules.iter().map(|(path, expression)| ((*path).to_owned(), (*expression).to_owned())).collect()
}

/// Rules without a preset; `userName` is added so that a test need not name it.
fn mapping(rules: &[(&str, &str)]) -> Mapping {
    let mut rules = owned(rules);
    if !rules.iter().any(|(path, _)| path == "userName") {
        rules.push(("userName".to_owned(), "entry_id()".to_owned()));
    }
    compile(Preset::None, &rules, &target()).unwrap()
}

fn errors(rules: &[(&str, &str)], capabilities: &Capabilities) -> Vec<RuleError> {
    compile(Preset::InetOrgPerson, &owned(rules), capabilities).unwrap_err()
}

/// What was mapped, one line per path.
fn shown(mapped: &Mapped) -> Vec<String> {
    let text = |value: &Value| match value {
        Value::Text(text) => text.replace('\n', "\\n"),
        Value::Flag(flag) => flag.to_string(),
        Value::Reference(id) => id.to_string(),
    };
    let mut lines: Vec<String> =
        mapped.resource.attributes.iter().map(|(path, value)| format!("{path}: {}", text(value))).collect();
    lines.extend(mapped.references.iter().map(|(path, dn)| format!("{path}: {dn}")));
    lines.sort();
    lines
}

/// The only error of evaluating `expression` at an extension path.
fn evaluation_error(expression: &str, entry: &Entry) -> MappingError {
    mapping(&[("urn:example:User:x", expression)]).evaluate(entry).unwrap_err()
}
