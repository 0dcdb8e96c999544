//! Signatures as JOSE wants them, out of DER (X.690).

use crate::certificate::Elements;

const INTEGER: u8 = 0x02;
const SEQUENCE: u8 = 0x30;

/// An ECDSA signature as two numbers of a fixed width (RFC 7518 §3.4) instead of a sequence of integers.
pub(super) fn fixed_width(signature: &[u8], width: usize) -> Option<Vec<u8>> {
    let mut numbers = Elements(Elements(signature).expect(SEQUENCE)?);
    let mut fixed = Vec::with_capacity(2 * width);
    for _ in 0..2 {
        let number = numbers.expect(INTEGER)?;
        let start = number.iter().position(|octet| *octet != 0).unwrap_or(number.len());
        let digits = number.get(start..)?;
        fixed.resize(fixed.len() + width.checked_sub(digits.len())?, 0);
        fixed.extend_from_slice(digits);
    }
    Some(fixed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_a_signature_get_their_width() {
        let check = |signature: &[u8], expected: Option<&[u8]>| assert_eq!(fixed_width(signature, 3).as_deref(), expected);
        check(&[0x30, 8, 2, 1, 7, 2, 3, 1, 2, 3], Some(&[0, 0, 7, 1, 2, 3]));
        check(&[0x30, 9, 2, 4, 0, 0xff, 2, 3, 2, 1, 0], Some(&[0xff, 2, 3, 0, 0, 0]));
        check(&[0x30, 9, 2, 4, 1, 0xff, 2, 3, 2, 1, 0], None);
        check(&[0x30, 3, 2, 1, 7], None);
        check(&[0x30, 0x85, 2, 1, 7, 1, 1, 1], None);
        check(&[], None);
    }
}
