//! The guard: what is over a limit stays, everything else goes on.

use super::world::*;
use crate::model::{Link, Status};
use crate::plan::{GuardKind, Limit};

fn people(count: usize) -> Vec<(Link, &'static [&'static str])> {
    (0..count).map(|n| linked_user(&format!("u{n:03}"))).collect()
}

fn present(range: std::ops::Range<usize>) -> Vec<crate::model::Entry> {
    range.map(|n| user(&format!("u{n:03}"))).collect()
}

fn limit(percent: f64, at_least: u64, at_most: u64) -> Limit {
    Limit { percent, at_least, at_most: Some(at_most) }
}

fn tripped(world: &World) -> Vec<(GuardKind, u64, u64)> {
    world.plan().verdict.tripped.iter().map(|tripped| (tripped.kind, tripped.planned, tripped.allowed)).collect()
}

#[test]
fn a_limit_is_the_greater_of_share_and_floor_under_a_ceiling() {
    for (percent, at_least, at_most, base, allowed) in
        [(2.0, 5, 100, 100, 5), (2.0, 5, 100, 1000, 20), (2.0, 5, 100, 100_000, 100), (0.0, 0, 100, 1000, 0)]
    {
        assert_eq!(limit(percent, at_least, at_most).allows(base), allowed);
    }
}

#[test]
fn a_flood_of_absences_is_stopped_and_the_rest_goes_on() {
    let mut entries = present(6..20);
    entries.push(user("new"));
    let mut world = World::new(&people(20), entries);
    world.rules.guard.users = limit(2.0, 5, 100);
    assert_eq!(tripped(&world), [(GuardKind::Users, 6, 5)]);
    let lines = text(&world.plan());
    assert_eq!(lines[0], "Users + new");
    assert_eq!(lines.len(), 7, "six stopped and one created: {lines:?}");
}

#[test]
fn a_trickle_trips_like_a_flood() {
    let mut world = World::new(&people(20), present(1..20)).linked_then(25, 0, 0);
    world.rules.guard.users = limit(2.0, 5, 100);
    world.snapshot.tally.users_absent = 4;
    assert_eq!(tripped(&world), []);
    world.snapshot.tally.users_absent = 5;
    assert_eq!(tripped(&world), [(GuardKind::Users, 1, 5)]);
}

#[test]
fn disabled_accounts_have_a_budget_of_their_own() {
    let mut entries = present(4..20);
    for entry in entries.iter_mut().take(4) {
        entry.status = Status::Disabled;
    }
    let mut world = World::new(&people(20), entries);
    world.rules.guard.users = limit(2.0, 4, 100);
    assert_eq!(tripped(&world), [], "four absent and four disabled are within four each");
    world.rules.guard.users = limit(2.0, 3, 100);
    assert_eq!(tripped(&world), [(GuardKind::Users, 4, 3), (GuardKind::DisabledUsers, 4, 3)]);
}

#[test]
fn an_empty_reading_stops_everything() {
    let mut links = people(3);
    links.push(linked_group("a", &["u000"]));
    let world = World::new(&links, vec![group("a", &[]), group("b", &[])]);
    assert_eq!(tripped(&world)[0].0, GuardKind::EmptySource);
    assert!(world.plan().changes.is_empty());
}

#[test]
fn members_lost_with_their_user_count_as_that_user_only() {
    let mut links = people(10);
    links.push(linked_group("a", &["u000", "u001", "u002"]));
    let mut entries = present(1..10);
    entries.push(group("a", &["u001", "u002"]));
    let mut world = World::new(&links, entries);
    world.rules.guard.memberships = limit(0.0, 0, 0);
    world.rules.guard.per_group = limit(0.0, 0, 0);
    world.expect(&["Revoke ~ g-a -u000", "Revoke ~ u000 active=false"]);
}

#[test]
fn a_user_whose_removal_is_stopped_keeps_its_memberships() {
    let mut links = people(10);
    links.push(linked_group("a", &["u000", "u001", "u002"]));
    let mut entries = present(1..10);
    entries.push(group("a", &["u001"]));
    let mut world = World::new(&links, entries);
    world.rules.guard.users = limit(0.0, 0, 0);
    world.expect(&["Revoke ~ g-a -u002", "# ~ u000 active=false"]);
}

#[test]
fn memberships_are_guarded_over_all_groups_and_for_each() {
    let mut links = people(10);
    links.push(linked_group("a", &["u000", "u001", "u002", "u003"]));
    let mut entries = present(0..10);
    entries.push(group("a", &["u003", "u009"]));
    let world = |entries: Vec<_>| World::new(&links, entries);
    let mut one = world(entries.clone());
    one.rules.guard.per_group = limit(50.0, 1, 100);
    one.expect(&["Members ~ g-a +u009", "# ~ g-a -u000 -u001 -u002"]);
    let mut all = world(entries);
    all.rules.guard.memberships = limit(5.0, 2, 100);
    all.expect(&["Members ~ g-a +u009", "# ~ g-a -u000 -u001 -u002"]);
    all.rules.guard.memberships = limit(5.0, 3, 100);
    all.expect(&["Revoke ~ g-a -u000 -u001 -u002", "Members ~ g-a +u009"]);
}

