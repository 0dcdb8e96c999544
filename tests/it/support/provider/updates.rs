//! How a provider lets resources be changed, and PUT (RFC 7644 §3.5.1) as providers understand it.

use serde_json::{Map, Value as Json, json};

use super::lifecycle;
use super::rules;
use super::state::{Refusal, State};

/// How resources are changed.
#[derive(Debug, Clone)]
pub struct Updates {
    /// The status of the answer to PATCH where there is none.
    pub no_patch_status: u16,
    /// Operations without a path.
    pub pathless: Pathless,
    /// The only attributes of users that PATCH takes; anything else is 400.
    pub user_patch_only: &'static [&'static str],
    /// What PUT does with what it is not told.
    pub put: Put,
    /// PUT is answered with 204 and no body.
    pub put_without_body: bool,
    /// A second write to a resource whose first is not answered yet is 429.
    pub locks: bool,
}

impl Default for Updates {
    fn default() -> Self {
        Self {
            no_patch_status: 501,
            pathless: Pathless::NotOurs,
            user_patch_only: &[],
            put: Put::Replaces,
            put_without_body: false,
            locks: false,
        }
    }
}

/// Operations without a path (RFC 7644 §3.5.2 allows them).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pathless {
    /// Applied; and noted as a violation, since we send none unless told to.
    NotOurs,
    Taken,
    /// 400.
    Refused,
}

/// What PUT does with attributes that it is not told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// They are gone.
    Replaces,
    /// They stay (New Relic).
    Merges,
    /// They are gone, and who is not said to be active is not (Slack).
    Blanks,
    /// There is no PUT, only this status.
    Refused(u16),
}

pub fn put(state: &mut State, id: &str, body: &Json) -> Result<(), Refusal> {
    let (kind, before) = state.resources.get(id).cloned().ok_or((404, "", "no such resource".to_owned()))?;
    let mut document = body.as_object().cloned().unwrap_or_default();
    for read_only in ["meta", "groups", "id"] {
        document.remove(read_only);
    }
    match state.personality.updates.put {
        Put::Refused(status) => return Err((status, "", "no PUT".to_owned())),
        Put::Replaces => {}
        Put::Merges => {
            let mut merged = before.as_object().cloned().unwrap_or_default();
            merged.extend(document);
            document = merged;
        }
        Put::Blanks if kind == "User" => drop(document.entry("active").or_insert(json!(false))),
        Put::Blanks => {}
    }
    document.retain(|_, value| !value.is_null() && value.as_array().is_none_or(|list| !list.is_empty()));
    if kind == "Group" {
        super::membership::judge_all(state, &document)?;
    }
    document.insert("id".to_owned(), json!(id));
    state.unique(kind, Some(id), &Json::Object(document.clone()))?;
    lifecycle::keep(state, kind, id, Json::Object(document));
    Ok(())
}

/// What is wrong with the body of a PUT itself: as with a create, but for what a PUT may say too.
pub fn check_put(kind: &str, path: &str, body: &Json) -> Result<(), String> {
    let mut object: Map<String, Json> = body.as_object().cloned().ok_or("the body is not an object")?;
    if let Some(id) = object.remove("id")
        && !path.ends_with(id.as_str().unwrap_or("(not a string)"))
    {
        return Err("the id is another".to_owned());
    }
    for name in ["meta", "groups"] {
        if object.contains_key(name) {
            return Err(format!("{name} is not for clients to send"));
        }
    }
    // Explicit emptiness is how a PUT clears (RFC 7644 §3.5.1).
    object.retain(|_, value| value.as_array().is_none_or(|list| !list.is_empty()));
    rules::document(kind, &Json::Object(object))
}
