//! Checks that a message has the shape of RFC 4511, as strictly as the LDAP library behind the guard needs:
//! it panics on what it does not expect.

use super::ber::{self, Element, Violation};

/// Tag octets of the protocol operations that we meet (RFC 4511 §4.2 to §4.14).
pub mod operation {
    /// BindResponse.
    pub const BIND_RESPONSE: u8 = 0x61;
    /// UnbindRequest.
    pub const UNBIND_REQUEST: u8 = 0x42;
    /// AbandonRequest.
    pub const ABANDON_REQUEST: u8 = 0x50;
    /// SearchRequest.
    pub const SEARCH_REQUEST: u8 = 0x63;
    /// SearchResultEntry.
    pub const ENTRY: u8 = 0x64;
    /// SearchResultDone.
    pub const DONE: u8 = 0x65;
    /// SearchResultReference.
    pub const REFERENCE: u8 = 0x73;
    /// ExtendedRequest.
    pub const EXTENDED_REQUEST: u8 = 0x77;
    /// ExtendedResponse.
    pub const EXTENDED_RESPONSE: u8 = 0x78;
    /// IntermediateResponse.
    pub const INTERMEDIATE: u8 = 0x79;
}

const OCTET_STRING: u8 = 0x04;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;

/// Id and operation of a message, and whatever follows them.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    /// Message id; 0 for what nobody asked for.
    pub id: i32,
    /// The operation.
    pub operation: Element<'a>,
    controls: Option<Element<'a>>,
}

impl<'a> Message<'a> {
    /// Opens the envelope.
    pub fn open(frame: &'a [u8]) -> Result<Self, Violation> {
        let mut parts = ber::elements(ber::only(frame)?.content);
        let id = parts.next().ok_or(Violation::Shape("an empty message"))??;
        let digits = if id.tag == 0x02 && (1..=4).contains(&id.content.len()) { id.content } else { &[0x80] };
        let id = digits.iter().fold(0u32, |sum, octet| (sum << 8) | u32::from(*octet));
        let negative = digits.first().is_some_and(|octet| *octet >= 0x80);
        let id = i32::try_from(id).ok().filter(|_| !negative).ok_or(Violation::Shape("no message id"))?;
        let operation = parts.next().ok_or(Violation::Shape("no operation"))??;
        let controls = parts.next().transpose()?;
        if parts.next().is_some() {
            return Err(Violation::Shape("something after the controls"));
        }
        Ok(Self { id, operation, controls })
    }

    /// True if a control of this kind is attached.
    pub fn carries(&self, oid: &str) -> bool {
        let controls = self.controls.map(|controls| controls.content).unwrap_or_default();
        ber::elements(controls)
            .flatten()
            .any(|control| matches!(ber::elements(control.content).next(), Some(Ok(name)) if name.content == oid.as_bytes()))
    }

    /// The id of the request that this request abandons.
    pub fn abandoned(&self) -> Option<i32> {
        let digits = self.operation.content;
        let id = digits.iter().fold(0u64, |sum, octet| (sum << 8) | u64::from(*octet));
        i32::try_from(id).ok().filter(|_| self.operation.tag == operation::ABANDON_REQUEST && digits.len() <= 4)
    }

    /// Checks an answer through and through.
    pub fn check_answer(&self) -> Result<(), Violation> {
        match self.operation.tag {
            operation::ENTRY => check_entry(self.operation.content)?,
            operation::REFERENCE => check_strings(self.operation.content)?,
            operation::INTERMEDIATE => check_intermediate(self.operation.content)?,
            operation::DONE | operation::BIND_RESPONSE | operation::EXTENDED_RESPONSE => {
                check_result(self.operation.content)?;
            }
            _ => {}
        }
        match self.controls {
            None => Ok(()),
            Some(Element { tag: 0xa0, content }) => ber::elements(content).try_for_each(|control| check_control(control?)),
            Some(_) => Err(Violation::Shape("something else where controls stand")),
        }
    }

    /// Result code of an LDAPResult.
    pub fn result_code(&self) -> Option<u32> {
        let code = ber::elements(self.operation.content).next()?.ok()?;
        Some(code.content.iter().fold(0u32, |sum, octet| (sum << 8) | u32::from(*octet)))
    }
}

fn expect<'a>(element: Option<Result<Element<'a>, Violation>>, tag: u8, what: &'static str) -> Result<&'a [u8], Violation> {
    match element.transpose()? {
        Some(element) if element.tag == tag => Ok(element.content),
        _ => Err(Violation::Shape(what)),
    }
}

fn check_text(octets: &[u8], what: &'static str) -> Result<(), Violation> {
    std::str::from_utf8(octets).map(|_| ()).map_err(|_| Violation::Shape(what))
}

