//! What we send, read by somebody else's parser and applied by somebody else's server: whatever the values are, a
//! filter asks for exactly one value, a path selects exactly one thing, and a PATCH makes the resource as desired.

use std::collections::BTreeMap;
use std::str::FromStr;

use ldap2scim::cycle::{Outcome, Target};
use ldap2scim::model::{AttributePath, Resource, ResourceId, ResourceType, Value};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, TestRunner};
use scim_v2::filter::{AttrExp, AttrPath, CompValue, CompareOp, Filter, PatchPath, PatchValuePath, ValFilter};

use crate::scim_server::{create, edit, find, group, members, named, path, user};
use crate::support::provider::{Personality, Provider};
use crate::support::scim_server::{Make, ScimServer};

/// What values are made of: all that means something in a filter, a path, JSON or an address, and some that do not.
const PIECES: &[&str] = &[
    "a",
    "Z",
    "0",
    " ",
    "\"",
    "\\",
    "\\\"",
    "+",
    "&",
    "%",
    "%22",
    ",",
    "[",
    "]",
    "(",
    ")",
    ".",
    ":",
    "#",
    "?",
    "/",
    "=",
    "'",
    ";",
    "é",
    "Ω",
    "北京",
    "😀",
    "\t",
    "\n",
    "\u{1}",
    "\u{7f}",
    " eq ",
    "\" or userName pr or \"",
    "\"] or members[value eq \"",
    "null",
    "{",
    "}",
];

/// Printable ones: some servers keep control characters out of what they hold.
fn hostile(pieces: &'static [&'static str]) -> impl Strategy<Value = String> {
    proptest::collection::vec(proptest::sample::select(pieces), 1..6).prop_map(|parts| parts.concat())
}

fn printable() -> impl Strategy<Value = String> {
    hostile(PIECES).prop_map(|text| text.chars().filter(|letter| !letter.is_control()).collect())
}

/// So many values, the same in every run.
fn drawn<T>(count: usize, strategy: &impl Strategy<Value = T>) -> Vec<T> {
    let mut runner = TestRunner::deterministic();
    (0..count).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// Runs a property over fresh values; a failure is made small and printed.
fn hold<T: std::fmt::Debug>(strategy: &impl Strategy<Value = T>, property: impl AsyncFn(T)) {
    let runtime = runtime();
    let mut runner = TestRunner::new(Config { cases: 48, failure_persistence: None, ..Config::default() });
    runner
        .run(strategy, |value| {
            runtime.block_on(property(value));
            Ok(())
        })
        .unwrap();
}

fn is(name: &str, value: &str) -> AttrExp {
    AttrExp::Comparison(AttrPath::with_name(name), CompareOp::Eq, CompValue::Str(value.to_owned()))
}

#[test]
fn a_look_up_asks_for_one_value_and_finds_it_alone() {
    hold(&(hostile(PIECES), hostile(PIECES)), async |(value, other)| {
        let provider = Provider::start_blocking(Personality::default());
        let target = provider.target();
        // Names are compared without case, and one that is all blanks is none.
        let (name, neighbour) = (format!("n{value}"), format!("m{other}"));
        let id = create(&target, named(&name)).await.unwrap();
        create(&target, named(&neighbour)).await.unwrap();
        let team = create(&target, group(&name)).await.unwrap();
        create(&target, group(&neighbour)).await.unwrap();
        provider.forget_requests();
        assert_eq!(find(&target, ResourceType::User, "userName", &name).await.unwrap(), [id]);
        assert_eq!(find(&target, ResourceType::Group, "displayName", &name).await.unwrap(), [team]);
        let asked: Vec<String> = provider
            .requests()
            .iter()
            .flat_map(|request| url::form_urlencoded::parse(request.query.as_bytes()).into_owned().collect::<Vec<_>>())
            .filter(|(parameter, _)| parameter == "filter")
            .map(|(_, text)| text)
            .collect();
        for (text, at) in asked.iter().zip(["userName", "displayName"]) {
            assert_eq!(Filter::from_str(text).unwrap(), Filter::Attr(is(at, &name)), "{text}");
        }
        assert_eq!(asked.len(), 2);
        provider.assert_clean();
    });
}

/// Every path of every PATCH that was sent, as somebody else reads it.
fn paths_sent(provider: &Provider) -> Vec<PatchPath> {
    let operations =
        |request: &crate::support::provider::Recorded| request.body["Operations"].as_array().cloned().unwrap_or_default();
    let sent = provider.requests().iter().filter(|request| request.method == "PATCH").flat_map(operations).collect::<Vec<_>>();
    sent.iter()
        .map(|operation| {
            let text = operation["path"].as_str().unwrap();
            PatchPath::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"))
        })
        .collect()
}

#[test]
fn a_member_is_removed_by_a_path_that_selects_that_member_alone() {
    hold(&hostile(PIECES), async |id| {
        let provider = Provider::start_blocking(Personality { unknown_member: 0, ..Personality::default() });
        let target = provider.target();
        let team = create(&target, group("team")).await.unwrap();
        members(&target, &team, &[&id, "stays"], &[]).await.unwrap();
        provider.forget_requests();
        members(&target, &team, &[], &[&id]).await.unwrap();
        let selected =
            PatchValuePath { attr: AttrPath::with_name("members"), filter: ValFilter::Attr(is("value", &id)), sub_attr: None };
        assert_eq!(paths_sent(&provider), [PatchPath::Value(selected)]);
        assert_eq!(provider.member_ids("team"), ["stays".to_owned()].into());
        provider.assert_clean();
    });
}

/// Paths of every shape.
const PATHS: &[&str] = &[
    "title",
    "displayName",
    "name.givenName",
    "name.familyName",
    r#"emails[type eq "work"].value"#,
    r#"phoneNumbers[type eq "mobile"].value"#,
    r#"phoneNumbers[type eq "work"].value"#,
    r#"addresses[type eq "work"].locality"#,
    r#"addresses[type eq "work"].country"#,
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department",
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber",
];

type Attributes = BTreeMap<AttributePath, Value>;

/// Some of the paths, with values; an address is one to look at for what checks addresses.
fn resource() -> impl Strategy<Value = Attributes> {
    let one = |text: &'static str| {
        let value = if text.starts_with("emails") {
            (0..9_u32).prop_map(|number| format!("user{number}@example.com")).boxed()
        } else if text.starts_with("phone") {
            (0..9_u32).prop_map(|number| format!("+4412345678{number}")).boxed()
        } else {
            printable().prop_map(|value| format!("v{value}v")).boxed()
        };
        proptest::option::of(value).prop_map(move |value| value.map(|value| (path(text), Value::from(value.as_str()))))
    };
    PATHS.iter().map(|text| one(text)).collect::<Vec<_>>().prop_map(|all| all.into_iter().flatten().collect())
}

