//! Walks BER (X.690) as LDAP restricts it (RFC 4511 §5.1): definite lengths, tag numbers below 31.
//! Nothing here recurses, so that no nesting can exhaust the stack.

/// Why octets are not an acceptable LDAP message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// A tag number of 31 or more.
    #[error("a tag of more than one octet")]
    LongTag,
    /// The length octet 0x80, or more length octets than any message needs.
    #[error("a length that is indefinite or too long")]
    BadLength,
    /// The message is longer than we accept.
    #[error("a message of {0} octets, more than is accepted")]
    TooLong(usize),
    /// Elements inside elements beyond what LDAP ever needs.
    #[error("elements nested more than {0} deep")]
    TooDeep(usize),
    /// More elements than any answer needs: each costs many times its octets once it is parsed.
    #[error("a message of more than {0} elements")]
    TooMany(usize),
    /// An element reaches over the end of the one around it.
    #[error("an element that reaches over the end of the one around it")]
    Overrun,
    /// Not the ASN.1 of RFC 4511.
    #[error("not a message of RFC 4511: {0}")]
    Shape(&'static str),
    /// More than any search brings.
    #[error("more answers to one search than any directory has")]
    Endless,
    /// A reply that does not belong to the request it answers.
    #[error("a reply of kind {tag:#04x} to a request that has no such reply")]
    WrongReply {
        /// Tag octet of the reply.
        tag: u8,
    },
}

/// Identifier and length octets of an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The identifier octet.
    pub tag: u8,
    /// Octets of identifier and length together.
    pub octets: usize,
    /// Octets of the content.
    pub length: usize,
}

/// An element whose content lies in full before us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Element<'a> {
    /// The identifier octet: class, constructed bit, number.
    pub tag: u8,
    /// The content octets.
    pub content: &'a [u8],
}

/// Reads a header; `None` if more octets are needed to tell.
pub fn header(octets: &[u8]) -> Result<Option<Header>, Violation> {
    let Some(&tag) = octets.first() else { return Ok(None) };
    if tag & 0x1f == 0x1f {
        return Err(Violation::LongTag);
    }
    let Some(&first) = octets.get(1) else { return Ok(None) };
    if first < 0x80 {
        return Ok(Some(Header { tag, octets: 2, length: usize::from(first) }));
    }
    let count = usize::from(first & 0x7f);
    if count == 0 || count > 8 {
        return Err(Violation::BadLength);
    }
    let Some(digits) = octets.get(2..2 + count) else { return Ok(None) };
    let length = digits.iter().fold(0u64, |sum, octet| (sum << 8) | u64::from(*octet));
    let length = usize::try_from(length).map_err(|_| Violation::BadLength)?;
    Ok(Some(Header { tag, octets: 2 + count, length }))
}

/// The elements that stand one after another in a content.
pub fn elements(content: &[u8]) -> Elements<'_> {
    Elements { rest: content }
}

/// See [`elements`]. Ends after the first violation.
pub struct Elements<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Elements<'a> {
    type Item = Result<Element<'a>, Violation>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let element = first(self.rest);
        match &element {
            Ok((_, rest)) => self.rest = rest,
            Err(_) => self.rest = &[],
        }
        Some(element.map(|(element, _)| element))
    }
}

/// The first element, and what follows it.
fn first(octets: &[u8]) -> Result<(Element<'_>, &[u8]), Violation> {
    let header = header(octets)?.ok_or(Violation::Overrun)?;
    let end = header.octets.checked_add(header.length).ok_or(Violation::BadLength)?;
    let content = octets.get(header.octets..end).ok_or(Violation::Overrun)?;
    Ok((Element { tag: header.tag, content }, octets.get(end..).unwrap_or_default()))
}

/// The one element that these octets are.
pub fn only(octets: &[u8]) -> Result<Element<'_>, Violation> {
    match first(octets)? {
        (element, []) => Ok(element),
        _ => Err(Violation::Shape("octets after the end")),
    }
}

/// Elements accepted in one message, and so values of one entry: twice as many as a group of a million members has.
const MOST_ELEMENTS: usize = 2_000_000;

