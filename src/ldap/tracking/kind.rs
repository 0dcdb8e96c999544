//! What an entry that was touched is, as far as its object classes tell.

use crate::ldap::raw_entry::RawEntry;
use crate::model::Kind;

/// Words in the names of object classes. A class that fits none says nothing.
const PEOPLE: [&str; 2] = ["person", "account"];
const GROUPS: [&str; 1] = ["group"];

/// Classes of entries that are there to have others below them, as vendors' facts name them: only these are remembered, and
/// a container that is not remembered makes everything be read whenever it is touched (a sambaDomain is with each new user).
const CONTAINERS: [&str; 7] = ["organizationalunit", "organization", "dcobject", "domain", "country", "locality", "nscontainer"];

/// Any, where the classes do not decide it: then nothing is left out when it is looked for.
pub(super) fn kind(raw: &RawEntry) -> Kind {
    let is = |words: &[&str]| words.iter().any(|word| raw.has_class_like(word));
    let is_container = CONTAINERS.iter().any(|class| raw.has_class(class));
    match (is(&PEOPLE), is(&GROUPS), is_container) {
        (true, false, false) => Kind::User,
        (false, true, false) => Kind::Group,
        (false, false, true) => Kind::Container,
        _ => Kind::Any,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ldap::vendor::facts;
    use crate::model::Vendor;

    #[test]
    fn what_counts_as_a_container_is_what_a_full_reading_remembers() {
        let filter = facts(Vendor::Ds389).container_filter.to_ascii_lowercase();
        CONTAINERS.iter().for_each(|class| assert!(filter.contains(&format!("(objectclass={class})")), "{class}"));
    }

    #[test]
    fn classes_tell_the_kind_or_leave_it_open() {
        let check = |classes: &[&str], expected| {
            let mut raw = RawEntry::empty("cn=x");
            raw.add("objectClass", classes.iter().map(|class| class.as_bytes().to_vec()).collect());
            assert_eq!(kind(&raw), expected, "{classes:?}");
        };
        check(&["top", "inetOrgPerson"], Kind::User);
        check(&["nsPerson", "nsAccount"], Kind::User);
        check(&["GroupOfNames"], Kind::Group);
        check(&["top", "organizationalUnit"], Kind::Container);
        check(&["dcObject", "organization"], Kind::Container);
        check(&["posixAccount", "posixGroup"], Kind::Any);
        check(&["top", "nsContainer"], Kind::Container);
        check(&["sambaDomain"], Kind::Any);
        check(&["device"], Kind::Any);
        check(&[], Kind::Any);
    }
}