/// A user is made as `before`, changed by the difference, and read.
async fn after_a_patch(target: &ldap2scim::scim::Provider, name: &str, before: &Attributes, after: &Attributes) -> Attributes {
    let mut whole: Resource = user(&[("userName", name.into()), ("active", Value::Flag(true))]);
    whole.attributes.extend(before.clone());
    let id: ResourceId = create(target, whole).await.unwrap();
    let edits: Vec<(&str, Option<Value>, Option<Value>)> = PATHS
        .iter()
        .map(|text| (*text, before.get(&path(text)).cloned(), after.get(&path(text)).cloned()))
        .filter(|(_, before, after)| before != after)
        .collect();
    if !edits.is_empty() {
        assert_eq!(edit(target, &id, &edits).await.unwrap(), Outcome::Exists(id.clone()));
    }
    let read = target.get(ResourceType::User, &id).await.unwrap().unwrap();
    read.attributes.into_iter().filter(|(at, _)| PATHS.contains(&at.as_str())).collect()
}

#[test]
fn every_path_that_is_sent_is_one_to_others() {
    hold(&(resource(), resource()), async |(before, after)| {
        let provider = Provider::start_blocking(Personality::default());
        assert_eq!(after_a_patch(&provider.target(), "ada", &before, &after).await, after);
        paths_sent(&provider);
        provider.assert_clean();
    });
}

async fn holds_what_is_desired(make: Make) {
    let server = ScimServer::start_as(make).await;
    let target = server.target();
    for (number, (before, after)) in drawn(12, &(resource(), resource())).into_iter().enumerate() {
        let read = after_a_patch(&target, &format!("user{number}"), &before, &after).await;
        assert_eq!(read, after, "{make:?} {number}, made of {before:?}");
    }
}

#[tokio::test]
async fn scim2_server_holds_what_is_desired_after_our_patch() {
    holds_what_is_desired(Make::Scim2Server).await;
}

#[tokio::test]
async fn scimmy_holds_what_is_desired_after_our_patch() {
    holds_what_is_desired(Make::Scimmy).await;
}

#[tokio::test]
async fn hostile_names_are_found_again_by_real_servers() {
    for make in [Make::Scim2Server, Make::Scimmy] {
        let server = ScimServer::start_as(make).await;
        let target = server.target();
        let mut made = Vec::new();
        for (number, name) in drawn(16, &printable()).into_iter().enumerate() {
            // SCIMMY takes the escapes of a filter's string literally, so that it finds nobody with a backslash.
            let name = if make == Make::Scimmy { name.replace('\\', "/") } else { name };
            let name = format!("{number}x{name}x");
            made.push((create(&target, named(&name)).await.unwrap(), name));
        }
        for (id, name) in made {
            // A target of its own, so that what one look-up taught does not help the next.
            let target = server.target();
            assert_eq!(find(&target, ResourceType::User, "userName", &name).await.unwrap(), [id], "{make:?} {name:?}");
        }
    }
}
