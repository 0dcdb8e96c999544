//! The target against a real third-party SCIM server.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use ldap2scim::cycle::{Lookup, Outcome, References, Target, TargetError};
use ldap2scim::model::{AttributePath, EntryId, Resource, ResourceId, ResourceType, Value};
use ldap2scim::plan::{Action, Change, ClaimAfter, Edit, Reason, Tally};
use ldap2scim::scim;

use crate::support::provider::{Personality, Provider};
use crate::support::scim_server::ScimServer;

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// Values that a filter, a path or an address must not stumble over.
pub const AWKWARD: &[&str] = &[
    "plain@example.com",
    "two  spaces",
    r#"quo"ted"#,
    r"back\slash",
    r#"\" eq ""#,
    "a+b&c=d,e%20f#g?h/i",
    "Zoë Ångström 北京",
    "o'neil; drop",
    "50%",
];

pub fn path(text: &str) -> AttributePath {
    AttributePath::parse(text).unwrap()
}

pub fn user(attributes: &[(&str, Value)]) -> Resource {
    let mut user = Resource::empty(ResourceType::User);
    user.attributes = attributes.iter().map(|(text, value)| (path(text), value.clone())).collect();
    user
}

pub fn named(name: &str) -> Resource {
    user(&[("userName", name.into()), ("active", Value::Flag(true))])
}

pub fn group(name: &str) -> Resource {
    let mut group = Resource::empty(ResourceType::Group);
    group.attributes.insert(path("displayName"), name.into());
    group
}

pub fn change(resource_type: ResourceType, action: Action) -> Change {
    Change {
        entry_id: EntryId::new("entry"),
        resource_type,
        name: "somebody".to_owned(),
        action,
        reason: Reason::AttributesDiffer,
        claim: ClaimAfter::Held,
        tally: Tally::default(),
    }
}

pub async fn create(target: &scim::Provider, resource: Resource) -> Result<ResourceId, TargetError> {
    let change = change(resource.resource_type, Action::Create(resource));
    match target.apply(&change, &References::new()).await? {
        Outcome::Exists(id) => Ok(id),
        Outcome::Partly { why, .. } => panic!("created without members: {why}"),
        Outcome::Gone => panic!("created and gone"),
    }
}

pub async fn edit(
    target: &scim::Provider,
    id: &ResourceId,
    edits: &[(&str, Option<Value>, Option<Value>)],
) -> Result<Outcome, TargetError> {
    edit_with(target, id, edits, &References::new()).await
}

pub async fn edit_with(
    target: &scim::Provider,
    id: &ResourceId,
    edits: &[(&str, Option<Value>, Option<Value>)],
    references: &References,
) -> Result<Outcome, TargetError> {
    let edits = edits
        .iter()
        .map(|(text, before, after)| Edit::Attribute { path: path(text), before: before.clone(), after: after.clone() })
        .collect();
    target.apply(&change(ResourceType::User, Action::Update { resource_id: id.clone(), edits }), references).await
}

/// Members are entries of the same name as their resource's id.
pub async fn members(target: &scim::Provider, group: &ResourceId, add: &[&str], remove: &[&str]) -> Result<Outcome, TargetError> {
    let set = |ids: &[&str]| ids.iter().map(|id| EntryId::new(id)).collect::<BTreeSet<_>>();
    let references = add.iter().chain(remove).map(|id| (EntryId::new(id), ResourceId::new(id))).collect();
    let edits = vec![Edit::Members { add: set(add), remove: set(remove) }];
    target.apply(&change(ResourceType::Group, Action::Update { resource_id: group.clone(), edits }), &references).await
}

pub async fn delete(target: &scim::Provider, resource_type: ResourceType, id: &ResourceId) -> Result<Outcome, TargetError> {
    target.apply(&change(resource_type, Action::Delete { resource_id: id.clone() }), &References::new()).await
}

