//! Whole cycles: in-memory directory, real store, real requests to a provider in the test process.

use std::time::Duration;

use ldap2scim::cycle::{CycleEnd, CycleError};
use ldap2scim::model::{AttributeName, AttributeValue, ChannelName, Status};
use ldap2scim::plan::{Existing, GroupRemoval, GuardKind, Limit, UserRemoval};
use serde_json::json;

use crate::support::bridge::Bridge;
use crate::support::provider::{Fault, Personality};

async fn small_company() -> Bridge {
    let bridge = Bridge::start(Personality::default()).await;
    for name in ["ada", "bob", "eve"] {
        bridge.directory.add_user(name);
    }
    bridge.directory.set_manager("ada", "eve");
    bridge.directory.put_group("staff", &["@makers", "eve"]);
    bridge.directory.put_group("makers", &["ada", "bob"]);
    bridge
}

fn writes(bridge: &Bridge) -> Vec<String> {
    bridge.provider.writes().iter().map(crate::support::provider::Recorded::line).collect()
}

#[tokio::test]
async fn a_first_load_creates_everybody_with_the_fewest_requests_and_then_nothing_more() {
    let bridge = small_company().await;
    bridge.synced().await;
    assert_eq!(bridge.active(), ["ada", "bob", "eve"]);
    assert_eq!(bridge.members("staff"), ["ada", "bob", "eve"]);
    assert_eq!(bridge.members("makers"), ["ada", "bob"]);
    let eve = bridge.provider.user("eve").unwrap()["id"].clone();
    let manager = &bridge.provider.user("ada").unwrap()["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"]["manager"];
    assert_eq!(manager["value"], eve);
    assert_eq!(writes(&bridge).len(), 3 + 2 + 2, "{:?}", writes(&bridge));
    assert!(bridge.provider.requests().len() <= 3 + 2 + 2 + 10);
    bridge.provider.assert_clean();
    bridge.assert_silent().await;
}

#[tokio::test]
async fn a_manager_ring_is_closed_by_one_request_more() {
    let bridge = small_company().await;
    bridge.directory.set_manager("eve", "ada");
    bridge.synced().await;
    assert_eq!(writes(&bridge).len(), 3 + 1 + 2 + 2);
    bridge.assert_silent().await;
}

#[tokio::test]
async fn a_change_of_one_attribute_is_one_small_request() {
    let bridge = small_company().await;
    bridge.synced().await;
    bridge.provider.forget_requests();
    bridge.directory.set("ada", "mail", "ada@new.example.com");
    bridge.synced().await;
    let requests = bridge.provider.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].method, "PATCH");
    assert_eq!(requests[0].body["Operations"].as_array().unwrap().len(), 1);
    assert_eq!(bridge.provider.user("ada").unwrap()["emails"][0]["value"], "ada@new.example.com");
    bridge.assert_silent().await;
}

#[tokio::test]
async fn a_leaver_is_switched_off_and_a_return_switches_on_and_brings_the_groups_back() {
    let bridge = small_company().await;
    bridge.synced().await;
    bridge.directory.remove("id-bob");
    bridge.directory.put_group("makers", &["ada"]);
    bridge.synced().await;
    assert_eq!(bridge.active(), ["ada", "eve"]);
    assert_eq!(bridge.members("staff"), ["ada", "eve"]);
    bridge.assert_silent().await;
    bridge.directory.add_user("bob");
    bridge.directory.put_group("makers", &["ada", "bob"]);
    bridge.synced().await;
    assert_eq!(bridge.active(), ["ada", "bob", "eve"]);
    assert_eq!(bridge.members("makers"), ["ada", "bob"]);
    bridge.assert_no_duplicates();
    bridge.assert_silent().await;
}

#[tokio::test]
async fn removal_policies_reach_the_target() {
    for (users, groups, left, groups_left) in [
        (UserRemoval::Deactivate, GroupRemoval::Delete, 3, 1),
        (UserRemoval::Delete, GroupRemoval::Delete, 2, 1),
        (UserRemoval::Keep, GroupRemoval::Keep, 3, 2),
    ] {
        let mut bridge = small_company().await;
        (bridge.rules.user_removal, bridge.rules.group_removal) = (users, groups);
        bridge.synced().await;
        bridge.directory.remove("id-bob");
        bridge.directory.remove("id-g-makers");
        bridge.synced().await;
        assert_eq!((bridge.provider.users().len(), bridge.provider.groups().len()), (left, groups_left), "{users:?} {groups:?}");
        assert_eq!(bridge.active().contains(&"bob".to_owned()), users == UserRemoval::Keep);
        bridge.assert_silent().await;
    }
}

#[tokio::test]
async fn a_leaver_whose_script_disables_and_clears_the_name_at_once_is_switched_off() {
    let bridge = small_company().await;
    bridge.synced().await;
    bridge.directory.change("id-bob", |entry| {
        entry.status = Status::Disabled;
        entry.attributes.clear();
    });
    let report = bridge.sync().await;
    assert_eq!(report.end, CycleEnd::DoneWithHeld);
    assert_eq!(bridge.active(), ["ada", "eve"]);
}

#[tokio::test]
async fn revocations_go_first() {
    let mut bridge = small_company().await;
    bridge.workers = 1;
    bridge.synced().await;
    for name in ["amy", "zoe"] {
        bridge.directory.add_user(name);
    }
    bridge.directory.set_status("eve", Status::Disabled);
    bridge.directory.set("ada", "title", "x");
    bridge.provider.forget_requests();
    bridge.synced().await;
    let first = &bridge.provider.writes()[0];
    let eve = bridge.provider.user("eve").unwrap()["id"].as_str().unwrap().to_owned();
    assert_eq!(first.path, format!("/Users/{eve}"));
    assert_eq!(first.body["Operations"], json!([{"op": "replace", "path": "active", "value": false}]));
}

