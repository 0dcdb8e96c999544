//! The target against a provider that misbehaves.

use std::time::{Duration, Instant, SystemTime};

use serde_json::json;

use ldap2scim::cycle::{Outcome, Target, TargetError};
use ldap2scim::model::{EntryId, MembersRead, ResourceId, ResourceType, Value};
use ldap2scim::plan::Action;
use ldap2scim::scim;
use ldap2scim::secret::Secret;

use crate::scim_server::{change, create, delete, edit, edit_with, find, group, members, named, path, user};
use crate::support::provider::{Create, Fault, Filter, MemberRemove, Paging, Personality, Provider};

const USER: ResourceType = ResourceType::User;
const GROUP: ResourceType = ResourceType::Group;
const MANAGER: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager";

/// A word for what came out.
fn word<T>(result: &Result<T, TargetError>) -> &'static str {
    match result {
        Ok(_) => "ok",
        Err(TargetError::Conflict(_)) => "conflict",
        Err(TargetError::NotFound) => "not found",
        Err(TargetError::Rejected { .. }) => "rejected",
        Err(TargetError::AnswerLost(_)) => "answer lost",
        Err(TargetError::Unauthorized(_)) => "unauthorized",
        Err(TargetError::Unavailable(_)) => "unavailable",
        Err(TargetError::Protocol(_)) => "protocol",
        Err(TargetError::Secret(_)) => "secret",
    }
}

async fn start() -> Provider {
    Provider::start(Personality::default()).await
}

async fn with(change: impl FnOnce(&mut Personality)) -> Provider {
    let mut personality = Personality::default();
    change(&mut personality);
    Provider::start(personality).await
}

async fn retitle(target: &scim::Provider, id: &str) -> Result<Outcome, TargetError> {
    edit(target, &ResourceId::new(id), &[("title", None, Some("x".into()))]).await
}

#[tokio::test]
async fn every_answer_has_its_meaning() {
    // The answer, to every try of it; what it means to a create, an update, a delete and a read; how often each is sent.
    for (fault, expected, times) in [
        (Fault::status(400), ["rejected", "rejected", "rejected", "rejected"], [1, 1, 1, 1]),
        (Fault::scim(400, "uniqueness"), ["conflict", "conflict", "conflict", "rejected"], [1, 1, 1, 1]),
        (Fault::scim(400, "mutability"), ["rejected", "rejected", "rejected", "rejected"], [1, 1, 1, 1]),
        (Fault::status(401), ["unauthorized", "unauthorized", "unauthorized", "unauthorized"], [1, 1, 1, 1]),
        (Fault::status(403), ["rejected", "rejected", "rejected", "rejected"], [1, 1, 1, 1]),
        (Fault::status(404), ["rejected", "rejected", "rejected", "ok"], [1, 3, 3, 1]),
        (Fault::status(409), ["conflict", "conflict", "conflict", "rejected"], [1, 1, 1, 1]),
        (Fault::status(410), ["not found", "rejected", "rejected", "ok"], [1, 3, 3, 1]),
        (Fault::status(412), ["rejected", "rejected", "rejected", "rejected"], [1, 1, 1, 1]),
        (Fault::status(413), ["rejected", "rejected", "rejected", "rejected"], [1, 1, 1, 1]),
        (Fault::html(422), ["rejected", "rejected", "rejected", "rejected"], [1, 1, 1, 1]),
        (Fault::too_many("0"), ["unavailable", "unavailable", "unavailable", "unavailable"], [5, 5, 5, 5]),
        (Fault::status(423), ["rejected", "rejected", "rejected", "rejected"], [5, 5, 5, 5]),
        (Fault::html(503), ["unavailable", "unavailable", "unavailable", "unavailable"], [5, 5, 5, 5]),
        (Fault::status(500), ["answer lost", "answer lost", "answer lost", "rejected"], [1, 5, 5, 5]),
        (Fault::html(502), ["answer lost", "answer lost", "answer lost", "rejected"], [1, 5, 5, 5]),
        (Fault::status(504), ["answer lost", "answer lost", "answer lost", "rejected"], [1, 5, 5, 5]),
        (Fault::status(501), ["rejected", "rejected", "rejected", "rejected"], [1, 2, 1, 1]),
        (Fault::redirect("https://elsewhere.example/"), ["protocol", "protocol", "protocol", "protocol"], [1, 1, 1, 1]),
        (Fault::html(200), ["answer lost", "answer lost", "ok", "protocol"], [2, 1, 1, 1]),
        (Fault::LostRequest, ["answer lost", "answer lost", "answer lost", "unavailable"], [1, 5, 5, 5]),
    ] {
        for (place, expected) in expected.into_iter().enumerate() {
            let provider = start().await;
            let id = ResourceId::new(&provider.add_user("ada", json!({})));
            let target = provider.target();
            provider.fail_times(1000, fault.clone());
            if place == 0 && matches!(&fault, Fault::Answer { status: 200, .. }) {
                provider.heal();
                provider.fail_when("POST", "", 1, fault.clone());
            }
            let outcome = match place {
                0 => word(&create(&target, named("new")).await),
                1 => word(&retitle(&target, id.as_str()).await),
                2 => word(&delete(&target, USER, &id).await),
                _ => word(&target.get(USER, &id).await),
            };
            assert_eq!(outcome, expected, "{fault:?} at {place}");
            assert_eq!(provider.requests().len(), times[place], "{fault:?} at {place}");
            assert_eq!(provider.users().len(), 1);
        }
    }
}

