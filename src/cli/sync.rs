//! `sync` and `resync`: one cycle of each channel, one after the other.

use serde_json::{Value as Json, json};

use crate::assemble::Live;
use crate::config::Mode;
use crate::cycle::{CycleError, Extent, Report, Trigger, counted};
use crate::daemon;
use crate::store::Sqlite;

use super::args::Arguments;
use super::change::{self, Lists};
use super::exit::Exit;
use super::failure::Failure;
use super::output::{Output, complain};
use super::progress::Display;
use super::{dry_run, hint, interrupt, json, owner, selection, status, text};

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// What changed in the directory is read.
    Sync,
    /// All of the directory is read.
    SyncFull,
    /// The target is listed too.
    Resync,
}

/// Runs the channels in the file's order.
pub async fn run(arguments: &Arguments, output: &mut Output, manner: Manner) -> Result<Exit, Failure> {
    let assembled = selection::assembled(arguments)?;
    owner::check(&assembled.state_dir)?;
    let store = Sqlite::open(&assembled.state_dir)?;
    let stop = interrupt::token();
    let lists = Lists::of(arguments.verbose);
    let trigger = match manner {
        Manner::Sync | Manner::SyncFull => Trigger::Sync,
        Manner::Resync => Trigger::Resync,
    };
    let extent = match manner {
        Manner::Sync => Extent::Changes { heard: None, pending: true },
        Manner::SyncFull | Manner::Resync => Extent::All,
    };
    let mut worst = Exit::Done;
    for live in &assembled.channels {
        let (display, progress) = Display::start(live.name());
        let result = live.cycle(&store, trigger, extent.clone(), &stop, &progress).await;
        drop(display);
        let exit = match result {
            Ok(report) => {
                output.json(&document(live, &report));
                output.lines(lines(live, &report, lists));
                output.flush();
                if let Some(error) = &report.error {
                    told(live, error);
                }
                Exit::from(report.end)
            }
            Err(error) => {
                told(live, &error);
                Exit::Failed
            }
        };
        worst = worst.max(exit);
        if stop.is_cancelled() {
            worst = worst.max(Exit::Failed);
            break;
        }
    }
    store.close().await;
    Ok(worst)
}

fn told(live: &Live, error: &CycleError) {
    complain(&format!("error: {}: {error}", live.name()));
    if let Some(hint) = hint::of_cycle(error) {
        complain(&format!("  {hint}"));
    }
}

fn lines(live: &Live, report: &Report, lists: Lists) -> Vec<String> {
    let mut lines = Vec::new();
    let preview = live.mode == Mode::Preview;
    let end = match (Exit::from(report.end), preview) {
        (Exit::Failed, _) => "failed",
        (_, true) => "preview: nothing was sent, as the channel's mode is preview",
        (Exit::Quarantined, _) => "done but for what the guard stopped",
        (Exit::Held, _) => "done, but not for everybody",
        _ => "done",
    };
    lines.push(format!("{}: {end}", live.name()));
    if let Some(prepared) = &report.prepared {
        let (plan, counts) = (&prepared.plan, &prepared.plan.counts);
        lines.extend(text::coverage(&prepared.desired.coverage).into_iter().map(|line| format!("  {line}")));
        lines.push(format!("  in scope: {}", text::people(counts.users, counts.groups)));
        lines.extend(dry_run::comparison_lines(prepared));
        lines.extend(plan.notes.iter().map(|note| format!("  note: {note}")));
        if preview {
            lines.push(format!(
                "  planned: create {}, adopt {}, relink {}, change {}, delete {}, forget {}; `ldap2scim dry-run` shows each",
                counts.create, counts.adopt, counts.relink, counts.update, counts.delete, counts.forget
            ));
        }
    }
    lines.extend(report.notes.iter().map(|note| format!("  note: {note}")));
    if !preview {
        lines.push(format!("  sent: {}", daemon::deeds(report)));
    }
    if let Some(prepared) = &report.prepared {
        for tripped in &prepared.plan.verdict.tripped {
            lines.push(format!("  guard: {}", text::stopped(tripped)));
        }
    }
    lines.extend(change::held_lines(&report.held, lists).into_iter().map(|line| format!("  {line}")));
    lines.extend(daemon::next_step(live, report).map(|next| format!("  next step at the target: {next}")));
    lines
}

fn document(live: &Live, report: &Report) -> Json {
    let prepared = report.prepared.as_ref();
    json!({
        "document": "cycle",
        "version": json::VERSION,
        "channel": live.name().as_str(),
        "source": live.source,
        "target": live.channel.target_name.as_str(),
        "mode": match live.mode { Mode::Live => "live", Mode::Preview => "preview" },
        "end": status::end_word(report.end),
        "error": report.error.as_ref().map(ToString::to_string),
        "first": report.first,
        "notes": report.notes,
        "reading": prepared.map(|prepared| json::coverage(&prepared.desired.coverage)),
        "counts": prepared.map(|prepared| json::counts(counted(&prepared.plan, &report.applied))),
        "done": json::counts(report.applied.done.iter().map(|(word, count)| (*word, *count))),
        "guard": prepared.map(|prepared| json::guard(&prepared.plan.verdict)),
        "comparison": prepared.and_then(dry_run::comparison_json),
        "held": report.held.iter().map(json::held).collect::<Vec<_>>(),
        "next_step": daemon::next_step(live, report),
    })
}
