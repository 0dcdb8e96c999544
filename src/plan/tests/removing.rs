//! Removal policies: who is switched off, deleted, emptied, kept, and what a return does.

use std::time::Duration;

use super::world::*;
use crate::model::{Link, Status};
use crate::plan::{GroupRemoval, Limit, Members, Reason, UserRemoval};

const NONE: Limit = Limit { percent: 0.0, at_least: 0, at_most: Some(0) };

fn after(days: u64) -> UserRemoval {
    UserRemoval::DeactivateThenDelete(Duration::from_secs(days * 86_400))
}

#[test]
fn each_removal_policy_does_what_it_says() {
    let world = |removal| {
        let mut world = World::new(&[linked_user("ada"), linked_user("bob")], vec![user("bob")]);
        world.rules.user_removal = removal;
        world
    };
    world(UserRemoval::Deactivate).expect(&["Revoke ~ ada active=false"]);
    world(UserRemoval::Delete).expect(&["DeleteUsers - ada"]);
    world(UserRemoval::Keep).expect(&["Claims forget ada"]);
}

#[test]
fn a_leaver_who_is_off_already_is_only_released_and_later_left_alone() {
    World::new(&[inactive(linked_user("ada")), linked_user("bob")], vec![user("bob")]).expect(&["Claims release ada"]);
    let (link, _) = inactive(linked_user("ada"));
    World::new(&[(link, &[]), linked_user("bob")], vec![user("bob")]).expect(&[]);
}

#[test]
fn a_leaver_who_returns_is_switched_on_again() {
    let (link, _) = inactive(linked_user("ada"));
    World::new(&[(link, &[])], vec![user("ada")]).expect(&["Users ~ ada active=true"]);
}

#[test]
fn a_leaver_is_switched_off_first_and_deleted_when_the_grace_is_over() {
    let world = |leaver: (Link, &'static [&'static str]), days| {
        let mut world = World::new(&[leaver, linked_user("bob")], vec![user("bob")]).left("ada", "here", days);
        world.rules.user_removal = after(30);
        world
    };
    let mut claimed = World::new(&[linked_user("ada"), linked_user("bob")], vec![user("bob")]);
    claimed.rules.user_removal = after(30);
    claimed.expect(&["Revoke ~ ada active=false"]);
    let off = || unclaimed(inactive(linked_user("ada")));
    world(off(), 29).expect(&[]);
    world(off(), 30).expect(&["DeleteUsers - ada"]);
    assert_eq!(world(off(), 30).plan().changes[0].change.reason, Reason::GraceOver);
    world(off(), 31).partial().expect(&[]);
    world(unclaimed(linked_user("ada")), 31).expect(&[]);
    let mut stopped = world(off(), 31);
    stopped.rules.guard.users = NONE;
    stopped.expect(&["# - ada"]);
}

#[test]
fn who_was_out_of_scope_for_long_is_deleted_as_one_who_is_gone() {
    let mut world = World::new(
        &[unclaimed(inactive(linked_user("ada"))), linked_user("bob")],
        vec![user("ada"), user("bob"), group("in", &["bob"])],
    )
    .left("ada", "here", 40);
    world.rules.user_removal = after(30);
    world.rules.users.scope = crate::plan::GroupScope { group_dns: vec![dn("cn=in,ou=groups,dc=x")], nested: true };
    world.rules.groups = None;
    world.expect(&["DeleteUsers - ada"]);
    world.partial().expect(&[]);
}

#[test]
fn a_leaver_is_deleted_by_the_channel_that_it_left_last_and_by_no_other() {
    let world = |leaver: (Link, &'static [&'static str]), channel| {
        let mut world = World::new(&[leaver, linked_user("bob")], vec![user("bob")]).left("ada", channel, 400);
        world.rules.user_removal = after(30);
        world
    };
    let (off, _) = inactive(linked_user("ada"));
    world((off.clone(), &[]), "last").expect(&[]);
    world((off.clone(), &["last"]), "here").expect(&[]);
    let mut only_deactivates = world((off, &[]), "here");
    only_deactivates.rules.user_removal = UserRemoval::Deactivate;
    only_deactivates.expect(&[]);
}

#[test]
fn a_return_switches_on_and_gives_the_memberships_back_under_each_policy() {
    let entries = || vec![user("ada"), user("bob"), group("a", &["ada", "bob"])];
    for policy in [UserRemoval::Deactivate, after(30), UserRemoval::Delete, UserRemoval::Keep] {
        let group = linked_group("a", &["bob"]);
        let mut off = World::new(&[unclaimed(inactive(linked_user("ada"))), linked_user("bob"), group.clone()], entries())
            .left("ada", "here", 400);
        off.rules.user_removal = policy;
        off.expect(&["Users ~ ada active=true", "Members ~ g-a +ada"]);
        let mut deleted = World::new(&[linked_user("bob"), group], entries());
        deleted.rules.user_removal = policy;
        deleted.expect(&["Users + ada", "Members ~ g-a +ada"]);
    }
}

