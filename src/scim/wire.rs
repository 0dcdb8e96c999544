//! A flat resource becomes the JSON of RFC 7643. The other direction is in `found`.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use super::{Booleans, Knobs, ManagerForm, Unset, member_patch};
use crate::cycle::References;
use crate::model::{AttributePath, Resource, ResourceId, ResourceType, Selector, Value};

/// The core schemas and the one extension that RFC 7643 registers.
pub(super) const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
pub(super) const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
pub(super) const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// How a value is taken away.
pub(super) enum Nothing {
    /// By an operation of its own, or by being left out of the whole.
    Removed,
    /// By a value that stands for none.
    Said(Json),
    /// Not at all.
    Skipped,
}

/// What turns our values into theirs.
#[derive(Clone, Copy)]
pub(super) struct Speech<'a> {
    /// Deviations.
    pub(super) knobs: &'a Knobs,
    /// Ids of the entries that values refer to.
    pub(super) references: &'a References,
}

impl Speech<'_> {
    /// A value in JSON; `None` for a reference to an entry that has no resource.
    pub(super) fn value(&self, path: &AttributePath, value: &Value) -> Option<Json> {
        let text = match value {
            Value::Flag(flag) => return Some(self.flag(*flag)),
            Value::Text(text) => text.as_str(),
            Value::Reference(entry_id) => self.references.get(entry_id).map(ResourceId::as_str)?,
        };
        match self.knobs.manager {
            ManagerForm::Object if is_manager(path) => Some(json!({ "value": text })),
            ManagerForm::ManagerId if is_manager(path) => Some(json!({ "managerId": text })),
            ManagerForm::Off if is_manager(path) => None,
            ManagerForm::Object | ManagerForm::Text | ManagerForm::ManagerId | ManagerForm::Off => Some(Json::from(text)),
        }
    }

    /// How a value that was `before` is taken away. A boolean has no empty value, so it is removed instead.
    pub(super) fn nothing(&self, path: &AttributePath, before: Option<&Value>) -> Nothing {
        let manager = is_manager(path);
        if manager && self.knobs.manager == ManagerForm::Off {
            return Nothing::Skipped;
        }
        let flag = matches!(before, Some(Value::Flag(_)));
        match (self.knobs.unset, self.knobs.manager) {
            (Unset::Skip, _) => Nothing::Skipped,
            (Unset::Null, _) => Nothing::Said(Json::Null),
            (Unset::Remove, _) => Nothing::Removed,
            (Unset::Empty, _) if flag => Nothing::Removed,
            (Unset::Empty, ManagerForm::Object) if manager => Nothing::Said(json!({ "value": "" })),
            (Unset::Empty, ManagerForm::ManagerId) if manager => Nothing::Said(json!({ "managerId": "" })),
            (Unset::Empty, _) => Nothing::Said(Json::from("")),
        }
    }

    /// A boolean in JSON.
    pub(super) fn flag(&self, flag: bool) -> Json {
        match self.knobs.booleans {
            Booleans::Json => Json::Bool(flag),
            Booleans::Text => Json::from(if flag { "True" } else { "False" }),
        }
    }

    /// The body of a create. A group goes with the members that it has; an extension is named in `schemas` only if
    /// something of it is there (RFC 7643 §3.1).
    pub(super) fn document(&self, resource: &Resource) -> Json {
        let mut core = Map::new();
        let mut extensions: BTreeMap<&str, Map<String, Json>> = BTreeMap::new();
        let mut elements: BTreeMap<(Option<&str>, &str), Vec<Element>> = BTreeMap::new();
        for (path, value) in &resource.attributes {
            let Some(spoken) = self.value(path, value) else { continue };
            let schema = extension(path);
            if let Some(selector) = path.selector() {
                let list = elements.entry((schema, path.name())).or_default();
                Element::of(list, selector).insert(path.sub_attribute().unwrap_or("value").to_owned(), spoken);
                continue;
            }
            let body = match schema {
                None => &mut core,
                Some(schema) => extensions.entry(schema).or_default(),
            };
            place(body, path, spoken);
        }
        for ((schema, name), list) in elements {
            let list = self.with_primary(name, list);
            match schema {
                None => core.insert(name.to_owned(), list),
                Some(schema) => extensions.entry(schema).or_default().insert(name.to_owned(), list),
            };
        }
        let own = match resource.resource_type {
            ResourceType::User => USER,
            ResourceType::Group => GROUP,
        };
        let schemas: Vec<&str> = std::iter::once(own).chain(extensions.keys().copied()).collect();
        let mut body = Map::from_iter([("schemas".to_owned(), json!(schemas))]);
        body.append(&mut core);
        let members = member_patch::members(*self, &resource.members);
        if !members.is_empty() {
            body.insert("members".to_owned(), Json::Array(members));
        }
        body.extend(extensions.into_iter().map(|(schema, object)| (schema.to_owned(), Json::Object(object))));
        Json::Object(body)
    }

    /// Who is primary: of e-mails, the one of type `work`; where a create carries none, its first. That one goes
    /// first, for providers that keep only one. An element with a mapped `primary` of its own switches this off,
    /// and of other attributes nobody is primary: RFC 7643 §2.4 asks for at most one, and does not ask for one.
    fn with_primary(&self, name: &str, mut list: Vec<Element>) -> Json {
        if name.eq_ignore_ascii_case("emails") && !list.iter().any(|element| element.object.contains_key("primary")) {
            list.sort_by_key(|element| !is_work(&element.selector));
            if let Some(first) = list.first_mut() {
                first.object.insert("primary".to_owned(), self.flag(true));
            }
        }
        Json::Array(list.into_iter().map(|element| Json::Object(element.object)).collect())
    }

    /// An element that is added to what is there. Its `primary` is decided by its type alone, because the
    /// others are not known here: a `work` e-mail is, and the provider takes it from whoever had it (RFC 7643 §2.4).
    pub(super) fn added_element(&self, name: &str, selector: &Selector, parts: Vec<(String, Json)>) -> Json {
        let mut object = Map::from_iter(parts);
        object.insert(selector.attribute.clone(), Json::from(selector.value.as_str()));
        if name.eq_ignore_ascii_case("emails") && is_work(selector) && !object.contains_key("primary") {
            object.insert("primary".to_owned(), self.flag(true));
        }
        Json::Object(object)
    }
}

