//! Groups of one name: made anew, feeding one group of the target, or in each other's way.

use super::world::*;
use crate::model::{Entry, Link};
use crate::plan::{Limit, Members, Recreated, SameName};

const NONE: Limit = Limit { percent: 0.0, at_least: 0, at_most: Some(0) };

/// A group of another id under a name.
fn anew(new: &str, name: &str, members: &[&str]) -> Entry {
    let mut entry = with(group(new, members), "cn", name);
    entry.dn = dn(&format!("cn={name},ou={new},dc=x"));
    entry
}

fn world(links: &[(Link, &'static [&'static str])], groups: Vec<Entry>) -> World {
    let mut all = vec![linked_user("ada"), linked_user("bob"), linked_group("z", &[])];
    all.extend(links.iter().cloned());
    let mut entries = vec![user("ada"), user("bob"), group("z", &[])];
    entries.extend(groups);
    World::new(&all, entries)
}

#[test]
fn a_group_made_anew_takes_the_resource_over_with_what_differs() {
    let sales = linked_group("sales", &["ada"]);
    let mut recreated = world(std::slice::from_ref(&sales), vec![anew("new", "sales", &["bob"])]);
    recreated.expect(&["Groups = g-new from g-sales +bob -ada"]);
    let tally = recreated.plan().changes[0].change.tally;
    assert_eq!((tally.identity, tally.memberships, tally.groups), (1, 1, 0));
    recreated.capabilities.group_external_id = true;
    let lines = text(&recreated.plan());
    assert!(lines.contains(&"Groups = g-new from g-sales externalId=g-new +bob -ada".to_owned()), "{lines:?}");
}

#[test]
fn a_group_is_handed_on_only_where_no_doubt_is_left() {
    let sales = || linked_group("sales", &["ada"]);
    world(&[sales()], vec![anew("new", "Sales", &["ada"])]).expect(&["Groups = g-new from g-sales displayName=Sales"]);
    world(&[sales()], vec![anew("new", "sales", &["ada"])]).partial().expect(&["! g-new"]);
    world(&[sales()], vec![anew("one", "sales", &[]), anew("two", "sales", &[])]).expect(&[
        "DeleteGroups - g-sales",
        "! g-one",
        "! g-two",
    ]);
    let (link, _) = sales();
    world(&[(link.clone(), &["here", "last"])], vec![anew("new", "sales", &["ada"])])
        .expect(&["Claims release g-sales", "! g-new"]);
    world(&[(link, &[])], vec![anew("new", "sales", &["ada"])]).expect(&["! g-new"]);
    let ada = linked_user("ada2");
    World::new(&[ada, linked_user("bob")], vec![with(user("new"), "uid", "ada2"), user("bob")])
        .expect(&["Revoke ~ ada2 active=false", "! new"]);
}

#[test]
fn where_links_are_not_handed_on_both_groups_are_held_and_told_what_to_do() {
    let mut held = world(&[linked_group("sales", &["ada"])], vec![anew("new", "sales", &["bob"])]);
    held.groups().recreated = Recreated::Hold;
    held.expect(&["! g-new", "! g-sales"]);
    assert!(held.plan().held.iter().all(|held| held.why.contains("recreated: relink")), "{:?}", held.plan().held);
}

#[test]
fn a_link_changes_hands_whole_or_not_at_all_and_its_losses_are_guarded() {
    let mut stopped = world(&[linked_group("sales", &["ada"])], vec![anew("new", "sales", &["bob"])]);
    stopped.rules.guard.identity = NONE;
    stopped.expect(&["# = g-new from g-sales +bob -ada"]);
    stopped.rules.guard.identity = stopped.rules.guard.users;
    stopped.rules.guard.memberships = NONE;
    stopped.expect(&["Groups = g-new from g-sales +bob", "# ~ g-new -ada"]);
}

#[test]
fn groups_of_one_name_feed_one_group_where_that_is_asked_for() {
    let feeders = || vec![anew("one", "sales", &["ada"]), anew("two", "SALES", &["bob"])];
    let merged = |links: &[_], groups| {
        let mut world = world(links, groups);
        world.groups().same_name = SameName::Merge;
        world
    };
    world(&[], feeders()).expect(&["! g-one", "! g-two"]);
    merged(&[], feeders()).expect(&["Groups + g-one +ada +bob"]);
    let linked = |members| {
        let (mut link, claims) = linked_group("two", members);
        link.acknowledged.attributes.insert(crate::model::AttributePath::known("displayName"), "SALES".into());
        (link, claims)
    };
    merged(&[linked(&["bob"])], feeders()).expect(&["Members ~ g-two +ada"]);
    merged(&[linked(&["ada", "bob"])], feeders()).expect(&[]);
    merged(&[linked(&["ada", "bob"])], vec![anew("two", "SALES", &["bob"])]).expect(&["Revoke ~ g-two -ada"]);
    let mut unread = feeders();
    unread[0].members = None;
    merged(&[linked(&["ada", "bob"])], unread).expect(&[]);
    let why = merged(&[linked(&["ada", "bob"])], feeders()).desired().entries[&id("g-one")].scope.clone();
    assert!(matches!(&why, crate::plan::Scope::Out(why) if why.contains("cn=SALES,ou=two,dc=x")), "{why:?}");
}

#[test]
fn when_the_group_that_others_feed_is_gone_the_next_one_has_its_link() {
    let mut merged =
        world(&[linked_group("sales", &["ada", "bob"])], vec![anew("one", "sales", &["ada"]), anew("two", "sales", &["bob"])]);
    merged.groups().same_name = SameName::Merge;
    merged.rules.guard.identity = NONE;
    merged.expect(&["Groups = g-one from g-sales"]);
}

#[test]
fn a_feeder_that_has_a_resource_of_its_own_keeps_it() {
    let (sales, other) = (linked_group("sales", &["ada"]), linked_group("other", &["bob"]));
    let mut merged = world(&[sales, other], vec![group("sales", &["ada"]), anew("other", "sales", &["bob"])]);
    merged.groups().same_name = SameName::Merge;
    merged.expect(&["! g-other"]);
}

#[test]
fn the_linked_holder_of_a_name_goes_on_whoever_makes_a_namesake() {
    let mut frozen = world(&[linked_group("sales", &["bob"])], vec![group("sales", &["ada"]), anew("evil", "Sales", &["bob"])]);
    frozen.expect(&["Revoke ~ g-sales -bob", "Members ~ g-sales +ada", "! g-evil"]);
    frozen.groups().members = Members::AddOnly;
    frozen.expect(&["Members ~ g-sales +ada", "! g-evil"]);
}
