//! How far a content synchronization has come: the server's own word, kept as text.

use std::collections::BTreeMap;

/// The cookie of a consumer that knows everything up to these change sequence numbers of OpenLDAP, one for each server
/// that takes writes; `None` if they are none.
pub(super) fn from_csns<'a>(csns: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let known: BTreeMap<&str, &str> = csns.into_iter().filter_map(|csn| Some((server(csn)?, csn))).collect();
    if known.is_empty() { None } else { Some(written(&known)) }
}

/// The cookie after a later one came. Where it holds the numbers of some of OpenLDAP's servers only, as those of a
/// notification do, the others are kept: one that is missing makes the server tell everything anew.
pub(super) fn merged(known: &str, later: &str) -> String {
    if !later.starts_with("rid=") {
        return later.to_owned();
    }
    let mut all: BTreeMap<&str, &str> = csns(known).collect();
    for (server, csn) in csns(later) {
        let newest = all.entry(server).or_insert(csn);
        *newest = csn.max(newest);
    }
    if all.is_empty() { known.to_owned() } else { written(&all) }
}

fn csns(cookie: &str) -> impl Iterator<Item = (&str, &str)> {
    let list = cookie.split(',').find_map(|part| part.strip_prefix("csn=")).unwrap_or_default();
    list.split(';').filter_map(|csn| Some((server(csn)?, csn)))
}

/// `20261123044500.123456Z#000000#001#000000` is of server 001.
fn server(csn: &str) -> Option<&str> {
    let mut parts = csn.split('#');
    let (time, _, server, _) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    (time.ends_with('Z') && parts.next().is_none()).then_some(server)
}

/// Any replica id will do: we are no server of theirs.
fn written(csns: &BTreeMap<&str, &str>) -> String {
    format!("rid=000,csn={}", csns.values().copied().collect::<Vec<_>>().join(";"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn csn(second: u32, server: &str) -> String {
        format!("202611230445{second:02}.000000Z#000000#{server}#000000")
    }

    #[test]
    fn a_cookie_holds_the_number_of_each_server() {
        let (one, two) = (csn(1, "001"), csn(2, "002"));
        assert_eq!(from_csns([two.as_str(), one.as_str()]), Some(format!("rid=000,csn={one};{two}")));
        assert_eq!(from_csns(["junk"]), None);
        assert_eq!(from_csns([]), None);
    }

    #[test]
    fn a_later_cookie_replaces_what_it_tells_of() {
        let known = format!("rid=000,csn={};{}", csn(1, "001"), csn(2, "002"));
        let check = |later: &str, expected: String| assert_eq!(merged(&known, later), expected, "{later}");
        check(&format!("rid=000,sid=001,csn={}", csn(5, "001")), format!("rid=000,csn={};{}", csn(5, "001"), csn(2, "002")));
        check(&format!("rid=000,csn={},delcsn={}", csn(0, "001"), csn(9, "001")), known.clone());
        check(&format!("rid=000,csn={}", csn(5, "003")), format!("{known};{}", csn(5, "003")));
        check("rid=000", known.clone());
        check("host:389#cn=sync:dc=x#17", "host:389#cn=sync:dc=x#17".to_owned());
    }
}
