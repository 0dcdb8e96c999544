//! `check`: proves both connections, reads and judges the directory, and warns of what would surprise. Asks the
//! target for nothing but what it is, and changes nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value as Json, json};
use tokio_util::sync::CancellationToken;

use crate::assemble::{Kept, Live, assemble};
use crate::config::Problem;
use crate::cycle::{self, ProgressSender, Source, Target};
use crate::model::{AttributePath, ResourceType, Snapshot, TargetName, Vendor};
use crate::plan::{self, Desired, Known, Plan, Scope};
use crate::{ldap, scim};

use super::args::Arguments;
use super::change::{self, Lists};
use super::exit::Exit;
use super::failure::Failure;
use super::output::Output;
use super::overlap::{self, Overlap, View};
use super::progress::Display;
use super::{interrupt, json, remembered, reminders, selection, snapshot, text};

/// What was found out about one channel.
struct Finding<'a> {
    live: &'a Live,
    snapshot: Snapshot,
    source: Result<Sight, Failure>,
}

/// What its directory shows.
struct Sight {
    vendor: Vendor,
    probe: ldap::Probe,
    desired: Desired,
    plan: Plan,
}

/// Checks the channels that are meant and their ends.
pub async fn run(arguments: &Arguments, output: &mut Output) -> Result<Exit, Failure> {
    let mut settings = selection::loaded(arguments)?;
    let warnings = std::mem::take(&mut settings.warnings);
    output.line(format!("configuration {}: in order", arguments.config.display()));
    for warning in &warnings {
        output.lines(format!("warning: {warning}").lines().map(str::to_owned));
    }
    let reminded = reminders::of(&settings, jiff::Timestamp::now());
    output.lines(reminders::lines(&reminded));
    let assembled = assemble(settings, &mut Kept::default())?;
    let stop = interrupt::token();
    let lists = Lists::of(arguments.verbose);
    let mut targets: BTreeMap<&TargetName, Result<scim::Probe, Failure>> = BTreeMap::new();
    for live in &assembled.channels {
        let name = &live.channel.target_name;
        if !targets.contains_key(name) {
            let known = snapshot::of(live, &assembled.state_dir)?;
            live.channel.target.recall(&known.knowledge);
            let wanted = wanted(&assembled.channels, name);
            let mut probe = interrupt::harmless(&stop, live.channel.target.probe_for(&wanted)).await?.map_err(Failure::from);
            if let Ok(probe) = &mut probe {
                probe.warnings.extend(remembered::another_tenant(probe.users, &known));
                probe.warnings.extend(remembered::orphans(&live.channel.rules.channels_of_target, &known));
            }
            output.lines(target_lines(name, &probe, lists));
            output.flush();
            targets.insert(name, probe);
        }
    }
    let mut findings = Vec::new();
    for live in &assembled.channels {
        let snapshot = snapshot::of(live, &assembled.state_dir)?;
        let (display, progress) = Display::start(live.name());
        let probe = targets.get(&live.channel.target_name).and_then(|probe| probe.as_ref().ok());
        let source = look(live, &snapshot, probe, &progress, &stop).await?;
        drop(display);
        findings.push(Finding { live, snapshot, source });
    }
    let overlaps = overlap::overlaps(&findings.iter().filter_map(view).collect::<Vec<_>>());
    for finding in &findings {
        output.lines(channel_lines(finding, lists));
    }
    output.lines(overlaps.iter().flat_map(|overlap| overlap::lines(overlap, lists)));
    let mut document = document(arguments, &warnings, &targets, &findings, &overlaps);
    if let Json::Object(map) = &mut document {
        map.insert("reminders".to_owned(), reminders::document(&reminded));
    }
    output.json(&document);
    let of_targets = targets.values().map(|probe| probe.as_ref().map_or_else(|failure| failure.exit, |_| Exit::Done));
    Ok(findings.iter().map(exit).chain(of_targets).max().unwrap_or(Exit::Done))
}

/// Kinds of resources that any channel of a target wants there.
fn wanted(channels: &[Arc<Live>], target: &TargetName) -> Vec<ResourceType> {
    let groups = channels.iter().any(|live| live.channel.target_name == *target && live.channel.rules.groups.is_some());
    std::iter::once(ResourceType::User).chain(groups.then_some(ResourceType::Group)).collect()
}

async fn look(
    live: &Live,
    snapshot: &Snapshot,
    target: Option<&scim::Probe>,
    progress: &ProgressSender,
    stop: &CancellationToken,
) -> Result<Result<Sight, Failure>, Failure> {
    interrupt::harmless(stop, sight(live, snapshot, target, progress)).await
}