#[tokio::test]
async fn a_partial_reading_takes_nothing_away_but_from_those_who_are_disabled() {
    let bridge = small_company().await;
    bridge.synced().await;
    bridge.directory.remove("id-bob");
    bridge.directory.put_group("makers", &[]);
    bridge.directory.remove("id-g-staff");
    bridge.directory.set_status("eve", Status::Disabled);
    bridge.directory.set_partial(&["page 2 failed"]);
    let report = bridge.sync().await;
    assert_eq!(report.end, CycleEnd::DoneWithHeld, "a partial reading never looks like a whole one");
    assert_eq!(bridge.active(), ["ada", "bob"]);
    assert_eq!(bridge.members("makers"), ["ada", "bob"]);
    assert!(bridge.provider.group("staff").is_some());
    bridge.directory.set_partial(&[]);
    bridge.synced().await;
    assert_eq!(bridge.active(), ["ada"]);
    assert!(bridge.provider.group("staff").is_none());
}

#[tokio::test]
async fn a_directory_that_is_down_changes_nothing() {
    let bridge = small_company().await;
    bridge.synced().await;
    bridge.directory.set_failing(true);
    bridge.provider.forget_requests();
    let report = bridge.sync().await;
    assert!(matches!(report.error, Some(CycleError::Source(_))));
    assert!(bridge.provider.requests().is_empty());
    bridge.directory.set_failing(false);
    bridge.assert_silent().await;
}

#[tokio::test]
async fn an_empty_directory_applies_nothing() {
    let bridge = small_company().await;
    bridge.synced().await;
    bridge.directory.clear();
    bridge.provider.forget_requests();
    let report = bridge.sync().await;
    assert_eq!(report.end, CycleEnd::Quarantined);
    assert!(bridge.provider.requests().is_empty());
    assert_eq!(bridge.active().len(), 3);
}

async fn guarded_company() -> Bridge {
    let mut bridge = Bridge::start(Personality::default()).await;
    for n in 0..40 {
        bridge.directory.add_user(&format!("u{n:02}"));
    }
    bridge.rules.guard.users = Limit { percent: 2.0, at_least: 5, at_most: Some(100) };
    bridge.synced().await;
    bridge.pass(Duration::from_secs(100_000));
    bridge
}

#[tokio::test]
async fn a_flood_of_leavers_is_stopped_while_everything_else_goes_on() {
    let bridge = guarded_company().await;
    for n in 0..6 {
        bridge.directory.remove(&format!("id-u{n:02}"));
    }
    bridge.directory.add_user("new");
    let report = bridge.sync().await;
    assert_eq!(report.end, CycleEnd::Quarantined);
    assert_eq!(bridge.active().len(), 41);
    bridge.directory.add_user("u00");
    bridge.synced().await;
    assert_eq!(bridge.active().len(), 36, "five leavers are within the limit");
}

#[tokio::test]
async fn a_trickle_of_leavers_is_stopped_like_a_flood_and_time_lifts_it() {
    let bridge = guarded_company().await;
    for n in 0..8 {
        bridge.directory.remove(&format!("id-u{n:02}"));
        let report = bridge.sync().await;
        assert_eq!(report.end == CycleEnd::Quarantined, n >= 5, "leaver {n}");
    }
    assert_eq!(bridge.active().len(), 35);
    bridge.pass(Duration::from_secs(86_400));
    bridge.synced().await;
    assert_eq!(bridge.active().len(), 32);
}

#[tokio::test]
async fn a_removal_that_the_target_refused_is_not_counted() {
    let bridge = guarded_company().await;
    for n in 0..5 {
        bridge.directory.remove(&format!("id-u{n:02}"));
    }
    bridge.provider.fail_when("PATCH", "/Users", 5, Fault::status(400));
    assert_eq!(bridge.sync().await.end, CycleEnd::DoneWithHeld);
    bridge.synced().await;
    assert_eq!(bridge.active().len(), 35);
}

#[tokio::test]
async fn what_is_there_is_adopted_and_members_of_others_are_left_alone() {
    let bridge = small_company().await;
    let stranger = bridge.provider.add_user("stranger", json!({}));
    let ada = bridge.provider.add_user("ADA", json!({"title": "Countess"}));
    bridge.provider.add_group("makers", json!({"members": [{"value": stranger}, {"value": ada}]}));
    let report = bridge.sync().await;
    assert_eq!(report.end, CycleEnd::Done, "{:?}", report.held);
    assert_eq!(report.prepared.unwrap().plan.counts.members_foreign, 1, "the stranger is reported");
    bridge.assert_no_duplicates();
    assert_eq!(bridge.provider.users().len(), 4);
    assert_eq!(bridge.provider.user("ada").unwrap()["title"], "Countess", "what is not mapped to a value stays");
    assert_eq!(bridge.members("makers"), ["ada", "bob", "stranger"]);
    bridge.assert_silent().await;
    bridge.directory.put_group("makers", &["bob"]);
    bridge.synced().await;
    assert_eq!(bridge.members("makers"), ["bob", "stranger"]);
}

#[tokio::test]
async fn existing_resources_are_linked_only_or_never_if_so_ruled() {
    let mut bridge = small_company().await;
    bridge.rules.existing = Existing::LinkOnly;
    bridge.provider.add_user("ada", json!({"displayName": "Lady Lovelace"}));
    bridge.synced().await;
    assert_eq!(bridge.provider.user("ada").unwrap()["displayName"], "Lady Lovelace");
    bridge.assert_silent().await;
    bridge.directory.set("ada", "title", "Countess");
    bridge.synced().await;
    assert_eq!(bridge.provider.user("ada").unwrap()["title"], "Countess");

    let mut bridge = small_company().await;
    bridge.rules.existing = Existing::Never;
    bridge.provider.add_user("ada", json!({"displayName": "Lady Lovelace"}));
    let report = bridge.sync().await;
    assert_eq!((report.end, report.held.len()), (CycleEnd::DoneWithHeld, 1));
    assert_eq!(bridge.provider.user("ada").unwrap()["displayName"], "Lady Lovelace");
}

