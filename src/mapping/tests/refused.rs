//! What is refused when rules are compiled: each with its column, its reason and what to write instead.

use super::*;

/// Expression, column, part of the message, part of the hint (empty: none is needed).
const EXPRESSIONS: &[(&str, usize, &str, &str)] = &[
    ("", 1, "empty", "nothing()"),
    ("   ", 1, "empty", "nothing()"),
    ("frist(cn, uid)", 1, "no function frist", "did you mean first?"),
    ("Coalesce(cn, uid)", 1, "no function Coalesce", "did you mean first?"),
    ("first(cn, tolower(uid))", 11, "no function tolower", "did you mean lower?"),
    ("sha256(cn)", 1, "no function sha256", "the functions are first, item, join"),
    ("first()", 1, "cannot be given 0 arguments", "first(a, b, …)"),
    ("lower(cn, uid)", 1, "cannot be given 2 arguments", "lower(a)"),
    ("join(\", \")", 1, "cannot be given 1 argument", "join(\"separator\", a, b, …)"),
    ("item(mail)", 1, "cannot be given 1 argument", "item(a, position)"),
    ("entry_id(cn)", 1, "cannot be given 1 argument", "entry_id()"),
    ("item(mail, 0)", 12, "whole number from 1", "item(mail, 1)"),
    ("item(mail, \"1\")", 12, "whole number from 1", "item(mail, 1)"),
    ("item(mail, 99999999999999999999)", 12, "too large", ""),
    ("join(cn, sn)", 6, "text in quotation marks", ""),
    ("attr(cn)", 6, "text in quotation marks", ""),
    ("attr(\"\")", 6, "name holds", ""),
    ("attr(\"a b\")", 6, "name holds", ""),
    ("attr(\"cn;lang-en\")", 6, "options", "write cn"),
    ("userCertificate;binary", 16, "options", "write userCertificate"),
    ("2.5.4.3", 1, "not a plain attribute name", "attr(\"2.5.4.3\")"),
    ("person.mail", 1, "not a plain attribute name", "attr(\"person.mail\")"),
    ("concat(uid, '@x.com)", 13, "' is not closed", ""),
    ("\"abc", 1, "\" is not closed", ""),
    ("'a\\q'", 3, "backslash", "n t"),
    ("first(cn, uid", 6, "( here is not closed", ""),
    ("(cn", 1, "( here is not closed", ""),
    ("first(cn uid)", 10, "uid stands where a , or )", ""),
    ("first(cn,, uid)", 10, ", stands where a value", ""),
    ("first(cn, )", 11, ") stands where a value", ""),
    ("cn)", 3, "closes nothing", ""),
    ("givenName sn", 11, "sn follows", "join("),
    ("givenName + sn", 11, "+ has no place", "concat"),
    ("cn = 'a'", 4, "= has no place", "=="),
    ("!present(cn)", 1, "! has no place", "not"),
    ("present(cn) && present(sn)", 13, "& has no place", "and"),
    ("present(cn) || present(sn)", 13, "| has no place", "or"),
    ("[mail]", 1, "[ has no place", "mail"),
    ("“abc”", 1, "“ has no place", "straight"),
    ("cn == ", 7, "ends where a value", ""),
    ("present(cn) and", 16, "ends where a value", ""),
    ("and", 1, "between two conditions", "attr(\"and\")"),
    ("a == b == c", 8, "do not follow", "and, or"),
    ("a == true", 6, "compare texts", "TRUE"),
    ("a == 1", 6, "compare texts", "quotation marks"),
    ("cn and sn", 1, "and takes conditions", "present(a)"),
    ("not cn", 5, "not takes conditions", "present(a)"),
    ("if(cn, sn)", 4, "takes a condition", "present(a)"),
    ("if(present(cn), cn, true)", 21, "text in one case", "texts for both"),
    ("if(present(cn), true)", 1, "needs both", "if(condition, then, else)"),
    ("lower(true)", 7, "takes texts", "if(condition"),
    ("join(' ', cn, 3)", 15, "no number", "quotation marks"),
    ("3", 1, "number alone", "quotation marks"),
    ("dn", 1, "dn is a function", "write dn()"),
    ("entry_id", 1, "entry_id is a function", "write entry_id()"),
    ("true", 1, "takes a text", "if(condition"),
    ("cn == 'a'", 1, "takes a text", "if(condition"),
];

