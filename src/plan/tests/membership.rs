//! Groups: members, nesting, names, what a partial reading may do.

use super::world::*;
use crate::model::{AttributeName, AttributeValue};
use crate::plan::{GroupRemoval, GroupScope, Nesting};

#[test]
fn nested_groups_are_flattened_over_cycles_or_kept() {
    let entries = || {
        vec![user("ada"), user("bob"), group("top", &["@mid", "ada"]), group("mid", &["@low"]), group("low", &["@top", "bob"])]
    };
    World::new(&[linked_user("ada"), linked_user("bob")], entries()).expect(&[
        "Groups + g-low +ada +bob",
        "Groups + g-mid +ada +bob",
        "Groups + g-top +ada +bob",
    ]);
    let mut kept = World::new(&[linked_user("ada"), linked_user("bob")], entries());
    kept.rules.groups.as_mut().unwrap().nesting = Nesting::Keep;
    kept.expect(&["Groups + g-low +bob +g-top", "Groups + g-mid +g-low", "Groups + g-top +ada +g-mid"]);
}

#[test]
fn members_come_and_go_as_true_deltas_and_losses_go_first() {
    let links = [linked_user("ada"), linked_user("bob"), linked_user("eve"), linked_group("a", &["ada", "bob"])];
    World::new(&links, vec![user("ada"), user("bob"), user("eve"), group("a", &["bob", "eve"])])
        .expect(&["Revoke ~ g-a -ada", "Members ~ g-a +eve"]);
}

#[test]
fn a_member_who_moves_is_added_before_being_removed() {
    let links = [linked_user("ada"), linked_group("a", &["ada"]), linked_group("b", &[])];
    World::new(&links, vec![user("ada"), group("a", &[]), group("b", &["ada"])])
        .expect(&["Members ~ g-b +ada", "Moves ~ g-a -ada"]);
}

#[test]
fn a_partial_reading_adds_members_and_removes_none() {
    let links = [linked_user("ada"), linked_user("bob"), linked_group("a", &["ada"]), linked_group("b", &["ada"])];
    World::new(&links, vec![user("ada"), user("bob"), group("a", &["bob"])]).partial().expect(&["Members ~ g-a +bob"]);
}

#[test]
fn members_who_are_nobody_in_scope_are_left_out_and_counted() {
    let world = World::new(&[linked_user("ada")], vec![user("ada"), group("a", &["ada", "stranger"])]);
    world.expect(&["Groups + g-a +ada"]);
    assert_eq!(world.plan().counts.members_left_out, 1);
}

#[test]
fn a_held_user_who_is_not_linked_is_no_member_yet_and_costs_no_request() {
    let nameless = without(user("ada"), "uid");
    World::new(&[linked_group("a", &[])], vec![nameless, user("bob"), group("a", &["ada"])]).expect(&["Users + bob", "! ada"]);
}

#[test]
fn groups_that_leave_are_deleted_or_kept() {
    let world = |removal| {
        let links = [linked_user("ada"), linked_group("a", &["ada"]), linked_group("b", &[])];
        let mut world = World::new(&links, vec![user("ada"), group("b", &[])]);
        world.rules.group_removal = removal;
        world
    };
    world(GroupRemoval::Delete).expect(&["DeleteGroups - g-a"]);
    world(GroupRemoval::Keep).expect(&["Claims forget g-a"]);
    world(GroupRemoval::Delete).partial().expect(&[]);
}

#[test]
fn a_namesake_never_pushes_the_linked_group_out() {
    let mut namesake = with(group("other", &["ada"]), "cn", "SALES");
    namesake.dn = dn("cn=SALES,ou=elsewhere,dc=x");
    let links = [linked_user("ada"), linked_user("bob"), linked_group("sales", &["bob"])];
    World::new(&links, vec![user("ada"), user("bob"), group("sales", &["bob"]), namesake]).expect(&["! g-other"]);
}

#[test]
fn a_group_dn_brings_the_groups_nested_in_it_and_itself_if_asked() {
    let world = |nested, include_self| {
        let links = [linked_user("ada")];
        let entries =
            vec![user("ada"), group("top", &["@mid"]), group("mid", &["@low"]), group("low", &["ada"]), group("out", &[])];
        let mut world = World::new(&links, entries);
        let groups = world.rules.groups.as_mut().unwrap();
        groups.scope = GroupScope { group_dns: vec![dn("cn=top,ou=groups,dc=x")], nested };
        groups.include_self = include_self;
        world
    };
    world(true, true).expect(&["Groups + g-low +ada", "Groups + g-mid +ada", "Groups + g-top +ada"]);
    world(true, false).expect(&["Groups + g-low +ada", "Groups + g-mid +ada"]);
    world(false, false).expect(&["Groups + g-mid +ada"]);
}

#[test]
fn scope_by_group_follows_nesting_only_where_asked() {
    let world = |nested| {
        let entries = vec![user("ada"), user("bob"), user("eve"), group("in", &["ada", "@sub"]), group("sub", &["bob"])];
        let mut world = World::new(&[], entries);
        world.rules.users.scope = GroupScope { group_dns: vec![dn("cn=in,ou=groups,dc=x")], nested };
        world.rules.groups = None;
        world
    };
    world(true).expect(&["Users + ada", "Users + bob"]);
    world(false).expect(&["Users + ada"]);
}

