//! What a target cannot do changes the plan: what is not sent, not changed, too long, too many.

use super::world::*;
use crate::model::{AttributePath, Status};
use crate::plan::Existing;

fn path(text: &'static str) -> AttributePath {
    AttributePath::known(text)
}

#[test]
fn what_a_target_does_not_take_is_not_sent_and_told() {
    let world = |links: &[_]| {
        let mut world = World::new(links, vec![managed_by(with(user("ada"), "title", "x"), "bob"), user("bob")]);
        world.capabilities.only = vec![path("userName")];
        world
    };
    let created = world(&[]);
    created.expect(&["Users + ada", "Users + bob"]);
    assert_eq!(created.plan().notes.len(), 1);
    assert!(created.plan().notes[0].contains(&format!("title, {MANAGER}")), "{:?}", created.plan().notes);
    let mut titled = linked_user("ada");
    titled.0.acknowledged.attributes.insert(path("title"), "old".into());
    world(&[titled, linked_user("bob")]).expect(&[]);
    let mut never = world(&[linked_user("ada"), linked_user("bob")]);
    (never.capabilities.only, never.capabilities.never) = (vec![], vec![path("title"), path("active"), path("userName")]);
    never.expect(&["References ~ ada manager=@bob"]);
    never.entries[0].status = Status::Disabled;
    never.expect(&["Revoke ~ ada active=false", "References ~ ada manager=@bob"]);
}

#[test]
fn what_a_target_does_not_change_is_left_out_told_and_silent() {
    let world = |entry| {
        let mut world = World::new(&[linked_user("ada")], vec![entry]);
        world.capabilities.user_updates.only = vec![path("title")];
        world
    };
    let manager = with(user("ada"), "manager", "uid=ada,ou=people,dc=x");
    world(with(manager.clone(), "title", "x")).expect(&["Users ~ ada title=x"]);
    let silent = world(manager);
    silent.expect(&[]);
    assert_eq!(silent.plan().notes.len(), 1);
    assert!(silent.plan().notes[0].contains(&format!("1 ({MANAGER})")), "{:?}", silent.plan().notes);
    world(status(with(user("ada"), "title", "x"), Status::Disabled))
        .expect(&["Revoke ~ ada active=false", "Users ~ ada title=x"]);
    world(with(user("ada"), "uid", "ADA")).expect(&[]);
    world(with(with(user("ada"), "uid", "lovelace"), "title", "x")).expect(&["Users ~ ada title=x", "! ada"]);
}

#[test]
fn an_adopted_resource_keeps_what_cannot_be_changed() {
    let mut world = World::new(&[], vec![with(user("ada"), "title", "x")]).found("ada", &[("userName", "ADA")], &[]);
    world.capabilities.user_updates.never = vec![path("userName"), path("title")];
    world.expect(&["Users = ada"]);
    world.rules.existing = Existing::LinkOnly;
    world.expect(&["Users = ada"]);
}

#[test]
fn a_group_whose_name_cannot_be_changed_is_held_and_its_members_go_on() {
    let mut world = World::new(
        &[linked_user("ada"), linked_user("bob"), linked_group("a", &["ada"])],
        vec![user("ada"), user("bob"), with(group("a", &["bob"]), "cn", "b")],
    );
    world.capabilities.group_updates.never = vec![path("displayName")];
    world.expect(&["Revoke ~ g-a -ada", "Members ~ g-a +bob", "! g-a"]);
}

#[test]
fn a_value_that_is_too_long_holds_the_entry_and_no_revocation() {
    let world = |links: &[_], entry| {
        let mut world = World::new(links, vec![entry, user("bob")]);
        world.capabilities.longest = vec![(path("title"), 3)];
        world
    };
    let long = || with(user("ada"), "title", "Countess");
    world(&[linked_user("bob")], long()).expect(&["! ada"]);
    world(&[linked_user("ada"), linked_user("bob")], long()).expect(&["! ada"]);
    world(&[linked_user("ada"), linked_user("bob")], status(long(), Status::Disabled))
        .expect(&["Revoke ~ ada active=false", "! ada"]);
    let held = world(&[linked_user("bob")], long()).plan().held;
    assert!(held[0].why.contains("title") && held[0].why.contains('3') && !held[0].why.contains("Countess"), "{}", held[0].why);
}

#[test]
fn a_group_of_too_many_is_not_added_to_and_loses_whom_it_must() {
    let world = |links: &[_], most| {
        let mut all = ["ada", "bob", "eve"].map(linked_user).to_vec();
        all.extend(links.iter().cloned());
        let mut world = World::new(&all, vec![user("ada"), user("bob"), user("eve"), group("a", &["ada", "bob"])]);
        world.capabilities.most_members = Some(most);
        world
    };
    world(&[], 2).expect(&["Groups + g-a +ada +bob"]);
    world(&[], 1).expect(&["! g-a"]);
    world(&[linked_group("a", &["eve"])], 1).expect(&["Revoke ~ g-a -eve", "! g-a"]);
    world(&[linked_group("a", &["eve"])], 2).expect(&["Revoke ~ g-a -eve", "Members ~ g-a +ada +bob"]);
    world(&[linked_group("a", &["ada", "bob"])], 1).expect(&[]);
}

#[test]
fn where_seats_are_scarce_members_who_move_leave_the_old_group_first() {
    let links = [linked_user("ada"), linked_group("a", &["ada"]), linked_group("b", &[])];
    let mut world = World::new(&links, vec![user("ada"), group("a", &[]), group("b", &["ada"])]);
    world.capabilities.removes_first = true;
    world.expect(&["Revoke ~ g-a -ada", "Members ~ g-b +ada"]);
}

#[test]
fn of_an_attribute_that_holds_one_value_one_is_sent() {
    let own = [("userName", "uid"), (r#"emails[type eq "other"].value"#, "title"), (r#"emails[type eq "work"].value"#, "mail")];
    let own = own.map(|(path, rule)| (path.to_owned(), rule.to_owned()));
    let world = |single: bool, mail: bool| {
        let entry = with(user("ada"), "title", "a@home");
        let mut world = World::new(&[], vec![if mail { with(entry, "mail", "a@work") } else { entry }]);
        let mapping = crate::mapping::compile(crate::mapping::Preset::None, &own, &world.capabilities).unwrap();
        world.rules.mapping = crate::plan::MappingChoice::Fixed(Box::new(mapping));
        world.capabilities.single = if single { vec![path("emails")] } else { vec![] };
        world
    };
    world(false, true).expect(&["Users + ada emails=a@home emails=a@work"]);
    world(true, true).expect(&["Users + ada emails=a@work"]);
    world(true, false).expect(&["Users + ada emails=a@home"]);
}
