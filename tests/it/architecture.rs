//! Who may name whom; file heads; banned names; sizes. Reads the sources as text, comments and test code left out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A room, and the rooms it may name besides itself.
const ROOMS: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("mapping", &["model"]),
    ("plan", &["mapping", "model"]),
    ("cycle", &["plan", "mapping", "model"]),
    ("secret", &[]),
    ("certificate", &["secret"]),
    ("ldap", &["cycle", "model", "certificate", "secret"]),
    ("scim", &["cycle", "plan", "model", "certificate", "secret"]),
    ("store", &["cycle", "plan", "model"]),
    ("config", &["ldap", "scim", "store", "certificate", "secret", "plan", "mapping", "model"]),
    ("assemble", &["config", "ldap", "scim", "store", "certificate", "secret", "cycle", "plan", "mapping", "model"]),
    (
        "daemon",
        &["assemble", "config", "ldap", "scim", "store", "certificate", "secret", "cycle", "plan", "mapping", "model", "logging"],
    ),
    (
        "cli",
        &[
            "daemon",
            "assemble",
            "config",
            "ldap",
            "scim",
            "store",
            "certificate",
            "secret",
            "cycle",
            "plan",
            "mapping",
            "model",
            "logging",
        ],
    ),
    ("logging", &[]),
    // The program's two roots: arguments in, exit code out; the list of rooms.
    ("main", &["cli", "logging"]),
    ("lib", &[]),
];

/// Below the ports nothing touches the world.
const PURE: &[&str] = &["model", "mapping", "plan"];

/// What the pure rooms never name.
const WORLD: &[&str] = &[
    "tokio",
    "ldap3",
    "reqwest",
    "rusqlite",
    "tracing",
    "std::fs",
    "std::net",
    "std::env",
    "std::thread",
    "std::process",
    "SystemTime",
    "Instant",
    "Timestamp::now",
    "Zoned::now",
    "fastrand",
    // Its order is not the same twice; a plan is.
    "HashMap",
    "HashSet",
    // Each boundary owns its form.
    "serde",
    "serde_json",
    "Serialize",
    "Deserialize",
    // Macros with which one writes past the log.
    "println!",
    "eprintln!",
];

/// A name, and the only rooms in which it occurs.
const AT_HOME: &[(&str, &[&str])] = &[
    ("rusqlite", &["store"]),
    ("ldap3", &["ldap"]),
    ("reqwest", &["scim"]),
    ("println!", &["cli", "main"]),
    ("eprintln!", &["cli", "main"]),
    ("print!", &["cli", "main"]),
    ("eprint!", &["cli", "main"]),
    ("anyhow", &["cli", "main"]),
    ("clap", &["cli", "logging", "main"]),
    ("serde_yaml", &["config"]),
];

/// No file of src/ is longer, tests within it left out.
const LINES_AT_MOST: usize = 400;

/// A source file with the room it belongs to.
struct Source {
    path: PathBuf,
    room: String,
    /// Everything.
    text: String,
    /// Line by line, without comments, the contents of strings and test modules.
    code: Vec<String>,
}

