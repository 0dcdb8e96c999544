//! Too many removals in a window of time → what is over the limit is stopped, the rest goes on.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{EntryId, LinkedCounts, WindowTally};

use super::{Action, Change, Edit, GuardKind, GuardSettings, Limit, Tally, Tripped, Verdict, diff};

/// What the guard compares with.
#[derive(Debug, Clone, Copy)]
pub struct Base<'a> {
    /// What the channel claims now.
    pub linked: LinkedCounts,
    /// How many members each group has now.
    pub members: &'a BTreeMap<EntryId, u64>,
    /// Linked users who are switched off already.
    pub off: &'a BTreeSet<EntryId>,
    /// What the window already holds.
    pub tally: &'a WindowTally,
}

/// What passes, what does not, and whose users are removed by what passes.
#[derive(Debug, Clone, Default)]
pub struct Judged {
    /// Changes that pass, in the order given.
    pub changes: Vec<Change>,
    /// The verdict.
    pub verdict: Verdict,
    /// Users removed by what passes.
    pub removed_users: BTreeSet<EntryId>,
}

/// How many entries a reading holds in scope.
#[derive(Debug, Clone, Copy)]
pub struct InScope {
    /// Users.
    pub users: u64,
    /// Groups.
    pub groups: u64,
}

/// No loss passes.
const NONE: Limit = Limit { percent: 0.0, at_least: 0, at_most: Some(0) };

/// Stops every kind of loss that is over its limit. A reading without a single user in scope, while users are
/// claimed, stops everything; one without a single group, while groups are claimed, removes no group.
pub fn judge(changes: Vec<Change>, base: &Base<'_>, settings: &GuardSettings, in_scope: InScope) -> Judged {
    if in_scope.users == 0 && base.linked.users > 0 {
        return empty_source(changes, base);
    }
    let mut judged = Judged { changes, ..Judged::default() };
    let then = base.tally.linked_then;
    let users = then.map_or(base.linked.users + base.tally.users_absent + base.tally.users_disabled, |then| then.users);
    let groups = then.map_or(base.linked.groups + base.tally.groups, |then| then.groups);
    let memberships = then.map_or(base.linked.memberships + base.tally.memberships, |then| then.memberships);

    let limit = |judged: &mut Judged, kind, size: u64, already, limit: &Limit| {
        let planned = judged.changes.iter().map(|change| of_kind(&change.tally, kind)).sum();
        check(judged, kind, size, already, planned, limit, None);
    };
    limit(&mut judged, GuardKind::Users, users, base.tally.users_absent, &settings.users);
    limit(&mut judged, GuardKind::DisabledUsers, users, base.tally.users_disabled, &settings.users);
    let groups_limit = if in_scope.groups == 0 { &NONE } else { &settings.groups };
    limit(&mut judged, GuardKind::Groups, groups, base.tally.groups, groups_limit);
    limit(&mut judged, GuardKind::Identity, users + groups, base.tally.identity, &settings.identity);

    keep_members_of_users_who_stay(&mut judged, base.off);
    for (group, size, planned) in losses_by_group(&judged, base) {
        let already = base.tally.per_group.get(&group).copied().unwrap_or_default();
        check(&mut judged, GuardKind::PerGroup, size + already, already, planned, &settings.per_group, Some(&group));
    }
    let planned = judged.changes.iter().map(|change| change.tally.memberships).sum();
    check(&mut judged, GuardKind::Memberships, memberships, base.tally.memberships, planned, &settings.memberships, None);
    remember_who_stays_a_member(&mut judged);
    judged
}

/// Whoever stays a member because the guard says so is not forgotten: the membership would be nobody's.
fn remember_who_stays_a_member(judged: &mut Judged) {
    let stay: BTreeSet<EntryId> = judged
        .verdict
        .stopped
        .iter()
        .filter_map(|change| match &change.action {
            Action::Update { edits, .. } | Action::Adopt { edits, .. } | Action::Relink { edits, .. } => Some(edits),
            Action::Create(_) | Action::Delete { .. } | Action::Claim { .. } | Action::Release | Action::Forget => None,
        })
        .flatten()
        .filter_map(|edit| match edit {
            Edit::Members { remove, .. } => Some(remove.iter().cloned()),
            Edit::Attribute { .. } | Edit::Foreign { .. } => None,
        })
        .flatten()
        .collect();
    let (waiting, going) = std::mem::take(&mut judged.changes)
        .into_iter()
        .partition(|change| matches!(change.action, Action::Forget) && stay.contains(&change.entry_id));
    judged.changes = going;
    judged.verdict.stopped.extend::<Vec<Change>>(waiting);
}

