//! What is promised of every target, each through whole cycles: real store, real requests.

use std::time::Duration;

use serde_json::json;
use tokio::sync::watch;

use ldap2scim::cycle::{self, CycleEnd, CycleError, Progress, Report, TargetError, Trigger};
use ldap2scim::mapping;
use ldap2scim::plan::{MappingChoice, UserRemoval};
use ldap2scim::scim::SaidBy;

use crate::support::bridge::Bridge;
use crate::support::provider::{Fault, Paging, Personality, Recorded};

async fn company(personality: Personality) -> Bridge {
    let bridge = Bridge::start(personality).await;
    for name in ["ada", "bob", "eve"] {
        bridge.directory.add_user(name);
    }
    bridge.directory.put_group("makers", &["ada", "bob"]);
    bridge
}

fn lines(bridge: &Bridge) -> Vec<String> {
    bridge.provider.requests().iter().map(Recorded::line).collect()
}

fn notes(report: Report) -> Vec<String> {
    report.prepared.unwrap().plan.notes
}

#[tokio::test]
async fn where_lists_are_not_believed_nothing_is_listed_and_nobody_is_missing() {
    let mut bridge = company(Personality::default()).await;
    bridge.knob("scan_limit", "0");
    bridge.provider.change_personality(|personality| personality.lifecycle.synthetic_list = true);
    let ada = bridge.provider.add_user("ada", json!({ "active": true }));
    let report = bridge.sync().await;
    assert_eq!(report.end, CycleEnd::Done, "{:?} {:?}", report.error, report.held);
    assert_eq!((bridge.active().len(), bridge.provider.user("ada").unwrap()["id"].clone()), (3, json!(ada)));
    let said = notes(report);
    assert!(said.iter().any(|note| note == "lists of this target are not believed: users are looked up one by one"), "{said:?}");
    let report = bridge.resync().await;
    assert_eq!(report.end, CycleEnd::Done, "{:?} {:?}", report.error, report.held);
    assert!(report.prepared.as_ref().unwrap().comparison.is_none() && report.applied.done.is_empty(), "{:?}", report.applied);
    let said = notes(report);
    assert!(said.iter().any(|note| note.contains("not compared")), "{said:?}");
    let listed: Vec<String> =
        lines(&bridge).into_iter().filter(|line| line.contains("count=") && !line.contains("filter=")).collect();
    assert!(listed.is_empty(), "{listed:?}");
    bridge.assert_no_duplicates();
    bridge.assert_silent().await;
    // Where the look-ups do not work either, whoever is new is held: a second account would be worse.
    bridge.knob("filter", "scan");
    bridge.directory.add_user("zoe");
    let report = bridge.sync().await;
    assert_eq!((report.end, report.held[0].name.as_str()), (CycleEnd::DoneWithHeld, "zoe"));
    assert!(report.held[0].why.contains("scan_limit"), "{}", report.held[0].why);
    assert!(bridge.provider.user("zoe").is_none());
}

/// Everybody is there already, so that the test is about the change and not about the load.
#[tokio::test]
async fn one_changed_member_of_fifty_thousand_is_one_small_request_of_a_cycle() {
    const MANY: usize = 50_000;
    let personality = Personality { page_cap: MANY + 1, ..Personality::default() };
    let mut bridge = Bridge::start_as(personality, |settings| {
        settings.dialect.set("page_size", &(MANY + 1).to_string(), SaidBy::Preset).unwrap();
    })
    .await;
    let own = [("userName", "uid"), ("externalId", "entry_id()")].map(|(path, rule)| (path.to_owned(), rule.to_owned()));
    let capabilities = &bridge.settings.dialect.capabilities;
    let mapping = mapping::compile(mapping::Preset::None, &own, capabilities).unwrap();
    bridge.rules.mapping = MappingChoice::Fixed(Box::new(mapping));
    let names: Vec<String> = (0..MANY).map(|number| format!("u{number:05}")).collect();
    let mut ids = Vec::new();
    for name in &names {
        bridge.directory.add_user(name);
        ids.push(bridge.provider.add_user(name, json!({ "active": true, "externalId": format!("id-{name}") })));
    }
    let everybody: Vec<&str> = names.iter().map(String::as_str).collect();
    bridge.directory.put_group("all", &everybody);
    let members: Vec<_> = ids.iter().map(|id| json!({ "value": id })).collect();
    bridge.provider.add_group("all", json!({ "externalId": "id-g-all", "members": members }));
    bridge.synced().await;
    assert_eq!(bridge.provider.writes().len(), 0, "everything is as it should be");
    for (staying, operation) in [(&everybody[1..], "remove"), (&everybody[..], "add")] {
        bridge.directory.put_group("all", staying);
        bridge.provider.forget_requests();
        bridge.synced().await;
        let sent = bridge.provider.requests();
        assert_eq!(sent.len(), 1, "{:?}", lines(&bridge));
        assert_eq!(sent[0].body["Operations"][0]["op"], operation);
        assert!(sent[0].body.to_string().len() < 1024 && sent[0].line().len() < 1024);
        assert_eq!(bridge.provider.member_ids("all").len(), staying.len());
    }
}

