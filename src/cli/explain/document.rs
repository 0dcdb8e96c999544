//! The way of an entry as a document for programs.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::show::{grace, heir, link_line, memberships};
use crate::assemble::Live;
use crate::cli::{change, json, text};
use crate::cycle::Prepared;
use crate::mapping::{Output as RuleOutput, Trace};
use crate::model::{Entry, EntryId, Origin, ResourceType, Status};
use crate::plan::{Change, Reason, Scope, Stage};

/// An entry that was read.
pub fn entry_document(live: &Live, prepared: &Prepared, entry: &Entry) -> Json {
    let names: BTreeMap<EntryId, String> = text::Names::new();
    let judged = prepared.desired.entries.get(&entry.id);
    let traces = match entry.resource_type {
        ResourceType::User => live.channel.rules.mapping.of(prepared.vendor).trace(entry),
        ResourceType::Group => Vec::new(),
    };
    let rule = |trace: &Trace| {
        let (value, error) = match &trace.output {
            Ok(RuleOutput::Nothing) => (Json::Null, None),
            Ok(RuleOutput::Value(value)) => (json::value(value, &names), None),
            Ok(RuleOutput::Reference(dn)) => (json!({ "dn": dn.as_str() }), None),
            Err(error) => (Json::Null, Some(error.to_string())),
        };
        let inputs: BTreeMap<&str, &[String]> =
            trace.inputs.iter().map(|input| (input.name.as_str(), input.values.as_slice())).collect();
        json!({ "path": trace.path.as_str(), "expression": trace.expression, "inputs": inputs, "value": value, "error": error })
    };
    let mut document = gone_document(live, prepared, &entry.id);
    if let Json::Object(map) = &mut document {
        map.insert("found".to_owned(), true.into());
        map.insert("resource_type".to_owned(), entry.resource_type.as_str().into());
        map.insert("dn".to_owned(), entry.dn.as_str().into());
        map.insert(
            "status".to_owned(),
            match entry.status {
                Status::Enabled => "enabled",
                Status::Disabled => "disabled",
                Status::Unknown => "unknown",
            }
            .into(),
        );
        map.insert("scope".to_owned(), judged.map_or(Json::Null, |judged| scope_document(&judged.scope)));
        map.insert("mapping".to_owned(), traces.iter().map(rule).collect());
        map.insert("groups".to_owned(), memberships(prepared, &entry.id).into());
    }
    document
}

fn scope_document(scope: &Scope) -> Json {
    let (decision, because) = match scope {
        Scope::In(why) => ("in", why),
        Scope::Out(why) => ("out", why),
        Scope::Unknown(why) => ("unknown", why),
    };
    json!({ "decision": decision, "because": because })
}

/// What can be said of an entry without having read it.
pub fn gone_document(live: &Live, prepared: &Prepared, entry_id: &EntryId) -> Json {
    let (plan, channel) = (&prepared.plan, live.name().as_str());
    let link = prepared.snapshot.links.get(entry_id).map(|link| {
        json!({
            "resource_id": link.resource_id.as_str(),
            "origin": match link.origin { Origin::Created => "created", Origin::Adopted => "adopted" },
            "claims": prepared.snapshot.claims.get(entry_id).into_iter().flatten().map(|channel| channel.as_str()).collect::<Vec<_>>(),
        })
    });
    let whole = change::whole(plan);
    let of_entry = |parked: bool| {
        let own = |(_, change): &&(Stage, Change)| change.entry_id == *entry_id && (change.reason == Reason::Parked) == parked;
        whole.iter().find(own).map(|(stage, change)| json::change(channel, Some(*stage), change, &plan.names))
    };
    let stopped = plan.verdict.stopped.iter().filter(|change| change.entry_id == *entry_id);
    json!({
        "channel": channel,
        "found": false,
        "entry_id": entry_id.as_str(),
        "link": link,
        "matching": link_line(prepared, entry_id),
        "left": grace(live, prepared, entry_id),
        "change": of_entry(false),
        "parked": of_entry(true),
        "handed_to": heir(plan, entry_id).map(EntryId::as_str),
        "stopped": stopped.map(|change| json::change(channel, None, change, &plan.names)).collect::<Vec<_>>(),
        "held": plan.held.iter().find(|held| held.entry_id == *entry_id).map(|held| held.why.as_str()),
    })
}