/// Reads and judges as a cycle would, without asking the target.
async fn sight(
    live: &Live,
    snapshot: &Snapshot,
    target: Option<&scim::Probe>,
    progress: &ProgressSender,
) -> Result<Sight, Failure> {
    let channel = &live.channel;
    let vendor = channel.source.identify().await?;
    let mapping = channel.rules.mapping.of(vendor);
    let attributes = mapping.attributes();
    let mut probe = channel.source.probe(&cycle::wanted(&channel.rules, attributes, &snapshot.scope_groups)).await?;
    if let Some(target) = target {
        let paths: Vec<AttributePath> = mapping.rules.iter().map(|rule| rule.path.clone()).collect();
        let groups = channel.rules.groups.is_some();
        probe.warnings.extend(target.schemas.surprises(&paths, groups, &target.dialect));
    }
    let (mut desired, _, _) = cycle::read(channel, vendor, &snapshot.scope_groups, None, progress).await?;
    desired.merge_namesakes(&channel.rules, snapshot);
    let (situations, capabilities) = (BTreeMap::new(), channel.target.capabilities());
    let plan = plan::plan(&Known::new(&channel.rules, &capabilities, snapshot, &desired, &situations, None));
    Ok(Sight { vendor, probe, desired, plan })
}

fn view<'a>(finding: &'a Finding<'a>) -> Option<View<'a>> {
    let rules = &finding.live.channel.rules;
    let sight = finding.source.as_ref().ok()?;
    Some(View {
        channel: &rules.channel,
        target: &finding.live.channel.target_name,
        order: &rules.channels_of_target,
        desired: &sight.desired,
        snapshot: &finding.snapshot,
    })
}

fn exit(finding: &Finding<'_>) -> Exit {
    match &finding.source {
        Err(failure) => failure.exit,
        Ok(sight) if !sight.desired.coverage.is_full() => Exit::Failed,
        Ok(sight) if !sight.plan.held.is_empty() => Exit::Held,
        Ok(_) => Exit::Done,
    }
}

fn target_lines(name: &TargetName, probe: &Result<scim::Probe, Failure>, lists: Lists) -> Vec<String> {
    let probe = match probe {
        Ok(probe) => probe,
        Err(failure) => return failed(&format!("target {name}"), failure),
    };
    let number = |count: Option<u64>| count.map_or_else(|| "not known".to_owned(), |count| count.to_string());
    let mut lines = vec![format!("target {name}: works; users there: {}, groups: {}", number(probe.users), number(probe.groups))];
    lines.extend(probe.warnings.iter().map(|warning| format!("  warning: {warning}")));
    let rows = probe.dialect.rows();
    let shown: Vec<&scim::DialectRow> = rows.iter().filter(|row| lists == Lists::Whole || row.from != "default").collect();
    lines.push(match (shown.len(), rows.len()) {
        (0, _) => format!("  dialect: preset {}, all as by default (-v shows it)", probe.dialect.name),
        (some, all) if some < all => {
            format!("  dialect: preset {}, all as by default (-v shows it) but for:", probe.dialect.name)
        }
        (_, _) => format!("  dialect: preset {}:", probe.dialect.name),
    });
    lines.extend(
        shown.iter().map(|row| {
            format!("    {} = {} ({})", row.name, if row.value.is_empty() { "(nothing)" } else { &row.value }, row.from)
        }),
    );
    lines
}

fn failed(what: &str, failure: &Failure) -> Vec<String> {
    let mut lines = vec![format!("{what}: FAILED: {}", failure.message)];
    lines.extend(failure.hint.map(|hint| format!("  {hint}")));
    lines
}

