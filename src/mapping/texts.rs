//! What an expression works on: no, one or several texts. LDAP gives the values of an attribute
//! no order, so they are read in the order of their octets, each once.

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::model::{AttributeName, AttributeValue, Entry};

/// The most octets that an expression may put together.
pub(super) const OUTPUT_LIMIT: usize = 64 * 1024;

/// Why an expression has no result for an entry. Says nothing of values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Problem {
    /// So many values where one is needed.
    Several(usize),
    /// A value that cannot be used, or too long a result.
    Unfit(String),
}

/// Values of an attribute or of a part of an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Texts<'a> {
    /// None.
    Zero,
    /// The usual case, without an allocation.
    One(Cow<'a, str>),
    /// Two or more.
    Many(Vec<Cow<'a, str>>),
}

impl<'a> Texts<'a> {
    /// The values of an attribute as rules see them.
    pub(super) fn read(name: &AttributeName, entry: &'a Entry) -> Result<Self, Problem> {
        match entry.values(name) {
            [] => Ok(Self::Zero),
            [value] => Ok(Self::of(Cow::Borrowed(text(name, value)?))),
            values => {
                let mut texts = values.iter().map(|value| text(name, value)).collect::<Result<Vec<_>, _>>()?;
                texts.retain(|text| !text.is_empty());
                texts.sort_unstable();
                texts.dedup();
                Ok(texts.into_iter().map(Cow::Borrowed).collect())
            }
        }
    }

    /// One text; the empty one is no value.
    pub(super) fn of(text: Cow<'a, str>) -> Self {
        if text.is_empty() { Self::Zero } else { Self::One(text) }
    }

    /// All of them in order.
    pub(super) fn as_slice(&self) -> &[Cow<'a, str>] {
        match self {
            Self::Zero => &[],
            Self::One(text) => std::slice::from_ref(text),
            Self::Many(texts) => texts,
        }
    }

    /// True if there is no value.
    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Self::Zero)
    }

    /// The value at a position from 1.
    pub(super) fn item(self, position: usize) -> Self {
        match (self, position) {
            (Self::One(text), 1) => Self::One(text),
            (Self::Many(texts), 1..) => texts.into_iter().nth(position - 1).map_or(Self::Zero, Self::One),
            (Self::Zero | Self::One(_) | Self::Many(_), _) => Self::Zero,
        }
    }

    /// Each value changed; those that become equal are one, those that become empty are none.
    pub(super) fn map(self, change: impl Fn(Cow<'a, str>) -> Cow<'a, str>) -> Self {
        match self {
            Self::Zero => Self::Zero,
            Self::One(text) => Self::of(change(text)),
            Self::Many(texts) => {
                let mut seen = BTreeSet::new();
                texts.into_iter().map(change).filter(|text| !text.is_empty() && seen.insert(text.clone())).collect()
            }
        }
    }

    /// True if some value of the one is a value of the other.
    pub(super) fn share_a_value(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Zero, _) | (_, Self::Zero) => false,
            (Self::One(one), Self::One(two)) => one == two,
            (Self::One(_) | Self::Many(_), Self::One(_) | Self::Many(_)) => {
                let known: BTreeSet<&str> = self.as_slice().iter().map(AsRef::as_ref).collect();
                other.as_slice().iter().any(|text| known.contains(text.as_ref()))
            }
        }
    }
}

impl<'a> FromIterator<Cow<'a, str>> for Texts<'a> {
    fn from_iter<I: IntoIterator<Item = Cow<'a, str>>>(texts: I) -> Self {
        let mut texts = texts.into_iter();
        match (texts.next(), texts.next()) {
            (None, _) => Self::Zero,
            (Some(one), None) => Self::One(one),
            (Some(one), Some(two)) => Self::Many([one, two].into_iter().chain(texts).collect()),
        }
    }
}

/// A value as text, without the space around it, which LDAP's own matching ignores (RFC 4518 §2.6.1).
/// A value of nothing but space comes out empty: OpenLDAP stores a single space for an empty DirectoryString.
fn text<'a>(name: &AttributeName, value: &'a AttributeValue) -> Result<&'a str, Problem> {
    let text = value.text().ok_or_else(|| Problem::Unfit(format!("a value of {name} is not UTF-8 text")))?;
    let trimmed = text.trim();
    // In a DN a space at the end may be escaped (RFC 4514 §2.4); cut off, the backslash would hang in the air.
    Ok(if trimmed.ends_with('\\') { text.trim_start() } else { trimmed })
}
