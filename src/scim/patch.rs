//! Edits become the operations of a PATCH (RFC 7644 §3.5.2): each attribute by its own path, true deltas only.

use serde_json::{Map, Value as Json, json};

use super::wire::{Speech, extension, is_manager};
use super::{OpCase, Unset, member_patch};
use crate::cycle::Found;
use crate::model::{AttributePath, Value};
use crate::plan::Edit;

/// The body of a PATCH; `None` if nothing is left to say. `found` is the resource as it was read, once the
/// provider said that it cannot find what an edit speaks of.
pub(super) fn body(speech: Speech<'_>, edits: &[Edit], found: Option<&Found>) -> Option<Json> {
    let mut patch = Patch { speech, found, operations: Vec::new(), additions: Vec::new() };
    for element in elements(edits) {
        patch.element(&element);
    }
    let mut added = std::mem::take(&mut patch.additions);
    for edit in edits {
        match edit {
            Edit::Attribute { path, .. } if path.selector().is_some() => {
                let whole = collection(path);
                if let Some(place) = added.iter().position(|(attribute, _)| *attribute == whole) {
                    let (_, list) = added.remove(place);
                    patch.operation("add", &whole, Some(Json::Array(list)));
                }
            }
            Edit::Attribute { path, after: Some(after), .. } => {
                if let Some(value) = speech.value(path, after) {
                    patch.operation("replace", &written(path), Some(value));
                }
            }
            Edit::Attribute { path, after: None, .. } => patch.unset(path),
            Edit::Members { .. } | Edit::Foreign { .. } => {
                for (op, path, value) in member_patch::operations(speech, edit, found) {
                    patch.operation(op, &path, value);
                }
            }
        }
    }
    let operations = patch.operations;
    (!operations.is_empty())
        .then(|| json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations }))
}

/// What happens to one element of a multi-valued attribute: its path, and its parts with their values.
struct ElementEdits<'a> {
    path: AttributePath,
    known: bool,
    parts: Vec<(&'a AttributePath, Option<&'a Value>)>,
}

impl ElementEdits<'_> {
    /// The edits of `value`, the part without which an e-mail or a telephone number is nothing.
    fn value(&self) -> Option<Option<&Value>> {
        self.parts.iter().find(|(path, _)| path.sub_attribute().is_none_or(|sub| sub == "value")).map(|(_, after)| *after)
    }
}

/// The edits of elements, one for each element, in their order.
fn elements(edits: &[Edit]) -> Vec<ElementEdits<'_>> {
    let mut all: Vec<ElementEdits<'_>> = Vec::new();
    for edit in edits {
        let Edit::Attribute { path, before, after } = edit else { continue };
        let Some(element) = element_path(path) else { continue };
        let part = (path, after.as_ref());
        match all.iter_mut().find(|known| known.path == element) {
            Some(same) => {
                same.known |= before.is_some();
                same.parts.push(part);
            }
            None => all.push(ElementEdits { path: element, known: before.is_some(), parts: vec![part] }),
        }
    }
    all
}

struct Patch<'a> {
    speech: Speech<'a>,
    found: Option<&'a Found>,
    operations: Vec<Json>,
    additions: Vec<(String, Vec<Json>)>,
}

impl Patch<'_> {
    /// An element that nobody has seen yet is added whole, if its `value` is among the edits: then it was never
    /// there. Of an address no single part tells, so its parts are replaced by filter; a provider that has no
    /// such element answers noTarget, and this is asked again with what it has.
    fn element(&mut self, element: &ElementEdits<'_>) {
        let there = match self.found {
            Some(found) => found.attributes.keys().any(|path| element_path(path).as_ref() == Some(&element.path)),
            None => element.known || !matches!(element.value(), Some(Some(_))),
        };
        match element.value() {
            Some(None) if there => self.operation("remove", &written(&element.path), None),
            Some(None) => {}
            Some(Some(_)) | None if there => {
                for (path, after) in &element.parts {
                    match after {
                        None => self.unset(path),
                        Some(after) => {
                            if let Some(value) = self.speech.value(path, after) {
                                self.operation("replace", &written(&part(path)), Some(value));
                            }
                        }
                    }
                }
            }
            Some(Some(_)) | None => self.addition(element),
        }
    }

    /// A new element. All that go to one attribute travel in one operation.
    fn addition(&mut self, element: &ElementEdits<'_>) {
        let parts: Vec<(String, Json)> = element
            .parts
            .iter()
            .filter_map(|(path, after)| {
                let value = self.speech.value(path, (*after)?)?;
                Some((path.sub_attribute().unwrap_or("value").to_owned(), value))
            })
            .collect();
        let Some(selector) = element.path.selector() else { return };
        if parts.is_empty() {
            return;
        }
        let object = self.speech.added_element(element.path.name(), selector, parts);
        let whole = collection(&element.path);
        match self.additions.iter_mut().find(|(attribute, _)| *attribute == whole) {
            Some((_, list)) => list.push(object),
            None => self.additions.push((whole, vec![object])),
        }
    }

    fn unset(&mut self, path: &AttributePath) {
        if self.found.is_some_and(|found| !found.attributes.contains_key(path)) {
            return;
        }
        match self.speech.knobs.unset {
            Unset::Remove => self.operation("remove", &written(path), None),
            Unset::Skip => {}
            Unset::Null => self.operation("replace", &written(path), Some(Json::Null)),
            Unset::Empty => self.operation("replace", &written(path), Some(Json::from(""))),
        }
    }

    fn operation(&mut self, op: &'static str, path: &str, value: Option<Json>) {
        let op = match (self.speech.knobs.op_case, op) {
            (OpCase::Title, "add") => "Add",
            (OpCase::Title, "replace") => "Replace",
            (OpCase::Title, "remove") => "Remove",
            (OpCase::Title | OpCase::Lower, op) => op,
        };
        let mut operation = Map::from_iter([("op".to_owned(), Json::from(op)), ("path".to_owned(), Json::from(path))]);
        if let Some(value) = value {
            operation.insert("value".to_owned(), value);
        }
        self.operations.push(Json::Object(operation));
    }
}

/// The path of the element that a path with a selector leads into.
fn element_path(path: &AttributePath) -> Option<AttributePath> {
    let selector = path.selector()?.clone();
    Some(AttributePath::assemble(extension(path).map(str::to_owned), path.name().to_owned(), Some(selector), None))
}

/// The multi-valued attribute itself.
fn collection(path: &AttributePath) -> String {
    let whole = AttributePath::assemble(extension(path).map(str::to_owned), path.name().to_owned(), None, None);
    whole.as_str().to_owned()
}

/// A part of an element; the element itself means its `value`.
fn part(path: &AttributePath) -> AttributePath {
    let sub = path.sub_attribute().unwrap_or("value").to_owned();
    AttributePath::assemble(path.schema().map(str::to_owned), path.name().to_owned(), path.selector().cloned(), Some(sub))
}

/// A path as it is sent: without the URN of a core schema, and the manager as a whole.
fn written(path: &AttributePath) -> String {
    let sub = path.sub_attribute().filter(|_| !is_manager(path)).map(str::to_owned);
    let schema = extension(path).map(str::to_owned);
    AttributePath::assemble(schema, path.name().to_owned(), path.selector().cloned(), sub).as_str().to_owned()
}
