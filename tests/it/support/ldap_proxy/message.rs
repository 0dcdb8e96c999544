//! LDAP messages (RFC 4511 §4.1.1) taken apart as far as the proxy changes them, and put together again.

use ldap3::asn1::{PL, StructureTag, TagClass, parse_tag};
use tokio::io::AsyncReadExt;
use tokio::net::tcp::OwnedReadHalf;

/// Application tag numbers of the operations that the proxy knows.
pub mod operation {
    pub const BIND: u64 = 0;
    pub const BIND_RESPONSE: u64 = 1;
    pub const SEARCH: u64 = 3;
    pub const ENTRY: u64 = 4;
    pub const DONE: u64 = 5;
    pub const REFERENCE: u64 = 19;
    pub const EXTENDED: u64 = 23;
    pub const EXTENDED_RESPONSE: u64 = 24;
}

const PAGED_RESULTS: &[u8] = b"1.2.840.113556.1.4.319";

/// One message, either way.
#[derive(Debug, Clone)]
pub struct Message {
    pub id: u32,
    pub operation: StructureTag,
    pub controls: Option<StructureTag>,
}

/// The paged results control (RFC 2696), of a request or an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    pub size: u32,
    pub cookie: Vec<u8>,
}

fn tag(class: TagClass, id: u64, payload: PL) -> StructureTag {
    StructureTag { class, id, payload }
}

pub fn octets(text: impl AsRef<[u8]>) -> StructureTag {
    tag(TagClass::Universal, 4, PL::P(text.as_ref().to_vec()))
}

pub fn sequence(parts: Vec<StructureTag>) -> StructureTag {
    tag(TagClass::Universal, 16, PL::C(parts))
}

fn number(kind: u64, value: u32) -> StructureTag {
    // A leading zero octet keeps it from being negative.
    let digits = [&[0][..], &value.to_be_bytes()].concat();
    let digits = digits.into_iter().skip_while(|digit| *digit == 0).collect::<Vec<u8>>();
    let sign = if digits.first().is_none_or(|digit| *digit >= 0x80) { vec![0] } else { Vec::new() };
    tag(TagClass::Universal, kind, PL::P([sign, digits].concat()))
}

pub fn primitive(tag: &StructureTag) -> &[u8] {
    match &tag.payload {
        PL::P(octets) => octets,
        PL::C(_) => &[],
    }
}

pub fn parts(tag: &StructureTag) -> &[StructureTag] {
    match &tag.payload {
        PL::C(parts) => parts,
        PL::P(_) => &[],
    }
}

pub fn parts_mut(tag: &mut StructureTag) -> &mut Vec<StructureTag> {
    match &mut tag.payload {
        PL::C(parts) => parts,
        PL::P(_) => panic!("a primitive element has no parts"),
    }
}

pub fn value(tag: &StructureTag) -> u32 {
    primitive(tag).iter().fold(0, |sum, octet| sum << 8 | u32::from(*octet))
}

pub fn text(tag: &StructureTag) -> String {
    String::from_utf8_lossy(primitive(tag)).into_owned()
}

/// The octets of an element.
pub fn encode(tag: &StructureTag) -> Vec<u8> {
    let (constructed, content) = match &tag.payload {
        PL::P(octets) => (0, octets.clone()),
        PL::C(parts) => (0x20, parts.iter().flat_map(encode).collect()),
    };
    let class = match tag.class {
        TagClass::Universal => 0,
        TagClass::Application => 0x40,
        TagClass::Context => 0x80,
        TagClass::Private => 0xc0,
    };
    let mut encoded = vec![class | constructed | tag.id as u8];
    match content.len() {
        short @ 0..=0x7f => encoded.push(short as u8),
        long => {
            encoded.push(0x84);
            encoded.extend((long as u32).to_be_bytes());
        }
    }
    encoded.extend(content);
    encoded
}

impl Message {
    pub fn decode(frame: &[u8]) -> Self {
        let (_, whole) = parse_tag(frame).expect("a message");
        let mut parts = parts(&whole).to_vec().into_iter();
        let id = value(&parts.next().expect("an id"));
        Self { id, operation: parts.next().expect("an operation"), controls: parts.next() }
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut parts = vec![number(2, self.id), self.operation.clone()];
        parts.extend(self.controls.clone());
        encode(&sequence(parts))
    }

    /// An answer with a result code.
    pub fn result(id: u32, answer: u64, code: u32, referral: &[&str]) -> Self {
        let mut parts = vec![number(10, code), octets(""), octets("said by the proxy")];
        if !referral.is_empty() {
            parts.push(tag(TagClass::Context, 3, PL::C(referral.iter().map(octets).collect())));
        }
        Self { id, operation: tag(TagClass::Application, answer, PL::C(parts)), controls: None }
    }

    /// A search result reference.
    pub fn reference(id: u32, url: &str) -> Self {
        Self { id, operation: tag(TagClass::Application, operation::REFERENCE, PL::C(vec![octets(url)])), controls: None }
    }

    /// The notice of disconnection (RFC 4511 §4.4.1).
    pub fn notice() -> Self {
        let mut notice = Self::result(0, operation::EXTENDED_RESPONSE, 52, &[]);
        parts_mut(&mut notice.operation).push(tag(TagClass::Context, 10, PL::P(b"1.3.6.1.4.1.1466.20036".to_vec())));
        notice
    }

    fn paging(&mut self) -> Option<&mut StructureTag> {
        let control = parts_mut(self.controls.as_mut()?).iter_mut();
        let mut paging = control.filter(|control| primitive(&parts(control)[0]) == PAGED_RESULTS);
        parts_mut(paging.next()?).last_mut()
    }

    /// The paging control, if there is one.
    pub fn page(&mut self) -> Option<Page> {
        let (_, inner) = parse_tag(primitive(self.paging()?)).expect("a paging control");
        Some(Page { size: value(&parts(&inner)[0]), cookie: primitive(&parts(&inner)[1]).to_vec() })
    }

    /// Changes the paging control.
    pub fn set_page(&mut self, page: &Page) {
        let inner = encode(&sequence(vec![number(2, page.size), octets(&page.cookie)]));
        self.paging().expect("a paging control").payload = PL::P(inner);
    }
}

/// Whole messages from a stream; cancelling a wait loses nothing.
pub struct Frames {
    stream: OwnedReadHalf,
    buffer: Vec<u8>,
}

impl Frames {
    pub fn new(stream: OwnedReadHalf) -> Self {
        Self { stream, buffer: Vec::new() }
    }

    /// The next message; `None` at the end of the stream.
    pub async fn next(&mut self) -> Option<Vec<u8>> {
        loop {
            if let Some(length) = frame_length(&self.buffer) {
                return Some(self.buffer.drain(..length).collect());
            }
            if self.stream.read_buf(&mut self.buffer).await.unwrap_or(0) == 0 {
                return None;
            }
        }
    }
}

fn frame_length(buffer: &[u8]) -> Option<usize> {
    let first = *buffer.get(1)?;
    let length = if first < 0x80 {
        2 + first as usize
    } else {
        let count = (first & 0x7f) as usize;
        2 + count + buffer.get(2..2 + count)?.iter().fold(0, |sum, octet| sum << 8 | *octet as usize)
    };
    (buffer.len() >= length).then_some(length)
}