#[tokio::test]
async fn what_the_provider_says_is_kept_short_and_plain() {
    let provider = start().await;
    let target = provider.target();
    provider.fail_next(Fault::html(400));
    let Err(TargetError::Rejected { status: 400, detail }) = create(&target, named("a")).await else { panic!() };
    assert_eq!(detail, "<html><body> Something broke</body></html>");
    let long = format!(r#"{{"scimType":"invalidValue","detail":"{}"}}"#, "é".repeat(5000));
    provider.fail_next(Fault::Answer { status: 400, headers: Vec::new(), body: long });
    let Err(TargetError::Rejected { detail, .. }) = create(&target, named("a")).await else { panic!() };
    assert!(detail.starts_with("invalidValue: é") && detail.chars().count() < 220, "{detail}");
}

#[tokio::test]
async fn a_provider_that_repeats_what_it_was_sent_gives_no_secret_away() {
    for status in [400, 403, 500] {
        let provider = start().await;
        let body = json!({ "detail": format!("you sent Authorization: Bearer {0}, {0}.", provider.token()) }).to_string();
        provider.fail_times(100, Fault::Answer { status, headers: Vec::new(), body });
        let error = create(&provider.target(), named("a")).await.unwrap_err().to_string();
        assert!(error.contains("Bearer ***, ***.") && !error.contains(&provider.token()), "{error}");
    }
}

#[tokio::test]
async fn a_create_is_never_sent_twice_unless_it_certainly_was_not_done() {
    for fault in
        [Fault::LostAnswer, Fault::AfterCommit(502), Fault::AfterCommit(500), Fault::AfterCommit(504), Fault::Stall, Fault::Huge]
    {
        let provider = start().await;
        let mut settings = provider.settings();
        if matches!(fault, Fault::Stall) {
            settings.request_timeout = Duration::from_secs(1);
        }
        let target = scim::Provider::new(settings).unwrap();
        provider.fail_next(fault.clone());
        assert_eq!(word(&create(&target, named("ada")).await), "answer lost", "{fault:?}");
        assert_eq!((provider.users().len(), provider.writes().len()), (1, 1), "{fault:?}");
        assert_eq!(find(&target, USER, "userName", "ada").await.unwrap().len(), 1);
    }
    let provider = start().await;
    let target = provider.target();
    provider.fail_next(Fault::too_many("0"));
    provider.fail_next(Fault::status(503));
    create(&target, named("ada")).await.unwrap();
    assert_eq!((provider.users().len(), provider.writes().len()), (1, 3));
    provider.assert_clean();
}

#[tokio::test]
async fn what_may_be_said_twice_is_said_until_it_is_answered() {
    let faults = [Fault::LostAnswer, Fault::LostRequest, Fault::AfterCommit(502), Fault::status(500)];
    for fault in faults {
        let provider = start().await;
        let (id, leaver) = (provider.add_user("ada", json!({})), provider.add_user("bob", json!({})));
        let eng = ResourceId::new(&provider.add_group("Eng", json!({ "members": [{ "value": leaver }] })));
        let target = provider.target();
        provider.fail_when("PATCH", "/Users", 2, fault.clone());
        retitle(&target, &id).await.unwrap();
        assert_eq!(provider.user("ada").unwrap()["title"], "x");
        provider.fail_when("PATCH", "/Groups", 2, fault.clone());
        members(&target, &eng, &[&id], &[]).await.unwrap();
        provider.fail_when("PATCH", "/Groups", 2, fault.clone());
        members(&target, &eng, &[], &[&leaver]).await.unwrap();
        assert_eq!(provider.member_ids("Eng"), [id].into(), "{fault:?}");
        provider.fail_when("DELETE", "", 2, fault.clone());
        assert_eq!(delete(&target, USER, &ResourceId::new(&leaver)).await.unwrap(), Outcome::Gone);
        assert!(provider.user("bob").is_none());
        provider.assert_clean();
    }
}

#[tokio::test]
async fn what_may_have_been_done_is_never_called_undone() {
    let then = [
        (Fault::too_many("0"), 4),
        (Fault::too_many("100000"), 1),
        (Fault::status(401), 1),
        (Fault::redirect("https://elsewhere.example/"), 1),
    ];
    for (fault, times) in then {
        let provider = start().await;
        let id = provider.add_user("ada", json!({}));
        provider.fail_next(Fault::LostAnswer);
        provider.fail_times(times, fault.clone());
        assert_eq!(word(&retitle(&provider.target(), &id).await), "answer lost", "{fault:?}");
        assert_eq!(provider.user("ada").unwrap()["title"], "x");
    }
    let provider = with(|personality| personality.create = Create::Empty).await;
    provider.fail_when("GET", "", 1000, Fault::status(401));
    assert_eq!(word(&create(&provider.target(), named("ada")).await), "answer lost");
}

#[tokio::test]
async fn the_preset_of_palo_alto_speaks_as_its_table_says() {
    let provider = with(|personality| personality.manager_is_text = true).await;
    let mut settings = provider.settings();
    settings.dialect = scim::preset("paloalto-cie").unwrap();
    let target = scim::Provider::new(settings).unwrap();
    let boss = EntryId::new("boss");
    let boss_id = create(&target, named("boss")).await.unwrap();
    let references = [(boss.clone(), boss_id.clone())].into();
    let ada = user(&[("userName", "ada".into()), ("active", Value::Flag(true)), (MANAGER, Value::Reference(boss.clone()))]);
    target.apply(&change(USER, Action::Create(ada)), &references).await.unwrap();
    let ada = find(&target, USER, "userName", "ada").await.unwrap().remove(0);
    let manager = || target.get(USER, &ada);
    assert_eq!(manager().await.unwrap().unwrap().attributes.get(&path(MANAGER)), Some(&boss_id.as_str().into()));
    edit(&target, &ada, &[(MANAGER, Some(Value::Reference(boss.clone())), None)]).await.unwrap();
    assert_eq!(manager().await.unwrap().unwrap().attributes.get(&path(MANAGER)), None);
    edit_with(&target, &ada, &[(MANAGER, None, Some(Value::Reference(boss)))], &references).await.unwrap();
    assert_eq!(manager().await.unwrap().unwrap().attributes.get(&path(MANAGER)), Some(&boss_id.as_str().into()));
    provider.assert_clean();
}

#[tokio::test]
async fn a_target_that_is_not_there_is_unavailable_and_nothing_was_done() {
    let provider = start().await;
    let settings = provider.settings();
    drop(provider);
    let target = scim::Provider::new(settings).unwrap();
    assert_eq!(word(&create(&target, named("ada")).await), "unavailable");
    assert_eq!(word(&target.population(USER).await), "unavailable");
}

#[tokio::test]
async fn after_five_failures_in_a_row_nobody_waits_for_more() {
    let provider = start().await;
    let id = provider.add_user("ada", json!({}));
    let mut settings = provider.settings();
    settings.retry = scim::Retry { tries: 1, base: Duration::from_millis(1), max: Duration::from_secs(600), ..settings.retry };
    let target = scim::Provider::new(settings).unwrap();
    provider.fail_times(4, Fault::status(500));
    for _ in 0..4 {
        assert_eq!(word(&retitle(&target, &id).await), "answer lost");
    }
    retitle(&target, &id).await.unwrap();
    provider.fail_times(1000, Fault::status(500));
    for _ in 0..5 {
        assert_eq!(word(&retitle(&target, &id).await), "answer lost");
    }
    let sent = provider.requests().len();
    for _ in 0..3 {
        assert_eq!(word(&retitle(&target, &id).await), "unavailable");
        assert_eq!(provider.requests().len(), sent + 1, "one look, whether it is the target or a few requests");
    }
}

#[tokio::test]
async fn a_pause_that_is_asked_for_is_kept_by_everybody() {
    let provider = start().await;
    let id = provider.add_user("ada", json!({}));
    provider.fail_next(Fault::too_many("1"));
    retitle(&provider.target(), &id).await.unwrap();
    let requests = provider.requests();
    assert!(requests[1].at - requests[0].at >= Duration::from_secs(1));

    let until = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(2));
    provider.fail_next(Fault::too_many(&until));
    retitle(&provider.target(), &id).await.unwrap();
    assert!(SystemTime::now() >= httpdate::parse_http_date(&until).unwrap());

    let provider = start().await;
    let id = ResourceId::new(&provider.add_user("ada", json!({})));
    let target = provider.target();
    let mut settings = provider.settings();
    settings.retry.tries = 1;
    let impatient = scim::Provider::new(settings).unwrap();
    provider.fail_next(Fault::too_many("1"));
    assert_eq!(word(&impatient.get(USER, &id).await), "unavailable");
    assert!(target.get(USER, &id).await.is_ok(), "another target has its own gate");
    let refused_at = provider.requests()[0].at;
    let (one, two) = tokio::join!(impatient.get(USER, &id), impatient.get(USER, &id));
    assert!(one.is_ok() && two.is_ok());
    for request in provider.requests().iter().skip(2) {
        assert!(request.at - refused_at >= Duration::from_secs(1));
    }
}

