//! The way of an entry as lines for people.

use std::time::Duration;

use crate::assemble::Live;
use crate::cli::change::{self, Lists};
use crate::cli::text;
use crate::cycle::Prepared;
use crate::mapping::{Output as RuleOutput, Trace};
use crate::model::{Entry, EntryId, Origin, ResourceType, Status};
use crate::plan::{Action, Change, Judged, Plan, Scope, Situation, UserRemoval};

/// As many matches are explained; of more only a list is given.
const FEW: usize = 5;

/// Everybody who matches in one channel. `gone`: linked, and not read.
pub fn lines(live: &Live, prepared: &Prepared, gone: &[&EntryId], lists: Lists) -> Vec<String> {
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
    lines.extend(grace(live, prepared, &entry.id).map(|line| format!("  left:    {line}")));
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

/// How the entry is linked, or what the target has for it.
pub fn link_line(prepared: &Prepared, entry_id: &EntryId) -> String {
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

fn changes_of(prepared: &Prepared, entry_id: &EntryId) -> Vec<Change> {
    change::whole(&prepared.plan).into_iter().map(|(_, change)| change).filter(|change| change.entry_id == *entry_id).collect()
}

/// The entry that gets the link of one that is gone.
pub fn heir<'a>(plan: &'a Plan, gone: &EntryId) -> Option<&'a EntryId> {
    let heirs = plan.changes.iter().map(|planned| &planned.change);
    heirs
        .filter(|change| matches!(&change.action, Action::Relink { from, .. } if from == gone))
        .map(|change| &change.entry_id)
        .next()
}

/// What would become of the entry: changed, stopped, held.
fn ends(prepared: &Prepared, entry_id: &EntryId, lists: Lists) -> Vec<String> {
    let plan = &prepared.plan;
    let mut lines = Vec::new();
    let changes = changes_of(prepared, entry_id);
    match heir(plan, entry_id) {
        Some(heir) => lines.push(format!("  change:  its link goes to entry {heir}, a group of its name")),
        None if changes.is_empty() => lines.push("  change:  nothing would be sent".to_owned()),
        None => lines.push("  change:".to_owned()),
    }
    let all = changes.iter().flat_map(|change| change::lines(change, &plan.names, lists));
    lines.extend(all.map(|line| format!("    {line}")));
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
pub fn memberships(prepared: &Prepared, entry_id: &EntryId) -> Vec<String> {
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
    lines.extend(grace(live, prepared, entry_id).map(|line| format!("  left:    {line}")));
    lines.extend(ends(prepared, entry_id, lists));
    lines
}

/// How long ago the last channel let go of the entry, and what comes after.
pub fn grace(live: &Live, prepared: &Prepared, entry_id: &EntryId) -> Option<String> {
    let leaver = prepared.snapshot.leavers.get(entry_id)?;
    let resource_type = prepared.snapshot.links.get(entry_id)?.acknowledged.resource_type;
    let ago = past(leaver.ago);
    let let_go = format!("channel {} let go {ago} ago", leaver.channel);
    Some(match live.channel.rules.user_removal {
        UserRemoval::DeactivateThenDelete(after)
            if resource_type == ResourceType::User && leaver.channel == *live.name() && leaver.ago < after =>
        {
            format!("{let_go}; deleted in {} if nobody claims it before", to_come(after.saturating_sub(leaver.ago)))
        }
        UserRemoval::DeactivateThenDelete(_) | UserRemoval::Deactivate | UserRemoval::Delete | UserRemoval::Keep => let_go,
    })
}

/// Whole days that have passed, and below one of them hours.
fn past(time: Duration) -> String {
    let hours = time.as_secs() / 3600;
    if hours < 24 { text::count(hours, "hour", "hours") } else { text::count(hours / 24, "day", "days") }
}

/// The same of what is to come, rounded up: nobody is told that it is due before it is.
fn to_come(time: Duration) -> String {
    let hours = time.as_secs().div_ceil(3600);
    if hours < 24 { text::count(hours, "hour", "hours") } else { text::count(hours.div_ceil(24), "day", "days") }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::model::ResourceId;
    use crate::plan::{ClaimAfter, Counts, Planned, Reason, Stage, Tally, Verdict};

    #[test]
    fn a_grace_is_told_in_days_and_its_last_day_in_hours() {
        for (seconds, gone, left) in [
            (0, "0 hours", "0 hours"),
            (1, "0 hours", "1 hour"),
            (23 * 3600, "23 hours", "23 hours"),
            (86_400, "1 day", "1 day"),
            (86_401, "1 day", "2 days"),
        ] {
            let time = Duration::from_secs(seconds);
            assert_eq!((past(time).as_str(), to_come(time).as_str()), (gone, left), "{seconds}");
        }
    }

    #[test]
    fn whoever_gets_the_link_of_an_entry_that_is_gone_is_named() {
        let (new, old) = (EntryId::new("new"), EntryId::new("old"));
        let change = Change {
            entry_id: new.clone(),
            resource_type: ResourceType::Group,
            name: "Sales".to_owned(),
            action: Action::Relink { resource_id: ResourceId::new("42"), from: old.clone(), edits: vec![] },
            reason: Reason::Recreated(old.clone()),
            claim: ClaimAfter::Held,
            tally: Tally::default(),
        };
        let plan = Plan {
            changes: vec![Planned { stage: Stage::Groups, after: vec![], change }],
            held: vec![],
            verdict: Verdict::default(),
            removed_users: BTreeSet::new(),
            counts: Counts::default(),
            names: BTreeMap::new(),
            notes: vec![],
        };
        assert_eq!((heir(&plan, &old), heir(&plan, &new)), (Some(&new), None));
    }
}
