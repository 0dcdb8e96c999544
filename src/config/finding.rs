//! Something found at a node of the tree; its place in the file is looked up when everything was read.

use super::excerpt::excerpt;
use super::problem::Problem;
use super::tree::{Position, locate};

/// Something found at a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    node: usize,
    path: String,
    message: String,
    hint: Option<String>,
    /// A place inside the node's text: the text, and how many characters of it come before.
    inside: Option<(String, usize)>,
    /// The line's values are not to be shown.
    bare: bool,
}

impl Finding {
    /// Something found at a node.
    pub fn new(node: usize, path: &str, message: impl Into<String>) -> Self {
        Self { node, path: path.to_owned(), message: message.into(), hint: None, inside: None, bare: false }
    }

    /// With what was perhaps meant, or what to do.
    pub fn hint(mut self, hint: Option<String>) -> Self {
        self.hint = hint;
        self
    }

    /// At the n-th character (from 1) of the node's text.
    pub fn at_character(mut self, text: &str, position: usize) -> Self {
        self.inside = Some((text.to_owned(), position.saturating_sub(1)));
        self
    }

    /// With the line's values hidden.
    pub fn bare(mut self) -> Self {
        self.bare = true;
        self
    }

    /// The problem with its place in the text.
    pub fn placed(self, text: &str, file: &str) -> Problem {
        let place = locate(text, self.node).map(|start| match &self.inside {
            Some((value, before)) => inside(text, start, value, *before),
            None => start,
        });
        Problem {
            file: file.to_owned(),
            line: place.map(|p| p.line),
            column: place.map(|p| p.column),
            excerpt: place.and_then(|place| excerpt(text, place, self.bare || holds_secrets(&self.path))),
            path: self.path,
            message: self.message,
            hint: self.hint,
        }
    }
}

/// True for places in sections that take secrets, wherever their lines lie in the file.
fn holds_secrets(path: &str) -> bool {
    path.split('.').any(|key| matches!(key, "bind" | "auth" | "proxy" | "client_certificate"))
}

/// The place of a character of a value, if the value stands in the file as it is; else the value's own place.
fn inside(text: &str, start: Position, value: &str, before: usize) -> Position {
    let line = text.lines().nth(start.line.saturating_sub(1)).unwrap_or_default();
    let rest: String = line.chars().skip(start.column.saturating_sub(1)).collect();
    let unquoted = rest.strip_prefix(['"', '\'']);
    let quotation_mark = usize::from(unquoted.is_some());
    if unquoted.unwrap_or(&rest).starts_with(value) {
        Position { line: start.line, column: start.column + quotation_mark + before }
    } else {
        start
    }
}

/// In the file's order, each once.
pub(super) fn placed(findings: Vec<Finding>, text: &str, file: &str) -> Vec<Problem> {
    let mut problems: Vec<Problem> = findings.into_iter().map(|finding| finding.placed(text, file)).collect();
    problems.sort_by_key(|problem| (problem.line, problem.column));
    // What stands behind an alias is read as often as it is used, and is one mistake.
    let mut seen = std::collections::BTreeSet::new();
    problems.retain(|p| p.line.is_none() || seen.insert((p.line, p.column, p.message.clone())));
    problems
}