#[tokio::test]
async fn a_conflict_that_no_look_up_foresaw_adopts() {
    let bridge = small_company().await;
    bridge.synced().await;
    bridge.directory.add_user("zoe");
    bridge.provider.add_user("zoe", json!({}));
    bridge.provider.fail_when(
        "GET",
        "/Users",
        1,
        Fault::Answer {
            status: 200,
            headers: vec![("content-type", "application/scim+json".into())],
            body: r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":0,"Resources":[]}"#.into(),
        },
    );
    bridge.synced().await;
    bridge.assert_no_duplicates();
    bridge.assert_silent().await;
}

#[tokio::test]
async fn a_hidden_conflict_holds_the_entry_and_nobody_else() {
    let bridge = small_company().await;
    bridge.provider.change_personality(|personality| personality.hidden = vec!["ada".into()]);
    let report = bridge.sync().await;
    assert_eq!(report.end, CycleEnd::DoneWithHeld);
    assert_eq!(report.held.len(), 1);
    assert_eq!(bridge.active(), ["bob", "eve"]);
}

#[tokio::test]
async fn drift_is_repaired_by_resync_and_strangers_are_left_alone() {
    let bridge = small_company().await;
    bridge.synced().await;
    let id = |name: &str| bridge.provider.user(name).unwrap()["id"].as_str().unwrap().to_owned();
    let (ada, bob) = (id("ada"), id("bob"));
    bridge.provider.edit(&ada, |user| {
        user["active"] = json!(false);
        user["name"]["givenName"] = json!("somebody else");
    });
    bridge.provider.remove(&bob);
    let staff = bridge.provider.group("staff").unwrap()["id"].as_str().unwrap().to_owned();
    bridge.provider.edit(&staff, |group| {
        group["members"].as_array_mut().unwrap().retain(|member| member["value"] != bob.as_str());
    });
    let makers = bridge.provider.group("makers").unwrap()["id"].as_str().unwrap().to_owned();
    bridge.provider.edit(&makers, |group| group["members"] = json!([]));
    bridge.provider.add_user("stranger", json!({"active": true}));
    bridge.assert_silent().await;
    let report = bridge.resync().await;
    assert_eq!(report.end, CycleEnd::Done, "{:?} {:?}", report.error, report.held);
    assert_eq!(bridge.active(), ["ada", "bob", "eve", "stranger"]);
    assert_eq!(bridge.provider.user("ada").unwrap()["name"]["givenName"], "ada");
    assert_eq!(bridge.members("makers"), ["ada", "bob"]);
    assert_eq!(bridge.members("staff"), ["ada", "bob", "eve"]);
    bridge.assert_no_duplicates();
    bridge.assert_silent().await;
}

#[tokio::test]
async fn a_resync_against_another_tenant_stops_instead_of_making_everybody_again() {
    let bridge = guarded_company().await;
    for user in bridge.provider.users() {
        bridge.provider.remove(user["id"].as_str().unwrap());
    }
    let report = bridge.resync().await;
    assert!(matches!(report.error, Some(CycleError::WrongTarget { .. })), "{:?}", report.error);
    assert!(bridge.provider.users().is_empty());
}

#[tokio::test]
async fn an_update_of_a_resource_that_is_gone_makes_it_again_in_the_next_cycle() {
    let bridge = small_company().await;
    bridge.synced().await;
    let ada = bridge.provider.user("ada").unwrap()["id"].as_str().unwrap().to_owned();
    bridge.provider.remove(&ada);
    for group in bridge.provider.groups() {
        bridge.provider.edit(group["id"].as_str().unwrap(), |group| {
            group["members"].as_array_mut().unwrap().retain(|member| member["value"] != ada.as_str());
        });
    }
    bridge.directory.set("ada", "title", "x");
    assert_eq!(bridge.sync().await.end, CycleEnd::DoneWithHeld);
    bridge.synced().await;
    assert_eq!(bridge.active(), ["ada", "bob", "eve"]);
    assert_eq!(bridge.members("makers"), ["ada", "bob"]);
    bridge.assert_silent().await;
}

#[tokio::test]
async fn preview_plans_and_reports_and_writes_nothing_to_the_target() {
    let bridge = small_company().await;
    let report = bridge.preview().await;
    assert_eq!(report.prepared.unwrap().plan.counts.create, 5);
    assert!(bridge.provider.writes().is_empty());
    bridge.synced().await;
    assert_eq!(bridge.active().len(), 3);
}

#[tokio::test]
async fn preparing_leaves_the_store_as_it_was() {
    let bridge = small_company().await;
    bridge.synced().await;
    bridge.directory.add_user("zoe");
    let bytes = || std::fs::read(bridge.state_dir.path().join("state.sqlite")).unwrap();
    drop(bridge.store());
    let before = bridge.snapshot().await;
    let file = bytes();
    let prepared = bridge.prepare().await;
    assert_eq!(prepared.plan.counts.create, 1);
    assert_eq!(file, bytes());
    assert_eq!(before, bridge.snapshot().await);
}

#[tokio::test]
async fn two_channels_share_a_target_and_the_last_to_leave_removes() {
    let mut bridge = small_company().await;
    let channels = vec![ChannelName::new("main"), ChannelName::new("second")];
    bridge.rules.channels_of_target = channels;
    bridge.synced().await;
    bridge.rules.channel = ChannelName::new("second");
    bridge.provider.forget_requests();
    bridge.synced().await;
    assert!(bridge.provider.writes().is_empty(), "everything is linked already: {:?}", writes(&bridge));
    bridge.directory.remove("id-bob");
    bridge.rules.channel = ChannelName::new("main");
    bridge.synced().await;
    assert!(bridge.active().contains(&"bob".to_owned()), "the second channel still claims bob");
    bridge.rules.channel = ChannelName::new("second");
    bridge.synced().await;
    assert!(!bridge.active().contains(&"bob".to_owned()));
    bridge.assert_silent().await;
}

