//! What an entry that was touched is, as far as its object classes tell.

use crate::ldap::raw_entry::RawEntry;
use crate::model::Kind;

/// Words in the names of object classes. A class that fits none says nothing.
const PEOPLE: [&str; 2] = ["person", "account"];
const GROUPS: [&str; 1] = ["group"];
const CONTAINERS: [&str; 6] = ["organizationalunit", "dcobject", "domain", "container", "locality", "country"];

/// Any, where the classes do not decide it: then nothing is left out when it is looked for.
pub(super) fn kind(raw: &RawEntry) -> Kind {
    let is = |words: &[&str]| words.iter().any(|word| raw.has_class_like(word));
    match (is(&PEOPLE), is(&GROUPS), is(&CONTAINERS)) {
        (true, false, false) => Kind::User,
        (false, true, false) => Kind::Group,
        (false, false, true) => Kind::Container,
        _ => Kind::Any,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        check(&["device"], Kind::Any);
        check(&[], Kind::Any);
    }
}