#[tokio::test]
async fn managers_are_made_before_their_reports_and_cost_no_request_more() {
    const CHAIN: usize = 30;
    let bridge = Bridge::start(Personality::default()).await;
    let name = |number: usize| format!("u{number:02}");
    for number in 0..CHAIN {
        bridge.directory.add_user(&name(number));
    }
    // The first reports to the second, and so on: in the order of names every manager would be too late.
    for number in 0..CHAIN - 1 {
        bridge.directory.set_manager(&name(number), &name(number + 1));
    }
    bridge.synced().await;
    assert_eq!(bridge.provider.writes().len(), CHAIN);
    assert!(bridge.provider.requests().len() <= CHAIN + 5, "{:?}", lines(&bridge));
    let extension = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
    for number in 0..CHAIN - 1 {
        let manager = bridge.provider.user(&name(number + 1)).unwrap()["id"].clone();
        assert_eq!(bridge.provider.user(&name(number)).unwrap()[extension]["manager"]["value"], manager);
    }
    bridge.assert_silent().await;
}

#[tokio::test]
async fn a_filled_target_is_listed_where_that_is_cheaper_and_the_plan_says_so() {
    for (paging, pagination) in [(Paging::Honest, "auto"), (Paging::Cursor, "cursor")] {
        for (strangers, pages) in [(150, Some(2)), (1100, None)] {
            let mut bridge = Bridge::start(Personality { paging, ..Personality::default() }).await;
            bridge.knob("pagination", pagination);
            for number in 0..strangers {
                bridge.provider.add_user(&format!("stranger{number}"), json!({ "active": true }));
                bridge.provider.add_group(&format!("strangers {number}"), json!({}));
            }
            for number in 0..8 {
                bridge.directory.add_user(&format!("u{number}"));
                bridge.directory.put_group(&format!("g{number}"), &[]);
            }
            let context = format!("{paging:?} {strangers}");
            let report = bridge.sync().await;
            assert_eq!(report.end, CycleEnd::Done, "{context}: {:?} {:?}", report.error, report.held);
            let said = notes(report);
            for (place, kind) in [("GET /Users?", "user"), ("GET /Groups?", "group")] {
                let asked: Vec<String> = lines(&bridge).into_iter().filter(|line| line.starts_with(place)).collect();
                let looked = asked.iter().filter(|line| line.contains("filter=")).count();
                let listed = asked.iter().filter(|line| line.contains("count=100")).count();
                // By cursor nobody says how many there are: a quarter of what look-ups cost is tried.
                let tried = if paging == Paging::Cursor { 3 } else { 0 };
                assert_eq!((looked, listed), pages.map_or((8, tried), |pages| (0, pages)), "{context}: {asked:?}");
                assert_eq!(asked.len(), looked + listed + 1, "{context}: one more, how many there are: {asked:?}");
                let note = match (pages, paging) {
                    (Some(_), Paging::Cursor) => {
                        format!("the target does not say how many {kind}s it holds: listed once, as they are {strangers}")
                    }
                    (None, Paging::Cursor) => format!("the target does not say how many {kind}s it holds: 8 look-ups"),
                    (Some(pages), _) => {
                        format!("the target holds {strangers} {kind}s: listed once in {pages} pages instead of 8 look-ups")
                    }
                    (None, _) => format!("the target holds {strangers} {kind}s: 8 look-ups are cheaper than a list"),
                };
                assert!(said.contains(&note), "{context}: {said:?}");
            }
        }
    }
}

