//! What is said of credentials that end.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::{Value as Json, json};

use crate::certificate::{Notice, Stage};
use crate::config::Settings;

/// A word about something that ends.
pub struct Reminder {
    /// `target` or `source`.
    kind: &'static str,
    name: String,
    notice: Notice,
}

/// What the targets and the sources of the chosen channels have to be reminded of.
pub fn of(settings: &Settings, now: Timestamp) -> Vec<Reminder> {
    let targets: BTreeSet<_> = settings.channels.iter().map(|channel| &channel.target).collect();
    let sources: BTreeSet<_> = settings.channels.iter().map(|channel| &channel.source).collect();
    let of_targets = settings.targets.iter().filter(|(name, _)| targets.contains(name));
    let of_targets = of_targets.map(|(name, target)| ("target", name.to_string(), target.reminders()));
    let of_sources = settings.sources.iter().filter(|(name, _)| sources.contains(name));
    let of_sources = of_sources.map(|(name, source)| ("source", name.clone(), source.reminders()));
    let notices = of_targets.chain(of_sources).flat_map(|(kind, name, reminders)| {
        reminders.notices(now).into_iter().map(move |notice| Reminder { kind, name: name.clone(), notice })
    });
    notices.collect()
}

/// A line for each.
pub fn lines(reminders: &[Reminder]) -> Vec<String> {
    let line = |Reminder { notice, .. }: &Reminder| match notice.stage {
        Stage::Over => format!("error: {}", notice.text),
        Stage::Month | Stage::Week | Stage::Day => format!("warning: {}", notice.text),
    };
    reminders.iter().map(line).collect()
}

/// The same for programs.
pub fn document(reminders: &[Reminder]) -> Json {
    let word = |stage| match stage {
        Stage::Month => "month",
        Stage::Week => "week",
        Stage::Day => "day",
        Stage::Over => "over",
    };
    let each =
        |Reminder { kind, name, notice }: &Reminder| json!({ *kind: name, "stage": word(notice.stage), "text": notice.text });
    reminders.iter().map(each).collect()
}