#[test]
fn who_lost_the_scope_group_is_removed_only_by_a_full_reading() {
    let world = |members: &[&str]| {
        let mut world =
            World::new(&[linked_user("ada"), linked_user("bob")], vec![user("ada"), user("bob"), group("in", members)]);
        world.rules.users.scope = GroupScope { group_dns: vec![dn("cn=in,ou=groups,dc=x")], nested: true };
        world.rules.groups = None;
        world
    };
    world(&["bob"]).expect(&["Revoke ~ ada active=false"]);
    world(&["bob"]).partial().expect(&[]);
    let mut unreadable = world(&[]);
    unreadable.entries.iter_mut().for_each(|entry| entry.members = None);
    unreadable.expect(&[]);
}

#[test]
fn a_scope_group_is_followed_through_a_rename() {
    let mut renamed = group("in", &["ada"]);
    renamed.dn = dn("cn=inside,ou=elsewhere,dc=x");
    let world = || {
        let mut world = World::new(&[linked_user("ada"), linked_user("bob")], vec![user("ada"), user("bob"), renamed.clone()]);
        world.rules.users.scope = GroupScope { group_dns: vec![dn("cn=in,ou=groups,dc=x")], nested: true };
        world.rules.groups = None;
        world
    };
    let mut known = world();
    known.snapshot.scope_groups.insert(dn("cn=in,ou=groups,dc=x").key().clone(), id("g-in"));
    known.expect(&["Revoke ~ bob active=false"]);
    world().expect(&[]);
}

#[test]
fn a_group_whose_members_cannot_be_read_loses_none_even_in_a_full_reading() {
    let links = [linked_user("ada"), linked_user("bob"), linked_group("a", &["ada"]), linked_group("b", &["ada", "bob"])];
    let mut unreadable = group("a", &[]);
    unreadable.members = None;
    World::new(&links, vec![user("ada"), user("bob"), unreadable, group("b", &["@a", "bob"])]).expect(&[]);
}

#[test]
fn a_scope_group_that_cannot_be_read_takes_no_member_from_any_group() {
    let links = [linked_user("ada"), linked_user("bob"), linked_group("a", &["ada"]), linked_group("sub", &["ada", "bob"])];
    let entries = vec![user("ada"), user("bob"), group("top", &["@sub"]), group("sub", &["ada"]), group("a", &[])];
    let mut world = World::new(&links, entries);
    world.rules.groups.as_mut().unwrap().scope =
        GroupScope { group_dns: vec![dn("cn=top,ou=groups,dc=x"), dn("cn=missing,ou=groups,dc=x")], nested: true };
    world.expect(&[]);
}

#[test]
fn who_was_not_in_scope_comes_into_no_group_while_a_scope_group_is_missing() {
    let world = |bob| {
        let links = [linked_user("ada"), bob, linked_group("a", &["ada"])];
        let mut world = World::new(&links, vec![user("ada"), user("bob"), group("a", &["ada", "bob"])]);
        world.rules.users.scope = GroupScope { group_dns: vec![dn("cn=missing,ou=groups,dc=x")], nested: true };
        world
    };
    world(unclaimed(inactive(linked_user("bob")))).expect(&[]);
    world(linked_user("bob")).expect(&["Members ~ g-a +bob"]);
}

#[test]
fn a_group_met_only_on_the_way_is_removed_by_a_full_reading_alone() {
    let world = || {
        let mut met = group("a", &["ada"]);
        met.selected = false;
        let links = [linked_user("ada"), linked_group("a", &["ada"]), linked_group("b", &[])];
        World::new(&links, vec![user("ada"), met, group("b", &[])])
    };
    world().expect(&["DeleteGroups - g-a"]);
    world().partial().expect(&[]);
}

#[test]
fn a_partial_reading_repeats_no_lost_membership_it_does_not_see() {
    let mut a = linked_group("a", &["ada"]);
    a.0.uncertain.members.extend([id("ada"), id("bob")]);
    let links = [linked_user("ada"), linked_user("bob"), linked_user("eve"), a];
    let entries = || vec![user("ada"), user("bob"), user("eve"), group("a", &["eve"])];
    World::new(&links, entries()).partial().expect(&["Members ~ g-a +eve"]);
    World::new(&links, entries()).expect(&["Revoke ~ g-a -ada -bob", "Members ~ g-a +eve"]);
}

#[test]
fn a_group_with_several_names_takes_the_one_of_its_dn_or_is_held() {
    let named = |attribute: &str, names: &[&str]| {
        let mut entry = group("sales", &[]);
        entry.attributes.insert(AttributeName::new(attribute), names.iter().map(|name| AttributeValue::from(*name)).collect());
        World::new(&[linked_user("ada")], vec![user("ada"), entry])
    };
    named("cn", &["Accounts", "Sales"]).expect(&["Groups + g-sales"]);
    assert_eq!(named("cn", &["Accounts", "Sales"]).plan().changes[0].change.name, "Sales");
    let mut other = named("description", &["one", "two"]);
    other.rules.groups.as_mut().unwrap().name = AttributeName::new("description");
    other.expect(&["! g-sales"]);
}