fn of_kind(tally: &Tally, kind: GuardKind) -> u64 {
    match kind {
        GuardKind::Users => tally.users_absent,
        GuardKind::DisabledUsers => tally.users_disabled,
        GuardKind::Groups => tally.groups,
        GuardKind::Memberships | GuardKind::PerGroup => tally.memberships,
        GuardKind::Identity => tally.identity,
        GuardKind::EmptySource => 0,
    }
}

fn empty_source(changes: Vec<Change>, base: &Base<'_>) -> Judged {
    let tripped = Tripped {
        kind: GuardKind::EmptySource,
        message: format!(
            "the directory returned no user in scope, but {} are linked: nothing is applied. Check base_dn, filter, group_dn and \
             the rights of the bind account; `ldap2scim check` shows what they find",
            base.linked.users
        ),
        planned: changes.len() as u64,
        already: 0,
        allowed: 0,
    };
    Judged { verdict: Verdict { tripped: vec![tripped], stopped: changes }, ..Judged::default() }
}

fn check(judged: &mut Judged, kind: GuardKind, size: u64, already: u64, planned: u64, limit: &Limit, group: Option<&EntryId>) {
    let allowed = limit.allows(size);
    if planned == 0 || already + planned <= allowed {
        return;
    }
    let changes = std::mem::take(&mut judged.changes);
    let mut name = None;
    for change in changes {
        if of_kind(&change.tally, kind) == 0 || group.is_some_and(|group| *group != change.entry_id) {
            judged.changes.push(change);
            continue;
        }
        name = Some(change.name.clone());
        let (kept, stopped) = split(change, kind, &judged.removed_users);
        judged.changes.extend(kept);
        judged.verdict.stopped.push(stopped);
    }
    let of = match (kind, name) {
        (GuardKind::PerGroup, Some(name)) => format!("members of group {name}"),
        _ => kind.as_str().to_owned(),
    };
    let message = format!(
        "{of}: {planned} planned and {already} already done within the window are more than the {allowed} allowed (of {size}); \
         they are held back, everything else goes on. {}",
        way_out(kind, limit)
    );
    judged.verdict.tripped.push(Tripped { kind, message, planned, already, allowed });
}

fn way_out(kind: GuardKind, limit: &Limit) -> String {
    if *limit == NONE {
        return "The directory returned no group in scope at all: check groups.base_dn, filter and group_dn; groups that are \
                really to go are removed at the target, then `ldap2scim resync`"
            .to_owned();
    }
    format!(
        "If they are meant, raise guard.{} (percent, at_least, at_most) for one cycle; if not, mend the directory or the \
         configuration",
        key(kind)
    )
}

fn key(kind: GuardKind) -> &'static str {
    match kind {
        GuardKind::Users | GuardKind::DisabledUsers => "users",
        GuardKind::Groups => "groups",
        GuardKind::Memberships => "memberships",
        GuardKind::PerGroup => "per_group",
        GuardKind::Identity => "identity",
        GuardKind::EmptySource => "users",
    }
}

