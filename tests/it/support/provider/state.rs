//! What the provider holds: resources, faults to come, and what was asked of it.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use super::{Fault, Paging, Personality, Recorded};

/// A fault that waits for its requests.
pub struct Rule {
    pub method: &'static str,
    pub part: String,
    pub passes: usize,
    pub times: usize,
    pub fault: Fault,
}

pub struct State {
    pub personality: Personality,
    pub token: String,
    /// By id: resource type and document.
    pub resources: BTreeMap<String, (&'static str, Json)>,
    pub faults: Vec<Rule>,
    pub requests: Vec<Recorded>,
    pub violations: Vec<String>,
    pub in_flight: BTreeMap<String, usize>,
    pub most_in_flight: usize,
    next: usize,
}

/// Why a request was refused: status, scimType, detail.
pub type Refusal = (u16, &'static str, String);

impl State {
    pub fn new(personality: Personality) -> Self {
        Self {
            personality,
            token: "token-1".to_owned(),
            resources: BTreeMap::new(),
            faults: Vec::new(),
            requests: Vec::new(),
            violations: Vec::new(),
            in_flight: BTreeMap::new(),
            most_in_flight: 0,
            next: 1001,
        }
    }

    pub fn all(&self, kind: &str) -> Vec<Json> {
        self.resources.values().filter(|(own, _)| *own == kind).map(|(_, json)| json.clone()).collect()
    }

    pub fn fault(&mut self, method: &str, target: &str) -> Option<Fault> {
        let matching =
            |rule: &&mut Rule| rule.times > 0 && (rule.method == "*" || rule.method == method) && target.contains(&rule.part);
        let rule = self.faults.iter_mut().find(matching)?;
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
        let id = if self.personality.odd_answers { self.next.to_string() } else { format!("{kind}-{}", self.next) };
        self.next += 1;
        document.insert("id".to_owned(), json!(id));
        self.resources.insert(id.clone(), (kind, Json::Object(document)));
        id
    }

    pub fn create(&mut self, kind: &'static str, document: &Json) -> Result<String, Refusal> {
        self.unique(kind, None, document)?;
        Ok(self.keep(kind, document.as_object().cloned().unwrap_or_default()))
    }

    /// A name that is taken: userName always, displayName of groups if they are unique. Hidden names are taken too.
    pub fn unique(&self, kind: &str, own: Option<&str>, document: &Json) -> Result<(), Refusal> {
        let name_at = match kind {
            "User" => "userName",
            _ if self.personality.unique_group_names => "displayName",
            _ => return Ok(()),
        };
        let name = document[name_at].as_str().unwrap_or_default();
        let hidden = self.personality.hidden.iter().any(|hidden| hidden.eq_ignore_ascii_case(name));
        let taken = self
            .resources
            .iter()
            .any(|(id, (other, json))| *other == kind && Some(id.as_str()) != own && same(&json[name_at], name));
        if !hidden && !taken {
            return Ok(());
        }
        let status = if self.personality.conflict_is_400 { 400 } else { 409 };
        let scim_type = if self.personality.conflict_has_scim_type { "uniqueness" } else { "" };
        Err((status, scim_type, format!("{name_at} is taken")))
    }

    /// A page as the personality cuts it, from resources already filtered.
    pub fn page(&self, all: Vec<Json>, start: usize, count: usize) -> Json {
        let total = all.len();
        let start = if self.personality.paging == Paging::RepeatsFirst { 1 } else { start.max(1) };
        let page: Vec<Json> = all.into_iter().skip(start - 1).take(count.min(self.personality.page_cap)).collect();
        let received = page.len();
        let mut list = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"], "totalResults": total, "startIndex": start,
            "itemsPerPage": received, "Resources": page
        });
        match self.personality.paging {
            Paging::NoTotal => drop(list.as_object_mut().unwrap().remove("totalResults")),
            Paging::TotalAsText => list["totalResults"] = json!(total.to_string()),
            Paging::TotalTooHigh(more) => list["totalResults"] = json!(total + more),
            Paging::Honest | Paging::RepeatsFirst => {}
        }
        if self.personality.odd_answers {
            let object = list.as_object_mut().unwrap();
            let resources = object.remove("Resources").unwrap();
            object.insert("resources".to_owned(), resources);
            object.remove("schemas");
        }
        list
    }
}

/// Equal without case.
pub fn same(json: &Json, text: &str) -> bool {
    json.as_str().is_some_and(|own| own.to_lowercase() == text.to_lowercase())
}
