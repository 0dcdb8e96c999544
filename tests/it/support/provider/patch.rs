//! PATCH (RFC 7644 §3.5.2), atomic: checked, applied to a copy, and kept only if all of it holds.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};

use super::MemberRemove;
use super::rules::{self, Path};
use super::state::{Refusal, State};

/// What is wrong with the request itself, apart from what it meets.
pub fn check(state: &State, kind: &str, body: &Json) -> Result<(), String> {
    if body["schemas"] != json!(["urn:ietf:params:scim:api:messages:2.0:PatchOp"]) {
        return Err("schemas is not exactly PatchOp".to_owned());
    }
    let operations = body["Operations"].as_array().filter(|list| !list.is_empty()).ok_or("no Operations")?;
    let entra = state.personality.entra_requests;
    let mut paths = BTreeSet::new();
    for operation in operations {
        let op = operation["op"].as_str().ok_or("an operation without op")?;
        if op != op.to_lowercase() && !entra {
            return Err(format!("op {op} is not in lower case"));
        }
        let path = operation["path"].as_str().ok_or("an operation without path")?;
        if !paths.insert((path, op)) {
            return Err(format!("{path} is there twice"));
        }
        let parsed = rules::path(kind, path)?;
        let value = operation.get("value");
        match (op.to_lowercase().as_str(), value) {
            ("add" | "replace", Some(value)) if !value.is_null() => {}
            ("remove", None) => {}
            ("remove", Some(_)) if path == "members" && state.personality.member_remove.has_value() => {}
            _ => return Err(format!("{op} of {path} with this value")),
        }
        if let ("manager", Some(value)) = (parsed.name.as_str(), value) {
            rules::manager(value, state.personality.manager_is_text)?;
        }
        if let Some(value) = value {
            let last = parsed.sub.as_deref().unwrap_or(&parsed.name);
            rules::booleans(&json!({ last: value }), entra)?;
        }
    }
    let members =
        operations.iter().filter(|operation| operation["path"].as_str().is_some_and(|path| path.starts_with("members"))).count();
    if members > 0 && members < operations.len() {
        return Err("members and attributes are mixed".to_owned());
    }
    Ok(())
}

pub fn apply(state: &mut State, id: &str, body: &Json) -> Result<(), Refusal> {
    let (kind, mut document) = state.resources.get(id).cloned().ok_or((404, "", "no such resource".to_owned()))?;
    let operations = body["Operations"].as_array().cloned().unwrap_or_default();
    let touched: usize = operations.iter().map(|operation| operation["value"].as_array().map_or(1, Vec::len)).sum();
    if kind == "Group" && touched > state.personality.members_per_request {
        return Err((state.personality.members_cap_status, "", "One or more Group members are invalid".to_owned()));
    }
    for operation in &operations {
        let path = rules::path(kind, operation["path"].as_str().unwrap_or_default()).map_err(|why| (400, "invalidPath", why))?;
        let op = operation["op"].as_str().unwrap_or_default().to_lowercase();
        if path.name == "members" {
            members(state, &mut document, &op, &path, &operation["value"])?;
        } else {
            attribute(state, &mut document, &op, &path, &operation["value"])?;
        }
    }
    if document["userName"].is_null() && kind == "User" || document["displayName"].is_null() && kind == "Group" {
        return Err((400, "mutability", "a required attribute cannot be removed".to_owned()));
    }
    state.unique(kind, Some(id), &document)?;
    state.resources.insert(id.to_owned(), (kind, document));
    Ok(())
}

