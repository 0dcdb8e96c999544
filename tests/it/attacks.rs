//! Whoever controls an entry or an answer tries to get what is somebody else's, or to keep what must go.

use ldap2scim::cycle::CycleEnd;
use ldap2scim::model::{Dn, ResourceType};
use ldap2scim::plan::Existing;
use serde_json::json;

use crate::support::bridge::Bridge;
use crate::support::provider::{Fault, Personality};

async fn company(users: &[&str]) -> Bridge {
    let bridge = Bridge::start(Personality::default()).await;
    for name in users {
        bridge.directory.add_user(name);
    }
    bridge
}

/// An answer to a write: this resource, under the id of the user `of`.
fn answer(bridge: &Bridge, status: u16, of: &str, name: &str) -> Fault {
    let id = bridge.provider.user(of).unwrap()["id"].clone();
    Fault::Answer { status, headers: Vec::new(), body: json!({ "id": id, "userName": name }).to_string() }
}

#[tokio::test]
async fn a_user_whose_dn_means_that_of_another_takes_no_memberships() {
    let bridge = company(&["ada", "bob"]).await;
    bridge.directory.put_group("admins", &["ada", "bob"]);
    bridge.synced().await;
    bridge.directory.add_user("mallory");
    bridge.directory.change("id-mallory", |entry| {
        entry.dn = Dn::parse("uid=\u{ff41}da,ou=people,dc=example,dc=com").unwrap();
    });
    bridge.sync().await;
    assert_eq!(bridge.members("admins"), ["ada", "bob"]);
    bridge.directory.remove("id-mallory");
    bridge.synced().await;
    assert_eq!(bridge.members("admins"), ["ada", "bob"]);
}

#[tokio::test]
async fn a_group_whose_dn_means_that_of_another_gives_it_no_members() {
    let bridge = company(&["ada", "mallory"]).await;
    bridge.directory.put_group("admins", &["ada"]);
    bridge.synced().await;
    bridge.directory.put_group("zz", &["mallory"]);
    bridge.directory.change("id-g-zz", |entry| {
        entry.dn = Dn::parse("cn=\u{ff41}dmins,ou=groups,dc=example,dc=com").unwrap();
    });
    bridge.sync().await;
    assert_eq!(bridge.members("admins"), ["ada"]);
}

#[tokio::test]
async fn a_user_who_becomes_a_group_is_a_user_no_more() {
    let bridge = company(&["ada", "bob"]).await;
    bridge.synced().await;
    bridge.directory.change("id-bob", |entry| {
        entry.resource_type = ResourceType::Group;
        entry.members = Some(Vec::new());
        entry.selected = false;
    });
    bridge.directory.set_partial(&["something is missing"]);
    bridge.sync().await;
    assert_eq!(bridge.active(), ["ada", "bob"], "a partial reading concludes nothing");
    bridge.directory.set_partial(&[]);
    bridge.sync().await;
    assert_eq!(bridge.active(), ["ada"]);
}

#[tokio::test]
async fn an_answer_with_the_id_of_another_entrys_resource_stops_nobody_and_moves_nothing() {
    let bridge = company(&["ada", "bob"]).await;
    bridge.synced().await;
    let links = bridge.snapshot().await.links;
    bridge.directory.add_user("eve");
    bridge.directory.set("bob", "mail", "new@example.com");
    bridge.provider.fail_when("POST", "/Users", 1, answer(&bridge, 201, "ada", "eve"));
    bridge.provider.fail_when("PATCH", "/Users", 1, answer(&bridge, 200, "ada", "bob"));
    assert_eq!(bridge.sync().await.end, CycleEnd::DoneWithHeld);
    let now = bridge.snapshot().await.links;
    assert_eq!(now.len(), 2);
    assert!(now.iter().all(|(entry, link)| links[entry].resource_id == link.resource_id));
    bridge.synced().await;
    assert_eq!(bridge.active(), ["ada", "bob", "eve"]);
}

#[tokio::test]
async fn a_create_whose_answer_was_lost_does_not_take_a_foreign_account_over() {
    let mut bridge = company(&["ada"]).await;
    bridge.rules.existing = Existing::Never;
    bridge.synced().await;
    bridge.provider.add_user("root", json!({ "displayName": "Break glass", "active": true }));
    bridge.directory.add_user("mallory");
    bridge.directory.set("mallory", "uid", "root");
    let nobody = json!({ "totalResults": 0, "Resources": [] }).to_string();
    bridge.provider.fail_when("GET", "filter", 1, Fault::Answer { status: 200, headers: Vec::new(), body: nobody });
    bridge.provider.fail_when("POST", "/Users", 1, Fault::LostAnswer);
    for _ in 0..2 {
        assert_eq!(bridge.sync().await.end, CycleEnd::DoneWithHeld);
        assert_eq!(bridge.snapshot().await.links.len(), 1);
    }
}

#[tokio::test]
async fn an_answer_with_the_id_of_a_foreign_account_moves_nothing() {
    let bridge = company(&["ada", "bob"]).await;
    bridge.synced().await;
    bridge.provider.add_user("root", json!({ "displayName": "Break glass", "active": true }));
    let links = bridge.snapshot().await.links;
    bridge.directory.set("bob", "mail", "new@example.com");
    bridge.provider.fail_when("PATCH", "/Users", 1, answer(&bridge, 200, "root", "bob"));
    bridge.sync().await;
    let now = bridge.snapshot().await.links;
    assert!(now.iter().all(|(entry, link)| links[entry].resource_id == link.resource_id));
    bridge.directory.remove("id-bob");
    bridge.synced().await;
    assert_eq!(bridge.active(), ["ada", "root"]);
}

#[tokio::test]
async fn a_gateway_that_has_lost_its_way_switches_nobody_off() {
    let bridge = company(&["ada", "bob", "eve"]).await;
    bridge.synced().await;
    bridge.directory.remove("id-bob");
    bridge.provider.fail_when("*", "/Users", 1000, Fault::status(404));
    assert_eq!(bridge.sync().await.end, CycleEnd::DoneWithHeld);
    assert_eq!(bridge.snapshot().await.links.len(), 3);
    bridge.provider.heal();
    bridge.synced().await;
    assert_eq!(bridge.active(), ["ada", "eve"]);
}