#[tokio::test]
async fn an_empty_target_is_loaded_without_look_ups_by_cursor_too() {
    for (paging, pagination) in [(Paging::Honest, "auto"), (Paging::Cursor, "cursor"), (Paging::Honest, "none")] {
        let mut bridge = Bridge::start(Personality { paging, ..Personality::default() }).await;
        bridge.knob("pagination", pagination);
        for number in 0..20 {
            bridge.directory.add_user(&format!("u{number:02}"));
            bridge.directory.put_group(&format!("g{number:02}"), &[]);
        }
        bridge.synced().await;
        let reads: Vec<String> = lines(&bridge).into_iter().filter(|line| line.starts_with("GET")).collect();
        assert!(reads.len() <= 3, "{pagination}: how many users, how many groups, and what it can: {reads:?}");
        assert_eq!(bridge.provider.writes().len(), 40);
    }
}

/// As in the daemon, where the target outlives the cycle.
#[tokio::test]
async fn while_the_circuit_is_open_the_next_cycle_sends_nothing() {
    let mut bridge = Bridge::start(Personality::default()).await;
    for number in 0..20 {
        bridge.directory.add_user(&format!("u{number:02}"));
    }
    bridge.synced().await;
    bridge.settings.retry.max = Duration::from_secs(600);
    let (channel, store) = (bridge.channel(), bridge.store());
    let (progress, _) = watch::channel(Progress::default());
    let run = async || {
        cycle::run(&channel, &store, Trigger::Sync, crate::support::bridge::changes(), &bridge.stop, &progress).await.unwrap()
    };
    for number in 0..20 {
        bridge.directory.set(&format!("u{number:02}"), "title", "x");
    }
    bridge.provider.forget_requests();
    bridge.provider.fail_times(10_000, Fault::LostRequest);
    let report = run().await;
    assert!(matches!(report.error, Some(CycleError::Target(TargetError::Unavailable(_)))), "{:?}", report.error);
    let sent = bridge.provider.requests().len();
    assert!((5..60).contains(&sent), "{sent} requests to a target that is down, where 20 changes could be tried 5 times each");
    bridge.provider.heal();
    let report = run().await;
    let Some(CycleError::Target(TargetError::Unavailable(why))) = report.error else { panic!("{:?}", report.error) };
    assert!(why.contains("it is tried again in"), "{why}");
    assert_eq!(bridge.provider.requests().len(), sent, "nothing is sent while it rests");
    drop(channel);
    store.close().await;
    // A new program begins with hope, and all is made up for.
    bridge.synced().await;
    assert!(bridge.provider.users().iter().all(|user| user["title"] == "x"));
    bridge.assert_silent().await;
}

#[tokio::test]
async fn who_returns_is_active_and_a_member_again_under_each_policy() {
    let day = Duration::from_secs(86_400);
    let deferred = UserRemoval::DeactivateThenDelete(30 * day);
    for (removal, away, is_same) in [
        (UserRemoval::Deactivate, 1, true),
        (UserRemoval::Delete, 1, false),
        (UserRemoval::Keep, 1, true),
        (deferred, 1, true),
        (deferred, 31, false),
    ] {
        let context = format!("{removal:?} after {away} days");
        let mut bridge = company(Personality::default()).await;
        bridge.rules.user_removal = removal;
        bridge.synced().await;
        let before = bridge.provider.user("bob").unwrap()["id"].clone();
        bridge.directory.remove("id-bob");
        bridge.synced().await;
        bridge.pass(away * day);
        bridge.synced().await;
        bridge.directory.add_user("bob");
        bridge.directory.set("bob", "title", "back");
        bridge.synced().await;
        let bob = bridge.provider.user("bob").unwrap();
        assert_eq!((bob["active"].clone(), bob["title"].clone()), (json!(true), json!("back")), "{context}");
        assert_eq!(bob["id"] == before, is_same, "{context}");
        assert_eq!(bridge.members("makers"), ["ada", "bob"], "{context}");
        bridge.assert_no_duplicates();
        bridge.assert_silent().await;
    }
}

#[tokio::test]
async fn the_freed_name_of_a_deactivated_account_is_nobody_elses() {
    let bridge = company(Personality::default()).await;
    bridge.synced().await;
    bridge.directory.remove("id-bob");
    bridge.synced().await;
    let before = bridge.provider.user("bob").unwrap();
    assert_eq!(before["active"], false);
    bridge.directory.add_user("robert");
    bridge.directory.set("robert", "uid", "bob");
    for resync in [false, true, false] {
        let report = if resync { bridge.resync().await } else { bridge.sync().await };
        assert_eq!((report.end, report.held.len()), (CycleEnd::DoneWithHeld, 1), "{:?}", report.held);
        assert_eq!(report.held[0].entry_id.as_str(), "id-robert");
        assert_eq!(bridge.provider.user("bob").unwrap(), before, "nothing of it was touched");
    }
    bridge.assert_no_duplicates();
}
