//! The target against providers that speak otherwise, each a small script: what is asked, what is told, what is learnt.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::body::{Body, to_bytes};
use serde_json::{Value as Json, json};

use ldap2scim::cycle::{self, Channel, CycleEnd, Outcome, Progress, References, Target, TargetError, Trigger};
use ldap2scim::model::{EntryId, Fact, Knowledge, Resource, ResourceId, ResourceType, TargetName, Value, Witness};
use ldap2scim::plan::{Action, Edit};
use ldap2scim::scim::{self, SaidBy};

use crate::scim_server::{change, create, delete, edit, edit_with, find, group, members, named, path, user};
use crate::support::bridge::Bridge;
use crate::support::provider::Personality;

const USER: ResourceType = ResourceType::User;
const GROUP: ResourceType = ResourceType::Group;
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// A request as it arrived.
#[derive(Debug, Clone)]
struct Asked {
    method: String,
    path: String,
    query: String,
    body: Json,
    version: Option<String>,
}

impl Asked {
    fn line(&self) -> String {
        let mark = if self.query.is_empty() { "" } else { "?" };
        format!("{} {}{mark}{}", self.method, self.path, self.query)
    }

    fn parameter(&self, name: &str) -> Option<String> {
        let pairs: BTreeMap<String, String> = url::form_urlencoded::parse(self.query.as_bytes()).into_owned().collect();
        pairs.get(name).cloned()
    }
}

