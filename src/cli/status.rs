//! `status`: how the last cycles went, read from the store beside a running daemon.

use jiff::Timestamp;
use serde_json::{Value as Json, json};

use crate::config::{Channel, Mode};
use crate::cycle::{CycleEnd, Trigger};
use crate::model::Witness;
use crate::store::{ChannelStatus, HeldStatus, Viewer};

use super::args::Arguments;
use super::change::Lists;
use super::exit::Exit;
use super::failure::Failure;
use super::output::Output;
use super::{json, reminders, selection, text, tracking};

/// Shows the channels that are meant.
pub fn run(arguments: &Arguments, output: &mut Output) -> Result<Exit, Failure> {
    let settings = selection::without_secrets(arguments)?;
    let known = match Viewer::open(&settings.state_dir)? {
        Some(viewer) => Some(viewer.channels()?),
        None => None,
    };
    if known.is_none() {
        output.line(format!("no state yet in {}: no cycle has run", settings.state_dir.display()));
    }
    let (now, lists) = (Timestamp::now(), Lists::of(arguments.verbose));
    let statuses = known.as_deref().unwrap_or_default();
    let mut worst = Exit::Done;
    let mut documents = Vec::new();
    for channel in &settings.channels {
        let status = statuses.iter().find(|status| status.channel == channel.name);
        output.lines(lines(channel, status, now, lists));
        documents.push(document(channel, status, now));
        worst = worst.max(status.map_or(Exit::Done, health));
    }
    if arguments.channels.is_empty() {
        for status in statuses.iter().filter(|status| settings.channels.iter().all(|channel| channel.name != status.channel)) {
            output.line(format!(
                "{}: not in the configuration any more; it claims {} at {}. Whom no other channel claims, nobody removes",
                status.channel,
                text::people(status.linked.users, status.linked.groups),
                status.target
            ));
        }
    }
    let reminded = reminders::of(&settings, now);
    output.lines(reminders::lines(&reminded));
    output.json(&json!({
        "document": "status",
        "version": json::VERSION,
        "state_dir": settings.state_dir.display().to_string(),
        "state": known.is_some(),
        "channels": documents,
        "reminders": reminders::document(&reminded),
    }));
    Ok(worst)
}

fn health(status: &ChannelStatus) -> Exit {
    if status.last.end == Some(CycleEnd::Failed) {
        Exit::Failed
    } else if !status.quarantine.is_empty() {
        Exit::Quarantined
    } else if !status.held.is_empty() || status.last.end == Some(CycleEnd::DoneWithHeld) {
        Exit::Held
    } else {
        Exit::Done
    }
}

fn lines(channel: &Channel, status: Option<&ChannelStatus>, now: Timestamp, lists: Lists) -> Vec<String> {
    let preview = if channel.mode == Mode::Preview { ", in preview" } else { "" };
    let mut lines = vec![format!("{}: {} to {}{preview}", channel.name, channel.source, channel.target)];
    match status {
        None => lines.push("  last cycle: none yet".to_owned()),
        Some(status) => {
            lines.extend(of_status(status, lists));
            lines.extend(tracking::lines(channel, status, now, moment));
        }
    }
    lines.push(match (&channel.schedule, next(channel, now)) {
        (Some(schedule), Some(next)) => format!("  next cycle: {} ({schedule})", moment(next)),
        (Some(schedule), None) => format!("  next cycle: never ({schedule})"),
        (None, _) => "  next cycle: none by itself, as there is no schedule".to_owned(),
    });
    lines
}

fn of_status(status: &ChannelStatus, lists: Lists) -> Vec<String> {
    let last = &status.last;
    let kind = match last.trigger {
        Trigger::Sync => "",
        Trigger::Resync => " (resync)",
        Trigger::Preview => " (preview: nothing was sent)",
    };
    let mut lines = vec![match (last.end, last.ended_at) {
        (Some(end), Some(ended)) => format!("  last cycle: {}{kind}, ended {}", end_text(end), moment(ended)),
        _ => format!("  last cycle: running{kind} since {}, unless the program died", moment(last.started_at)),
    }];
    let told_below = |message: &&String| !status.quarantine.iter().any(|quarantine| quarantine.message == **message);
    lines.extend(last.messages.iter().filter(told_below).map(|message| format!("    {message}")));
    if !matches!(last.end, Some(CycleEnd::Done | CycleEnd::DoneWithHeld))
        && let Some(success) = status.last_success
    {
        lines.push(format!("  last done: {}", moment(success)));
    }
    let counts: Vec<String> =
        last.counts.iter().filter(|(_, count)| *count > 0).map(|(name, count)| format!("{name} {count}")).collect();
    if !counts.is_empty() {
        lines.push(format!("  counts: {}", counts.join(", ")));
    }
    lines.push(format!(
        "  linked: {} with {}",
        text::people(status.linked.users, status.linked.groups),
        text::count(status.linked.memberships, "membership", "memberships")
    ));
    lines.extend(knowledge_lines(status));
    for quarantine in &status.quarantine {
        lines.push(format!("  quarantined since {}: {}", moment(quarantine.since), quarantine.message));
    }
    lines.extend(status.held.iter().take(lists.limit()).map(held_line));
    let rest = status.held.len().saturating_sub(lists.limit());
    if rest > 0 {
        lines.push(format!("  ! {rest} more (-v shows all)"));
    }
    if status.unanswered > 0 {
        lines.push(format!(
            "  {} sent without an answer so far; the next cycle finds out what became of it",
            text::count(status.unanswered, "request was", "requests were")
        ));
    }
    lines
}

