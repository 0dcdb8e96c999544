//! An entry as the server sent it: octets, decoded without trust.

use std::collections::BTreeMap;

use ldap3::ResultEntry;
use ldap3::asn1::{PL, StructureTag};
use ldap3::controls::RawControl;

use crate::model::{AttributeName, AttributeValue};

/// An entry's DN as written, and its attributes without options.
///
/// Values under an option are kept apart from the plain attribute and dropped (`;lang-de`), except where the
/// option says how the same values travel: `;binary`, and `;range=` (MS-ADTS §3.1.1.3.1.3.3).
#[derive(Debug, Clone)]
pub struct RawEntry {
    /// The DN as the server wrote it.
    pub dn: String,
    attributes: BTreeMap<AttributeName, Vec<AttributeValue>>,
    ranges: BTreeMap<AttributeName, Range>,
    controls: Vec<RawControl>,
}

/// Part of an attribute's values: the position of the first, and of the last unless the values end here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// Position of the first value, from 0.
    pub first: u64,
    /// Position of the last value; `None` if no more follow.
    pub last: Option<u64>,
}

impl RawEntry {
    /// An entry without attributes.
    pub fn empty(dn: &str) -> Self {
        Self { dn: dn.to_owned(), attributes: BTreeMap::new(), ranges: BTreeMap::new(), controls: Vec::new() }
    }

    /// Decodes a search result entry; `None` if it is not one or its DN is not UTF-8.
    pub fn decode(item: ResultEntry) -> Option<Self> {
        let (message, controls) = (item.0, item.1);
        let mut parts = constructed(message)?.into_iter();
        let mut entry = Self::empty(&String::from_utf8(primitive(parts.next()?)?).ok()?);
        entry.controls = controls.into_iter().map(|control| control.1).collect();
        for attribute in constructed(parts.next()?)? {
            let mut parts = constructed(attribute)?.into_iter();
            let name = String::from_utf8(primitive(parts.next()?)?).ok();
            let values = constructed(parts.next()?)?.into_iter().map(primitive).collect::<Option<Vec<_>>>()?;
            if let Some(name) = name {
                entry.add(&name, values);
            }
        }
        Some(entry)
    }

    /// Adds values under a name as a server writes it, options and all.
    pub fn add(&mut self, written: &str, values: Vec<Vec<u8>>) {
        let name = AttributeName::new(written);
        let mut came = None;
        for option in written.split(';').skip(1) {
            match Range::parse(option) {
                Some(range) => came = Some(range),
                None if option.eq_ignore_ascii_case("binary") => {}
                None => return,
            }
        }
        if let Some(range) = came {
            let alone = !self.ranges.contains_key(&name) && range.holds(values.len());
            self.ranges.insert(name.clone(), if alone { range } else { Range::NO_BEGINNING });
        }
        self.attributes.entry(name).or_default().extend(values.into_iter().map(AttributeValue::new));
    }

    /// Attaches a control.
    #[cfg(test)]
    pub fn attach(&mut self, oid: &str, value: Vec<u8>) {
        self.controls.push(RawControl { ctype: oid.to_owned(), crit: false, val: Some(value) });
    }

    /// The value of a control that came with the entry; empty if the control has none.
    pub fn control(&self, oid: &str) -> Option<&[u8]> {
        let control = self.controls.iter().find(|control| control.ctype == oid)?;
        Some(control.val.as_deref().unwrap_or_default())
    }

    /// The values of an attribute; none if it is absent.
    pub fn values(&self, name: &str) -> &[AttributeValue] {
        self.attributes.get(&AttributeName::new(name)).map_or(&[], Vec::as_slice)
    }

    /// True if the server sent the attribute, with values or without.
    pub fn has(&self, name: &str) -> bool {
        self.attributes.contains_key(&AttributeName::new(name))
    }

    /// Takes the values of an attribute out.
    pub fn take(&mut self, name: &AttributeName) -> Vec<AttributeValue> {
        self.attributes.remove(name).unwrap_or_default()
    }

    /// The range that the values of an attribute are, if the server said so.
    pub fn range(&self, name: &AttributeName) -> Option<Range> {
        self.ranges.get(name).copied()
    }

    /// Attributes of which not all values came, and the position of the first that is missing. Values that do not
    /// begin at the first position are no beginning: everything is missing then.
    pub fn unfinished(&self) -> Vec<(AttributeName, u64)> {
        let next = |range: &Range| match range.first {
            0 => range.last.map(|last| last.saturating_add(1)),
            _ => Some(0),
        };
        self.ranges.iter().filter_map(|(name, range)| Some((name.clone(), next(range)?))).collect()
    }

    /// Appends further values of an attribute and notes that its range is complete.
    pub fn complete(&mut self, name: &AttributeName, values: Vec<AttributeValue>) {
        let known = self.attributes.entry(name.clone()).or_default();
        if self.ranges.remove(name).is_some_and(|range| range.first != 0) {
            known.clear();
        }
        known.extend(values);
    }

    /// True if it is of an object class, whatever the case.
    pub fn has_class(&self, name: &str) -> bool {
        self.values("objectClass").iter().filter_map(AttributeValue::text).any(|class| class.eq_ignore_ascii_case(name))
    }