fn check_strings(content: &[u8]) -> Result<(), Violation> {
    ber::elements(content).try_for_each(|element| match element? {
        Element { tag: OCTET_STRING, content } => check_text(content, "a reference that is not UTF-8"),
        _ => Err(Violation::Shape("a reference that is no string")),
    })
}

fn check_entry(content: &[u8]) -> Result<(), Violation> {
    let mut parts = ber::elements(content);
    expect(parts.next(), OCTET_STRING, "an entry without its DN")?;
    let attributes = expect(parts.next(), SEQUENCE, "an entry without the list of its attributes")?;
    for attribute in ber::elements(attributes) {
        let attribute = expect(Some(attribute), SEQUENCE, "an attribute that is no sequence")?;
        let mut parts = ber::elements(attribute);
        expect(parts.next(), OCTET_STRING, "an attribute without its name")?;
        let values = expect(parts.next(), SET, "an attribute without the set of its values")?;
        for value in ber::elements(values) {
            expect(Some(value), OCTET_STRING, "an attribute value that is no string of octets")?;
        }
    }
    Ok(())
}

fn check_intermediate(content: &[u8]) -> Result<(), Violation> {
    let mut parts = ber::elements(content).peekable();
    if let Some(Ok(Element { tag: 0x80, content })) = parts.peek() {
        check_text(content, "the name of an intermediate response that is not UTF-8")?;
        parts.next();
    }
    if let Some(value) = parts.next() {
        expect(Some(value), 0x81, "an unknown part of an intermediate response")?;
    }
    if parts.next().is_some() { Err(Violation::Shape("an intermediate response with too many parts")) } else { Ok(()) }
}

fn check_result(content: &[u8]) -> Result<(), Violation> {
    let mut parts = ber::elements(content);
    let code = expect(parts.next(), 0x0a, "a result without its code")?;
    if !(1..=4).contains(&code.len()) {
        return Err(Violation::Shape("a result code of impossible length"));
    }
    check_text(expect(parts.next(), OCTET_STRING, "a result without its matched DN")?, "a matched DN that is not UTF-8")?;
    let message = expect(parts.next(), OCTET_STRING, "a result without its message")?;
    check_text(message, "a diagnostic message that is not UTF-8")?;
    for part in parts {
        let part = part?;
        match part.tag {
            0xa3 => check_strings(part.content)?,
            0x8a => check_text(part.content, "a response name that is not UTF-8")?,
            0x87 | 0x8b => {}
            _ => return Err(Violation::Shape("an unknown part of a result")),
        }
    }
    Ok(())
}

