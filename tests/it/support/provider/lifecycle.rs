//! What becomes of resources: names that are changed on the way in, ids that follow something else, accounts that
//! vanish when they are switched off, reads that lag behind.

use serde_json::{Value as Json, json};

use super::state::State;

/// What becomes of resources.
#[derive(Debug, Clone, Default)]
pub struct Lifecycle {
    /// The id of a user is its externalId, and follows it (GitLab).
    pub id_is_external_id: bool,
    /// What becomes of users who are switched off.
    pub deactivated: Deactivated,
    /// DELETE switches a user off (Slack, Salesforce).
    pub delete_switches_off: bool,
    /// What becomes of names.
    pub names: Names,
    /// After a write so many reads show what was before.
    pub stale_reads: usize,
    /// A list without a filter is one user who is nobody (Snowflake).
    pub synthetic_list: bool,
}

/// What becomes of users who are switched off.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Deactivated {
    #[default]
    Kept,
    /// The account is removed (Sentry, GitLab.com).
    Deleted,
    /// It answers 404 to everything but being switched on again (Atlassian).
    Missing,
}

/// What becomes of names on the way in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Names {
    #[default]
    Kept,
    LowerCase,
    /// Names of groups become slugs (Sentry).
    Slug,
}

/// Keeps a document that was judged, as the personality does.
pub fn keep(state: &mut State, kind: &'static str, id: &str, mut document: Json) {
    let lifecycle = state.personality.lifecycle.clone();
    let name_at = if kind == "User" { "userName" } else { "displayName" };
    if let Some(name) = document[name_at].as_str().map(str::to_lowercase) {
        match lifecycle.names {
            Names::LowerCase => document[name_at] = json!(name),
            Names::Slug if kind == "Group" => document[name_at] = json!(name.replace(' ', "-")),
            Names::Kept | Names::Slug => {}
        }
    }
    if let Some(flag) = document["active"].as_str().map(|text| text.eq_ignore_ascii_case("true")) {
        document["active"] = json!(flag);
    }
    state.remember(id);
    let mut own = id.to_owned();
    if let (true, "User", Some(external)) = (lifecycle.id_is_external_id, kind, document["externalId"].as_str()) {
        external.clone_into(&mut own);
        document["id"] = json!(own);
        if own != id {
            state.resources.remove(id);
            rename_member(state, id, &own);
        }
    }
    if lifecycle.deactivated == Deactivated::Deleted && document["active"] == false {
        state.discard(&own);
        return;
    }
    state.resources.insert(own, (kind, document));
}

fn rename_member(state: &mut State, from: &str, to: &str) {
    for (_, json) in state.resources.values_mut() {
        for member in json.get_mut("members").and_then(Json::as_array_mut).into_iter().flatten() {
            if member["value"] == from {
                member["value"] = json!(to);
            }
        }
    }
}

/// True if a resource answers 404 although it is there.
pub fn missing(state: &State, json: &Json) -> bool {
    state.personality.lifecycle.deactivated == Deactivated::Missing && json["active"] == false
}

/// True if a change switches a user on.
pub fn revives(body: &Json) -> bool {
    let on = |json: &Json| json["active"] == true;
    let operations = body["Operations"].as_array();
    on(body)
        || operations.into_iter().flatten().any(|operation| {
            (operation["path"] == "active" && operation["value"] == true)
                || operation["path"].is_null() && on(&operation["value"])
        })
}