/// Cuts a change into what goes on and what is stopped. A link that changes hands goes whole or not at all by its name,
/// and so does a group that is emptied.
fn split(change: Change, kind: GuardKind, removed_users: &BTreeSet<EntryId>) -> (Option<Change>, Change) {
    let (resource_id, edits) = match &change.action {
        Action::Relink { .. } if kind == GuardKind::Identity => return (None, change),
        Action::Update { .. } if kind == GuardKind::Groups => return (None, change),
        Action::Update { resource_id, edits }
        | Action::Adopt { resource_id, edits, .. }
        | Action::Relink { resource_id, edits, .. } => (resource_id.clone(), edits.clone()),
        Action::Create(_) | Action::Delete { .. } | Action::Claim { .. } | Action::Release | Action::Forget => {
            return (None, change);
        }
    };
    let mut going = Vec::new();
    let mut stopping = Vec::new();
    for edit in edits {
        match (edit, kind) {
            (edit, GuardKind::Users | GuardKind::DisabledUsers) if diff::deactivates(&edit) => stopping.push(edit),
            (edit @ Edit::Attribute { before: Some(_), .. }, GuardKind::Identity) if diff::renames(&edit) => stopping.push(edit),
            (Edit::Members { add, remove }, GuardKind::Memberships | GuardKind::PerGroup) => {
                let (free, counted): (BTreeSet<_>, BTreeSet<_>) = remove.into_iter().partition(|id| removed_users.contains(id));
                if !add.is_empty() || !free.is_empty() {
                    going.push(Edit::Members { add, remove: free });
                }
                if !counted.is_empty() {
                    stopping.push(Edit::Members { add: BTreeSet::new(), remove: counted });
                }
            }
            (edit @ Edit::Foreign { .. }, GuardKind::Memberships | GuardKind::PerGroup) => stopping.push(edit),
            (edit, _) => going.push(edit),
        }
    }
    let mut tally = change.tally;
    let mut stopped_tally = Tally::default();
    match kind {
        GuardKind::Users => stopped_tally.users_absent = std::mem::take(&mut tally.users_absent),
        GuardKind::DisabledUsers => stopped_tally.users_disabled = std::mem::take(&mut tally.users_disabled),
        GuardKind::Memberships | GuardKind::PerGroup => stopped_tally.memberships = std::mem::take(&mut tally.memberships),
        GuardKind::Identity => stopped_tally.identity = std::mem::take(&mut tally.identity),
        GuardKind::Groups | GuardKind::EmptySource => {}
    }
    let stopped = Change {
        action: Action::Update { resource_id: resource_id.clone(), edits: stopping },
        tally: stopped_tally,
        ..change.clone()
    };
    let kept = match change.action.clone() {
        Action::Adopt { resource_id, found, .. } => Some(Action::Adopt { resource_id, found, edits: going }),
        Action::Relink { resource_id, from, .. } => Some(Action::Relink { resource_id, from, edits: going }),
        Action::Update { .. } if going.is_empty() => None,
        Action::Update { resource_id, .. } => Some(Action::Update { resource_id, edits: going }),
        Action::Create(_) | Action::Delete { .. } | Action::Claim { .. } | Action::Release | Action::Forget => None,
    };
    (kept.map(|action| Change { action, tally, ..change }), stopped)
}

/// A user whose removal was stopped keeps its memberships; those of a user who is removed count as that user.
/// So do those of one who was switched off before and is only let go now.
fn keep_members_of_users_who_stay(judged: &mut Judged, off: &BTreeSet<EntryId>) {
    let is_removal = |change: &&Change| {
        change.tally.users_absent > 0 || (matches!(change.action, Action::Release) && off.contains(&change.entry_id))
    };
    let stay: BTreeSet<EntryId> =
        judged.verdict.stopped.iter().filter(is_removal).map(|change| change.entry_id.clone()).collect();
    judged.removed_users = judged.changes.iter().filter(is_removal).map(|change| change.entry_id.clone()).collect();
    let removed = &judged.removed_users;
    // A group that is emptied counts as that group, and nobody stays in it.
    for change in judged.changes.iter_mut().filter(|change| change.tally.groups == 0) {
        let (Action::Update { edits, .. } | Action::Adopt { edits, .. } | Action::Relink { edits, .. }) = &mut change.action
        else {
            continue;
        };
        change.tally.memberships = 0;
        for edit in edits.iter_mut() {
            match edit {
                Edit::Attribute { .. } => {}
                Edit::Foreign { remove } => change.tally.memberships += remove.len() as u64,
                Edit::Members { remove, .. } => {
                    remove.retain(|id| !stay.contains(id));
                    change.tally.memberships += remove.iter().filter(|id| !removed.contains(*id)).count() as u64;
                }
            }
        }
        *edits = diff::without_nothing(std::mem::take(edits));
    }
    judged.changes.retain(|change| !matches!(&change.action, Action::Update { edits, .. } if edits.is_empty()));
}

fn losses_by_group(judged: &Judged, base: &Base<'_>) -> Vec<(EntryId, u64, u64)> {
    let mut losses: BTreeMap<&EntryId, u64> = BTreeMap::new();
    for change in judged.changes.iter().filter(|change| change.tally.memberships > 0) {
        *losses.entry(&change.entry_id).or_default() += change.tally.memberships;
    }
    losses
        .into_iter()
        .map(|(group, planned)| (group.clone(), base.members.get(group).copied().unwrap_or_default(), planned))
        .collect()
}
