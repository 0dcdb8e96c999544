//! Names that are exchanged, and names that a leaver's resource still has.

use super::world::*;
use crate::model::{AttributePath, Entry, Link};
use crate::plan::{Action, Edit, Limit, Plan, Reason, Situation, diff};

fn renamed(entry: &str, name: &str) -> Entry {
    match entry.strip_prefix("g-") {
        Some(group_name) => with(group(group_name, &[]), "cn", name),
        None => with(user(entry), "uid", name),
    }
}

/// Lines of a plan with the digits of a parked name taken out, each with the numbers of those it waits for.
fn lines(plan: &Plan) -> Vec<String> {
    let cut = |line: String| match line.split_once(".swap-") {
        Some((before, after)) => format!("{before}.swap{}", &after[6..]),
        None => line,
    };
    let waits = plan.changes.iter().map(|planned| format!(" {:?}", planned.after));
    text(plan).into_iter().zip(waits.chain(std::iter::repeat(String::new()))).map(|(line, waits)| cut(line) + &waits).collect()
}

#[test]
fn two_users_exchange_their_names() {
    let world = World::new(&[linked_user("ada"), linked_user("bob")], vec![renamed("ada", "bob"), renamed("bob", "ada")]);
    assert_eq!(
        lines(&world.plan()),
        ["Users ~ ada userName=ada.swap []", "Users ~ ada userName=bob [0, 2]", "Users ~ bob userName=ada [0]"]
    );
    let plan = world.plan();
    assert_eq!(plan.changes[0].change.reason, Reason::Parked);
    let identity: Vec<u64> = plan.changes.iter().map(|planned| planned.change.tally.identity).collect();
    assert_eq!(identity, [0, 1, 1], "each entry counts once");
    assert_eq!(plan, world.plan());
}

#[test]
fn longer_rings_several_rings_and_groups_are_resolved_beside_what_else_changes() {
    let links = ["a", "b", "c"].map(linked_user);
    let entries = vec![renamed("a", "b"), renamed("b", "c"), with(renamed("c", "a"), "title", "t")];
    assert_eq!(
        lines(&World::new(&links, entries).plan()),
        [
            "Users ~ a userName=a.swap []",
            "Users ~ a userName=b [0, 2]",
            "Users ~ b userName=c [3]",
            "Users ~ c title=t userName=a [0]"
        ]
    );
    let links = [linked_user("u"), linked_group("x", &["u"]), linked_group("y", &[])];
    let entries = vec![user("u"), renamed("g-x", "y"), renamed("g-y", "x")];
    assert_eq!(
        lines(&World::new(&links, entries).plan()),
        [
            "Revoke ~ g-x -u []",
            "Groups ~ g-x displayName=x.swap []",
            "Groups ~ g-x displayName=y [1, 3]",
            "Groups ~ g-y displayName=x [1]"
        ]
    );
}

/// Applies a plan's updates to what is remembered, the first `count` of them.
fn after(links: &[(Link, &'static [&'static str])], plan: &Plan, count: usize) -> Vec<(Link, &'static [&'static str])> {
    let mut links = links.to_vec();
    let mut order: Vec<usize> = Vec::new();
    while order.len() < plan.changes.len() {
        let ready =
            |index: &usize| !order.contains(index) && plan.changes[*index].after.iter().all(|other| order.contains(other));
        let next = (0..plan.changes.len()).find(ready).expect("no ring is left in the order");
        order.push(next);
    }
    for index in order.into_iter().take(count) {
        let change = &plan.changes[index].change;
        let Action::Update { edits, .. } = &change.action else { panic!("only updates") };
        let wanted = edits.iter().find_map(|edit| match edit {
            Edit::Attribute { path, after: Some(after), .. } if diff::renames(edit) => Some((path.clone(), after.clone())),
            Edit::Attribute { .. } | Edit::Members { .. } | Edit::Foreign { .. } => None,
        });
        let (path, wanted) = wanted.expect("a rename");
        assert!(
            links.iter().all(|(link, _)| link.acknowledged.attributes.get(&path) != Some(&wanted)),
            "a name is taken only when it is free"
        );
        let (link, _) = links.iter_mut().find(|(link, _)| link.entry_id == change.entry_id).unwrap();
        diff::apply(&mut link.acknowledged, edits);
    }
    links
}

