//! What is said of credentials that end.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::{Value as Json, json};

use crate::config::Settings;
use crate::model::TargetName;
use crate::scim::{Notice, Reminders, Stage};

/// What the targets of the chosen channels have to be reminded of.
pub fn of(settings: &Settings, now: Timestamp) -> Vec<(TargetName, Notice)> {
    let used: BTreeSet<&TargetName> = settings.channels.iter().map(|channel| &channel.target).collect();
    let meant = settings.targets.iter().filter(|(name, _)| used.contains(name));
    meant
        .flat_map(|(name, target)| Reminders::new(target).notices(now).into_iter().map(|notice| (name.clone(), notice)))
        .collect()
}

/// A line for each.
pub fn lines(notices: &[(TargetName, Notice)]) -> Vec<String> {
    let line = |(_, notice): &(TargetName, Notice)| match notice.stage {
        Stage::Over => format!("error: {}", notice.text),
        Stage::Month | Stage::Week | Stage::Day => format!("warning: {}", notice.text),
    };
    notices.iter().map(line).collect()
}

/// The same for programs.
pub fn document(notices: &[(TargetName, Notice)]) -> Json {
    let word = |stage| match stage {
        Stage::Month => "month",
        Stage::Week => "week",
        Stage::Day => "day",
        Stage::Over => "over",
    };
    let each = |(target, notice): &(TargetName, Notice)| json!({ "target": target.as_str(), "stage": word(notice.stage), "text": notice.text });
    notices.iter().map(each).collect()
}