#[tokio::test]
async fn a_large_group_is_filled_in_chunks() {
    let bridge = Bridge::start(Personality::default()).await;
    let names: Vec<String> = (0..250).map(|n| format!("u{n:03}")).collect();
    for name in &names {
        bridge.directory.add_user(name);
    }
    bridge.directory.put_group("all", &names.iter().map(String::as_str).collect::<Vec<_>>());
    bridge.synced().await;
    assert_eq!(bridge.members("all").len(), 250);
    assert_eq!(writes(&bridge).len(), 250 + 1 + 3);
    bridge.provider.forget_requests();
    bridge.directory.put_group("all", &names[1..].iter().map(String::as_str).collect::<Vec<_>>());
    bridge.synced().await;
    let requests = bridge.provider.requests();
    assert_eq!(requests.len(), 1);
    assert!(requests[0].body.to_string().len() < 1024);
}

#[tokio::test]
async fn the_guard_is_not_passed_by_a_conflict() {
    let mut bridge = small_company().await;
    bridge.rules.guard.users = Limit { percent: 0.0, at_least: 0, at_most: Some(0) };
    bridge.synced().await;
    bridge.directory.add_user("zoe");
    bridge.directory.set_status("zoe", Status::Disabled);
    bridge.provider.add_user("zoe", json!({"active": true}));
    let report = bridge.sync().await;
    let tripped: Vec<GuardKind> = report.prepared.unwrap().plan.verdict.tripped.iter().map(|tripped| tripped.kind).collect();
    assert_eq!(tripped, [GuardKind::DisabledUsers]);
    assert!(bridge.active().contains(&"zoe".to_owned()));
}

#[tokio::test]
async fn a_reference_that_the_target_refuses_keeps_nobody_from_an_account() {
    let mut bridge = small_company().await;
    bridge.workers = 1;
    bridge.provider.fail_after("POST", "/Users", 2, 1, Fault::status(400));
    let report = bridge.sync().await;
    assert_eq!((report.end, report.held.len()), (CycleEnd::DoneWithHeld, 1));
    assert_eq!(bridge.active(), ["ada", "bob", "eve"]);
    assert_eq!(bridge.members("makers"), ["ada", "bob"]);
    bridge.synced().await;
    let eve = bridge.provider.user("eve").unwrap()["id"].clone();
    let manager = &bridge.provider.user("ada").unwrap()["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"]["manager"];
    assert_eq!(manager["value"], eve);
    bridge.assert_silent().await;
}

#[tokio::test]
async fn a_disabled_user_who_was_only_linked_is_switched_off_all_the_same() {
    let mut bridge = small_company().await;
    bridge.rules.existing = Existing::LinkOnly;
    bridge.provider.add_user("ada", json!({"active": true, "displayName": "Lady Lovelace"}));
    bridge.directory.set_status("ada", Status::Disabled);
    bridge.synced().await;
    bridge.synced().await;
    assert_eq!(bridge.active(), ["bob", "eve"]);
    assert_eq!(bridge.provider.user("ada").unwrap()["displayName"], "Lady Lovelace");
    bridge.assert_silent().await;
}

#[tokio::test]
async fn a_name_whose_holder_could_not_give_it_up_is_not_taken() {
    let bridge = small_company().await;
    bridge.provider.change_personality(|personality| personality.unique_group_names = false);
    bridge.synced().await;
    let named = |id: &str, name: &str| {
        let values = vec![AttributeValue::from(name)];
        bridge.directory.change(id, |entry| entry.attributes.insert(AttributeName::new("cn"), values).map_or((), drop));
    };
    named("id-g-staff", "everybody");
    named("id-g-makers", "staff");
    let staff = bridge.provider.group("staff").unwrap()["id"].as_str().unwrap().to_owned();
    bridge.provider.fail_when("PATCH", &staff, 1, Fault::status(400));
    assert_eq!(bridge.sync().await.held.len(), 2);
    bridge.assert_no_duplicates();
    bridge.synced().await;
    assert_eq!(bridge.members("everybody"), ["ada", "bob", "eve"]);
    assert_eq!(bridge.members("staff"), ["ada", "bob"]);
    bridge.assert_silent().await;
}

#[tokio::test]
async fn leavers_who_were_purged_at_the_target_do_not_stop_a_resync() {
    let bridge = guarded_company().await;
    for round in 0..2 {
        for n in 0..5 {
            bridge.directory.remove(&format!("id-u{:02}", round * 5 + n));
        }
        bridge.synced().await;
        bridge.pass(Duration::from_secs(100_000));
    }
    for user in bridge.provider.users() {
        if user["active"] == false {
            bridge.provider.remove(user["id"].as_str().unwrap());
        }
    }
    let report = bridge.resync().await;
    assert_eq!(report.end, CycleEnd::Done, "{:?}", report.error);
    assert_eq!(bridge.active().len(), 30);
    bridge.assert_silent().await;
}

#[tokio::test]
async fn a_newcomer_whose_name_is_taken_by_a_linked_entry_costs_no_look_up() {
    let bridge = small_company().await;
    bridge.synced().await;
    bridge.directory.add_user("ada2");
    bridge.directory.set("ada2", "uid", "ADA");
    let report = bridge.sync().await;
    assert_eq!((report.end, report.held.len()), (CycleEnd::DoneWithHeld, 1));
    bridge.assert_silent().await;
}

