//! What the provider holds: resources, faults to come, and what was asked of it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value as Json, json};

use super::{Fault, Personality, Recorded, lifecycle};

/// A fault that waits for its requests.
pub struct Rule {
    pub method: &'static str,
    pub part: String,
    pub passes: usize,
    pub times: usize,
    pub fault: Fault,
}

/// A resource: its type and its document.
pub type Kept = (&'static str, Json);

/// By id.
pub type Resources = BTreeMap<String, Kept>;

pub struct State {
    pub personality: Personality,
    /// Where it is.
    pub base: String,
    pub token: String,
    pub resources: Resources,
    /// What reads still show of what was changed: reads to go, and what was before.
    stale: BTreeMap<String, (usize, Option<Kept>)>,
    pub faults: Vec<Rule>,
    pub requests: Vec<Recorded>,
    pub violations: Vec<String>,
    pub in_flight: BTreeMap<String, usize>,
    pub most_in_flight: usize,
    /// Told when a request meets the moment for a crash.
    pub stalled: Arc<tokio::sync::Notify>,
    next: usize,
}

/// Why a request was refused: status, scimType, detail.
pub type Refusal = (u16, &'static str, String);

impl State {
    pub fn new(personality: Personality, base: String) -> Self {
        Self {
            personality,
            base,
            token: "token-1".to_owned(),
            resources: BTreeMap::new(),
            stale: BTreeMap::new(),
            faults: Vec::new(),
            requests: Vec::new(),
            violations: Vec::new(),
            in_flight: BTreeMap::new(),
            most_in_flight: 0,
            stalled: Arc::default(),
            next: 1001,
        }
    }

    pub fn all(&self, kind: &str) -> Vec<Json> {
        self.resources.values().filter(|(own, _)| *own == kind).map(|(_, json)| json.clone()).collect()
    }

    pub fn fault(&mut self, method: &str, target: &str) -> Option<Fault> {
        let matching =
            |rule: &&mut Rule| rule.times > 0 && (rule.method == "*" || rule.method == method) && target.contains(&rule.part);
        let Some(rule) = self.faults.iter_mut().find(matching) else {
            return self.personality.weather.as_mut().and_then(super::weather::Weather::next);
        };
        if rule.passes > 0 {
            rule.passes -= 1;
            return None;
        }
        rule.times -= 1;
        Some(rule.fault.clone())
    }

    pub fn insert(&mut self, kind: &'static str, name_at: &str, name: &str, more: Json) -> String {
        let mut document = more.as_object().cloned().unwrap_or_default();
        document.insert(name_at.to_owned(), json!(name));
        self.keep(kind, document)
    }

    fn keep(&mut self, kind: &'static str, mut document: Map<String, Json>) -> String {
        let numbers = self.personality.odd_answers || self.personality.spelling.numeric_ids;
        let mut id = if numbers { self.next.to_string() } else { format!("{kind}-{}", self.next) };
        self.next += 1;
        document.insert("id".to_owned(), json!(id));
        if let (true, "User", Some(external)) =
            (self.personality.lifecycle.id_is_external_id, kind, document.get("externalId").and_then(Json::as_str))
        {
            external.clone_into(&mut id);
        }
        lifecycle::keep(self, kind, &id, Json::Object(document));
        id
    }

    pub fn create(&mut self, kind: &'static str, document: &Json) -> Result<String, Refusal> {
        self.unique(kind, None, document)?;
        let mut document = document.as_object().cloned().unwrap_or_default();
        super::membership::judge_all(self, &document)?;
        document.remove("id");
        document.remove("meta");
        Ok(self.keep(kind, document))
    }

    /// From now on so many reads show what is there now.
    pub fn remember(&mut self, id: &str) {
        let reads = self.personality.lifecycle.stale_reads;
        if reads > 0 {
            self.stale.insert(id.to_owned(), (reads, self.resources.get(id).cloned()));
        }
    }

    /// What reads show.
    pub fn visible(&self) -> Cow<'_, Resources> {
        if self.stale.is_empty() {
            return Cow::Borrowed(&self.resources);
        }
        let mut seen = self.resources.clone();
        for (id, (_, before)) in &self.stale {
            match before {
                Some(before) => drop(seen.insert(id.clone(), before.clone())),
                None => drop(seen.remove(id)),
            }
        }
        Cow::Owned(seen)
    }

    /// A read was answered.
    pub fn grow_older(&mut self) {
        self.stale.values_mut().for_each(|(reads, _)| *reads -= 1);
        self.stale.retain(|_, (reads, _)| *reads > 0);
    }

    /// A resource goes, and its memberships with it.
    pub fn discard(&mut self, id: &str) {
        self.remember(id);
        self.resources.remove(id);
        for (_, json) in self.resources.values_mut() {
            if let Some(members) = json.get_mut("members").and_then(Json::as_array_mut) {
                members.retain(|member| member["value"] != json!(id));
            }
        }
    }

    /// A name that is taken: userName always, displayName of groups if they are unique. Hidden names are taken too.
    pub fn unique(&self, kind: &str, own: Option<&str>, document: &Json) -> Result<(), Refusal> {
        let name_at = match kind {
            "User" => "userName",
            _ if self.personality.unique_group_names => "displayName",
            _ => return Ok(()),
        };
        let slug = |name: &str| name.to_lowercase().replace(' ', "-");
        let sluggish = self.personality.lifecycle.names == lifecycle::Names::Slug && kind == "Group";
        let name = document[name_at].as_str().unwrap_or_default();
        let hidden = self.personality.hidden.iter().any(|hidden| hidden.eq_ignore_ascii_case(name));
        let taken = self.resources.iter().any(|(id, (other, json))| {
            *other == kind
                && Some(id.as_str()) != own
                && (same(&json[name_at], name) || sluggish && same(&json[name_at], &slug(name)))
        });
        if !hidden && !taken {
            return Ok(());
        }
        let status = if self.personality.conflict_is_400 { 400 } else { 409 };
        let scim_type = if self.personality.conflict_has_scim_type { "uniqueness" } else { "" };
        Err((status, scim_type, format!("{name_at} is taken")))
    }
}

/// Equal without case.
pub fn same(json: &Json, text: &str) -> bool {
    json.as_str().is_some_and(|own| own.to_lowercase() == text.to_lowercase())
}