#[tokio::test]
async fn a_pause_that_is_past_or_garbage_does_not_stop_us_and_a_huge_one_ends_the_cycle() {
    for retry_after in ["0", "Sun, 06 Nov 1994 08:49:37 GMT", "soon", "-1", ""] {
        let provider = start().await;
        let id = provider.add_user("ada", json!({}));
        provider.fail_times(2, Fault::too_many(retry_after));
        retitle(&provider.target(), &id).await.unwrap();
        assert_eq!(provider.requests().len(), 3, "{retry_after}");
    }
    for retry_after in ["901", "99999999999999999999", "Fri, 31 Dec 9999 23:59:59 GMT"] {
        let provider = start().await;
        let id = provider.add_user("ada", json!({}));
        let target = provider.target();
        provider.fail_next(Fault::too_many(retry_after));
        for _ in 0..3 {
            assert_eq!(word(&retitle(&target, &id).await), "unavailable", "{retry_after}");
        }
        assert_eq!(provider.requests().len(), 1, "{retry_after}");
    }
}

#[tokio::test]
async fn a_403_is_a_rate_limit_where_it_says_so_and_about_the_token_where_there_is_nothing_else() {
    let provider = start().await;
    let id = provider.add_user("ada", json!({}));
    let target = provider.target();
    let limit = Fault::Answer {
        status: 403,
        headers: vec![("x-ratelimit-remaining", "0".into()), ("x-ratelimit-reset", "0".into())],
        body: String::new(),
    };
    provider.fail_times(2, limit);
    retitle(&target, &id).await.unwrap();
    provider.fail_times(1000, Fault::status(403));
    for expected in ["rejected", "rejected", "rejected", "rejected", "unauthorized"] {
        assert_eq!(word(&retitle(&target, &id).await), expected);
    }
}