pub async fn find(
    target: &scim::Provider,
    resource_type: ResourceType,
    at: &str,
    value: &str,
) -> Result<Vec<ResourceId>, TargetError> {
    let found = target.find(&Lookup { resource_type, path: path(at), value: value.to_owned() }).await?;
    Ok(found.into_iter().map(|found| found.resource_id).collect())
}

/// Each awkward name can be created, found again under exactly this name, and told from its neighbours.
pub async fn names_survive(target: &scim::Provider, names: &[&str]) {
    let mut users = BTreeMap::new();
    for name in names {
        users.insert(*name, create(target, named(name)).await.unwrap());
        let mut group = group(name);
        group.attributes.insert(path("externalId"), Value::from(format!("x {name}").as_str()));
        let id = create(target, group).await.unwrap();
        assert_eq!(find(target, ResourceType::Group, "displayName", name).await.unwrap(), [id], "group {name}");
    }
    for (name, id) in users {
        assert_eq!(find(target, ResourceType::User, "userName", name).await.unwrap(), std::slice::from_ref(&id), "user {name}");
        assert_eq!(find(target, ResourceType::User, "userName", &format!("{name}?")).await.unwrap(), [], "user {name}?");
        let read = target.get(ResourceType::User, &id).await.unwrap().unwrap();
        assert_eq!(read.attributes.get(&path("userName")), Some(&Value::from(name)));
    }
}

#[tokio::test]
async fn awkward_names_survive_filters_and_paths() {
    let provider = Provider::start(Personality::default()).await;
    names_survive(&provider.target(), AWKWARD).await;
    provider.assert_clean();
    names_survive(&ScimServer::start().await.target(), AWKWARD).await;
}

