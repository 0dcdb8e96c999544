//! Dynamic groups: the URL that says who is in one (RFC 4516), and the search that it means.

use ldap3::Scope;
use percent_encoding::percent_decode_str;

use crate::model::Dn;

use super::check_filter;
use super::raw_entry::RawEntry;
use super::reading::{Halt, Reading};
use super::search::{Item, Query};
use super::vendor::{MEMBER_URL, Urls};

/// URLs of one group that are evaluated; one with more is not read.
const MOST_URLS: usize = 64;

/// Members that the URLs of one group may bring: twenty times the largest group that we know of.
const MOST_MEMBERS: usize = 1_000_000;

/// Who is meant.
#[derive(Debug, PartialEq)]
struct MemberUrl {
    base: String,
    scope: Scope,
    filter: String,
}

impl MemberUrl {
    /// Reads a URL; the error says why its members cannot be told. `member_attributes` are those that list members: a URL
    /// that asks for one of them means their values (slapo-dynlist), and not the entries found.
    fn parse(text: &str, member_attributes: &[&str]) -> Result<Self, &'static str> {
        let (scheme, rest) = text.split_once("://").ok_or("it is no LDAP URL")?;
        if !scheme.eq_ignore_ascii_case("ldap") {
            return Err("it is no LDAP URL");
        }
        let (host, rest) = rest.split_once('/').unwrap_or((rest, ""));
        if !host.is_empty() {
            return Err("it names a server");
        }
        let mut parts = rest.splitn(5, '?');
        let mut part = || parts.next().unwrap_or_default();
        let base = decoded(part())?;
        Dn::parse(&base).map_err(|_| "its base is no DN")?;
        let asks = |name: &str| member_attributes.iter().any(|member| member.eq_ignore_ascii_case(name.trim()));
        if part().split(',').any(asks) {
            return Err("it means members of other groups");
        }
        let scope = match part().to_ascii_lowercase().as_str() {
            "" | "base" => Scope::Base,
            "one" => Scope::OneLevel,
            "sub" => Scope::Subtree,
            _ => return Err("its scope is none of base, one and sub"),
        };
        let filter = match decoded(part())? {
            filter if filter.is_empty() => "(objectClass=*)".to_owned(),
            filter if filter.starts_with('(') => filter,
            bare => format!("({bare})"),
        };
        check_filter(&filter).map_err(|_| "its filter is none")?;
        if part().split(',').any(|extension| extension.trim_start().starts_with('!')) {
            return Err("it has a critical extension");
        }
        Ok(Self { base, scope, filter })
    }
}

fn decoded(text: &str) -> Result<String, &'static str> {
    percent_decode_str(text).decode_utf8().map(Into::into).map_err(|_| "it is not UTF-8")
}