#[test]
fn where_a_delete_only_switches_off_nobody_is_deleted_twice() {
    let world = |leaver: (Link, &'static [&'static str]), policy| {
        let mut world = World::new(&[leaver, linked_user("bob")], vec![user("bob")]).left("ada", "here", 400);
        world.rules.user_removal = policy;
        world.capabilities.delete_is_deactivate = true;
        world
    };
    world(linked_user("ada"), UserRemoval::Delete).expect(&["DeleteUsers - ada"]);
    world(inactive(linked_user("ada")), UserRemoval::Delete).expect(&["Claims release ada"]);
    world(unclaimed(inactive(linked_user("ada"))), after(30)).expect(&[]);
}

#[test]
fn where_switching_off_deletes_the_disabled_are_not_created_and_nothing_else_is_sent_to_them() {
    let world = |links: &[_], entry| {
        let mut world = World::new(links, vec![entry, user("bob")]);
        world.capabilities.deactivate_is_delete = true;
        world
    };
    let disabled = || with(status(user("ada"), Status::Disabled), "title", "x");
    world(&[linked_user("bob")], disabled()).expect(&[]);
    world(&[linked_user("ada"), linked_user("bob")], disabled()).expect(&["Revoke ~ ada active=false"]);
    world(&[linked_user("bob")], user("ada")).expect(&["Users + ada"]);
}

fn leaving(links: &[(Link, &'static [&'static str])], removal: GroupRemoval) -> World {
    let mut all = vec![linked_user("ada"), linked_user("bob"), linked_group("b", &[])];
    all.extend(links.iter().cloned());
    let mut world = World::new(&all, vec![user("ada"), user("bob"), group("b", &[])]);
    world.rules.group_removal = removal;
    world
}

#[test]
fn a_group_that_is_emptied_loses_its_members_and_its_claim_and_counts_as_one_group() {
    let world = leaving(&[linked_group("a", &["ada", "bob"])], GroupRemoval::Empty);
    world.expect(&["Revoke ~ g-a -ada -bob"]);
    let tally = world.plan().changes[0].change.tally;
    assert_eq!((tally.groups, tally.memberships), (1, 0));
    leaving(&[linked_group("a", &["ada"])], GroupRemoval::Empty).partial().expect(&[]);
    leaving(&[linked_group("a", &[])], GroupRemoval::Empty).expect(&["Claims release g-a"]);
    leaving(&[unclaimed(linked_group("a", &[]))], GroupRemoval::Empty).expect(&[]);
    let mut stopped = leaving(&[linked_group("a", &["ada", "bob"])], GroupRemoval::Empty);
    stopped.rules.guard.groups = NONE;
    stopped.expect(&["# ~ g-a -ada -bob"]);
    stopped.rules.guard.groups = stopped.rules.guard.users;
    stopped.rules.guard.memberships = NONE;
    stopped.expect(&["Revoke ~ g-a -ada -bob"]);
    stopped.groups().members = Members::AddOnly;
    stopped.expect(&["Claims release g-a"]);
}

#[test]
fn a_member_of_an_emptied_group_who_moves_has_the_new_one_first() {
    let mut world = leaving(&[linked_group("a", &["ada", "bob"])], GroupRemoval::Empty);
    world.entries.push(group("c", &["ada"]));
    world.snapshot.links.insert(id("g-c"), linked_group("c", &[]).0);
    world.expect(&["Members ~ g-c +ada", "Moves ~ g-a -ada -bob"]);
}

#[test]
fn a_group_that_was_there_before_us_is_deleted_only_where_that_is_asked_for() {
    let mut world = leaving(&[adopted(linked_group("a", &["ada"]))], GroupRemoval::Delete);
    world.expect(&["Revoke ~ g-a -ada"]);
    world.rules.delete_adopted_groups = true;
    world.expect(&["DeleteGroups - g-a"]);
    leaving(&[adopted(linked_group("a", &["ada"]))], GroupRemoval::Keep).expect(&["Claims forget g-a"]);
}

#[test]
fn a_group_that_returns_has_its_members_again() {
    let world = World::new(&[linked_user("ada"), unclaimed(linked_group("a", &[]))], vec![user("ada"), group("a", &["ada"])]);
    world.expect(&["Members ~ g-a +ada"]);
    assert_eq!(world.plan().changes[0].change.reason, Reason::Returned);
}