#[tokio::test]
async fn a_user_lives_through_every_edit() {
    let server = ScimServer::start().await;
    let target = server.target();
    let (manager, department) = (format!("{ENTERPRISE}:manager"), format!("{ENTERPRISE}:department"));
    let boss = create(&target, named("boss")).await.unwrap();
    let references = References::from([(EntryId::new("boss"), boss.clone())]);
    let ada = user(&[
        ("userName", "ada".into()),
        ("externalId", "guid".into()),
        ("active", Value::Flag(true)),
        ("name.givenName", "Ada".into()),
        ("name.familyName", "Byron".into()),
        ("phoneNumbers[type eq \"mobile\"].value", "+44 1".into()),
        (&department, "R&D".into()),
        (&manager, Value::Reference(EntryId::new("boss"))),
    ]);
    let Outcome::Exists(id) = target.apply(&change(ResourceType::User, Action::Create(ada)), &references).await.unwrap() else {
        panic!()
    };
    let held = server.user("ada").await.unwrap();
    assert_eq!(held[ENTERPRISE]["department"], "R&D");
    assert_eq!(held[ENTERPRISE]["manager"]["value"], boss.as_str());
    assert_eq!(held["phoneNumbers"][0]["type"], "mobile");

    let work = r#"emails[type eq "work"].value"#;
    edit(
        &target,
        &id,
        &[(work, None, Some("ada@x.example".into())), ("name.familyName", Some("Byron".into()), Some("Lovelace".into()))],
    )
    .await
    .unwrap();
    assert_eq!(
        server.user("ada").await.unwrap()["emails"],
        json!([{ "value": "ada@x.example", "type": "work", "primary": true }])
    );
    edit(&target, &id, &[(work, Some("ada@x.example".into()), Some("ada@y.example".into()))]).await.unwrap();
    edit(
        &target,
        &id,
        &[
            (&manager, Some(Value::Reference(EntryId::new("boss"))), None),
            (&department, Some("R&D".into()), Some("Sales".into())),
        ],
    )
    .await
    .unwrap();
    edit(&target, &id, &[("active", Some(Value::Flag(true)), Some(Value::Flag(false)))]).await.unwrap();
    let held = server.user("ada").await.unwrap();
    assert_eq!((&held["active"], &held["name"]["familyName"]), (&json!(false), &json!("Lovelace")));
    assert_eq!(held["emails"][0]["value"], "ada@y.example");
    assert_eq!(held[ENTERPRISE], json!({ "department": "Sales" }));

    // No element of this type, although an edit speaks of one: it is said again, with what is there.
    let locality = r#"addresses[type eq "work"].locality"#;
    edit(
        &target,
        &id,
        &[(locality, None, Some("London".into())), (r#"addresses[type eq "work"].country"#, None, Some("GB".into()))],
    )
    .await
    .unwrap();
    assert_eq!(
        server.user("ada").await.unwrap()["addresses"],
        json!([{ "locality": "London", "country": "GB", "type": "work" }])
    );
    edit(&target, &id, &[(work, Some("ada@y.example".into()), None), (locality, Some("London".into()), None)]).await.unwrap();
    let held = server.user("ada").await.unwrap();
    assert!(held["emails"].as_array().is_none_or(Vec::is_empty), "{held}");
    assert_eq!(held["addresses"], json!([{ "country": "GB", "type": "work" }]));

    edit_with(&target, &id, &[(&manager, None, Some(Value::Reference(EntryId::new("boss"))))], &references).await.unwrap();
    let read = target.get(ResourceType::User, &id).await.unwrap().unwrap();
    assert_eq!(read.attributes.get(&path(&manager)), Some(&Value::from(boss.as_str())));
    assert_eq!(read.attributes.get(&path("active")), Some(&Value::Flag(false)));

    assert!(matches!(create(&target, named("ADA")).await, Err(TargetError::Conflict(_))));
    assert_eq!(delete(&target, ResourceType::User, &id).await.unwrap(), Outcome::Gone);
    assert_eq!(delete(&target, ResourceType::User, &id).await.unwrap(), Outcome::Gone);
    assert!(target.get(ResourceType::User, &id).await.unwrap().is_none());
    assert!(matches!(edit(&target, &id, &[("title", None, Some("x".into()))]).await, Err(TargetError::NotFound)));
}

#[tokio::test]
async fn members_come_and_go() {
    let server = ScimServer::start().await;
    let target = server.target();
    let mut ids = Vec::new();
    for name in ["a", "b", "c"] {
        ids.push(create(&target, named(name)).await.unwrap());
    }
    let [a, b, c] = [0, 1, 2].map(|place: usize| ids[place].as_str());
    let eng = create(&target, group("Eng")).await.unwrap();
    members(&target, &eng, &[a, b], &[]).await.unwrap();
    members(&target, &eng, &[b, c], &[]).await.unwrap();
    members(&target, &eng, &[], &[a, b]).await.unwrap();
    members(&target, &eng, &[], &[a]).await.unwrap();
    let read = target.get(ResourceType::Group, &eng).await.unwrap().unwrap();
    assert_eq!(read.members, Some(BTreeSet::from([ids[2].clone()])));
    assert_eq!(server.group("Eng").await.unwrap()["members"].as_array().unwrap().len(), 1);
    assert_eq!(target.list(ResourceType::Group).await.unwrap()[0].members, None);
    assert_eq!(delete(&target, ResourceType::Group, &eng).await.unwrap(), Outcome::Gone);
}

#[tokio::test]
async fn lists_are_whole_and_counts_are_true() {
    let server = ScimServer::start().await;
    let mut settings = server.settings();
    settings.dialect.capabilities.page_size = 7;
    let target = scim::Provider::new(settings).unwrap();
    assert_eq!(target.population(ResourceType::User).await.unwrap(), Some(0));
    for number in 0..23 {
        create(&target, named(&format!("u{number}"))).await.unwrap();
    }
    assert_eq!(target.population(ResourceType::User).await.unwrap(), Some(23));
    let all = target.list(ResourceType::User).await.unwrap();
    assert_eq!(all.iter().map(|found| found.resource_id.clone()).collect::<BTreeSet<_>>().len(), 23);
    let probe = target.probe().await.unwrap();
    assert_eq!((probe.users, probe.groups), (Some(23), Some(0)));
    assert_eq!(probe.warnings, Vec::<String>::new());
}
