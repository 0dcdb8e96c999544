//! The YAML document as a tree in the file's order, in which every node can be found again in the file.
//!
//! serde_yaml tells where something stands only in its errors, and a derived reader stops at the first of
//! them and lets the last of two equal keys win. So the file is read into this tree, nodes are numbered as
//! they come, and where a problem is found the file is read once more by the same visitor, which fails at
//! that number on purpose: the place in its error is the place of the node. One parser, no second opinion,
//! exact places also inside flow maps and behind aliases. A file with aliases that explode is stopped by serde_yaml.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, Visitor};

const TAGGED: &str = "YAML tags (a word after !) have no meaning here; quote the text if the ! belongs to it";

/// A node and its number in reading order.
#[derive(Debug, Clone)]
pub(super) struct Node {
    /// Counted from 0, the root; keys count too.
    pub number: usize,
    /// What it is.
    pub kind: Kind,
}

/// What a node is.
#[derive(Debug, Clone)]
pub(super) enum Kind {
    /// Nothing after the colon, `~` or `null`.
    Nothing,
    /// `true` or `false`.
    Flag(bool),
    /// A whole number.
    Whole(i128),
    /// Any other number.
    Fraction(f64),
    /// Text.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A map, with equal keys as often as they were written.
    Map(Vec<(Node, Node)>),
}

impl Node {
    /// What it is, for a message. Never its value.
    pub fn described(&self) -> &'static str {
        match self.kind {
            Kind::Nothing => "nothing",
            Kind::Flag(_) => "true or false",
            Kind::Whole(_) | Kind::Fraction(_) => "a number",
            Kind::Text(_) => "text",
            Kind::List(_) => "a list",
            Kind::Map(_) => "a map",
        }
    }
}

/// Where something stands: line and column, both from 1, the column in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Position {
    /// Line.
    pub line: usize,
    /// Column.
    pub column: usize,
}

/// A text that is not one YAML document.
#[derive(Debug, Clone)]
pub(super) struct SyntaxError {
    /// What is wrong, without the place.
    pub message: String,
    /// Where, if known.
    pub position: Option<Position>,
}

/// Reads a document.
pub(super) fn grow(text: &str) -> Result<Node, SyntaxError> {
    run(text, None).map_err(|error| SyntaxError { message: message_of(&error), position: position_of(&error) })
}

/// Where a node stands.
pub(super) fn locate(text: &str, number: usize) -> Option<Position> {
    run(text, Some(number)).err().as_ref().and_then(position_of)
}

fn run(text: &str, stop: Option<usize>) -> Result<Node, serde_yaml::Error> {
    let count = Cell::new(0);
    serde_yaml::Deserializer::from_str(text).deserialize_any(Grower { count: &count, stop })
}

/// What is wrong, without the place, and without any value: a value may be a secret.
fn message_of(error: &serde_yaml::Error) -> String {
    let full = error.to_string();
    if full.contains(TAGGED) {
        TAGGED.to_owned()
    } else if full.contains("invalid value") || full.contains("invalid type") {
        "a value does not fit its YAML tag".to_owned()
    } else {
        full.split(" at line ").next().unwrap_or(&full).to_owned()
    }
}

fn position_of(error: &serde_yaml::Error) -> Option<Position> {
    error.location().map(|location| Position { line: location.line(), column: location.column() })
}

#[derive(Clone, Copy)]
struct Grower<'a> {
    count: &'a Cell<usize>,
    stop: Option<usize>,
}

impl Grower<'_> {
    /// The number of the node that begins now.
    fn begin<E: Error>(self) -> Result<usize, E> {
        let number = self.count.get();
        self.count.set(number + 1);
        if self.stop == Some(number) { Err(E::custom("found")) } else { Ok(number) }
    }

    fn leaf<E: Error>(self, kind: Kind) -> Result<Node, E> {
        Ok(Node { number: self.begin()?, kind })
    }
}

