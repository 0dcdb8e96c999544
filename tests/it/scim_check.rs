//! What a target says of itself: how far it is heeded, and what `check` makes of it.

use serde_json::{Value as Json, json};

use ldap2scim::mapping::{Preset, compile};
use ldap2scim::model::{AttributePath, Knowledge, ResourceType, Witness};
use ldap2scim::scim::{self, SaidBy};

use crate::support::bridge::Bridge;
use crate::support::provider::documents::{Documents, listed};
use crate::support::provider::schemas::user_schema;
use crate::support::provider::{Fault, Filter, Personality, Provider, Recorded};

const USER: ResourceType = ResourceType::User;

fn announcing(announced: Json) -> Personality {
    Personality { documents: Documents { announced, ..Documents::default() }, ..Personality::default() }
}

/// A target with these knobs in its configuration.
fn target(provider: &Provider, knobs: &[(&str, &str)]) -> scim::Provider {
    let mut settings = provider.settings();
    for (knob, value) in knobs {
        assert_eq!(settings.dialect.set(knob, value, SaidBy::Configuration), Ok(true), "{knob}");
    }
    scim::Provider::new(settings).unwrap()
}

fn lines(provider: &Provider) -> Vec<String> {
    provider.requests().iter().map(Recorded::line).collect()
}

fn asked(provider: &Provider, part: &str) -> usize {
    lines(provider).iter().filter(|line| line.contains(part)).count()
}

/// Rows that are not as by default, as `knob=value (from)`.
fn rows(dialect: &scim::Dialect) -> Vec<String> {
    let rows = dialect.rows().into_iter().filter(|row| row.from != "default");
    rows.map(|row| format!("{}={} ({})", row.name, row.value, row.from)).collect()
}

#[tokio::test]
async fn a_filter_that_is_ignored_is_refused_for_matching() {
    let provider = Provider::start(Personality { filter: Filter::Ignored, ..Personality::default() }).await;
    provider.add_user("ada", json!({}));
    provider.add_group("Eng", json!({}));
    let probe = provider.target().probe().await.unwrap();
    assert_eq!(rows(&probe.dialect), ["unfilterable_users=userName (learnt)", "unfilterable_groups=displayName (learnt)"]);
    assert!(probe.warnings.iter().all(|warning| warning.contains("nothing is matched by this filter")), "{:?}", probe.warnings);
    assert_eq!(probe.warnings.len(), 2);
}

#[tokio::test]
async fn a_filter_that_is_refused_is_not_relied_on_and_one_that_fails_by_the_way_is() {
    for (status, learnt) in [(400, "userName"), (501, "userName"), (500, "")] {
        let provider = Provider::start(Personality::default()).await;
        provider.fail_when("GET", "/Users?filter=", 1000, Fault::status(status));
        let probe = provider.target().probe_for(&[USER]).await.unwrap();
        assert_eq!(probe.dialect.value("unfilterable_users"), learnt, "{status}");
        assert!(probe.warnings[0].starts_with("/Users refuses a look-up by userName"), "{:?}", probe.warnings);
    }
}

#[tokio::test]
async fn every_attribute_that_resources_are_matched_by_is_proved() {
    let provider = Provider::start(Personality::default()).await;
    let target = target(&provider, &[("match_users", "externalId, userName")]);
    target.probe().await.unwrap();
    for part in ["/Users?filter=externalId%20eq", "/Users?filter=userName%20eq", "/Groups?filter=displayName%20eq"] {
        assert_eq!(asked(&provider, part), 1, "{part}: {:?}", lines(&provider));
    }
    provider.assert_clean();
}

