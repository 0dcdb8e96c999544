//! Search filters as an admin writes them (RFC 4515).

/// Deepest nesting of parentheses that is accepted: the parser behind recurses.
const DEEPEST: usize = 64;

/// Checks the text of a filter. The error says what is wrong in words for an admin.
pub fn check_filter(text: &str) -> Result<(), String> {
    if !text.starts_with('(') || !text.ends_with(')') {
        return Err("an LDAP filter starts with ( and ends with ), without spaces around it".to_owned());
    }
    let mut depth = 0usize;
    for (position, c) in text.chars().enumerate() {
        match c {
            '(' => depth += 1,
            ')' if depth == 0 => return Err(format!("a ) without its ( at character {}", position + 1)),
            ')' => depth -= 1,
            _ => {}
        }
        if depth > DEEPEST {
            return Err(format!("more than {DEEPEST} parentheses inside each other"));
        }
    }
    if depth > 0 {
        return Err(format!("{depth} ( without ) at the end"));
    }
    ldap3::parse_filter(text)
        .map(|_| ())
        .map_err(|()| "not a filter of RFC 4515; the characters ( ) * \\ in a value are written \\28 \\29 \\2a \\5c".to_owned())
}

#[cfg(test)]
mod tests {
    use super::check_filter;

    #[test]
    fn good_filters_pass() {
        for good in [
            "(objectClass=person)",
            "(&(objectCategory=person)(objectClass=user))",
            "(!(uid=a*b*c))",
            "(memberOf:1.2.840.113556.1.4.1941:=cn=a,dc=b)",
            "(cn=Zo\u{eb} \\28x\\29)",
            "(&)",
        ] {
            assert_eq!(check_filter(good), Ok(()), "{good}");
        }
    }

    #[test]
    fn bad_filters_are_refused_with_a_reason() {
        for bad in ["", "objectClass=person", "(cn=a", "(cn=a))", "(cn=a)(cn=b)", "(&(cn=a)", "(cn)", "( cn=a)", "(cn=\\zz)"] {
            assert!(check_filter(bad).is_err(), "{bad}");
        }
        assert!(check_filter(&format!("{}(a=b){}", "(!".repeat(5000), ")".repeat(5000))).is_err());
    }
}
