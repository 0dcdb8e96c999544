//! The example configuration loads; documents name only what exists.

use std::path::Path;

use ldap2scim::config::{ELSEWHERE, KEYS, load};
use ldap2scim::scim::{Dialect, KNOBS, preset_names};

fn example() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("config.example.yaml")).unwrap()
}

/// The example in a directory of its own, where the files that it names lie.
fn installed() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().to_str().unwrap();
    let text = example()
        .replace("/etc/ldap2scim/", &format!("{root}/"))
        .replace("{ credential: cie-token }", &format!("{{ file: {root}/secrets/cie }}"));
    std::fs::create_dir(directory.path().join("secrets")).unwrap();
    for (name, content) in [
        ("secrets/ldap", "a password"),
        ("secrets/cie", "a token"),
        ("secrets/proxy", "a password"),
        ("corp-ca.pem", "-----BEGIN CERTIFICATE-----"),
        ("cie-ca.pem", "-----BEGIN CERTIFICATE-----"),
    ] {
        use std::os::unix::fs::PermissionsExt;
        let path = directory.path().join(name);
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["sync".to_owned()]).unwrap().self_signed(&key).unwrap();
    let (key, certificate) = (key.serialize_pem(), certificate.pem());
    for (name, content) in [
        ("secrets/client.key", &key),
        ("client.pem", &certificate),
        ("secrets/ldap-client.key", &key),
        ("ldap-client.pem", &certificate),
    ] {
        use std::os::unix::fs::PermissionsExt;
        let path = directory.path().join(name);
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    std::fs::write(directory.path().join("config.yaml"), text).unwrap();
    directory
}

#[test]
fn the_example_configuration_loads_without_a_warning() {
    let directory = installed();
    let settings = load(&directory.path().join("config.yaml")).unwrap_or_else(|problems| panic!("{problems}"));
    let warnings: Vec<String> = settings.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(warnings, Vec::<String>::new());
    assert_eq!(settings.channels.len(), 1);
}

/// What may stand in place of a source's or a target's keys: each block of lines that begin with `#|`.
fn alternatives(text: &str) -> Vec<serde_yaml::Mapping> {
    let mut blocks = vec![String::new()];
    for line in text.lines() {
        match (line.trim_start().strip_prefix("#|"), blocks.last_mut()) {
            (Some(line), Some(block)) => block.push_str(&format!("{line}\n")),
            (None, Some(block)) if !block.is_empty() => blocks.push(String::new()),
            (_, _) => {}
        }
    }
    blocks.retain(|block| !block.is_empty());
    blocks.iter().map(|block| serde_yaml::from_str(block).unwrap_or_else(|error| panic!("{error}:\n{block}"))).collect()
}

/// The document, and the document with each alternative.
fn variants(text: &str) -> Vec<serde_yaml::Value> {
    let root: serde_yaml::Value = serde_yaml::from_str(text).unwrap();
    let replaced = |alternative: serde_yaml::Mapping| {
        let mut root = root.clone();
        let of_source = alternative.contains_key("bind");
        let place = if of_source { &mut root["sources"]["corp"] } else { &mut root["targets"]["cie"] };
        place.as_mapping_mut().unwrap().extend(alternative);
        root
    };
    std::iter::once(root.clone()).chain(alternatives(text).into_iter().map(replaced)).collect()
}

#[test]
fn every_alternative_of_the_example_configuration_loads_without_a_warning() {
    let directory = installed();
    let file = directory.path().join("config.yaml");
    let all = variants(&std::fs::read_to_string(&file).unwrap());
    assert!(all.len() > 6);
    for variant in all {
        let by_ticket = variant["sources"]["corp"]["bind"].get("gssapi").is_some();
        if by_ticket && !ldap2scim::ldap::GSSAPI {
            continue;
        }
        std::fs::write(&file, serde_yaml::to_string(&variant).unwrap()).unwrap();
        let settings = load(&file).unwrap_or_else(|problems| panic!("{problems}"));
        assert_eq!(settings.warnings.len(), 0, "{:?}", settings.warnings);
    }
}

