//! Reading the tree: fields and sections that collect what is wrong instead of stopping at it.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use super::finding::{Finding, placed};
use super::keys::did_you_mean;
use super::problem::{Problem, Problems};
use super::tree::{Kind, Node};

/// Whether the secrets that the file names have to be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Secrets {
    /// Each is read, to prove that it can be.
    Needed,
    /// None is looked at.
    Unneeded,
}

/// Collects what is wrong while the sections are read.
pub(super) struct Reader {
    directory: PathBuf,
    /// Whether secrets have to be there.
    pub secrets: Secrets,
    problems: RefCell<Vec<Finding>>,
    warnings: RefCell<Vec<Finding>>,
    asked: RefCell<std::collections::BTreeSet<String>>,
}

impl Reader {
    /// A reader for a file in this directory.
    pub fn new(directory: &Path, secrets: Secrets) -> Self {
        Self {
            directory: directory.to_owned(),
            secrets,
            problems: RefCell::default(),
            warnings: RefCell::default(),
            asked: RefCell::default(),
        }
    }

    /// Adds something wrong.
    pub fn problem(&self, finding: Finding) {
        self.problems.borrow_mut().push(finding);
    }

    /// Adds a warning.
    pub fn warning(&self, finding: Finding) {
        self.warnings.borrow_mut().push(finding);
    }

    /// A path of the file: relative ones start at the file's directory.
    pub fn resolved(&self, path: &str) -> PathBuf {
        self.directory.join(path)
    }

    /// The document as a section.
    pub fn root<'a>(&'a self, node: &'a Node) -> Option<Section<'a>> {
        Field { reader: self, path: String::new(), pattern: String::new(), key: node.number, node }.section()
    }

    /// Everything found, with places: problems, or if there are none, warnings.
    pub fn outcome(self, text: &str, file: &str) -> Result<Vec<Problem>, Problems> {
        let problems = self.problems.into_inner();
        if problems.is_empty() {
            Ok(placed(self.warnings.into_inner(), text, file))
        } else {
            Err(Problems(placed(problems, text, file)))
        }
    }

    /// The patterns of all keys that were asked for, whether they were there or not.
    #[cfg(test)]
    pub fn asked(&self) -> Vec<String> {
        self.asked.borrow().iter().cloned().collect()
    }
}

/// A value with its key.
#[derive(Clone)]
pub(super) struct Field<'a> {
    /// The collector.
    pub reader: &'a Reader,
    /// `channels.chicago.users`.
    pub path: String,
    /// `channels.*.users`.
    pattern: String,
    /// The key's node.
    key: usize,
    /// The value.
    pub node: &'a Node,
}

impl<'a> Field<'a> {
    /// Says what is wrong with the value.
    pub fn wrong(&self, message: impl Into<String>) {
        self.reader.problem(self.finding(message));
    }

    /// Something about the value.
    pub fn finding(&self, message: impl Into<String>) -> Finding {
        Finding::new(self.node.number, &self.path, message)
    }

    /// Something about the key.
    pub fn finding_at_key(&self, message: impl Into<String>) -> Finding {
        Finding::new(self.key, &self.path, message)
    }

    /// Says that the value is of the wrong kind.
    pub fn unfit<T>(&self, expected: &str) -> Option<T> {
        let finding = self.finding(format!("expected {expected}, found {}", self.node.described()));
        let hint = match self.node.kind {
            Kind::Nothing => Some("leave the key out if it is not needed"),
            Kind::Flag(_) | Kind::Whole(_) | Kind::Fraction(_) if expected.starts_with("text") => Some("put it in quotes"),
            _ => None,
        };
        self.reader.problem(finding.hint(hint.map(str::to_owned)));
        None
    }

    /// The same value under another pattern: places of one kind are one entry in the list of keys.
    pub fn under(mut self, pattern: &str) -> Self {
        pattern.clone_into(&mut self.pattern);
        self
    }