#[tokio::test]
async fn a_refused_token_is_read_again_and_not_sent_again_until_it_changes() {
    let provider = start().await;
    let id = provider.add_user("ada", json!({}));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, provider.token()).unwrap();
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let mut settings = provider.settings();
    settings.auth = scim::Auth::Bearer(Secret::File(file.clone()));
    let target = scim::Provider::new(settings).unwrap();
    retitle(&target, &id).await.unwrap();

    // Changed so that it cannot be seen from outside.
    let written = std::fs::metadata(&file).unwrap().modified().unwrap();
    std::fs::write(&file, "token-2").unwrap();
    std::fs::File::options().write(true).open(&file).unwrap().set_modified(written).unwrap();
    provider.set_token("token-2");
    provider.forget_requests();
    retitle(&target, &id).await.unwrap();
    let tokens: Vec<_> = provider.requests().into_iter().map(|request| request.token.unwrap()).collect();
    assert_eq!(tokens, ["token-1", "token-2"]);

    provider.set_token("token-3");
    provider.forget_requests();
    for _ in 0..3 {
        assert_eq!(word(&retitle(&target, &id).await), "unauthorized");
    }
    assert_eq!(provider.requests().len(), 1, "one 401 is enough");
    std::fs::write(&file, "token-3").unwrap();
    retitle(&target, &id).await.unwrap();
    assert_eq!(provider.requests().len(), 2);

    std::fs::write(&file, "token-4").unwrap();
    provider.set_token("token-5");
    assert_eq!(word(&retitle(&target, &id).await), "unauthorized");
    std::fs::remove_file(&file).unwrap();
    assert_eq!(word(&retitle(&target, &id).await), "secret");
    let mut settings = provider.settings();
    settings.auth = scim::Auth::None;
    let anonymous = retitle(&scim::Provider::new(settings).unwrap(), &id).await;
    assert!(anonymous.unwrap_err().to_string().contains("none are configured"));
    let shown = format!("{:?}", retitle(&target, &id).await);
    assert!(!shown.contains("token-"), "{shown}");
}

#[tokio::test]
async fn a_create_is_recognised_however_it_is_acknowledged() {
    for answer in [Create::Created, Create::Ok, Create::EmptyWithLocation, Create::Empty] {
        for odd_answers in [false, true] {
            let provider = with(|personality| (personality.create, personality.odd_answers) = (answer, odd_answers)).await;
            let target = provider.target();
            let id = create(&target, named("ada lovelace")).await.unwrap();
            assert_eq!(provider.user("ada lovelace").unwrap()["id"], id.as_str(), "{answer:?}");
            let id = create(&target, group("Eng & Co")).await.unwrap();
            assert_eq!(provider.group("Eng & Co").unwrap()["id"], id.as_str(), "{answer:?}");
            provider.assert_clean();
        }
    }
}

#[tokio::test]
async fn a_conflict_is_one_whatever_its_body_says() {
    for (scim_type, is_400) in [(true, false), (false, false), (true, true)] {
        let provider = with(|personality| {
            (personality.conflict_has_scim_type, personality.conflict_is_400) = (scim_type, is_400);
            personality.hidden.push("ghost".to_owned());
        })
        .await;
        let target = provider.target();
        create(&target, named("ada")).await.unwrap();
        let eve = create(&target, named("eve")).await.unwrap();
        assert_eq!(word(&create(&target, named("Ada")).await), "conflict");
        let renamed = edit(&target, &eve, &[("userName", Some("eve".into()), Some("ADA".into()))]).await;
        assert_eq!(word(&renamed), "conflict");
        assert_eq!(word(&create(&target, named("ghost")).await), "conflict");
        assert_eq!(find(&target, USER, "userName", "ghost").await.unwrap(), []);
        provider.assert_clean();
    }
}

