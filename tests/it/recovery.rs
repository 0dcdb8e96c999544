//! Lost answers, crashes, throttling: the next cycles converge, without duplicates and without a wrong removal.

use ldap2scim::cycle::{CycleEnd, CycleError};
use ldap2scim::model::Status;

use crate::support::bridge::Bridge;
use crate::support::provider::{Fault, Personality};

async fn company() -> Bridge {
    let bridge = Bridge::start(Personality::default()).await;
    for name in ["ada", "bob", "eve"] {
        bridge.directory.add_user(name);
    }
    bridge.directory.set_manager("ada", "eve");
    bridge.directory.put_group("staff", &["ada", "bob", "eve"]);
    bridge
}

/// At most three cycles to what the directory says, then silence.
async fn assert_converges(bridge: &Bridge, active: &[&str], staff: &[&str], context: &str) {
    for _ in 0..3 {
        bridge.sync().await;
    }
    assert_eq!(bridge.active(), active, "{context}");
    assert_eq!(bridge.members("staff"), staff, "{context}");
    bridge.assert_no_duplicates();
    bridge.assert_silent().await;
}

#[tokio::test]
async fn a_first_load_converges_whatever_answer_is_lost() {
    for fault in [Fault::LostAnswer, Fault::LostRequest, Fault::AfterCommit(502), Fault::status(500), Fault::status(503)] {
        for number in 0..9 {
            let bridge = company().await;
            bridge.provider.fail_after("*", "/", number, 1, fault.clone());
            bridge.sync().await;
            assert_converges(&bridge, &["ada", "bob", "eve"], &["ada", "bob", "eve"], &format!("{fault:?} at request {number}"))
                .await;
        }
    }
}

#[tokio::test]
async fn later_cycles_converge_whatever_answer_is_lost() {
    for fault in [Fault::LostAnswer, Fault::AfterCommit(500), Fault::status(429), Fault::status(400), Fault::status(401)] {
        for number in 0..6 {
            let bridge = company().await;
            bridge.synced().await;
            bridge.directory.set_status("bob", Status::Disabled);
            bridge.directory.add_user("zoe");
            bridge.directory.set("ada", "title", "x");
            bridge.directory.put_group("staff", &["ada", "zoe"]);
            bridge.provider.fail_after("*", "/", number, 1, fault.clone());
            bridge.sync().await;
            assert_converges(&bridge, &["ada", "eve", "zoe"], &["ada", "zoe"], &format!("{fault:?} at request {number}")).await;
        }
    }
}

#[tokio::test]
async fn an_update_whose_answer_was_lost_is_undone_if_the_directory_changes_back() {
    let bridge = company().await;
    bridge.synced().await;
    bridge.directory.set("ada", "title", "wrong");
    bridge.provider.fail_when("PATCH", "/Users", 50, Fault::LostAnswer);
    bridge.sync().await;
    assert_eq!(bridge.provider.user("ada").unwrap()["title"], "wrong");
    bridge.directory.change("id-ada", |entry| {
        entry.attributes.remove(&ldap2scim::model::AttributeName::new("title"));
    });
    bridge.provider.heal();
    bridge.synced().await;
    assert!(bridge.provider.user("ada").unwrap().get("title").is_none_or(serde_json::Value::is_null));
    bridge.assert_silent().await;
}

#[tokio::test]
async fn a_create_whose_answer_was_lost_is_never_repeated_blindly() {
    let bridge = company().await;
    bridge.provider.fail_when("POST", "/Users", 1, Fault::LostAnswer);
    bridge.sync().await;
    let posts = bridge.provider.writes().iter().filter(|request| request.line() == "POST /Users").count();
    assert_eq!(posts, 3);
    bridge.assert_no_duplicates();
}

