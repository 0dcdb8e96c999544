//! Security identifiers (MS-DTYP §2.4.2).

use std::fmt;

/// A security identifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sid {
    authority: u64,
    parts: Vec<u32>,
}

impl Sid {
    /// Decodes the packet form (§2.4.2.2): revision, number of parts, authority big-endian, parts little-endian.
    pub fn decode(octets: &[u8]) -> Option<Self> {
        let [1, count, a, b, c, d, e, f, parts @ ..] = octets else { return None };
        if parts.len() != usize::from(*count) * 4 || *count > 15 {
            return None;
        }
        let authority = u64::from_be_bytes([0, 0, *a, *b, *c, *d, *e, *f]);
        let (parts, _) = parts.as_chunks::<4>();
        Some(Self { authority, parts: parts.iter().map(|part| u32::from_le_bytes(*part)).collect() })
    }

    /// The identifier with this number in the same domain.
    pub fn sibling(mut self, number: u32) -> Option<Self> {
        *self.parts.last_mut()? = number;
        Some(self)
    }
}

impl fmt::Display for Sid {
    /// The text form (§2.4.2.1).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.authority > u64::from(u32::MAX) {
            write!(f, "S-1-0x{:012X}", self.authority)?;
        } else {
            write!(f, "S-1-{}", self.authority)?;
        }
        self.parts.iter().try_for_each(|part| write!(f, "-{part}"))
    }
}

#[cfg(test)]
mod tests {
    use super::Sid;

    fn text(octets: &[u8]) -> Option<String> {
        Sid::decode(octets).map(|sid| sid.to_string())
    }

    #[test]
    fn an_identifier_is_written_as_windows_prints_it() {
        let check = |octets: &[u8], expected: &str| assert_eq!(text(octets).as_deref(), Some(expected));
        check(&[1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0], "S-1-1-0");
        check(&[1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 32, 2, 0, 0], "S-1-5-32-544");
        check(&[1, 1, 1, 2, 3, 4, 5, 6, 255, 255, 255, 255], "S-1-0x010203040506-4294967295");
        check(&[1, 0, 0, 0, 0, 0, 0, 5], "S-1-5");
    }

    #[test]
    fn what_is_no_identifier_is_none() {
        for bad in [&[][..], &[1, 1, 0, 0, 0, 0, 0, 5], &[2, 0, 0, 0, 0, 0, 0, 5], &[1, 1, 0, 0, 0, 0, 0, 5, 1, 0, 0, 0, 9]] {
            assert_eq!(text(bad), None, "{bad:?}");
        }
        let many: Vec<u8> = [1, 16, 0, 0, 0, 0, 0, 5].into_iter().chain([0; 64]).collect();
        assert_eq!(text(&many), None);
    }
}
