//! `dry-run`: every change that a cycle would make, the counts, the guard's verdict. Nothing is written.

use serde_json::{Value as Json, json};
use tokio_util::sync::CancellationToken;

use crate::assemble::Live;
use crate::config::Mode;
use crate::cycle::{self, Applied, Depth, Prepared};

use super::args::Arguments;
use super::change::{self, Lists};
use super::exit::Exit;
use super::failure::Failure;
use super::interrupt;
use super::output::{Output, complain};
use super::overlap::{self, Overlap, View};
use super::progress::Display;
use super::{json, selection, snapshot, text};

/// Prepares each channel's cycle and shows it.
pub async fn run(arguments: &Arguments, output: &mut Output, full: bool) -> Result<Exit, Failure> {
    let assembled = selection::assembled(arguments)?;
    let stop = interrupt::token();
    let lists = Lists::of(arguments.verbose);
    let mut worst = Exit::Done;
    let mut shown: Vec<(&Live, Prepared)> = Vec::new();
    for live in &assembled.channels {
        let first = snapshot::of(live, &assembled.state_dir)?;
        match prepare(live, first, full, &stop).await? {
            Ok(prepared) => shown.push((live, prepared)),
            Err(failure) => {
                complain(&format!("error: {}: {}", live.name(), failure.message));
                failure.hint.iter().for_each(|hint| complain(&format!("  {hint}")));
                worst = worst.max(failure.exit);
            }
        }
    }
    let views: Vec<View<'_>> = shown.iter().map(|(live, prepared)| view(live, prepared)).collect();
    let overlaps = overlap::overlaps(&views);
    for (live, prepared) in &shown {
        let own: Vec<&Overlap> = overlaps.iter().filter(|overlap| concerns(overlap, live)).collect();
        output.json(&header(live, prepared, full, &own));
        documents(live, prepared).iter().for_each(|document| output.json(document));
        output.lines(lines(live, prepared, &own, lists));
        worst = worst.max(exit(prepared));
    }
    Ok(worst)
}

async fn prepare(
    live: &Live,
    first: crate::model::Snapshot,
    full: bool,
    stop: &CancellationToken,
) -> Result<Result<Prepared, Failure>, Failure> {
    let depth = if full { Depth::Full } else { Depth::Usual };
    let (display, progress) = Display::start(live.name());
    let prepared = interrupt::harmless(stop, cycle::prepare(&live.channel, first, depth, None, &progress)).await?;
    drop(display);
    Ok(prepared.map_err(Failure::from))
}

/// What a channel sees of its target.
fn view<'a>(live: &'a Live, prepared: &'a Prepared) -> View<'a> {
    let rules = &live.channel.rules;
    View {
        channel: &rules.channel,
        target: &live.channel.target_name,
        order: &rules.channels_of_target,
        desired: &prepared.desired,
        snapshot: &prepared.snapshot,
    }
}

fn concerns(overlap: &Overlap, live: &Live) -> bool {
    overlap.owner == *live.name() || overlap.others.contains(live.name())
}

fn exit(prepared: &Prepared) -> Exit {
    if !prepared.plan.verdict.tripped.is_empty() {
        Exit::Quarantined
    } else if prepared.plan.held.is_empty() && prepared.desired.coverage.is_full() {
        Exit::Done
    } else {
        Exit::Held
    }
}

fn header(live: &Live, prepared: &Prepared, full: bool, overlaps: &[&Overlap]) -> Json {
    let plan = &prepared.plan;
    json!({
        "document": "plan",
        "version": json::VERSION,
        "channel": live.name().as_str(),
        "source": live.source,
        "target": live.channel.target_name.as_str(),
        "mode": match live.mode { Mode::Live => "live", Mode::Preview => "preview" },
        "depth": if full { "full" } else { "usual" },
        "first": prepared.snapshot.first,
        "vendor": prepared.vendor.as_str(),
        "reading": json::coverage(&prepared.desired.coverage),
        "notes": plan.notes,
        "counts": json::counts(cycle::counted(plan, &Applied::default())),
        "guard": json::guard(&plan.verdict),
        "comparison": comparison_json(prepared),
        "overlaps": overlaps.iter().map(|overlap| json::overlap(overlap)).collect::<Vec<_>>(),
    })
}