fn members(state: &State, document: &mut Json, op: &str, path: &Path, value: &Json) -> Result<(), Refusal> {
    let list = document.as_object_mut().unwrap().entry("members").or_insert_with(|| json!([])).as_array_mut().unwrap();
    let ids: Vec<String> = match &path.filter {
        Some((_, id)) => vec![id.clone()],
        None => value.as_array().into_iter().flatten().filter_map(|member| member["value"].as_str()).map(str::to_owned).collect(),
    };
    match (op, &path.filter) {
        ("add", None) => {
            for id in ids {
                if !state.resources.contains_key(&id) && state.personality.unknown_member == 200 {
                    continue;
                }
                if !state.resources.contains_key(&id) && state.personality.unknown_member != 0 {
                    return Err((state.personality.unknown_member, "", "no such member".to_owned()));
                }
                let there = list.iter().any(|member| member["value"] == json!(id));
                if there && state.personality.readd_is_conflict {
                    return Err((409, "", "is a member".to_owned()));
                }
                if !there {
                    list.push(json!({ "value": id }));
                }
            }
        }
        ("remove", filter) => {
            if filter.is_some() && !state.personality.member_remove.has_filter() {
                return Err((501, "", "no filters in paths".to_owned()));
            }
            match state.personality.member_remove {
                MemberRemove::ValueIgnored | MemberRemove::AllOrNothing if filter.is_none() => list.clear(),
                MemberRemove::FirstOfValueArray if ids.len() > 1 => list.retain(|member| member["value"] != json!(ids[0])),
                _ => {}
            }
            if filter.is_none()
                && !matches!(state.personality.member_remove, MemberRemove::ValueArray)
                && (ids.len() > 1 || list.is_empty())
            {
                return Ok(());
            }
            for id in ids {
                let before = list.len();
                list.retain(|member| member["value"] != json!(id));
                if list.len() == before {
                    return Err((400, "noTarget", "is no member".to_owned()));
                }
            }
        }
        ("replace", None) => *list = value.as_array().cloned().unwrap_or_default(),
        _ => return Err((400, "invalidPath", "members are added and removed".to_owned())),
    }
    Ok(())
}

fn attribute(state: &State, document: &mut Json, op: &str, path: &Path, value: &Json) -> Result<(), Refusal> {
    let root = document.as_object_mut().unwrap();
    let container = match &path.schema {
        Some(schema) => root.entry(schema.clone()).or_insert_with(|| json!({})).as_object_mut().unwrap(),
        None => root,
    };
    let Some((filter_by, wanted)) = &path.filter else {
        match (op, &path.sub) {
            ("remove", None) => drop(container.remove(&path.name)),
            ("remove", Some(sub)) => {
                drop(container.get_mut(&path.name).and_then(Json::as_object_mut).map(|object| object.remove(sub)))
            }
            ("add", None) if value.is_array() => {
                let list = container.entry(path.name.clone()).or_insert_with(|| json!([])).as_array_mut().unwrap();
                for element in value.as_array().unwrap() {
                    if element["primary"] == true {
                        list.iter_mut().for_each(|other| drop(other.as_object_mut().unwrap().remove("primary")));
                    }
                    if !list.contains(element) {
                        list.push(element.clone());
                    }
                }
            }
            (_, None) => drop(container.insert(path.name.clone(), value.clone())),
            (_, Some(sub)) => {
                let whole = container.entry(path.name.clone()).or_insert_with(|| json!({}));
                whole[sub] = value.clone();
            }
        }
        return Ok(());
    };
    let list = container.get_mut(&path.name).and_then(Json::as_array_mut);
    let chosen = list.as_ref().and_then(|list| list.iter().position(|element| element[filter_by] == json!(wanted)));
    let (Some(list), Some(chosen)) = (list, chosen) else {
        return if state.personality.silent_no_target {
            Ok(())
        } else {
            Err((400, "noTarget", "nothing matches the path".to_owned()))
        };
    };
    match (op, &path.sub) {
        ("remove", None) => drop(list.remove(chosen)),
        ("remove", Some(sub)) => drop(list[chosen].as_object_mut().unwrap().remove(sub)),
        (_, None) => list[chosen] = value.clone(),
        (_, Some(sub)) => list[chosen][sub] = value.clone(),
    }
    Ok(())
}