/// Status and body; an `ETag` where one is given.
struct Told(u16, String, Option<&'static str>);

fn told(status: u16, body: &Json) -> Told {
    Told(status, if body.is_null() { String::new() } else { body.to_string() }, None)
}

fn error(status: u16, scim_type: &str) -> Told {
    told(status, &json!({ "status": status.to_string(), "scimType": scim_type, "detail": "told to" }))
}

/// A provider that answers as a function does.
struct Script {
    url: url::Url,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Script {
    async fn start(answer: impl FnMut(&Asked) -> Told + Send + 'static) -> Self {
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let state = (asked.clone(), Arc::new(Mutex::new(answer)));
        let router = axum::Router::new().fallback(move |request: axum::extract::Request| {
            let (asked, answer) = state.clone();
            async move {
                let (parts, body) = request.into_parts();
                let bytes = to_bytes(body, usize::MAX).await.unwrap();
                let one = Asked {
                    method: parts.method.as_str().to_owned(),
                    path: parts.uri.path().to_owned(),
                    query: parts.uri.query().unwrap_or_default().to_owned(),
                    body: serde_json::from_slice(&bytes).unwrap_or_default(),
                    version: parts.headers.get("if-match").map(|value| value.to_str().unwrap().to_owned()),
                };
                asked.lock().unwrap().push(one.clone());
                let Told(status, body, version) = answer.lock().unwrap()(&one);
                let mut builder = axum::response::Response::builder().status(status);
                if let Some(version) = version {
                    builder = builder.header("etag", version);
                }
                builder.body(Body::from(body)).unwrap()
            }
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = url::Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, asked }
    }

    fn settings(&self, knobs: &[(&str, &str)]) -> scim::Settings {
        let mut settings = scim::Settings::new("script", self.url.clone(), scim::Auth::None, scim::preset("generic").unwrap());
        settings.dialect.rates = scim::Rates::per_second(10_000.0, 100);
        settings.dialect.knobs.settle = Duration::ZERO;
        settings.retry.base = Duration::from_millis(1);
        settings.retry.max = Duration::from_millis(5);
        for (knob, value) in knobs {
            assert_eq!(settings.dialect.set(knob, value, SaidBy::Preset), Ok(true), "{knob}");
        }
        settings
    }

    fn target(&self, knobs: &[(&str, &str)]) -> scim::Provider {
        scim::Provider::new(self.settings(knobs)).unwrap()
    }

    fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }

    fn lines(&self) -> Vec<String> {
        self.asked().iter().map(Asked::line).collect()
    }
}

fn learnt(target: &scim::Provider) -> Vec<(String, String)> {
    target.learnt().into_iter().map(|(knob, fact)| (knob, fact.value)).collect()
}

fn learnt_is(target: &scim::Provider, expected: &[(&str, &str)]) {
    let expected: Vec<(String, String)> = expected.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
    assert_eq!(learnt(target), expected);
}

async fn retitle(target: &scim::Provider, id: &str) -> Result<Outcome, TargetError> {
    edit(target, &ResourceId::new(id), &[("title", None, Some("x".into()))]).await
}

async fn switch_off(target: &scim::Provider) -> Result<Outcome, TargetError> {
    edit(target, &ResourceId::new("u1"), &[("active", Some(Value::Flag(true)), Some(Value::Flag(false)))]).await
}

fn refused<T: std::fmt::Debug>(result: Result<T, TargetError>) -> String {
    match result {
        Err(error @ TargetError::Rejected { .. }) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

/// The values of a PATCH by path; a pathless one by its own names.
fn patched(asked: &Asked) -> BTreeMap<String, Json> {
    let mut all = BTreeMap::new();
    for operation in asked.body["Operations"].as_array().unwrap() {
        match operation["path"].as_str() {
            Some(path) => drop(all.insert(path.to_owned(), operation["value"].clone())),
            None => all.extend(operation["value"].as_object().unwrap().clone()),
        }
    }
    all
}

#[tokio::test]
async fn a_target_without_patch_is_told_the_whole_and_that_is_remembered() {
    for status in [405, 501] {
        let mut held =
            json!({ "id": "u1", "userName": "ada", "active": true, "nickName": "theirs", "meta": { "location": "x" } });
        let script = Script::start(move |asked| match asked.method.as_str() {
            "GET" => told(200, &held),
            "PUT" => {
                held = asked.body.clone();
                told(200, &held)
            }
            _ => told(status, &json!({})),
        })
        .await;
        let target = script.target(&[]);
        retitle(&target, "u1").await.unwrap();
        let asked = script.asked();
        assert_eq!(asked.iter().map(|one| one.method.as_str()).collect::<Vec<_>>(), ["PATCH", "GET", "PUT"]);
        assert_eq!(
            asked[2].body,
            json!({
                "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "id": "u1", "userName": "ada", "active": true,
                "nickName": "theirs", "title": "x"
            })
        );
        learnt_is(&target, &[("user_update", "put")]);
        let next = script.target(&[]);
        next.recall(&target.learnt());
        retitle(&next, "u1").await.unwrap();
        assert_eq!(script.lines(), ["GET /Users/u1", "PUT /Users/u1"]);
        // What the admin says is not tried against.
        let mut settings = script.settings(&[]);
        settings.dialect.set("user_update", "patch", SaidBy::Configuration).unwrap();
        refused(retitle(&scim::Provider::new(settings).unwrap(), "u1").await);
        assert_eq!(script.lines(), ["PATCH /Users/u1"]);
    }
}

#[tokio::test]
async fn a_target_without_put_is_told_what_differs() {
    let script = Script::start(|asked| match asked.method.as_str() {
        "GET" => told(200, &json!({ "id": "u1", "userName": "ada", "active": true })),
        "PATCH" => told(204, &Json::Null),
        _ => told(405, &json!({})),
    })
    .await;
    let target = script.target(&[("user_update", "put")]);
    retitle(&target, "u1").await.unwrap();
    learnt_is(&target, &[("user_update", "patch")]);
    assert_eq!(script.lines(), ["GET /Users/u1", "PUT /Users/u1", "PATCH /Users/u1"]);
}

#[tokio::test]
async fn a_target_that_does_neither_says_no_and_nothing_is_remembered() {
    let script = Script::start(|asked| match asked.method.as_str() {
        "GET" => told(200, &json!({ "id": "u1", "userName": "ada", "active": true })),
        _ => told(405, &json!({})),
    })
    .await;
    let target = script.target(&[]);
    for _ in 0..5 {
        refused(retitle(&target, "u1").await);
    }
    learnt_is(&target, &[]);
    assert_eq!(script.lines().iter().filter(|line| line.starts_with("PUT")).count(), 3, "other words are not tried for ever");
}

#[tokio::test]
async fn a_full_put_holds_what_was_acknowledged_and_is_one_request() {
    let script = Script::start(|_| told(204, &Json::Null)).await;
    let target = script.target(&[("user_update", "put"), ("put_mode", "full")]);
    assert!(target.capabilities().whole_updates);
    let held = user(&[("userName", "ada".into()), ("active", Value::Flag(false)), ("nickName", "n".into())]);
    let mut references = References::new();
    references.acknowledged = Some(Arc::new(held));
    edit_with(&target, &ResourceId::new("u1"), &[("title", None, Some("x".into()))], &references).await.unwrap();
    let asked = script.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!(
        asked[0].body,
        json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "id": "u1", "userName": "ada", "active": false,
            "nickName": "n", "title": "x"
        })
    );
}

#[tokio::test]
async fn a_cycle_hands_on_what_was_acknowledged_to_a_target_that_is_told_the_whole() {
    let mut people: Vec<Json> = Vec::new();
    let script = Script::start(move |asked| match asked.method.as_str() {
        "POST" => {
            let mut person = asked.body.clone();
            person["id"] = json!(format!("u{}", people.len()));
            people.push(person.clone());
            told(201, &person)
        }
        "PUT" => told(204, &Json::Null),
        _ => told(200, &json!({ "totalResults": people.len(), "Resources": people })),
    })
    .await;
    let mut bridge = Bridge::start(Personality::default()).await;
    bridge.rules.groups = None;
    let channel = Channel {
        rules: Arc::new(bridge.rules.clone()),
        target_name: TargetName::new("provider"),
        source: bridge.directory.clone(),
        target: Arc::new(script.target(&[("user_update", "put"), ("put_mode", "full")])),
        workers: 2,
        full_every: std::time::Duration::from_secs(24 * 60 * 60),
    };
    let store = bridge.store();
    let cycle = async || {
        let (progress, _) = tokio::sync::watch::channel(Progress::default());
        let report = cycle::run(&channel, &store, Trigger::Sync, crate::support::bridge::changes(), &bridge.stop, &progress)
            .await
            .unwrap();
        assert_eq!(report.end, CycleEnd::Done, "{:?} {:?}", report.error, report.held);
    };
    bridge.directory.add_user("ada");
    bridge.directory.add_user("eve");
    bridge.directory.set_manager("ada", "eve");
    cycle().await;
    let created: Vec<Json> = script.asked().into_iter().filter(|one| one.method == "POST").map(|one| one.body).collect();
    let mut ada = created.into_iter().find(|body| body["userName"].as_str().unwrap().contains("ada")).unwrap();
    assert!(ada[ENTERPRISE]["manager"]["value"].is_string());
    bridge.directory.set("ada", "title", "Countess");
    cycle().await;
    let asked = script.asked();
    assert_eq!(asked.len(), 1, "{asked:?}");
    ada["title"] = json!("Countess");
    ada["id"] = asked[0].body["id"].clone();
    assert_eq!(asked[0].body, ada);
    // Two requests for one user: the second holds what the first changed.
    bridge.directory.set("ada", "title", "Lady");
    bridge.directory.set_status("ada", ldap2scim::model::Status::Disabled);
    cycle().await;
    let bodies: Vec<Json> = script.asked().into_iter().map(|one| one.body).collect();
    (ada["active"], ada["title"]) = (json!(false), json!("Lady"));
    assert_eq!((bodies.len(), bodies.last()), (2, Some(&ada)));
    assert_eq!((&bodies[0]["active"], &bodies[0]["title"]), (&json!(false), &json!("Countess")));
    store.close().await;
}

#[tokio::test]
async fn members_of_a_group_that_is_taken_whole_are_all_stated() {
    let mut held = json!({ "id": "g1", "displayName": "Eng", "members": [{ "value": "a" }, { "value": "b" }] });
    let script = Script::start(move |asked| match asked.method.as_str() {
        "PUT" => {
            held = asked.body.clone();
            told(204, &Json::Null)
        }
        _ => told(200, &held),
    })
    .await;
    let target = script.target(&[("group_update", "put")]);
    let eng = ResourceId::new("g1");
    members(&target, &eng, &["c"], &["a"]).await.unwrap();
    members(&target, &eng, &[], &["b", "c"]).await.unwrap();
    let puts: Vec<Json> =
        script.asked().into_iter().filter(|one| one.method == "PUT").map(|one| one.body["members"].clone()).collect();
    assert_eq!(puts, [json!([{ "value": "b" }, { "value": "c" }]), json!([])]);
    let blind = script.target(&[("group_update", "put"), ("members_read", "none")]);
    assert!(refused(members(&blind, &eng, &["a"], &[]).await).contains("does not show its members"));
    assert!(script.asked().is_empty());
}

#[tokio::test]
async fn what_is_refused_in_one_form_is_said_in_another_and_remembered() {
    let manager = format!("{ENTERPRISE}:manager");
    let op = |asked: &Asked| asked.body["Operations"][0]["op"].as_str().unwrap().to_owned();
    type Takes = Box<dyn Fn(&Asked) -> bool + Send>;
    type Case = (&'static str, &'static str, (String, Option<Value>), Takes);
    let cases: Vec<Case> = vec![
        (
            "patch_form",
            "pathless",
            ("title".into(), Some("x".into())),
            Box::new(|asked| asked.body["Operations"][0]["path"].is_null()),
        ),
        ("op_case", "title", ("title".into(), Some("x".into())), Box::new(move |asked| op(asked) == "Replace")),
        ("unset", "empty", ("title".into(), None), Box::new(|asked| asked.body["Operations"][0]["value"] == "")),
        (
            "manager",
            "text",
            (manager, Some(Value::Reference(EntryId::new("boss")))),
            Box::new(|asked| asked.body["Operations"][0]["value"] == "7"),
        ),
    ];
    for (knob, value, (at, after), takes) in cases {
        let script =
            Script::start(move |asked| if takes(asked) { told(204, &Json::Null) } else { error(400, "invalidPath") }).await;
        let target = script.target(&[]);
        let references = [(EntryId::new("boss"), ResourceId::new("7"))].into();
        let before = after.is_none().then(|| "x".into());
        for expected in [2..=3, 1..=1] {
            edit_with(&target, &ResourceId::new("u1"), &[(&at, before.clone(), after.clone())], &references).await.unwrap();
            assert!(expected.contains(&script.asked().len()), "{knob}");
        }
        learnt_is(&target, &[(knob, value)]);
    }
}

#[tokio::test]
async fn one_odd_value_changes_nothing_for_the_others() {
    let script = Script::start(|asked| {
        let odd = asked.body.to_string().contains("odd");
        if odd { error(400, "invalidPath") } else { told(204, &Json::Null) }
    })
    .await;
    let target = script.target(&[]);
    for _ in 0..10 {
        refused(edit(&target, &ResourceId::new("u1"), &[("title", None, Some("odd".into()))]).await);
    }
    assert!(script.asked().len() <= 10 + 2 * 3);
    learnt_is(&target, &[]);
    retitle(&target, "u2").await.unwrap();
    assert_eq!(script.asked()[0].body["Operations"][0]["path"], "title");
}

#[tokio::test]
async fn what_is_acknowledged_and_not_done_is_not_called_done() {
    let still = || json!({ "id": "u1", "userName": "ada", "active": "True" });
    let script = Script::start(move |_| told(200, &still())).await;
    let target = script.target(&[]);
    assert!(refused(switch_off(&target).await).contains("still switched on"));
    // Neither by a form that seems to work, whether its answer shows it or not.
    for empty in [false, true] {
        let script = Script::start(move |asked| match asked.body["Operations"][0]["path"].is_null() {
            _ if asked.method == "GET" => told(200, &still()),
            true => told(200, &if empty { Json::Null } else { still() }),
            false => error(400, "invalidSyntax"),
        })
        .await;
        let target = script.target(&[]);
        assert!(refused(switch_off(&target).await).contains("still switched on"), "{empty}");
        learnt_is(&target, &[]);
    }
    let script = Script::start(|_| told(200, &json!({ "id": "u1", "userName": "ada", "active": false }))).await;
    switch_off(&script.target(&[])).await.unwrap();
}

#[tokio::test]
async fn who_is_created_switched_on_against_orders_is_switched_off_at_once() {
    for works in [true, false] {
        let script = Script::start(move |asked| match asked.method.as_str() {
            "POST" => told(201, &json!({ "id": "u1", "userName": "ada", "active": true })),
            "PATCH" => told(200, &json!({ "id": "u1", "userName": "ada", "active": !works })),
            _ => told(404, &json!({})),
        })
        .await;
        let target = script.target(&[]);
        let result = create(&target, user(&[("userName", "ada".into()), ("active", Value::Flag(false))])).await;
        if works {
            assert_eq!(result.unwrap().as_str(), "u1");
        } else {
            assert!(refused(result).contains("created switched on"));
        }
        assert_eq!(script.lines(), ["POST /Users", "PATCH /Users/u1"]);
    }
}

#[tokio::test]
async fn an_attribute_that_cannot_be_changed_keeps_nothing_else_back_and_is_learnt() {
    let script = Script::start(|asked| match patched(asked).contains_key("userType") {
        true => error(400, "mutability"),
        false => told(204, &Json::Null),
    })
    .await;
    let target = script.target(&[]);
    let both = [("userType", None, Some("a".into())), ("title", None, Some("x".into())), ("nickName", Some("n".into()), None)];
    // One resource may be protected; two are a rule.
    for id in ["u0", "u0", "u1"] {
        learnt_is(&target, &[]);
        let outcome = edit(&target, &ResourceId::new(id), &both).await;
        assert!(matches!(&outcome, Err(TargetError::AnswerLost(why)) if why.contains("the rest was changed")), "{outcome:?}");
        assert_eq!(script.asked().len(), 4);
    }
    learnt_is(&target, &[("user_immutable", "userType")]);
    assert!(!ldap2scim::plan::changes(&target.capabilities(), USER, &path("userType")));
    // Others of the same cycle are spared the refusal, and told.
    let second = edit(&target, &ResourceId::new("u2"), &both).await;
    assert!(matches!(second, Err(TargetError::AnswerLost(_))));
    assert_eq!(script.asked().len(), 1);
    assert!(refused(edit(&target, &ResourceId::new("u2"), &both[..1]).await).contains("userType cannot be changed"));
    assert!(script.asked().is_empty());
}

#[tokio::test]
async fn what_one_resource_refuses_is_not_taken_for_a_rule() {
    let script = Script::start(|asked| match asked.path.ends_with("protected") {
        true => error(400, "mutability"),
        false => told(204, &Json::Null),
    })
    .await;
    let target = script.target(&[]);
    let protected = ResourceId::new("protected");
    // A value that is required, `active`, and what was changed for others.
    refused(edit(&target, &protected, &[("displayName", Some("x".into()), None)]).await);
    refused(edit(&target, &protected, &[("active", Some(Value::Flag(true)), Some(Value::Flag(false)))]).await);
    retitle(&target, "u1").await.unwrap();
    refused(retitle(&target, "protected").await);
    learnt_is(&target, &[]);
    for _ in 0..3 {
        refused(edit(&target, &protected, &[("userType", None, Some("x".into()))]).await);
    }
    learnt_is(&target, &[]);
}

#[tokio::test]
async fn writes_carry_the_version_that_was_read_and_are_built_anew_on_412() {
    for (in_header, refusals, expected) in [(true, 0, "ok"), (false, 2, "ok"), (true, 3, "rejected")] {
        let mut left = refusals;
        let script = Script::start(move |asked| match asked.method.as_str() {
            "GET" => {
                let body =
                    json!({ "id": "u1", "userName": "ada", "meta": { "version": if in_header { "old" } else { "W/\"2\"" } } });
                Told(200, body.to_string(), in_header.then_some("W/\"2\""))
            }
            _ if left > 0 => {
                left -= 1;
                told(412, &json!({}))
            }
            _ => told(204, &Json::Null),
        })
        .await;
        let target = script.target(&[("etag", "yes")]);
        let result = retitle(&target, "u1").await;
        assert_eq!(if result.is_ok() { "ok" } else { "rejected" }, expected);
        let asked = script.asked();
        assert_eq!(asked.len(), 2 * (refusals + 1).min(3));
        let writes = asked.iter().filter(|one| one.method == "PATCH");
        assert!(writes.into_iter().all(|one| one.version.as_deref() == Some("W/\"2\"")));
    }
    let script = Script::start(|_| told(204, &Json::Null)).await;
    retitle(&script.target(&[]), "u1").await.unwrap();
    assert_eq!(script.asked()[0].version, None, "never unless it is asked for");
}

#[tokio::test]
async fn what_is_new_is_given_time_to_show() {
    let settle = Duration::from_millis(300);
    let script = {
        let mut unknown = 2;
        Script::start(move |asked| match asked.method.as_str() {
            "POST" => told(201, &json!({ "id": "u1", "userName": "ada" })),
            "PATCH" | "DELETE" if unknown > 0 => {
                unknown -= 1;
                told(404, &json!({}))
            }
            "GET" if asked.path.ends_with("/Users") => told(200, &json!({ "totalResults": 0, "Resources": [] })),
            "GET" => told(404, &json!({})),
            _ => told(204, &Json::Null),
        })
        .await
    };
    let mut settings = script.settings(&[]);
    settings.dialect.knobs.settle = settle;
    let target = scim::Provider::new(settings.clone()).unwrap();
    let started = Instant::now();
    let id = create(&target, named("ada")).await.unwrap();
    let stranger = retitle(&target, "u2").await;
    assert!(matches!(stranger, Err(TargetError::NotFound)) && started.elapsed() < settle, "only what is new is waited for");
    retitle(&target, id.as_str()).await.unwrap();
    assert!(started.elapsed() >= settle);

    // A create without an id: not there is not believed at once.
    let mut looks = 0;
    let script = Script::start(move |asked| match asked.method.as_str() {
        "POST" => told(201, &Json::Null),
        _ => {
            looks += 1;
            let found = json!({ "totalResults": 1, "Resources": [{ "id": "u1", "userName": "ada" }] });
            told(200, &if looks > 1 { found } else { json!({ "totalResults": 0 }) })
        }
    })
    .await;
    let mut settings = script.settings(&[]);
    settings.dialect.knobs.settle = settle;
    let target = scim::Provider::new(settings).unwrap();
    assert_eq!(create(&target, named("ada")).await.unwrap().as_str(), "u1");
    assert_eq!(script.asked().len(), 3);
}

#[tokio::test]
async fn a_member_or_a_leaver_who_is_new_is_given_time_to_show() {
    let mut seen = BTreeMap::new();
    let script = Script::start(move |asked| match asked.method.as_str() {
        "POST" => told(201, &json!({ "id": "u1", "userName": "ada" })),
        "GET" => told(404, &json!({})),
        method => {
            let times: &mut u32 = seen.entry(method.to_owned()).or_default();
            *times += 1;
            told(if *times == 1 { 404 } else { 204 }, &Json::Null)
        }
    })
    .await;
    let mut settings = script.settings(&[]);
    settings.dialect.knobs.settle = Duration::from_secs(1);
    let target = scim::Provider::new(settings).unwrap();
    create(&target, named("ada")).await.unwrap();
    let eng = ResourceId::new("g1");
    let ada = ResourceId::new("u1");
    let (joined, gone) = tokio::join!(members(&target, &eng, &["u1"], &[]), delete(&target, USER, &ada));
    assert_eq!((joined.unwrap(), gone.unwrap()), (Outcome::Exists(eng), Outcome::Gone));
    let mut lines = script.lines();
    lines.sort();
    assert_eq!(lines, ["DELETE /Users/u1", "DELETE /Users/u1", "PATCH /Groups/g1", "PATCH /Groups/g1", "POST /Users"]);
}

/// A list of `total` users, cut by cursor.
fn by_cursor(asked: &Asked, total: usize, page: usize) -> Told {
    let cursor = asked.parameter("cursor").unwrap_or_default();
    let start: usize = if cursor.is_empty() { 0 } else { cursor.trim_start_matches("c/").parse().unwrap() };
    let end = (start + page).min(total);
    let list: Vec<Json> =
        (start..end).map(|number| json!({ "id": number.to_string(), "userName": format!("u{number}") })).collect();
    let mut body = json!({ "Resources": list });
    if end < total {
        body["nextCursor"] = json!(format!("c/{end}"));
    }
    told(200, &body)
}

#[tokio::test]
async fn a_list_by_cursor_ends_where_there_is_no_next_one() {
    for (pagination, first) in [("cursor", "GET /Users?cursor=&count=10"), ("auto", "GET /Users?startIndex=1&count=10")] {
        let script = Script::start(|asked| by_cursor(asked, 25, 10)).await;
        let target = script.target(&[("pagination", pagination), ("page_size", "10")]);
        assert_eq!(target.list(USER).await.unwrap().len(), 25);
        assert_eq!(script.lines(), [first, "GET /Users?cursor=c%2F10&count=10", "GET /Users?cursor=c%2F20&count=10"]);
        assert_eq!(target.population(USER).await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_cursor_that_was_lost_is_asked_for_once_more_and_no_ring_is_walked() {
    for (losses, expected) in [(1, Some(25)), (2, None)] {
        let mut left = losses;
        let script = Script::start(move |asked| {
            if left > 0 && asked.parameter("cursor").as_deref() == Some("c/10") {
                left -= 1;
                return error(400, "expiredCursor");
            }
            by_cursor(asked, 25, 10)
        })
        .await;
        let list = script.target(&[("pagination", "cursor"), ("page_size", "10")]).list(USER).await;
        assert_eq!(list.ok().map(|all| all.len()), expected);
    }
    for body in [
        json!({ "Resources": [{ "id": "1", "userName": "a" }], "nextCursor": "again" }),
        // An index page where a cursor was asked for, with more behind it.
        json!({ "Resources": [{ "id": "1", "userName": "a" }], "totalResults": 7 }),
        json!({ "Resources": [{ "id": "1" }], "totalResults": 1 }),
    ] {
        let script = Script::start(move |_| told(200, &body)).await;
        let list = script.target(&[("pagination", "cursor")]).list(USER).await;
        assert!(matches!(list, Err(TargetError::Protocol(_))), "{list:?}");
    }
}

#[tokio::test]
async fn a_page_too_long_is_halved_and_the_half_is_remembered() {
    for scim_type in ["invalidCount", "tooMany"] {
        let script = Script::start(move |asked| {
            let count: usize = asked.parameter("count").unwrap().parse().unwrap();
            if count > 30 { error(400, scim_type) } else { by_cursor(asked, 40, count) }
        })
        .await;
        let target = script.target(&[("pagination", "cursor")]);
        assert_eq!(target.list(USER).await.unwrap().len(), 40);
        assert_eq!(script.asked().len(), 3 + 1);
        learnt_is(&target, &[("page_size", "25")]);
        assert_eq!(target.capabilities().page_size, 25);
    }
}

#[tokio::test]
async fn a_list_without_pages_is_one_answer() {
    let script =
        Script::start(|_| told(200, &json!({ "Resources": [{ "id": "1", "userName": "a" }, { "id": "2", "userName": "b" }] })))
            .await;
    let target = script.target(&[("pagination", "none")]);
    assert_eq!((target.list(USER).await.unwrap().len(), target.population(USER).await.unwrap()), (2, Some(2)));
    assert_eq!(script.lines(), ["GET /Users", "GET /Users"]);
}

#[tokio::test]
async fn a_search_asks_without_a_name_in_the_address() {
    let script = Script::start(|asked| {
        let known = asked.body["filter"] == "userName eq \"ada\"";
        let list = if known { json!([{ "id": "u1", "userName": "Ada" }]) } else { json!([]) };
        told(200, &json!({ "totalResults": list.as_array().unwrap().len(), "Resources": list }))
    })
    .await;
    let target = script.target(&[("filter", "search")]);
    assert_eq!(find(&target, USER, "userName", "ada").await.unwrap(), [ResourceId::new("u1")]);
    assert_eq!(script.lines(), ["POST /Users/.search"]);
}

/// Everybody, whatever is asked; `refuse` says which filters are refused.
async fn company(refuse: impl Fn(&str) -> bool + Send + 'static) -> Script {
    let mut people = vec!["ada".to_owned(), "bob".to_owned()];
    Script::start(move |asked| match asked.method.as_str() {
        "POST" => {
            people.push(asked.body["userName"].as_str().unwrap().to_owned());
            told(201, &json!({ "id": people.len().to_string() }))
        }
        _ => {
            let filter = asked.parameter("filter");
            if filter.as_deref().is_some_and(&refuse) {
                return error(400, "invalidFilter");
            }
            let wanted = filter.and_then(|text| text.split('"').nth(1).map(str::to_owned));
            let list: Vec<Json> = people
                .iter()
                .enumerate()
                .filter(|(_, name)| wanted.as_ref().is_none_or(|wanted| wanted == *name))
                .map(|(number, name)| json!({ "id": number.to_string(), "userName": name }))
                .collect();
            told(200, &json!({ "totalResults": list.len(), "Resources": list }))
        }
    })
    .await
}

#[tokio::test]
async fn one_list_stands_in_for_many_look_ups_until_something_is_written() {
    let script = company(|_| true).await;
    let target = script.target(&[]);
    for _ in 0..20 {
        assert_eq!(find(&target, USER, "userName", "bob").await.unwrap().len(), 1);
        assert_eq!(find(&target, USER, "userName", "eve").await.unwrap().len(), 0);
    }
    assert_eq!(script.asked().len(), 3, "the filter, a harmless one, and the list");
    learnt_is(&target, &[("unfilterable_users", "userName")]);
    create(&target, named("eve")).await.unwrap();
    assert_eq!(find(&target, USER, "userName", "eve").await.unwrap().len(), 1);
    assert_eq!(script.lines(), ["POST /Users", "GET /Users?startIndex=1&count=100"]);
    // A later process begins with what was learnt.
    let next = script.target(&[]);
    next.recall(&target.learnt());
    find(&next, USER, "userName", "ada").await.unwrap();
    assert_eq!(script.asked().len(), 1);
}

#[tokio::test]
async fn one_value_that_the_filter_stumbles_over_costs_nobody_the_filter() {
    let script = company(|filter| filter.contains(',')).await;
    let target = script.target(&[]);
    assert_eq!(find(&target, USER, "userName", "a,b").await.unwrap().len(), 0);
    learnt_is(&target, &[]);
    script.asked();
    assert_eq!(find(&target, USER, "userName", "ada").await.unwrap().len(), 1);
    assert!(script.lines()[0].contains("filter="));
}

#[tokio::test]
async fn a_list_stands_in_for_a_filter_up_to_its_limit() {
    for (limit, listed) in [("0", 0), ("1", 1)] {
        let script = company(|_| true).await;
        let target = script.target(&[("scan_limit", limit)]);
        let why = refused(find(&target, USER, "userName", "ada").await);
        assert!(why.contains("cannot be looked up by userName") && why.contains("scan_limit"), "{why}");
        assert_eq!(script.lines().iter().filter(|line| !line.contains("filter")).count(), listed);
    }
    let script = company(|_| true).await;
    assert_eq!(find(&script.target(&[("scan_limit", "2")]), USER, "userName", "ada").await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_skipped_value_counts_as_taken_away() {
    let script = Script::start(|_| told(204, &Json::Null)).await;
    let target = script.target(&[("unset", "skip"), ("manager", "off")]);
    let id = ResourceId::new("u1");
    let manager = format!("{ENTERPRISE}:manager");
    for edits in [("title", Some("x".into()), None), (manager.as_str(), Some("7".into()), None)] {
        assert_eq!(edit(&target, &id, &[edits]).await.unwrap(), Outcome::Exists(id.clone()));
    }
    assert!(script.asked().is_empty());
}

#[tokio::test]
async fn an_answer_is_read_however_it_is_dressed() {
    let one = r#"{"id":7,"userName":"ada","active":"True"}"#;
    for (body, id) in [
        (one.to_owned(), "7"),
        (format!("\u{feff}{one}"), "7"),
        (format!("\r\n  {one}\n"), "7"),
        (r#"{"ID":"7","USERNAME":"ada","urn:x:y":{"a":[1]},"odd":{"deep":{"er":1}},"members":null,"x":null}"#.to_owned(), "7"),
        (r#"{"id":"7","userName":"ada","name.formatted":"A","schemas":null}"#.to_owned(), "7"),
    ] {
        let shown = body.clone();
        let script = Script::start(move |asked| match asked.method.as_str() {
            "POST" | "PATCH" => Told(200, body.clone(), None),
            _ if asked.path.ends_with('7') => Told(200, body.clone(), None),
            _ => Told(200, format!(r#"{{"resources":[{body}],"totalresults":"1"}}"#).replace('\u{feff}', ""), None),
        })
        .await;
        let target = script.target(&[]);
        assert_eq!(create(&target, named("ada")).await.unwrap().as_str(), id, "{shown}");
        retitle(&target, id).await.unwrap();
        let read = target.get(USER, &ResourceId::new(id)).await.unwrap().unwrap();
        assert_eq!(read.attributes.get(&path("userName")), Some(&"ada".into()), "{shown}");
        assert_eq!(find(&target, USER, "userName", "ada").await.unwrap().len(), 1, "{shown}");
        assert_eq!(target.list(USER).await.unwrap().len(), 1, "{shown}");
    }
    let script = Script::start(|_| told(200, &json!({ "id": "g", "displayName": "Eng", "members": null }))).await;
    let eng = script.target(&[]).get(GROUP, &ResourceId::new("g")).await.unwrap().unwrap();
    assert_eq!(eng.members, Some([].into()));
    create(&script.target(&[]), group("Eng")).await.unwrap();
    for status in [json!("409"), json!(409), Json::Null] {
        let script = Script::start(move |_| told(409, &json!({ "status": status, "Detail": "taken" }))).await;
        let conflict = create(&script.target(&[]), named("ada")).await;
        assert!(matches!(&conflict, Err(TargetError::Conflict(why)) if why == "taken"), "{conflict:?}");
    }
}

#[tokio::test]
async fn what_was_learnt_gives_way_to_the_admin() {
    let script = Script::start(|_| told(204, &Json::Null)).await;
    let mut settings = script.settings(&[]);
    settings.dialect.set("op_case", "lower", SaidBy::Configuration).unwrap();
    let target = scim::Provider::new(settings).unwrap();
    let fact = Fact { value: "title".to_owned(), witness: Witness::Learnt };
    target.recall(&Knowledge::from([("op_case".to_owned(), fact)]));
    retitle(&target, "u1").await.unwrap();
    assert_eq!(script.asked()[0].body["Operations"][0]["op"], "replace");
}

#[tokio::test]
async fn a_store_that_somebody_wrote_into_gives_no_leave() {
    let script = Script::start(|_| told(204, &Json::Null)).await;
    let target = script.target(&[]);
    let before = target.dialect().rows();
    let facts = [
        ("deactivate_is_delete", "yes"),
        ("user_delete", "yes"),
        ("headers", "X-Forwarded-Host: elsewhere"),
        ("match_users", "title"),
        ("rate", "9999/s"),
        ("bulk", "yes"),
        ("only", "userName"),
        ("user_immutable", "active"),
        ("page_size", "99999999"),
        ("members_read", "everything"),
        ("nonsense", ""),
    ];
    let fact = |value: &str, witness| Fact { value: value.to_owned(), witness };
    for witness in [Witness::Learnt, Witness::Announced] {
        target.recall(&facts.iter().map(|(knob, value)| ((*knob).to_owned(), fact(value, witness))).collect());
    }
    assert_eq!(target.dialect().rows(), before);
    learnt_is(&target, &[]);
}

#[tokio::test]
async fn a_422_is_a_400() {
    let script = Script::start(|asked| match asked.method.as_str() {
        "POST" => error(422, "uniqueness"),
        _ if asked.body.to_string().contains("userType") => error(422, "mutability"),
        _ => told(204, &Json::Null),
    })
    .await;
    let target = script.target(&[]);
    let ada = Resource { resource_type: USER, ..named("ada") };
    let conflict = target.apply(&change(USER, Action::Create(ada)), &References::new()).await;
    assert!(matches!(conflict, Err(TargetError::Conflict(_))));
    let at = |text: &str| Edit::Attribute { path: path(text), before: None, after: Some("x".into()) };
    for id in ["u1", "u2"] {
        let action = Action::Update { resource_id: ResourceId::new(id), edits: vec![at("userType"), at("title")] };
        assert!(matches!(target.apply(&change(USER, action), &References::new()).await, Err(TargetError::AnswerLost(_))));
    }
    learnt_is(&target, &[("user_immutable", "userType")]);
}