#[test]
fn a_wrong_expression_is_refused_with_its_place_and_a_better_one() {
    for (expression, column, message, hint) in EXPRESSIONS {
        let found = errors(&[("title", expression)], &target());
        let [error] = found.as_slice() else { panic!("{expression}: {found:?}") };
        assert_eq!(error.rule, "title");
        assert_eq!(error.column, Some(*column), "{expression}: {error:?}");
        assert!(error.message.contains(message), "{expression}: {error:?}");
        assert!(error.hint.as_deref().unwrap_or_default().contains(hint), "{expression}: {error:?}");
    }
}

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// Path, part of the message, part of the hint.
const PATHS: &[(&str, &str, &str)] = &[
    ("active", "follows the account's status", "leave the rule out"),
    ("Active", "follows the account's status", "leave the rule out"),
    ("urn:ietf:params:scim:schemas:core:2.0:User:active", "follows the account's status", ""),
    ("id", "given by the target", "externalId"),
    ("meta", "kept by the target", ""),
    ("meta.created", "kept by the target", ""),
    ("groups", "read-only", "section groups"),
    ("members", "attribute of groups", "section groups"),
    ("password", "never sent", ""),
    ("schemas", "follows from", ""),
    ("username", "no attribute username", "did you mean userName?"),
    ("usrName", "no attribute usrName", "did you mean userName?"),
    ("givenName", "no attribute givenName", "did you mean name.givenName?"),
    ("name.givenname", "no part of a user's name", "did you mean name.givenName?"),
    ("name.first", "no part of a user's name", ""),
    ("name", "no part of a user's name", ""),
    ("externalID", "no attribute", "did you mean externalId?"),
    ("title.value", "no attribute title.value", "did you mean"),
    (
        "department",
        "no attribute department",
        "did you mean urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department?",
    ),
    ("manager", "no attribute manager", "enterprise:2.0:User:manager?"),
    ("shoeSize", "no attribute shoeSize", ""),
    ("", "not a SCIM attribute path", ""),
    ("user name", "not a SCIM attribute path", "did you mean userName?"),
    ("email", "no attribute email", "write emails[type eq \"work\"].value"),
    ("emails", "several values", "write emails[type eq \"work\"].value"),
    ("emails.value", "several values", "write emails[type eq \"work\"].value"),
    ("emails[0].value", "not a SCIM attribute path", "write emails[type eq \"work\"].value"),
    ("emails[type eq work].value", "not a SCIM attribute path", "write emails[type eq \"work\"].value"),
    ("emails[type eq \"work\"]", "one part", "write emails[type eq \"work\"].value"),
    ("emails[type eq \"work\"].type", "brackets", "write emails[type eq \"work\"].value"),
    ("emails[type eq \"Work\"].value", "spelled work", "write emails[type eq \"work\"].value"),
    ("emails[type eq \" \"].value", "type is empty", ""),
    ("emails[primary eq \"true\"].value", "by its type only", "write emails[type eq \"work\"].value"),
    ("Emails[type eq \"home\"].Value", "no attribute", "write emails[type eq \"home\"].value"),
    ("email[type eq \"other\"].value", "no attribute", "write emails[type eq \"other\"].value"),
    ("phoneNumbers.mobile", "several values", "write phoneNumbers[type eq \"work\"].value"),
    ("addresses[type eq \"work\"].value", "no part value", "addresses[type eq \"work\"]."),
    ("addresses[type eq \"work\"].postalcode", "no part postalcode", "write addresses[type eq \"work\"].postalCode"),
    ("addresses.locality", "several values", "write addresses[type eq \"work\"].locality"),
    (
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:departement",
        "has no attribute departement",
        "User:department?",
    ),
    ("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.displayName", "only the reference", "User:manager"),
    (
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:user:department",
        "not the enterprise extension's name",
        "2.0:User:department?",
    ),
    (
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:department",
        "not the enterprise extension's name",
        "2.0:User:department?",
    ),
    ("urn:ietf:params:scim:schemas:core:2.0:Group:displayName", "not a user's schema", ""),
    ("urn:example:User:list[type eq \"a\"]", "one part", ".value"),
];

#[test]
fn a_path_that_no_rule_may_fill_is_refused_with_the_right_form() {
    for (path, message, hint) in PATHS {
        let found = errors(&[(path, "cn")], &target());
        let [error] = found.as_slice() else { panic!("{path}: {found:?}") };
        assert_eq!((error.rule.as_str(), error.column), (*path, None));
        assert!(error.message.contains(message), "{path}: {error:?}");
        assert!(error.hint.as_deref().unwrap_or_default().contains(hint), "{path}: {error:?}");
    }
}