impl<'de> DeserializeSeed<'de> for Grower<'_> {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Grower<'_> {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("YAML")
    }

    fn visit_unit<E: Error>(self) -> Result<Node, E> {
        self.leaf(Kind::Nothing)
    }

    fn visit_none<E: Error>(self) -> Result<Node, E> {
        self.leaf(Kind::Nothing)
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<Node, E> {
        self.leaf(Kind::Flag(flag))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Node, E> {
        self.leaf(Kind::Whole(number.into()))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Node, E> {
        self.leaf(Kind::Whole(number.into()))
    }

    fn visit_i128<E: Error>(self, number: i128) -> Result<Node, E> {
        self.leaf(Kind::Whole(number))
    }

    fn visit_u128<E: Error>(self, number: u128) -> Result<Node, E> {
        self.leaf(Kind::Whole(i128::try_from(number).unwrap_or(i128::MAX)))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Node, E> {
        self.leaf(Kind::Fraction(number))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Node, E> {
        self.leaf(Kind::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let number = self.begin()?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            list.push(item);
        }
        Ok(Node { number, kind: Kind::List(list) })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Node, A::Error> {
        let number = self.begin()?;
        let mut map = Vec::new();
        while let Some(key) = entries.next_key_seed(self)? {
            map.push((key, entries.next_value_seed(self)?));
        }
        Ok(Node { number, kind: Kind::Map(map) })
    }

    fn visit_enum<A: EnumAccess<'de>>(self, _: A) -> Result<Node, A::Error> {
        Err(A::Error::custom(TAGGED))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every node of the text as `line:column kind`, in reading order.
    fn places(text: &str) -> Vec<String> {
        fn walk(text: &str, node: &Node, into: &mut Vec<String>) {
            let Position { line, column } = locate(text, node.number).unwrap();
            into.push(format!("{line}:{column} {}", node.described()));
            match &node.kind {
                Kind::List(items) => items.iter().for_each(|item| walk(text, item, into)),
                Kind::Map(entries) => entries.iter().for_each(|(key, value)| {
                    walk(text, key, into);
                    walk(text, value, into);
                }),
                _ => {}
            }
        }
        let mut into = Vec::new();
        walk(text, &grow(text).unwrap(), &mut into);
        into
    }

    #[test]
    fn every_node_is_found_again() {
        assert_eq!(
            places("a: 1\nb:\n  - x\n  - { ü: yes, d: ~ }\nc: \"e\"\n"),
            [
                "1:1 a map",
                "1:1 text",
                "1:4 a number",
                "2:1 text",
                "3:3 a list",
                "3:5 text",
                "4:5 a map",
                "4:7 text",
                "4:10 text",
                "4:15 text",
                "4:18 nothing",
                "5:1 text",
                "5:4 text"
            ]
        );
    }

    #[test]
    fn an_alias_leads_to_its_anchor() {
        assert_eq!(places("a: &x\n  k: true\nb: *x\n").last().map(String::as_str), Some("2:6 true or false"));
    }

    #[test]
    fn equal_keys_are_all_kept() {
        let Kind::Map(entries) = grow("a: 1\na: 2\n").unwrap().kind else { panic!("a map") };
        assert_eq!(entries.len(), 2);
    }

    #[test]
    fn an_alias_bomb_is_stopped() {
        let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for level in 1..12 {
            let before = format!("*a{}, ", level - 1).repeat(10);
            text.push_str(&format!("a{level}: &a{level} [{}]\n", before.trim_end_matches(", ")));
        }
        assert_eq!(grow(&text).unwrap_err().message, "repetition limit exceeded");
    }

    #[test]
    fn deep_nesting_is_stopped() {
        let text = format!("{}{}", "[".repeat(5000), "]".repeat(5000));
        assert!(grow(&text).unwrap_err().message.contains("recursion limit"));
    }
}
