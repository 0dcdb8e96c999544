//! PATCH (RFC 7644 §3.5.2), atomic: checked, applied to a copy, and kept only if all of it holds.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};

use super::rules::{self, Path};
use super::state::{Refusal, State};
use super::updates::Pathless;
use super::{lifecycle, membership};

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
        let Some(path) = operation["path"].as_str() else {
            pathless(state, kind, &operation["value"])?;
            continue;
        };
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

fn pathless(state: &State, kind: &str, value: &Json) -> Result<(), String> {
    if state.personality.updates.pathless != Pathless::Taken {
        return Err("an operation without path".to_owned());
    }
    let values = value.as_object().ok_or("an operation without path or attributes")?;
    for (name, value) in values.iter().filter(|(name, _)| *name != "id" && *name != "schemas") {
        if name != rules::ENTERPRISE {
            rules::path(kind, name)?;
        }
        rules::booleans(&json!({ name.as_str(): value }), state.personality.entra_requests)?;
    }
    Ok(())
}

pub fn apply(state: &mut State, id: &str, body: &Json) -> Result<String, Refusal> {
    let (kind, mut document) = state.resources.get(id).cloned().ok_or((404, "", "no such resource".to_owned()))?;
    let operations = body["Operations"].as_array().filter(|list| !list.is_empty());
    let operations = with_paths(operations.ok_or((400, "invalidSyntax", "no Operations".to_owned()))?);
    let touched: usize = operations.iter().map(|operation| operation["value"].as_array().map_or(1, Vec::len)).sum();
    if kind == "Group" && touched > state.personality.members_per_request {
        return Err((state.personality.membership.too_many, "invalidValue", "One or more Group members are invalid".to_owned()));
    }
    for operation in &operations {
        let text = operation["path"].as_str().unwrap_or_default();
        let op = operation["op"].as_str().unwrap_or_default().to_lowercase();
        if text == rules::ENTERPRISE {
            whole(&mut document, &op, rules::ENTERPRISE, &operation["value"]);
            continue;
        }
        let path = rules::path(kind, text).map_err(|why| (400, "invalidPath", why))?;
        let only = state.personality.updates.user_patch_only;
        if kind == "User" && !only.is_empty() && !only.contains(&path.name.as_str()) {
            return Err((400, "", "only some attributes can be changed".to_owned()));
        }
        if path.name == "members" {
            membership::change(state, &mut document, &op, &path, &operation["value"])?;
        } else {
            attribute(state, &mut document, &op, &path, &operation["value"])?;
        }
    }
    if document["userName"].is_null() && kind == "User" || document["displayName"].is_null() && kind == "Group" {
        return Err((400, "mutability", "a required attribute cannot be removed".to_owned()));
    }
    state.unique(kind, Some(id), &document)?;
    let renamed = state.personality.lifecycle.id_is_external_id && kind == "User";
    let own = document["externalId"].as_str().filter(|_| renamed).unwrap_or(id).to_owned();
    lifecycle::keep(state, kind, id, document);
    Ok(own)
}

/// Operations without a path (RFC 7644 §3.5.2.1: the value holds the attributes), as one for each attribute.
fn with_paths(operations: &[Json]) -> Vec<Json> {
    let one = |operation: &Json| match (&operation["path"], operation["value"].as_object()) {
        (Json::Null, Some(values)) => {
            let named = values.iter().filter(|(name, _)| *name != "id" && *name != "schemas");
            named.map(|(name, value)| json!({ "op": operation["op"], "path": name, "value": value })).collect()
        }
        _ => vec![operation.clone()],
    };
    operations.iter().flat_map(one).collect()
}

/// A whole extension.
fn whole(document: &mut Json, op: &str, name: &str, value: &Json) {
    match (op, document.get_mut(name).and_then(Json::as_object_mut), value.as_object()) {
        ("remove", _, _) => drop(document.as_object_mut().unwrap().remove(name)),
        (_, Some(there), Some(more)) => there.extend(more.clone()),
        _ => document[name] = value.clone(),
    }
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
            ("add" | "replace", None) if value.is_object() && container.get(&path.name).is_some_and(Json::is_object) => {
                // RFC 7644 §3.5.2.1 and §3.5.2.3: of a complex attribute, the parts that are given.
                container[&path.name].as_object_mut().unwrap().extend(value.as_object().cloned().unwrap_or_default());
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