#[tokio::test]
async fn an_edit_is_acknowledged_with_or_without_a_body_and_may_change_the_id() {
    let provider = with(|personality| personality.patch_without_body = true).await;
    let id = provider.add_user("ada", json!({}));
    let target = provider.target();
    assert_eq!(retitle(&target, &id).await.unwrap(), Outcome::Exists(ResourceId::new(&id)));
    let moved = || Fault::Answer { status: 200, headers: Vec::new(), body: r#"{"id":"moved","userName":"ada"}"#.to_owned() };
    provider.fail_next(moved());
    let renumber = [("externalId", None, Some("moved".into()))];
    let outcome = edit(&target, &ResourceId::new(&id), &renumber).await;
    assert_eq!(outcome.unwrap(), Outcome::Exists(ResourceId::new("moved")));
    // An id that nobody sent is somebody else's.
    provider.fail_next(moved());
    assert_eq!(retitle(&target, &id).await.unwrap(), Outcome::Exists(ResourceId::new(&id)));
}

#[tokio::test]
async fn the_members_that_follow_go_to_the_same_group_whatever_id_an_answer_holds() {
    let provider = start().await;
    let users: Vec<String> = ["a", "b", "c"].map(|name| provider.add_user(name, json!({}))).into();
    let (staff, admins) = (provider.add_group("staff", json!({})), provider.add_group("admins", json!({})));
    let mut settings = provider.settings();
    settings.dialect.set("members_per_request", "2", scim::SaidBy::Configuration).unwrap();
    let target = scim::Provider::new(settings).unwrap();
    let body = format!(r#"{{"id":"{admins}","displayName":"admins"}}"#);
    provider.fail_next(Fault::Answer { status: 200, headers: Vec::new(), body });
    let all: Vec<&str> = users.iter().map(String::as_str).collect();
    members(&target, &ResourceId::new(&staff), &all, &[]).await.unwrap();
    assert!(provider.member_ids("admins").is_empty() && provider.member_ids("staff").len() == 1);
}

#[tokio::test]
async fn nobody_is_switched_off_by_an_error_that_calls_itself_a_success() {
    let off = [("active", Some(Value::Flag(true)), Some(Value::Flag(false)))];
    for body in [
        r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"403","detail":"no"}"#.to_owned(),
        r#"{"id":"ID","active":true}"#.to_owned(),
    ] {
        let provider = start().await;
        let id = provider.add_user("ada", json!({ "active": true }));
        provider.fail_next(Fault::Answer { status: 200, headers: Vec::new(), body: body.replace("ID", &id) });
        assert_eq!(word(&edit(&provider.target(), &ResourceId::new(&id), &off).await), "rejected", "{body}");
    }
}

#[tokio::test]
async fn a_resource_is_gone_only_where_its_collection_is_there() {
    for status in [404, 410] {
        let provider = start().await;
        let id = ResourceId::new(&provider.add_user("ada", json!({})));
        let target = provider.target();
        provider.fail_when("*", id.as_str(), 100, Fault::status(status));
        assert_eq!(word(&retitle(&target, id.as_str()).await), "not found");
        assert_eq!(delete(&target, USER, &id).await.unwrap(), Outcome::Gone);
    }
}

#[tokio::test]
async fn what_cannot_be_addressed_is_never_linked() {
    for id in ["..", "a\nb"] {
        let provider = start().await;
        let body = json!({ "id": id, "userName": "new" }).to_string();
        provider.fail_when("POST", "/Users", 1, Fault::Answer { status: 201, headers: Vec::new(), body });
        assert_eq!(word(&create(&provider.target(), named("new")).await), "answer lost", "{id:?}");
    }
}

#[tokio::test]
async fn odd_answers_are_read_like_others() {
    let provider = with(|personality| personality.odd_answers = true).await;
    let target = provider.target();
    let ada = user(&[("userName", "ada".into()), ("active", Value::Flag(false)), ("name.givenName", "Ada".into())]);
    let id = create(&target, ada).await.unwrap();
    let read = target.get(USER, &id).await.unwrap().unwrap();
    assert_eq!(read.attributes.get(&path("active")), Some(&Value::Flag(false)));
    assert_eq!(read.attributes.get(&path("name.givenName")), Some(&"Ada".into()));
    assert_eq!(find(&target, USER, "userName", "ADA").await.unwrap(), [id]);
    let eng = create(&target, group("Eng")).await.unwrap();
    assert_eq!(target.get(GROUP, &eng).await.unwrap().unwrap().members, Some([].into()));
    assert_eq!(target.list(USER).await.unwrap().len(), 1);
}

#[tokio::test]
async fn filters_that_do_not_filter_are_seen_through() {
    for filter in [
        Filter::Honoured,
        Filter::Ignored,
        Filter::Refused(400),
        Filter::Refused(501),
        Filter::Refused(403),
        Filter::NotFoundIfNone,
    ] {
        let provider = with(|personality| personality.filter = filter).await;
        for name in ["x", "y", "ada", "z"] {
            provider.add_user(name, json!({}));
        }
        let target = provider.target();
        assert_eq!(find(&target, USER, "userName", "nobody").await.unwrap(), [], "{filter:?}");
        assert_eq!(find(&target, USER, "userName", "Ada").await.unwrap().len(), 1, "{filter:?}");
        assert_eq!(find(&target, GROUP, "displayName", "none").await.unwrap(), [], "{filter:?}");
        provider.assert_clean();
    }
}

#[tokio::test]
async fn a_dialect_without_filters_scans() {
    let provider = start().await;
    provider.add_user("ada", json!({}));
    let mut settings = provider.settings();
    settings.dialect.knobs.filter = scim::FilterUse::Scan;
    let target = scim::Provider::new(settings).unwrap();
    assert_eq!(find(&target, USER, "userName", "ada").await.unwrap().len(), 1);
    assert!(provider.requests().iter().all(|request| !request.query.contains("filter")));
}

#[tokio::test]
async fn two_candidates_are_both_shown_and_externalid_has_case() {
    let provider = with(|personality| personality.unique_group_names = false).await;
    provider.add_group("Eng", json!({ "externalId": "a" }));
    provider.add_group("eng", json!({ "externalId": "A" }));
    let target = provider.target();
    assert_eq!(find(&target, GROUP, "displayName", "ENG").await.unwrap().len(), 2);
    assert_eq!(find(&target, GROUP, "externalId", "A").await.unwrap().len(), 1);
}

#[tokio::test]
async fn nothing_is_concluded_below_a_wrong_address() {
    let provider = start().await;
    let mut settings = provider.settings();
    settings.base_url = provider.base_url().join("/scim/v1").unwrap();
    let target = scim::Provider::new(settings).unwrap();
    assert_eq!(word(&target.list(USER).await), "protocol");
    assert_eq!(word(&target.population(GROUP).await), "protocol");
    assert_eq!(word(&find(&target, USER, "userName", "ada").await), "protocol");
    assert_eq!(word(&target.probe().await), "protocol");
}

#[tokio::test]
async fn a_list_is_complete_or_an_error() {
    for (paging, cap, expected, population) in [
        (Paging::Honest, 100, "ok", Some(25)),
        (Paging::Honest, 4, "ok", Some(25)),
        (Paging::NoTotal, 4, "ok", None),
        (Paging::TotalAsText, 4, "ok", Some(25)),
        (Paging::TotalTooHigh(1), 4, "protocol", Some(26)),
        (Paging::RepeatsFirst, 4, "protocol", Some(25)),
        (Paging::RepeatsFirst, 100, "ok", Some(25)),
    ] {
        let provider = with(|personality| (personality.paging, personality.page_cap) = (paging, cap)).await;
        for number in 0..25 {
            provider.add_user(&format!("u{number}"), json!({}));
        }
        let mut settings = provider.settings();
        settings.dialect.capabilities.page_size = 25;
        let target = scim::Provider::new(settings).unwrap();
        let list = target.list(USER).await;
        assert_eq!(word(&list), expected, "{paging:?} {cap}");
        assert!(list.is_err() || list.unwrap().len() == 25);
        assert_eq!(target.population(USER).await.unwrap(), population, "{paging:?}");
    }
    let provider = start().await;
    let target = provider.target();
    assert!(target.list(USER).await.unwrap().is_empty());
    for (body, expected) in [
        (r#"{"totalResults":3,"Resources":[]}"#, "protocol"),
        (r#"{"totalResults":1,"Resources":[{"userName":"no id"}]}"#, "protocol"),
        (r#"{"Resources":7}"#, "protocol"),
        ("[]", "protocol"),
        ("<html>", "protocol"),
        (r#"{"totalResults":0}"#, "ok"),
        (r#"{"totalResults":"0","Resources":null}"#, "ok"),
    ] {
        provider.fail_next(Fault::Answer { status: 200, headers: Vec::new(), body: body.to_owned() });
        assert_eq!(word(&target.list(USER).await), expected, "{body}");
    }
    provider.fail_next(Fault::Huge);
    assert_eq!(word(&target.list(USER).await), "protocol");
}

#[tokio::test]
async fn a_population_that_contradicts_itself_is_not_believed() {
    let provider = start().await;
    let target = provider.target();
    for body in [r#"{"totalResults":5,"Resources":[]}"#, r#"{"totalResults":0,"Resources":[{"id":"1"}]}"#] {
        provider.fail_next(Fault::Answer { status: 200, headers: Vec::new(), body: body.to_owned() });
        assert_eq!(target.population(USER).await.unwrap(), None, "{body}");
    }
}

#[tokio::test]
async fn memberships_that_are_as_they_should_be_are_done() {
    for members_hidden in [false, true] {
        let provider =
            with(|personality| (personality.readd_is_conflict, personality.members_hidden) = (true, members_hidden)).await;
        let (a, b, c) = (provider.add_user("a", json!({})), provider.add_user("b", json!({})), provider.add_user("c", json!({})));
        let eng = ResourceId::new(&provider.add_group("Eng", json!({ "members": [{ "value": a }] })));
        let mut settings = provider.settings();
        settings.dialect.capabilities.members_read = if members_hidden { MembersRead::None } else { MembersRead::Group };
        let target = scim::Provider::new(settings).unwrap();
        members(&target, &eng, &[&a], &[]).await.unwrap();
        members(&target, &eng, &[&a, &b, &c], &[]).await.unwrap();
        assert_eq!(provider.member_ids("Eng"), [a.clone(), b.clone(), c.clone()].into());
        members(&target, &eng, &[], &[&a, &b]).await.unwrap();
        members(&target, &eng, &[], &[&a, &c]).await.unwrap();
        members(&target, &eng, &[], &[&a]).await.unwrap();
        assert_eq!(provider.member_ids("Eng"), [].into());
        provider.assert_clean();
        provider.remove(eng.as_str());
        assert_eq!(word(&members(&target, &eng, &[&a], &[]).await), "not found");
        assert_eq!(word(&members(&target, &eng, &[], &[&a]).await), "not found");
    }
}

#[tokio::test]
async fn another_way_of_speaking_is_a_matter_of_knobs() {
    let provider = with(|personality| {
        personality.entra_requests = true;
        personality.manager_is_text = true;
        personality.member_remove = MemberRemove::ValueArray;
    })
    .await;
    let mut settings = provider.settings();
    settings.dialect.knobs = scim::Knobs {
        content_type: scim::ContentType::Json,
        op_case: scim::OpCase::Title,
        booleans: scim::Booleans::Text,
        member_remove: scim::MemberRemove::ValueArray,
        unset: scim::Unset::Empty,
        manager: scim::ManagerForm::Text,
        ..scim::Knobs::default()
    };
    let target = scim::Provider::new(settings).unwrap();
    let id =
        create(&target, user(&[("userName", "ada".into()), ("active", Value::Flag(true)), ("title", "x".into())])).await.unwrap();
    edit(&target, &id, &[("active", Some(Value::Flag(true)), Some(Value::Flag(false))), ("title", Some("x".into()), None)])
        .await
        .unwrap();
    let held = provider.user("ada").unwrap();
    assert_eq!((&held["active"], &held["title"]), (&json!(false), &json!("")));
    assert!(provider.writes().iter().any(|write| write.body["Operations"][0]["value"] == "False"), "it was said as text");
    let boss = EntryId::new("boss");
    let references = [(boss.clone(), ResourceId::new("7"))].into();
    edit_with(&target, &id, &[(MANAGER, None, Some(Value::Reference(boss)))], &references).await.unwrap();
    assert_eq!(target.get(USER, &id).await.unwrap().unwrap().attributes.get(&path(MANAGER)), Some(&"7".into()));
    let eng = create(&target, group("Eng")).await.unwrap();
    members(&target, &eng, &[id.as_str()], &[]).await.unwrap();
    members(&target, &eng, &[], &[id.as_str()]).await.unwrap();
    assert_eq!(provider.member_ids("Eng"), [].into());
    assert!(provider.writes().iter().all(|request| request.content_type.as_deref() == Some("application/json")));
    provider.assert_clean();
    // The same provider refuses the standard form of a removal, and says so.
    members(&target, &eng, &[id.as_str()], &[]).await.unwrap();
    assert_eq!(word(&members(&provider.target(), &eng, &[], &[id.as_str()]).await), "rejected");
}

#[tokio::test]
async fn one_resource_has_one_write_in_flight_and_others_do_not_wait() {
    let provider = with(|personality| personality.latency = Duration::from_millis(15)).await;
    let ids: Vec<String> = (0..4).map(|number| provider.add_user(&format!("u{number}"), json!({}))).collect();
    let target = std::sync::Arc::new(provider.target());
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..5 {
        for id in &ids {
            let (target, id) = (target.clone(), id.clone());
            tasks.spawn(async move { retitle(&target, &id).await.unwrap() });
        }
    }
    while let Some(result) = tasks.join_next().await {
        result.unwrap();
    }
    assert_eq!((provider.most_in_flight(), provider.writes().len()), (1, 20));
}

#[tokio::test]
async fn the_pace_is_the_targets_and_not_the_callers() {
    let provider = start().await;
    let id = ResourceId::new(&provider.add_user("ada", json!({})));
    let mut settings = provider.settings();
    settings.dialect.rates = scim::Rates::per_second(200.0, 1);
    let target = std::sync::Arc::new(scim::Provider::new(settings).unwrap());
    let started = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let (target, id) = (target.clone(), id.clone());
        tasks.spawn(async move { target.get(USER, &id).await.unwrap() });
    }
    while let Some(result) = tasks.join_next().await {
        result.unwrap();
    }
    assert!(started.elapsed() >= Duration::from_millis(95), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_probe_says_what_would_surprise() {
    for (personality, expected) in [
        (Personality::default(), vec![]),
        (
            Personality { filter: Filter::Ignored, ..Personality::default() },
            vec!["/Users ignores filters", "/Groups ignores filters"],
        ),
        (
            Personality { filter: Filter::Refused(400), ..Personality::default() },
            vec!["/Users refuses a look-up by userName", "/Groups refuses"],
        ),
        (Personality { paging: Paging::NoTotal, ..Personality::default() }, vec!["does not say how many users"]),
        (Personality { no_patch: true, ..Personality::default() }, vec!["announces that it has no PATCH"]),
    ] {
        let provider = Provider::start(personality).await;
        provider.add_user("ada", json!({}));
        provider.add_group("Eng", json!({}));
        let probe = provider.target().probe().await.unwrap();
        assert_eq!(probe.warnings.len(), expected.len(), "{:?}", probe.warnings);
        for (warning, part) in probe.warnings.iter().zip(expected) {
            assert!(warning.contains(part), "{warning}");
        }
        assert!(provider.writes().is_empty());
        provider.assert_clean();
    }
    let provider = start().await;
    provider.fail_when("GET", "/Groups", 1000, Fault::status(404));
    let probe = provider.target().probe().await.unwrap();
    assert!(probe.warnings[0].starts_with("Groups cannot be used"), "{:?}", probe.warnings);
    for (status, expected) in [(401, "unauthorized"), (403, "unauthorized")] {
        let provider = start().await;
        provider.fail_when("GET", "/Users", 1000, Fault::status(status));
        assert_eq!(word(&provider.target().probe().await), expected);
    }
}

#[tokio::test]
async fn settings_that_cannot_be_safe_are_refused() {
    let provider = start().await;
    let with_url = |url: &str| {
        let mut settings = provider.settings();
        settings.base_url = url::Url::parse(url).unwrap();
        settings
    };
    for (url, expected) in [
        ("http://scim.example.com/v2", "unavailable"),
        ("ftp://scim.example.com/v2", "unavailable"),
        ("https://scim.example.com/v2?tenant=1", "unavailable"),
        ("https://user:secret@scim.example.com/v2", "unavailable"),
        ("https://scim.example.com/v2", "ok"),
        ("http://localhost:1/", "ok"),
        ("http://[::1]:1/", "ok"),
        ("http://127.0.0.9:1/", "ok"),
    ] {
        let made = scim::Provider::new(with_url(url)).map(drop);
        assert_eq!(word(&made), expected, "{url}");
        assert!(!format!("{made:?}").contains("secret"));
    }
    let mut settings = with_url("http://scim.example.com/v2");
    settings.allow_cleartext = true;
    assert!(scim::Provider::new(settings).is_ok());
    for content in [None, Some("no certificate")] {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut settings = with_url("https://scim.example.com/v2");
        match content {
            Some(content) => {
                std::fs::write(file.path(), content).unwrap();
                settings.ca_file = Some(file.path().to_owned());
            }
            None => settings.ca_file = Some("/nowhere/ca.pem".into()),
        }
        assert_eq!(word(&scim::Provider::new(settings).map(drop)), "unavailable");
    }
}

#[tokio::test]
async fn a_certificate_is_trusted_only_through_the_ca_file() {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(std::sync::Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let provider = start().await;
    let back = provider.base_url().port().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut front) = acceptor.accept(stream).await else { return };
                let mut back = tokio::net::TcpStream::connect(("127.0.0.1", back)).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut front, &mut back).await;
            });
        }
    });
    let ca = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(ca.path(), made.cert.pem()).unwrap();
    let mut settings = provider.settings();
    settings.base_url = url::Url::parse(&format!("https://localhost:{port}/scim/v2")).unwrap();
    let refused = scim::Provider::new(settings.clone()).unwrap().population(USER).await;
    assert_eq!(word(&refused), "unavailable");
    assert!(format!("{refused:?}").contains("certificate"), "{refused:?}");
    settings.ca_file = Some(ca.path().to_owned());
    assert_eq!(scim::Provider::new(settings).unwrap().population(USER).await.unwrap(), Some(0));
}

#[tokio::test]
async fn a_few_requests_that_the_provider_stumbles_over_do_not_stop_the_others() {
    for fault in [Fault::status(500), Fault::status(403), Fault::LostRequest] {
        let provider = start().await;
        let (odd, id) = (provider.add_user("odd", json!({})), provider.add_user("ada", json!({})));
        let mut settings = provider.settings();
        settings.retry =
            scim::Retry { tries: 1, base: Duration::from_millis(1), max: Duration::from_secs(600), ..settings.retry };
        let target = scim::Provider::new(settings).unwrap();
        provider.fail_when("PATCH", &odd, 1000, fault.clone());
        for _ in 0..12 {
            let outcome = word(&retitle(&target, &odd).await);
            assert!(["answer lost", "rejected"].contains(&outcome), "{fault:?}: {outcome}");
        }
        retitle(&target, &id).await.unwrap();
        provider.assert_clean();
    }
}

#[tokio::test]
async fn what_fails_very_often_in_a_row_is_the_target_itself() {
    for (fault, expected) in [(Fault::status(500), "unavailable"), (Fault::status(403), "unauthorized")] {
        let provider = start().await;
        let id = provider.add_user("ada", json!({}));
        let mut settings = provider.settings();
        settings.retry = scim::Retry { tries: 1, max: Duration::from_secs(600), ..settings.retry };
        let target = scim::Provider::new(settings).unwrap();
        provider.fail_when("PATCH", "", 1000, fault.clone());
        let mut outcomes = Vec::new();
        for _ in 0..60 {
            outcomes.push(word(&retitle(&target, &id).await));
        }
        assert_eq!(outcomes.last(), Some(&expected), "{fault:?}: {outcomes:?}");
    }
}

#[tokio::test]
async fn a_look_up_that_the_provider_stumbles_over_is_made_by_its_list() {
    for fault in [302, 404, 405, 406, 414, 422, 431, 500, 502].map(Fault::status) {
        let provider = start().await;
        provider.add_user("ada", json!({}));
        let target = provider.target();
        assert_eq!(target.population(USER).await.unwrap(), Some(1));
        provider.fail_when("GET", "filter", 1000, fault.clone());
        let found = find(&target, USER, "userName", "ada").await.unwrap_or_else(|error| panic!("{fault:?}: {error}"));
        assert_eq!(found.len(), usize::from(!matches!(fault, Fault::Answer { status: 404, .. })), "{fault:?}");
    }
}

#[tokio::test]
async fn a_name_too_long_for_an_address_is_looked_for_in_the_list() {
    let provider = start().await;
    let long = "ä".repeat(40_000);
    let id = provider.add_user(&long, json!({}));
    let found = find(&provider.target(), USER, "userName", &long).await.unwrap();
    assert_eq!(found, [ResourceId::new(&id)]);
    assert!(provider.requests().iter().all(|request| !request.query.contains("filter")));
}

#[tokio::test]
async fn the_id_of_something_else_in_an_answer_is_not_taken_for_the_resources() {
    let answer = |body: &str| Fault::Answer { status: 200, headers: Vec::new(), body: body.to_owned() };
    for body in [r#"{"id":"job-1","status":"queued"}"#, r#"{"id":"job-1"}"#, r#"{"id":"..","userName":"ada"}"#, "{}", "[]"] {
        let provider = start().await;
        let id = provider.add_user("ada", json!({}));
        provider.fail_next(answer(body));
        assert_eq!(retitle(&provider.target(), &id).await.unwrap(), Outcome::Exists(ResourceId::new(&id)), "{body}");
    }
    let provider = start().await;
    let (ada, bob) = (provider.add_user("ada", json!({})), provider.add_user("bob", json!({})));
    provider.fail_when("GET", &ada, 1, answer(&format!(r#"{{"id":"{bob}","userName":"bob"}}"#)));
    assert_eq!(word(&provider.target().get(USER, &ResourceId::new(&ada)).await), "rejected");
}

#[tokio::test]
async fn a_404_to_a_change_is_believed_if_the_resource_cannot_be_read_either() {
    for (method, status) in [("PATCH", 404), ("PATCH", 410), ("DELETE", 404), ("DELETE", 410)] {
        let provider = start().await;
        let id = ResourceId::new(&provider.add_user("ada", json!({})));
        let target = provider.target();
        provider.fail_when(method, "", 1, Fault::status(status));
        let outcome = if method == "PATCH" { retitle(&target, id.as_str()).await } else { delete(&target, USER, &id).await };
        assert_eq!(word(&outcome), "rejected", "{method} {status}");
        assert!(provider.user("ada").is_some());
    }
}

#[tokio::test]
async fn an_id_that_no_address_can_hold_concerns_its_entry_alone() {
    let provider = start().await;
    for id in [".", "..", ""] {
        assert_eq!(word(&retitle(&provider.target(), id).await), "rejected");
    }
    assert!(provider.requests().is_empty());
}

#[tokio::test]
async fn a_redirect_after_answers_concerns_its_request_alone() {
    let provider = start().await;
    let id = provider.add_user("ada", json!({}));
    let target = provider.target();
    retitle(&target, &id).await.unwrap();
    provider.fail_next(Fault::redirect("https://blocked.example/"));
    assert_eq!(word(&retitle(&target, &id).await), "rejected");
    retitle(&target, &id).await.unwrap();
    assert!(provider.requests().iter().all(|request| request.token.is_some()));
}
