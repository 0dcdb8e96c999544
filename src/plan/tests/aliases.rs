//! Members that groups list by another name than their DN: by uid, by primary group.

use super::world::*;
use crate::model::{Alias, Entry};
use crate::plan::GroupScope;

fn uid(name: &str) -> Alias {
    Alias::new(Alias::UID, name)
}

fn primary(name: &str) -> Alias {
    Alias::new(Alias::PRIMARY, name)
}

fn carrying(mut entry: Entry, alias: Alias) -> Entry {
    entry.aliases.push(alias);
    entry
}

fn listing(mut entry: Entry, alias: Alias) -> Entry {
    entry.member_aliases.push(alias);
    entry
}

fn scoped(mut world: World, nested: bool) -> World {
    world.rules.users.scope = GroupScope { group_dns: vec![dn("cn=in,ou=groups,dc=x")], nested };
    world.rules.groups = None;
    world
}

#[test]
fn a_uid_is_a_member_where_it_is_listed_letter_by_letter() {
    let links = [linked_user("ada"), linked_user("bob"), linked_group("a", &["bob"])];
    let users = || vec![carrying(user("ada"), uid("ada")), carrying(user("bob"), uid("bob"))];
    let lists = |names: &[&str]| {
        let group = names.iter().fold(group("a", &[]), |group, name| listing(group, uid(name)));
        World::new(&links, users().into_iter().chain([group]).collect())
    };
    lists(&["ada"]).expect(&["Revoke ~ g-a -bob", "Members ~ g-a +ada"]);
    lists(&["ADA", "bob"]).expect(&[]);
    lists(&["ada", "stranger", "bob"]).expect(&["Members ~ g-a +ada"]);
    assert_eq!(lists(&["ada", "stranger"]).plan().counts.members_left_out, 1);
}

#[test]
fn a_uid_that_several_have_adds_nobody_and_removes_none_of_them() {
    let links = [linked_user("ada"), linked_user("bob"), linked_user("eve"), linked_group("a", &["ada", "eve"])];
    let entries =
        vec![carrying(user("ada"), uid("x")), carrying(user("bob"), uid("x")), user("eve"), listing(group("a", &[]), uid("x"))];
    World::new(&links, entries).expect(&["Revoke ~ g-a -eve", "! g-a"]);
}

#[test]
fn a_user_whose_uid_may_not_be_read_keeps_the_membership_that_it_may_be() {
    let links = [linked_user("ada"), linked_user("bob"), linked_group("a", &["ada", "bob"])];
    let world = |listed: &str| {
        let users = [carrying(user("ada"), Alias::untold(Alias::UID)), carrying(user("bob"), uid("bob"))];
        World::new(&links, users.into_iter().chain([listing(group("a", &[]), uid(listed))]).collect())
    };
    world("ada").expect(&["Revoke ~ g-a -bob"]);
    world("bob").expect(&["Revoke ~ g-a -ada"]);
}

#[test]
fn a_primary_group_has_its_users_at_any_depth_and_direct_ones_too() {
    let users = || [carrying(user("ada"), primary("S-1")), carrying(user("bob"), primary("S-2"))];
    let groups = || [listing(group("in", &["@all"]), primary("S-9")), listing(group("all", &[]), primary("S-1"))];
    let entries = || users().into_iter().chain(groups()).collect();
    let links = [linked_user("ada"), linked_user("bob")];
    World::new(&links, entries()).expect(&["Groups + g-all +ada", "Groups + g-in +ada"]);
    scoped(World::new(&links, entries()), true).expect(&["Revoke ~ bob active=false"]);
    let direct = users().into_iter().chain([listing(group("in", &[]), primary("S-1"))]).collect();
    scoped(World::new(&links, direct), false).expect(&["Revoke ~ bob active=false"]);
}

#[test]
fn a_user_whose_primary_group_may_not_be_read_is_removed_from_none() {
    let links = [linked_user("ada"), linked_user("bob"), linked_group("in", &["ada", "bob"])];
    let users = [carrying(user("ada"), Alias::untold(Alias::PRIMARY)), carrying(user("bob"), primary("S-2"))];
    let entries: Vec<Entry> = users.into_iter().chain([listing(group("in", &[]), primary("S-1"))]).collect();
    World::new(&links, entries.clone()).expect(&["Revoke ~ g-in -bob"]);
    scoped(World::new(&links[..2], entries), true).expect(&["Revoke ~ bob active=false"]);
}

#[test]
fn a_group_whose_own_number_may_not_be_read_loses_nobody_and_is_told_of() {
    let links = [linked_user("ada"), linked_user("bob"), linked_group("in", &["ada", "bob"])];
    let users = [carrying(user("ada"), primary("S-1")), carrying(user("bob"), primary("S-2"))];
    let entries: Vec<Entry> = users.into_iter().chain([listing(group("in", &[]), Alias::untold(Alias::PRIMARY))]).collect();
    World::new(&links, entries.clone()).expect(&["! g-in"]);
    scoped(World::new(&links[..2], entries), true).expect(&[]);
}

#[test]
fn scope_by_a_uid_that_several_have_is_left_open_for_them_alone() {
    let links = [linked_user("ada"), linked_user("bob"), linked_user("eve")];
    let entries = vec![
        carrying(user("ada"), uid("x")),
        carrying(user("bob"), uid("x")),
        carrying(user("eve"), uid("eve")),
        listing(group("in", &[]), uid("x")),
    ];
    scoped(World::new(&links, entries), true).expect(&["Revoke ~ eve active=false"]);
}

#[test]
fn a_rule_lists_nobody_by_itself() {
    let links = [linked_user("ada"), linked_group("a", &["ada"])];
    let world = World::new(&links, vec![user("ada"), listing(group("a", &["ada"]), Alias::by_rule())]);
    world.expect(&[]);
    assert_eq!(world.plan().counts.members_left_out, 0);
}
