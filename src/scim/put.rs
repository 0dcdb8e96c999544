//! A resource said whole (RFC 7644 §3.5.1): what is there, or what was acknowledged, with the edits laid over it.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json, json};

use super::PutMode;
use super::found::{get, plain};
use super::wire::{GROUP, Nothing, Speech, USER, extension, is_manager, place};
use crate::cycle::TargetError;
use crate::model::{AttributePath, EntryId, ResourceId, ResourceType, Selector, Value};
use crate::plan::Edit;

/// What the provider itself writes (RFC 7643 §3.1, §4.1.2), and what nobody can read.
const THEIRS: &[&str] = &["meta", "groups", "password", "schemas", "schema"];

/// The body of a PUT. `read` is the resource as it was read just now; without it, all that is said is what was
/// acknowledged. A group's members are always those that were read.
pub(super) fn body(
    speech: Speech<'_>,
    resource_type: ResourceType,
    id: &ResourceId,
    edits: &[Edit],
    read: Option<&Json>,
) -> Result<Json, TargetError> {
    let acknowledged = speech.references.acknowledged.as_deref();
    let read = read.and_then(Json::as_object);
    let base = match (speech.knobs.put_mode, acknowledged, read) {
        (PutMode::Full, Some(held), _) => speech.document(held).as_object().cloned().unwrap_or_default(),
        (_, _, Some(read)) => kept(read),
        (_, _, None) => return Err(unsaid("what the resource holds is not known")),
    };
    let mut whole = Whole { speech, body: base };
    whole.body.remove("schemas");
    if speech.knobs.put_mode == PutMode::Full || get(&whole.body, "id").is_none() {
        whole.body.insert("id".to_owned(), Json::from(id.as_str()));
    }
    for edit in edits {
        if let Edit::Attribute { path, before, after } = edit {
            whole.lay(path, before.as_ref(), after.as_ref());
        }
    }
    match resource_type {
        ResourceType::User => whole.state_active(),
        ResourceType::Group => {
            let read = read.ok_or_else(|| unsaid("the members of the group cannot be read"))?;
            whole.state_members(read, edits)?;
        }
    }
    Ok(whole.finished(resource_type))
}

/// What was read, without what is the provider's own and without values that are none. Names with a dot are taken apart.
fn kept(read: &Map<String, Json>) -> Map<String, Json> {
    let mut body = Map::new();
    for (name, value) in read {
        if value.is_null() || THEIRS.iter().any(|theirs| name.eq_ignore_ascii_case(theirs)) {
            continue;
        }
        body.insert(name.clone(), value.clone());
    }
    let dotted: Vec<String> = body.keys().filter(|name| name.contains('.') && !is_urn(name)).cloned().collect();
    for name in dotted {
        if let (Some(value), Ok(path)) = (body.remove(&name), AttributePath::parse(&name))
            && get(&body, path.name())
                .and_then(Json::as_object)
                .is_none_or(|object| path.sub_attribute().is_some_and(|sub| get(object, sub).is_none()))
        {
            place(&mut body, &path, value);
        }
    }
    body
}

struct Whole<'a> {
    speech: Speech<'a>,
    body: Map<String, Json>,
}

