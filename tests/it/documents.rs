//! The example configuration loads; documents name only what exists.

use std::path::Path;

use ldap2scim::config::{KEYS, load};

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
        ("corp-ca.pem", "-----BEGIN CERTIFICATE-----"),
        ("cie-ca.pem", "-----BEGIN CERTIFICATE-----"),
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

#[test]
fn every_key_occurs_in_the_example_configuration() {
    let text = example();
    let root: serde_yaml::Value = serde_yaml::from_str(&text).unwrap();
    let missing: Vec<&&str> = KEYS.iter().filter(|key| !occurs(&root, &text, key)).collect();
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
