//! What is sent, letter by letter: each knob that is about saying, and what no value can break out of.

use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::golden::{ENTERPRISE, edits, members, operations, path, references, resource};
use super::request::{Cut, Request};
use super::wire::Speech;
use super::{FilterUse, Knobs, ManagerForm, OpCase, Pagination, PatchForm, PutMode, Unset, put};
use crate::cycle::{Lookup, TargetError};
use crate::model::{AttributePath, EntryId, ResourceId, ResourceType, Selector, Value};
use crate::plan::Edit;

const WORK: &str = r#"emails[type eq "work"].value"#;

#[test]
fn pathless_edits_travel_in_one_operation() {
    let (department, manager) = (format!("{ENTERPRISE}:department"), format!("{ENTERPRISE}:manager"));
    let pathless = Knobs { patch_form: PatchForm::Pathless, ..Knobs::default() };
    for (list, knobs, expected) in [
        (json!([["active", true, false]]), pathless.clone(), json!([{ "op": "replace", "value": { "active": false } }])),
        (
            json!([
                ["title", "x", null],
                ["name.givenName", null, "G"],
                ["name.familyName", null, "F"],
                ["userName", "a", "b"],
                [department, null, "D"],
                [manager, null, "@boss"],
                [WORK, "a", "b"]
            ]),
            Knobs { op_case: OpCase::Title, ..pathless.clone() },
            json!([
                { "op": "Replace", "value": {
                    "name": { "givenName": "G", "familyName": "F" }, "userName": "b",
                    ENTERPRISE: { "department": "D", "manager": { "value": "7" } }
                } },
                { "op": "Replace", "path": WORK, "value": "b" },
                { "op": "Remove", "path": "title" }
            ]),
        ),
        (
            json!([["title", "x", null], ["nickName", "x", "y"]]),
            Knobs { unset: Unset::Empty, ..pathless.clone() },
            json!([{ "op": "replace", "value": { "title": "", "nickName": "y" } }]),
        ),
    ] {
        assert_eq!(operations(ResourceType::User, edits(list.clone()), knobs), expected, "{list}");
    }
    let rename = operations(ResourceType::Group, edits(json!([["displayName", "a", "b"]])), pathless.clone());
    assert_eq!(rename, json!([{ "op": "replace", "value": { "displayName": "b" } }]));
    let add = operations(ResourceType::Group, members(&["a"], &[]), pathless);
    assert_eq!(add, json!([{ "op": "add", "path": "members", "value": [{ "value": "id-a" }] }]));
}

