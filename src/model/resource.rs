//! A SCIM resource as a flat map from attribute path to value (RFC 7643, RFC 7644 §3.5.2).
//! JSON is assembled only at the wire.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use super::EntryId;

/// The id that the service provider gave a resource. Opaque.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceId(Arc<str>);

impl ResourceId {
    /// Takes the provider's id as it stands.
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// The provider's id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// User or group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ResourceType {
    /// `/Users`
    User,
    /// `/Groups`
    Group,
}

impl ResourceType {
    /// The word for people: `user`, `group`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Group => "group",
        }
    }

    /// The attribute that names a resource: `userName`, `displayName`.
    pub fn name_attribute(self) -> &'static str {
        match self {
            Self::User => "userName",
            Self::Group => "displayName",
        }
    }

    /// The path of that attribute.
    pub fn name_path(self) -> AttributePath {
        AttributePath::known(self.name_attribute())
    }
}

/// `[attribute eq "value"]` in a path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Selector {
    /// The sub-attribute compared, nearly always `type`.
    pub attribute: String,
    /// The value it must equal.
    pub value: String,
}

/// Where a value stands in a resource: `userName`, `name.givenName`,
/// `emails[type eq "work"].value`, `urn:…:enterprise:2.0:User:department`.
/// Equality and order are those of the canonical text.
#[derive(Clone)]
pub struct AttributePath(Arc<Parsed>);

struct Parsed {
    text: String,
    schema: Option<String>,
    name: String,
    selector: Option<Selector>,
    sub_attribute: Option<String>,
}

/// A text that is not an attribute path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a SCIM attribute path: {problem}")]
pub struct PathError {
    /// The text.
    pub text: String,
    /// What is wrong with it.
    pub problem: &'static str,
}

impl AttributePath {
    /// Parses a path (RFC 7644 figure 7, restricted to one `eq` in the brackets).
    pub fn parse(text: &str) -> Result<Self, PathError> {
        let error = |problem| PathError { text: text.to_owned(), problem };
        let trimmed = text.trim();
        let (schema, rest) = match trimmed.get(..4) {
            Some(start) if start.eq_ignore_ascii_case("urn:") => {
                let end = trimmed.find('[').unwrap_or(trimmed.len());
                let head = trimmed.get(..end).unwrap_or(trimmed);
                let colon = head.rfind(':').ok_or_else(|| error("the schema has no attribute after it"))?;
                let schema = trimmed.get(..colon).unwrap_or_default();
                (Some(schema.to_owned()), trimmed.get(colon + 1..).unwrap_or_default())
            }
            _ => (None, trimmed),
        };
        let (name, selector, sub_attribute) = match rest.split_once('[') {
            None => match rest.split_once('.') {
                None => (rest, None, None),
                Some((name, sub)) => (name, None, Some(sub)),
            },
            Some((name, after)) => {
                let (inside, tail) = after.rsplit_once(']').ok_or_else(|| error("a [ is not closed"))?;
                let sub = match tail {
                    "" => None,
                    _ => Some(tail.strip_prefix('.').ok_or_else(|| error("only .subAttribute may follow the ]"))?),
                };
                (name, Some(parse_selector(inside).ok_or_else(|| error("inside [ ] write: attribute eq \"value\""))?), sub)
            }
        };
        if !is_name(name) {
            return Err(error("an attribute name starts with a letter and holds letters, digits, - and _"));
        }
        if sub_attribute.is_some_and(|sub| !is_name(sub)) {
            return Err(error("the sub-attribute is not a name"));
        }
        Ok(Self::assemble(schema, name.to_owned(), selector, sub_attribute.map(str::to_owned)))
    }

    /// A path that the program itself spells; one that does not parse stands for itself as a name.
    pub fn known(text: &'static str) -> Self {
        Self::parse(text).unwrap_or_else(|_| Self::assemble(None, text.to_owned(), None, None))
    }

    /// Puts a path together from its parts.
    pub fn assemble(schema: Option<String>, name: String, selector: Option<Selector>, sub_attribute: Option<String>) -> Self {
        let mut text = String::new();
        if let Some(schema) = &schema {
            text.push_str(schema);
            text.push(':');
        }
        text.push_str(&name);
        if let Some(Selector { attribute, value }) = &selector {
            let value = value.replace('\\', "\\\\").replace('"', "\\\"");
            text.push_str(&format!("[{attribute} eq \"{value}\"]"));
        }
        if let Some(sub) = &sub_attribute {
            text.push('.');
            text.push_str(sub);
        }
        Self(Arc::new(Parsed { text, schema, name, selector, sub_attribute }))
    }

