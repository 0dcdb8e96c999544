//! Changes that travel together (RFC 7644 §3.7), and what each of them is told.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;

use ldap2scim::cycle::{Outcome, Target, TargetError};
use ldap2scim::model::{ResourceId, ResourceType, Status};
use ldap2scim::scim::{self, SaidBy};

use crate::scim_server::{create, delete, edit, members, named};
use crate::support::bridge::Bridge;
use crate::support::provider::{Fault, Personality, Provider, bulk::Bulk};
use crate::support::scim_server::ScimServer;

async fn with(bulk: Bulk) -> Provider {
    Provider::start(Personality { bulk: Some(bulk), ..Personality::default() }).await
}

fn target(provider: &Provider, knobs: &[(&str, &str)]) -> scim::Provider {
    let mut settings = provider.settings();
    for (knob, value) in [("bulk", "yes")].iter().chain(knobs) {
        assert!(settings.dialect.set(knob, value, SaidBy::Preset).unwrap());
    }
    scim::Provider::new(settings).unwrap()
}

async fn create_all(target: &scim::Provider, range: std::ops::Range<usize>) -> Vec<Result<ResourceId, TargetError>> {
    let names: Vec<String> = range.map(|number| format!("u{number:04}")).collect();
    join_all(names.iter().map(|name| create(target, named(name)))).await
}

fn paths(provider: &Provider) -> Vec<String> {
    provider.writes().iter().map(|request| format!("{} {}", request.method, request.path)).collect()
}

fn loads(provider: &Provider) -> Vec<usize> {
    let bulks = provider.writes().into_iter().filter(|request| request.path == "/Bulk");
    bulks.map(|request| request.body["Operations"].as_array().unwrap().len()).collect()
}

#[tokio::test]
async fn changes_of_one_moment_travel_together_and_each_is_told_of_its_own() {
    for reversed in [false, true] {
        let provider = with(Bulk { reversed, ..Bulk::default() }).await;
        let target = target(&provider, &[("bulk_operations", "40")]);
        assert_eq!(target.capabilities().changes_per_request, 40);
        let taken = provider.add_user("u0003", json!({}));
        let created = create_all(&target, 0..100).await;
        assert_eq!(loads(&provider), [40, 40, 20]);
        assert_eq!(paths(&provider).len(), 3);
        for (number, result) in created.iter().enumerate() {
            let name = format!("u{number:04}");
            match result {
                Ok(id) => assert_eq!(provider.user(&name).unwrap()["id"], json!(id.as_str())),
                Err(error) => assert!(number == 3 && matches!(error, TargetError::Conflict(_)), "{name}: {error}"),
            }
        }
        // Edits, deletes and members in one load, each with its own fate.
        let ids: Vec<ResourceId> = created.into_iter().flatten().collect();
        let eng = ResourceId::new(&provider.add_group("Eng", json!({})));
        provider.forget_requests();
        let (titled, member) = ([("title", None, Some("x".into()))], [ids[2].as_str()]);
        let (title, gone, fresh, added) = tokio::join!(
            edit(&target, &ids[0], &titled),
            delete(&target, ResourceType::User, &ids[1]),
            create(&target, named("fresh")),
            members(&target, &eng, &member, &[]),
        );
        assert_eq!((title.unwrap(), gone.unwrap()), (Outcome::Exists(ids[0].clone()), Outcome::Gone));
        assert_eq!(provider.user("fresh").unwrap()["id"], json!(fresh.unwrap().as_str()));
        assert_eq!((added.unwrap(), provider.member_ids("Eng").len()), (Outcome::Exists(eng), 1));
        assert_eq!((loads(&provider), provider.user("u0000").unwrap()["title"].clone()), (vec![4], json!("x")));
        assert!(provider.user("u0001").is_none() && provider.user("u0003").unwrap()["id"] == json!(taken));
        provider.assert_clean();
    }
}

#[tokio::test]
async fn whoever_comes_alone_travels_alone() {
    let provider = with(Bulk::default()).await;
    create(&target(&provider, &[]), named("ada")).await.unwrap();
    assert_eq!(paths(&provider), ["POST /Users"]);
    // And nothing travels together unless the dialect says so.
    assert!(create_all(&provider.target(), 0..5).await.iter().all(Result::is_ok));
    assert!(loads(&provider).is_empty());
    provider.assert_clean();
}