fn files(below: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for item in std::fs::read_dir(below).unwrap() {
        let path = item.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn sources() -> Vec<Source> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let read = |path: PathBuf| {
        let relative = path.strip_prefix(&src).unwrap();
        let first = relative.components().next().unwrap().as_os_str().to_str().unwrap();
        let room = first.trim_end_matches(".rs").to_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        // Files that hold nothing but tests say so where they are declared: `#[cfg(test)] mod tests;`.
        let only_tests = relative.file_stem().is_some_and(|stem| stem == "tests")
            || relative.components().any(|part| part.as_os_str() == "tests");
        let code = if only_tests { Vec::new() } else { code(&text) };
        Source { path: relative.to_owned(), room, text, code }
    };
    files(&src).into_iter().map(read).collect()
}

/// What the compiler reads outside of tests: comments cut, strings emptied, `#[cfg(test)]` modules left out.
fn code(text: &str) -> Vec<String> {
    let bare = bare(text);
    let mut lines = Vec::new();
    let mut skipped_until = None;
    let mut test_is_next = false;
    for line in bare.lines() {
        let indent = line.len() - line.trim_start().len();
        if let Some(end) = skipped_until {
            if indent == end && line.trim_start().starts_with('}') {
                skipped_until = None;
            }
            continue;
        }
        if line.trim() == "#[cfg(test)]" {
            test_is_next = true;
        } else if test_is_next && !line.trim_start().starts_with("#[") {
            test_is_next = false;
            if line.trim_end().ends_with('{') {
                skipped_until = Some(indent);
            }
        } else if !test_is_next {
            lines.push(line.to_owned());
        }
    }
    lines
}

/// The text with comments and the contents of strings blanked, line breaks kept.
fn bare(text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let at = |index: usize| characters.get(index).copied().unwrap_or('\0');
    let mut bare = String::with_capacity(text.len());
    let mut index = 0;
    while index < characters.len() {
        let previous = if index == 0 { ' ' } else { at(index - 1) };
        match at(index) {
            '/' if at(index + 1) == '/' => {
                while index < characters.len() && at(index) != '\n' {
                    index += 1;
                }
            }
            '/' if at(index + 1) == '*' => {
                while index < characters.len() && !(at(index) == '*' && at(index + 1) == '/') {
                    if at(index) == '\n' {
                        bare.push('\n');
                    }
                    index += 1;
                }
                index += 2;
            }
            'r' if !previous.is_alphanumeric() && previous != '_' && raw_string(&at, index).is_some() => {
                let hashes = raw_string(&at, index).unwrap();
                let end = format!("\"{}", "#".repeat(hashes));
                index += hashes + 2;
                bare.push('"');
                while index < characters.len() && !end.chars().enumerate().all(|(offset, c)| at(index + offset) == c) {
                    if at(index) == '\n' {
                        bare.push('\n');
                    }
                    index += 1;
                }
                bare.push('"');
                index += end.len();
            }
            '"' => {
                bare.push('"');
                index += 1;
                while index < characters.len() && at(index) != '"' {
                    if at(index) == '\n' {
                        bare.push('\n');
                    }
                    index += if at(index) == '\\' && at(index + 1) != '\n' { 2 } else { 1 };
                }
                bare.push('"');
                index += 1;
            }
            // A character in quotation marks, but not a lifetime.
            '\'' if at(index + 1) == '\\' || at(index + 2) == '\'' => {
                index += if at(index + 1) == '\\' { 3 } else { 2 };
                while index < characters.len() && at(index) != '\'' {
                    index += 1;
                }
                index += 1;
                bare.push_str("' '");
            }
            other => {
                bare.push(other);
                index += 1;
            }
        }
    }
    bare
}

/// The number of # of a raw string that begins here.
fn raw_string(at: &impl Fn(usize) -> char, index: usize) -> Option<usize> {
    let hashes = (1..).take_while(|offset| at(index + offset) == '#').count();
    (at(index + 1 + hashes) == '"').then_some(hashes)
}

/// True if the name stands in the line as a name and not as a part of one.
fn names(line: &str, name: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(name).any(|(place, _)| {
        let before = line[..place].chars().next_back();
        let after = line[place + name.len()..].chars().next();
        !(before.is_some_and(part) || after.is_some_and(part) && name.ends_with(part))
    })
}

/// The rooms that a file names by `crate::…` or by the library's name, each with the line it first stands in.
fn rooms_named(code: &[String]) -> BTreeMap<String, String> {
    let mut named = BTreeMap::new();
    let mut note = |room: &str, line: &str| {
        named.entry(room.to_owned()).or_insert_with(|| line.trim().to_owned());
    };
    let joined = code.join("\n");
    for root in ["crate::", "ldap2scim::"] {
        for (place, _) in joined.match_indices(root) {
            if joined[..place].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':') {
                continue;
            }
            let rest = &joined[place + root.len()..];
            let line =
                joined[..place].rsplit('\n').next().unwrap_or_default().to_owned() + rest.lines().next().unwrap_or_default();
            match rest.strip_prefix('{') {
                Some(list) => first_names(list).iter().for_each(|room| note(room, &line)),
                None => note(&leading_name(rest), &line),
            }
        }
    }
    named
}

fn leading_name(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// The first names of the elements of a `{…}` list, whatever is nested in them left out.
fn first_names(list: &str) -> Vec<String> {
    let (mut depth, mut fresh, mut found) = (0, true, Vec::new());
    for (place, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => fresh = true,
            c if fresh && !c.is_whitespace() => {
                found.push(leading_name(&list[place..]));
                fresh = false;
            }
            _ => {}
        }
    }
    found
}