/// What is known of the target beyond its configuration, since when, and how it goes.
fn knowledge_lines(status: &ChannelStatus) -> Vec<String> {
    let mut lines: Vec<String> = status
        .knowledge
        .iter()
        .map(|fact| {
            let value = if fact.value.is_empty() { "(nothing)" } else { &fact.value };
            let verb = witness_word(fact.witness);
            format!("  {} {verb} {} = {value}, since {}", status.target, fact.knob, moment(fact.since))
        })
        .collect();
    if status.knowledge.iter().any(|fact| fact.witness == Witness::Learnt) {
        lines.push("  `ldap2scim resync` forgets what was learnt; `dialect` in the target overrules it".to_owned());
    }
    lines
}

fn held_line(held: &HeldStatus) -> String {
    let (kind, name) = (held.resource_type.as_str(), text::word(&held.name));
    format!("  ! {kind} {name} ({}) since {}: {}", held.entry_id, moment(held.since), held.why)
}

fn document(channel: &Channel, status: Option<&ChannelStatus>, now: Timestamp) -> Json {
    let time = |moment: Timestamp| moment.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let [tracked, live] = tracking::documents(channel, status, now, time);
    json!({
        "tracking": tracked,
        "live": live,
        "channel": channel.name.as_str(),
        "source": channel.source,
        "target": channel.target.as_str(),
        "mode": match channel.mode { Mode::Live => "live", Mode::Preview => "preview" },
        "schedule": channel.schedule.as_ref().map(ToString::to_string),
        "next_cycle": next(channel, now).map(time),
        "last_cycle": status.map(|status| json!({
            "trigger": match status.last.trigger {
                Trigger::Sync => "sync",
                Trigger::Resync => "resync",
                Trigger::Preview => "preview",
            },
            "started_at": time(status.last.started_at),
            "ended_at": status.last.ended_at.map(time),
            "end": status.last.end.map(end_word),
            "messages": status.last.messages,
            "counts": json::counts(status.last.counts.iter().map(|(name, count)| (name.as_str(), *count))),
        })),
        "last_success": status.and_then(|status| status.last_success).map(time),
        "linked": status.map(|status| json!({
            "users": status.linked.users,
            "groups": status.linked.groups,
            "memberships": status.linked.memberships,
        })),
        "held": status.map(|status| status.held.iter().map(|held| json!({
            "entry_id": held.entry_id.as_str(),
            "resource_type": held.resource_type.as_str(),
            "name": held.name,
            "why": held.why,
            "since": time(held.since),
        })).collect::<Vec<_>>()).unwrap_or_default(),
        "quarantine": status.map(|status| status.quarantine.iter().map(|quarantine| json!({
            "kind": quarantine.kind,
            "message": quarantine.message,
            "since": time(quarantine.since),
        })).collect::<Vec<_>>()).unwrap_or_default(),
        "unanswered": status.map_or(0, |status| status.unanswered),
        "knowledge": status.map(|status| status.knowledge.iter().map(|fact| json!({
            "knob": fact.knob,
            "value": fact.value,
            "from": witness_word(fact.witness),
            "since": time(fact.since),
        })).collect::<Vec<_>>()).unwrap_or_default(),
    })
}

fn witness_word(witness: Witness) -> &'static str {
    match witness {
        Witness::Announced => "announced",
        Witness::Learnt => "learnt",
    }
}

fn next(channel: &Channel, now: Timestamp) -> Option<Timestamp> {
    channel.schedule.as_ref()?.next_after(&now)
}

/// A moment for people, in the system's time zone.
fn moment(moment: Timestamp) -> String {
    moment.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S %Z").to_string()
}

fn end_text(end: CycleEnd) -> &'static str {
    match end {
        CycleEnd::Done => "done",
        CycleEnd::DoneWithHeld => "done, but not for everybody",
        CycleEnd::Quarantined => "done but for what the guard stopped",
        CycleEnd::Failed => "failed",
    }
}

/// The word for programs.
pub fn end_word(end: CycleEnd) -> &'static str {
    match end {
        CycleEnd::Done => "done",
        CycleEnd::DoneWithHeld => "done_with_held",
        CycleEnd::Quarantined => "quarantined",
        CycleEnd::Failed => "failed",
    }
}