/// The same for programs.
pub fn comparison_json(prepared: &Prepared) -> Option<Json> {
    let comparison = prepared.comparison.as_ref()?;
    let unknown = |resource_type| comparison.unknown.get(&resource_type).copied().unwrap_or_default();
    Some(json!({
        "drifted": comparison.corrected.len(),
        "missing": comparison.missing.len(),
        "unknown_users": unknown(crate::model::ResourceType::User),
        "unknown_groups": unknown(crate::model::ResourceType::Group),
        "members_foreign": comparison.members_foreign,
    }))
}

fn documents(live: &Live, prepared: &Prepared) -> Vec<Json> {
    let (plan, channel) = (&prepared.plan, live.name().as_str());
    let mut documents: Vec<Json> =
        change::whole(plan).iter().map(|(stage, change)| json::change(channel, Some(*stage), change, &plan.names)).collect();
    documents.extend(plan.verdict.stopped.iter().map(|change| json::change(channel, None, change, &plan.names)));
    documents.extend(plan.held.iter().map(|held| json::held_line(channel, held)));
    documents
}

fn lines(live: &Live, prepared: &Prepared, overlaps: &[&Overlap], lists: Lists) -> Vec<String> {
    let plan = &prepared.plan;
    let mut lines = vec![format!(
        "channel {}: {} ({}) to {}{}",
        live.name(),
        live.source,
        prepared.vendor.as_str(),
        live.channel.target_name,
        if live.mode == Mode::Preview { ", in preview" } else { "" }
    )];
    lines.extend(text::coverage(&prepared.desired.coverage).into_iter().map(|line| format!("  {line}")));
    lines.extend(plan.notes.iter().map(|note| format!("  note: {note}")));
    lines.extend(comparison_lines(prepared));
    lines.extend(overlaps.iter().flat_map(|overlap| overlap::lines(overlap, lists)).map(|line| format!("  {line}")));
    lines.push(String::new());
    for (_, change) in change::whole(plan) {
        lines.extend(change::lines(&change, &plan.names, lists));
    }
    lines.extend(plan.held.iter().map(change::held_line));
    if !plan.verdict.stopped.is_empty() {
        lines.push(String::new());
        lines.push("stopped by the guard:".to_owned());
        let stopped = plan.verdict.stopped.iter().flat_map(|change| change::lines(change, &plan.names, lists));
        lines.extend(stopped.map(|line| format!("  {line}")));
    }
    lines.push(String::new());
    lines.extend(summary(prepared));
    lines.push(String::new());
    lines
}

/// What a comparison with everything at the target found.
pub fn comparison_lines(prepared: &Prepared) -> Vec<String> {
    let Some(comparison) = &prepared.comparison else { return Vec::new() };
    let unknown = |resource_type| comparison.unknown.get(&resource_type).copied().unwrap_or_default();
    let users = unknown(crate::model::ResourceType::User);
    let groups = unknown(crate::model::ResourceType::Group);
    vec![
        format!(
            "  at the target: {} linked resources differ from what it acknowledged, {} are missing",
            comparison.corrected.len(),
            comparison.missing.len()
        ),
        format!("  at the target: {} without a link, which are left alone unless they match", text::people(users, groups)),
        format!(
            "  at the target: {} members of linked groups that others put there and that are left alone",
            comparison.members_foreign
        ),
    ]
}

fn summary(prepared: &Prepared) -> Vec<String> {
    let (plan, counts) = (&prepared.plan, &prepared.plan.counts);
    let mut lines = vec![
        format!("{} in scope", text::people(counts.users, counts.groups)),
        format!(
            "would create {}, adopt {}, change {} (switching {} off), delete {}, forget {}; {} held",
            counts.create, counts.adopt, counts.update, counts.deactivate, counts.delete, counts.forget, counts.held
        ),
    ];
    for (number, what) in [
        (counts.relink, "groups made anew take over the resource of one that is gone"),
        (counts.members_left_out, "members of groups are left out, as they are nobody in scope"),
        (counts.members_foreign, "members of groups were put there by others and stay"),
        (counts.references_open, "references (such as manager) are to entries that were not read"),
    ] {
        if number > 0 {
            lines.push(format!("{number} {what}"));
        }
    }
    match plan.verdict.tripped.as_slice() {
        [] => lines.push("guard: passed".to_owned()),
        tripped => lines.extend(tripped.iter().map(|tripped| format!("guard: {}", text::stopped(tripped)))),
    }
    lines
}
