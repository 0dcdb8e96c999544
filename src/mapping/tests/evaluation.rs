//! What a mapping makes of entries: held ones, references, elements, traces.

use super::super::texts::OUTPUT_LIMIT;
use super::*;

const MANAGER: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager";

#[test]
fn an_entry_without_user_name_is_held() {
    for missing in [entry(&[]), entry(&[("uid", " ")])] {
        let error = mapping(&[("userName", "uid")]).evaluate(&missing).unwrap_err();
        assert_eq!(error, MappingError::Empty { path: AttributePath::known("userName"), rule: "uid".to_owned() });
        assert_eq!(error.to_string(), "userName has no value (uid)");
    }
}

#[test]
fn two_values_where_one_is_allowed_hold_the_entry() {
    let two = entry(&[("uid", "a"), ("uid", "b")]);
    let error = mapping(&[("userName", "uid")]).evaluate(&two).unwrap_err();
    assert_eq!(error.to_string(), "userName would have 2 values (uid): choose one in the rule");
    assert!(mapping(&[("userName", "item(uid, 1)")]).evaluate(&two).is_ok());
}

#[test]
fn a_value_that_is_not_text_holds_the_entry_and_is_not_told() {
    let binary = entry_of_octets(&[("photo", b"\xff\xd8secret")]);
    for expression in ["photo", "lower(photo)", "first(cn, photo)", "join(' ', photo)", "item(photo, 1)"] {
        let error = evaluation_error(expression, &binary).to_string();
        assert!(error.contains("urn:example:User:x") && error.contains("a value of photo is not UTF-8 text"), "{error}");
        assert!(!error.contains("secret"), "{error}");
    }
    let error = evaluation_error("if(photo == 'x', 'a')", &binary);
    assert!(matches!(error, MappingError::Unfit { .. }));
}

#[test]
fn a_control_character_holds_the_entry_and_a_line_break_does_not() {
    for text in ["a\0b", "a\u{7f}b", "a\u{9b}b", "\u{1b}[31m"] {
        let error = evaluation_error("cn", &entry(&[("cn", text)]));
        assert!(error.to_string().ends_with("the text holds a control character"), "{error}");
    }
    let mapped = mapping(&[("title", "cn")]).evaluate(&entry(&[("cn", "1 Main St.\r\nRome\tItaly")])).unwrap();
    assert_eq!(mapped.resource.text("title"), Some("1 Main St.\r\nRome\tItaly"));
}