#[tokio::test]
async fn a_leaver_whose_create_was_never_answered_is_found_and_switched_off() {
    let bridge = company().await;
    bridge.synced().await;
    bridge.directory.add_user("zoe");
    bridge.provider.fail_when("POST", "/Users", 1, Fault::LostAnswer);
    bridge.provider.fail_after("GET", "/Users", 1, 1000, Fault::status(500));
    bridge.sync().await;
    bridge.provider.heal();
    assert!(bridge.active().contains(&"zoe".to_owned()));
    bridge.directory.remove("id-zoe");
    for _ in 0..2 {
        bridge.sync().await;
    }
    assert_eq!(bridge.active(), ["ada", "bob", "eve"]);
}

#[tokio::test]
async fn refused_credentials_end_the_cycle_and_lose_nothing() {
    let bridge = company().await;
    bridge.provider.fail_after("*", "/", 3, 1000, Fault::status(401));
    let report = bridge.sync().await;
    assert_eq!(report.end, CycleEnd::Failed);
    assert!(matches!(report.error, Some(CycleError::Target(_))));
    bridge.provider.heal();
    assert_converges(&bridge, &["ada", "bob", "eve"], &["ada", "bob", "eve"], "after 401").await;
}

#[tokio::test]
async fn a_storm_of_429_is_sat_out() {
    let bridge = company().await;
    bridge.provider.fail_times(12, Fault::too_many("0"));
    bridge.sync().await;
    assert_converges(&bridge, &["ada", "bob", "eve"], &["ada", "bob", "eve"], "after a storm").await;
}

#[tokio::test]
async fn a_stopped_cycle_is_taken_up_where_it_was() {
    let bridge = company().await;
    bridge.provider.change_personality(|personality| personality.latency = std::time::Duration::from_millis(30));
    let stop = bridge.stop.clone();
    let stopper = tokio::spawn(async move {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        stop.cancel();
    });
    let report = bridge.sync().await;
    stopper.await.unwrap();
    assert!(matches!(report.error, None | Some(CycleError::Stopped)));
    let bridge = bridge.restarted();
    assert_converges(&bridge, &["ada", "bob", "eve"], &["ada", "bob", "eve"], "after a stop").await;
}

#[tokio::test]
async fn absence_is_believed_of_a_second_look_only_where_new_ones_take_a_while_to_show() {
    for settle in ["0", "1"] {
        let mut bridge = company().await;
        bridge.knob("settle", settle);
        bridge.synced().await;
        bridge.directory.add_user("zoe");
        bridge.provider.fail_when("POST", "/Users", 1, Fault::LostRequest);
        bridge.sync().await;
        bridge.provider.forget_requests();
        bridge.synced().await;
        let requests = bridge.provider.requests();
        let create = requests.iter().position(|request| request.method == "POST").unwrap();
        let looks: Vec<_> = requests[..create].iter().filter(|request| request.query.contains("filter")).collect();
        // One of recovery, one of matching; with a wait, another one of recovery.
        assert_eq!(looks.len(), 2 + settle.parse::<usize>().unwrap());
        let apart = looks[1].at - looks[0].at;
        assert!(settle == "0" || apart >= std::time::Duration::from_secs(1), "{apart:?}");
    }
}

#[tokio::test]
async fn where_everybody_is_listed_to_find_one_the_second_look_lists_again() {
    for fault in [Fault::LostAnswer, Fault::AfterCommit(409)] {
        let mut bridge = company().await;
        bridge.knob("settle", "1");
        bridge.knob("filter", "scan");
        bridge.synced().await;
        bridge.directory.add_user("zoe");
        bridge.provider.change_personality(|personality| personality.lifecycle.stale_reads = 1);
        bridge.provider.fail_when("POST", "/Users", 1, fault);
        let report = bridge.sync().await;
        assert_eq!((report.end, report.held.len()), (CycleEnd::Done, 0), "{:?}", report.held);
        bridge.provider.change_personality(|personality| personality.lifecycle.stale_reads = 0);
        bridge.assert_no_duplicates();
        bridge.assert_silent().await;
    }
}
