//! Users: in, out, disabled, unknown, back again, named alike, managed.

use super::world::*;
use crate::model::{AttributePath, Status, Value};
use crate::plan::{Existing, GroupScope};

#[test]
fn a_user_in_scope_is_created_and_then_left_alone() {
    World::new(&[], vec![user("ada")]).expect(&["Users + ada"]);
    World::new(&[linked_user("ada")], vec![user("ada")]).expect(&[]);
}

#[test]
fn what_changed_is_sent_and_nothing_else() {
    let linked = || linked_user("ada");
    World::new(&[linked()], vec![with(user("ada"), "title", "Countess")]).expect(&["Users ~ ada title=Countess"]);
    let mut titled = linked();
    titled.0.acknowledged.attributes.insert(AttributePath::known("title"), "Countess".into());
    World::new(&[titled], vec![user("ada")]).expect(&["Users ~ ada title-"]);
}

#[test]
fn a_disabled_user_is_switched_off_before_anything_else_and_only_once() {
    let entries = vec![user("bob"), with(status(user("ada"), Status::Disabled), "title", "x")];
    World::new(&[linked_user("ada")], entries.clone()).expect(&[
        "Revoke ~ ada active=false",
        "Users ~ ada title=x",
        "Users + bob",
    ]);
    World::new(&[inactive(linked_user("ada"))], vec![status(user("ada"), Status::Disabled)]).expect(&[]);
}

#[test]
fn a_disabled_user_who_cannot_be_mapped_is_still_switched_off() {
    let entry = without(status(user("ada"), Status::Disabled), "uid");
    World::new(&[linked_user("ada")], vec![entry.clone()]).expect(&["Revoke ~ ada active=false", "! ada"]);
    World::new(&[inactive(linked_user("ada"))], vec![entry.clone()]).expect(&["! ada"]);
    World::new(&[linked_user("ada")], vec![entry]).partial().expect(&["Revoke ~ ada active=false", "! ada"]);
}

#[test]
fn a_user_who_cannot_be_mapped_is_held_and_never_taken_for_absent() {
    World::new(&[linked_user("ada")], vec![without(user("ada"), "uid")]).expect(&["! ada"]);
    World::new(&[], vec![without(user("ada"), "uid"), user("bob")]).expect(&["Users + bob", "! ada"]);
}

#[test]
fn an_unmappable_user_who_left_the_scope_is_removed() {
    let mut world = World::new(&[linked_user("ada")], vec![without(user("ada"), "uid"), user("bob"), group("in", &["bob"])]);
    world.rules.users.scope = GroupScope { group_dns: vec![dn("cn=in,ou=groups,dc=x")], nested: true };
    world.rules.groups = None;
    world.expect(&["Revoke ~ ada active=false", "Users + bob"]);
}

#[test]
fn where_the_status_cannot_be_read_nobody_is_activated_or_switched_off() {
    let unknown = || status(with(user("ada"), "title", "x"), Status::Unknown);
    World::new(&[linked_user("ada")], vec![unknown()]).expect(&["! ada"]);
    World::new(&[inactive(linked_user("ada"))], vec![unknown()]).expect(&["! ada"]);
    World::new(&[], vec![unknown()]).expect(&["! ada"]);
}

#[test]
fn absence_means_gone_only_in_a_full_reading() {
    let world = || World::new(&[linked_user("ada"), linked_user("bob")], vec![user("bob")]);
    world().expect(&["Revoke ~ ada active=false"]);
    world().partial().expect(&[]);
}

#[test]
fn disabled_users_are_created_switched_off_or_not_at_all() {
    let world = |create| {
        let mut world = World::new(&[], vec![status(user("ada"), Status::Disabled)]);
        world.rules.provision_disabled = create;
        world
    };
    world(true).expect(&["Users + ada active=false"]);
    world(false).expect(&[]);
}

