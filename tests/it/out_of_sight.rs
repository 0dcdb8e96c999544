//! A provider that shows nothing of users while they are switched off: the account is remembered, and is the same one
//! when its owner returns.

use ldap2scim::cycle::CycleEnd;
use ldap2scim::model::{EntryId, Status};
use serde_json::json;

use crate::support::bridge::Bridge;
use crate::support::provider::{Deactivated, Fault, Lifecycle, Personality};

/// Ada, Bob and Eve, of whom Bob is in a group; and one who switches users off so.
async fn hiding() -> (Bridge, String) {
    let lifecycle = Lifecycle { deactivated: Deactivated::Missing, ..Lifecycle::default() };
    let bridge = Bridge::start(Personality { lifecycle, ..Personality::default() }).await;
    ["ada", "bob", "eve"].iter().for_each(|name| bridge.directory.add_user(name));
    bridge.directory.put_group("makers", &["ada", "bob"]);
    bridge.synced().await;
    let bob = bridge.provider.user("bob").unwrap()["id"].as_str().unwrap().to_owned();
    (bridge, bob)
}

fn paths(bridge: &Bridge) -> Vec<String> {
    let writes = bridge.provider.writes();
    writes.iter().map(|request| format!("{} {}", request.path, request.body["Operations"][0]["path"])).collect()
}

#[tokio::test]
async fn other_changes_wait_until_the_user_is_switched_on_again() {
    let (bridge, bob) = hiding().await;
    bridge.directory.set_status("bob", Status::Disabled);
    bridge.directory.set("bob", "title", "Smith");
    let report = bridge.sync().await;
    assert_eq!(report.end, CycleEnd::DoneWithHeld);
    assert!(report.held[0].why.contains("the change waits until it is switched on again"), "{:?}", report.held);
    // Once more, since the first refusal may have been a bad day; then it is known.
    bridge.sync().await;
    bridge.provider.forget_requests();
    bridge.sync().await;
    assert_eq!(paths(&bridge), Vec::<String>::new());
    assert_eq!(bridge.active(), ["ada", "eve"]);

    bridge.directory.set_status("bob", Status::Enabled);
    bridge.synced().await;
    assert_eq!(paths(&bridge), [format!("/Users/{bob} \"active\""), format!("/Users/{bob} \"title\"")]);
    let user = bridge.provider.user("bob").unwrap();
    assert_eq!((&user["id"], &user["active"], &user["title"]), (&json!(bob), &json!(true), &json!("Smith")));
    assert_eq!(bridge.members("makers"), ["ada", "bob"]);
    bridge.assert_silent().await;
}

#[tokio::test]
async fn a_switch_off_whose_answer_was_lost_is_not_taken_for_a_deletion() {
    for leaves in [false, true] {
        let (bridge, bob) = hiding().await;
        if leaves {
            bridge.directory.remove("id-bob");
        } else {
            bridge.directory.set_status("bob", Status::Disabled);
        }
        bridge.provider.fail_when("PATCH", "/Users", 1, Fault::LostAnswer);
        bridge.sync().await;
        bridge.synced().await;
        bridge.assert_silent().await;
        let snapshot = bridge.snapshot().await;
        let link = &snapshot.links[&EntryId::new("id-bob")];
        assert_eq!((link.resource_id.as_str(), link.acknowledged.active()), (bob.as_str(), Some(false)));
        assert_eq!(snapshot.claims.contains_key(&EntryId::new("id-bob")), !leaves);

        bridge.directory.add_user("bob");
        bridge.directory.put_group("makers", &["ada", "bob"]);
        bridge.synced().await;
        assert_eq!(bridge.provider.user("bob").unwrap()["id"], json!(bob));
        assert_eq!(bridge.active(), ["ada", "bob", "eve"]);
        assert_eq!(bridge.members("makers"), ["ada", "bob"]);
    }
}

#[tokio::test]
async fn a_comparison_does_not_take_who_is_switched_off_for_deleted() {
    let (bridge, bob) = hiding().await;
    bridge.directory.set_status("bob", Status::Disabled);
    bridge.synced().await;
    bridge.provider.forget_requests();
    assert_eq!(bridge.resync().await.end, CycleEnd::Done);
    assert_eq!(paths(&bridge), Vec::<String>::new());
    bridge.directory.set_status("bob", Status::Enabled);
    bridge.synced().await;
    assert_eq!(bridge.provider.user("bob").unwrap()["id"], json!(bob));
}

#[tokio::test]
async fn who_returns_and_is_really_gone_is_made_again() {
    let (bridge, bob) = hiding().await;
    bridge.directory.set_status("bob", Status::Disabled);
    bridge.synced().await;
    bridge.provider.remove(&bob);
    bridge.directory.set_status("bob", Status::Enabled);
    bridge.sync().await;
    bridge.synced().await;
    assert_ne!(bridge.provider.user("bob").unwrap()["id"], json!(bob));
    assert_eq!(bridge.active(), ["ada", "bob", "eve"]);
    assert!(bridge.members("makers").contains(&"bob".to_owned()));
    bridge.assert_silent().await;
}