#[tokio::test]
async fn what_the_guard_holds_back_sends_nothing_however_often_it_is_planned() {
    let mut bridge = small_company().await;
    bridge.synced().await;
    let nothing = Limit { percent: 0.0, at_least: 0, at_most: Some(0) };
    let guard = &mut bridge.rules.guard;
    (guard.users, guard.groups, guard.memberships, guard.identity) = (nothing, nothing, nothing, nothing);
    bridge.directory.set("bob", "uid", "robert");
    bridge.directory.set_status("eve", Status::Disabled);
    bridge.directory.remove("id-ada");
    bridge.directory.remove("id-g-staff");
    bridge.directory.put_group("makers", &["eve"]);
    assert_eq!(bridge.sync().await.end, CycleEnd::Quarantined);
    assert_eq!(bridge.members("makers"), ["ada", "bob", "eve"]);
    bridge.assert_silent().await;
    assert_eq!(bridge.active(), ["ada", "bob", "eve"]);
}

#[tokio::test]
async fn an_entry_that_the_provider_stumbles_over_keeps_nobody_elses_access() {
    for faults in [[Fault::status(500), Fault::status(500)], [Fault::status(500), Fault::status(414)]] {
        let bridge = small_company().await;
        bridge.synced().await;
        let [create, look_up] = faults;
        bridge.provider.fail_when("POST", "/Users", 1000, create);
        bridge.provider.fail_when("GET", "filter", 1000, look_up);
        bridge.directory.add_user("odd");
        for _ in 0..2 {
            assert_eq!(bridge.sync().await.end, CycleEnd::DoneWithHeld);
        }
        bridge.directory.remove("id-bob");
        let report = bridge.sync().await;
        assert_eq!(report.end, CycleEnd::DoneWithHeld, "{:?}", report.error);
        assert_eq!(bridge.active(), ["ada", "eve"]);
    }
}

#[tokio::test]
async fn a_switch_off_that_the_provider_cannot_find_is_not_taken_for_done() {
    let bridge = small_company().await;
    bridge.synced().await;
    bridge.provider.fail_when("PATCH", "/Users", 1, Fault::status(404));
    bridge.directory.remove("id-bob");
    assert_eq!(bridge.sync().await.end, CycleEnd::DoneWithHeld);
    assert_eq!(bridge.active(), ["ada", "bob", "eve"]);
    bridge.synced().await;
    assert_eq!(bridge.active(), ["ada", "eve"]);
}

/// Names of what a cycle left alone.
fn held(report: &ldap2scim::cycle::Report) -> Vec<&str> {
    let mut names: Vec<&str> = report.held.iter().map(|held| held.name.as_str()).collect();
    names.sort_unstable();
    names
}

#[tokio::test]
async fn as_many_requests_are_in_flight_as_there_are_workers_and_no_more() {
    let mut bridge = Bridge::start(Personality::default()).await;
    bridge.workers = 3;
    for n in 0..24 {
        bridge.directory.add_user(&format!("u{n:02}"));
    }
    bridge.provider.change_personality(|personality| personality.latency = Duration::from_millis(40));
    bridge.synced().await;
    let creates: Vec<std::time::Instant> = bridge.provider.writes().iter().map(|request| request.at).collect();
    assert_eq!(creates.len(), 24);
    for (earlier, later) in creates.iter().zip(creates.iter().skip(3)) {
        assert!(*later - *earlier >= Duration::from_millis(40), "a fourth request while three were in flight");
    }
    assert!(creates[2] - creates[0] < Duration::from_millis(40), "three at once");
}

#[tokio::test]
async fn a_stop_leaves_nothing_open_that_was_not_sent() {
    let mut bridge = Bridge::start(Personality::default()).await;
    bridge.workers = 1;
    for n in 0..12 {
        bridge.directory.add_user(&format!("u{n:02}"));
    }
    bridge.provider.change_personality(|personality| personality.latency = Duration::from_millis(50));
    let (provider, stop) = (&bridge.provider, bridge.stop.clone());
    let stopping = async move {
        while provider.writes().len() < 2 {
            tokio::task::yield_now().await;
        }
        stop.cancel();
    };
    let (report, ()) = tokio::join!(bridge.sync(), stopping);
    assert!(matches!(report.error, Some(CycleError::Stopped)), "{:?}", report.error);
    let snapshot = bridge.snapshot().await;
    assert_eq!((bridge.provider.writes().len(), snapshot.links.len()), (2, 2));
    assert!(snapshot.unanswered_creates.is_empty(), "{:?}", snapshot.unanswered_creates.keys());
    let bridge = bridge.restarted();
    bridge.synced().await;
    assert_eq!(bridge.active().len(), 12);
    bridge.assert_silent().await;
}

#[tokio::test]
async fn refused_credentials_leave_nothing_open_and_are_not_used_for_more() {
    let mut bridge = Bridge::start(Personality::default()).await;
    bridge.workers = 1;
    for n in 0..12 {
        bridge.directory.add_user(&format!("u{n:02}"));
    }
    bridge.provider.fail_after("POST", "/Users", 2, 1000, Fault::status(401));
    let report = bridge.sync().await;
    assert!(matches!(report.error, Some(CycleError::Target(_))), "{:?}", report.error);
    assert!(bridge.provider.writes().len() <= 4, "{:?}", writes(&bridge));
    assert!(bridge.snapshot().await.unanswered_creates.is_empty());
    bridge.provider.heal();
    bridge.synced().await;
    bridge.assert_silent().await;
}