impl Whole<'_> {
    fn lay(&mut self, path: &AttributePath, before: Option<&Value>, after: Option<&Value>) {
        let value = match after {
            Some(after) => match self.speech.value(path, after) {
                Some(value) => Some(value),
                None => return,
            },
            None => match self.speech.nothing(path, before) {
                Nothing::Removed => None,
                Nothing::Said(value) => Some(value),
                Nothing::Skipped => return,
            },
        };
        let speech = self.speech;
        let holder = match extension(path) {
            None => Some(&mut self.body),
            Some(schema) => object_at(&mut self.body, schema),
        };
        let Some(holder) = holder else { return };
        match (path.selector(), path.sub_attribute().filter(|_| !is_manager(path))) {
            (Some(selector), sub) => lay_element(speech, holder, path.name(), selector, sub.unwrap_or("value"), value),
            (None, Some(sub)) => {
                if let Some(object) = object_at(holder, path.name()) {
                    set(object, sub, value);
                }
            }
            (None, None) => set(holder, path.name(), value),
        }
    }

    /// A user always carries `active`: what is left out may be taken for false, or for true.
    fn state_active(&mut self) {
        let shown = match get(&self.body, "active") {
            Some(Json::Bool(flag)) => Some(*flag),
            Some(Json::String(text)) if text.eq_ignore_ascii_case("true") => Some(true),
            Some(Json::String(text)) if text.eq_ignore_ascii_case("false") => Some(false),
            _ => None,
        };
        let held = || self.speech.references.acknowledged.as_ref().and_then(|held| held.active());
        let flag = shown.or_else(held).map(|flag| self.speech.flag(flag));
        set(&mut self.body, "active", flag);
    }

    /// All members, even none. What is left out of them leaves the group, so fewer than we know of are not believed.
    fn state_members(&mut self, read: &Map<String, Json>, edits: &[Edit]) -> Result<(), TargetError> {
        let shown = get(read, "members").and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
        // Whoever is to be removed may be gone: an earlier request may have done it, and its answer was lost.
        let leaves = |entry: &EntryId| {
            edits.iter().any(|edit| match edit {
                Edit::Members { remove, .. } => remove.contains(entry),
                Edit::Attribute { .. } | Edit::Foreign { .. } => false,
            })
        };
        let held = self.speech.references.acknowledged.as_ref();
        let expected = held.map_or(0, |held| held.members.iter().filter(|entry| !leaves(entry)).count());
        if expected > shown.len() {
            return Err(unsaid(
                "it shows fewer members of the group than it was given, and sending all would remove the others; \
                 if they were removed there by hand, `ldap2scim resync` takes note of it",
            ));
        }
        let id = |member: &Json| match member {
            Json::Object(object) => get(object, "value").and_then(plain),
            other => plain(other),
        };
        let references = self.speech.references;
        let known = |entries: &BTreeSet<_>| -> BTreeSet<ResourceId> {
            entries.iter().filter_map(|entry| references.get(entry)).cloned().collect()
        };
        let mut members: Vec<(String, Json)> =
            shown.iter().filter_map(|member| id(member).map(|id| (id, self.member(member)))).collect();
        for edit in edits {
            let (add, remove) = match edit {
                Edit::Members { add, remove } => (known(add), known(remove)),
                Edit::Foreign { remove } => (BTreeSet::new(), remove.clone()),
                Edit::Attribute { .. } => continue,
            };
            members.retain(|(id, _)| !remove.contains(&ResourceId::new(id)));
            let there: BTreeSet<String> = members.iter().map(|(id, _)| id.clone()).collect();
            let new = add.iter().map(ResourceId::as_str).filter(|id| !there.contains(*id));
            let kind = |id: &str| match self.speech.knobs.member_type {
                true => json!({ "value": id, "type": "User" }),
                false => json!({ "value": id }),
            };
            members.extend(new.map(|id| (id.to_owned(), kind(id))));
        }
        let members = members.into_iter().map(|(_, member)| member).collect();
        set(&mut self.body, "members", Some(Json::Array(members)));
        Ok(())
    }

    /// A member as it was read; where only what we manage is sent, its value and type.
    fn member(&self, read: &Json) -> Json {
        match (self.speech.knobs.put_mode, read) {
            (PutMode::Full, Json::Object(object)) => {
                let kept = ["value", "type"].into_iter().filter_map(|name| Some((name.to_owned(), get(object, name)?.clone())));
                Json::Object(kept.collect())
            }
            (PutMode::Read, Json::Object(object)) => Json::Object(object.clone()),
            (PutMode::Read | PutMode::Full, other) => json!({ "value": other }),
        }
    }

    /// With the schemas of what is there (RFC 7643 §3.1), and nothing without anything in it.
    fn finished(mut self, resource_type: ResourceType) -> Json {
        self.body.retain(|_, value| value.as_object().is_none_or(|object| !object.is_empty()));
        let own = match resource_type {
            ResourceType::User => USER,
            ResourceType::Group => GROUP,
        };
        let extensions =
            self.body.iter().filter(|(name, value)| is_urn(name) && value.is_object()).map(|(name, _)| name.as_str());
        let schemas: Vec<&str> = std::iter::once(own).chain(extensions).collect();
        let schemas = json!(schemas);
        self.body.insert("schemas".to_owned(), schemas);
        Json::Object(self.body)
    }
}

fn lay_element(
    speech: Speech<'_>,
    holder: &mut Map<String, Json>,
    name: &str,
    selector: &Selector,
    sub: &str,
    value: Option<Json>,
) {
    let mut list = match take(holder, name) {
        Some(Json::Array(list)) => list,
        _ => Vec::new(),
    };
    let chosen = |element: &Json| {
        let held = element.as_object().and_then(|object| get(object, &selector.attribute)).and_then(plain);
        held.is_some_and(|held| held.eq_ignore_ascii_case(&selector.value))
    };
    let place = list.iter().position(chosen);
    let element = place.and_then(|place| list.get_mut(place)).and_then(Json::as_object_mut);
    match (element, value) {
        (Some(_), None) if sub == "value" => list.retain(|element| !chosen(element)),
        (Some(element), value) => set(element, sub, value),
        (None, None) => {}
        (None, Some(value)) => {
            let added = speech.added_element(name, selector, vec![(sub.to_owned(), value)]);
            if get_flag(&added, "primary") {
                list.iter_mut().filter_map(Json::as_object_mut).for_each(|other| set(other, "primary", None));
            }
            list.push(added);
        }
    }
    holder.insert(name.to_owned(), Json::Array(list));
}

fn get_flag(element: &Json, name: &str) -> bool {
    element.as_object().is_some_and(|object| get(object, name).is_some())
}

/// Sets a name in whatever case it stands there, or takes it away.
fn set(object: &mut Map<String, Json>, name: &str, value: Option<Json>) {
    take(object, name);
    if let Some(value) = value {
        object.insert(name.to_owned(), value);
    }
}

fn take(object: &mut Map<String, Json>, name: &str) -> Option<Json> {
    let key = object.keys().find(|key| key.eq_ignore_ascii_case(name)).cloned()?;
    object.remove(&key)
}

/// The object at a name, made if it is not there.
fn object_at<'a>(holder: &'a mut Map<String, Json>, name: &str) -> Option<&'a mut Map<String, Json>> {
    let key = holder.keys().find(|key| key.eq_ignore_ascii_case(name)).cloned().unwrap_or_else(|| name.to_owned());
    let held = holder.entry(key).or_insert(Json::Null);
    if !held.is_object() {
        *held = Json::Object(Map::new());
    }
    held.as_object_mut()
}

fn is_urn(name: &str) -> bool {
    name.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("urn:"))
}

fn unsaid(why: &str) -> TargetError {
    TargetError::Rejected { status: 400, detail: format!("not sent: the target takes it only whole, and {why}") }
}
