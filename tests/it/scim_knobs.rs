//! Every knob, proven: one story of a company is told through whole cycles with a knob as it stands by default and as it
//! can stand otherwise, and what goes over the wire differs as the knob says. What a story cannot show is proven where it
//! says.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::json;

use ldap2scim::cycle::{Target, TargetError};
use ldap2scim::mapping;
use ldap2scim::model::{AttributeName, ResourceId, ResourceType, Status};
use ldap2scim::plan::{MappingChoice, UserRemoval};
use ldap2scim::scim::{self, KNOBS, SaidBy};

use crate::scim_server::{create, edit, members, named};
use crate::support::bridge::Bridge;
use crate::support::provider::{Fault, Personality, Provider};

/// What a story shows with a knob, and does not show without it.
enum Shows {
    /// A line with all of these parts.
    Has(&'static [&'static str]),
    /// No line with all of these parts.
    Lacks(&'static [&'static str]),
    /// More lines with this part.
    More(&'static str),
    /// Each request with this part.
    Each(&'static str),
    /// After the move of ada, a line with the first part comes before any with the second.
    First(&'static str, &'static str),
}

use Shows::{Each, First, Has, Lacks, More};

/// A knob, how it can stand, and what that shows.
const CASES: &[(&str, &str, Shows)] = &[
    ("match_users", "externalId, userName", Has(&["/Users?filter=externalId"])),
    ("match_groups", "externalId, displayName", Has(&["/Groups?filter=externalId"])),
    ("required", "userName, title", Has(&["held uid=ada", "title"])),
    ("only", "userName, active, externalId", Lacks(&["/Users", "familyName"])),
    ("never", "title", Lacks(&[r#""path":"title""#])),
    ("single", "emails", Lacks(&[r#""type":"other""#])),
    ("longest", "title 5", Has(&["held uid=bob", "title"])),
    ("user_updates", "active", Lacks(&["PATCH", r#""path":"title""#])),
    ("user_immutable", "title", Lacks(&["PATCH", r#""path":"title""#])),
    ("group_updates", "externalId", Lacks(&["PATCH", r#""value":"builders""#])),
    ("group_immutable", "displayName", Lacks(&["PATCH", r#""value":"builders""#])),
    ("members_per_request", "1", More("PATCH /Groups")),
    ("most_members", "2", Has(&["held staff"])),
    ("members_read", "none", Lacks(&["GET /Groups/"])),
    ("group_external_id", "no", Lacks(&["/Groups", "externalId"])),
    ("deactivate_is_delete", "yes", Has(&["filter=userName%20eq%20%22bob"])),
    ("delete_is_deactivate", "yes", Lacks(&["filter=userName%20eq%20%22bob"])),
    ("removes_first", "yes", First(r#""op":"remove","path":"members["#, r#""op":"add","path":"members""#)),
    ("content_type", "json", Has(&["labelled application/json"])),
    ("headers", "X-Version: 7 | X-Tenant: t", Each("x-version=7 x-tenant=t")),
    ("discovery", "off", Lacks(&["GET /ServiceProviderConfig"])),
    ("user_update", "put", Has(&["PUT /Users/"])),
    ("group_update", "put", Has(&["PUT /Groups/"])),
    ("patch_form", "pathless", Has(&[r#"{"op":"replace","value":{"active":false}}"#])),
    ("put_mode", "full", Lacks(&["GET /Users/"])),
    ("op_case", "title", Has(&[r#""op":"Replace""#])),
    ("booleans", "text", Has(&[r#""value":"False""#])),
    ("member_remove", "value_array", Has(&[r#""op":"remove","path":"members","value":[{"#])),
    ("member_type", "yes", Has(&[r#""type":"User","value""#])),
    ("create_with_members", "yes", Has(&["POST /Groups", r#""members":[{"#])),
    ("unset", "empty", Has(&[r#""path":"title","value":"""#])),
    ("manager", "text", Has(&["POST /Users", r#""manager":""#])),
    ("filter", "scan", Lacks(&["?filter="])),
    ("unfilterable_users", "userName", Lacks(&["/Users?filter="])),
    ("unfilterable_groups", "displayName", Lacks(&["/Groups?filter="])),
    ("scan_limit", "0", Lacks(&["count=100"])),
    ("pagination", "cursor", Has(&["cursor="])),
    ("page_size", "7", Has(&["count=7"])),
    ("excluded_attributes", "no", Lacks(&["excludedAttributes=members"])),
];

/// Knobs that stand otherwise in both stories, so that the one in question has something to decide.
const WITH: &[(&str, &[(&str, &str)])] = &[("put_mode", &[("user_update", "put")])];

/// What is about time, about the configuration or about answers: the file and the test that prove it.
const ELSEWHERE: &[(&str, &str, &str)] = &[
    (
        "groups",
        "src/config/tests/accepted.rs",
        "what_a_channel_leaves_out_about_groups_is_the_target_s_and_where_there_are_none_they_are_refused",
    ),
    ("nesting", "src/config/tests/accepted.rs", "what_a_channel_leaves_out_is_as_the_targets_dialect_has_it"),
    ("user_removal", "src/config/tests/accepted.rs", "what_a_channel_leaves_out_is_as_the_targets_dialect_has_it"),
    ("group_removal", "src/config/tests/accepted.rs", "what_a_channel_leaves_out_is_as_the_targets_dialect_has_it"),
    (
        "user_delete",
        "src/config/tests/accepted.rs",
        "users_whose_deletion_destroys_are_deleted_only_where_the_target_s_section_says_so",
    ),
    ("etag", "tests/it/scim_dialects.rs", "writes_carry_the_version_that_was_read_and_are_built_anew_on_412"),
    ("settle", "tests/it/scim_dialects.rs", "what_is_new_is_given_time_to_show"),
    ("bulk", "tests/it/scim_bulk.rs", "changes_of_one_moment_travel_together_and_each_is_told_of_its_own"),
    ("bulk_operations", "tests/it/scim_bulk.rs", "a_load_that_is_too_large_is_halved_and_the_number_is_remembered"),
    ("bulk_payload", "tests/it/scim_bulk.rs", "a_load_keeps_to_the_octets_that_are_allowed"),
    ("longest_body", "tests/it/scim_pace.rs", "a_body_that_is_too_long_is_refused_before_it_is_sent"),
    ("burst", "src/scim/pacing/tests.rs", "a_second_is_spaced_evenly_and_a_burst_goes_at_once"),
    ("rate", "tests/it/scim_knobs.rs", "a_rate_of_a_kind_ends_that_kind_alone"),
    ("rate_read", "tests/it/scim_knobs.rs", "a_rate_of_a_kind_ends_that_kind_alone"),
    ("rate_user_create", "tests/it/scim_knobs.rs", "a_rate_of_a_kind_ends_that_kind_alone"),
    ("rate_user_update", "tests/it/scim_knobs.rs", "a_rate_of_a_kind_ends_that_kind_alone"),
    ("rate_group_update", "tests/it/scim_knobs.rs", "a_rate_of_a_kind_ends_that_kind_alone"),
    ("workers", "src/config/tests/accepted.rs", "what_is_left_out_has_its_default"),
    ("tries", "tests/it/scim_knobs.rs", "tries_and_the_longest_pause_are_as_the_dialect_says"),
    ("longest_pause", "tests/it/scim_knobs.rs", "tries_and_the_longest_pause_are_as_the_dialect_says"),
];

#[test]
fn every_knob_is_proven_somewhere_and_once() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    for (knob, file, test) in ELSEWHERE {
        let text = std::fs::read_to_string(root.join(file)).unwrap();
        assert!(text.contains(&format!("fn {test}(")), "{knob}: there is no {test} in {file}");
    }
    let mut proven: Vec<&str> = CASES.iter().map(|case| case.0).chain(ELSEWHERE.iter().map(|one| one.0)).collect();
    let mut all: Vec<&str> = KNOBS.iter().map(|knob| knob.name).collect();
    proven.sort_unstable();
    all.sort_unstable();
    assert_eq!(proven, all);
}

/// What was sent and who was held, line by line.
async fn story(knobs: &[(&str, &str)]) -> Vec<String> {
    let personality = Personality { any_client: true, entra_requests: true, ..Personality::default() };
    let mut bridge = Bridge::start_as(personality, |settings| {
        for (name, value) in knobs {
            assert_eq!(settings.dialect.set(name, value, SaidBy::Configuration), Ok(true), "{name}");
        }
    })
    .await;
    if knobs.iter().any(|(name, _)| *name == "delete_is_deactivate") {
        bridge.provider.change_personality(|personality| personality.lifecycle.delete_switches_off = true);
        bridge.rules.user_removal = UserRemoval::Delete;
    }
    let capabilities = &bridge.settings.dialect.capabilities;
    let mapping = mapping::compile(mapping::Preset::InetOrgPerson, &[], capabilities).unwrap();
    bridge.rules.mapping = MappingChoice::Fixed(Box::new(mapping));
    bridge.provider.add_user("stranger", json!({ "active": true }));
    bridge.provider.add_group("makers", json!({}));
    for name in ["ada", "bob", "eve"] {
        bridge.directory.add_user(name);
    }
    bridge.directory.change("id-bob", |entry| {
        entry.attributes.get_mut(&AttributeName::new("mail")).unwrap().push("bob@home.example".into());
    });
    bridge.directory.set_manager("ada", "eve");
    bridge.directory.set("eve", "title", "Boss");
    bridge.directory.put_group("staff", &["ada", "bob", "eve"]);
    bridge.directory.put_group("makers", &["ada", "bob"]);
    bridge.directory.put_group("idle", &[]);
    let mut lines = Vec::new();
    tell(&bridge, &mut lines, "the first load").await;
    bridge.directory.change("id-eve", |entry| {
        entry.attributes.remove(&AttributeName::new("title"));
    });
    bridge.directory.set("bob", "title", "Builder");
    bridge.directory.change("id-g-makers", |entry| {
        entry.attributes.get_mut(&AttributeName::new("cn")).unwrap()[0] = "builders".into();
    });
    bridge.directory.add_user("zoe");
    bridge.directory.put_group("late", &["zoe"]);
    tell(&bridge, &mut lines, "changes").await;
    bridge.directory.put_group("staff", &["bob", "eve"]);
    bridge.directory.put_group("idle", &["ada"]);
    tell(&bridge, &mut lines, "ada moves").await;
    bridge.directory.set_status("eve", Status::Disabled);
    bridge.directory.remove("id-bob");
    bridge.directory.remove("id-g-late");
    tell(&bridge, &mut lines, "leavers").await;
    bridge.directory.add_user("bob");
    tell(&bridge, &mut lines, "a return").await;
    lines.push("-- a full look".to_owned());
    bridge.provider.forget_requests();
    bridge.resync().await;
    lines.extend(sent(&bridge));
    lines
}

async fn tell(bridge: &Bridge, lines: &mut Vec<String>, chapter: &str) {
    lines.push(format!("-- {chapter}"));
    bridge.provider.forget_requests();
    let report = bridge.sync().await;
    lines.extend(sent(bridge));
    lines.extend(report.held.iter().map(|held| format!("held {}: {}", held.name, held.why)));
    lines.extend(report.error.map(|error| format!("error {error}")));
}

fn sent(bridge: &Bridge) -> Vec<String> {
    let one = |request: crate::support::provider::Recorded| {
        let label = request.content_type.as_deref().unwrap_or("nothing").to_owned();
        let more = |name: &str| request.headers.get(name).map(|value| format!("{name}={value} ")).unwrap_or_default();
        format!("{} labelled {label} {}{}{}", request.line(), more("x-version"), more("x-tenant"), request.body)
    };
    bridge.provider.requests().into_iter().map(one).collect()
}

fn is_request(line: &str) -> bool {
    ["GET ", "POST ", "PUT ", "PATCH ", "DELETE "].iter().any(|method| line.starts_with(method))
}

fn count(lines: &[String], parts: &[&str]) -> usize {
    lines.iter().filter(|line| parts.iter().all(|part| line.contains(part))).count()
}

fn holds(shows: &Shows, with: &[String], without: &[String]) -> bool {
    let is_first = |lines: &[String], first: &str, second: &str| {
        let chapter = || lines.iter().skip_while(|line| *line != "-- ada moves");
        let place = |part: &str| chapter().position(|line| line.contains(part)).expect(part);
        place(first) < place(second)
    };
    match shows {
        Has(parts) => count(with, parts) > 0 && count(without, parts) == 0,
        Lacks(parts) => count(with, parts) == 0 && count(without, parts) > 0,
        More(part) => count(with, &[part]) > count(without, &[part]),
        Each(part) => with.iter().filter(|line| is_request(line)).all(|line| line.contains(part)) && count(without, &[part]) == 0,
        First(first, second) => is_first(with, first, second) && !is_first(without, first, second),
    }
}

#[tokio::test]
async fn every_knob_changes_what_is_sent_as_it_says() {
    let mut tales: BTreeMap<Vec<(&str, &str)>, Vec<String>> = BTreeMap::new();
    let mut wrong = BTreeSet::new();
    for (knob, value, shows) in CASES {
        let mut base: Vec<(&str, &str)> = WITH.iter().filter(|one| one.0 == *knob).flat_map(|one| one.1).copied().collect();
        if *knob == "delete_is_deactivate" {
            base.push((knob, "no"));
        }
        if !tales.contains_key(&base) {
            let tale = story(&base).await;
            tales.insert(base.clone(), tale);
        }
        let otherwise: Vec<(&str, &str)> = base.iter().filter(|one| one.0 != *knob).copied().chain([(*knob, *value)]).collect();
        let with = story(&otherwise).await;
        if !holds(shows, &with, &tales[&base]) {
            println!("{knob}: {value}\n{}\n\nand without it\n{}\n", with.join("\n"), tales[&base].join("\n"));
            wrong.insert(*knob);
        }
    }
    assert!(wrong.is_empty(), "not as they say: {wrong:?}");
}

/// One request of each kind; those that were sent.
async fn one_of_each(target: &scim::Provider, user: &ResourceId, group: &ResourceId, name: &str) -> Vec<&'static str> {
    let outcomes = [
        ("rate_read", target.get(ResourceType::User, user).await.map(drop)),
        ("rate_user_create", create(target, named(name)).await.map(drop)),
        ("rate_user_update", edit(target, user, &[("title", None, Some(name.into()))]).await.map(drop)),
        ("rate_group_update", members(target, group, &[user.as_str()], &[]).await.map(drop)),
    ];
    let went = |(kind, outcome): (&'static str, Result<(), TargetError>)| match outcome {
        Ok(()) => Some(kind),
        Err(TargetError::Unavailable(why)) if why.contains("an hour") => None,
        Err(other) => panic!("{kind}: {other:?}"),
    };
    outcomes.into_iter().filter_map(went).collect()
}

#[tokio::test]
async fn a_rate_of_a_kind_ends_that_kind_alone() {
    let all = ["rate_read", "rate_user_create", "rate_user_update", "rate_group_update"];
    for knob in all.into_iter().chain(["rate"]) {
        let provider = Provider::start(Personality::default()).await;
        let user = ResourceId::new(&provider.add_user("ada", json!({})));
        let group = ResourceId::new(&provider.add_group("Eng", json!({})));
        let mut settings = provider.settings();
        let allowed = if knob == "rate" { "1000/s, 4/h" } else { "1000/s, 1/h" };
        assert_eq!(settings.dialect.set(knob, allowed, SaidBy::Configuration), Ok(true));
        let target = scim::Provider::new(settings).unwrap();
        assert_eq!(one_of_each(&target, &user, &group, "bob").await, all, "{knob}: the first of each");
        let expected: Vec<&str> = all.into_iter().filter(|kind| knob != "rate" && *kind != knob).collect();
        assert_eq!(one_of_each(&target, &user, &group, "eve").await, expected, "{knob}: the second of each");
    }
}

#[tokio::test]
async fn tries_and_the_longest_pause_are_as_the_dialect_says() {
    let provider = Provider::start(Personality::default()).await;
    let id = ResourceId::new(&provider.add_user("ada", json!({})));
    let mut dialect = provider.settings().dialect;
    for (knob, value) in [("tries", "2"), ("longest_pause", "3")] {
        assert_eq!(dialect.set(knob, value, SaidBy::Configuration), Ok(true));
    }
    let mut settings = scim::Settings::new("provider", provider.base_url(), provider.settings().auth, dialect);
    settings.retry.max = Duration::from_millis(5);
    let target = scim::Provider::new(settings).unwrap();
    provider.fail_times(100, Fault::LostRequest);
    assert!(matches!(target.get(ResourceType::User, &id).await, Err(TargetError::Unavailable(_))));
    assert_eq!(provider.requests().len(), 2);
    provider.heal();
    provider.fail_next(Fault::too_many("4"));
    let outcome = target.get(ResourceType::User, &id).await;
    assert!(matches!(outcome, Err(TargetError::Unavailable(_))), "{outcome:?}");
}
