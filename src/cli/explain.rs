//! `explain WHO`: one entry's way, step by step: found, in scope because, mapped to, linked to, would change.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};

use crate::assemble::Live;
use crate::cycle::{self, Depth, Prepared, Source};
use crate::mapping::{Mapping, Output as RuleOutput, Trace};
use crate::model::{AttributeValue, Dn, Entry, EntryId, Link, Origin, Resource, ResourceType, Snapshot, Status, Value};
use crate::plan::{Change, Judged, Scope, Situation};

use super::args::Arguments;
use super::change::{self, Lists};
use super::exit::Exit;
use super::failure::Failure;
use super::output::{Output, complain};
use super::progress::Display;
use super::{interrupt, json, selection, snapshot, text};

/// As many matches are explained; of more only a list is given.
const FEW: usize = 5;

/// Explains whoever matches in the channels that are meant.
pub async fn run(arguments: &Arguments, output: &mut Output, who: &str) -> Result<Exit, Failure> {
    let assembled = selection::assembled(arguments)?;
    let stop = interrupt::token();
    let lists = Lists::of(arguments.verbose);
    let mut found = false;
    let mut worst = Exit::Done;
    let mut documents = Vec::new();
    for live in &assembled.channels {
        let remembered = snapshot::of(live, &assembled.state_dir)?;
        let linked = linked_as(who, &remembered);
        let prepared = match interrupt::harmless(&stop, prepare(live, remembered, who, &linked)).await? {
            Ok(prepared) => prepared,
            Err(failure) => {
                complain(&format!("error: {}: {}", live.name(), failure.message));
                failure.hint.iter().for_each(|hint| complain(&format!("  {hint}")));
                worst = worst.max(failure.exit);
                continue;
            }
        };
        let gone: Vec<&EntryId> = linked.iter().filter(|id| !prepared.desired.entries.contains_key(*id)).collect();
        found |= !prepared.watched.is_empty() || !gone.is_empty();
        output.lines(lines(live, &prepared, &gone, lists));
        for entry in &prepared.watched {
            documents.push(entry_document(live, &prepared, entry));
        }
        documents.extend(gone.iter().map(|id| gone_document(live, &prepared, id)));
    }
    output.json(&json!({ "document": "explain", "version": json::VERSION, "who": who, "matches": documents }));
    if !found && worst == Exit::Done {
        let names: Vec<&str> = assembled.channels.iter().map(|live| live.name().as_str()).collect();
        output.flush();
        return Err(Failure {
            exit: Exit::Failed,
            message: format!(
                "{who:?} was not found: not as entry id, DN or value of a mapped attribute of what channel {} reads, nor among what is linked",
                names.join(", ")
            ),
            hint: Some(
                "is it below a base_dn, does it match the filter, and may the bind account read it? `ldap2scim check` shows what is read",
            ),
        });
    }
    Ok(worst)
}

async fn prepare(live: &Live, remembered: Snapshot, who: &str, linked: &BTreeSet<EntryId>) -> Result<Prepared, Failure> {
    let channel = &live.channel;
    let vendor = channel.source.identify().await?;
    let mapping = channel.rules.mapping.of(vendor);
    let dn = Dn::parse(who).ok().filter(|_| who.contains('='));
    let watch = |entry: &Entry| {
        linked.contains(&entry.id)
            || entry.id.as_str().eq_ignore_ascii_case(who)
            || dn.as_ref().is_some_and(|dn| dn.key() == entry.dn.key())
            || has_value(entry, who)
            || maps_to(entry, mapping, who)
    };
    let (display, progress) = Display::start(live.name());
    let prepared = cycle::prepare(channel, remembered, Depth::Usual, Some(&watch), &progress).await;
    drop(display);
    Ok(prepared?)
}

fn equal(text: &str, who: &str) -> bool {
    text.trim().to_lowercase() == who.trim().to_lowercase()
}

fn has_value(entry: &Entry, who: &str) -> bool {
    entry.attributes.values().flatten().filter_map(AttributeValue::text).any(|text| equal(text, who))
}

fn maps_to(entry: &Entry, mapping: &Mapping, who: &str) -> bool {
    entry.resource_type == ResourceType::User && mapping.evaluate(entry).is_ok_and(|mapped| holds(&mapped.resource, who))
}

fn holds(resource: &Resource, who: &str) -> bool {
    resource.attributes.values().any(|value| matches!(value, Value::Text(text) if equal(text, who)))
}

/// Entries whose link matches: by entry id, resource id, or anything acknowledged.
fn linked_as(who: &str, remembered: &Snapshot) -> BTreeSet<EntryId> {
    let matches = |link: &&Link| {
        link.entry_id.as_str().eq_ignore_ascii_case(who) || link.resource_id.as_str() == who || holds(&link.acknowledged, who)
    };
    remembered.links.values().filter(matches).map(|link| link.entry_id.clone()).collect()
}