#[test]
fn a_flood_of_renames_is_stopped_and_other_attributes_go_on() {
    let entries =
        present(0..10).into_iter().enumerate().map(|(n, entry)| with(with(entry, "uid", &format!("new{n}")), "title", "t"));
    let mut world = World::new(&people(10), entries.collect());
    world.rules.guard.identity = limit(2.0, 5, 100);
    assert_eq!(tripped(&world), [(GuardKind::Identity, 10, 5)]);
    let lines = text(&world.plan());
    assert_eq!(lines[0], "Users ~ u000 title=t");
    assert_eq!(lines[10], "# ~ u000 userName=new0");
}

#[test]
fn deleted_groups_are_guarded() {
    let mut links = people(3);
    links.extend((0..6).map(|n| linked_group(&format!("a{n}"), &[])));
    let mut entries = present(0..3);
    entries.push(group("a5", &[]));
    let mut world = World::new(&links, entries);
    world.rules.guard.groups = limit(2.0, 2, 10);
    assert_eq!(tripped(&world), [(GuardKind::Groups, 5, 2)]);
}

#[test]
fn who_waits_for_a_name_that_the_guard_keeps_is_held_and_keeps_the_rest() {
    let links = people(3);
    let entries = vec![
        with(user("u000"), "uid", "fresh"),
        with(with(user("u001"), "uid", "u000"), "title", "t"),
        with(user("new"), "uid", "u001"),
        user("u002"),
    ];
    let mut world = World::new(&links, entries);
    world.expect(&["Users + new", "Users ~ u000 userName=fresh", "Users ~ u001 title=t userName=u000"]);
    world.rules.guard.identity = limit(0.0, 0, 0);
    world.expect(&["Users ~ u001 title=t", "! new", "# ~ u000 userName=fresh", "# ~ u001 userName=u000"]);
}

#[test]
fn a_share_of_a_loss_is_counted_in_the_stage_that_takes_it() {
    let mut links = people(4);
    links.extend([linked_group("a", &["u000", "u001", "u002"]), linked_group("b", &[])]);
    let mut entries = present(1..4);
    entries.extend([group("a", &[]), group("b", &["u002"])]);
    let plan = World::new(&links, entries).plan();
    let losses: Vec<(String, u64)> = plan
        .changes
        .iter()
        .filter(|planned| !planned.change.tally.is_zero())
        .map(|planned| (format!("{:?} {}", planned.stage, planned.change.entry_id), planned.change.tally.memberships))
        .collect();
    assert_eq!(losses, [("Revoke g-a".into(), 1), ("Revoke u000".into(), 0), ("Moves g-a".into(), 1)]);
}

#[test]
fn a_reading_without_any_group_removes_none_however_wide_the_limits() {
    let mut links = people(3);
    links.push(linked_group("a", &["u000"]));
    let mut world = World::new(&links, present(0..3));
    assert_eq!(tripped(&world), [(GuardKind::Groups, 1, 0)]);
    world.rules.groups = None;
    assert_eq!(tripped(&world), [(GuardKind::Groups, 1, 0)], "not even when the channel provisions none any more");
    world.expect(&["# - g-a"]);
}

#[test]
fn whoever_stays_a_member_because_of_the_guard_is_not_forgotten() {
    let mut links = people(10);
    links.push(linked_group("a", &["u000", "u001", "u002"]));
    let mut entries = present(1..10);
    entries.push(group("a", &["u001", "u002"]));
    let mut world = World::new(&links, entries);
    world.rules.user_removal = crate::plan::UserRemoval::Keep;
    world.expect(&["Revoke ~ g-a -u000", "Claims forget u000"]);
    world.rules.guard.memberships = limit(0.0, 0, 0);
    world.expect(&["# ~ g-a -u000", "# forget u000"]);
}

#[test]
fn memberships_of_a_leaver_who_was_switched_off_before_count_as_that_leaver() {
    let mut links = people(10);
    links[0] = inactive(linked_user("u000"));
    links.push(linked_group("a", &["u000", "u001"]));
    let mut entries = present(1..10);
    entries.push(group("a", &["u001"]));
    let mut world = World::new(&links, entries);
    world.rules.guard.memberships = limit(0.0, 0, 0);
    world.expect(&["Revoke ~ g-a -u000", "Claims release u000"]);
}

#[test]
fn user_names_and_display_names_of_users_and_groups_are_names() {
    let links = [linked_user("ada"), linked_user("bob"), linked_group("a", &[])];
    let renamed = vec![with(user("ada"), "uid", "lovelace"), user("bob"), with(group("a", &[]), "cn", "b")];
    let mut world = World::new(&links, renamed);
    world.rules.guard.identity = limit(0.0, 1, 1);
    assert_eq!(tripped(&world), [(GuardKind::Identity, 2, 1)]);
    world.expect(&["# ~ ada userName=lovelace", "# ~ g-a displayName=b"]);
}
