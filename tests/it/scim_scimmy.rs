//! The target and whole cycles against real third-party SCIM servers of different make: SCIMMY, and scim2-server.

use std::collections::BTreeSet;

use ldap2scim::cycle::{CycleEnd, Outcome, References, Target, TargetError};
use ldap2scim::model::{EntryId, ResourceType, Status, Value};
use ldap2scim::plan::Action;
use ldap2scim::scim::{self, SaidBy};
use serde_json::Value as Json;

use crate::scim_server::{
    AWKWARD, change, create, delete, edit, edit_with, find, group, members, named, names_survive, path, user,
};
use crate::support::bridge::Bridge;
use crate::support::provider::Personality;
use crate::support::scim_server::{Make, ScimServer};

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

#[tokio::test]
async fn awkward_names_survive_filters_and_paths() {
    // SCIMMY takes the escapes of a filter's string literally, so that it finds nobody with a backslash.
    let names: Vec<&str> = AWKWARD.iter().copied().filter(|name| !name.contains('\\')).collect();
    names_survive(&ScimServer::start_as(Make::Scimmy).await.target(), &names).await;
}

#[tokio::test]
async fn a_user_lives_through_every_edit() {
    let server = ScimServer::start_as(Make::Scimmy).await;
    let target = server.target();
    let (manager, department) = (format!("{ENTERPRISE}:manager"), format!("{ENTERPRISE}:department"));
    let (mail, mobile) = (r#"emails[type eq "work"].value"#, r#"phoneNumbers[type eq "mobile"].value"#);
    let boss = create(&target, named("boss")).await.unwrap();
    let references = References::from([(EntryId::new("boss"), boss.clone())]);
    let ada = user(&[
        ("userName", "ada".into()),
        ("externalId", "guid".into()),
        ("active", Value::Flag(true)),
        ("name.givenName", "Ada".into()),
        ("name.familyName", "Byron".into()),
        (mobile, "+441".into()),
        (&department, "R&D".into()),
        (&manager, Value::Reference(EntryId::new("boss"))),
    ]);
    let Outcome::Exists(id) = target.apply(&change(ResourceType::User, Action::Create(ada)), &references).await.unwrap() else {
        panic!("it is gone")
    };
    assert_eq!(
        find(&target, ResourceType::User, "userName", "ada").await.unwrap(),
        std::slice::from_ref(&id),
        "as adopting does"
    );
    edit(
        &target,
        &id,
        &[(mail, None, Some("ada@x.example".into())), ("name.familyName", Some("Byron".into()), Some("King".into()))],
    )
    .await
    .unwrap();
    edit(&target, &id, &[(mail, Some("ada@x.example".into()), Some("ada@y.example".into()))]).await.unwrap();
    edit(&target, &id, &[(mobile, Some("+441".into()), None), (&department, Some("R&D".into()), Some("Sales".into()))])
        .await
        .unwrap();
    edit(&target, &id, &[(&manager, Some(Value::Reference(EntryId::new("boss"))), None)]).await.unwrap();
    edit(&target, &id, &[("active", Some(Value::Flag(true)), Some(Value::Flag(false)))]).await.unwrap();
    edit(&target, &id, &[("userName", Some("ada".into()), Some("countess".into()))]).await.unwrap();
    let held = server.user("countess").await.unwrap();
    assert_eq!((&held["active"], &held["name"]["familyName"]), (&Json::Bool(false), &Json::from("King")));
    assert_eq!(held["emails"][0]["value"], "ada@y.example");
    assert!(held["phoneNumbers"].as_array().is_none_or(Vec::is_empty), "{held}");
    assert_eq!(held[ENTERPRISE]["department"], "Sales");
    assert!(held[ENTERPRISE]["manager"]["value"].is_null(), "{held}");
    edit_with(&target, &id, &[(&manager, None, Some(Value::Reference(EntryId::new("boss"))))], &references).await.unwrap();
    let read = target.get(ResourceType::User, &id).await.unwrap().unwrap();
    assert_eq!(read.attributes.get(&path(&manager)), Some(&Value::from(boss.as_str())));
    assert!(matches!(create(&target, named("COUNTESS")).await, Err(TargetError::Conflict(_))));
    assert_eq!(delete(&target, ResourceType::User, &id).await.unwrap(), Outcome::Gone);
    assert_eq!(delete(&target, ResourceType::User, &id).await.unwrap(), Outcome::Gone);
    assert!(target.get(ResourceType::User, &id).await.unwrap().is_none());
}

#[tokio::test]
async fn members_come_and_go_and_lists_end_although_the_first_page_comes_again() {
    let server = ScimServer::start_as(Make::Scimmy).await;
    let mut settings = server.settings();
    settings.dialect.set("page_size", "7", SaidBy::Configuration).unwrap();
    let target = scim::Provider::new(settings).unwrap();
    let mut ids = Vec::new();
    for number in 0..23 {
        ids.push(create(&target, named(&format!("u{number}"))).await.unwrap());
    }
    let eng = create(&target, group("Eng")).await.unwrap();
    members(&target, &eng, &[ids[0].as_str(), ids[1].as_str(), ids[2].as_str()], &[]).await.unwrap();
    members(&target, &eng, &[], &[ids[0].as_str(), ids[1].as_str()]).await.unwrap();
    let read = target.get(ResourceType::Group, &eng).await.unwrap().unwrap();
    assert_eq!(read.members, Some(BTreeSet::from([ids[2].clone()])));
    let listed: BTreeSet<_> = target.list(ResourceType::User).await.unwrap().into_iter().map(|found| found.resource_id).collect();
    assert_eq!(listed, ids.into_iter().collect());
    assert_eq!(target.population(ResourceType::User).await.unwrap(), Some(23));
    assert_eq!(delete(&target, ResourceType::Group, &eng).await.unwrap(), Outcome::Gone);
}

/// What a server holds of the people and groups of the history, in words; and its resources as they are, with the
/// time of their last change.
async fn held(server: &ScimServer) -> (Vec<String>, Vec<Json>) {
    let (users, groups) = (server.users().await, server.groups().await);
    let mut lines = Vec::new();
    for user in &users {
        let off = if user["active"] == true { "" } else { " (off)" };
        let title = user["title"].as_str().map(|title| format!(" {title}")).unwrap_or_default();
        lines.push(format!("{}{title}{off}", user["userName"].as_str().unwrap()));
    }
    for group in &groups {
        let name = |id: &Json| users.iter().find(|user| user["id"] == *id).map_or("?", |user| user["userName"].as_str().unwrap());
        let mut members: Vec<&str> =
            group["members"].as_array().into_iter().flatten().map(|member| name(&member["value"])).collect();
        members.sort_unstable();
        lines.push(format!("{}: {}", group["displayName"].as_str().unwrap(), members.join(" ")));
    }
    lines.sort();
    (lines, users.into_iter().chain(groups).collect())
}

/// A company comes, changes, shrinks and grows again; after each cycle the server holds what the directory says, and
/// a cycle with nothing to do changes nothing.
async fn a_company_is_followed(make: Make) {
    let server = ScimServer::start_as(make).await;
    let target = server.target();
    // One who is there before us is adopted; one who is not ours is left alone.
    create(&target, named("bob")).await.unwrap();
    create(&target, named("stranger")).await.unwrap();
    let bridge = Bridge::start_as(Personality::default(), |settings| *settings = server.settings()).await;
    let directory = &bridge.directory;
    for name in ["ada", "bob", "cy", "dan"] {
        directory.add_user(name);
    }
    directory.set_manager("ada", "bob");
    directory.set_status("dan", Status::Disabled);
    directory.put_group("staff", &["ada", "bob", "cy"]);
    directory.put_group("board", &["ada"]);
    let steps: [(&dyn Fn(), &[&str]); 4] = [
        (&|| {}, &["ada", "board: ada", "bob", "cy", "dan (off)", "staff: ada bob cy", "stranger"]),
        (
            &|| {
                directory.set("ada", "title", "Countess");
                directory.set("ada", "mail", "ada@elsewhere.example");
                directory.set("bob", "uid", "robert");
                directory.set_status("cy", Status::Disabled);
                directory.set_status("dan", Status::Enabled);
                directory.put_group("staff", &["bob", "cy", "dan"]);
            },
            &["ada Countess", "board: ada", "cy (off)", "dan", "robert", "staff: cy dan robert", "stranger"],
        ),
        (
            &|| {
                directory.remove("id-cy");
                directory.remove("id-g-board");
                directory.change("id-ada", |entry| {
                    entry.attributes.remove(&ldap2scim::model::AttributeName::new("title"));
                });
                directory.put_group("staff", &["bob", "dan"]);
            },
            &["ada", "cy (off)", "dan", "robert", "staff: dan robert", "stranger"],
        ),
        (
            &|| {
                directory.add_user("cy");
                directory.put_group("staff", &[]);
            },
            &["ada", "cy", "dan", "robert", "staff: ", "stranger"],
        ),
    ];
    for (number, (happens, expected)) in steps.iter().enumerate() {
        happens();
        let report = bridge.sync().await;
        assert_eq!(report.end, CycleEnd::Done, "{make:?} {number}: {:?} {:?}", report.error, report.held);
        let (lines, before) = held(&server).await;
        assert_eq!(lines, *expected, "{make:?} {number}");
        for quiet in [bridge.sync().await, bridge.resync().await] {
            assert_eq!((quiet.end, quiet.held.len()), (CycleEnd::Done, 0), "{make:?} {number}: {:?}", quiet.error);
        }
        assert_eq!(held(&server).await.1, before, "{make:?} {number}: a cycle with nothing to do changed something");
    }
}

#[tokio::test]
async fn scimmy_follows_a_company() {
    a_company_is_followed(Make::Scimmy).await;
}

#[tokio::test]
async fn scim2_server_follows_a_company() {
    a_company_is_followed(Make::Scim2Server).await;
}

#[tokio::test]
async fn scim2_server_without_patch_follows_a_company_by_put() {
    a_company_is_followed(Make::WithoutPatch).await;
}
