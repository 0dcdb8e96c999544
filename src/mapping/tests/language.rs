//! What expressions mean: every function's and operator's example, and the corners of each.

use super::super::expression::Kind;
use super::super::functions::{functions, operators};
use super::super::parse::parse;
use super::*;

/// The values an expression gives; a condition gives `true` or `false`.
fn values(expression: &str, entry: &Entry) -> Vec<String> {
    let parsed = parse(expression).unwrap_or_else(|fault| panic!("{expression}: {fault:?}"));
    match parsed.kind {
        Kind::Flag => vec![parsed.node.flag(entry).unwrap().to_string()],
        Kind::Text => parsed.node.texts(entry).unwrap().as_slice().iter().map(ToString::to_string).collect(),
        Kind::Number => panic!("{expression} is a number"),
    }
}

fn check(attributes: &[(&str, &str)], expression: &str, expected: &[&str]) {
    assert_eq!(values(expression, &entry(attributes)), expected, "{expression} over {attributes:?}");
}

#[test]
fn every_example_of_a_function_gives_what_its_row_says() {
    for function in functions() {
        assert!(function.usage.starts_with(&format!("{}(", function.name)), "{}", function.usage);
        assert!(function.example.expression.contains(function.name), "{}", function.name);
        check(function.example.entry, function.example.expression, function.example.expected);
    }
}

#[test]
fn every_example_of_an_operator_gives_what_its_row_says() {
    for operator in operators() {
        check(operator.example.entry, operator.example.expression, operator.example.expected);
    }
}

#[test]
fn attributes_are_read_whatever_the_letter_case_and_the_order_of_the_server() {
    check(&[("mail", "b@x"), ("mail", "a@x"), ("mail", "c@x")], "MAIL", &["a@x", "b@x", "c@x"]);
    check(&[("mail", "c@x"), ("mail", "b@x"), ("mail", "a@x")], "mail", &["a@x", "b@x", "c@x"]);
    check(&[("ms-DS-ConsistencyGuid", "x")], "ms-ds-consistencyguid", &["x"]);
    check(&[("extensionAttribute10", "x")], "extensionattribute10", &["x"]);
    check(&[], "mail", &[]);
}

#[test]
fn values_come_without_surrounding_space_and_each_once() {
    check(&[("sn", " Lovelace\t")], "sn", &["Lovelace"]);
    check(&[("sn", " ")], "sn", &[]);
    check(&[("sn", "")], "sn", &[]);
    check(&[("sn", "\u{a0}")], "sn", &[]);
    check(&[("sn", "a "), ("sn", "a"), ("sn", " ")], "sn", &["a"]);
    check(&[("sn", r"cn=a\ ")], "sn", &[r"cn=a\ "]);
}