    /// The canonical text.
    pub fn as_str(&self) -> &str {
        &self.0.text
    }

    /// The schema's URN, if the path names one.
    pub fn schema(&self) -> Option<&str> {
        self.0.schema.as_deref()
    }

    /// The attribute's name.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The element chosen of a multi-valued attribute.
    pub fn selector(&self) -> Option<&Selector> {
        self.0.selector.as_ref()
    }

    /// The sub-attribute.
    pub fn sub_attribute(&self) -> Option<&str> {
        self.0.sub_attribute.as_deref()
    }
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '$')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '$'))
}

fn parse_selector(inside: &str) -> Option<Selector> {
    let (attribute, rest) = inside.trim().split_once(' ')?;
    let rest = rest.trim_start();
    let (operator, value) = rest.split_once(' ')?;
    let quoted = value.trim().strip_prefix('"')?.strip_suffix('"')?;
    let mut plain = String::new();
    let mut characters = quoted.chars();
    while let Some(c) = characters.next() {
        match c {
            '\\' => plain.push(characters.next()?),
            '"' => return None,
            _ => plain.push(c),
        }
    }
    (is_name(attribute) && operator.eq_ignore_ascii_case("eq"))
        .then(|| Selector { attribute: attribute.to_owned(), value: plain })
}

/// A map of paths is asked by canonical text, without a path being made for the question.
impl std::borrow::Borrow<str> for AttributePath {
    fn borrow(&self) -> &str {
        &self.0.text
    }
}

impl PartialEq for AttributePath {
    fn eq(&self, other: &Self) -> bool {
        self.0.text == other.0.text
    }
}

impl Eq for AttributePath {}

impl PartialOrd for AttributePath {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for AttributePath {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.text.cmp(&other.0.text)
    }
}

impl std::hash::Hash for AttributePath {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.text.hash(state);
    }
}

impl fmt::Debug for AttributePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.text)
    }
}

impl fmt::Display for AttributePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.text)
    }
}

/// A value at a path.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Value {
    /// A string.
    Text(String),
    /// A JSON boolean.
    Flag(bool),
    /// Another entry; it becomes a resource id when it is sent.
    Reference(EntryId),
}

impl Value {
    /// The entry, if the value is a reference.
    pub fn reference(&self) -> Option<&EntryId> {
        match self {
            Self::Reference(id) => Some(id),
            Self::Text(_) | Self::Flag(_) => None,
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(_) => f.write_str("Text(…)"),
            Self::Flag(flag) => write!(f, "Flag({flag})"),
            Self::Reference(id) => write!(f, "Reference({id})"),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// What a resource is, or should be, at the service provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// User or group.
    pub resource_type: ResourceType,
    /// Its attributes, flat. A user always carries `active`.
    pub attributes: BTreeMap<AttributePath, Value>,
    /// Groups: the entries that are its members.
    pub members: BTreeSet<EntryId>,
}

impl Resource {
    /// A resource with nothing in it.
    pub fn empty(resource_type: ResourceType) -> Self {
        Self { resource_type, attributes: BTreeMap::new(), members: BTreeSet::new() }
    }

    /// `userName` or `displayName`.
    pub fn name(&self) -> Option<&str> {
        self.text(self.resource_type.name_attribute())
    }

    /// Takes out what speaks of entries whose resources are gone.
    pub fn forget(&mut self, gone: &BTreeSet<&EntryId>) {
        self.members.retain(|id| !gone.contains(id));
        self.attributes.retain(|_, value| value.reference().is_none_or(|id| !gone.contains(id)));
    }

    /// The text at a path.
    pub fn text(&self, path: &str) -> Option<&str> {
        match self.attributes.get(path) {
            Some(Value::Text(text)) => Some(text),
            Some(Value::Flag(_) | Value::Reference(_)) | None => None,
        }
    }

    /// `active`, if it is carried.
    pub fn active(&self) -> Option<bool> {
        match self.attributes.get("active") {
            Some(Value::Flag(flag)) => Some(*flag),
            Some(Value::Text(_) | Value::Reference(_)) | None => None,
        }
    }
}