/// An element of a multi-valued attribute.
struct Element {
    selector: Selector,
    object: Map<String, Json>,
}

impl Element {
    /// The element that a selector chooses, made if it is not there.
    fn of<'a>(list: &'a mut Vec<Element>, selector: &Selector) -> &'a mut Map<String, Json> {
        let known = list.iter().position(|element| element.selector == *selector);
        let place = known.unwrap_or_else(|| {
            let object = Map::from_iter([(selector.attribute.clone(), Json::from(selector.value.as_str()))]);
            list.push(Element { selector: selector.clone(), object });
            list.len() - 1
        });
        #[expect(clippy::indexing_slicing, reason = "the place was found or made above")]
        &mut list[place].object
    }
}

fn is_work(selector: &Selector) -> bool {
    selector.attribute.eq_ignore_ascii_case("type") && selector.value.eq_ignore_ascii_case("work")
}

/// Puts a value at a path without a selector.
pub(super) fn place(body: &mut Map<String, Json>, path: &AttributePath, spoken: Json) {
    match path.sub_attribute() {
        Some(sub) if !is_manager(path) => {
            let whole = body.entry(path.name()).or_insert_with(|| Json::Object(Map::new()));
            if let Json::Object(object) = whole {
                object.insert(sub.to_owned(), spoken);
            }
        }
        Some(_) | None => {
            body.insert(path.name().to_owned(), spoken);
        }
    }
}

/// The schema of a path, if it is an extension: the core schemas are where attributes stand anyway.
pub(super) fn extension(path: &AttributePath) -> Option<&str> {
    path.schema().filter(|schema| !schema.eq_ignore_ascii_case(USER) && !schema.eq_ignore_ascii_case(GROUP))
}

/// The enterprise extension's manager, whole or its `value`.
pub(super) fn is_manager(path: &AttributePath) -> bool {
    path.schema().is_some_and(|schema| schema.eq_ignore_ascii_case(ENTERPRISE))
        && path.name() == "manager"
        && path.sub_attribute().is_none_or(|sub| sub == "value")
}