/// Checks that every element lies within the one around it, that none is nested deeper than `limit`, and that they
/// are not far too many.
pub fn check_nesting(octets: &[u8], limit: usize) -> Result<(), Violation> {
    let mut ends: Vec<usize> = Vec::new();
    let mut count = 0;
    let mut at = 0;
    loop {
        while ends.last() == Some(&at) {
            ends.pop();
        }
        let rest = octets.get(at..).unwrap_or_default();
        if rest.is_empty() {
            return Ok(());
        }
        count += 1;
        if count > MOST_ELEMENTS {
            return Err(Violation::TooMany(MOST_ELEMENTS));
        }
        let header = header(rest)?.ok_or(Violation::Overrun)?;
        let start = at + header.octets;
        let end = start.checked_add(header.length).ok_or(Violation::BadLength)?;
        if end > ends.last().copied().unwrap_or(octets.len()) {
            return Err(Violation::Overrun);
        }
        if header.tag & 0x20 == 0 {
            at = end;
        } else {
            if ends.len() >= limit {
                return Err(Violation::TooDeep(limit));
            }
            ends.push(end);
            at = start;
        }
    }
}

/// Writes an element.
pub fn write(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut octets = vec![tag];
    match u8::try_from(content.len()) {
        Ok(short @ 0..=0x7f) => octets.push(short),
        _ => {
            let digits: Vec<u8> = content.len().to_be_bytes().into_iter().skip_while(|octet| *octet == 0).collect();
            octets.push(0x80 | u8::try_from(digits.len()).unwrap_or(8));
            octets.extend(digits);
        }
    }
    octets.extend_from_slice(content);
    octets
}

/// Writes a non-negative integer with this tag.
pub fn write_unsigned(tag: u8, number: u32) -> Vec<u8> {
    let digits = u64::from(number).to_be_bytes();
    let zeros = digits.iter().take_while(|octet| **octet == 0).count().min(7);
    let mut content = digits.get(zeros..).unwrap_or_default().to_vec();
    if content.first().is_some_and(|octet| *octet >= 0x80) {
        content.insert(0, 0);
    }
    write(tag, &content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_read_in_every_definite_form() {
        assert_eq!(header(&[0x30, 5]), Ok(Some(Header { tag: 0x30, octets: 2, length: 5 })));
        assert_eq!(header(&[0x30, 0x84, 0, 0, 1, 0]), Ok(Some(Header { tag: 0x30, octets: 6, length: 256 })));
        assert_eq!(header(&[0x30, 0x82, 1]), Ok(None));
        assert_eq!(header(&[0x30]), Ok(None));
        assert_eq!(header(&[0x30, 0x80]), Err(Violation::BadLength));
        assert_eq!(header(&[0x30, 0xff]), Err(Violation::BadLength));
        assert_eq!(header(&[0x3f, 0x20]), Err(Violation::LongTag));
    }

    #[test]
    fn writing_and_reading_agree() {
        for length in [0, 1, 127, 128, 255, 256, 70_000] {
            let content = vec![7u8; length];
            assert_eq!(only(&write(0x04, &content)).map(|element| element.content.len()), Ok(length));
        }
        assert_eq!(write_unsigned(2, 0), [2, 1, 0]);
        assert_eq!(write_unsigned(2, 128), [2, 2, 0, 128]);
        assert_eq!(write_unsigned(2, 500), [2, 2, 1, 0xf4]);
    }

    #[test]
    fn nesting_is_bounded_without_recursion() {
        let nested = |depth: usize| (0..depth).fold(write(0x04, b"x"), |inner, _| write(0x30, &inner));
        assert_eq!(check_nesting(&nested(32), 32), Ok(()));
        assert_eq!(check_nesting(&nested(33), 32), Err(Violation::TooDeep(32)));
        let bomb: Vec<u8> = [0x30, 0x84, 0x7f, 0xff, 0xff, 0xff].repeat(10);
        assert_eq!(check_nesting(&bomb, 32), Err(Violation::Overrun));
    }

    #[test]
    fn a_message_of_far_too_many_elements_is_refused() {
        let many = |count: usize| write(0x31, &[0x04, 0].repeat(count));
        assert_eq!(check_nesting(&many(600_000), 32), Ok(()));
        assert_eq!(check_nesting(&many(3_000_000), 32), Err(Violation::TooMany(MOST_ELEMENTS)));
    }

    #[test]
    fn an_element_that_reaches_over_its_parent_is_refused() {
        assert_eq!(check_nesting(&[0x30, 3, 0x04, 5, 0], 32), Err(Violation::Overrun));
        assert_eq!(check_nesting(&[0x30, 4, 0x30, 1, 0x04, 0], 32), Err(Violation::Overrun));
    }
}