#[tokio::test]
async fn what_is_not_wanted_is_not_asked_for() {
    let provider = Provider::start(Personality::default()).await;
    let probe = provider.target().probe_for(&[USER]).await.unwrap();
    assert_eq!((probe.users, probe.groups, asked(&provider, "/Groups")), (Some(0), None, 0));
    provider.forget_requests();
    target(&provider, &[("filter", "scan"), ("discovery", "off")]).probe().await.unwrap();
    assert_eq!(asked(&provider, "filter="), 0);
    for place in ["/ServiceProviderConfig", "/Schemas", "/ResourceTypes"] {
        assert_eq!(asked(&provider, place), 0, "{place}");
    }
}

#[tokio::test]
async fn what_is_announced_counts_less_than_what_is_configured_or_known() {
    let announced = json!({ "filter": { "maxResults": 40 }, "bulk": { "supported": false } });
    let provider = Provider::start(announcing(announced)).await;
    let probe = provider.target().probe().await.unwrap();
    assert_eq!((rows(&probe.dialect), probe.warnings), (vec!["page_size=40 (announced)".to_owned()], vec![]));
    let configured = target(&provider, &[("page_size", "90"), ("bulk", "yes")]).probe().await.unwrap();
    assert_eq!(rows(&configured.dialect), ["page_size=90 (configuration)", "bulk=no (announced)"]);
    assert_eq!(configured.dialect.capabilities.changes_per_request, 1);
    assert_eq!(configured.warnings.len(), 1, "{:?}", configured.warnings);
    assert!(configured.warnings[0].contains("allows bulk"), "{:?}", configured.warnings);
    let mut settings = provider.settings();
    settings.dialect = scim::preset("slack").unwrap();
    settings.dialect.rates = scim::Rates::per_second(10_000.0, 100);
    let slack = scim::Provider::new(settings).unwrap().probe_for(&[USER]).await;
    assert!(slack.unwrap().dialect.rows().iter().any(|row| row.name == "page_size" && row.from == "preset slack"));
}

#[tokio::test]
async fn without_patch_resources_are_put_unless_somebody_says_otherwise() {
    let provider = Provider::start(Personality { no_patch: true, ..Personality::default() }).await;
    let probe = provider.target().probe().await.unwrap();
    assert_eq!(rows(&probe.dialect), ["user_update=put (announced)", "group_update=put (announced)"]);
    assert!(probe.warnings[0].contains("announces that it has no PATCH, so resources are changed by PUT"));
    let sure = target(&provider, &[("user_update", "patch"), ("group_update", "patch")]).probe().await.unwrap();
    assert!(sure.warnings[0].contains("and its dialect says that it has"), "{:?}", sure.warnings);
    assert_eq!(sure.dialect.value("user_update"), "patch");
}

#[tokio::test]
async fn an_announcement_that_cannot_be_had_changes_nothing() {
    for fault in [Fault::status(404), Fault::status(403), Fault::html(200), Fault::status(500), Fault::LostRequest] {
        let provider = Provider::start(announcing(json!({ "filter": { "maxResults": 40 } }))).await;
        provider.fail_when("GET", "/ServiceProviderConfig", 1000, fault.clone());
        let probe = provider.target().probe().await.unwrap();
        assert_eq!(rows(&probe.dialect), Vec::<String>::new(), "{fault:?}");
    }
}

#[tokio::test]
async fn an_announcement_elsewhere_is_found_where_the_dialect_says() {
    let documents = Documents {
        announced: json!({ "filter": { "maxResults": 40 } }),
        announced_at: "/ServiceProviderConfigs",
        ..Documents::default()
    };
    let provider = Provider::start(Personality { documents, ..Personality::default() }).await;
    assert_eq!(provider.target().probe().await.unwrap().dialect.value("page_size"), "100");
    let target = target(&provider, &[("discovery", "/ServiceProviderConfigs")]);
    assert_eq!(target.probe().await.unwrap().dialect.value("page_size"), "40");
}

/// What is known of the target, as `knob=value`.
fn announced(knowledge: &Knowledge) -> Vec<String> {
    let facts = knowledge.iter().filter(|(_, fact)| fact.witness == Witness::Announced);
    facts.map(|(knob, fact)| format!("{knob}={}", fact.value)).collect()
}

