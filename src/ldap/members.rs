//! Members of a group out of the values that list them.

use crate::model::{AttributeValue, Dn};

/// The DNs among the values, and how many values are none (empty, GUID forms).
pub fn member_dns(values: &[AttributeValue]) -> (Vec<Dn>, usize) {
    let mut members = Vec::with_capacity(values.len());
    let mut ignored = 0;
    for value in values {
        match value.text().map(without_uid).map(Dn::parse) {
            Some(Ok(dn)) if !dn.key().as_str().is_empty() => members.push(dn),
            _ => ignored += 1,
        }
    }
    (members, ignored)
}

/// A uniqueMember may carry a bit string behind the DN: `cn=a,dc=b#'0101'B` (RFC 4517 §3.3.21).
fn without_uid(text: &str) -> &str {
    let bits = |rest: &str| rest.bytes().all(|octet| matches!(octet, b'0' | b'1'));
    match text.strip_suffix("'B").and_then(|head| head.rsplit_once("#'")) {
        Some((dn, rest)) if bits(rest) => dn,
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::member_dns;
    use crate::model::AttributeValue;

    #[test]
    fn only_dns_are_members() {
        let values: Vec<AttributeValue> =
            ["cn=a,dc=b", "", "  ", "<GUID=3f2504e0>", "cn=c,dc=b#'0101'B", "cn=d\\#'0101'x,dc=b", "cn=M\u{fc}ller\\, Z.,dc=b"]
                .into_iter()
                .map(AttributeValue::from)
                .chain([AttributeValue::new([0xff])])
                .collect();
        let (members, ignored) = member_dns(&values);
        let members: Vec<&str> = members.iter().map(|dn| dn.as_str()).collect();
        assert_eq!(members, ["cn=a,dc=b", "cn=c,dc=b", "cn=d\\#'0101'x,dc=b", "cn=M\u{fc}ller\\, Z.,dc=b"]);
        assert_eq!(ignored, 4);
    }
}