#[test]
fn managers_are_created_before_their_reports_and_rings_are_opened() {
    let world = World::new(&[], vec![managed_by(user("ada"), "eve"), managed_by(user("bob"), "ada"), user("eve")]);
    let plan = world.plan();
    let order: Vec<(String, Vec<usize>)> =
        plan.changes.iter().map(|planned| (planned.change.entry_id.to_string(), planned.after.clone())).collect();
    assert_eq!(order, [("ada".into(), vec![2]), ("bob".into(), vec![0]), ("eve".into(), vec![])]);
    let ring = World::new(&[], vec![managed_by(user("ada"), "bob"), managed_by(user("bob"), "ada")]).plan();
    let waits: usize = ring.changes.iter().map(|planned| planned.after.len()).sum();
    assert_eq!(waits, 1, "one of the two goes first, without its reference");
}

#[test]
fn a_reference_to_someone_who_is_not_linked_waits() {
    World::new(&[linked_user("ada")], vec![managed_by(user("ada"), "eve")]).expect(&[]);
    World::new(&[linked_user("ada"), linked_user("eve")], vec![managed_by(user("ada"), "eve"), user("eve")])
        .expect(&["References ~ ada manager=@eve"]);
}

#[test]
fn an_existing_resource_is_adopted_as_the_rules_say() {
    let world = |existing| {
        let mut world = World::new(&[], vec![with(user("ada"), "title", "x")]).found("ada", &[("userName", "ADA")], &[]);
        world.rules.existing = existing;
        world
    };
    world(Existing::Overwrite).expect(&["Users = ada title=x userName=ada"]);
    world(Existing::LinkOnly).expect(&["Users = ada"]);
    world(Existing::Never).expect(&["! ada"]);
}

#[test]
fn a_disabled_user_found_active_is_switched_off_first() {
    World::new(&[], vec![status(user("ada"), Status::Disabled), user("bob")])
        .found("ada", &[("userName", "ada")], &[])
        .expect(&["Revoke = ada active=false", "Users + bob"]);
}

#[test]
fn a_leavers_name_is_not_given_to_a_newcomer() {
    let (leaver, _) = inactive(linked_user("ada"));
    let newcomer = with(user("ada2"), "uid", "Ada");
    World::new(&[(leaver, &[])], vec![newcomer]).expect(&["! ada2"]);
}

#[test]
fn a_name_is_given_up_before_it_is_taken() {
    let world = World::new(
        &[linked_user("ada"), linked_user("bob")],
        vec![with(user("ada"), "uid", "bob"), with(user("bob"), "uid", "robert")],
    );
    let plan = world.plan();
    assert_eq!(text(&plan), ["Users ~ ada userName=bob", "Users ~ bob userName=robert"]);
    assert_eq!(plan.changes[0].after, [1]);
}

#[test]
fn an_answer_that_was_lost_is_asked_for_again_by_sending_again() {
    let mut linked = linked_user("ada");
    linked.0.uncertain.paths.insert(AttributePath::known("title"));
    World::new(&[linked.clone()], vec![user("ada")]).expect(&["Users ~ ada title-"]);
    World::new(&[linked], vec![with(user("ada"), "title", "x")]).expect(&["Users ~ ada title=x"]);
}

#[test]
fn a_partial_reading_keeps_a_manager_it_does_not_see() {
    let mut ada = linked_user("ada");
    ada.0.acknowledged.attributes.insert(AttributePath::known(MANAGER), Value::Reference(id("eve")));
    let links = [ada, linked_user("eve")];
    let entries = || vec![managed_by(user("ada"), "eve")];
    World::new(&links, entries()).partial().expect(&[]);
    World::new(&links, entries()).expect(&["Revoke ~ eve active=false", "Users ~ ada manager-"]);
}

#[test]
fn a_user_of_unknown_status_keeps_its_name_and_nobody_gets_it() {
    let unknown = status(with(user("ada"), "uid", "ada2"), Status::Unknown);
    World::new(&[linked_user("ada"), linked_user("bob")], vec![unknown, with(user("new"), "uid", "ada"), user("bob")])
        .expect(&["! ada", "! new"]);
}
