//! Lists and look-ups: filters, pages, cursors, `POST /.search`.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::lifecycle::missing;
use super::shown::{Wish, shown};
use super::state::{Refusal, State, same};
use super::{Filter, Paging, rules};

/// The parameters of a list by name, however they came.
pub type Asked = BTreeMap<String, String>;

pub fn from_query(query: &str) -> Asked {
    url::form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

pub fn from_body(body: &Json) -> Asked {
    let text = |value: &Json| match value {
        Json::String(text) => text.clone(),
        Json::Array(list) => list.iter().filter_map(Json::as_str).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    };
    body.as_object().into_iter().flatten().map(|(name, value)| (name.clone(), text(value))).collect()
}

/// Resources of a type, or of every type.
pub fn list(state: &mut State, kind: Option<&str>, asked: &Asked) -> Result<Json, Refusal> {
    let number = |name: &str, default| asked.get(name).map_or(Ok(default), |text| text.parse::<usize>());
    let bad = |_| (400, "invalidValue", "startIndex and count are numbers".to_owned());
    let (start, count) = (number("startIndex", 1).map_err(bad)?, number("count", state.personality.page_cap).map_err(bad)?);
    let wish = Wish::new(asked.get("attributes").map(String::as_str), asked.get("excludedAttributes").map(String::as_str));
    let without_members = asked.get("excludedAttributes").is_some_and(|names| names == "members");
    if kind == Some("Group") && !without_members && state.personality.group_lists_exclude_members {
        state.violations.push(format!("groups are listed with their members: {asked:?}"));
    }
    let wanted = wanted(state, asked)?;
    if wanted.is_none() && state.personality.lifecycle.synthetic_list && kind == Some("User") {
        let nobody = json!({ "schemas": [rules::USER], "id": "nobody", "userName": "SYNTHETIC", "active": true });
        return Ok(page(state, vec![nobody], start, count, asked));
    }
    let chosen: Vec<Json> = state
        .visible()
        .iter()
        .filter(|(_, (own, json))| kind.is_none_or(|kind| *own == kind) && !hidden(state, json) && !missing(state, json))
        .filter(|(id, (_, json))| wanted.as_ref().is_none_or(|(attribute, value)| matches(state, id, json, attribute, value)))
        .map(|(id, resource)| wish.grant(shown(state, id, resource, !without_members)))
        .collect();
    state.grow_older();
    if chosen.is_empty() && wanted.is_some() && state.personality.filter == Filter::NotFoundIfNone {
        return Err((404, "", "nobody".to_owned()));
    }
    Ok(page(state, chosen, start, count, asked))
}

fn wanted(state: &mut State, asked: &Asked) -> Result<Option<(String, String)>, Refusal> {
    let Some(text) = asked.get("filter") else { return Ok(None) };
    if let Filter::Refused(status) = state.personality.filter {
        return Err((status, "invalidFilter", "no filters".to_owned()));
    }
    if text.starts_with("groups.value") && !state.personality.filters_by_group {
        return Err((400, "invalidFilter", "users cannot be filtered so".to_owned()));
    }
    match rules::filter(text) {
        Ok(wanted) => Ok(Some(wanted).filter(|_| state.personality.filter != Filter::Ignored)),
        Err(why) => {
            state.violations.push(why.clone());
            Err((400, "invalidFilter", why))
        }
    }
}

pub fn hidden(state: &State, json: &Json) -> bool {
    state.personality.hidden.iter().any(|name| same(&json["userName"], name) || same(&json["displayName"], name))
}

fn matches(state: &State, id: &str, json: &Json, attribute: &str, value: &str) -> bool {
    match attribute {
        "userName" | "displayName" => same(&json[attribute], value),
        "emails.value" => json["emails"].as_array().into_iter().flatten().any(|mail| same(&mail["value"], value)),
        r#"emails[type eq "work"].value"# => {
            json["emails"].as_array().into_iter().flatten().any(|mail| mail["type"] == "work" && same(&mail["value"], value))
        }
        "groups.value" => {
            let members = state.resources.get(value).and_then(|(_, group)| group["members"].as_array());
            members.into_iter().flatten().any(|member| member["value"] == json!(id))
        }
        _ => json[attribute] == json!(value),
    }
}

/// A page as the personality cuts it, from resources already filtered.
fn page(state: &State, all: Vec<Json>, start: usize, count: usize, asked: &Asked) -> Json {
    let paging = state.personality.paging;
    let total = all.len();
    let start = match paging {
        Paging::RepeatsFirst => 1,
        Paging::Cursor => 1 + asked.get("cursor").and_then(|cursor| cursor.parse::<usize>().ok()).unwrap_or_default(),
        _ => start.max(1),
    };
    let page: Vec<Json> = all.into_iter().skip(start - 1).take(count.min(state.personality.page_cap)).collect();
    let received = page.len();
    let mut list = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"], "totalResults": total, "startIndex": start,
        "itemsPerPage": received, "Resources": page
    });
    let object = list.as_object_mut().unwrap();
    match paging {
        Paging::NoTotal => drop(object.remove("totalResults")),
        Paging::TotalAsText => drop(object.insert("totalResults".to_owned(), json!(total.to_string()))),
        Paging::TotalTooHigh(more) => drop(object.insert("totalResults".to_owned(), json!(total + more))),
        Paging::Cursor => {
            // RFC 9865: a next cursor where there is more, and no index.
            object.remove("totalResults");
            object.remove("startIndex");
            if asked.contains_key("cursor") && start - 1 + received < total {
                object.insert("nextCursor".to_owned(), json!((start - 1 + received).to_string()));
            }
        }
        Paging::Honest | Paging::RepeatsFirst => {}
    }
    if state.personality.odd_answers {
        let resources = object.remove("Resources").unwrap();
        object.insert("resources".to_owned(), resources);
        object.remove("schemas");
    }
    list
}
