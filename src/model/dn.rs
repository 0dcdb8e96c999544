//! A distinguished name: parsed by RFC 4514, compared in the manner of RFC 4517, kept as written.

use std::fmt;
use std::sync::Arc;

use super::dn_value::{self, Value, comparable, short_name};

/// A distinguished name. Two are equal if they name the same entry, however they are spelled.
#[derive(Clone)]
pub struct Dn {
    written: Arc<str>,
    key: DnKey,
}

/// The comparable form of a DN: types in lower case, values unescaped, NFKC, lower case,
/// outer space cut and inner space single, then escaped in one way.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DnKey(Arc<str>);

/// A text that is not a DN.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a distinguished name (RFC 4514): {problem} at character {position}")]
pub struct DnError {
    /// What is wrong.
    pub problem: &'static str,
    /// Where, counted in characters from 1.
    pub position: usize,
}

impl Dn {
    /// Parses a DN. The empty text is the root.
    pub fn parse(text: &str) -> Result<Self, DnError> {
        let key = match plain(text) {
            Some(key) => key,
            None => key(text)?.join(","),
        };
        let written: Arc<str> = text.into();
        let key = if key == text { Arc::clone(&written) } else { key.into() };
        Ok(Self { written, key: DnKey(key) })
    }

    /// The DN as it was written.
    pub fn as_str(&self) -> &str {
        &self.written
    }

    /// The comparable form.
    pub fn key(&self) -> &DnKey {
        &self.key
    }

    /// True if the first RDN gives this attribute this value.
    pub fn is_named(&self, attribute: &str, value: &str) -> bool {
        let pair = format!("{}={}", short_name(&attribute.to_ascii_lowercase()), comparable(&Value::Text(value.to_owned())));
        parts(parts(&self.key.0, ',').next().unwrap_or_default(), '+').any(|one| one == pair)
    }

    /// True if this is `base` or below it.
    pub fn is_within(&self, base: &Dn) -> bool {
        let (own, base) = (&*self.key.0, &*base.key.0);
        base.is_empty() || own == base || own.strip_suffix(base).is_some_and(|head| head.ends_with(',') && !ends_escaped(head))
    }
}

/// The parts of a normalised text between separators that are not escaped.
fn parts(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut from = 0;
    let ends = text.match_indices(separator).map(|(at, _)| at).filter(|at| !ends_escaped(text.get(..=*at).unwrap_or_default()));
    ends.chain([text.len()]).map(move |end| {
        let part = text.get(from..end).unwrap_or_default();
        from = end + separator.len_utf8();
        part
    })
}

/// True if the last character of the text is escaped by a backslash of its own.
fn ends_escaped(text: &str) -> bool {
    let before = text.get(..text.len().saturating_sub(1)).unwrap_or_default();
    before.chars().rev().take_while(|c| *c == '\\').count() % 2 == 1
}

impl DnKey {
    /// Takes a normalised text that [`DnKey::as_str`] gave before.
    pub fn from_normalised(text: &str) -> Self {
        Self(text.into())
    }

    /// The normalised text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first RDN of it.
    pub fn leaf(&self) -> &str {
        parts(&self.0, ',').next().unwrap_or_default()
    }
}

/// The comparable form of a DN that is written without escapes, quotation marks, codes, spare spaces and anything but ASCII, as
/// nearly all are; `None` for any other, which [`key`] reads.
fn plain(text: &str) -> Option<String> {
    let mut whole = String::with_capacity(text.len());
    for rdn in text.split(',') {
        let (name, value) = rdn.split_once('=')?;
        let is_name = |octet: u8| octet.is_ascii_alphanumeric() || octet == b'-';
        let is_value = |octet: u8| matches!(octet, b' '..=b'~') && !matches!(octet, b'\\' | b'"' | b'+' | b';' | b'#' | b'=');
        let spare = value.is_empty() || value.starts_with(' ') || value.ends_with(' ') || value.contains("  ");
        if name.is_empty() || spare || !name.bytes().all(is_name) || !value.bytes().all(is_value) {
            return None;
        }
        if !whole.is_empty() {
            whole.push(',');
        }
        let start = whole.len();
        whole.push_str(name);
        whole.get_mut(start..)?.make_ascii_lowercase();
        let short = short_name(whole.get(start..)?);
        if short.len() != name.len() {
            whole.truncate(start);
            whole.push_str(short_name(&name.to_ascii_lowercase()));
        }
        whole.push('=');
        let start = whole.len();
        whole.push_str(value);
        whole.get_mut(start..)?.make_ascii_lowercase();
    }
    Some(whole)
}