#[test]
fn a_value_is_taken_away_as_the_target_wants_it() {
    let manager = format!("{ENTERPRISE}:manager");
    let primary = r#"emails[type eq "work"].primary"#;
    let list = || json!([["title", "x", null], [WORK, "a", null], [manager, "@boss", null], [primary, true, null]]);
    let replace = |path: &str, value: Json| json!({ "op": "replace", "path": path, "value": value });
    let remove = |path: &str| json!({ "op": "remove", "path": path });
    for (unset, form, expected) in [
        (Unset::Remove, ManagerForm::Object, json!([remove(r#"emails[type eq "work"]"#), remove("title"), remove(&manager)])),
        (
            Unset::Empty,
            ManagerForm::Object,
            json!([
                replace(WORK, json!("")),
                remove(primary),
                replace("title", json!("")),
                replace(&manager, json!({ "value": "" }))
            ]),
        ),
        (
            Unset::Empty,
            ManagerForm::Text,
            json!([replace(WORK, json!("")), remove(primary), replace("title", json!("")), replace(&manager, json!(""))]),
        ),
        (
            Unset::Empty,
            ManagerForm::ManagerId,
            json!([
                replace(WORK, json!("")),
                remove(primary),
                replace("title", json!("")),
                replace(&manager, json!({ "managerId": "" }))
            ]),
        ),
        (
            Unset::Null,
            ManagerForm::Object,
            json!([
                replace(WORK, Json::Null),
                replace(primary, Json::Null),
                replace("title", Json::Null),
                replace(&manager, Json::Null)
            ]),
        ),
        (Unset::Skip, ManagerForm::Object, Json::Null),
        (Unset::Remove, ManagerForm::Off, json!([remove(r#"emails[type eq "work"]"#), remove("title")])),
    ] {
        let knobs = Knobs { unset, manager: form, ..Knobs::default() };
        assert_eq!(operations(ResourceType::User, edits(list()), knobs), expected, "{unset:?} {form:?}");
    }
}

#[test]
fn a_manager_is_said_in_the_form_of_the_target() {
    let manager = format!("{ENTERPRISE}:manager");
    for (form, expected) in [
        (ManagerForm::Object, json!({ "value": "7" })),
        (ManagerForm::Text, json!("7")),
        (ManagerForm::ManagerId, json!({ "managerId": "7" })),
        (ManagerForm::Off, Json::Null),
    ] {
        let knobs = Knobs { manager: form, ..Knobs::default() };
        let sent = operations(ResourceType::User, edits(json!([[manager, null, "@boss"]])), knobs.clone());
        assert_eq!(sent[0]["value"], expected, "{form:?}");
        let references = references();
        let held = resource(ResourceType::User, json!({ "userName": "a", manager.as_str(): "@boss" }));
        assert_eq!(Speech { knobs: &knobs, references: &references }.document(&held)[ENTERPRISE]["manager"], expected);
    }
}

#[test]
fn questions_follow_their_knobs() {
    let lookup = |resource_type, knobs: &Knobs| {
        Request::lookup(&Lookup { resource_type, path: path("externalId"), value: "a b".to_owned() }, knobs)
    };
    let line = |request: &Request| format!("{} {}?{}", request.method.as_str(), request.path, request.query);
    let (user, group) = (ResourceType::User, ResourceType::Group);
    let with = |pagination, excluded_attributes| Knobs { pagination, excluded_attributes, ..Knobs::default() };
    let cursor = |text: &str| Cut::Cursor(text.to_owned());
    for (request, expected) in [
        (lookup(group, &with(Pagination::Index, false)), "GET /Groups?filter=externalId%20eq%20%22a%20b%22&startIndex=1&count=2"),
        (
            lookup(group, &with(Pagination::Cursor, true)),
            "GET /Groups?filter=externalId%20eq%20%22a%20b%22&count=2&excludedAttributes=members",
        ),
        (lookup(user, &with(Pagination::None, true)), "GET /Users?filter=externalId%20eq%20%22a%20b%22"),
        (Request::page(user, &cursor(""), 50, &Knobs::default()), "GET /Users?cursor=&count=50"),
        (
            Request::page(group, &cursor("a&b=/+"), 50, &Knobs::default()),
            "GET /Groups?cursor=a%26b%3D%2F%2B&count=50&excludedAttributes=members",
        ),
        (Request::page(group, &Cut::Whole, 50, &with(Pagination::None, false)), "GET /Groups?"),
        (Request::page(group, &Cut::Index(1), 50, &with(Pagination::Auto, false)), "GET /Groups?startIndex=1&count=50"),
        (Request::harmless(), "GET /Users?count=1"),
    ] {
        assert_eq!(line(&request), expected);
    }
    let search = lookup(group, &Knobs { filter: FilterUse::Search, ..Knobs::default() });
    assert_eq!(line(&search), "POST /Groups/.search?");
    assert!(search.method.is_read());
    assert_eq!(
        search.body.unwrap(),
        json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"], "filter": "externalId eq \"a b\"",
            "startIndex": 1, "count": 2, "excludedAttributes": ["members"]
        })
    );
}

fn put_body(
    resource_type: ResourceType,
    list: &[Edit],
    read: Option<&Json>,
    knobs: &Knobs,
    held: Option<Json>,
) -> Result<Json, TargetError> {
    let mut references = references();
    references.acknowledged = held.map(|held| Arc::new(resource(resource_type, held)));
    put::body(Speech { knobs, references: &references }, resource_type, &ResourceId::new("1"), list, read)
}

#[test]
fn a_put_lays_the_edits_over_what_is_there() {
    let manager = format!("{ENTERPRISE}:manager");
    let read = json!({
        "schemas": ["x"], "id": 1, "USERNAME": "a", "active": "True", "nickName": "theirs", "title": null, "name.formatted": "F",
        "emails": [{ "type": "WORK", "value": "w" }, { "type": "home", "value": "h", "primary": true }],
        "phoneNumbers": [{ "type": "work", "value": "1" }],
        ENTERPRISE: { "manager": { "value": "9" } }, "meta": { "version": "3" }, "groups": [{ "value": "g" }]
    });
    let list = edits(json!([
        ["userName", "a", "b"],
        ["name.givenName", null, "G"],
        [WORK, "w", "new"],
        ["title", "x", null],
        [r#"phoneNumbers[type eq "work"].value"#, "1", null],
        [r#"addresses[type eq "work"].country"#, null, "CH"],
        [manager, "@boss", null]
    ]));
    assert_eq!(
        put_body(ResourceType::User, &list, Some(&read), &Knobs::default(), None).unwrap(),
        json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "id": 1, "userName": "b", "active": true, "nickName": "theirs",
            "name": { "formatted": "F", "givenName": "G" },
            "emails": [{ "type": "WORK", "value": "new" }, { "type": "home", "value": "h", "primary": true }],
            "phoneNumbers": [], "addresses": [{ "type": "work", "country": "CH" }]
        })
    );
    let primary = edits(json!([[r#"emails[type eq "home"].value"#, null, "h"], [WORK, null, "w"]]));
    let bare =
        json!({ "id": "1", "userName": "a", "active": false, "emails": [{ "type": "other", "value": "o", "primary": true }] });
    let body = put_body(ResourceType::User, &primary, Some(&bare), &Knobs::default(), None).unwrap();
    assert_eq!(
        body["emails"],
        json!([{ "type": "other", "value": "o" }, { "type": "home", "value": "h" }, { "type": "work", "value": "w", "primary": true }])
    );
}

#[test]
fn a_full_put_says_what_is_managed_and_nothing_else() {
    let held = || json!({ "userName": "a", "active": false, "title": "x", WORK: "w", format!("{ENTERPRISE}:manager").as_str(): "@boss" });
    let list = edits(json!([["title", "x", null], ["nickName", null, "n"]]));
    let full = Knobs { put_mode: PutMode::Full, ..Knobs::default() };
    let expected = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", ENTERPRISE], "id": "1", "userName": "a", "active": false,
        "nickName": "n", "emails": [{ "type": "work", "value": "w", "primary": true }], ENTERPRISE: { "manager": { "value": "7" } }
    });
    let body = |knobs: &Knobs| put_body(ResourceType::User, &list, None, knobs, Some(held())).unwrap();
    assert_eq!(body(&full), expected);
    assert_eq!(body(&Knobs { unset: Unset::Empty, ..full.clone() })["title"], "");
    assert_eq!(body(&Knobs { unset: Unset::Skip, ..full.clone() })["title"], "x");
    // Without what was acknowledged, it is laid over what is read.
    let read = json!({ "id": "1", "userName": "a", "other": "theirs" });
    assert_eq!(put_body(ResourceType::User, &list, Some(&read), &full, None).unwrap()["other"], "theirs");
    assert!(put_body(ResourceType::User, &list, None, &full, None).is_err());
}

#[test]
fn a_put_states_all_members_and_never_fewer_than_are_known() {
    let read = json!({ "id": "1", "displayName": "E", "members": [{ "value": "id-a", "$ref": "x" }, { "value": "stranger" }] });
    let full = Knobs { put_mode: PutMode::Full, ..Knobs::default() };
    let check = |list: &[Edit], knobs: &Knobs, expected: Json| {
        let body = put_body(ResourceType::Group, list, Some(&read), knobs, Some(json!({ "displayName": "E" }))).unwrap();
        assert_eq!(body["members"], expected);
    };
    let both = [members(&["b"], &[]), members(&[], &["a"])].concat();
    check(&both, &Knobs::default(), json!([{ "value": "stranger" }, { "value": "id \"b\"" }]));
    check(&members(&["a"], &[]), &Knobs::default(), read["members"].clone());
    check(&members(&["a"], &[]), &full, json!([{ "value": "id-a" }, { "value": "stranger" }]));
    check(
        &members(&["b"], &["a"]),
        &Knobs { member_type: true, ..full.clone() },
        json!([{ "value": "stranger" }, { "value": "id \"b\"", "type": "User" }]),
    );
    let foreign = Edit::Foreign { remove: [ResourceId::new("stranger"), ResourceId::new("id-a")].into() };
    check(&[foreign], &Knobs::default(), json!([]));
    let mut references = references();
    let mut held = resource(ResourceType::Group, json!({ "displayName": "E" }));
    held.members = ["a", "b", "c"].map(EntryId::new).into();
    references.acknowledged = Some(Arc::new(held));
    let speech = Speech { knobs: &full, references: &references };
    let body = put::body(speech, ResourceType::Group, &ResourceId::new("1"), &members(&["b"], &[]), Some(&read));
    assert!(body.unwrap_err().to_string().contains("fewer members"));
    // One who is to leave may have left already: the answer to an earlier request may have been lost.
    let body = put::body(speech, ResourceType::Group, &ResourceId::new("1"), &members(&[], &["b"]), Some(&read));
    assert_eq!(body.unwrap()["members"], json!([{ "value": "id-a" }, { "value": "stranger" }]));
}

proptest::proptest! {
    #[test]
    fn no_value_leaves_its_place_in_a_path(value in ".*", kind in "\\PC*") {
        let selector = Selector { attribute: "type".to_owned(), value: kind.clone() };
        let path = AttributePath::assemble(None, "emails".to_owned(), Some(selector), Some("display".to_owned()));
        let edit = Edit::Attribute { path, before: Some(Value::from("x")), after: Some(Value::from(value.as_str())) };
        let sent = operations(ResourceType::User, vec![edit], Knobs::default());
        let parsed = AttributePath::parse(sent[0]["path"].as_str().unwrap()).unwrap();
        proptest::prop_assert_eq!((parsed.name(), parsed.sub_attribute()), ("emails", Some("display")));
        proptest::prop_assert_eq!(&parsed.selector().unwrap().value, &kind);
        proptest::prop_assert_eq!(sent[0]["value"].as_str().unwrap(), &value);

        let remove = Edit::Foreign { remove: [ResourceId::new(&value)].into() };
        let sent = operations(ResourceType::Group, vec![remove], Knobs::default());
        let whole = sent[0]["path"].as_str().unwrap();
        let parsed = AttributePath::parse(whole).unwrap();
        proptest::prop_assert_eq!((parsed.name(), parsed.sub_attribute()), ("members", None));
        let inside = whole.strip_prefix("members[value eq ").and_then(|rest| rest.strip_suffix(']')).unwrap();
        proptest::prop_assert_eq!(serde_json::from_str::<String>(inside).unwrap(), value);
    }
}