#[tokio::test]
async fn a_load_keeps_to_the_octets_that_are_allowed() {
    let provider = with(Bulk::default()).await;
    let target = target(&provider, &[("bulk_payload", "1500")]);
    assert!(create_all(&target, 0..30).await.iter().all(Result::is_ok));
    let bulks: Vec<usize> = provider
        .writes()
        .iter()
        .filter(|request| request.path == "/Bulk")
        .map(|request| request.body.to_string().len())
        .collect();
    assert!(bulks.len() > 1 && bulks.iter().all(|length| *length <= 1500), "{bulks:?}");
    let settings = [("bulk_payload", "100")];
    provider.forget_requests();
    assert!(create_all(&self::target(&provider, &settings), 30..33).await.iter().all(Result::is_ok));
    assert_eq!(paths(&provider), ["POST /Users"; 3], "too long to travel with others");
    provider.assert_clean();
}

#[tokio::test]
async fn a_load_that_is_too_large_is_halved_and_the_number_is_remembered() {
    let provider = with(Bulk { most: 10, ..Bulk::default() }).await;
    let target = target(&provider, &[("bulk_operations", "32")]);
    assert!(create_all(&target, 0..32).await.iter().all(Result::is_ok));
    assert_eq!(loads(&provider), [32, 16, 8, 8, 16, 8, 8]);
    assert_eq!(target.learnt()["bulk_operations"].value, "8");
    assert_eq!(target.capabilities().changes_per_request, 8);
    assert_eq!(provider.users().len(), 32);
    provider.assert_clean();
}

#[tokio::test]
async fn a_target_without_bulk_is_spoken_with_one_by_one() {
    for status in [400, 403, 404, 405, 501] {
        let provider = with(Bulk { refused: Some(status), ..Bulk::default() }).await;
        let target = target(&provider, &[]);
        assert!(create_all(&target, 0..12).await.iter().all(Result::is_ok), "{status}");
        assert_eq!((loads(&provider), provider.users().len()), (vec![12], 12), "{status}");
        assert_eq!(target.learnt()["bulk"].value, "no", "{status}");
        assert_eq!(target.capabilities().changes_per_request, 1);
        create_all(&target, 12..15).await;
        assert_eq!(loads(&provider).len(), 1, "it is not tried again");
    }
}

#[tokio::test]
async fn a_lost_answer_is_lost_for_each_and_nothing_is_sent_twice() {
    for fault in [Fault::LostAnswer, Fault::LostRequest, Fault::AfterCommit(502), Fault::html(200)] {
        let provider = with(Bulk::default()).await;
        let target = target(&provider, &[]);
        provider.fail_when("POST", "/Bulk", 1, fault.clone());
        for result in create_all(&target, 0..5).await {
            assert!(matches!(result, Err(TargetError::AnswerLost(_))), "{fault:?}: {result:?}");
        }
        assert_eq!(paths(&provider), ["POST /Bulk"], "{fault:?}");
    }
}

#[tokio::test]
async fn each_part_of_an_answer_is_judged_like_an_answer() {
    let bulk =
        Bulk { silent: vec![0], after_commit: vec![(1, 500)], instead: vec![(2, 429), (3, 400), (4, 403)], ..Bulk::default() };
    let provider = with(bulk).await;
    let target = target(&provider, &[]);
    let results = create_all(&target, 0..6).await;
    let word = |result: &Result<ResourceId, TargetError>| match result {
        Ok(_) => "ok",
        Err(TargetError::AnswerLost(_)) => "lost",
        Err(TargetError::Rejected { .. }) => "rejected",
        Err(other) => panic!("{other}"),
    };
    assert_eq!(results.iter().map(word).collect::<Vec<_>>(), ["lost", "lost", "ok", "rejected", "rejected", "ok"]);
    assert_eq!(paths(&provider), ["POST /Bulk", "POST /Users"], "only what was not done for the hurry is sent again");
    // An edit may be said twice.
    provider.change_personality(|personality| {
        personality.bulk = Some(Bulk { after_commit: vec![(0, 500)], ..Bulk::default() });
    });
    let (one, two) = (provider.add_user("one", json!({})), provider.add_user("two", json!({})));
    let (one, two) = (ResourceId::new(&one), ResourceId::new(&two));
    let title = [("title", None, Some("x".into()))];
    let (first, second) = tokio::join!(edit(&target, &one, &title), edit(&target, &two, &title));
    assert!(first.is_ok() && second.is_ok());
    provider.assert_clean();
}