fn lines(live: &Live, prepared: &Prepared, gone: &[&EntryId], lists: Lists) -> Vec<String> {
    let matches = prepared.watched.len() + gone.len();
    if matches == 0 {
        return vec![format!("channel {}: not found", live.name())];
    }
    let mut lines = vec![format!("channel {} ({} to {})", live.name(), live.source, live.channel.target_name)];
    if matches > 1 {
        lines.push(format!("  {matches} entries match:"));
        lines.extend(
            prepared
                .watched
                .iter()
                .map(|entry| format!("    {} {} {}", entry.resource_type.as_str(), entry.id, entry.dn.as_str())),
        );
        lines.extend(gone.iter().map(|id| format!("    {id}, linked and not read")));
        if matches > FEW && lists == Lists::Short {
            lines.push("  give an entry id or a DN for one of them, or -v for all".to_owned());
            return lines;
        }
    }
    lines.extend(prepared.watched.iter().flat_map(|entry| entry_lines(live, prepared, entry, lists)));
    lines.extend(gone.iter().flat_map(|id| gone_lines(live, prepared, id, lists)));
    lines
}

fn entry_lines(live: &Live, prepared: &Prepared, entry: &Entry, lists: Lists) -> Vec<String> {
    let mut lines = vec![
        String::new(),
        format!("  found:   {} {}", entry.resource_type.as_str(), entry.dn.as_str()),
        format!("           entry id {}, {}", entry.id, status(entry.status)),
    ];
    let judged = prepared.desired.entries.get(&entry.id);
    if let Some(judged) = judged {
        lines.push(format!("  scope:   {}", scope(&judged.scope)));
        lines.extend(mapping_lines(live, prepared, entry, judged));
    }
    lines.push(format!("  linked:  {}", link_line(prepared, &entry.id)));
    lines.extend(ends(prepared, &entry.id, lists));
    if entry.resource_type == ResourceType::User {
        lines.push(format!("  groups:  {}", groups_line(&memberships(prepared, &entry.id))));
    }
    lines
}

fn status(status: Status) -> &'static str {
    match status {
        Status::Enabled => "enabled",
        Status::Disabled => "disabled in the directory",
        Status::Unknown => "the directory does not say whether it is enabled",
    }
}

fn scope(scope: &Scope) -> String {
    match scope {
        Scope::In(why) => format!("in, because it is {why}"),
        Scope::Out(why) => format!("out, because {why}"),
        Scope::Unknown(why) => format!("not to be told, because {why}"),
    }
}

fn mapping_lines(live: &Live, prepared: &Prepared, entry: &Entry, judged: &Judged) -> Vec<String> {
    let names = &prepared.plan.names;
    let mut lines = vec!["  mapped:".to_owned()];
    match entry.resource_type {
        ResourceType::User => {
            let traces = live.channel.rules.mapping.of(prepared.vendor).trace(entry);
            lines.extend(traces.iter().filter(|trace| tells(trace)).map(|trace| format!("    {}", trace_line(trace))));
        }
        ResourceType::Group => {
            if let Ok(resource) = &judged.mapped {
                lines.extend(
                    resource.attributes.iter().map(|(path, value)| format!("    {path} = {}", text::value(value, names))),
                );
                lines.push(format!("    {} in scope", text::count(resource.members.len() as u64, "member", "members")));
            }
        }
    }
    if let Err(error) = &judged.mapped {
        lines.push(format!("    held: {error}"));
    }
    lines
}

/// True if the rule gave or read anything.
fn tells(trace: &Trace) -> bool {
    !matches!(trace.output, Ok(RuleOutput::Nothing)) || trace.inputs.iter().any(|input| !input.values.is_empty())
}

fn trace_line(trace: &Trace) -> String {
    let inputs: Vec<String> = trace
        .inputs
        .iter()
        .map(|input| {
            let values: Vec<String> = input.values.iter().map(|value| text::quoted(value)).collect();
            format!("{} = {}", input.name, if values.is_empty() { "(none)".to_owned() } else { values.join(" ") })
        })
        .collect();
    let given = match &trace.output {
        Ok(RuleOutput::Nothing) => "(none)".to_owned(),
        Ok(RuleOutput::Value(value)) => text::value(value, &text::Names::new()),
        Ok(RuleOutput::Reference(dn)) => format!("<{}>", dn.as_str()),
        Err(error) => format!("HELD: {error}"),
    };
    let from = if inputs.is_empty() { String::new() } else { format!("; {}", inputs.join(", ")) };
    format!("{} = {given}   by {}{from}", trace.path, trace.expression)
}