#[test]
fn every_key_occurs_in_the_example_configuration() {
    let text = example();
    let roots = variants(&text);
    let missing: Vec<&&str> = KEYS.iter().filter(|key| !roots.iter().any(|root| occurs(root, &text, key))).collect();
    assert!(missing.is_empty(), "not in config.example.yaml: {missing:?}");
}

/// A key stands at its path; ways to give a secret are spoken of somewhere.
fn occurs(root: &serde_yaml::Value, text: &str, key: &str) -> bool {
    match key.split_once("}.") {
        Some((_, word)) => text.contains(&format!("{{ {word}: ")),
        None => reached(root, &key.split('.').collect::<Vec<_>>()),
    }
}

fn reached(value: &serde_yaml::Value, path: &[&str]) -> bool {
    match path.split_first() {
        None => true,
        Some((&"*", rest)) => value.as_mapping().is_some_and(|map| map.values().any(|value| reached(value, rest))),
        Some((key, rest)) => value.get(*key).is_some_and(|value| reached(value, rest)),
    }
}

/// The lines of the manual that give every knob with its default, as they should be.
fn knobs() -> Vec<String> {
    let default = Dialect::default();
    let known = KNOBS.iter().filter(|knob| !ELSEWHERE.iter().any(|(name, _)| *name == knob.name));
    let value = |name| match default.value(name) {
        text if text.is_empty() => "[]".to_owned(),
        text if text.contains(", ") => format!("[{text}]"),
        text => text,
    };
    known.map(|knob| format!("{:<30}# {}", format!("{}: {}", knob.name, value(knob.name)), knob.summary)).collect()
}

/// Those lines as they are.
fn written() -> Vec<&'static str> {
    let section = include_str!("../../docs/targets.md").split("\n## All knobs\n").nth(1).unwrap();
    section.lines().skip_while(|line| *line != "```yaml").skip(1).take_while(|line| *line != "```").collect()
}

#[test]
fn every_knob_stands_in_the_manual_of_targets_with_its_default() {
    assert_eq!(written(), knobs(), "the list should be:\n{}", knobs().join("\n"));
}

#[test]
fn what_the_manual_says_of_knobs_is_what_holds_without_it() {
    let directory = installed();
    let path = directory.path().join("config.yaml");
    let lines: String = written().iter().map(|line| format!("      {line}\n")).collect();
    let text = std::fs::read_to_string(&path).unwrap().replace("preset: paloalto-cie", "preset: generic");
    let (before, rest) = text.split_once("    dialect:\n").unwrap();
    let rest = rest.lines().skip_while(|line| line.starts_with("      ")).collect::<Vec<_>>().join("\n");
    std::fs::write(&path, format!("{before}    dialect:\n{lines}{rest}\n")).unwrap();
    let settings = load(&path).unwrap_or_else(|problems| panic!("{problems}"));
    let (_, target) = settings.targets.iter().next().unwrap();
    for knob in KNOBS.iter().filter(|knob| !ELSEWHERE.iter().any(|(name, _)| *name == knob.name)) {
        assert_eq!(target.dialect.value(knob.name), Dialect::default().value(knob.name), "{}", knob.name);
    }
}

#[test]
fn every_preset_has_a_section_in_the_manual_of_targets() {
    let manual = include_str!("../../docs/targets.md");
    for name in preset_names() {
        let section = manual.split(&format!("\n## {name}\n")).nth(1).unwrap_or_else(|| panic!("{name} has no section"));
        let section = section.split("\n## ").next().unwrap();
        assert!(section.contains("**Here:**") || section.contains("here:**"), "{name}: what we do is not said");
        assert!(section.contains("**Verified:**"), "{name}: what was verified is not said");
        assert!(manual.contains(&format!("[{name}](#{name})")), "{name} is not in the table");
    }
    let sections = manual.lines().filter_map(|line| line.strip_prefix("## ")).filter(|section| *section != "All knobs");
    let known: Vec<&str> = preset_names().collect();
    assert!(sections.into_iter().all(|section| known.contains(&section)), "a section of no preset");
}