fn hold(faults: &[String]) {
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn a_room_names_only_rooms_below_it() {
    let allowed: BTreeMap<_, _> = ROOMS.iter().copied().collect();
    let mut faults = Vec::new();
    for source in sources() {
        let Some(may) = allowed.get(source.room.as_str()) else {
            faults.push(format!("src/{}: the room {} is not in the table", source.path.display(), source.room));
            continue;
        };
        for (room, line) in rooms_named(&source.code) {
            let is_room = allowed.contains_key(room.as_str());
            if is_room && room != source.room && !may.contains(&room.as_str()) {
                faults.push(format!("src/{}: {} may not name {room}: {line}", source.path.display(), source.room));
            }
        }
    }
    hold(&faults);
}

#[test]
fn the_table_of_rooms_has_no_circle() {
    let allowed: BTreeMap<_, _> = ROOMS.iter().copied().collect();
    for start in allowed.keys() {
        let (mut seen, mut ahead) = (BTreeSet::new(), allowed[start].to_vec());
        while let Some(room) = ahead.pop() {
            assert_ne!(room, *start, "{start} names itself by way of others");
            if seen.insert(room) {
                ahead.extend(allowed[room]);
            }
        }
    }
}

#[test]
fn the_pure_rooms_do_not_touch_the_world() {
    let mut faults = Vec::new();
    for source in sources().iter().filter(|source| PURE.contains(&source.room.as_str())) {
        for line in &source.code {
            for name in WORLD.iter().filter(|name| names(line, name)) {
                faults.push(format!("src/{}: {name} in a pure room: {}", source.path.display(), line.trim()));
            }
        }
    }
    hold(&faults);
}

#[test]
fn each_outside_system_is_named_in_one_room_only() {
    let mut faults = Vec::new();
    for source in sources() {
        for (name, home) in AT_HOME.iter().filter(|(_, home)| !home.contains(&source.room.as_str())) {
            for line in source.code.iter().filter(|line| names(line, name)) {
                faults.push(format!("src/{}: {name} belongs to {}: {}", source.path.display(), home.join(", "), line.trim()));
            }
        }
    }
    hold(&faults);
}

#[test]
fn a_reason_is_read_only_where_it_is_told() {
    let tellers = ["cli", "store"];
    let mut faults = Vec::new();
    for source in sources().iter().filter(|source| !tellers.contains(&source.room.as_str())) {
        for line in &source.code {
            let reads = line.match_indices(".reason").any(|(place, word)| !line[place + word.len()..].starts_with('('));
            if reads {
                faults.push(format!("src/{}: a reason is looked at: {}", source.path.display(), line.trim()));
            }
        }
    }
    hold(&faults);
}

#[test]
fn every_file_begins_by_saying_what_it_is_for() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let paths = ["src", "tests", "benches"].iter().flat_map(|folder| files(&root.join(folder)));
    let silent = |path: &PathBuf| !std::fs::read_to_string(path).unwrap().starts_with("//! ");
    hold(&paths.filter(silent).map(|path| format!("{} does not begin with //!", path.display())).collect::<Vec<_>>());
}

#[test]
fn no_file_grows_past_its_reason() {
    let long = sources().into_iter().filter(|source| source.code.len() > LINES_AT_MOST);
    let fault =
        |source: Source| format!("src/{}: {} lines; which second reason crept in?", source.path.display(), source.code.len());
    hold(&long.map(fault).collect::<Vec<_>>());
}

#[test]
fn a_front_door_holds_no_logic() {
    let doors = sources().into_iter().filter(|source| source.path.file_name().is_some_and(|name| name == "mod.rs"));
    let logic = |source: &Source| source.code.iter().any(|line| names(line, "fn") || names(line, "impl"));
    hold(&doors.filter(logic).map(|source| format!("src/{} holds logic", source.path.display())).collect::<Vec<_>>());
}

#[test]
fn nothing_is_left_to_do_or_ignored() {
    let mut faults = Vec::new();
    for source in sources() {
        for word in ["TODO", "FIXME", "XXX"].iter().filter(|word| names(&source.text, word)) {
            faults.push(format!("src/{}: {word}", source.path.display()));
        }
    }
    hold(&faults);
}

#[test]
fn the_reader_of_sources_sees_what_it_should() {
    let text = "use crate::{model::{A, plan}, cycle};\n// crate::store\nlet a = \"crate::scim \\\" rusqlite\";\nlet b = r#\"tokio\"#;\n\
                let c = '\"'; ldap3::x(); fn f<'a>() {}\n#[cfg(test)]\nmod tests {\n    use crate::daemon;\n}\nuse crate::secret::Secret;\n";
    let code = code(text);
    assert_eq!(rooms_named(&code).into_keys().collect::<Vec<_>>(), ["cycle", "model", "secret"]);
    assert!(!code.iter().any(|line| names(line, "rusqlite") || names(line, "tokio") || line.contains("daemon")));
    assert!(code.iter().any(|line| names(line, "ldap3")));
    assert!(names("eprintln!(\"\")", "eprintln!") && !names("eprintln!(\"\")", "println!") && !names("myldap3_x", "ldap3"));
}
