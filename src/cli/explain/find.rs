//! Who matches: by entry id, DN, a name or a mail address, in the directory or in what is remembered of a link.

use std::collections::BTreeSet;

use serde_json::json;

use crate::assemble::Live;
use crate::cycle::{self, Depth, Prepared, Source};
use crate::mapping::Mapping;
use crate::model::{AttributeValue, Dn, Entry, EntryId, Link, Resource, ResourceType, Snapshot, Value};

use super::document::{entry_document, gone_document};
use super::show::lines;
use crate::cli::args::Arguments;
use crate::cli::change::Lists;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::output::{Output, complain};
use crate::cli::progress::Display;
use crate::cli::{interrupt, json, selection, snapshot};

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
                "{who:?} was not found: not as entry id, DN, name or mail address of what channel {} reads, nor among what is linked",
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

/// Attributes of an entry that name it. Others (a department, a city) would match half a company.
const NAMING_ATTRIBUTES: [&str; 7] = ["uid", "cn", "name", "displayname", "mail", "userprincipalname", "samaccountname"];

/// The same at the target.
const NAMING_PATHS: [&str; 4] = ["userName", "displayName", "externalId", "emails"];

fn has_value(entry: &Entry, who: &str) -> bool {
    let naming = entry.attributes.iter().filter(|(name, _)| NAMING_ATTRIBUTES.contains(&name.as_str()));
    naming.flat_map(|(_, values)| values).filter_map(AttributeValue::text).any(|text| equal(text, who))
}

fn maps_to(entry: &Entry, mapping: &Mapping, who: &str) -> bool {
    entry.resource_type == ResourceType::User && mapping.evaluate(entry).is_ok_and(|mapped| holds(&mapped.resource, who))
}

fn holds(resource: &Resource, who: &str) -> bool {
    let naming = resource.attributes.iter().filter(|(path, _)| path.schema().is_none() && NAMING_PATHS.contains(&path.name()));
    naming.map(|(_, value)| value).any(|value| matches!(value, Value::Text(text) if equal(text, who)))
}

/// Entries whose link matches: by entry id, resource id, or an acknowledged name.
fn linked_as(who: &str, remembered: &Snapshot) -> BTreeSet<EntryId> {
    let matches = |link: &&Link| {
        link.entry_id.as_str().eq_ignore_ascii_case(who) || link.resource_id.as_str() == who || holds(&link.acknowledged, who)
    };
    remembered.links.values().filter(matches).map(|link| link.entry_id.clone()).collect()
}