#[tokio::test]
async fn what_is_refused_for_what_it_says_is_not_sent_every_cycle() {
    // A create that is refused, one that hides what it clashes with, and an edit.
    for fault in [Fault::status(422), Fault::status(409)] {
        let bridge = small_company().await;
        bridge.synced().await;
        bridge.directory.add_user("zoe");
        bridge.directory.set("ada", "title", "x");
        bridge.provider.fail_when("POST", "/Users", 1000, fault.clone());
        bridge.provider.fail_when("PATCH", "/Users", 1000, Fault::status(400));
        for _ in 0..2 {
            let report = bridge.sync().await;
            assert_eq!((report.end, held(&report)), (CycleEnd::DoneWithHeld, vec!["ada", "zoe"]));
        }
        bridge.provider.forget_requests();
        let report = bridge.sync().await;
        assert_eq!((report.end, held(&report)), (CycleEnd::DoneWithHeld, vec!["ada", "zoe"]));
        assert!(report.held.iter().all(|held| held.why.contains("it is sent again when")), "{:?}", report.held);
        assert_eq!(writes(&bridge), [""; 0], "{fault:?}");
        assert_eq!(bridge.prepare().await.plan.held.len(), 2, "a dry run says the same");
        bridge.directory.set("zoe", "title", "y");
        bridge.sync().await;
        assert_eq!(writes(&bridge), ["POST /Users"], "other words are tried");
        bridge.pass(Duration::from_secs(2 * 3600));
        bridge.provider.forget_requests();
        bridge.sync().await;
        assert_eq!(writes(&bridge).len(), 2, "time passed");
        bridge.provider.heal();
        bridge.provider.forget_requests();
        bridge.sync().await;
        bridge.resync().await;
        assert_eq!(writes(&bridge).len(), 2, "a full look tries again");
        assert_eq!(bridge.active(), ["ada", "bob", "eve", "zoe"]);
        bridge.assert_silent().await;
    }
}

#[tokio::test]
async fn a_switch_off_is_sent_however_often_it_was_refused() {
    let bridge = small_company().await;
    bridge.synced().await;
    bridge.directory.set_status("bob", Status::Disabled);
    bridge.directory.put_group("makers", &["ada"]);
    bridge.directory.remove("id-eve");
    bridge.provider.fail_when("PATCH", "/", 1000, Fault::status(400));
    for _ in 0..4 {
        bridge.provider.forget_requests();
        bridge.sync().await;
        assert!(writes(&bridge).len() >= 3, "{:?}", writes(&bridge));
    }
    bridge.provider.heal();
    bridge.sync().await;
    assert_eq!(bridge.active(), ["ada"]);
    assert_eq!(bridge.members("makers"), ["ada"]);
}

#[tokio::test]
async fn where_switching_off_deletes_the_link_goes_and_a_return_creates() {
    let mut bridge = small_company().await;
    bridge.knob("deactivate_is_delete", "yes");
    bridge.synced().await;
    bridge.directory.remove("id-bob");
    bridge.synced().await;
    let bob = ldap2scim::model::EntryId::new("id-bob");
    let snapshot = bridge.snapshot().await;
    assert!(!snapshot.links.contains_key(&bob) && !snapshot.leavers.contains_key(&bob));
    assert!(snapshot.links.values().all(|link| !link.acknowledged.members.contains(&bob)));
    let id = bridge.provider.user("bob").unwrap()["id"].as_str().unwrap().to_owned();
    bridge.provider.remove(&id);
    bridge.assert_silent().await;
    bridge.directory.add_user("bob");
    bridge.directory.put_group("makers", &["ada", "bob"]);
    bridge.synced().await;
    assert_eq!(bridge.active(), ["ada", "bob", "eve"]);
    assert_eq!(bridge.members("makers"), ["ada", "bob"]);
}

#[tokio::test]
async fn where_deleting_switches_off_the_link_stays() {
    let mut bridge = small_company().await;
    bridge.rules.user_removal = UserRemoval::Delete;
    bridge.knob("delete_is_deactivate", "yes");
    bridge.synced().await;
    bridge.directory.remove("id-bob");
    let report = bridge.sync().await;
    assert_eq!(report.applied.done.get("deactivated"), Some(&1));
    let bob = ldap2scim::model::EntryId::new("id-bob");
    let snapshot = bridge.snapshot().await;
    assert_eq!(snapshot.links[&bob].acknowledged.active(), Some(false));
    assert!(!snapshot.claims.contains_key(&bob) && snapshot.leavers.contains_key(&bob));
    bridge.assert_silent().await;
}

/// Carries out a plan that was changed by hand.
pub async fn apply(bridge: &Bridge, change: impl FnOnce(&mut ldap2scim::plan::Plan)) -> ldap2scim::cycle::Applied {
    use ldap2scim::cycle::{CycleStart, CycleSummary, Progress, Store, Trigger};
    let mut prepared = bridge.prepare().await;
    change(&mut prepared.plan);
    let (store, channel) = (bridge.store(), bridge.channel());
    let (progress, _) = tokio::sync::watch::channel(Progress::default());
    let start = CycleStart {
        channel: channel.name().clone(),
        target: channel.target_name.clone(),
        trigger: Trigger::Sync,
        linked: Default::default(),
    };
    let cycle = store.begin(&start).await.unwrap();
    let (applied, result) = ldap2scim::cycle::apply(&channel, &store, cycle, &prepared, &bridge.stop, &progress).await;
    result.unwrap();
    let summary = CycleSummary {
        end: CycleEnd::Done,
        messages: Vec::new(),
        counts: Vec::new(),
        held: None,
        judged: None,
        quarantine: None,
    };
    store.finish(cycle, &summary).await.unwrap();
    store.close().await;
    bridge.pass(Duration::from_secs(60));
    applied
}

fn planned(name: &str, id: &str, stage: ldap2scim::plan::Stage, action: ldap2scim::plan::Action) -> ldap2scim::plan::Planned {
    use ldap2scim::model::{EntryId, ResourceType};
    use ldap2scim::plan::{Change, ClaimAfter, Planned, Reason, Stage, Tally};
    let resource_type = match stage {
        Stage::Users | Stage::Revoke => ResourceType::User,
        _ => ResourceType::Group,
    };
    let change = Change {
        entry_id: EntryId::new(id),
        resource_type,
        name: name.to_owned(),
        action,
        reason: Reason::AttributesDiffer,
        claim: ClaimAfter::Held,
        tally: Tally::default(),
    };
    Planned { stage, after: Vec::new(), change }
}