/// The normalised RDNs in order.
fn key(text: &str) -> Result<Vec<String>, DnError> {
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    let mut rdns = Vec::new();
    let mut pairs: Vec<String> = Vec::new();
    let mut parser = Parser { rest: text.char_indices().peekable(), position: 1, text };
    loop {
        let name = parser.attribute_type()?;
        let value = parser.attribute_value()?;
        pairs.push(format!("{}={}", name, comparable(&value)));
        match parser.next() {
            Some('+') => {}
            Some(_) => {
                pairs.sort();
                rdns.push(std::mem::take(&mut pairs).join("+"));
            }
            None => {
                pairs.sort();
                rdns.push(pairs.join("+"));
                return Ok(rdns);
            }
        }
    }
}

struct Parser<'a> {
    rest: std::iter::Peekable<std::str::CharIndices<'a>>,
    position: usize,
    text: &'a str,
}

impl Parser<'_> {
    fn next(&mut self) -> Option<char> {
        self.position += 1;
        self.rest.next().map(|(_, c)| c)
    }

    fn peek(&mut self) -> Option<char> {
        self.rest.peek().map(|(_, c)| *c)
    }

    fn error<T>(&self, problem: &'static str) -> Result<T, DnError> {
        Err(DnError { problem, position: self.position.min(self.text.chars().count() + 1) })
    }

    fn attribute_type(&mut self) -> Result<String, DnError> {
        let mut name = String::new();
        loop {
            match self.peek() {
                Some('=') => {
                    self.next();
                    break;
                }
                Some(c) if c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | ' ' | ';') => {
                    name.push(c);
                    self.next();
                }
                Some(_) => return self.error("a character that no attribute type may hold"),
                None => return self.error("an attribute type without = and a value"),
            }
        }
        let name = name.trim().to_ascii_lowercase();
        let name = short_name(name.strip_prefix("oid.").unwrap_or(&name)).to_owned();
        if name.is_empty() || name.contains(' ') { self.error("an attribute type is missing") } else { Ok(name) }
    }

    /// Up to an unescaped `,`, `;` or `+`, unescaped. Octets written as `\XX` are put together to UTF-8.
    fn attribute_value(&mut self) -> Result<Value, DnError> {
        while self.peek() == Some(' ') {
            self.next();
        }
        if self.peek() == Some('"') {
            return self.quoted_value();
        }
        let mut is_encoded = self.peek() == Some('#');
        let mut octets: Vec<u8> = Vec::new();
        let mut kept = 0;
        loop {
            match self.peek() {
                None | Some(',' | ';' | '+') => break,
                Some('\\') => {
                    self.next();
                    self.escaped(&mut octets)?;
                    kept = octets.len();
                    is_encoded = false;
                }
                Some(c) => {
                    self.next();
                    push(&mut octets, c);
                    if c != ' ' {
                        kept = octets.len();
                    }
                }
            }
        }
        octets.truncate(kept);
        let value = dn_value::of_octets(octets);
        Ok(if is_encoded { dn_value::of_hexadecimal(value) } else { value })
    }

    /// The quoted form of RFC 2253 §4, which some administrators still write.
    fn quoted_value(&mut self) -> Result<Value, DnError> {
        self.next();
        let mut octets = Vec::new();
        loop {
            match self.next() {
                None => return self.error("a quotation mark is not closed"),
                Some('"') => break,
                Some('\\') => self.escaped(&mut octets)?,
                Some(c) => push(&mut octets, c),
            }
        }
        while self.peek() == Some(' ') {
            self.next();
        }
        match self.peek() {
            None | Some(',' | ';' | '+') => Ok(dn_value::of_octets(octets)),
            Some(_) => self.error("text after a closing quotation mark"),
        }
    }

    fn escaped(&mut self, octets: &mut Vec<u8>) -> Result<(), DnError> {
        let Some(first) = self.next() else { return self.error("a backslash at the end") };
        match (first.to_digit(16), self.peek().and_then(|c| c.to_digit(16))) {
            (Some(high), Some(low)) => {
                self.next();
                octets.push(u8::try_from(high * 16 + low).unwrap_or_default());
                Ok(())
            }
            (Some(_), None) if first.is_ascii_hexdigit() => self.error("a backslash with one hexadecimal digit"),
            _ => {
                push(octets, first);
                Ok(())
            }
        }
    }
}