fn link_line(prepared: &Prepared, entry_id: &EntryId) -> String {
    let claims = || {
        let channels: Vec<&str> =
            prepared.snapshot.claims.get(entry_id).into_iter().flatten().map(|channel| channel.as_str()).collect();
        if channels.is_empty() { "claimed by no channel".to_owned() } else { format!("claimed by {}", channels.join(", ")) }
    };
    match (prepared.snapshot.links.get(entry_id), prepared.situations.get(entry_id)) {
        (Some(link), _) => {
            let origin = match link.origin {
                Origin::Created => "created by us",
                Origin::Adopted => "was there and adopted",
            };
            let unsure = if link.uncertain.is_empty() { "" } else { ", with a request whose answer was lost" };
            format!("resource {}, {origin}, {}{unsure}", link.resource_id, claims())
        }
        (None, Some(Situation::Unlinked(found, path))) => {
            format!("not yet; the target has resource {} that matches by {path}", found.resource_id)
        }
        (None, Some(Situation::Unmatched)) => "not yet; the target has nothing that matches".to_owned(),
        (None, Some(Situation::Disputed(why))) => format!("not yet; {why}"),
        (None, None) => "no, and the target was not asked, as nothing would be linked".to_owned(),
    }
}

fn change_of(prepared: &Prepared, entry_id: &EntryId) -> Option<Change> {
    change::whole(&prepared.plan).into_iter().map(|(_, change)| change).find(|change| change.entry_id == *entry_id)
}

/// What would become of the entry: changed, stopped, held.
fn ends(prepared: &Prepared, entry_id: &EntryId, lists: Lists) -> Vec<String> {
    let plan = &prepared.plan;
    let mut lines = Vec::new();
    match change_of(prepared, entry_id) {
        Some(change) => {
            lines.push("  change:".to_owned());
            lines.extend(change::lines(&change, &plan.names, lists).into_iter().map(|line| format!("    {line}")));
        }
        None => lines.push("  change:  nothing would be sent".to_owned()),
    }
    for stopped in plan.verdict.stopped.iter().filter(|change| change.entry_id == *entry_id) {
        lines.push("  stopped by the guard:".to_owned());
        lines.extend(change::lines(stopped, &plan.names, lists).into_iter().map(|line| format!("    {line}")));
    }
    for held in plan.held.iter().filter(|held| held.entry_id == *entry_id) {
        lines.push(format!("  held:    {}", held.why));
    }
    lines
}

/// Names of the provisioned groups that an entry is a member of.
fn memberships(prepared: &Prepared, entry_id: &EntryId) -> Vec<String> {
    let groups = prepared.desired.entries.values().filter(|judged| judged.resource_type == ResourceType::Group);
    let has = |judged: &&Judged| {
        matches!(judged.scope, Scope::In(_)) && judged.mapped.as_ref().is_ok_and(|group| group.members.contains(entry_id))
    };
    let mut names: Vec<String> = groups.filter(has).map(|judged| judged.name.clone()).collect();
    names.sort();
    names
}

fn groups_line(groups: &[String]) -> String {
    if groups.is_empty() {
        "member of no group that is provisioned".to_owned()
    } else {
        format!("member of {}", groups.iter().map(|name| text::word(name)).collect::<Vec<_>>().join(" "))
    }
}

fn gone_lines(live: &Live, prepared: &Prepared, entry_id: &EntryId, lists: Lists) -> Vec<String> {
    let name = prepared.snapshot.links.get(entry_id).and_then(|link| link.acknowledged.name()).unwrap_or_default();
    let why = if prepared.desired.coverage.is_full() {
        "deleted, moved out of every base, or not matching the filter any more"
    } else {
        "the reading was partial, so nothing is concluded from that"
    };
    let mut lines = vec![
        String::new(),
        format!("  found:   not among what {} reads: {why}", live.source),
        format!("  linked:  {} {}, {}", text::word(name), entry_id, link_line(prepared, entry_id)),
    ];
    lines.extend(ends(prepared, entry_id, lists));
    lines
}

fn entry_document(live: &Live, prepared: &Prepared, entry: &Entry) -> Json {
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

fn gone_document(live: &Live, prepared: &Prepared, entry_id: &EntryId) -> Json {
    let (plan, channel) = (&prepared.plan, live.name().as_str());
    let link = prepared.snapshot.links.get(entry_id).map(|link| {
        json!({
            "resource_id": link.resource_id.as_str(),
            "origin": match link.origin { Origin::Created => "created", Origin::Adopted => "adopted" },
            "claims": prepared.snapshot.claims.get(entry_id).into_iter().flatten().map(|channel| channel.as_str()).collect::<Vec<_>>(),
        })
    });
    let whole = change::whole(plan);
    let change = whole.iter().find(|(_, change)| change.entry_id == *entry_id);
    let stopped = plan.verdict.stopped.iter().filter(|change| change.entry_id == *entry_id);
    json!({
        "channel": channel,
        "found": false,
        "entry_id": entry_id.as_str(),
        "link": link,
        "matching": link_line(prepared, entry_id),
        "change": change.map(|(stage, change)| json::change(channel, Some(*stage), change, &plan.names)),
        "stopped": stopped.map(|change| json::change(channel, None, change, &plan.names)).collect::<Vec<_>>(),
        "held": plan.held.iter().find(|held| held.entry_id == *entry_id).map(|held| held.why.as_str()),
    })
}
