//! A look at the directory for the `check` command: what it is, and what would surprise.

use std::collections::BTreeSet;

use ldap3::Scope;

use crate::cycle::SourceError;
use crate::model::{Alias, AttributeName, Dn, ResourceType, Selection, Status, Vendor, Wanted};

use super::causes::Causes;
use super::decode;
use super::foreign::foreign;
use super::members::member_dns;
use super::raw_entry::RawEntry;
use super::reading::outermost;
use super::search::{Item, Query, SearchError};
use super::session::Session;
use super::settings::{Bind, Settings};
use super::tracking::{self, Chosen};
use super::vendor::{Facts, MEMBER_URL};
use super::walk;

/// What was seen. Counts are of a sample: a page at most of each kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// What kind of directory it is.
    pub vendor: Vendor,
    /// The server that was used.
    pub url: String,
    /// True if the connection was encrypted.
    pub encrypted: bool,
    /// How we prove who we are, and whom the server takes us for, in words.
    pub authentication: String,
    /// How changes are told.
    pub tracking: Chosen,
    /// Suffixes that the server holds, as far as it tells.
    pub naming_contexts: Vec<String>,
    /// Users in the sample.
    pub users: usize,
    /// Groups in the sample.
    pub groups: usize,
    /// Entries of a page: a sample of this size is probably not everything.
    pub page_size: usize,
    /// Users of the sample that are computers.
    pub computers: usize,
    /// Users of the sample whose status could not be told.
    pub status_unknown: usize,
    /// Attributes asked for that no user of the sample had.
    pub absent_user_attributes: Vec<AttributeName>,
    /// Attributes asked for that no group of the sample had.
    pub absent_group_attributes: Vec<AttributeName>,
    /// What the admin should know, in sentences.
    pub warnings: Vec<String>,
}

/// Looks.
pub async fn look(session: &Session, settings: &Settings, wanted: &Wanted) -> Result<Probe, SourceError> {
    let facts = session.facts;
    let mut warnings = Causes::default();
    let user_filter = wanted.users.filter.as_deref().unwrap_or(facts.user_filter);
    let mut user_attributes = decode::attributes(facts, ResourceType::User, wanted);
    user_attributes.push("objectClass".to_owned());
    let users = sample(session, &wanted.users, user_filter, user_attributes, &mut warnings).await?;
    let groups = match &wanted.groups {
        None => Vec::new(),
        Some(selection) => {
            let filter = selection.filter.as_deref().unwrap_or(facts.group_filter);
            let attributes = decode::attributes(facts, ResourceType::Group, wanted);
            sample(session, selection, filter, attributes, &mut warnings).await?
        }
    };
    let computers = users.iter().filter(|user| user.has_class_like("computer")).count();
    let status_unknown = users.iter().filter(|user| (facts.status)(user, session.opened).0 == Status::Unknown).count();
    let absent_user_attributes = absent(&users, &wanted.user_attributes);
    let absent_group_attributes = absent(&groups, &wanted.group_attributes);

    if !session.encrypted {
        warnings.add("The connection is not encrypted.".to_owned());
    }
    if users.is_empty() {
        warnings.add(format!("No user matches {user_filter}: wrong base or filter, or no right to read."));
    }
    if computers > 0 {
        warnings.add(format!("{computers} of the users are computers: is the filter too wide?"));
    }
    if status_unknown > 0 {
        let names = facts.status_attributes.join(", ");
        warnings.add(format!("{status_unknown} users came without {names}, so nobody knows whether they are disabled: grant the bind account the right to read it."));
    }
    for (kind, names, seen) in [("user", &absent_user_attributes, users.len()), ("group", &absent_group_attributes, groups.len())]
    {
        if seen > 0 && !names.is_empty() {
            let names: Vec<&str> = names.iter().map(AttributeName::as_str).collect();
            let names = names.join(", ");
            warnings.add(format!("No {kind} of the {seen} looked at has any of {names}: not used, or no right to read them."));
        }
    }
    for raw in users.iter().chain(&groups) {
        if facts.id_form.entry_id(raw.values(facts.id_attribute)).is_none() {
            warnings.add(format!("Entries come without {}, their lasting id: grant the right to read it.", facts.id_attribute));
        }
    }
    names(&users, &groups, facts, &mut warnings);
    for group in &wanted.scope_groups {
        scope_group(session, wanted, &group.dn, &mut warnings).await?;
    }
    let tracking = tracking::choose(session, settings.tracking, wanted).await;
    if tracking.unmet {
        warnings.add(format!("{}.", tracking.why));
    }
    Ok(Probe {
        vendor: facts.vendor,
        url: session.url.to_string(),
        encrypted: session.encrypted,
        authentication: authentication(session, &settings.bind).await,
        tracking,
        naming_contexts: session.root.naming_contexts.clone(),
        users: users.len(),
        groups: groups.len(),
        page_size: usize::try_from(session.page_size()).unwrap_or(usize::MAX),
        computers,
        status_unknown,
        absent_user_attributes,
        absent_group_attributes,
        warnings: warnings.sentences(),
    })
}

/// How we prove who we are, and what came of it. Most servers call nobody by an empty name (RFC 4532 §2.2).
async fn authentication(session: &Session, bind: &Bind) -> String {
    let by = match bind {
        Bind::Anonymous => "anonymous".to_owned(),
        Bind::Simple { dn, .. } => format!("bound as {dn} by password"),
        Bind::Gssapi { principal } => format!("bound as {principal} by Kerberos ticket (SASL GSSAPI)"),
        Bind::External(certificate) => {
            format!("bound by the client certificate {} (SASL EXTERNAL)", certificate.certificate.display())
        }
    };
    match session.who_am_i().await.as_deref() {
        None => by,
        Some("") => format!("{by}; the server takes us for nobody (anonymous)"),
        Some(identity) => format!("{by}; the server takes us for {identity}"),
    }
}