    /// The value as a section.
    pub fn section(self) -> Option<Section<'a>> {
        let Kind::Map(written) = &self.node.kind else { return self.unfit("a map of keys") };
        let mut entries: Vec<(&Node, &Node)> = Vec::new();
        for (key, value) in written {
            let Kind::Text(name) = &key.kind else {
                let finding = Finding::new(key.number, &self.path, format!("expected text as a key, found {}", key.described()));
                self.reader.problem(finding.hint(Some("put it in quotes".to_owned())));
                continue;
            };
            if entries.iter().any(|(other, _)| matches!(&other.kind, Kind::Text(other) if other == name)) {
                let path = joined(&self.path, name);
                let hint = Some("keep one of the two".to_owned());
                self.reader.problem(Finding::new(key.number, &path, "the key stands here twice").hint(hint).bare());
            } else {
                entries.push((key, value));
            }
        }
        let merges = entries.iter().position(|(key, _)| matches!(&key.kind, Kind::Text(name) if name == "<<"));
        if let Some(at) = merges {
            let (key, value) = entries.remove(at);
            self.merge(&mut entries, key, value);
        }
        Some(Section { field: self, entries, known: RefCell::default() })
    }

    /// `<<: *anchor`: keys of the other map that are not written here. Of several maps the first wins.
    fn merge(&self, entries: &mut Vec<(&'a Node, &'a Node)>, key: &Node, value: &'a Node) {
        match &value.kind {
            Kind::Map(merged) => {
                for (name, value) in merged {
                    let Kind::Text(text) = &name.kind else { continue };
                    if text == "<<" {
                        self.merge(entries, name, value);
                    } else if !entries.iter().any(|(other, _)| matches!(&other.kind, Kind::Text(other) if other == text)) {
                        entries.push((name, value));
                    }
                }
            }
            Kind::List(maps) => maps.iter().for_each(|map| self.merge(entries, key, map)),
            Kind::Nothing | Kind::Flag(_) | Kind::Whole(_) | Kind::Fraction(_) | Kind::Text(_) => {
                let message = format!("expected a map to merge, found {}", value.described());
                self.reader.problem(Finding::new(key.number, &joined(&self.path, "<<"), message));
            }
        }
    }

    /// The value as a list; a single value is a list of one.
    pub fn list(&self) -> Vec<Field<'a>> {
        match &self.node.kind {
            Kind::List(items) => {
                if items.is_empty() {
                    self.reader.problem(self.finding("the list is empty"));
                }
                let item = |(index, node)| Field { path: format!("{}[{index}]", self.path), key: self.key, node, ..self.clone() };
                items.iter().enumerate().map(item).collect()
            }
            _ => vec![self.clone()],
        }
    }
}

/// A map with known keys, or with names that the admin gives.
pub(super) struct Section<'a> {
    /// The map with its key.
    pub field: Field<'a>,
    entries: Vec<(&'a Node, &'a Node)>,
    known: RefCell<Vec<&'static str>>,
}

impl<'a> Section<'a> {
    /// The field of a key, if it is there.
    pub fn optional(&self, key: &'static str) -> Option<Field<'a>> {
        let mut known = self.known.borrow_mut();
        if !known.contains(&key) {
            known.push(key);
        }
        drop(known);
        let pattern = joined(&self.field.pattern, key);
        self.field.reader.asked.borrow_mut().insert(pattern.clone());
        let (name, node) = self.entries.iter().find(|(name, _)| matches!(&name.kind, Kind::Text(text) if text == key))?;
        let path = joined(&self.field.path, key);
        Some(Field { reader: self.field.reader, path, pattern, key: name.number, node })
    }

    /// The field of a key; it is wrong that it is not there.
    pub fn required(&self, key: &'static str) -> Option<Field<'a>> {
        let found = self.optional(key);
        if found.is_none() {
            let path = joined(&self.field.path, key);
            self.field.reader.problem(Finding::new(self.field.key, &path, "is missing"));
        }
        found
    }

    /// Every entry under the name that the admin gave.
    pub fn named(&self) -> Vec<(&'a str, Field<'a>)> {
        let field = |&(key, node): &(&'a Node, &'a Node)| {
            let Kind::Text(name) = &key.kind else { return None };
            let path = joined(&self.field.path, name);
            let pattern = format!("{}.*", self.field.pattern);
            Some((name.as_str(), Field { reader: self.field.reader, path, pattern, key: key.number, node }))
        };
        self.entries.iter().filter_map(field).collect()
    }

    /// Refuses every key that was not asked for.
    pub fn finish(self) {
        self.refuse_unknown(true);
    }

    /// The same in sections about secrets: a key that resembles none is perhaps a secret in the wrong place,
    /// and is not named.
    pub fn finish_discreetly(self) {
        self.refuse_unknown(false);
    }

    fn refuse_unknown(&self, name_all: bool) {
        let known = self.known.borrow();
        for (key, _) in &self.entries {
            let Kind::Text(name) = &key.kind else { continue };
            if known.contains(&name.as_str()) {
                continue;
            }
            let meant = did_you_mean(name, known.iter().copied());
            let slip = |word: &&str| strsim::damerau_levenshtein(name, word) <= 2;
            let named = name_all || known.iter().any(slip);
            let meant = meant.filter(|_| named);
            let path = if named { joined(&self.field.path, name) } else { self.field.path.clone() };
            let hint = meant.or_else(|| Some(format!("known here: {}", known.join(", "))));
            self.field.reader.problem(Finding::new(key.number, &path, "unknown key").hint(hint).bare());
        }
    }
}

/// A key's path. Names that hold more than a word are quoted as YAML would.
pub(super) fn joined(path: &str, key: &str) -> String {
    let plain = !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '<' | '*'));
    let key = if plain { key.to_owned() } else { format!("'{}'", key.replace('\'', "''")) };
    if path.is_empty() { key } else { format!("{path}.{key}") }
}