#[test]
fn however_many_exchange_and_wherever_it_stops_the_next_plan_ends_it_and_no_name_is_ever_held_twice() {
    for size in 2..6_usize {
        let names: Vec<String> = (0..size).map(|n| format!("u{n}")).collect();
        let links: Vec<_> = names.iter().map(|name| linked_user(name)).collect();
        let entries: Vec<Entry> = (0..size).map(|n| renamed(&names[n], &names[(n + 1) % size])).collect();
        let plan = World::new(&links, entries.clone()).plan();
        assert_eq!((plan.changes.len(), plan.held.len()), (size + 1, 0));
        for stopped in 0..=size + 1 {
            let then = after(&links, &plan, stopped);
            let rest = World::new(&then, entries.clone()).plan();
            assert_eq!(rest.held, vec![], "after {stopped} of {size}");
            let parked = rest.changes.iter().filter(|planned| planned.change.reason == Reason::Parked).count();
            assert_eq!(parked, usize::from(stopped == 0), "once one is parked, a chain is left");
            let end = after(&then, &rest, rest.changes.len());
            assert!(World::new(&end, entries.clone()).plan().changes.is_empty());
        }
    }
}

#[test]
fn of_a_ring_that_the_guard_stops_nothing_goes_out() {
    let mut world = World::new(
        &[linked_user("ada"), linked_user("bob")],
        vec![with(renamed("ada", "bob"), "title", "t"), renamed("bob", "ada")],
    );
    world.rules.guard.identity = Limit { percent: 0.0, at_least: 1, at_most: Some(1) };
    world.expect(&["Users ~ ada title=t", "# ~ ada userName=bob", "# ~ bob userName=ada"]);
    world.rules.guard.identity = Limit { percent: 0.0, at_least: 2, at_most: Some(2) };
    assert_eq!(world.plan().changes.len(), 3, "an exchange of two is two changes of name");
}

#[test]
fn where_names_cannot_be_changed_nothing_is_parked_and_who_wants_one_is_held() {
    let mut world = World::new(&[linked_user("ada"), linked_user("bob")], vec![renamed("ada", "bob"), renamed("bob", "ada")]);
    world.capabilities.user_updates.never = vec![AttributePath::known("userName")];
    world.expect(&["! ada", "! bob"]);
    assert!(world.plan().held[0].why.contains("rename it at the target"), "{}", world.plan().held[0].why);
    world.entries.push(renamed("new", "bob"));
    world.expect(&["! ada", "! bob", "! new"]);
}

#[test]
fn a_parked_name_is_no_longer_than_the_target_takes_and_never_one_that_is_there() {
    let name = "augusta.ada.king";
    let (link, claims) = linked_user(name);
    let entries = vec![renamed(name, "bob"), renamed("bob", name)];
    let mut world = World::new(&[(link, claims), linked_user("bob")], entries);
    world.capabilities.longest = vec![(AttributePath::known("userName"), 16)];
    let parked = |world: &World| {
        text(&world.plan()).iter().find_map(|line| line.split_once("userName=augu").map(|(_, rest)| rest.to_owned())).unwrap()
    };
    let suffix = parked(&world);
    assert_eq!(suffix.len(), 12, "{suffix}");
    let squatter = format!("augu{suffix}");
    let (squatting, _) = linked_user(&squatter);
    world.snapshot.claims.insert(id(&squatter), [crate::model::ChannelName::new("here")].into());
    world.snapshot.links.insert(id(&squatter), squatting);
    world.entries.push(user(&squatter));
    assert_ne!(parked(&world), suffix);
}

#[test]
fn the_freed_name_of_a_deactivated_account_is_never_given_to_a_newcomer_and_the_advice_names_the_account() {
    let leaver = unclaimed(inactive(linked_user("ada")));
    let held = World::new(std::slice::from_ref(&leaver), vec![renamed("ada2", "Ada")]).left("ada", "here", 5).plan().held;
    assert!(held[0].why.contains("entry ada,") && held[0].why.contains("rename or delete"), "{}", held[0].why);
    let mut world = World::new(&[leaver], vec![renamed("ada2", "lovelace")]);
    let found = there(&unclaimed(linked_user("ada")), &[]);
    let of_ada = |_: &_| Some(id("ada"));
    let situation = crate::plan::situation(&id("ada2"), &AttributePath::known("externalId"), &[found], of_ada, |_| false);
    assert!(
        matches!(&situation, Situation::Disputed(why) if why.contains("entry ada") || why.contains("(ada)")),
        "{situation:?}"
    );
    world.situations.insert(id("ada2"), situation);
    world.expect(&["! ada2"]);
}