fn push(octets: &mut Vec<u8>, c: char) {
    octets.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

impl PartialEq for Dn {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for Dn {}

impl PartialOrd for Dn {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Dn {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key.cmp(&other.key)
    }
}

impl std::hash::Hash for Dn {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.key.hash(state);
    }
}

impl fmt::Debug for Dn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

impl fmt::Display for Dn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

impl fmt::Debug for DnKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dn(text: &str) -> Dn {
        Dn::parse(text).unwrap()
    }

    #[test]
    fn spellings_of_one_name_are_equal() {
        for (a, b) in [
            (r"CN=Doe\, Jane,OU=People,DC=x", r"cn=doe\2C jane , ou=people,dc=X"),
            (r"cn=a\+b,dc=x", r"cn=a\2Bb,dc=x"),
            ("cn=two  spaces,dc=x", "cn=two spaces,dc=x"),
            (r"cn=\C3\84rger,dc=x", "cn=ärger,dc=x"),
            (r#"cn="a, b",dc=x"#, r"cn=a\, b,dc=x"),
            ("uid=1+cn=2,dc=x", "CN=2+UID=1,dc=x"),
            (r"cn=trailing\ ,dc=x", "cn=trailing,dc=x"),
            ("OID.2.5.4.3=a", "2.5.4.3=a"),
            ("cn=a,dc=x", "2.5.4.3=a,oid.0.9.2342.19200300.100.1.25=x"),
            ("commonName=a,organizationalUnitName=b", "CN=a,OU=b"),
            (r"cn=\ a\ ,dc=x", "cn=a,dc=x"),
            (r"cn=a\ \ b,dc=x", "cn=a b,dc=x"),
            ("cn=#04024869,dc=x", "cn=hi,dc=x"),
            ("cn=#0C0461E280A6,dc=x", "cn=a\u{2026},dc=x"),
            (r"cn=#0403FF0041,dc=x", r"cn=\ff\00\41,dc=x"),
            (r"cn=\#04024869,dc=x", r"cn=\2304024869,dc=x"),
            ("cn=#no code,dc=x", r"cn=\#no code,dc=x"),
            ("cn=#0,dc=x", r"cn=\#0,dc=x"),
            (r"cn=a\09b,dc=x", "cn=a b,dc=x"),
            ("cn=so\u{ad}ft,dc=x", "cn=soft,dc=x"),
            ("cn=\u{39f}\u{394}\u{39f}\u{3a3},dc=x", "cn=\u{3bf}\u{3b4}\u{3bf}\u{3c2},dc=x"),
            ("cn=\u{ff21}\u{3000}b,dc=x", "cn=a b,dc=x"),
            (r"cn=Lu\C4\8Di\C4\87,dc=x", "CN=Lu\u{10d}i\u{107},DC=X"),
            ("2.5.4.3=b+ou=a,dc=x", "ou=a+CN=b,dc=x"),
        ] {
            assert_eq!(dn(a), dn(b), "{a} and {b}");
        }
    }

    #[test]
    fn different_names_are_not_equal() {
        for (a, b) in [("cn=a,dc=x", "cn=b,dc=x"), (r"cn=a\,dc\=x", "cn=a,dc=x"), (r"cn=a\\,dc=x", r"cn=a\,dc=x")] {
            assert_ne!(dn(a), dn(b), "{a} and {b}");
        }
    }

    #[test]
    fn what_is_escaped_is_no_code_and_a_code_of_another_kind_is_no_text() {
        let names =
            ["cn=hi", r"cn=\#04024869", "cn=#04024869,dc=x", "cn=#0202486900", "cn=#02024869", r"cn=\48\ff", r"cn=\#octets:48ff"];
        let keys: std::collections::BTreeSet<&str> = names.iter().copied().collect();
        let parsed: std::collections::BTreeSet<Dn> = keys.iter().map(|name| dn(name)).collect();
        assert_eq!(parsed.len(), names.len(), "{parsed:?}");
    }

    mod spelled {
        use super::dn;
        use proptest::prelude::*;

        /// One value as RFC 4514 lets it be written: each character as it is, behind a backslash, or as hexadecimal octets.
        fn written(value: &str, ways: &[u8]) -> String {
            let mut text = String::new();
            let last = value.chars().count().saturating_sub(1);
            for (at, c) in value.chars().enumerate() {
                let way = ways.get(at % ways.len().max(1)).copied().unwrap_or_default() % 3;
                let at_an_end = at == 0 || at == last;
                let special = matches!(c, ',' | ';' | '+' | '"' | '\\' | '<' | '>' | '=' | '#') || (c == ' ' && at_an_end);
                if c.is_control() || way == 2 {
                    c.to_string().bytes().for_each(|octet| text.push_str(&format!("\\{octet:02X}")));
                } else {
                    if special {
                        text.push('\\');
                    }
                    text.push(c);
                }
            }
            text
        }

        fn encoded(value: &str) -> String {
            let hex: String = value.bytes().map(|octet| format!("{octet:02x}")).collect();
            format!("#04{:02x}{hex}", value.len())
        }

        proptest! {
            #[test]
            fn one_value_is_one_name_however_it_is_written(value in "[ -~\u{c4}\u{df}\u{2026}]{1,20}", a: [u8; 7], b: [u8; 5]) {
                // The capital form of a sharp s is two letters.
                let loud = |c: char| if c == '\u{df}' { c } else { c.to_uppercase().next().unwrap_or(c) };
                let shouted: String = value.chars().map(loud).collect();
                let spellings = [
                    format!("cn={},ou=b,dc=x", written(&value, &a)),
                    format!("2.5.4.3 = {} ; OU=B , DC=X", written(&value, &b)),
                    format!("commonName={},ou=b,dc=x", encoded(&value)),
                    format!("CN={},ou=b,dc=x", written(&shouted, &b)),
                ];
                for spelling in &spellings {
                    prop_assert_eq!(dn(spelling), dn(&spellings[0]), "{} and {}", spelling, &spellings[0]);
                    prop_assert!(dn(spelling).is_within(&dn("ou=b,dc=x")));
                    prop_assert!(dn(spelling).is_named("cn", &value));
                }
            }

            #[test]
            fn what_is_plain_is_compared_as_anything_else(
                rdns in proptest::collection::vec("(cn|OU|Dc|commonName|uid|E|x-y|sn|2.5.4.3|oid.2)=[ -~]{0,3}[A-Za-z0-9 '@._<>-]{0,12}", 1..5),
            ) {
                let text = rdns.join(",");
                if let Some(plain) = crate::model::dn::plain(&text) {
                    prop_assert_eq!(Ok(plain), crate::model::dn::key(&text).map(|rdns| rdns.join(",")));
                }
            }

            #[test]
            fn two_values_are_two_names(a in "[!-~]{1,8}", b in "[!-~]{1,8}") {
                prop_assume!(!a.eq_ignore_ascii_case(&b));
                let name = |value: &str| dn(&format!("cn={},dc=x", written(value, &[1])));
                prop_assert_ne!(name(&a), name(&b));
            }

            #[test]
            fn no_text_is_too_much(text in ".{0,40}") {
                let _ = crate::model::Dn::parse(&text);
            }
        }
    }

    #[test]
    fn within_follows_names_and_not_letters() {
        assert!(dn("cn=a,ou=b,dc=x").is_within(&dn("OU=B,DC=X")));
        assert!(dn("dc=x").is_within(&dn("dc=x")));
        assert!(dn("cn=a").is_within(&dn("")));
        assert!(!dn(r"cn=a\,ou\=b,dc=x").is_within(&dn("ou=b,dc=x")));
        assert!(!dn("cn=a,ou=bb,dc=x").is_within(&dn("ou=b,dc=x")));
        assert!(!dn("dc=x").is_within(&dn("ou=b,dc=x")));
    }

    #[test]
    fn the_first_rdn_tells_the_name() {
        let group = dn(r"cn=Sales\, EMEA+ou=x,ou=groups,dc=x");
        assert!(group.is_named("CN", "sales,  emea"));
        assert!(group.is_named("ou", "X"));
        assert!(!group.is_named("ou", "groups"));
        assert!(!group.is_named("cn", "sales"));
        assert!(dn(r"cn=a\+b\,c,dc=x").is_named("commonName", "A+B,C"));
    }

    #[test]
    fn broken_names_are_refused_with_a_place() {
        assert_eq!(Dn::parse("cn=a,ou").unwrap_err().problem, "an attribute type without = and a value");
        for bad in ["=a", "cn=a,,dc=x", "cn=a\\", "cn=\"a", "c n=a"] {
            assert!(Dn::parse(bad).is_err(), "{bad}");
        }
    }
}