fn check_control(control: Element<'_>) -> Result<(), Violation> {
    let mut parts = ber::elements(expect(Some(Ok(control)), SEQUENCE, "a control that is no sequence")?).peekable();
    check_text(expect(parts.next(), OCTET_STRING, "a control without its type")?, "a control type that is not UTF-8")?;
    if let Some(Ok(Element { tag: 0x01, content })) = parts.peek() {
        if content.len() != 1 {
            return Err(Violation::Shape("a criticality of impossible length"));
        }
        parts.next();
    }
    if let Some(value) = parts.next() {
        expect(Some(value), OCTET_STRING, "a control value that is no string of octets")?;
    }
    if parts.next().is_some() { Err(Violation::Shape("a control with too many parts")) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(parts: &[Vec<u8>]) -> Vec<u8> {
        ber::write(0x30, &parts.concat())
    }

    fn result(tag: u8) -> Vec<u8> {
        ber::write(tag, &[ber::write_unsigned(0x0a, 0), ber::write(4, b""), ber::write(4, b"")].concat())
    }

    fn verdict(parts: &[Vec<u8>]) -> Result<(), Violation> {
        Message::open(&message(parts))?.check_answer()
    }

    #[test]
    fn good_answers_pass() {
        let id = ber::write_unsigned(2, 7);
        let value = ber::write(0x31, &ber::write(4, &[0xff, 0xfe]));
        let attribute = ber::write(0x30, &[ber::write(4, b"objectGUID"), value].concat());
        let entry = ber::write(0x64, &[ber::write(4, b"dc=x"), ber::write(0x30, &attribute)].concat());
        let control = ber::write(0x30, &[ber::write(4, b"1.2.3"), vec![1, 1, 0], ber::write(4, b"v")].concat());
        assert_eq!(verdict(&[id.clone(), entry]), Ok(()));
        assert_eq!(verdict(&[id.clone(), result(0x65), ber::write(0xa0, &control)]), Ok(()));
        assert_eq!(verdict(&[id.clone(), result(0x61)]), Ok(()));
        for parts in [vec![], vec![ber::write(0x80, b"1.2.3")], vec![ber::write(0x80, b"1.2.3"), ber::write(0x81, &[0xff])]] {
            assert_eq!(verdict(&[id.clone(), ber::write(0x79, &parts.concat())]), Ok(()));
        }
    }

    #[test]
    fn answers_that_would_panic_the_parser_behind_are_refused() {
        let id = ber::write_unsigned(2, 7);
        let bad: [Vec<Vec<u8>>; 17] = [
            vec![],
            vec![id.clone()],
            vec![ber::write(4, b"x"), result(0x65)],
            vec![ber::write(2, &[0xff, 1]), result(0x65)],
            vec![id.clone(), ber::write(0x65, b"")],
            vec![id.clone(), ber::write(0x64, &ber::write(4, b"dc=x"))],
            vec![id.clone(), ber::write(0x64, &[ber::write(4, b"dc=x"), ber::write(0x30, &ber::write(4, b"cn"))].concat())],
            vec![id.clone(), result(0x65), ber::write(0x80, b"x")],
            vec![id.clone(), result(0x65), ber::write(0xa0, &ber::write(0x30, b""))],
            vec![id.clone(), result(0x65), ber::write(0xa0, &ber::write(0x30, &[4, 1, b'1', 1, 0]))],
            vec![id.clone(), ber::write(0x65, &[10, 1, 0, 4, 1, 0xff, 4, 0])],
            vec![id.clone(), ber::write(0x79, &ber::write(0x82, b"x"))],
            vec![id.clone(), ber::write(0x79, &ber::write(0x80, &[0xff]))],
            vec![id.clone(), ber::write(0x79, &[ber::write(0x81, b"x"), ber::write(0x80, b"1.2")].concat())],
            vec![id.clone(), ber::write(0x79, &[ber::write(0x81, b"x"), ber::write(0x81, b"x")].concat())],
            vec![id.clone(), ber::write(0x79, &ber::write(0xa1, b""))],
            vec![id, result(0x65), ber::write(0xa0, b""), ber::write(4, b"")],
        ];
        for (number, parts) in bad.iter().enumerate() {
            assert!(matches!(verdict(parts), Err(Violation::Shape(_))), "{number}: {:?}", verdict(parts));
        }
    }

    #[test]
    fn requests_are_told_apart_by_controls_and_by_what_they_abandon() {
        let id = ber::write_unsigned(2, 7);
        let control = ber::write(0x30, &[ber::write(4, b"1.2.3"), ber::write(4, b"v")].concat());
        let search = message(&[id.clone(), ber::write(0x63, b""), ber::write(0xa0, &control)]);
        let search = Message::open(&search).unwrap();
        assert!(search.carries("1.2.3") && !search.carries("1.2") && search.abandoned().is_none());
        let abandon = message(&[id, vec![0x50, 2, 1, 44]]);
        assert_eq!(Message::open(&abandon).unwrap().abandoned(), Some(300));
    }

    fn samples() -> [Vec<u8>; 4] {
        let id = ber::write_unsigned(2, 7);
        let value = ber::write(0x31, &[ber::write(4, &[0xff, 0xfe]), ber::write(4, b"x")].concat());
        let attribute = ber::write(0x30, &[ber::write(4, b"cn"), value].concat());
        let entry = ber::write(0x64, &[ber::write(4, b"dc=x"), ber::write(0x30, &attribute)].concat());
        let control = ber::write(0x30, &[ber::write(4, b"1.2.3"), vec![1, 1, 0], ber::write(4, b"v")].concat());
        let referral = ber::write(0xa3, &ber::write(4, b"ldap://x"));
        let parts = [ber::write_unsigned(0x0a, 10), ber::write(4, b"dc=x"), ber::write(4, b"text"), referral].concat();
        [
            message(&[id.clone(), entry]),
            message(&[id.clone(), ber::write(0x65, &parts), ber::write(0xa0, &control)]),
            message(&[id.clone(), ber::write(0x73, &ber::write(4, b"ldap://x"))]),
            message(&[id, ber::write(0x79, &[ber::write(0x80, b"1.2.3"), ber::write(0x81, b"value")].concat())]),
        ]
    }

    proptest::proptest! {
        #[test]
        fn what_passes_is_taken_whole_by_the_parser_behind(
            sample in 0usize..4,
            changes in proptest::collection::vec((0usize..80, proptest::num::u8::ANY), 0..6),
        ) {
            let mut frame = samples()[sample].clone();
            for (place, octet) in changes {
                let place = place % frame.len();
                frame[place] = octet;
            }
            let passes = ber::check_nesting(&frame, 32).and_then(|()| Message::open(&frame)?.check_answer()).is_ok();
            if passes {
                let rest = ldap3::asn1::parse_tag(&frame).map(|(rest, _)| rest.len());
                proptest::prop_assert_eq!(rest.ok(), Some(0));
            }
        }
    }
}
