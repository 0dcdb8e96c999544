//! As much of DER (X.690) as is needed here: elements that follow each other, and the end of a certificate's life.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;

/// Elements that follow each other.
pub struct Elements<'a>(pub &'a [u8]);

impl<'a> Elements<'a> {
    /// The next one: tag and contents.
    pub fn take(&mut self) -> Option<(u8, &'a [u8])> {
        let (&[tag, first], mut rest) = self.0.split_first_chunk::<2>()?;
        let mut length = usize::from(first);
        if first & 0x80 != 0 {
            let octets = usize::from(first & 0x7f);
            // What is longer than 4 GiB is not one of ours.
            let (digits, after) = rest.split_at_checked(octets).filter(|_| (1..=4).contains(&octets))?;
            length = digits.iter().fold(0, |number, digit| number << 8 | usize::from(*digit));
            rest = after;
        }
        let (contents, after) = rest.split_at_checked(length)?;
        self.0 = after;
        Some((tag, contents))
    }

    /// The contents of the next one, which must have this tag.
    pub fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.take().filter(|(found, _)| *found == tag).map(|(_, contents)| contents)
    }
}

/// `notAfter` of a certificate (RFC 5280 §4.1).
pub(super) fn not_after(certificate: &[u8]) -> Option<Timestamp> {
    let mut certificate = Elements(Elements(certificate).expect(SEQUENCE)?);
    let mut signed = Elements(certificate.expect(SEQUENCE)?);
    let (tag, _) = signed.take()?;
    if tag == VERSION {
        signed.expect(INTEGER)?;
    }
    let _algorithm = signed.expect(SEQUENCE)?;
    let _issuer = signed.expect(SEQUENCE)?;
    let mut validity = Elements(signed.expect(SEQUENCE)?);
    let _not_before = validity.take()?;
    let (tag, text) = validity.take()?;
    let text = std::str::from_utf8(text).ok()?;
    let text = match tag {
        // Two digits of the year: 50 to 99 are of the last century.
        UTC_TIME if text >= "50" => format!("19{text}"),
        UTC_TIME => format!("20{text}"),
        GENERALIZED_TIME => text.to_owned(),
        _ => return None,
    };
    let moment = DateTime::strptime("%Y%m%d%H%M%SZ", text).ok()?;
    moment.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_certificate_is_read_in_both_forms_of_time() {
        for (year, month, day, expected) in
            [(2031, 1, 31, "2031-01-31T00:00:00Z"), (2049, 12, 31, "2049-12-31T00:00:00Z"), (2061, 2, 3, "2061-02-03T00:00:00Z")]
        {
            let mut parameters = rcgen::CertificateParams::new(vec!["client".to_owned()]).unwrap();
            parameters.not_after = rcgen::date_time_ymd(year, month, day);
            let certificate = parameters.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap();
            assert_eq!(not_after(certificate.der()), Some(expected.parse().unwrap()));
            // Cut anywhere, it is nothing, and no panic.
            for end in 0..certificate.der().len() {
                assert_eq!(not_after(&certificate.der()[..end]), None);
            }
        }
    }
}