/// Up to a page of the entries that are selected.
async fn sample(
    session: &Session,
    selection: &Selection,
    filter: &str,
    attributes: Vec<String>,
    warnings: &mut Causes,
) -> Result<Vec<RawEntry>, SourceError> {
    let most = usize::try_from(session.page_size()).unwrap_or(usize::MAX);
    let mut all = Vec::new();
    for base in outermost(&selection.base_dns) {
        let query = Query {
            base: base.as_str().to_owned(),
            scope: Scope::Subtree,
            filter: filter.to_owned(),
            attributes: attributes.clone(),
        };
        let mut search = session.sample(query);
        while let Some(item) = search.next().await {
            match item {
                Item::Entry(raw) if all.len() < most => all.push(raw),
                Item::TooLarge(dn) => {
                    warnings.add(format!("{dn} is larger than what is accepted (largest_entry_mib) and would be left out."));
                }
                Item::Entry(_) | Item::Undecodable | Item::Reference(_) | Item::Intermediate { .. } => {}
            }
        }
        if let Err(error) = search.finish().await {
            if error.ends_session() {
                return Err(SourceError::Failed { url: session.url.to_string(), message: error.to_string() });
            }
            warnings.add(format!("{base} cannot be searched: {error}."));
        }
    }
    Ok(all)
}

/// Warns if a group that decides scope is not there, is none, or shows no members.
async fn scope_group(session: &Session, wanted: &Wanted, dn: &Dn, warnings: &mut Causes) -> Result<(), SourceError> {
    let attributes = decode::attributes(session.facts, ResourceType::Group, wanted);
    let filter = "(objectClass=*)".to_owned();
    let mut search = session.search(Query { base: dn.as_str().to_owned(), scope: Scope::Base, filter, attributes });
    let mut found = None;
    while let Some(item) = search.next().await {
        if let Item::Entry(raw) = item {
            found = Some(raw);
        }
    }
    match search.finish().await {
        Err(error) if error.ends_session() => {
            return Err(SourceError::Failed { url: session.url.to_string(), message: error.to_string() });
        }
        Err(error) if !error.is_no_such_object() => {
            warnings.add(format!("The group {dn}, which decides scope, cannot be read: {error}."));
            return Ok(());
        }
        Ok(()) | Err(_) => {}
    }
    match found {
        None => warnings.add(format!("The group {dn}, which decides scope, does not exist or may not be seen.")),
        Some(raw) if !decode::is_group(&raw, session.facts) => {
            warnings.add(format!("{dn}, which decides scope, is not a group."));
        }
        Some(raw) => {
            let failed = |error: SearchError| SourceError::Failed { url: session.url.to_string(), message: error.to_string() };
            if !shows_somebody(session, wanted, &raw).await.map_err(failed)? {
                warnings.add(format!("The group {dn}, which decides scope, has no members that we can see."));
            }
        }
    }
    Ok(())
}

/// True if a group lists members in one way or another.
async fn shows_somebody(session: &Session, wanted: &Wanted, raw: &RawEntry) -> Result<bool, SearchError> {
    let facts = session.facts;
    if facts.member_attributes.iter().chain(&[MEMBER_URL]).any(|name| !raw.values(name).is_empty()) {
        return Ok(true);
    }
    for alias in (facts.listing.of_group)(raw) {
        match (facts.listing.carriers)(&alias) {
            None => return Ok(!alias.is_untold()),
            Some(filter) if walk::somebody_matches(session, wanted, &filter).await? => return Ok(true),
            Some(_) => {}
        }
    }
    Ok(false)
}

/// Warns of members that nobody can be found for.
fn names(users: &[RawEntry], groups: &[RawEntry], facts: &Facts, warnings: &mut Causes) {
    let untold = |of: fn(&RawEntry) -> Vec<Alias>, raw: &RawEntry| of(raw).iter().any(Alias::is_untold);
    let listed = groups.iter().any(|group| !(facts.listing.of_group)(group).is_empty());
    let unnamed = users.iter().filter(|user| untold(facts.listing.of_user, user)).count();
    if listed && unnamed > 0 {
        let names = facts.listing.user_attributes.join(", ");
        warnings.add(format!("{unnamed} users came without all of {names}, by which groups list them: they are removed from no group that may mean them. Grant the bind account the right to read it."));
    }
    let unnamed = groups.iter().filter(|group| untold(facts.listing.of_group, group)).count();
    if unnamed > 0 {
        let names = facts.listing.group_attributes.join(", ");
        warnings.add(format!("{unnamed} groups came without {names}, so nobody knows whose primary group they are: nobody is removed from them. Grant the bind account the right to read it."));
    }
    let members =
        groups.iter().flat_map(|group| facts.member_attributes.iter().flat_map(|name| member_dns(group.values(name)).0));
    let outside = members.filter(|member| foreign(member).is_some()).count();
    if outside > 0 {
        warnings
            .add(format!("{outside} members of the groups looked at stand for somebody outside the forest, and are left out."));
    }
}

/// The names that no entry has a value for.
fn absent(entries: &[RawEntry], wanted: &[AttributeName]) -> Vec<AttributeName> {
    let wanted: BTreeSet<&AttributeName> = wanted.iter().collect();
    wanted.into_iter().filter(|name| entries.iter().all(|raw| raw.values(name.as_str()).is_empty())).cloned().collect()
}
