//! One value of a DN, and the form in which it is compared: RFC 4514 §2.4 and the string preparation of RFC 4518, as far as names
//! of people and units need it.

use unicode_normalization::UnicodeNormalization;

/// A value, decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    /// Text.
    Text(String),
    /// Octets that are no text.
    Octets(Vec<u8>),
    /// The BER encoding of something that is no string.
    Encoded(Vec<u8>),
}

/// The value that these octets are.
pub(super) fn of_octets(octets: Vec<u8>) -> Value {
    String::from_utf8(octets).map_or_else(|error| Value::Octets(error.into_bytes()), Value::Text)
}

/// The value whose encoding stands after a `#`. What is none is taken as it is written, since servers differ in what they
/// escape.
pub(super) fn of_hexadecimal(written: Value) -> Value {
    let Value::Text(text) = &written else { return written };
    let octets = text.strip_prefix('#').and_then(octets_of).filter(|octets| !octets.is_empty());
    let Some(octets) = octets else { return written };
    match string(&octets) {
        Some(content) => of_octets(content.to_vec()),
        None => Value::Encoded(octets),
    }
}

/// The comparable form. A `#` that is not escaped begins what is no text, so that it is never equal to any.
pub(super) fn comparable(value: &Value) -> String {
    let hex = |octets: &[u8]| octets.iter().map(|octet| format!("{octet:02x}")).collect::<String>();
    match value {
        Value::Text(text) => escape(&prepared(text)),
        Value::Octets(octets) => format!("#octets:{}", hex(octets)),
        Value::Encoded(octets) => format!("#{}", hex(octets)),
    }
}

/// The name under which a type of attribute is compared: the short one of RFC 4514 §3, where it has one.
pub(super) fn short_name(name: &str) -> &str {
    match name {
        "2.5.4.3" | "commonname" => "cn",
        "2.5.4.4" | "surname" => "sn",
        "2.5.4.6" | "countryname" => "c",
        "2.5.4.7" | "localityname" => "l",
        "2.5.4.8" | "stateorprovincename" => "st",
        "2.5.4.9" | "streetaddress" => "street",
        "2.5.4.10" | "organizationname" => "o",
        "2.5.4.11" | "organizationalunitname" => "ou",
        "0.9.2342.19200300.100.1.1" | "userid" => "uid",
        "0.9.2342.19200300.100.1.25" | "domaincomponent" => "dc",
        "0.9.2342.19200300.100.1.3" | "rfc822mailbox" => "mail",
        "1.2.840.113549.1.9.1" | "email" | "e" => "emailaddress",
        other => other,
    }
}

fn octets_of(hex: &str) -> Option<Vec<u8>> {
    let (pairs, []) = hex.as_bytes().as_chunks::<2>() else { return None };
    let digit = |octet: u8| char::from(octet).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    pairs.iter().map(|[high, low]| Some(digit(*high)? * 16 + digit(*low)?)).collect()
}

/// The content of an encoded string: OCTET, UTF8, Printable or IA5 String.
fn string(encoded: &[u8]) -> Option<&[u8]> {
    let [0x04 | 0x0c | 0x13 | 0x16, length, rest @ ..] = encoded else { return None };
    let (length, content) = match length {
        0..=0x7f => (usize::from(*length), rest),
        0x81..=0x84 => {
            let (length, content) = rest.split_at_checked(usize::from(length & 0x7f))?;
            (length.iter().fold(0, |sum, octet| sum * 256 + usize::from(*octet)), content)
        }
        _ => return None,
    };
    (content.len() == length).then_some(content)
}

/// RFC 4518 §2: what has no width goes, every space is one space, compatibility forms and case are folded.
fn prepared(value: &str) -> String {
    let plain = value.bytes().all(|octet| matches!(octet, b' '..=b'~'));
    if plain && !value.contains("  ") && value.trim() == value {
        return value.to_ascii_lowercase();
    }
    let mapped = value.chars().filter(|c| !is_nothing(*c)).map(|c| if c.is_whitespace() { ' ' } else { c });
    let folded: String = mapped.nfkc().flat_map(char::to_lowercase).map(|c| if c == FINAL_SIGMA { SIGMA } else { c }).collect();
    folded.nfkc().collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// One letter (RFC 3454, table B.2).
const SIGMA: char = '\u{3c3}';
const FINAL_SIGMA: char = '\u{3c2}';

/// Characters that RFC 4518 §2.2 maps to nothing: soft hyphens, joiners, variation selectors, marks of direction, controls.
fn is_nothing(c: char) -> bool {
    matches!(c,
        '\u{0}'..='\u{8}' | '\u{e}'..='\u{1f}' | '\u{7f}'..='\u{84}' | '\u{86}'..='\u{9f}' | '\u{ad}' | '\u{34f}'
        | '\u{6dd}' | '\u{70f}' | '\u{1806}' | '\u{180b}'..='\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{2063}' | '\u{206a}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff9}'..='\u{fffc}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0001}' | '\u{e0020}'..='\u{e007f}')
}

fn escape(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for (at, c) in value.char_indices() {
        if matches!(c, ',' | '+' | '\\' | '=' | ';') || (c == '#' && at == 0) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}
