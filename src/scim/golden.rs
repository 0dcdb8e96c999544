//! What is sent, letter by letter: each change, and each knob.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};

use super::request::{Cut, Method, Request};
use super::{Booleans, Dialect, Knobs, ManagerForm, MemberRemove, OpCase, Unset, preset};
use crate::cycle::{Found, Lookup, References};
use crate::model::{AttributePath, EntryId, Resource, ResourceId, ResourceType, Value};
use crate::plan::{Action, Change, ClaimAfter, Edit, Reason, Tally};

pub(super) const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

pub(super) fn path(text: &str) -> AttributePath {
    AttributePath::parse(text).unwrap()
}

fn value(json: &Json) -> Value {
    match json {
        Json::Bool(flag) => Value::Flag(*flag),
        Json::String(text) => match text.strip_prefix('@') {
            Some(entry) => Value::Reference(EntryId::new(entry)),
            None => Value::from(text.as_str()),
        },
        other => panic!("{other}"),
    }
}

/// `{path: value}`; a text that begins with @ refers to an entry.
pub(super) fn resource(resource_type: ResourceType, attributes: Json) -> Resource {
    let mut resource = Resource::empty(resource_type);
    for (text, json) in attributes.as_object().unwrap() {
        resource.attributes.insert(path(text), value(json));
    }
    resource
}

pub(super) fn references() -> References {
    References::from(
        [("boss", "7"), ("a", "id-a"), ("b", "id \"b\"")].map(|(entry, id)| (EntryId::new(entry), ResourceId::new(id))),
    )
}

fn change(resource_type: ResourceType, action: Action) -> Change {
    Change {
        entry_id: EntryId::new("e"),
        resource_type,
        name: "somebody".to_owned(),
        action,
        reason: Reason::AttributesDiffer,
        claim: ClaimAfter::Held,
        tally: Tally::default(),
    }
}

fn sent(resource_type: ResourceType, action: Action, knobs: Knobs) -> Option<Request> {
    let dialect = Dialect { knobs, ..preset("generic").unwrap() };
    Request::change(&change(resource_type, action), &dialect, &references()).unwrap()
}

/// `[path, before, after]`, null for none.
pub(super) fn edits(list: Json) -> Vec<Edit> {
    let some = |json: &Json| if json.is_null() { None } else { Some(value(json)) };
    let edit =
        |edit: &Json| Edit::Attribute { path: path(edit[0].as_str().unwrap()), before: some(&edit[1]), after: some(&edit[2]) };
    list.as_array().unwrap().iter().map(edit).collect()
}

pub(super) fn members(add: &[&str], remove: &[&str]) -> Vec<Edit> {
    let set = |entries: &[&str]| entries.iter().map(|entry| EntryId::new(entry)).collect::<BTreeSet<_>>();
    vec![Edit::Members { add: set(add), remove: set(remove) }]
}

/// The operations of an update, or null if nothing is sent.
pub(super) fn operations(resource_type: ResourceType, edits: Vec<Edit>, knobs: Knobs) -> Json {
    let action = Action::Update { resource_id: ResourceId::new("u 1"), edits };
    let Some(request) = sent(resource_type, action, knobs) else { return Json::Null };
    assert_eq!((request.method, request.query.as_str()), (Method::Patch, ""));
    assert!(request.path.ends_with("/u%201"), "{}", request.path);
    let body = request.body.unwrap();
    assert_eq!(body["schemas"], json!(["urn:ietf:params:scim:api:messages:2.0:PatchOp"]));
    assert_eq!(body.as_object().unwrap().len(), 2);
    body["Operations"].clone()
}

