//! Reads attributes without a tree of JSON in between: a load reads those of everybody.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};

use crate::model::{AttributePath, EntryId, Value};

use super::{Paths, VERSION};

type Attributes = BTreeMap<AttributePath, Value>;

/// Attributes from text; `None` for whatever is not of the form that we write.
pub(super) fn attributes(text: &str, paths: &mut Paths) -> Option<Attributes> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let attributes = Document(paths).deserialize(&mut reader).ok()?;
    reader.end().ok()?;
    Some(attributes)
}

/// A text that is not copied where it lies before us as it is.
struct Text<'de>(Cow<'de, str>);

impl<'de> serde::Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Reading;
        impl<'de> Visitor<'de> for Reading {
            type Value = Text<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }
            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        from.deserialize_str(Reading)
    }
}

struct Document<'a>(&'a mut Paths);

impl<'de> DeserializeSeed<'de> for Document<'_> {
    type Value = Attributes;
    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Attributes, D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Document<'_> {
    type Value = Attributes;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a document")
    }
    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Attributes, M::Error> {
        let (mut version, mut attributes) = (None, None);
        while let Some(Text(key)) = map.next_key()? {
            match &*key {
                "v" => version = Some(map.next_value::<u64>()?),
                "attributes" => attributes = Some(map.next_value_seed(Pairs(self.0))?),
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        match (version, attributes) {
            (Some(version), Some(attributes)) if version <= VERSION => Ok(attributes),
            _ => Err(M::Error::custom("of another form")),
        }
    }
}

struct Pairs<'a>(&'a mut Paths);

impl<'de> DeserializeSeed<'de> for Pairs<'_> {
    type Value = Attributes;
    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Attributes, D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Pairs<'_> {
    type Value = Attributes;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("attributes")
    }
    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Attributes, M::Error> {
        let mut attributes = Attributes::new();
        while let Some(Text(key)) = map.next_key()? {
            let path = self.0.parse(&key).map_err(|_| M::Error::custom("a path"))?;
            attributes.insert(path, map.next_value_seed(One)?);
        }
        Ok(attributes)
    }
}

struct One;

impl<'de> DeserializeSeed<'de> for One {
    type Value = Value;
    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for One {
    type Value = Value;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }
    fn visit_bool<E: Error>(self, flag: bool) -> Result<Value, E> {
        Ok(Value::Flag(flag))
    }
    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Value, M::Error> {
        let mut entry = None;
        while let Some(Text(key)) = map.next_key()? {
            match &*key {
                "entry" => {
                    let Text(id) = map.next_value()?;
                    entry = Some(EntryId::new(&id));
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        entry.map(Value::Reference).ok_or_else(|| M::Error::custom("an entry"))
    }
}
