//! How groups list members besides naming their DNs, and what users carry for that.

use crate::ldap::raw_entry::RawEntry;
use crate::ldap::sid::Sid;
use crate::model::{Alias, AttributeValue};

/// One way.
#[derive(Debug)]
pub struct Listing {
    /// What must be asked for of users.
    pub user_attributes: &'static [&'static str],
    /// What must be asked for of groups.
    pub group_attributes: &'static [&'static str],
    /// The names that a user carries.
    pub of_user: fn(&RawEntry) -> Vec<Alias>,
    /// The members that a group lists by such names.
    pub of_group: fn(&RawEntry) -> Vec<Alias>,
    /// A filter that matches whoever carries a name, where a group may have members that it does not list itself.
    pub carriers: fn(&Alias) -> Option<String>,
    /// What the URLs of a dynamic group mean.
    pub urls: Urls,
    /// True if the matching rule 1.2.840.113556.1.4.1941 finds groups nested in others (MS-ADTS §3.1.1.3.4.4.3).
    pub in_chain: bool,
}

/// What the URLs of a dynamic group mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Urls {
    /// Nothing.
    Ignored,
    /// Members besides those that are listed.
    Besides,
    /// Members, unless some are listed: the server puts them there itself where it is set up to (slapo-dynlist).
    Instead,
}

/// The attribute that holds such URLs (groupOfURLs).
pub const MEMBER_URL: &str = "memberURL";

const MEMBER_UID: &str = "memberUid";
const SID: &str = "objectSid";
const PRIMARY_GROUP: &str = "primaryGroupID";

/// RFC 2307 §5.3: `memberUid` of a posixGroup. Dynamic groups count besides.
pub const POSIX: Listing = Listing {
    user_attributes: &["uid"],
    group_attributes: &[MEMBER_UID, MEMBER_URL],
    of_user: uids,
    of_group: |raw| raw.values(MEMBER_UID).iter().filter_map(uid).collect(),
    carriers: |_| None,
    urls: Urls::Besides,
    in_chain: false,
};

/// The same, where dynamic groups are the server's own business.
pub const POSIX_DYNLIST: Listing = Listing { urls: Urls::Instead, ..POSIX };

/// MS-ADTS §3.1.1.4.5.12 (`primaryGroupID`): the primary group of a user is in neither `member` nor `memberOf`. It is known
/// by its number in the user's domain.
pub const ACTIVE_DIRECTORY: Listing = Listing {
    user_attributes: &[SID, PRIMARY_GROUP],
    group_attributes: &[SID],
    of_user: |raw| vec![primary_group(raw).unwrap_or_else(|| Alias::untold(Alias::PRIMARY))],
    of_group: |raw| vec![own_sid(raw).map_or_else(|| Alias::untold(Alias::PRIMARY), |sid| primary(&sid))],
    carriers: |alias| {
        let number: u32 = alias.as_str().rsplit_once('-')?.1.parse().ok()?;
        Some(format!("({PRIMARY_GROUP}={number})"))
    },
    urls: Urls::Ignored,
    in_chain: true,
};

/// `memberUid` is compared letter by letter (caseExactIA5Match), `uid` is not (caseIgnoreMatch, RFC 4519 §2.39). Two accounts
/// of a host may differ in case alone, so the stricter rule is taken: one who is missed is told of, one who is let in by
/// mistake is not. Spaces at the ends and double ones mean nothing in both (RFC 4518 §2.6.1).
fn uid(value: &AttributeValue) -> Option<Alias> {
    let words: Vec<&str> = value.text()?.split_whitespace().collect();
    (!words.is_empty()).then(|| Alias::new(Alias::UID, &words.join(" ")))
}

/// A user who shows none may have one that we may not read.
fn uids(raw: &RawEntry) -> Vec<Alias> {
    let uids: Vec<Alias> = raw.values("uid").iter().filter_map(uid).collect();
    if uids.is_empty() { vec![Alias::untold(Alias::UID)] } else { uids }
}

fn own_sid(raw: &RawEntry) -> Option<Sid> {
    match raw.values(SID) {
        [value] => Sid::decode(value.octets()),
        _ => None,
    }
}

fn primary_group(raw: &RawEntry) -> Option<Alias> {
    let [number] = raw.values(PRIMARY_GROUP) else { return None };
    let number = number.text()?.trim().parse().ok()?;
    Some(primary(&own_sid(raw)?.sibling(number)?))
}

fn primary(sid: &Sid) -> Alias {
    Alias::new(Alias::PRIMARY, &sid.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const USER: &[u8] = &[1, 5, 0, 0, 0, 0, 0, 5, 21, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 0x51, 4, 0, 0];
    const DOMAIN_USERS: &[u8] = &[1, 5, 0, 0, 0, 0, 0, 5, 21, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 1, 2, 0, 0];

    fn names(of: fn(&RawEntry) -> Vec<Alias>, pairs: &[(&str, &[u8])]) -> Vec<String> {
        let mut raw = RawEntry::empty("cn=x");
        pairs.iter().for_each(|(name, value)| raw.add(name, vec![value.to_vec()]));
        of(&raw).iter().map(|alias| alias.as_str().to_owned()).collect()
    }

    #[test]
    fn a_user_carries_its_uids_or_an_unknown_one() {
        let check = |pairs: &[(&str, &[u8])], expected: &[&str]| assert_eq!(names(POSIX.of_user, pairs), expected, "{pairs:?}");
        check(&[("uid", b"ada"), ("uid", b" Ada  L ")], &["uid:ada", "uid:Ada L"]);
        check(&[], &["uid?"]);
        check(&[("uid", b"  ")], &["uid?"]);
        check(&[("uid", b"\xff")], &["uid?"]);
        assert_eq!(names(POSIX.of_group, &[("memberUid", b"ada"), ("memberUid", b"")]), ["uid:ada"]);
    }

    #[test]
    fn user_and_primary_group_meet_in_one_name() {
        let user: &[(&str, &[u8])] = &[("objectSid", USER), ("primaryGroupID", b"513")];
        assert_eq!(names(ACTIVE_DIRECTORY.of_user, user), ["primary:S-1-5-21-1-2-3-513"]);
        assert_eq!(names(ACTIVE_DIRECTORY.of_group, &[("objectSid", DOMAIN_USERS)]), ["primary:S-1-5-21-1-2-3-513"]);
        let alias = Alias::new(Alias::PRIMARY, "S-1-5-21-1-2-3-513");
        assert_eq!((ACTIVE_DIRECTORY.carriers)(&alias).as_deref(), Some("(primaryGroupID=513)"));
    }

    #[test]
    fn what_may_not_be_read_is_unknown_and_not_absent() {
        let of_user = |pairs: &[(&str, &[u8])]| assert_eq!(names(ACTIVE_DIRECTORY.of_user, pairs), ["primary?"], "{pairs:?}");
        of_user(&[]);
        of_user(&[("objectSid", USER)]);
        of_user(&[("primaryGroupID", b"513")]);
        of_user(&[("objectSid", &USER[..20]), ("primaryGroupID", b"513")]);
        of_user(&[("objectSid", USER), ("primaryGroupID", b"many")]);
        assert_eq!(names(ACTIVE_DIRECTORY.of_group, &[]), ["primary?"]);
    }
}
