//! Pace, pauses and the circuit against a real provider over HTTP.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;

use ldap2scim::cycle::{Target, TargetError};
use ldap2scim::model::{ResourceId, ResourceType};
use ldap2scim::scim::{self, Rates, SaidBy, Window};

use crate::scim_server::{create, delete, edit, find, group, named};
use crate::support::provider::{Fault, Personality, Provider, Recorded};

const USER: ResourceType = ResourceType::User;

async fn start() -> Provider {
    Provider::start(Personality::default()).await
}

async fn retitle(target: &scim::Provider, id: &ResourceId) -> Result<(), TargetError> {
    edit(target, id, &[("title", None, Some("x".into()))]).await.map(drop)
}

fn target(provider: &Provider, change: impl FnOnce(&mut scim::Settings)) -> scim::Provider {
    let mut settings = provider.settings();
    change(&mut settings);
    scim::Provider::new(settings).unwrap()
}

fn status(status: u16, headers: &[(&'static str, &str)]) -> Fault {
    let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    Fault::Answer { status, headers, body: r#"{"totalResults":0,"Resources":[]}"#.to_owned() }
}

fn unavailable<T: std::fmt::Debug>(result: Result<T, TargetError>) -> String {
    match result {
        Err(TargetError::Unavailable(why)) => why,
        other => panic!("unavailable is expected, not {other:?}"),
    }
}

/// The most requests that arrived in any stretch of this length.
fn most(requests: &[Recorded], period: Duration) -> usize {
    let within = |first: &Recorded| requests.iter().filter(|request| (first.at..first.at + period).contains(&request.at)).count();
    requests.iter().map(within).max().unwrap_or_default()
}

#[tokio::test]
async fn what_arrives_stays_within_windows_of_all_and_of_a_kind() {
    let provider = start().await;
    let period = Duration::from_millis(400);
    let target = Arc::new(target(&provider, |settings| {
        settings.dialect.rates = Rates {
            all: vec![Window { requests: 20.0, period }],
            user_create: vec![Window { requests: 4.0, period }],
            ..Rates::per_second(1.0, 1)
        };
    }));
    let started = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..10 {
        let target = target.clone();
        tasks.spawn(async move { create(&target, named(&format!("u{number}"))).await.map(drop) });
    }
    for number in 0..30 {
        let target = target.clone();
        tasks.spawn(async move { find(&target, USER, "userName", &format!("x{number}")).await.map(drop) });
    }
    for result in tasks.join_all().await {
        result.unwrap();
    }
    // Ten creates at four in 400 ms, and forty requests at twenty in 400 ms, of which the first goes at once.
    assert!(started.elapsed() >= 2 * period - period / 20, "{:?}", started.elapsed());
    // Ways to the provider differ a little in length: a request early by that much is no fault of the pace.
    let sure = period - Duration::from_millis(100);
    assert!(most(&provider.requests(), sure) <= 20);
    assert!(most(&provider.writes(), sure) <= 4);
    provider.assert_clean();
}

#[tokio::test]
async fn an_hour_that_is_used_up_ends_the_cycle_and_says_when_the_next_goes_on() {
    let provider = start().await;
    let target = target(&provider, |settings| {
        assert_eq!(settings.dialect.set("rate_user_create", "2/h", SaidBy::Configuration), Ok(true));
    });
    let ada = create(&target, named("ada")).await.unwrap();
    create(&target, named("bob")).await.unwrap();
    let why = unavailable(create(&target, named("eve")).await);
    assert!(why.contains("2 user creates an hour") && why.contains("60 minutes"), "{why}");
    assert_eq!(provider.writes().len(), 2);
    retitle(&target, &ada).await.unwrap();
    create(&target, group("Eng")).await.unwrap();
    delete(&target, USER, &ada).await.unwrap();
    provider.assert_clean();
}

#[tokio::test]
async fn the_last_request_of_a_limit_is_followed_by_a_pause_and_not_by_a_429() {
    for headers in [
        &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1")][..],
        &[("ratelimit-remaining", "0"), ("ratelimit-reset", "1")],
        &[("ratelimit", "limit=10, remaining=0, reset=1")],
        &[("ratelimit", r#""default";r=0;t=1"#)],
    ] {
        let provider = start().await;
        let target = provider.target();
        provider.fail_next(status(200, headers));
        for _ in 0..2 {
            find(&target, USER, "userName", "ada").await.unwrap();
        }
        let requests = provider.requests();
        assert!(requests[1].at - requests[0].at >= Duration::from_secs(1), "{headers:?}");
    }
    let provider = start().await;
    let target = provider.target();
    provider.fail_next(status(200, &[("x-ratelimit-remaining", "1"), ("x-ratelimit-reset", "50")]));
    let started = Instant::now();
    for _ in 0..2 {
        find(&target, USER, "userName", "ada").await.unwrap();
    }
    assert!(started.elapsed() < Duration::from_secs(40), "something is left");
}

#[tokio::test]
async fn a_locked_resource_waits_alone() {
    let provider = start().await;
    let (ada, bob) =
        (ResourceId::new(&provider.add_user("ada", json!({}))), ResourceId::new(&provider.add_user("bob", json!({}))));
    let target = Arc::new(target(&provider, |settings| settings.retry.max = Duration::from_secs(5)));
    provider.fail_when("PATCH", ada.as_str(), 1, status(423, &[("retry-after", "1")]));
    let locked = tokio::spawn({
        let (target, ada) = (target.clone(), ada.clone());
        async move { retitle(&target, &ada).await }
    });
    while provider.requests().is_empty() {
        tokio::task::yield_now().await;
    }
    for _ in 0..5 {
        retitle(&target, &bob).await.unwrap();
    }
    locked.await.unwrap().unwrap();
    let to = |id: &ResourceId| {
        provider.requests().into_iter().filter(|request| request.path.ends_with(id.as_str())).collect::<Vec<_>>()
    };
    let (of_ada, of_bob) = (to(&ada), to(&bob));
    assert!(of_ada[1].at - of_ada[0].at >= Duration::from_secs(1));
    assert!(of_bob[4].at < of_ada[1].at, "the others did not wait");

    provider.forget_requests();
    provider.fail_when("PATCH", ada.as_str(), 1000, status(423, &[("retry-after", "600")]));
    let refused = retitle(&target, &ada).await;
    assert!(matches!(refused, Err(TargetError::Rejected { status: 423, .. })), "{refused:?}");
    assert_eq!(provider.requests().len(), 1, "nobody waits ten minutes for one resource");
    retitle(&target, &bob).await.unwrap();
}

#[tokio::test]
async fn a_lock_after_a_lost_answer_does_not_call_it_undone() {
    let provider = start().await;
    let ada = ResourceId::new(&provider.add_user("ada", json!({})));
    provider.fail_next(Fault::LostAnswer);
    provider.fail_times(1000, Fault::status(423));
    let outcome = retitle(&provider.target(), &ada).await;
    assert!(matches!(outcome, Err(TargetError::AnswerLost(_))), "{outcome:?}");
}

#[tokio::test]
async fn after_429_half_as_many_are_in_flight() {
    let provider = Provider::start(Personality { latency: Duration::from_millis(30), ..Personality::default() }).await;
    let ids: Vec<ResourceId> =
        (0..8).map(|number| ResourceId::new(&provider.add_user(&format!("u{number}"), json!({})))).collect();
    let target = Arc::new(provider.target());
    let all = async || {
        let mut tasks = tokio::task::JoinSet::new();
        for id in ids.clone() {
            let target = target.clone();
            tasks.spawn(async move { target.get(USER, &id).await.map(drop) });
        }
        tasks.join_all().await.into_iter().for_each(Result::unwrap);
    };
    provider.fail_times(8, Fault::too_many("0"));
    all().await;
    provider.forget_requests();
    all().await;
    // Each answer takes 30 ms, so no more than four of the eight arrive within less than that.
    assert!(most(&provider.requests(), Duration::from_millis(25)) <= 4, "{:?}", provider.requests());
}

#[tokio::test]
async fn a_redirect_to_the_same_server_is_followed_once_with_method_and_body() {
    for (code, location) in [(307, "/scim/v2/Users"), (308, "Users")] {
        let provider = start().await;
        let target = provider.target();
        provider.fail_next(status(code, &[("location", location)]));
        create(&target, named("ada")).await.unwrap();
        let requests = provider.requests();
        assert_eq!(requests.len(), 2);
        assert_eq!((&requests[0].method, &requests[0].body), (&requests[1].method, &requests[1].body));
        assert!(requests[1].token.is_some());
        provider.assert_clean();
    }
    let provider = start().await;
    let other = start().await;
    let elsewhere = [
        (307, other.base_url().join("/scim/v2/Users").unwrap().to_string(), 1),
        (307, provider.base_url().to_string().replace("http://", "https://"), 1),
        (307, provider.base_url().to_string().replace("http://", "http://user@"), 1),
        (302, "/scim/v2/Users".to_owned(), 1),
        (307, "/scim/tenant-b/Users".to_owned(), 1),
        (307, "/scim/v22/Users".to_owned(), 1),
        (308, "/scim/v2/Groups".to_owned(), 1),
        (308, "/scim/v2/Users/1".to_owned(), 1),
        (308, "/scim/v2/Users?to=elsewhere".to_owned(), 1),
        (307, "/scim/v2/Users".to_owned(), 2),
    ];
    for (code, location, times) in elsewhere {
        provider.forget_requests();
        provider.fail_times(times, status(code, &[("location", location.as_str())]));
        let outcome = create(&provider.target(), named("ada")).await;
        assert!(matches!(outcome, Err(TargetError::Protocol(_))), "{code} {location}: {outcome:?}");
        assert_eq!(provider.requests().len(), times, "{code} {location}");
    }
    assert!(other.requests().is_empty());
}

#[tokio::test]
async fn a_body_that_is_too_long_is_refused_before_it_is_sent() {
    let provider = start().await;
    let target = target(&provider, |settings| settings.dialect.knobs.longest_body = Some(300));
    create(&target, named("ada")).await.unwrap();
    let outcome = create(&target, named(&"ä".repeat(200))).await;
    let Err(TargetError::Rejected { status: 413, detail }) = outcome else { panic!("{outcome:?}") };
    assert!(detail.contains("not sent") && detail.contains("300"), "{detail}");
    assert_eq!(provider.requests().len(), 1);
}

#[tokio::test]
async fn headers_of_the_dialect_go_with_every_request_and_none_of_ours_are_the_admins() {
    let provider = start().await;
    let headers = |written: &str| {
        let mut settings = provider.settings();
        settings.dialect.set("headers", written, SaidBy::Configuration).unwrap();
        scim::Provider::new(settings).map(drop)
    };
    // The provider refuses requests without our User-Agent, so that a refusal shows that the header arrived.
    let renamed = target(&provider, |settings| {
        settings.dialect.set("headers", "X-Version: 2022-11-28 | User-Agent: other", SaidBy::Configuration).unwrap();
    });
    assert!(create(&renamed, named("ada")).await.is_err());
    assert!(headers("X-Version: 2022-11-28").is_ok());
    for wrong in ["Host: x", "Authorization: Bearer x", "Content-Length: 1", "no name: x"] {
        let why = unavailable(headers(wrong));
        assert!(why.starts_with("headers: "), "{why}");
    }
}

/// A rest here is half of the longest wait between tries, then all of it.
#[tokio::test]
async fn a_target_that_failed_is_left_alone_and_then_asked_by_one() {
    let provider = start().await;
    let id = ResourceId::new(&provider.add_user("ada", json!({})));
    let target = Arc::new(target(&provider, |settings| {
        (settings.retry.tries, settings.retry.max) = (1, Duration::from_millis(1600));
    }));
    let all = async || {
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..6 {
            let (target, id) = (target.clone(), id.clone());
            tasks.spawn(async move { target.get(USER, &id).await.map(drop) });
        }
        tasks.join_all().await
    };
    provider.fail_times(1000, Fault::LostRequest);
    for _ in 0..5 {
        unavailable(target.get(USER, &id).await);
    }
    let why = unavailable(target.get(USER, &id).await);
    assert!(why.contains("it is tried again in 1 s"), "{why}");
    let mut looked = provider.requests().last().unwrap().at;
    let sent = provider.requests().len();
    for rest in [800, 1600] {
        // Whoever comes while it rests is told at once, and nothing is sent; then one looks, and the others wait for it.
        let before = provider.requests().len();
        while provider.requests().len() == before {
            for result in all().await {
                unavailable(result);
            }
            tokio::task::yield_now().await;
        }
        let again = provider.requests().last().unwrap().at;
        // Whoever looks is on its way for a moment, and the rest begins when that ends.
        assert!(again - looked >= Duration::from_millis(rest), "{rest}: {:?}", again - looked);
        looked = again;
        assert_eq!(provider.requests().len(), before + 1, "one probe");
    }
    provider.heal();
    while target.get(USER, &id).await.is_err() {
        tokio::task::yield_now().await;
    }
    assert_eq!(provider.requests().len(), sent + 4, "two probes that failed, one that did not, and the request");
    all().await.into_iter().for_each(Result::unwrap);
}

#[tokio::test]
async fn a_limit_answered_with_429_is_waited_for_and_a_create_is_made_once() {
    let provider = start().await;
    let target = provider.target();
    let until = std::time::SystemTime::now() + Duration::from_secs(2);
    let epoch = until.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs().to_string();
    provider.fail_next(status(429, &[("x-rate-limit-reset", epoch.as_str())]));
    create(&target, named("ada")).await.unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    assert!(now.as_secs() >= epoch.parse().unwrap());
    assert_eq!((provider.users().len(), provider.writes().len()), (1, 2));
}