    /// True if a word, in lower case, is in the name of one of its object classes.
    pub fn has_class_like(&self, word: &str) -> bool {
        self.values("objectClass").iter().filter_map(AttributeValue::text).any(|class| class.to_ascii_lowercase().contains(word))
    }
}

impl Range {
    /// What stands for ranges that do not add up: everything is missing.
    const NO_BEGINNING: Self = Self { first: u64::MAX, last: None };

    /// True if so many values can be this range. Only the length of one that is not the last is told.
    fn holds(self, count: usize) -> bool {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        self.last.is_none_or(|last| last.checked_sub(self.first).and_then(|more| more.checked_add(1)) == Some(count))
    }

    /// `range=0-1499`, `range=1500-*`.
    fn parse(option: &str) -> Option<Self> {
        let (word, range) = option.split_once('=')?;
        let (first, last) = range.split_once('-')?;
        let last = if last == "*" { None } else { Some(last.parse().ok()?) };
        word.eq_ignore_ascii_case("range").then_some(Self { first: first.parse().ok()?, last })
    }
}

/// The strings of a search result reference that are text.
pub fn reference_urls(item: ResultEntry) -> Vec<String> {
    let strings = constructed(item.0).unwrap_or_default();
    strings.into_iter().filter_map(primitive).filter_map(|octets| String::from_utf8(octets).ok()).collect()
}

/// Name and value of an intermediate response, as far as they are there.
pub fn intermediate(item: ResultEntry) -> (Option<String>, Option<Vec<u8>>) {
    let (mut name, mut value) = (None, None);
    for part in constructed(item.0).unwrap_or_default() {
        match part.id {
            0 => name = primitive(part).and_then(|octets| String::from_utf8(octets).ok()),
            1 => value = primitive(part),
            _ => {}
        }
    }
    (name, value)
}

fn constructed(tag: StructureTag) -> Option<Vec<StructureTag>> {
    match tag.payload {
        PL::C(parts) => Some(parts),
        PL::P(_) => None,
    }
}

fn primitive(tag: StructureTag) -> Option<Vec<u8>> {
    match tag.payload {
        PL::P(octets) => Some(octets),
        PL::C(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(attributes: &[(&str, &[&str])]) -> RawEntry {
        let mut entry = RawEntry::empty("cn=x");
        for (name, values) in attributes {
            entry.add(name, values.iter().map(|value| value.as_bytes().to_vec()).collect());
        }
        entry
    }

    fn texts(entry: &RawEntry, name: &str) -> Vec<String> {
        entry.values(name).iter().map(|value| value.text().unwrap().to_owned()).collect()
    }

    #[test]
    fn names_have_no_case_and_repeated_attributes_are_joined() {
        let entry = entry(&[("Mail", &["a"]), ("mail", &["b"])]);
        assert_eq!(texts(&entry, "MAIL"), ["a", "b"]);
    }

    #[test]
    fn values_in_another_language_are_not_the_plain_attribute() {
        let entry = entry(&[("cn;lang-ja", &["x"]), ("cn", &["y"]), ("photo;binary", &["z"])]);
        assert_eq!((texts(&entry, "cn"), texts(&entry, "photo")), (vec!["y".to_owned()], vec!["z".to_owned()]));
        assert!(texts(&self::entry(&[("cn;lang-ja", &["x"])]), "cn").is_empty());
    }

    #[test]
    fn a_range_is_noticed_beside_the_empty_plain_attribute() {
        let entry = entry(&[("member", &[]), ("member;range=0-1", &["a", "b"]), ("cn", &["x"])]);
        assert_eq!(texts(&entry, "member"), ["a", "b"]);
        assert_eq!(entry.unfinished(), [(AttributeName::new("member"), 2)]);
        assert!(self::entry(&[("member;range=0-*", &["a"])]).unfinished().is_empty());
        assert!(texts(&self::entry(&[("member;range=junk", &["a"])]), "member").is_empty());
    }

    #[test]
    fn a_range_is_understood_wherever_it_comes_and_asked_for_again_where_it_makes_no_sense() {
        let check = |attributes: &[(&str, &[&str])], unfinished: &[(&str, u64)]| {
            let expected: Vec<_> = unfinished.iter().map(|(name, next)| (AttributeName::new(name), *next)).collect();
            assert_eq!(entry(attributes).unfinished(), expected, "{attributes:?}");
        };
        check(&[("uniqueMember;range=0-1", &["a", "b"])], &[("uniquemember", 2)]);
        check(&[("member;binary;RANGE=0-1", &["a", "b"])], &[("member", 2)]);
        check(&[("member;range=0-1;binary", &["a", "b"])], &[("member", 2)]);
        check(&[("member;range=0-1;lang-de", &["a", "b"])], &[]);
        check(&[("member;range=0-*", &[])], &[]);
        check(&[("member;range=0-1499", &[])], &[("member", 0)]);
        check(&[("member;range=0-2", &["a", "b"])], &[("member", 0)]);
        check(&[("member;range=2-3", &["c", "d"])], &[("member", 0)]);
        check(&[("member;range=3-2", &["c"])], &[("member", 0)]);
        check(&[("member;range=0-0", &["a"]), ("member;range=1-1", &["b"])], &[("member", 0)]);
        check(&[("member;range=0-18446744073709551615", &["a"])], &[("member", 0)]);
    }
}