#[test]
fn constants_are_taken_as_written() {
    check(&[], r#""en-US""#, &["en-US"]);
    check(&[], r#"'say "hi"'"#, &[r#"say "hi""#]);
    check(&[], r#""a\"b\\c\'d\te""#, &["a\"b\\c'd\te"]);
    check(&[], r#"" ""#, &[" "]);
    check(&[], r#""""#, &[]);
    check(&[], "'Łódź'", &["Łódź"]);
}

#[test]
fn first_gives_all_values_of_the_first_that_has_any() {
    check(&[("b", "2"), ("b", "1"), ("c", "3")], "first(a, b, c)", &["1", "2"]);
    check(&[("a", " "), ("b", "2")], "first(a, b)", &["2"]);
    check(&[], "first(a, \"\", 'x')", &["x"]);
    check(&[], "first(a)", &[]);
}

#[test]
fn first_does_not_read_what_it_does_not_need() {
    let entry = entry_of_octets(&[("cn", b"Ada"), ("photo", b"\xff\xd8")]);
    assert_eq!(values("first(cn, photo)", &entry), ["Ada"]);
    assert_eq!(values("if(present(cn), cn, photo)", &entry), ["Ada"]);
    assert_eq!(values("present(cn) or present(photo)", &entry), ["true"]);
    assert_eq!(values("not present(cn) and present(photo)", &entry), ["false"]);
}

#[test]
fn item_counts_from_one_in_the_order_of_octets() {
    let mails = [("mail", "b@x"), ("mail", "a@x")];
    check(&mails, "item(mail, 2)", &["b@x"]);
    check(&mails, "item(mail, 3)", &[]);
    check(&[("mail", "a@x")], "item(mail, 1)", &["a@x"]);
    check(&[], "item(mail, 1)", &[]);
    check(&[("x", "é"), ("x", "z"), ("x", "Z")], "x", &["Z", "z", "é"]);
}

#[test]
fn join_leaves_out_what_is_absent() {
    check(&[("givenName", "Ada")], r#"join(" ", givenName, sn)"#, &["Ada"]);
    check(&[], r#"join(" ", givenName, sn)"#, &[]);
    check(&[("ou", "b"), ("ou", "a"), ("l", "c")], r#"join("/", ou, l, "d")"#, &["a/b/c/d"]);
    check(&[("a", "1"), ("b", "2")], r#"join("", a, " - ", b)"#, &["1 - 2"]);
}

#[test]
fn concat_is_all_or_nothing() {
    check(&[("uid", "ada")], r#"concat("x-", uid)"#, &["x-ada"]);
    check(&[], r#"concat("x-", uid)"#, &[]);
    let two = entry(&[("uid", "a"), ("uid", "b")]);
    let error = evaluation_error("concat(uid, '@x')", &two);
    assert!(matches!(error, MappingError::Several { count: 2, .. }), "{error}");
}

#[test]
fn case_changes_reach_every_value_and_other_alphabets() {
    check(&[("cn", "ÄRGER"), ("cn", "Zoë")], "lower(cn)", &["zoë", "ärger"]);
    check(&[("cn", "straße")], "upper(cn)", &["STRASSE"]);
    check(&[("mail", "A@x"), ("mail", "a@X")], "lower(mail)", &["a@x"]);
    check(&[], "lower(cn)", &[]);
}

#[test]
fn lines_keep_their_order_and_their_signs() {
    check(&[("a", r"Z 1$ A 2 $$\24 5\5Cd")], "lines(a)", &["Z 1", "A 2", r"$ 5\d"]);
    check(&[], "lines(a)", &[]);
}

#[test]
fn if_chooses_texts_or_conditions() {
    let staff = [("type", "staff")];
    check(&staff, r#"if(type == "staff", "S", "O")"#, &["S"]);
    check(&[], r#"if(type == "staff", "S", "O")"#, &["O"]);
    check(&[], r#"if(type == "staff", "S")"#, &[]);
    check(&staff, r#"if(present(type), type == "staff", false)"#, &["true"]);
    check(&staff, r#"if(type == "x", "1", if(type == "staff", "2", "3"))"#, &["2"]);
}

#[test]
fn comparison_is_by_letter_and_one_of_several_is_enough() {
    let several = [("t", "a"), ("t", "b")];
    check(&several, r#"t == "b""#, &["true"]);
    check(&several, r#"t != "b""#, &["false"]);
    check(&several, r#"t == "B""#, &["false"]);
    check(&several, r#"upper(t) == "B""#, &["true"]);
    check(&[], r#"t == """#, &["false"]);
    check(&[], "t != u", &["true"]);
    check(&[("t", "x"), ("u", "y"), ("u", "x")], "t == u", &["true"]);
    check(&[("t", "a"), ("t", "b"), ("u", "b"), ("u", "c")], "t == u", &["true"]);
}

#[test]
fn and_binds_tighter_than_or_and_not_tighter_than_and() {
    check(&[], "true or false and false", &["true"]);
    check(&[], "(true or false) and false", &["false"]);
    check(&[], "not true or true", &["true"]);
    check(&[], "not (true or true)", &["false"]);
    check(&[], "not not true", &["true"]);
    check(&[("a", "1")], "not a == '2'", &["true"]);
    check(&[("a", "1")], "NOT Present(b) AND a == '1'", &["true"]);
    check(&[], "not(true)", &["false"]);
    check(&[], "True", &["true"]);
}

#[test]
fn names_of_the_language_are_attributes_when_asked_for_by_attr() {
    check(&[("or", "1")], r#"attr("or")"#, &["1"]);
    check(&[("dn", "1")], r#"attr("dn")"#, &["1"]);
    check(&[("first", "1")], "first", &["1"]);
    check(&[("if", "1")], "first(if, first)", &["1"]);
}

#[test]
fn functions_are_found_whatever_the_letter_case() {
    check(&[("cn", "Ada")], "UPPER( Cn )", &["ADA"]);
    check(&[("cn", "Ada")], "\n  first(\n cn )\n", &["Ada"]);
}

#[test]
fn an_expression_may_be_as_long_and_as_deep_as_the_limits_say() {
    let deep = format!("{}cn{}", "lower(".repeat(64), ")".repeat(64));
    check(&[("cn", "Ada")], &deep, &["ada"]);
    assert!(parse(&format!("lower({deep})")).is_err_and(|fault| fault.message.contains("64")));
    let nots = |count: usize| format!("{}true", "not ".repeat(count));
    check(&[], &nots(64), &["true"]);
    assert!(parse(&nots(65)).is_err());
    assert!(parse(&"(".repeat(9_000)).is_err());
    let long = format!("'{}'", "x".repeat(9_998));
    assert_eq!(values(&long, &entry(&[]))[0].len(), 9_998);
    let fault = parse(&format!(" {long}")).err().unwrap();
    assert_eq!(fault.column, 10_001);
}