#[test]
fn a_result_of_nothing_but_space_is_no_value() {
    let mapped = mapping(&[("title", "' '"), ("nickName", r#"join("", " ", cn)"#)]).evaluate(&entry(&[])).unwrap();
    assert_eq!(shown(&mapped), ["userName: 6f1c1a5e-0d0a-4b0e-9a57-3b1f0a9f4c11"]);
}

#[test]
fn too_long_a_result_holds_the_entry() {
    let long = "x".repeat(OUTPUT_LIMIT / 2 + 1);
    let entry = entry(&[("a", &long)]);
    for expression in ["join('', a, a)", "concat(a, a)"] {
        let error = evaluation_error(expression, &entry);
        assert!(error.to_string().contains("65536"), "{expression}");
    }
    let error = evaluation_error("b", &super::entry(&[("b", &"x".repeat(OUTPUT_LIMIT + 1))]));
    assert!(error.to_string().contains("65536"));
}

#[test]
fn a_manager_becomes_a_reference() {
    for path in [MANAGER, &format!("{MANAGER}.value")] {
        let mapping = mapping(&[(path, "manager")]);
        let mapped = mapping.evaluate(&entry(&[("manager", "CN=Boss,DC=example,DC=com")])).unwrap();
        assert_eq!(mapped.references, [(AttributePath::known(MANAGER), Dn::parse("cn=boss,dc=example,dc=com").unwrap())]);
        assert!(mapped.resource.attributes.keys().all(|path| path.as_str() == "userName"));
        assert_eq!(mapping.evaluate(&entry(&[])).unwrap().references, []);
    }
}

#[test]
fn a_reference_is_one_dn() {
    let mapping = mapping(&[(MANAGER, "manager")]);
    let error = mapping.evaluate(&entry(&[("manager", "the boss")])).unwrap_err();
    assert!(matches!(&error, MappingError::Unfit { problem, .. } if problem.contains("not a distinguished name")), "{error}");
    assert!(!error.to_string().contains("the boss"));
    let error = mapping.evaluate(&entry(&[("manager", "cn=a"), ("manager", "cn=b")])).unwrap_err();
    assert!(matches!(error, MappingError::Several { count: 2, .. }), "{error}");
    let one_spelled_twice = entry(&[("manager", "cn=a,dc=x"), ("manager", "CN=A, DC=X")]);
    assert_eq!(mapping.evaluate(&one_spelled_twice).unwrap().references.len(), 1);
}

#[test]
fn a_required_manager_may_be_a_reference() {
    let rules = owned(&[("userName", "uid"), (MANAGER, "manager")]);
    let mapping = compile(Preset::None, &rules, &target_requiring(&[MANAGER])).unwrap();
    assert!(mapping.evaluate(&entry(&[("uid", "a"), ("manager", "cn=b")])).is_ok());
    assert!(matches!(mapping.evaluate(&entry(&[("uid", "a")])), Err(MappingError::Empty { .. })));
}

#[test]
fn a_required_attribute_of_several_values_is_met_by_any_of_them() {
    let rules = owned(&[
        ("userName", "uid"),
        (r#"emails[type eq "work"].value"#, "mail"),
        (r#"emails[type eq "home"].value"#, "homeMail"),
    ]);
    let mapping = compile(Preset::None, &rules, &target_requiring(&["emails"])).unwrap();
    assert!(mapping.evaluate(&entry(&[("uid", "a"), ("homeMail", "a@x")])).is_ok());
    let error = mapping.evaluate(&entry(&[("uid", "a")])).unwrap_err();
    assert_eq!(error.to_string(), "emails has no value (homeMail; mail)");
}

#[test]
fn primary_and_display_are_sent_only_beside_a_value() {
    let mapping = mapping(&[
        (r#"emails[type eq "work"].value"#, "mail"),
        (r#"emails[type eq "work"].primary"#, "true"),
        (r#"emails[type eq "work"].display"#, "cn"),
        (r#"emails[type eq "home"].primary"#, "not present(mail)"),
    ]);
    let with = mapping.evaluate(&entry(&[("mail", "a@x"), ("cn", "Ada")])).unwrap();
    assert_eq!(
        shown(&with)[..3],
        [
            r#"emails[type eq "work"].display: Ada"#,
            r#"emails[type eq "work"].primary: true"#,
            r#"emails[type eq "work"].value: a@x"#
        ]
    );
    assert_eq!(with.resource.attributes.len(), 4);
    let without = mapping.evaluate(&entry(&[("cn", "Ada")])).unwrap();
    assert_eq!(without.resource.attributes.len(), 1);
    let traced = mapping.trace(&entry(&[("cn", "Ada")]));
    assert_eq!(traced.iter().filter(|trace| trace.output == Ok(Output::Nothing)).count(), 4);
}

#[test]
fn an_extension_takes_texts_and_truth_values() {
    let mapping = mapping(&[("urn:example:User:vip", "title == 'Countess'"), ("urn:example:User:badge", "badge")]);
    let mapped = mapping.evaluate(&entry(&[("title", "Countess"), ("badge", "7")])).unwrap();
    assert_eq!(mapped.resource.attributes[&AttributePath::known("urn:example:User:vip")], Value::Flag(true));
    assert_eq!(mapped.resource.text("urn:example:User:badge"), Some("7"));
}

#[test]
fn attributes_are_those_that_rules_read_each_once() {
    let mapping = mapping(&[
        ("userName", "first(UID, mail)"),
        ("title", "if(present(mail) and not l == st, attr('2.5.4.12'))"),
        ("externalId", "entry_id()"),
        ("nickName", "'x'"),
    ]);
    let names: Vec<String> = mapping.attributes().iter().map(ToString::to_string).collect();
    assert_eq!(names, ["2.5.4.12", "l", "mail", "st", "uid"]);
}

#[test]
fn equal_entries_give_equal_results_whatever_order_the_server_chose() {
    let mapping = compile(Preset::InetOrgPerson, &[], &target()).unwrap();
    let one = entry(&[("uid", "a"), ("mail", "1@x"), ("mail", "2@x"), ("ou", "b"), ("ou", "a")]);
    let other = entry(&[("ou", "a"), ("ou", "b"), ("mail", "2@x"), ("mail", "1@x"), ("uid", "a")]);
    assert_eq!(mapping.evaluate(&one).unwrap(), mapping.evaluate(&other).unwrap());
}

#[test]
fn a_trace_tells_of_every_rule_what_it_read_and_gave() {
    let mapping = mapping(&[
        ("userName", "uid"),
        ("title", r#"join(", ", title, upper(title), dn())"#),
        ("nickName", "photo"),
        (MANAGER, "manager"),
        ("externalId", "entry_id()"),
    ]);
    let attributes: &[(&str, &[u8])] = &[("title", b" b"), ("title", b"a"), ("photo", b"\xff"), ("manager", b"cn=m")];
    let told: Vec<String> = mapping
        .trace(&entry_of_octets(attributes))
        .into_iter()
        .map(|trace| {
            let inputs: Vec<String> =
                trace.inputs.iter().map(|input| format!("{}={}", input.name, input.values.join("|"))).collect();
            let output = match trace.output {
                Ok(Output::Nothing) => "nothing".to_owned(),
                Ok(Output::Value(Value::Text(text))) => text,
                Ok(Output::Value(other)) => format!("{other:?}"),
                Ok(Output::Reference(dn)) => format!("→ {dn}"),
                Err(error) => format!("! {error}"),
            };
            format!("{} [{}] {output}", trace.expression, inputs.join(" "))
        })
        .collect();
    assert_eq!(
        told,
        [
            "entry_id() [entry_id()=6f1c1a5e-0d0a-4b0e-9a57-3b1f0a9f4c11] 6f1c1a5e-0d0a-4b0e-9a57-3b1f0a9f4c11",
            "photo [photo=(1 octets, not text)] ! nickName cannot take the value of photo: a value of photo is not UTF-8 text",
            r#"join(", ", title, upper(title), dn()) [title=a|b dn()=uid=ada,ou=people,dc=example,dc=com] a, b, A, B, uid=ada,ou=people,dc=example,dc=com"#,
            "manager [manager=cn=m] → cn=m",
            "uid [uid=] ! userName has no value (uid)",
        ]
    );
}

#[test]
fn debug_forms_hold_no_values() {
    let mapping = mapping(&[("title", "title")]);
    let entry = entry(&[("title", "Countess")]);
    for text in [format!("{:?}", mapping.trace(&entry)), format!("{:?}", mapping.evaluate(&entry))] {
        assert!(!text.contains("Countess"), "{text}");
    }
}