#[test]
fn a_user_is_created_whole() {
    let manager = format!("{ENTERPRISE}:manager");
    let department = format!("{ENTERPRISE}:department");
    let user = resource(
        ResourceType::User,
        json!({
            "userName": "jdoe@example.com", "externalId": "guid", "active": true, "displayName": "Jane Doe",
            "name.givenName": "Jane", "name.familyName": "Doe", "name.formatted": "Jane Doe",
            "emails[type eq \"other\"].value": "jane@home.example", "emails[type eq \"work\"].value": "jdoe@example.com",
            "phoneNumbers[type eq \"mobile\"].value": "+1 555", "addresses[type eq \"work\"].locality": "Zürich",
            "addresses[type eq \"work\"].country": "CH", department.as_str(): "R&D", manager.as_str(): "@boss"
        }),
    );
    let request = sent(ResourceType::User, Action::Create(user), Knobs::default()).unwrap();
    assert_eq!((request.method, request.path.as_str(), request.query.as_str()), (Method::Post, "/Users", ""));
    assert_eq!(
        request.body.unwrap(),
        json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", ENTERPRISE],
            "userName": "jdoe@example.com", "externalId": "guid", "active": true, "displayName": "Jane Doe",
            "name": { "givenName": "Jane", "familyName": "Doe", "formatted": "Jane Doe" },
            "emails": [
                { "type": "work", "value": "jdoe@example.com", "primary": true },
                { "type": "other", "value": "jane@home.example" }
            ],
            "phoneNumbers": [{ "type": "mobile", "value": "+1 555" }],
            "addresses": [{ "type": "work", "locality": "Zürich", "country": "CH" }],
            ENTERPRISE: { "department": "R&D", "manager": { "value": "7" } }
        })
    );
}