#[test]
fn paths_of_extensions_and_unusual_types_are_allowed() {
    for path in [
        "urn:example:params:scim:schemas:extension:acme:2.0:User:badge",
        "urn:example:acme:User:location.building",
        "urn:example:acme:User:keys[type eq \"door\"].value",
        "emails[type eq \"archive\"].value",
        "emails[ type  EQ \"home\"].display",
        "roles[type eq \"work\"].value",
        "name.middleName",
        "urn:ietf:params:scim:schemas:core:2.0:User:nickName",
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:costCenter",
    ] {
        compile(Preset::InetOrgPerson, &owned(&[(path, "cn")]), &target()).unwrap_or_else(|errors| panic!("{path}: {errors:?}"));
    }
}

#[test]
fn a_place_for_true_or_false_takes_no_text() {
    let found = errors(&[("emails[type eq \"work\"].primary", "mail")], &target());
    assert!(found[0].message.contains("takes true or false"), "{found:?}");
    let found = errors(&[(&format!("{ENTERPRISE}:manager"), "present(manager)")], &target());
    assert!(found[0].message.contains("takes a text"), "{found:?}");
}

#[test]
fn everything_wrong_is_told_at_once() {
    let rules = [("title", "frist(cn)"), ("active", "cn"), ("displayName", "lower("), ("nickName", "cn")];
    let told: Vec<String> = errors(&rules, &target()).into_iter().map(|error| error.rule).collect();
    assert_eq!(told, ["title", "active", "displayName"]);
}

#[test]
fn two_rules_for_one_place_are_refused_however_they_are_spelled() {
    for (one, other) in [
        ("userName", "urn:ietf:params:scim:schemas:core:2.0:User:userName"),
        (&*format!("{ENTERPRISE}:manager"), &*format!("{ENTERPRISE}:manager.value")),
        ("emails[type eq \"work\"].value", "emails[ type EQ \"work\" ].value"),
    ] {
        let found = errors(&[(one, "uid"), (other, "uid")], &target());
        assert_eq!((found.len(), found[0].rule.as_str()), (1, other));
        assert!(found[0].message.contains("another rule"), "{found:?}");
    }
}

#[test]
fn an_own_rule_for_what_the_target_never_takes_is_refused_and_a_presets_is_dropped() {
    let never = ["userType", "emails[type eq \"other\"].value", "addresses"];
    let capabilities = Capabilities { never: never.iter().map(|path| AttributePath::known(path)).collect(), ..target() };
    for path in ["userType", "emails[type eq \"other\"].value", "addresses[type eq \"work\"].region"] {
        let found = errors(&[(path, "l")], &capabilities);
        assert!(found[0].message.contains("does not take"), "{found:?}");
    }
    let mapping = compile(Preset::InetOrgPerson, &[], &capabilities).unwrap();
    let paths: Vec<&str> = mapping.rules.iter().map(|rule| rule.path.as_str()).collect();
    assert!(paths.contains(&"emails[type eq \"work\"].value"));
    assert!(!paths.iter().any(|path| path.starts_with("addresses") || path.contains("other")), "{paths:?}");
}

#[test]
fn a_required_path_without_a_rule_is_refused() {
    let capabilities = target_requiring(&["userName", "active", "displayName", "emails"]);
    let told = compile(Preset::None, &owned(&[("userName", "uid")]), &capabilities).unwrap_err();
    let told: Vec<(&str, bool)> = told.iter().map(|error| (error.rule.as_str(), error.hint.is_some())).collect();
    assert_eq!(told, [("displayName", true), ("emails", true)]);
    let rules = [("userName", "uid"), ("displayName", "cn"), ("emails[type eq \"work\"].value", "mail")];
    compile(Preset::None, &owned(&rules), &capabilities).unwrap();
}

#[test]
fn a_required_path_whose_rule_is_wrong_is_told_once() {
    let told = compile(Preset::None, &owned(&[("userName", "lower(uid")]), &target()).unwrap_err();
    assert_eq!(told.len(), 1);
}

#[test]
fn a_user_name_that_all_would_share_is_refused() {
    for expression in ["'admin'", "nothing()", "join('', 'a', 'b')"] {
        let told = compile(Preset::None, &owned(&[("userName", expression)]), &target()).unwrap_err();
        assert!(told[0].message.contains("same userName"), "{told:?}");
    }
    compile(Preset::None, &owned(&[("userName", "dn()")]), &target()).unwrap();
}