#[tokio::test]
async fn a_link_that_is_handed_on_keeps_its_resource_and_gets_its_members_last() {
    use ldap2scim::model::{EntryId, ResourceId};
    use ldap2scim::plan::{Action, Edit, Stage};
    let bridge = small_company().await;
    bridge.synced().await;
    let id = bridge.provider.group("makers").unwrap()["id"].as_str().unwrap().to_owned();
    bridge.directory.remove("id-g-makers");
    bridge.directory.put_group("makers2", &["ada", "eve"]);
    bridge.directory.set("ada", "cn", "ada");
    bridge.provider.forget_requests();
    let applied = apply(&bridge, |plan| {
        let members = Edit::Members { add: [EntryId::new("id-eve")].into(), remove: [EntryId::new("id-bob")].into() };
        let action =
            Action::Relink { resource_id: ResourceId::new(&id), from: EntryId::new("id-g-makers"), edits: vec![members] };
        plan.changes = vec![planned("makers", "id-g-makers2", Stage::Groups, action)];
    })
    .await;
    assert_eq!((applied.done.get("relinked"), applied.held.len()), (Some(&1), 0));
    assert!(writes(&bridge).iter().all(|line| line.starts_with("PATCH ")), "{:?}", writes(&bridge));
    assert_eq!(bridge.members("makers"), ["ada", "eve"]);
    let snapshot = bridge.snapshot().await;
    let link = &snapshot.links[&EntryId::new("id-g-makers2")];
    assert_eq!((link.resource_id.as_str(), link.acknowledged.members.len()), (id.as_str(), 2));
    assert!(snapshot.claims.contains_key(&EntryId::new("id-g-makers2")));
    assert!(!snapshot.links.contains_key(&EntryId::new("id-g-makers")));
}

#[tokio::test]
async fn of_a_ring_of_names_nobody_takes_what_was_not_parked() {
    use ldap2scim::model::{AttributePath, ResourceId, Value};
    use ldap2scim::plan::{Action, Edit, Planned, Stage};
    for parked in [true, false] {
        let bridge = small_company().await;
        bridge.synced().await;
        let id = |name: &str| bridge.provider.user(name).unwrap()["id"].as_str().unwrap().to_owned();
        let (ada, bob) = (id("ada"), id("bob"));
        let rename = |entry: &str, resource: &str, from: &str, to: &str, after: Vec<usize>| {
            let path = AttributePath::parse("userName").unwrap();
            let edit = Edit::Attribute { path, before: Some(Value::from(from)), after: Some(Value::from(to)) };
            let action = Action::Update { resource_id: ResourceId::new(resource), edits: vec![edit] };
            Planned { after, ..planned(from, entry, Stage::Users, action) }
        };
        let changes = vec![
            rename("id-ada", &ada, "ada", "ada.swap-1", vec![]),
            rename("id-bob", &bob, "bob", "ada", vec![0]),
            rename("id-ada", &ada, "ada.swap-1", "bob", vec![0, 1]),
        ];
        if !parked {
            bridge.provider.fail_when("PATCH", &ada, 1, Fault::status(400));
        }
        let applied = apply(&bridge, |plan| plan.changes = changes).await;
        let name = |id: &str| {
            let user = bridge.provider.users().into_iter().find(|user| user["id"] == id).unwrap();
            user["userName"].as_str().unwrap().to_owned()
        };
        let (names, left) = ([name(&ada), name(&bob)], applied.held.len());
        let expected = if parked { (["bob", "ada"], 0) } else { (["ada", "bob"], 3) };
        assert_eq!((names.each_ref().map(String::as_str), left), expected);
    }
}

#[tokio::test]
async fn a_target_that_cannot_filter_is_listed_once() {
    let mut bridge = small_company().await;
    bridge.knob("filter", "scan");
    for n in 0..5 {
        bridge.provider.add_user(&format!("stranger{n}"), json!({"active": true}));
    }
    bridge.synced().await;
    let reads = bridge.provider.requests().iter().filter(|request| request.line().starts_with("GET /Users")).count();
    assert_eq!(reads, 1);
    bridge.assert_silent().await;
}

#[tokio::test]
async fn a_list_that_breaks_off_is_replaced_by_look_ups() {
    let bridge = small_company().await;
    for n in 0..5 {
        bridge.directory.add_user(&format!("u{n}"));
    }
    let ada = bridge.provider.add_user("ada", json!({"active": true}));
    bridge.provider.fail_when("GET", "count=100", 1000, Fault::status(400));
    let report = bridge.sync().await;
    assert_eq!(report.end, CycleEnd::Done, "{:?} {:?}", report.error, report.held);
    assert_eq!(bridge.provider.user("ada").unwrap()["id"], ada.as_str());
    bridge.assert_no_duplicates();
    let notes = report.prepared.unwrap().plan.notes;
    assert!(notes.iter().any(|note| note.contains("8 look-ups instead")), "{notes:?}");
}

#[tokio::test]
async fn a_create_that_cannot_be_asked_after_holds_its_entry_alone() {
    let bridge = small_company().await;
    bridge.synced().await;
    bridge.directory.add_user("zoe");
    bridge.provider.fail_when("POST", "/Users", 1, Fault::LostAnswer);
    bridge.provider.fail_after("GET", "/Users", 1, 1000, Fault::status(400));
    bridge.sync().await;
    bridge.directory.remove("id-bob");
    let report = bridge.sync().await;
    assert_eq!((report.end, held(&report)), (CycleEnd::DoneWithHeld, vec!["zoe"]), "{:?}", report.error);
    assert_eq!(bridge.active(), ["ada", "eve", "zoe"]);
    bridge.provider.heal();
    bridge.synced().await;
    bridge.assert_no_duplicates();
    bridge.assert_silent().await;
}

