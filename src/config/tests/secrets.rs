//! Secrets: where they may stand, and that they are never shown.

use super::surroundings::{SOUND, directory, parsed, spoilt, told, warned, write};

#[test]
fn secrets_that_cannot_be_used_are_refused() {
    let directory = directory();
    let open = "others may use (mode 604)";
    let readable = "it must be there, and readable to the user who runs this (the service runs as ldap2scim)";
    for (written, column, path, message) in [
        ("{ file: none }", 51, ".file", format!("none: No such file or directory (os error 2) [{readable}]")),
        ("{ file: empty }", 51, ".file", "the file empty is empty".to_owned()),
        ("{ file: open }", 51, ".file", format!("open is a secret that {open} [chmod 600 open]")),
        ("{ file: shared }", 51, ".file", "shared is a secret that its group may write (mode 660) [chmod 600 shared]".to_owned()),
        (
            "{ env: LDAP2SCIM_NOT_SET }",
            50,
            ".env",
            "the environment variable LDAP2SCIM_NOT_SET is not set or not UTF-8".to_owned(),
        ),
        ("{ credential: ../x }", 57, ".credential", "is a credential's name, not a path".to_owned()),
        ("{ file: secret, env: PATH }", 43, "", "name exactly one of file, env and credential".to_owned()),
        ("{}", 43, "", "name exactly one of file, env and credential".to_owned()),
        ("\"\"", 43, "", "is empty".to_owned()),
        (
            "7",
            43,
            "",
            "expected text, or one of { file: … }, { env: … }, { credential: … }, found a number [put it in quotes]".to_owned(),
        ),
        ("{ file: secret, hunter2: x }", 59, "", "unknown key [known here: file, env, credential]".to_owned()),
    ] {
        let text = spoilt(&[("password: { file: secret }", &format!("password: {written}"))]);
        let expected = format!("c.yaml:5:{column}: sources.corp.bind.password{path}: {message}");
        assert_eq!(told(directory.path(), &text), [expected], "{written}");
    }
}

#[test]
fn who_connects_to_nothing_needs_no_secret() {
    let directory = directory();
    for written in ["{ file: none }", "{ file: open }", "{ env: LDAP2SCIM_NOT_SET }", "{ credential: none }"] {
        let text = spoilt(&[("password: { file: secret }", &format!("password: {written}"))]);
        write(directory.path(), "c.yaml", &text, 0o644);
        let path = directory.path().join("c.yaml");
        assert!(crate::config::load(&path).is_err(), "{written}");
        assert!(crate::config::load_without_secrets(&path).is_ok(), "{written}");
    }
    let text = spoilt(&[("password: { file: secret }", "password: { fil: secret }")]);
    write(directory.path(), "c.yaml", &text, 0o644);
    assert!(crate::config::load_without_secrets(&directory.path().join("c.yaml")).is_err());
}

#[test]
fn a_secret_may_stand_in_the_environment() {
    let directory = directory();
    let text = spoilt(&[("password: { file: secret }", "password: { env: PATH }")]);
    assert_eq!(told(directory.path(), &text), Vec::<String>::new());
}

#[test]
fn a_secret_in_the_configuration_is_accepted_with_a_warning() {
    let directory = directory();
    let text = spoilt(&[("password: { file: secret }", "password: hunter2")]);
    assert_eq!(
        warned(directory.path(), &text),
        ["c.yaml:5:43: sources.corp.bind.password: the secret stands in the configuration itself, where backups and listings \
          show it [write { file: … }, { env: … } or { credential: … } instead]"]
    );
}

#[test]
fn no_message_ever_holds_a_secret() {
    let directory = directory();
    let bind = "bind: { dn: \"cn=sync,dc=x\", password: { file: secret } }";
    for spoiling in [
        "bind: { dn: \"nonsense\", password: hunter2 }",
        "bind: { dn: \"cn=a\", password: hunter2, x: y }",
        "bind: { dn: \"cn=a\", pasword: hunter2 }",
        "bind: { dn: \"cn=a\", hunter2 }",
        "bind: { dn: \"cn=a\", pw: \"hunter2, with {more: hunter2}\" }",
        "bind: { dn: \"cn=a\", password: [hunter2] }",
        "bind: { dn: \"cn=a\", password: { hunter2 } }",
        "bind: { dn: \"cn=a\", password: { fil: hunter2 } }",
        "bind: { dn: \"cn=a\", password: { env: NOT_SET }, secret: hunter2 }",
        "bind: { dn: \"cn=a\", password: !!int hunter2 }",
        "bind: { dn: \"cn=a\", hunter2: x }",
        "bind: { dn: \"cn=a\", password:\n&hunter2 }",
        "bind: { dn: \"cn=a\", password: [\nhunter2 }",
        "bind: hunter2",
        "bnd: hunter2",
        "bind:\n      pw: hunter2",
        "bind:\n      dn: nonsense\n      password: hunter2",
        "bind:\n      dn: cn=a\n      password: |\n        hunter2\n        hunter2: x\n       z",
        "bind: { dn: \"cn=a\", password: \"hunter2 }",
        "bind: { dn: \"cn=a\", password: hunter2: x }",
        "bind: { dn: \"cn=a\", password: !hunter2 hunter2 }",
        "bind:\n      dn: cn=a\n      password: hunter2\n      password: hunter2",
    ] {
        let text = spoilt(&[(bind, spoiling)]);
        let shown = match parsed(directory.path(), &text) {
            Ok(settings) => settings.warnings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
            Err(problems) => problems.to_string(),
        };
        assert!(!shown.is_empty(), "{spoiling} is worth a word");
        assert!(!shown.contains("hunter2"), "{spoiling}\n{shown}");
    }
}

#[test]
fn a_secret_is_not_part_of_a_debug_form() {
    let directory = directory();
    let text = SOUND.replace("{ file: secret }", "hunter2");
    let settings = parsed(directory.path(), &text).ok().unwrap();
    assert!(!format!("{settings:?}").contains("hunter2"));
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config { cases: 400, failure_persistence: None, ..Default::default() })]

    /// Any slip of the keyboard outside the secret itself.
    #[test]
    fn no_slip_of_the_keyboard_brings_a_secret_into_a_message(at in 0..2000usize, cut in 0..4usize, typed in "[ a-z:{}\\[\\]\"'#&*!|,\n\t-]{0,3}") {
        let directory = tempfile::tempdir().unwrap();
        let text = SOUND.replacen("{ file: secret }", "hunter2", 1).replace("{ bearer: { file: secret } }", "\n      bearer: \"hunter2\"");
        let characters: Vec<char> = text.chars().collect();
        let at = at % characters.len();
        let (before, after) = (&characters[..at], &characters[(at + cut).min(characters.len())..]);
        let slipped: String = before.iter().copied().chain(typed.chars()).chain(after.iter().copied()).collect();
        if slipped.matches("hunter2").count() != 2 {
            return Ok(());
        }
        let shown = match parsed(directory.path(), &slipped) {
            Ok(settings) => settings.warnings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
            Err(problems) => problems.to_string(),
        };
        proptest::prop_assert!(!shown.contains("hunter2"), "{}\n{}", slipped, shown);
    }
}
