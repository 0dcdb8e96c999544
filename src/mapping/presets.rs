//! Rules to start from, for Active Directory and for inetOrgPerson (RFC 2798).

/// A set of rules to start from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Preset {
    /// The user class of Active Directory.
    ActiveDirectory,
    /// inetOrgPerson and its superclasses: OpenLDAP, 389 Directory Server, PingDirectory.
    InetOrgPerson,
    /// No rules.
    None,
}

impl Preset {
    /// The name used in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ActiveDirectory => "active_directory",
            Self::InetOrgPerson => "inetorgperson",
            Self::None => "none",
        }
    }
}

/// A rule of a preset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PresetRule {
    /// Where the value goes.
    pub path: &'static str,
    /// What it is.
    pub expression: &'static str,
    /// What it is instead where the target requires the path: with fallbacks, so that fewer entries are held.
    pub if_required: Option<&'static str>,
}

const fn rule(path: &'static str, expression: &'static str) -> PresetRule {
    PresetRule { path, expression, if_required: None }
}

const fn with_fallback(path: &'static str, expression: &'static str, if_required: &'static str) -> PresetRule {
    PresetRule { path, expression, if_required: Some(if_required) }
}

/// The rules of a preset.
pub fn preset_rules(preset: Preset) -> &'static [PresetRule] {
    match preset {
        Preset::ActiveDirectory => &ACTIVE_DIRECTORY,
        Preset::InetOrgPerson => &INETORGPERSON,
        Preset::None => &[],
    }
}

/// Every attribute read here but otherMailbox is single-valued in Active Directory's schema.
static ACTIVE_DIRECTORY: [PresetRule; 25] = [
    rule("userName", "userPrincipalName"),
    rule("externalId", "entry_id()"),
    with_fallback("displayName", "displayName", "first(displayName, cn, name)"),
    with_fallback("name.givenName", "givenName", "first(givenName, displayName, cn, sAMAccountName)"),
    with_fallback("name.familyName", "sn", "first(sn, displayName, cn, sAMAccountName)"),
    with_fallback("name.formatted", "displayName", r#"first(displayName, join(" ", givenName, sn), cn, sAMAccountName)"#),
    rule("name.honorificPrefix", "personalTitle"),
    rule("name.honorificSuffix", "generationQualifier"),
    rule("title", "title"),
    rule("preferredLanguage", "preferredLanguage"),
    rule(r#"emails[type eq "work"].value"#, "mail"),
    rule(r#"emails[type eq "other"].value"#, "item(otherMailbox, 1)"),
    rule(r#"phoneNumbers[type eq "work"].value"#, "telephoneNumber"),
    rule(r#"phoneNumbers[type eq "mobile"].value"#, "mobile"),
    rule(r#"phoneNumbers[type eq "fax"].value"#, "facsimileTelephoneNumber"),
    rule(r#"addresses[type eq "work"].formatted"#, r#"join("\n", streetAddress, join(", ", l, join(" ", st, postalCode)), co)"#),
    rule(r#"addresses[type eq "work"].streetAddress"#, "streetAddress"),
    rule(r#"addresses[type eq "work"].locality"#, "l"),
    rule(r#"addresses[type eq "work"].region"#, "st"),
    rule(r#"addresses[type eq "work"].postalCode"#, "postalCode"),
    rule(r#"addresses[type eq "work"].country"#, "c"),
    rule(r#"addresses[type eq "other"].formatted"#, "homePostalAddress"),
    rule("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber", "first(employeeNumber, employeeID)"),
    rule("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department", "department"),
    rule("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager", "manager"),
];

/// Most attributes may have several values here; where any of them is as good as another the
/// first in the order of octets is taken. Not so the user name and the manager: several hold the entry.
static INETORGPERSON: [PresetRule; 25] = [
    rule("userName", "uid"),
    rule("externalId", "entry_id()"),
    with_fallback("displayName", "displayName", "item(first(displayName, cn), 1)"),
    with_fallback("name.givenName", "item(givenName, 1)", "item(first(givenName, displayName, cn, uid), 1)"),
    with_fallback("name.familyName", "item(sn, 1)", "item(first(sn, displayName, cn, uid), 1)"),
    with_fallback(
        "name.formatted",
        "item(first(displayName, cn), 1)",
        r#"item(first(displayName, join(" ", item(givenName, 1), item(sn, 1)), cn, uid), 1)"#,
    ),
    rule("name.honorificPrefix", "item(personalTitle, 1)"),
    rule("name.honorificSuffix", "item(generationQualifier, 1)"),
    rule("title", "item(title, 1)"),
    rule("preferredLanguage", "preferredLanguage"),
    rule(r#"emails[type eq "work"].value"#, "item(mail, 1)"),
    rule(r#"emails[type eq "other"].value"#, "item(mail, 2)"),
    rule(r#"phoneNumbers[type eq "work"].value"#, "item(telephoneNumber, 1)"),
    rule(r#"phoneNumbers[type eq "mobile"].value"#, "item(mobile, 1)"),
    rule(r#"phoneNumbers[type eq "fax"].value"#, "item(facsimileTelephoneNumber, 1)"),
    rule(r#"addresses[type eq "work"].formatted"#, r#"join("\n", lines(item(postalAddress, 1)))"#),
    rule(r#"addresses[type eq "work"].streetAddress"#, "item(street, 1)"),
    rule(r#"addresses[type eq "work"].locality"#, "item(l, 1)"),
    rule(r#"addresses[type eq "work"].region"#, "item(st, 1)"),
    rule(r#"addresses[type eq "work"].postalCode"#, "item(postalCode, 1)"),
    rule(r#"addresses[type eq "work"].country"#, "item(c, 1)"),
    rule(r#"addresses[type eq "other"].formatted"#, r#"join("\n", lines(item(homePostalAddress, 1)))"#),
    rule("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber", "employeeNumber"),
    rule("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department", "item(first(departmentNumber, ou), 1)"),
    rule("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager", "manager"),
];
