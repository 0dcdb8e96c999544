//! What groups do with members.

use serde_json::{Value as Json, json};

use super::MemberRemove;
use super::rules::Path;
use super::state::{Refusal, State};

/// What groups do with members, beyond how they leave.
#[derive(Debug, Clone)]
pub struct Membership {
    /// How many are shown at most.
    pub shown: usize,
    /// The answer to adding who is there: 0 takes it, else this status.
    pub readd: u16,
    /// Unknown members are skipped, and the answer is a success.
    pub skips_unknown: bool,
    /// Of a value array only the first element leaves (Sentry).
    pub first_only: bool,
    /// The answer to more members than are taken in one request.
    pub too_many: u16,
    /// Replacing or removing all members is refused (AWS).
    pub no_replace: bool,
}

impl Default for Membership {
    fn default() -> Self {
        Self { shown: usize::MAX, readd: 0, skips_unknown: false, first_only: false, too_many: 400, no_replace: false }
    }
}

/// Members of a whole document, as PUT and POST bring them.
pub fn judge_all(state: &State, document: &serde_json::Map<String, Json>) -> Result<(), Refusal> {
    let ids = ids(document.get("members").unwrap_or(&Json::Null));
    if ids.len() > state.personality.members_per_request {
        return Err((state.personality.membership.too_many, "tooMany", "too many members".to_owned()));
    }
    ids.iter().try_for_each(|id| known(state, id).map(drop))
}

fn ids(value: &Json) -> Vec<String> {
    let one = |member: &Json| member["value"].as_str().map(str::to_owned);
    match value {
        Json::Array(list) => list.iter().filter_map(one).collect(),
        other => one(other).into_iter().collect(),
    }
}

/// True if a member may be taken in, false if it is skipped.
fn known(state: &State, id: &str) -> Result<bool, Refusal> {
    let personality = &state.personality;
    if state.resources.contains_key(id) {
        return Ok(true);
    }
    match personality.unknown_member {
        _ if personality.membership.skips_unknown => Ok(false),
        0 => Ok(true),
        200 => Ok(false),
        status => Err((status, "", "no such member".to_owned())),
    }
}

/// One operation of a PATCH.
pub fn change(state: &State, document: &mut Json, op: &str, path: &Path, value: &Json) -> Result<(), Refusal> {
    let personality = &state.personality;
    let list = document.as_object_mut().unwrap().entry("members").or_insert_with(|| json!([])).as_array_mut().unwrap();
    match (op, &path.filter) {
        ("add" | "replace", None) => {
            if op == "replace" {
                if personality.membership.no_replace {
                    return Err((400, "", "members are not replaced".to_owned()));
                }
                list.clear();
            }
            let readd = if personality.readd_is_conflict { 409 } else { personality.membership.readd };
            for id in ids(value) {
                if !known(state, &id)? {
                    continue;
                }
                let there = list.iter().any(|member| member["value"] == json!(id));
                if there && readd != 0 {
                    return Err((readd, "", "is a member".to_owned()));
                }
                if !there {
                    let own = value.as_array().into_iter().flatten().find(|member| member["value"] == json!(id));
                    list.push(own.filter(|_| personality.any_client).cloned().unwrap_or_else(|| json!({ "value": id })));
                }
            }
        }
        ("remove", Some((_, id))) => {
            if !personality.member_remove.has_filter() {
                return Err((501, "", "no filters in paths".to_owned()));
            }
            leave(list, id)?;
        }
        ("remove", None) if value.is_null() => {
            if personality.membership.no_replace {
                return Err((400, "", "not all members at once".to_owned()));
            }
            list.clear();
        }
        ("remove", None) => {
            if matches!(personality.member_remove, MemberRemove::ValueIgnored | MemberRemove::AllOrNothing) {
                list.clear();
                return Ok(());
            }
            let first_only = personality.membership.first_only || personality.member_remove == MemberRemove::FirstOfValueArray;
            let most = if first_only { 1 } else { usize::MAX };
            ids(value).iter().take(most).try_for_each(|id| leave(list, id))?;
        }
        _ => return Err((400, "invalidPath", "members are added and removed".to_owned())),
    }
    if list.is_empty() {
        document.as_object_mut().unwrap().remove("members");
    }
    Ok(())
}

fn leave(list: &mut Vec<Json>, id: &str) -> Result<(), Refusal> {
    let before = list.len();
    list.retain(|member| member["value"] != json!(id));
    if list.len() == before { Err((400, "noTarget", "is no member".to_owned())) } else { Ok(()) }
}
