//! A company with awkward names that `scripts/lab/directory.py` writes, and the truth about it, which that script works out
//! by itself: who is active, and who is in which group, over nested groups and rings.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value as Json;

/// What a reader must find.
#[derive(Debug)]
pub struct Truth {
    /// By login.
    pub users: BTreeMap<String, Person>,
    /// By name: the logins of everybody in the group, directly or not.
    pub groups: BTreeMap<String, BTreeSet<String>>,
}

/// What is true of a user.
#[derive(Debug)]
pub struct Person {
    /// As it was written, which need not be as the server spells it.
    pub dn: String,
    /// The account may be used.
    pub active: bool,
    /// It may not, because its time is over.
    pub expired: bool,
}

impl Truth {
    /// Of [`Samba::start_company`](super::samba::Samba::start_company).
    pub fn of_samba() -> Self {
        Self::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/samba/company.json"))
    }

    /// A company for slapd below the suffix, as LDIF, and the truth about it.
    pub fn for_slapd(suffix: &str, users: usize, groups: usize) -> (String, Self) {
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("company");
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/lab/directory.py");
        let mut command = Command::new("python3");
        command.args([script, "openldap", suffix, &users.to_string(), &groups.to_string()]).arg(&out);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        (std::fs::read_to_string(out.with_extension("ldif")).unwrap(), Self::read(&out.with_extension("json")))
    }

    fn read(path: &Path) -> Self {
        let json =
            std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}; run scripts/prepare", path.display()));
        let truth: Json = serde_json::from_str(&json).unwrap();
        let texts = |json: &Json| json.as_array().unwrap().iter().map(|one| one.as_str().unwrap().to_owned()).collect();
        let users = truth["users"].as_array().unwrap().iter().map(|user| {
            let flag = |name: &str| user[name].as_bool().unwrap();
            let person = Person { dn: text(user, "dn"), active: flag("active"), expired: flag("expired") };
            (text(user, "login"), person)
        });
        let groups = truth["groups"].as_array().unwrap().iter().map(|group| (text(group, "name"), texts(&group["effective"])));
        Self { users: users.collect(), groups: groups.collect() }
    }
}

fn text(json: &Json, key: &str) -> String {
    json[key].as_str().unwrap().to_owned()
}