fn channel_lines(finding: &Finding<'_>, lists: Lists) -> Vec<String> {
    let live = finding.live;
    let what = format!("channel {}: source {}", live.name(), live.source);
    let sight = match &finding.source {
        Ok(sight) => sight,
        Err(failure) => return failed(&what, failure),
    };
    let counts = &sight.plan.counts;
    let encrypted = if sight.probe.encrypted { "encrypted" } else { "not encrypted" };
    let mut out = vec![format!("{what}: works; {} at {}, {encrypted}", sight.vendor.as_str(), sight.probe.url)];
    out.push(format!("  {}", sight.probe.authentication));
    out.push(format!("  tracking: {}", sight.probe.tracking.why));
    out.extend(sight.probe.tracking.lacks.iter().map(|lack| format!("    {lack}")));
    out.extend(text::coverage(&sight.desired.coverage).into_iter().map(|line| format!("  {line}")));
    out.push(format!("  in scope: {}", text::people(counts.users, counts.groups)));
    out.push(format!("  read and out of scope: {}", out_of_scope(&sight.desired)));
    for (number, what) in [
        (counts.members_left_out, "members of groups are left out, as they are nobody in scope"),
        (counts.references_open, "references (such as manager) are to entries that were not read"),
    ] {
        if number > 0 {
            out.push(format!("  {number} {what}"));
        }
    }
    out.extend(sight.probe.warnings.iter().map(|warning| format!("  warning: {warning}")));
    for tripped in &sight.plan.verdict.tripped {
        out.push(format!("  warning: the guard would step in: {}", text::stopped(tripped)));
    }
    if !sight.plan.held.is_empty() {
        out.push(format!("  {} held:", text::count(sight.plan.held.len() as u64, "entry would be", "entries would be")));
        out.extend(change::held_lines(&sight.plan.held, lists).into_iter().map(|line| format!("  {line}")));
    }
    out
}

fn out_of_scope(desired: &Desired) -> String {
    let out = |user: bool| {
        let of_kind = desired.entries.values().filter(|judged| (judged.resource_type == ResourceType::User) == user);
        of_kind.filter(|judged| matches!(judged.scope, Scope::Out(_))).count() as u64
    };
    text::people(out(true), out(false))
}

fn document(
    arguments: &Arguments,
    warnings: &[Problem],
    targets: &BTreeMap<&TargetName, Result<scim::Probe, Failure>>,
    findings: &[Finding<'_>],
    overlaps: &[Overlap],
) -> Json {
    json!({
        "document": "check",
        "version": json::VERSION,
        "configuration": arguments.config.display().to_string(),
        "warnings": warnings.iter().map(Problem::headline).collect::<Vec<_>>(),
        "targets": targets.iter().map(|(name, probe)| target_document(name, probe)).collect::<Vec<_>>(),
        "channels": findings.iter().map(channel_document).collect::<Vec<_>>(),
        "overlaps": overlaps.iter().map(json::overlap).collect::<Vec<_>>(),
    })
}

fn target_document(name: &TargetName, probe: &Result<scim::Probe, Failure>) -> Json {
    match probe {
        Err(failure) => json!({ "target": name.as_str(), "error": failure.message }),
        Ok(probe) => json!({
            "target": name.as_str(),
            "error": null,
            "users": probe.users,
            "groups": probe.groups,
            "warnings": probe.warnings,
            "dialect": probe.dialect.rows().iter().map(row).collect::<Vec<_>>(),
        }),
    }
}

fn row(row: &scim::DialectRow) -> Json {
    json!({ "name": row.name, "value": row.value, "from": row.from })
}

fn channel_document(finding: &Finding<'_>) -> Json {
    let live = finding.live;
    let mut document = json!({
        "channel": live.name().as_str(),
        "source": live.source,
        "target": live.channel.target_name.as_str(),
        "error": finding.source.as_ref().err().map(|failure| failure.message.as_str()),
    });
    if let (Json::Object(map), Ok(sight)) = (&mut document, &finding.source) {
        let counts = &sight.plan.counts;
        map.insert("vendor".to_owned(), sight.vendor.as_str().into());
        map.insert("url".to_owned(), sight.probe.url.as_str().into());
        map.insert("encrypted".to_owned(), sight.probe.encrypted.into());
        map.insert("authentication".to_owned(), sight.probe.authentication.as_str().into());
        let tracking = &sight.probe.tracking;
        let tracking = json!({ "way": tracking.name(), "why": tracking.why, "lacks": tracking.lacks });
        map.insert("tracking".to_owned(), tracking);
        map.insert("reading".to_owned(), json::coverage(&sight.desired.coverage));
        map.insert("users".to_owned(), counts.users.into());
        map.insert("groups".to_owned(), counts.groups.into());
        map.insert("members_left_out".to_owned(), counts.members_left_out.into());
        map.insert("references_open".to_owned(), counts.references_open.into());
        map.insert("warnings".to_owned(), sight.probe.warnings.clone().into());
        map.insert("held".to_owned(), sight.plan.held.iter().map(json::held).collect());
        map.insert("guard".to_owned(), json::guard(&sight.plan.verdict));
    }
    document
}
