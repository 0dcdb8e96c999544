//! Names exchanged, links handed on, groups emptied, strangers removed: whole cycles over real requests.

use std::time::Duration;

use ldap2scim::model::{AttributeName, AttributeValue};
use ldap2scim::plan::{GroupRemoval, Members, UserRemoval};
use serde_json::json;

use crate::support::bridge::Bridge;
use crate::support::provider::{Fault, Personality};

async fn company() -> Bridge {
    let bridge = Bridge::start(Personality::default()).await;
    for name in ["ada", "bob", "eve"] {
        bridge.directory.add_user(name);
    }
    bridge.directory.put_group("staff", &["eve"]);
    bridge.directory.put_group("makers", &["ada", "bob"]);
    bridge
}

fn name(bridge: &Bridge, id: &str, attribute: &str, name: &str) {
    let values = vec![AttributeValue::from(name)];
    bridge.directory.change(id, |entry| drop(entry.attributes.insert(AttributeName::new(attribute), values)));
}

fn id_of(bridge: &Bridge, user: &str) -> String {
    bridge.provider.user(user).unwrap()["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn names_that_are_exchanged_end_right_in_one_cycle() {
    let bridge = company().await;
    bridge.synced().await;
    let (ada, bob, eve) = (id_of(&bridge, "ada"), id_of(&bridge, "bob"), id_of(&bridge, "eve"));
    for (id, wanted) in [("id-ada", "bob"), ("id-bob", "eve"), ("id-eve", "ada")] {
        name(&bridge, id, "uid", wanted);
    }
    name(&bridge, "id-g-staff", "cn", "makers");
    name(&bridge, "id-g-makers", "cn", "staff");
    bridge.provider.forget_requests();
    bridge.synced().await;
    assert_eq!(bridge.provider.writes().len(), 4 + 3, "one request more for each ring");
    assert_eq!([id_of(&bridge, "bob"), id_of(&bridge, "eve"), id_of(&bridge, "ada")], [ada, bob, eve]);
    assert_eq!(bridge.members("makers"), ["ada"], "who was eve");
    bridge.assert_no_duplicates();
    bridge.assert_silent().await;
}

#[tokio::test]
async fn an_exchange_that_fails_at_any_request_ends_right_in_the_cycles_after() {
    for passes in 0..3 {
        for fault in [Fault::status(400), Fault::status(409)] {
            let bridge = company().await;
            bridge.synced().await;
            let (ada, bob) = (id_of(&bridge, "ada"), id_of(&bridge, "bob"));
            name(&bridge, "id-ada", "uid", "bob");
            name(&bridge, "id-bob", "uid", "ada");
            bridge.provider.fail_after("PATCH", "/Users/", passes, 1, fault);
            bridge.sync().await;
            bridge.assert_no_duplicates();
            bridge.provider.heal();
            bridge.synced().await;
            assert_eq!([id_of(&bridge, "bob"), id_of(&bridge, "ada")], [ada, bob], "after {passes}");
            bridge.assert_silent().await;
        }
    }
}

#[tokio::test]
async fn a_group_made_anew_keeps_its_resource() {
    let bridge = company().await;
    bridge.synced().await;
    let before = bridge.provider.group("makers").unwrap()["id"].clone();
    bridge.directory.remove("id-g-makers");
    bridge.directory.put_group("anew", &["bob", "eve"]);
    name(&bridge, "id-g-anew", "cn", "makers");
    bridge.synced().await;
    let makers = bridge.provider.group("makers").unwrap();
    assert_eq!((&makers["id"], bridge.provider.groups().len()), (&before, 2));
    assert_eq!(bridge.members("makers"), ["bob", "eve"]);
    bridge.assert_silent().await;
    bridge.directory.remove("id-g-anew");
    bridge.synced().await;
    assert_eq!(bridge.provider.groups().len(), 1, "the new entry is its owner now");
}

#[tokio::test]
async fn a_group_that_was_there_before_us_is_emptied_and_filled_again_on_return() {
    for removal in [GroupRemoval::Delete, GroupRemoval::Empty] {
        let mut bridge = company().await;
        bridge.rules.group_removal = removal;
        let stranger = bridge.provider.add_user("stranger", json!({}));
        bridge.provider.add_group("makers", json!({"members": [{"value": stranger}]}));
        bridge.synced().await;
        bridge.directory.remove("id-g-makers");
        bridge.synced().await;
        assert_eq!(bridge.members("makers"), ["stranger"], "{removal:?}");
        assert_eq!(bridge.snapshot().await.tally.groups, 1);
        assert_eq!(bridge.snapshot().await.tally.memberships, 0);
        bridge.assert_silent().await;
        bridge.directory.put_group("makers", &["ada", "bob"]);
        bridge.synced().await;
        assert_eq!(bridge.members("makers"), ["ada", "bob", "stranger"]);
        bridge.assert_silent().await;
    }
}

#[tokio::test]
async fn strangers_go_from_a_group_that_is_to_hold_nobody_else() {
    let mut bridge = company().await;
    bridge.rules.groups.as_mut().unwrap().members = Members::Exact;
    let stranger = bridge.provider.add_user("stranger", json!({}));
    bridge.provider.add_group("makers", json!({"members": [{"value": stranger}]}));
    bridge.synced().await;
    assert_eq!(bridge.members("makers"), ["ada", "bob"]);
    assert_eq!(bridge.snapshot().await.tally.memberships, 1, "the guard counts the stranger");
    let makers = bridge.provider.group("makers").unwrap()["id"].as_str().unwrap().to_owned();
    let eve = id_of(&bridge, "eve");
    bridge.provider.edit(&makers, |group| {
        group["members"].as_array_mut().unwrap().extend([json!({"value": stranger}), json!({"value": eve})]);
    });
    bridge.assert_silent().await;
    bridge.resync().await;
    assert_eq!(bridge.members("makers"), ["ada", "bob"]);
    bridge.assert_silent().await;
}

#[tokio::test]
async fn a_leaver_is_deleted_when_the_grace_is_over_and_a_return_before_that_is_the_same_account() {
    let day = Duration::from_secs(86_400);
    let mut bridge = company().await;
    bridge.rules.user_removal = UserRemoval::DeactivateThenDelete(30 * day);
    bridge.synced().await;
    let bob = id_of(&bridge, "bob");
    bridge.directory.remove("id-bob");
    bridge.synced().await;
    bridge.pass(29 * day);
    bridge.assert_silent().await;
    bridge.directory.add_user("bob");
    bridge.synced().await;
    assert_eq!((id_of(&bridge, "bob"), bridge.members("makers")), (bob, vec!["ada".to_owned(), "bob".to_owned()]));
    bridge.directory.remove("id-bob");
    bridge.synced().await;
    bridge.pass(29 * day);
    bridge.assert_silent().await;
    bridge.pass(day);
    bridge.synced().await;
    assert!(bridge.provider.user("bob").is_none());
    bridge.assert_silent().await;
}

#[tokio::test]
async fn a_link_handed_on_counts_as_one_name_in_the_window_and_its_members_as_members() {
    for wanted in ["makers", "Makers"] {
        let bridge = company().await;
        bridge.synced().await;
        bridge.directory.remove("id-g-makers");
        bridge.directory.put_group("anew", &["bob", "eve"]);
        name(&bridge, "id-g-anew", "cn", wanted);
        bridge.synced().await;
        let tally = bridge.snapshot().await.tally;
        assert_eq!((tally.identity, tally.memberships, tally.groups), (1, 1, 0), "{wanted}");
    }
}

#[tokio::test]
async fn a_group_that_is_emptied_over_several_cycles_counts_as_one_group() {
    let mut bridge = company().await;
    bridge.rules.group_removal = GroupRemoval::Empty;
    bridge.knob("members_per_request", "1");
    bridge.directory.put_group("makers", &["ada", "bob", "eve"]);
    bridge.synced().await;
    bridge.directory.remove("id-g-makers");
    for left in [2, 1] {
        // One request goes through, the others are refused.
        bridge.provider.fail_after("PATCH", "/Groups", 1, 1000, Fault::status(403));
        bridge.sync().await;
        bridge.provider.heal();
        assert_eq!(bridge.members("makers").len(), left);
        assert_eq!(bridge.snapshot().await.tally.groups, 1);
    }
    bridge.synced().await;
    assert!(bridge.members("makers").is_empty());
    assert_eq!(bridge.snapshot().await.tally.groups, 1);
}

#[tokio::test]
async fn an_emptied_group_is_counted_whoever_of_its_members_is_gone_before() {
    use ldap2scim::model::{EntryId, ResourceId};
    use ldap2scim::plan::{Action, Change, ClaimAfter, Edit, Planned, Reason, Stage, Tally};
    let bridge = company().await;
    bridge.synced().await;
    let group = bridge.provider.group("makers").unwrap()["id"].as_str().unwrap().to_owned();
    let remove = ["id-aaa", "id-ada", "id-bob"].map(EntryId::new).into();
    let edits = vec![Edit::Members { add: Default::default(), remove }];
    let change = Change {
        entry_id: EntryId::new("id-g-makers"),
        resource_type: ldap2scim::model::ResourceType::Group,
        name: "makers".into(),
        action: Action::Update { resource_id: ResourceId::new(&group), edits },
        reason: Reason::Absent,
        claim: ClaimAfter::Ended,
        tally: Tally { groups: 1, ..Tally::default() },
    };
    let planned = Planned { stage: Stage::Revoke, after: Vec::new(), change };
    crate::cycle::apply(&bridge, |plan| plan.changes = vec![planned]).await;
    let tally = bridge.snapshot().await.tally;
    assert_eq!((tally.groups, tally.memberships), (1, 0));
}

#[tokio::test]
async fn a_group_to_be_emptied_that_is_gone_there_is_what_was_wanted() {
    let mut bridge = company().await;
    bridge.rules.group_removal = GroupRemoval::Empty;
    bridge.synced().await;
    let id = bridge.provider.group("makers").unwrap()["id"].as_str().unwrap().to_owned();
    bridge.provider.remove(&id);
    bridge.directory.remove("id-g-makers");
    let report = bridge.sync().await;
    assert!(report.held.is_empty(), "{:?}", report.held);
    bridge.assert_silent().await;
}
