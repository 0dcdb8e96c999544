//! Edits become the operations of a PATCH (RFC 7644 §3.5.2): each attribute by its own path, true deltas only.

use serde_json::{Map, Value as Json, json};

use super::url::quoted;
use super::wire::{Nothing, Speech, extension, is_manager, place};
use super::{OpCase, PatchForm, Unset, member_patch};
use crate::cycle::Found;
use crate::model::{AttributePath, Value};
use crate::plan::Edit;

/// The body of a PATCH; `None` if nothing is left to say. `found` is the resource as it was read, once the
/// provider said that it cannot find what an edit speaks of.
pub(super) fn body(speech: Speech<'_>, edits: &[Edit], found: Option<&Found>) -> Option<Json> {
    let mut patch = Patch { speech, found, operations: Vec::new(), additions: Vec::new(), pathless: Map::new() };
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
                    patch.replace(path, value);
                }
            }
            Edit::Attribute { path, before, after: None } => patch.unset(path, before.as_ref()),
            Edit::Members { .. } | Edit::Foreign { .. } => {
                for (op, path, value) in member_patch::operations(speech, edit, found) {
                    patch.operation(op, &path, value);
                }
            }
        }
    }
    patch.say_pathless();
    let operations = patch.operations;
    (!operations.is_empty())
        .then(|| json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations }))
}

/// What happens to one element of a multi-valued attribute: its path, and its parts with their values.
struct ElementEdits<'a> {
    path: AttributePath,
    known: bool,
    parts: Vec<Part<'a>>,
}

/// A part of an element: where, what it was, what it should be.
type Part<'a> = (&'a AttributePath, Option<&'a Value>, Option<&'a Value>);

impl ElementEdits<'_> {
    /// The edits of `value`, the part without which an e-mail or a telephone number is nothing.
    fn value(&self) -> Option<Option<&Value>> {
        self.parts.iter().find(|(path, ..)| path.sub_attribute().is_none_or(|sub| sub == "value")).map(|(.., after)| *after)
    }
}

/// The edits of elements, one for each element, in their order.
fn elements(edits: &[Edit]) -> Vec<ElementEdits<'_>> {
    let mut all: Vec<ElementEdits<'_>> = Vec::new();
    for edit in edits {
        let Edit::Attribute { path, before, after } = edit else { continue };
        let Some(element) = element_path(path) else { continue };
        let part = (path, before.as_ref(), after.as_ref());
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
    pathless: Map<String, Json>,
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
            Some(None) if there && self.speech.knobs.unset == Unset::Remove => {
                self.operation("remove", &written(&element.path), None);
            }
            Some(None) if there => {
                for (path, before, _) in &element.parts {
                    self.unset(&part(path), *before);
                }
            }
            Some(None) => {}
            Some(Some(_)) | None if there => {
                for (path, before, after) in &element.parts {
                    match after {
                        None => self.unset(path, *before),
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
            .filter_map(|(path, _, after)| {
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

    /// A value for an attribute that has no elements.
    fn replace(&mut self, path: &AttributePath, value: Json) {
        if path.selector().is_some() || self.speech.knobs.patch_form == PatchForm::Path {
            return self.operation("replace", &written(path), Some(value));
        }
        let body = match extension(path) {
            None => Some(&mut self.pathless),
            Some(schema) => self.pathless.entry(schema.to_owned()).or_insert_with(|| Json::Object(Map::new())).as_object_mut(),
        };
        if let Some(body) = body {
            place(body, path, value);
        }
    }

    /// What has no path of its own, in one operation and first (RFC 7644 §3.5.2.3).
    fn say_pathless(&mut self) {
        let whole = std::mem::take(&mut self.pathless);
        if !whole.is_empty() {
            self.operation("replace", "", Some(Json::Object(whole)));
            self.operations.rotate_right(1);
        }
    }

    /// Takes a value away. Where that is skipped, the value stays there and counts as taken away.
    fn unset(&mut self, path: &AttributePath, before: Option<&Value>) {
        let missing = self.found.is_some_and(|found| {
            let whole = part(path);
            !found.attributes.contains_key(path) && (path.selector().is_none() || !found.attributes.contains_key(&whole))
        });
        if missing {
            return;
        }
        match self.speech.nothing(path, before) {
            Nothing::Removed => self.operation("remove", &written(path), None),
            Nothing::Said(value) => self.replace(path, value),
            Nothing::Skipped => {}
        }
    }

    fn operation(&mut self, op: &'static str, path: &str, value: Option<Json>) {
        let op = match (self.speech.knobs.op_case, op) {
            (OpCase::Title, "add") => "Add",
            (OpCase::Title, "replace") => "Replace",
            (OpCase::Title, "remove") => "Remove",
            (OpCase::Title | OpCase::Lower, op) => op,
        };
        let mut operation = Map::from_iter([("op".to_owned(), Json::from(op))]);
        if !path.is_empty() {
            operation.insert("path".to_owned(), Json::from(path));
        }
        if let Some(value) = value {
            operation.insert("value".to_owned(), value);
        }
        self.operations.push(Json::Object(operation));
    }
}

/// The path of the element that a path with a selector leads into.
pub(super) fn element_path(path: &AttributePath) -> Option<AttributePath> {
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

/// A path as it is sent: without the URN of a core schema, the manager as a whole, and what an element is chosen by as
/// a JSON string.
fn written(path: &AttributePath) -> String {
    let schema = extension(path).map(|schema| format!("{schema}:")).unwrap_or_default();
    let selector = path.selector();
    let selector = selector.map(|chosen| format!("[{} eq {}]", chosen.attribute, quoted(&chosen.value))).unwrap_or_default();
    let sub = path.sub_attribute().filter(|_| !is_manager(path)).map(|sub| format!(".{sub}")).unwrap_or_default();
    format!("{schema}{}{selector}{sub}", path.name())
}
