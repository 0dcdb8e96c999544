//! The text forms of lasting ids.

use crate::model::{AttributeValue, EntryId};

/// How a directory writes the lasting id of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdForm {
    /// Sixteen octets, the first three groups little-endian (MS-DTYP §2.3.4.2).
    Guid,
    /// Text, whose case means nothing.
    Text,
}

impl IdForm {
    /// The canonical text; `None` if this is not one value of that form.
    pub fn entry_id(self, values: &[AttributeValue]) -> Option<EntryId> {
        let [value] = values else { return None };
        match self {
            Self::Guid => guid_text(value.octets()).map(|text| EntryId::new(&text)),
            Self::Text => {
                let text = value.text()?.trim();
                let plausible = (1..=128).contains(&text.len()) && text.bytes().all(|octet| octet.is_ascii_graphic());
                plausible.then(|| EntryId::new(&text.to_ascii_lowercase()))
            }
        }
    }

    /// The id as the value of a filter (RFC 4515 §3); `None` if it is not one of this form.
    pub fn filter_value(self, id: &EntryId) -> Option<String> {
        match self {
            Self::Guid => guid_octets(id.as_str()).map(|octets| octets.iter().map(|octet| format!("\\{octet:02x}")).collect()),
            Self::Text => Some(ldap3::ldap_escape(id.as_str()).into_owned()),
        }
    }
}

/// The octets of a GUID that is written as Windows prints it.
fn guid_octets(text: &str) -> Option<[u8; 16]> {
    let digits: Vec<u8> = text.bytes().filter(|octet| *octet != b'-').collect();
    let digit = |octet: &u8| char::from(*octet).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let octet = |pair: &[u8]| match pair {
        [high, low] => Some(digit(high)? * 16 + digit(low)?),
        _ => None,
    };
    let octets: Vec<u8> = digits.chunks(2).map(octet).collect::<Option<_>>()?;
    let [a0, a1, a2, a3, b0, b1, c0, c1, tail @ ..] = <[u8; 16]>::try_from(octets).ok()?;
    let mut octets = [a3, a2, a1, a0, b1, b0, c1, c0, 0, 0, 0, 0, 0, 0, 0, 0];
    octets.iter_mut().skip(8).zip(tail).for_each(|(octet, value)| *octet = value);
    Some(octets)
}

/// A GUID as Windows prints it, in lower case, without braces.
fn guid_text(octets: &[u8]) -> Option<String> {
    let octets: [u8; 16] = octets.try_into().ok()?;
    let [a0, a1, a2, a3, b0, b1, c0, c1, d0, d1, e @ ..] = octets;
    let tail: String = e.iter().map(|octet| format!("{octet:02x}")).collect();
    Some(format!(
        "{:08x}-{:04x}-{:04x}-{d0:02x}{d1:02x}-{tail}",
        u32::from_le_bytes([a0, a1, a2, a3]),
        u16::from_le_bytes([b0, b1]),
        u16::from_le_bytes([c0, c1]),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guid_is_written_as_windows_prints_it() {
        let octets = [0xe0, 0x04, 0x25, 0x3f, 0x89, 0x4f, 0xd3, 0x11, 0x9a, 0x0c, 0x03, 0x05, 0xe8, 0x2c, 0x33, 0x01];
        let id = IdForm::Guid.entry_id(&[AttributeValue::new(octets)]);
        assert_eq!(id, Some(EntryId::new("3f2504e0-4f89-11d3-9a0c-0305e82c3301")));
    }

    #[test]
    fn a_guid_is_asked_for_by_its_octets() {
        let id = EntryId::new("3f2504e0-4f89-11d3-9a0c-0305e82c3301");
        let value = r"\e0\04\25\3f\89\4f\d3\11\9a\0c\03\05\e8\2c\33\01";
        assert_eq!(IdForm::Guid.filter_value(&id).as_deref(), Some(value));
        assert_eq!(IdForm::Guid.filter_value(&EntryId::new("3f2504e0")), None);
        assert_eq!(IdForm::Guid.filter_value(&EntryId::new("not a GUID, though as long as one is.")), None);
        assert_eq!(IdForm::Text.filter_value(&EntryId::new("a*")).as_deref(), Some(r"a\2a"));
    }

    #[test]
    fn octets_that_happen_to_be_text_are_still_a_guid() {
        let id = IdForm::Guid.entry_id(&["abcdefghijklmnop".into()]);
        assert_eq!(id, Some(EntryId::new("64636261-6665-6867-696a-6b6c6d6e6f70")));
    }

    #[test]
    fn a_text_id_is_lower_case() {
        let id = IdForm::Text.entry_id(&["6A1D0F6E-1DD2-11B2-A9B8-E10E3B2B0000".into()]);
        assert_eq!(id, Some(EntryId::new("6a1d0f6e-1dd2-11b2-a9b8-e10e3b2b0000")));
    }

    #[test]
    fn what_is_not_one_id_is_none() {
        assert_eq!(IdForm::Guid.entry_id(&[]), None);
        assert_eq!(IdForm::Guid.entry_id(&[AttributeValue::new([0u8; 15])]), None);
        assert_eq!(IdForm::Text.entry_id(&["".into()]), None);
        assert_eq!(IdForm::Text.entry_id(&["a".into(), "b".into()]), None);
        assert_eq!(IdForm::Text.entry_id(&[AttributeValue::new([0xff])]), None);
    }
}