#[tokio::test]
async fn writes_to_one_resource_never_share_a_load_and_a_bad_member_is_found_there_too() {
    let provider =
        Provider::start(Personality { bulk: Some(Bulk::default()), latency: Duration::from_millis(5), ..Personality::default() })
            .await;
    let target = target(&provider, &[]);
    let ids: Vec<String> = (0..20).map(|number| provider.add_user(&format!("u{number}"), json!({}))).collect();
    let groups: Vec<ResourceId> =
        (0..4).map(|number| ResourceId::new(&provider.add_group(&format!("g{number}"), json!({})))).collect();
    let edits = groups.iter().flat_map(|group| ids.iter().map(move |id| (group, id)));
    let results = join_all(edits.map(|(group, id)| {
        let target = &target;
        async move { members(target, group, &[id.as_str(), "stranger"], &[]).await }
    }))
    .await;
    assert!(results.iter().all(|result| matches!(result, Ok(Outcome::Partly { undone, .. }) if undone.len() == 1)));
    for number in 0..4 {
        assert_eq!(provider.member_ids(&format!("g{number}")), ids.iter().cloned().collect());
    }
    provider.assert_clean();
}

async fn company() -> Bridge {
    let personality = Personality { bulk: Some(Bulk::default()), ..Personality::default() };
    let mut bridge = Bridge::start(personality).await;
    bridge.settings.dialect.set("bulk", "yes", SaidBy::Preset).unwrap();
    for name in ["ada", "bob", "eve"] {
        bridge.directory.add_user(name);
    }
    bridge.directory.set_manager("ada", "eve");
    bridge.directory.put_group("staff", &["ada", "bob", "eve"]);
    bridge
}

#[tokio::test]
async fn cycles_in_bulk_converge_whatever_answer_is_lost_and_make_nothing_twice() {
    for fault in [Fault::LostAnswer, Fault::LostRequest, Fault::AfterCommit(502), Fault::status(503), Fault::status(413)] {
        for number in 0..6 {
            let bridge = company().await;
            bridge.provider.fail_after("*", "/", number, 1, fault.clone());
            bridge.sync().await;
            bridge.provider.heal();
            bridge.sync().await;
            bridge.directory.set_status("bob", Status::Disabled);
            bridge.sync().await;
            let context = format!("{fault:?} at request {number}");
            assert_eq!((bridge.active(), bridge.members("staff").len()), (vec!["ada".into(), "eve".into()], 3), "{context}");
            bridge.assert_no_duplicates();
            bridge.assert_silent().await;
            bridge.provider.assert_clean();
        }
    }
}

#[tokio::test]
async fn a_first_load_in_bulk_is_fewer_requests_than_users() {
    let bridge = company().await;
    for number in 0..20 {
        bridge.directory.add_user(&format!("u{number:02}"));
    }
    bridge.synced().await;
    assert_eq!(bridge.active().len(), 23);
    assert!(!loads(&bridge.provider).is_empty());
    assert!(bridge.provider.writes().len() < 23, "{:?}", paths(&bridge.provider));
    bridge.assert_silent().await;
}

#[tokio::test]
async fn a_server_of_another_make_takes_our_bulk() {
    let server = ScimServer::start().await;
    let mut settings = server.settings();
    settings.dialect.set("bulk", "yes", SaidBy::Configuration).unwrap();
    let target = scim::Provider::new(settings).unwrap();
    let created = create_all(&target, 0..20).await;
    assert!(created.iter().all(Result::is_ok), "{created:?}");
    let ids: Vec<ResourceId> = created.into_iter().flatten().collect();
    assert_eq!(target.population(ResourceType::User).await.unwrap(), Some(20));
    let (taken, fresh) = tokio::join!(create(&target, named("u0003")), create(&target, named("fresh")));
    assert!(matches!(taken, Err(TargetError::Conflict(_))), "{taken:?}");
    assert!(fresh.is_ok());
    let titled = [("title", None, Some("x".into()))];
    let (one, gone) = tokio::join!(edit(&target, &ids[0], &titled), delete(&target, ResourceType::User, &ids[1]));
    assert_eq!((one.unwrap(), gone.unwrap()), (Outcome::Exists(ids[0].clone()), Outcome::Gone));
    assert_eq!(server.user("u0000").await.unwrap()["title"], "x");
    assert!(server.user("u0001").await.is_none());
    assert!(!target.learnt().contains_key("bulk"));
    assert!(server.log().contains("POST /v2/Bulk"), "{}", server.log());
}
