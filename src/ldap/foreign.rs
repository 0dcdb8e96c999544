//! Members that stand for somebody outside the forest (MS-ADTS §6.1.1.4.4, the Foreign Security Principals container).
//!
//! They cannot be resolved, and need not be: those of another forest are users that are in no base of ours, or global or
//! universal groups, which hold nobody from outside their own forest. What they cannot be is a way to one of our users.
//! Identities that are computed at logon (Everyone, Authenticated Users) are another matter: they mean everybody, and no
//! group lists whom. Where such a one decides scope, nobody can be said to be out.

use crate::model::Dn;

/// Whom such a member stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Foreign {
    /// A user or a group of another forest.
    Principal,
    /// An identity that is computed at logon.
    Computed,
}

/// Whom a member stands for, if it is such a one.
pub fn foreign(member: &Dn) -> Option<Foreign> {
    let (name, above) = member.key().as_str().split_once(',')?;
    let number = name.strip_prefix("cn=s-1-")?;
    // S-1-5-21 begins the identifiers of domains (MS-DTYP §2.4.2.4).
    let kind = if number.starts_with("5-21-") { Foreign::Principal } else { Foreign::Computed };
    above.starts_with("cn=foreignsecurityprincipals,").then_some(kind)
}

#[cfg(test)]
mod tests {
    use super::{Foreign, foreign};
    use crate::model::Dn;

    #[test]
    fn members_from_elsewhere_are_known_by_where_they_stand() {
        let check = |dn: &str, expected| assert_eq!(foreign(&Dn::parse(dn).unwrap()), expected, "{dn}");
        check("CN=S-1-5-21-1-2-3-1105,CN=ForeignSecurityPrincipals,DC=ad,DC=test", Some(Foreign::Principal));
        check("CN=S-1-5-11,CN=ForeignSecurityPrincipals,DC=ad,DC=test", Some(Foreign::Computed));
        check("CN=S-1-1-0, CN=Foreignsecurityprincipals, DC=ad", Some(Foreign::Computed));
        check("CN=S-1-5-21-1-2-3-1105,CN=Users,DC=ad,DC=test", None);
        check("CN=Ada,CN=ForeignSecurityPrincipals,DC=ad,DC=test", None);
        check("DC=test", None);
    }
}
