//! Two channels, one target: the first that claims an entry owns its attributes, the last that leaves removes it.

use super::world::*;
use crate::model::Status;

#[test]
fn a_user_who_leaves_one_channel_and_stays_in_another_is_only_released() {
    let (link, _) = linked_user("ada");
    World::new(&[(link.clone(), &["here", "last"]), linked_user("bob")], vec![user("bob")]).expect(&["Claims release ada"]);
    World::new(&[(link.clone(), &["here"]), linked_user("bob")], vec![user("bob")]).expect(&["Revoke ~ ada active=false"]);
    World::new(&[(link, &["last"]), linked_user("bob")], vec![user("bob")]).expect(&[]);
}

#[test]
fn a_claim_of_a_channel_that_is_not_in_the_file_counts_for_nothing() {
    let (link, _) = linked_user("ada");
    World::new(&[(link, &["here", "removed"]), linked_user("bob")], vec![user("bob")]).expect(&["Revoke ~ ada active=false"]);
}

#[test]
fn the_first_channel_owns_the_attributes_and_a_later_one_only_claims() {
    let (link, _) = linked_user("ada");
    let titled = || vec![with(user("ada"), "title", "x")];
    World::new(&[(link.clone(), &["first"])], titled()).expect(&["Claims claim ada"]);
    World::new(&[(link.clone(), &["first", "here"])], titled()).expect(&[]);
    World::new(&[(link, &["here", "last"])], titled()).expect(&["Users ~ ada title=x"]);
}

#[test]
fn a_claim_is_made_even_if_the_name_must_wait() {
    let (link, _) = linked_user("ada");
    let entries = vec![with(user("ada"), "uid", "bob"), user("bob")];
    World::new(&[(link, &["last"]), linked_user("bob")], entries).expect(&["Claims claim ada", "! ada"]);
}

#[test]
fn whoever_sees_that_an_account_is_disabled_switches_it_off_whoever_owns_it() {
    let (link, _) = linked_user("ada");
    let disabled = || vec![with(status(user("ada"), Status::Disabled), "title", "x")];
    World::new(&[(link.clone(), &["first", "here"])], disabled()).expect(&["Revoke ~ ada active=false"]);
    let (off, _) = inactive(linked_user("ada"));
    World::new(&[(off, &["first", "here"])], disabled()).expect(&[]);
}
