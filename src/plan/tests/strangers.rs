//! Members that others put into our groups: whose are removed, and when.

use super::world::*;
use crate::model::Link;
use crate::plan::{Limit, Members};

const NONE: Limit = Limit { percent: 0.0, at_least: 0, at_most: Some(0) };

fn people() -> Vec<(Link, &'static [&'static str])> {
    let mut elses = linked_user("other");
    elses.1 = &["last"];
    vec![linked_user("ada"), linked_user("bob"), unclaimed(inactive(linked_user("eve"))), elses]
}

/// A group that is found with ada, bob, eve (who left us), another channel's user and a stranger; ada belongs there.
fn found(members: Members) -> World {
    let mut world = World::new(&people(), vec![user("ada"), user("bob"), group("a", &["ada"])])
        .found("g-a", &[("displayName", "a")], &["Rada", "Rbob", "Reve", "Rother", "stranger"])
        .left("eve", "here", 3);
    world.groups().members = members;
    world
}

#[test]
fn an_adopted_group_loses_our_own_users_and_nobody_elses() {
    found(Members::Managed).expect(&["Groups = g-a -bob -eve"]);
    assert_eq!(found(Members::Managed).plan().counts.members_foreign, 2);
    found(Members::AddOnly).expect(&["Groups = g-a"]);
    assert_eq!(found(Members::AddOnly).plan().counts.members_foreign, 4);
    found(Members::Exact).expect(&["Groups = g-a -bob -eve -other -foreign:stranger"]);
    assert_eq!(found(Members::Exact).plan().counts.members_foreign, 0);
    for members in [Members::Managed, Members::Exact] {
        found(members).partial().expect(&["Groups = g-a"]);
    }
}

#[test]
fn what_an_adoption_takes_away_is_guarded() {
    let mut managed = found(Members::Managed);
    managed.rules.guard.memberships = NONE;
    managed.expect(&["Groups = g-a", "# ~ g-a -bob -eve"]);
    let mut exact = found(Members::Exact);
    assert_eq!(exact.plan().changes[0].change.tally.memberships, 4);
    exact.rules.guard.per_group = Limit { percent: 50.0, at_least: 0, at_most: None };
    exact.expect(&["Groups = g-a", "# ~ g-a -bob -eve -other -foreign:stranger"]);
    exact.rules.guard.per_group = Limit { percent: 80.0, at_least: 0, at_most: None };
    exact.expect(&["Groups = g-a -bob -eve -other -foreign:stranger"]);
}

/// A linked group that is found with the same members by a comparison.
fn compared(members: Members, claims: &'static [&'static str]) -> World {
    let mut links = people();
    let (link, _) = linked_group("a", &["ada"]);
    links.push((link, claims));
    let found: Vec<_> = links[..4]
        .iter()
        .map(|linked| there(linked, &[]))
        .chain([there(&links[4], &["Rada", "Rbob", "Reve", "Rother", "stranger"])])
        .collect();
    let mut world = World::new(&links, vec![user("ada"), user("bob"), group("a", &["ada"])]).left("eve", "here", 3);
    world.groups().members = members;
    world.compared(&found)
}

#[test]
fn a_comparison_removes_whom_others_put_there_as_the_rule_says() {
    compared(Members::Managed, &["here"]).expect(&["Revoke ~ g-a -bob -eve"]);
    compared(Members::AddOnly, &["here"]).expect(&[]);
    compared(Members::Exact, &["here"]).expect(&["Revoke ~ g-a -bob -eve -other -foreign:stranger"]);
    for members in [Members::Managed, Members::Exact] {
        compared(members, &["first", "here"]).expect(&[]);
        compared(members, &["here"]).partial().expect(&[]);
    }
    let foreign = |world: World| world.comparison.unwrap().members_foreign;
    assert_eq!(foreign(compared(Members::Managed, &["here"])), 2);
    assert_eq!(foreign(compared(Members::AddOnly, &["here"])), 4);
    assert_eq!(foreign(compared(Members::Exact, &["here"])), 0);
    assert_eq!(foreign(compared(Members::Exact, &["first", "here"])), 4);
    let mut guarded = compared(Members::Exact, &["here"]);
    guarded.rules.guard.memberships = NONE;
    guarded.expect(&["# ~ g-a -bob -eve -other -foreign:stranger"]);
}

#[test]
fn nobody_is_taken_for_a_stranger_while_a_member_has_no_resource_that_we_know() {
    let mut world = compared(Members::Exact, &["here"]);
    world.entries.retain(|entry| entry.id != id("g-a"));
    world.entries.extend([without(user("held"), "uid"), group("a", &["ada", "held"])]);
    world.expect(&["Revoke ~ g-a -bob -eve -other", "! held"]);
}

#[test]
fn where_members_are_only_added_nobody_is_removed_whatever_happens() {
    let mut world = World::new(
        &[linked_user("ada"), linked_user("bob"), linked_group("a", &["ada", "bob", "gone"])],
        vec![user("ada"), user("bob"), group("a", &["bob"])],
    );
    world.expect(&["Revoke ~ g-a -ada -gone"]);
    world.groups().members = Members::AddOnly;
    world.expect(&[]);
}