#[tokio::test]
async fn a_cycle_asks_what_the_target_can_in_the_first_one_and_in_a_resync() {
    let bridge = Bridge::start(announcing(json!({ "filter": { "maxResults": 40 } }))).await;
    bridge.directory.add_user("ada");
    let config = "/ServiceProviderConfig";
    bridge.synced().await;
    assert_eq!(asked(&bridge.provider, config), 1);
    assert_eq!(announced(&bridge.snapshot().await.knowledge), ["page_size=40"]);
    bridge.assert_silent().await;
    assert_eq!(announced(&bridge.snapshot().await.knowledge), ["page_size=40"]);
    let another = json!({ "filter": { "maxResults": 200 }, "bulk": { "maxOperations": 10 } });
    bridge.provider.change_personality(|personality| personality.documents.announced = another);
    bridge.resync().await;
    assert_eq!(asked(&bridge.provider, config), 1);
    assert_eq!(announced(&bridge.snapshot().await.knowledge), ["bulk_operations=10"], "what is no longer said no longer counts");
    bridge.provider.fail_when("GET", config, 1000, Fault::status(404));
    bridge.resync().await;
    assert_eq!(announced(&bridge.snapshot().await.knowledge), ["bulk_operations=10"], "no answer takes nothing back");
}

/// What `check` says of the schemas to somebody who maps inetOrgPerson as it comes.
async fn surprises(documents: Documents) -> Vec<String> {
    let provider = Provider::start(Personality { documents, ..Personality::default() }).await;
    let probe = provider.target().probe().await.unwrap();
    provider.assert_clean();
    let mapping = compile(Preset::InetOrgPerson, &[], &probe.dialect.capabilities).unwrap();
    let paths: Vec<AttributePath> = mapping.rules.iter().map(|rule| rule.path.clone()).collect();
    probe.warnings.into_iter().chain(probe.schemas.surprises(&paths, true, &probe.dialect)).collect()
}

#[tokio::test]
async fn schemas_that_fit_say_nothing_nor_do_those_that_are_missing_or_odd() {
    assert_eq!(surprises(Documents::default()).await, Vec::<String>::new());
    for odd in [Json::Null, json!([]), json!({}), json!("text"), json!({ "Resources": [{ "id": 7 }, null] })] {
        let documents = Documents { schemas: Some(odd.clone()), resource_types: Some(odd.clone()), ..Documents::default() };
        assert_eq!(surprises(documents).await, Vec::<String>::new(), "{odd}");
    }
}

#[tokio::test]
async fn a_mapping_that_the_schema_does_not_take_is_told() {
    let mut schema = user_schema();
    let attributes = schema["attributes"].as_array_mut().unwrap();
    attributes.retain(|attribute| attribute["name"] != "title");
    for (name, key, value) in [
        ("userName", "mutability", json!("immutable")),
        ("timezone", "required", json!(true)),
        ("name", "mutability", json!("readOnly")),
    ] {
        attributes.iter_mut().find(|attribute| attribute["name"] == name).unwrap()[key] = value;
    }
    let emails = attributes.iter_mut().find(|attribute| attribute["name"] == "emails").unwrap();
    let kind = emails["subAttributes"].as_array_mut().unwrap().iter_mut().find(|part| part["name"] == "type").unwrap();
    kind["canonicalValues"] = json!(["home", "other"]);
    let told = surprises(Documents { schemas: Some(listed(vec![schema])), ..Documents::default() }).await;
    for part in [
        "has no title",
        "userName of a user is immutable",
        "name.givenName of a user is read-only",
        "emails of type work are mapped",
        "requires timezone of a user",
        "has no extension urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
    ] {
        assert!(told.iter().any(|warning| warning.contains(part)), "{part}: {told:#?}");
    }
}