impl Reading<'_> {
    /// True if a rule says who is in the group.
    pub(super) fn is_dynamic(&self, raw: &RawEntry) -> bool {
        let lists = || self.session.facts.member_attributes.iter().any(|name| !raw.values(name).is_empty());
        !raw.values(MEMBER_URL).is_empty()
            && match self.session.facts.listing.urls {
                Urls::Ignored => false,
                Urls::Besides => true,
                Urls::Instead => !lists(),
            }
    }

    /// Adds whoever the group's URLs mean to those that it lists; false, with the cause noted, if that cannot be told.
    pub(super) async fn add_dynamic_members(&mut self, raw: &mut RawEntry) -> Result<bool, Halt> {
        let group = raw.dn.clone();
        let Some(attribute) = self.session.facts.member_attributes.first() else { return Ok(true) };
        if raw.values(MEMBER_URL).len() > MOST_URLS {
            self.causes.add(format!("the members of {group} are not read: it has more than {MOST_URLS} values of {MEMBER_URL}"));
            return Ok(false);
        }
        let mut members = Vec::new();
        for value in raw.values(MEMBER_URL).to_vec() {
            let text = value.text().unwrap_or_default();
            let url = match MemberUrl::parse(text, self.session.facts.member_attributes) {
                Ok(url) => url,
                Err(why) => {
                    self.causes.add(format!("the members of {group} cannot be told from its {MEMBER_URL}: {why}"));
                    return Ok(false);
                }
            };
            if !self.meant(&group, url, &mut members).await? {
                return Ok(false);
            }
        }
        raw.add(attribute, members.into_iter().map(String::into_bytes).collect());
        Ok(true)
    }

    /// The DNs of the entries that a URL means. Groups are not among them: no server takes the members of a group for
    /// members of another because a rule happens to match it.
    async fn meant(&mut self, group: &str, url: MemberUrl, members: &mut Vec<String>) -> Result<bool, Halt> {
        let attributes = vec!["objectClass".to_owned()];
        let MemberUrl { base, scope, filter } = url;
        let mut search = self.session.search(Query { base, scope, filter, attributes });
        let mut whole = true;
        while let Some(item) = search.next().await {
            match item {
                Item::Entry(raw) if raw.has_class_like("group") => {}
                Item::Entry(raw) => members.push(raw.dn),
                Item::Undecodable | Item::Reference(_) | Item::TooLarge(_) => whole = false,
                Item::Intermediate { .. } => {}
            }
            if members.len() > MOST_MEMBERS {
                self.causes.add(format!("the members of {group} are not read: its {MEMBER_URL} means more than {MOST_MEMBERS}"));
                return Ok(false);
            }
        }
        if let Err(error) = search.finish().await {
            self.causes
                .add(format!("the members of {group} cannot be told: the search that its {MEMBER_URL} means failed: {error}"));
            return if error.ends_session() { Err(Halt::ConnectionLost) } else { Ok(false) };
        }
        if !whole {
            self.causes.add(format!("not all members of {group} were told by the search that its {MEMBER_URL} means"));
        }
        Ok(whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_means_a_search() {
        let check = |text: &str, base: &str, scope, filter: &str| {
            let expected = MemberUrl { base: base.to_owned(), scope, filter: filter.to_owned() };
            assert_eq!(MemberUrl::parse(text, &["member"]), Ok(expected), "{text}");
        };
        check("ldap:///ou=People,dc=x??sub?(l=Oslo)", "ou=People,dc=x", Scope::Subtree, "(l=Oslo)");
        check("LDAP:///ou=a%20b,dc=x?uid,cn?ONE?(cn=%5c28)?x-bind=1", "ou=a b,dc=x", Scope::OneLevel, "(cn=\\28)");
        check("ldap:///dc=x", "dc=x", Scope::Base, "(objectClass=*)");
        check("ldap:///dc=x??sub?l=Oslo", "dc=x", Scope::Subtree, "(l=Oslo)");
        check("ldap:///??sub?(l=a%3fb)", "", Scope::Subtree, "(l=a?b)");
    }

    #[test]
    fn a_url_that_cannot_be_followed_is_refused_with_a_reason() {
        let check = |text: &str, why: &str| assert_eq!(MemberUrl::parse(text, &["member"]), Err(why), "{text}");
        check("", "it is no LDAP URL");
        check("ldaps:///dc=x", "it is no LDAP URL");
        check("ldap://other.example.com/dc=x??sub?(l=Oslo)", "it names a server");
        check("ldap:///nonsense??sub?(l=Oslo)", "its base is no DN");
        check("ldap:///dc=x?member?sub?(l=Oslo)", "it means members of other groups");
        check("ldap:///dc=x??subtree?(l=Oslo)", "its scope is none of base, one and sub");
        check("ldap:///dc=x??sub?(l=Oslo", "its filter is none");
        check("ldap:///dc=x??sub?(l=Oslo)?!x-other=1", "it has a critical extension");
        check("ldap:///dc=%ff??sub?(l=Oslo)", "it is not UTF-8");
        let deep = format!("ldap:///dc=x??sub?{}(a=b){}", "(!".repeat(500), ")".repeat(500));
        check(&deep, "its filter is none");
    }
}