#[tokio::test]
async fn a_full_look_forgets_what_answers_taught_and_keeps_what_is_announced() {
    use ldap2scim::cycle::{CycleStart, Store, Trigger};
    use ldap2scim::model::{Fact, Knowledge, Witness};
    let bridge = small_company().await;
    bridge.synced().await;
    let (store, channel) = (bridge.store(), bridge.channel());
    let start = CycleStart {
        channel: channel.name().clone(),
        target: channel.target_name.clone(),
        trigger: Trigger::Sync,
        linked: Default::default(),
    };
    let cycle = store.begin(&start).await.unwrap();
    let fact = |value: &str, witness| Fact { value: value.to_owned(), witness };
    let knowledge = Knowledge::from([
        ("members_per_request".to_owned(), fact("7", Witness::Learnt)),
        ("page_size".to_owned(), fact("50", Witness::Announced)),
    ]);
    store.learn(cycle, &knowledge).await.unwrap();
    store.close().await;
    bridge.synced().await;
    assert_eq!(bridge.snapshot().await.knowledge, knowledge);
    let announced = json!({ "filter": { "supported": true, "maxResults": 50 } });
    bridge.provider.change_personality(|personality| personality.documents.announced = announced);
    assert_eq!(bridge.resync().await.end, CycleEnd::Done);
    assert_eq!(bridge.snapshot().await.knowledge.keys().collect::<Vec<_>>(), ["page_size"]);
}

#[tokio::test]
async fn a_claim_ends_with_the_last_request_of_a_removal_and_not_before() {
    use ldap2scim::model::{EntryId, ResourceId};
    use ldap2scim::plan::{Action, Change, ClaimAfter, Edit, Planned, Stage};
    let mut bridge = small_company().await;
    bridge.knob("members_per_request", "1");
    bridge.synced().await;
    let id = bridge.provider.group("staff").unwrap()["id"].as_str().unwrap().to_owned();
    let staff = EntryId::new("id-g-staff");
    let part = |stage, leavers: &[&str]| {
        let remove = leavers.iter().map(|name| EntryId::new(name)).collect();
        let edits = vec![Edit::Members { add: Default::default(), remove }];
        let one = planned("staff", "id-g-staff", Stage::Groups, Action::Update { resource_id: ResourceId::new(&id), edits });
        Planned { stage, change: Change { claim: ClaimAfter::Ended, ..one.change }, after: Vec::new() }
    };
    // The second request of the first part is refused; the last part is done.
    bridge.provider.fail_after("PATCH", "/Groups", 1, 1, Fault::status(400));
    let parts = vec![part(Stage::Revoke, &["id-ada", "id-bob"]), part(Stage::Moves, &["id-eve"])];
    assert_eq!(apply(&bridge, |plan| plan.changes = parts).await.held.len(), 1);
    assert_eq!(bridge.members("staff").len(), 1);
    assert!(bridge.snapshot().await.claims.contains_key(&staff), "somebody is still in it");
    let parts = vec![part(Stage::Revoke, &["id-ada", "id-bob"]), part(Stage::Moves, &["id-eve"])];
    assert_eq!(apply(&bridge, |plan| plan.changes = parts).await.held.len(), 0);
    let snapshot = bridge.snapshot().await;
    assert!(snapshot.links.contains_key(&staff) && !snapshot.claims.contains_key(&staff));
    assert!(bridge.members("staff").is_empty());
}

#[tokio::test]
async fn members_that_are_nobodys_are_removed_and_an_answer_lost_leaves_nothing_open() {
    use ldap2scim::model::ResourceId;
    use ldap2scim::plan::{Action, Edit, Stage};
    for lost in [false, true] {
        let bridge = small_company().await;
        bridge.synced().await;
        let group = bridge.provider.group("staff").unwrap()["id"].as_str().unwrap().to_owned();
        let stranger = bridge.provider.add_user("stranger", json!({"active": true}));
        bridge.provider.edit(&group, |group| {
            group["members"].as_array_mut().unwrap().push(json!({ "value": stranger }));
        });
        if lost {
            bridge.provider.fail_when("PATCH", "/Groups", 1000, Fault::LostAnswer);
        }
        let edits = vec![Edit::Foreign { remove: [ResourceId::new(&stranger)].into() }];
        let action = Action::Update { resource_id: ResourceId::new(&group), edits };
        let change = planned("staff", "id-g-staff", Stage::Groups, action);
        let applied = apply(&bridge, |plan| plan.changes = vec![change]).await;
        assert_eq!(applied.held.len(), usize::from(lost));
        bridge.provider.heal();
        assert_eq!(bridge.members("staff"), ["ada", "bob", "eve"], "done, whether it was answered or not");
        assert!(bridge.snapshot().await.links.values().all(|link| link.uncertain.is_empty()));
        bridge.assert_silent().await;
    }
}

#[tokio::test]
async fn members_that_could_not_be_removed_are_not_counted_as_lost() {
    let bridge = small_company().await;
    bridge.synced().await;
    bridge.directory.put_group("staff", &["ada"]);
    // The whole, in one form and another, and the first half.
    bridge.provider.fail_when("PATCH", "/Groups", 3, Fault::status(400));
    let report = bridge.sync().await;
    let lost = 3 - bridge.members("staff").len() as u64;
    assert!(report.held.iter().any(|held| held.why.contains("its members were changed but for")), "{:?}", report.held);
    assert_eq!((lost, bridge.snapshot().await.tally.memberships), (1, 1));
    bridge.provider.heal();
    bridge.synced().await;
    assert_eq!((bridge.members("staff"), bridge.snapshot().await.tally.memberships), (vec!["ada".to_owned()], 2));
}
