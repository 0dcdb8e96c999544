//! An LDAP attribute's name (no case, no options) and one of its values (octets).

use std::fmt;
use std::sync::Arc;

/// The name of an LDAP attribute in lower case, without options such as `;lang-en` (RFC 4512 §2.5).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttributeName(Arc<str>);

impl AttributeName {
    /// Takes a name as a server or an admin wrote it.
    pub fn new(written: &str) -> Self {
        let name = written.split(';').next().unwrap_or(written);
        let mut name: Arc<str> = name.trim().into();
        // Nobody else has it yet.
        if let Some(name) = Arc::get_mut(&mut name) {
            name.make_ascii_lowercase();
        }
        Self(name)
    }

    /// The name in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for AttributeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for AttributeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One value of an LDAP attribute, as octets. Its debug form shows the length only.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttributeValue(Box<[u8]>);

impl AttributeValue {
    /// Takes the octets as the server sent them.
    pub fn new(octets: impl Into<Box<[u8]>>) -> Self {
        Self(octets.into())
    }

    /// The octets.
    pub fn octets(&self) -> &[u8] {
        &self.0
    }

    /// The value as text, if it is UTF-8.
    pub fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }
}

impl fmt::Debug for AttributeValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({} octets)", self.0.len())
    }
}

impl From<&str> for AttributeValue {
    fn from(text: &str) -> Self {
        Self::new(text.as_bytes())
    }
}