#[test]
fn an_extension_without_a_value_is_not_named() {
    let manager = format!("{ENTERPRISE}:manager");
    let user = resource(ResourceType::User, json!({ "userName": "a", "active": false, manager.as_str(): "@stranger" }));
    let body = sent(ResourceType::User, Action::Create(user), Knobs::default()).unwrap().body.unwrap();
    assert_eq!(body, json!({ "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "a", "active": false }));
}

#[test]
fn one_email_is_primary_unless_the_mapping_says_who() {
    for (attributes, primaries) in [
        (json!({ "emails[type eq \"other\"].value": "o", "emails[type eq \"work\"].value": "w" }), vec!["work"]),
        (json!({ "emails[type eq \"other\"].value": "o", "emails[type eq \"home\"].value": "h" }), vec!["home"]),
        (
            json!({ "emails[type eq \"work\"].value": "w", "emails[type eq \"other\"].value": "o", "emails[type eq \"other\"].primary": true }),
            vec!["other"],
        ),
        (json!({ "phoneNumbers[type eq \"work\"].value": "1" }), vec![]),
    ] {
        let body = sent(ResourceType::User, Action::Create(resource(ResourceType::User, attributes)), Knobs::default())
            .unwrap()
            .body
            .unwrap();
        let lists = body.as_object().unwrap().values().filter_map(Json::as_array).flatten();
        let found: Vec<&str> =
            lists.filter(|element| element["primary"] == true).map(|element| element["type"].as_str().unwrap()).collect();
        assert_eq!(found, primaries);
    }
}

#[test]
fn a_group_is_created_with_the_members_it_has_and_deleted_by_id() {
    let mut group = resource(ResourceType::Group, json!({ "externalId": "guid", "displayName": "Eng" }));
    group.members.insert(EntryId::new("a"));
    let request = sent(ResourceType::Group, Action::Create(group), Knobs::default()).unwrap();
    assert_eq!(request.path, "/Groups");
    assert_eq!(
        request.body.unwrap(),
        json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "externalId": "guid", "displayName": "Eng",
            "members": [{ "value": "id-a" }]
        })
    );
    let request = sent(ResourceType::Group, Action::Delete { resource_id: ResourceId::new("a/b") }, Knobs::default()).unwrap();
    assert_eq!((request.method, request.path.as_str(), request.body), (Method::Delete, "/Groups/a%2Fb", None));
}

#[test]
fn every_edit_has_a_path_of_its_own() {
    let (department, manager) = (format!("{ENTERPRISE}:department"), format!("{ENTERPRISE}:manager"));
    let work = r#"emails[type eq "work"].value"#;
    for (edit, expected) in [
        (json!([["userName", "a", "b"]]), json!([{ "op": "replace", "path": "userName", "value": "b" }])),
        (
            json!([["urn:ietf:params:scim:schemas:core:2.0:User:title", "a", "b"]]),
            json!([{ "op": "replace", "path": "title", "value": "b" }]),
        ),
        (json!([["active", true, false]]), json!([{ "op": "replace", "path": "active", "value": false }])),
        (json!([["name.familyName", null, "Roe"]]), json!([{ "op": "replace", "path": "name.familyName", "value": "Roe" }])),
        (json!([["title", "x", null]]), json!([{ "op": "remove", "path": "title" }])),
        (json!([[department, "a", "b"]]), json!([{ "op": "replace", "path": department, "value": "b" }])),
        (json!([[manager, null, "@boss"]]), json!([{ "op": "replace", "path": manager, "value": { "value": "7" } }])),
        (json!([[manager, "@boss", null]]), json!([{ "op": "remove", "path": manager }])),
        (json!([[work, "a", "b"]]), json!([{ "op": "replace", "path": work, "value": "b" }])),
        (json!([[work, "a", null]]), json!([{ "op": "remove", "path": r#"emails[type eq "work"]"# }])),
        (
            json!([[work, null, "b"]]),
            json!([{ "op": "add", "path": "emails", "value": [{ "type": "work", "value": "b", "primary": true }] }]),
        ),
        (
            json!([
                [work, null, "b"],
                [r#"emails[type eq "other"].value"#, null, "o"],
                [r#"emails[type eq "work"].display"#, null, "B"]
            ]),
            json!([{ "op": "add", "path": "emails", "value": [
                { "type": "work", "value": "b", "display": "B", "primary": true }, { "type": "other", "value": "o" }
            ] }]),
        ),
        (
            json!([[work, "a", "b"], [r#"emails[type eq "work"].display"#, null, "B"]]),
            json!([
                { "op": "replace", "path": work, "value": "b" },
                { "op": "replace", "path": r#"emails[type eq "work"].display"#, "value": "B" }
            ]),
        ),
        (
            json!([[r#"addresses[type eq "work"].locality"#, null, "X"], [r#"addresses[type eq "work"].region"#, "Y", null]]),
            json!([
                { "op": "replace", "path": r#"addresses[type eq "work"].locality"#, "value": "X" },
                { "op": "remove", "path": r#"addresses[type eq "work"].region"# }
            ]),
        ),
        (json!([[manager, null, "@stranger"]]), Json::Null),
    ] {
        assert_eq!(operations(ResourceType::User, edits(edit.clone()), Knobs::default()), expected, "{edit}");
    }
}

#[test]
fn members_are_true_deltas() {
    let check = |edits, knobs, expected: Json| assert_eq!(operations(ResourceType::Group, edits, knobs), expected);
    check(
        members(&["a", "b"], &[]),
        Knobs::default(),
        json!([{ "op": "add", "path": "members", "value": [{ "value": "id-a" }, { "value": "id \"b\"" }] }]),
    );
    check(
        members(&[], &["a", "b"]),
        Knobs::default(),
        json!([{ "op": "remove", "path": "members[value eq \"id-a\"]" }, { "op": "remove", "path": "members[value eq \"id \\\"b\\\"\"]" }]),
    );
    check(members(&["stranger"], &["stranger"]), Knobs::default(), Json::Null);
    let array = Knobs { member_remove: MemberRemove::ValueArray, ..Knobs::default() };
    check(
        members(&[], &["a", "b"]),
        array.clone(),
        json!([{ "op": "remove", "path": "members", "value": [{ "value": "id-a" }, { "value": "id \"b\"" }] }]),
    );
    check(members(&[], &["stranger"]), array, Json::Null);
}

#[test]
fn each_knob_changes_what_it_names_and_nothing_else() {
    let manager = format!("{ENTERPRISE}:manager");
    let edit = || edits(json!([["active", true, false], ["title", "x", null], [manager, null, "@boss"]]));
    let standard = |op: [&str; 3], active: Json, boss: Json| {
        json!([
            { "op": op[0], "path": "active", "value": active }, { "op": op[1], "path": "title" },
            { "op": op[2], "path": manager, "value": boss }
        ])
    };
    let lower = ["replace", "remove", "replace"];
    let object = json!({ "value": "7" });
    let unset = {
        let mut expected = standard(["replace"; 3], json!(false), object.clone());
        expected[1]["value"] = json!("");
        expected
    };
    for (knobs, expected) in [
        (Knobs::default(), standard(lower, json!(false), object.clone())),
        (
            Knobs { op_case: OpCase::Title, ..Knobs::default() },
            standard(["Replace", "Remove", "Replace"], json!(false), object.clone()),
        ),
        (Knobs { booleans: Booleans::Text, ..Knobs::default() }, standard(lower, json!("False"), object.clone())),
        (Knobs { manager: ManagerForm::Text, ..Knobs::default() }, standard(lower, json!(false), json!("7"))),
        (Knobs { unset: Unset::Empty, ..Knobs::default() }, unset),
    ] {
        assert_eq!(operations(ResourceType::User, edit(), knobs.clone()), expected, "{knobs:?}");
    }
}

#[test]
fn knobs_hold_in_a_create_too() {
    let manager = format!("{ENTERPRISE}:manager");
    let attributes = json!({ "userName": "a", "active": true, "emails[type eq \"work\"].value": "w", manager.as_str(): "@boss" });
    let knobs = Knobs { booleans: Booleans::Text, manager: ManagerForm::Text, ..Knobs::default() };
    let body = sent(ResourceType::User, Action::Create(resource(ResourceType::User, attributes)), knobs).unwrap().body.unwrap();
    assert_eq!(
        (&body["active"], &body["emails"][0]["primary"], &body[ENTERPRISE]["manager"]),
        (&json!("True"), &json!("True"), &json!("7"))
    );
}

#[test]
fn an_update_is_said_again_with_what_the_resource_has() {
    let attributes = [("emails[type eq \"work\"].value", "w"), ("title", "x")];
    let found = Found {
        resource_id: ResourceId::new("u 1"),
        resource_type: ResourceType::User,
        attributes: attributes.map(|(text, held)| (path(text), Value::from(held))).into(),
        members: None,
    };
    let list = edits(json!([
        ["emails[type eq \"work\"].value", null, "new"],
        ["emails[type eq \"other\"].value", "old", "o"],
        ["title", "x", null],
        ["nickName", "x", null],
        ["phoneNumbers[type eq \"work\"].value", "1", null],
        ["addresses[type eq \"work\"].locality", null, "X"],
        ["addresses[type eq \"work\"].region", null, "Y"]
    ]));
    let dialect = preset("generic").unwrap();
    let request =
        Request::edits(ResourceType::User, &found.resource_id, &list, &dialect, &references(), Some(&found)).unwrap().unwrap();
    assert_eq!(
        request.body.unwrap()["Operations"],
        json!([
            { "op": "replace", "path": "emails[type eq \"work\"].value", "value": "new" },
            { "op": "add", "path": "emails", "value": [{ "type": "other", "value": "o" }] },
            { "op": "remove", "path": "title" },
            { "op": "add", "path": "addresses", "value": [{ "type": "work", "locality": "X", "region": "Y" }] }
        ])
    );
}

#[test]
fn questions_are_spelled_exactly() {
    let lookup = |resource_type, text: &str, value: &str| {
        Request::lookup(&Lookup { resource_type, path: path(text), value: value.to_owned() }, &Knobs::default())
    };
    let page = |resource_type, start, count| Request::page(resource_type, &Cut::Index(start), count, &Knobs::default());
    for (request, line) in [
        (
            lookup(ResourceType::User, "userName", "jdoe@example.com"),
            "GET /Users?filter=userName%20eq%20%22jdoe%40example.com%22&startIndex=1&count=2",
        ),
        (
            lookup(ResourceType::Group, "displayName", "Eng"),
            "GET /Groups?filter=displayName%20eq%20%22Eng%22&startIndex=1&count=2&excludedAttributes=members",
        ),
        (page(ResourceType::User, 101, 100), "GET /Users?startIndex=101&count=100"),
        (page(ResourceType::Group, 1, 1), "GET /Groups?startIndex=1&count=1&excludedAttributes=members"),
        (Request::one(ResourceType::Group, &ResourceId::new("ü")).unwrap(), "GET /Groups/%C3%BC?"),
    ] {
        assert_eq!(format!("{} {}?{}", request.method.as_str(), request.path, request.query), line);
    }
}
