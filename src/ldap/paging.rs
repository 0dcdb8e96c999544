//! The value of the paged results control (RFC 2696).

use super::ber::{self, Element};

/// The control's OID.
pub const PAGED_RESULTS: &str = "1.2.840.113556.1.4.319";

/// The value of a request for the page after `cookie`.
pub fn request(size: u32, cookie: &[u8]) -> Vec<u8> {
    ber::write(0x30, &[ber::write_unsigned(0x02, size), ber::write(0x04, cookie)].concat())
}

/// The cookie of an answer; `None` if the value is not what RFC 2696 says.
pub fn cookie(value: &[u8]) -> Option<Vec<u8>> {
    ber::check_nesting(value, 4).ok()?;
    let Element { tag: 0x30, content } = ber::only(value).ok()? else { return None };
    let mut parts = ber::elements(content);
    let Element { tag: 0x02, .. } = parts.next()?.ok()? else { return None };
    let Element { tag: 0x04, content } = parts.next()?.ok()? else { return None };
    parts.next().is_none().then(|| content.to_vec())
}

#[cfg(test)]
mod tests {
    use super::{cookie, request};

    #[test]
    fn a_cookie_survives_the_way() {
        assert_eq!(cookie(&request(500, b"\x00\xffabc")), Some(b"\x00\xffabc".to_vec()));
        assert_eq!(cookie(&request(0, b"")), Some(Vec::new()));
    }

    #[test]
    fn a_malformed_value_is_noticed() {
        for bad in [&b""[..], &[0x30], &[0x30, 0], &[0x30, 2, 2, 1], &[4, 2, 2, 0], &[0x30, 3, 2, 1, 0], &[0x30, 0x80, 0, 0]] {
            assert_eq!(cookie(bad), None, "{bad:?}");
        }
    }
}
