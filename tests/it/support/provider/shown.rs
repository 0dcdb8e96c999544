//! How resources look in answers.

use serde_json::{Map, Value as Json, json};

use super::rules;
use super::state::State;

/// How answers are spelled, where that is not the RFC's way and not `odd_answers`, which is everything at once.
#[derive(Debug, Clone, Default)]
pub struct Spelling {
    /// `id` is a number.
    pub numeric_ids: bool,
    /// `"True"` and `"False"`.
    pub text_booleans: bool,
    /// Another media type than `application/scim+json`.
    pub media_type: Option<&'static str>,
}

/// A resource as it is shown.
pub fn shown(state: &State, id: &str, (kind, json): &(&'static str, Json), with_members: bool) -> Json {
    let personality = &state.personality;
    let mut json = json.clone();
    let object = json.as_object_mut().unwrap();
    if !with_members || personality.members_hidden {
        object.remove("members");
    }
    if let Some(list) = object.get_mut("members").and_then(Json::as_array_mut) {
        list.truncate(personality.membership.shown);
    }
    let place = format!("{}/{kind}s/{id}", state.base);
    let time = "2026-01-01T00:00:00Z";
    object.insert("meta".to_owned(), json!({ "resourceType": kind, "location": place, "created": time, "lastModified": time }));
    if personality.spelling.numeric_ids || personality.odd_answers {
        object.insert("id".to_owned(), id.parse::<u64>().map_or(json!(id), |number| json!(number)));
    }
    if personality.spelling.text_booleans || personality.odd_answers {
        text_booleans(object);
    }
    if personality.odd_answers {
        odd(object);
    }
    json
}

fn text_booleans(object: &mut Map<String, Json>) {
    if let Some(flag) = object.get("active").and_then(Json::as_bool) {
        object.insert("active".to_owned(), json!(if flag { "True" } else { "False" }));
    }
}

fn odd(object: &mut Map<String, Json>) {
    object.remove("schemas");
    object.entry("members").or_insert(Json::Null);
    if let Some(name) = object.remove("userName") {
        object.insert("username".to_owned(), name);
    }
    if let Some(Json::Object(parts)) = object.remove("name") {
        for (part, value) in parts {
            object.insert(format!("name.{part}"), value);
        }
    }
}

/// What a request wants to see of each resource (RFC 7644 §3.9).
#[derive(Debug, Default)]
pub struct Wish {
    only: Vec<String>,
    without: Vec<String>,
}

impl Wish {
    pub fn new(only: Option<&str>, without: Option<&str>) -> Self {
        let split = |text: Option<&str>| {
            let parts = text.unwrap_or_default().split(',').map(str::trim).filter(|part| !part.is_empty());
            parts.map(local).collect()
        };
        Self { only: split(only), without: split(without) }
    }

    pub fn grant(&self, mut json: Json) -> Json {
        let always = |name: &str| name == "id" || name == "schemas";
        if let Some(object) = json.as_object_mut() {
            let named = |list: &[String], name: &str| list.iter().any(|wanted| wanted.eq_ignore_ascii_case(name));
            object.retain(|name, _| always(name) || self.only.is_empty() || named(&self.only, name));
            object.retain(|name, _| always(name) || !named(&self.without, name));
        }
        json
    }
}

/// A name without its schema and its parts.
fn local(name: &str) -> String {
    let name = [rules::USER, rules::GROUP].iter().find_map(|schema| name.strip_prefix(schema)).map_or(name, |rest| &rest[1..]);
    if name.starts_with("urn:") { rules::ENTERPRISE.to_owned() } else { name.split('.').next().unwrap_or(name).to_owned() }
}
