//! A section under `channels`.

use std::time::Duration;

use jiff::tz::TimeZone;

use crate::model::{AttributeName, ChannelName, Dn, Selection, TargetName};
use crate::plan::{Existing, GroupRules, GroupScope, Members, Nesting, Recreated, Rules, SameName, UserRules};
use crate::scim::Dialect;

use super::dialect::may_have_groups;
use super::guard::guard;
use super::keys::did_you_mean;
use super::mapping::mapping;
use super::reader::{Field, Section};
use super::removal::removal;
use super::values::{dns, duration, filter, flag, text, whole, word};
use super::{Channel, Mode, Schedule};

const MODES: &[(&str, Mode)] = &[("live", Mode::Live), ("preview", Mode::Preview)];
const EXISTING: &[(&str, Existing)] =
    &[("overwrite", Existing::Overwrite), ("link_only", Existing::LinkOnly), ("never", Existing::Never)];
const NESTINGS: &[(&str, Nesting)] = &[("flatten", Nesting::Flatten), ("keep", Nesting::Keep)];
const MEMBERS: &[(&str, Members)] = &[("managed", Members::Managed), ("add_only", Members::AddOnly), ("exact", Members::Exact)];
const SAME_NAMES: &[(&str, SameName)] = &[("hold", SameName::Hold), ("merge", SameName::Merge)];
const RECREATED: &[(&str, Recreated)] = &[("relink", Recreated::Relink), ("hold", Recreated::Hold)];
const MOST_WORKERS: u64 = 100;

/// How long no change must come before a live channel runs.
const QUIET: Duration = Duration::from_millis(200);
const QUIET_LEAST: Duration = Duration::from_millis(10);
const QUIET_MOST: Duration = Duration::from_secs(60);

/// How often everything is read, though changes are told.
const FULL_EVERY: Duration = Duration::from_secs(24 * 60 * 60);
const FULL_LEAST: Duration = Duration::from_secs(60);
const FULL_MOST: Duration = Duration::from_secs(31 * 24 * 60 * 60);

/// What a channel may refer to.
pub(super) struct Surroundings<'a> {
    /// Names of all sources.
    pub sources: Vec<&'a str>,
    /// Names of all targets.
    pub targets: Vec<&'a str>,
    /// The targets' dialects: what they can do, and a channel's defaults; not those that could not be read.
    pub abilities: std::collections::BTreeMap<&'a str, &'a Dialect>,
}

/// Reads one channel. `channels_of_target` is filled in when all channels are known.
pub(super) fn channel(name: &str, field: Field<'_>, around: &Surroundings<'_>) -> Option<Channel> {
    let key = field.clone();
    let section = field.section()?;
    let source = reference(section.required("source"), &around.sources, "source");
    let target = reference(section.required("target"), &around.targets, "target");
    let dialect = target.and_then(|target| around.abilities.get(target).copied());
    let mode = section.optional("mode").and_then(|field| word(&field, MODES)).unwrap_or(Mode::Live);
    let zone = section.optional("time_zone").map_or_else(|| Some(TimeZone::system()), |field| zone(&field));
    let live = section.optional("live").and_then(|field| flag(&field)).unwrap_or(false);
    let schedule = match section.optional("schedule") {
        Some(field) => schedule(&field, zone.unwrap_or(TimeZone::UTC)),
        None if live => None,
        None => {
            let finding = key.finding_at_key("no schedule: this channel runs only by hand");
            key.reader.warning(finding.hint(Some("schedule: \"*/5 * * * *\" runs it every five minutes".to_owned())));
            None
        }
    };
    let workers = section.optional("workers").and_then(|field| whole(&field, 1, MOST_WORKERS));
    let quiet_field = section.optional("quiet");
    let quiet = quiet_field.as_ref().and_then(|field| duration(field, QUIET_LEAST, QUIET_MOST)).unwrap_or(QUIET);
    if let (false, Some(field)) = (live, &quiet_field) {
        field.wrong("only a channel that is live waits for quiet: say live: true");
    }
    let full_reading = section.optional("full_reading");
    let full_every = full_reading.and_then(|field| duration(&field, FULL_LEAST, FULL_MOST)).unwrap_or(FULL_EVERY);
    let users = section.required("users").and_then(Field::section).and_then(users);
    let bases = users.as_ref().map(|users| users.selection.base_dns.as_slice());
    let groups_field = section.optional("groups");
    groups_field.iter().for_each(|field| may_have_groups(field, dialect));
    let groups = groups_field.and_then(Field::section).map(|section| groups(section, bases, dialect));
    let mapping = mapping(&section, dialect.map(|dialect| &dialect.capabilities));
    let provision_disabled = section.optional("provision_disabled").and_then(|field| flag(&field)).unwrap_or(true);
    let existing = section.optional("existing").and_then(|field| word(&field, EXISTING)).unwrap_or(Existing::Overwrite);
    let removal = removal(&section, dialect);
    let guard = guard(&section);
    section.finish();
    let name = ChannelName::new(name);
    let target = TargetName::new(target?);
    let rules = Rules {
        channel: name.clone(),
        channels_of_target: Vec::new(),
        users: users?,
        groups: match groups {
            None => None,
            Some(groups) => Some(groups?),
        },
        mapping: mapping?,
        provision_disabled,
        existing,
        user_removal: removal.users,
        group_removal: removal.groups,
        delete_adopted_groups: removal.delete_adopted,
        guard,
    };
    let workers = workers.and_then(|workers| usize::try_from(workers).ok()).or(dialect.map(|dialect| dialect.workers));
    let live = live.then_some(quiet);
    Some(Channel { name, source: source?.to_owned(), target, mode, schedule, workers: workers?, live, full_every, rules })
}

/// A name that stands as a key in another section.
fn reference<'a>(field: Option<Field<'a>>, names: &[&str], what: &str) -> Option<&'a str> {
    let field = field?;
    let written = text(&field)?;
    if names.contains(&written) {
        return Some(written);
    }
    let hint = did_you_mean(written, names.iter().copied())
        .or_else(|| (!names.is_empty()).then(|| format!("there is {}", names.join(", "))));
    field.reader.problem(field.finding(format!("there is no {what} {written:?}")).hint(hint));
    None
}

fn zone(field: &Field<'_>) -> Option<TimeZone> {
    let written = text(field)?;
    let zone = TimeZone::get(written);
    if zone.is_err() {
        let names: Vec<String> = jiff::tz::db().available().map(|name| name.to_string()).collect();
        let hint = did_you_mean(written, names.iter().map(String::as_str));
        field.reader.problem(field.finding("not a time zone of the IANA database, such as Europe/Berlin").hint(hint));
    }
    zone.ok()
}

fn schedule(field: &Field<'_>, zone: TimeZone) -> Option<Schedule> {
    Schedule::parse(text(field)?, zone).map_err(|problem| field.wrong(format!("not a cron expression: {problem}"))).ok()
}

fn users(section: Section<'_>) -> Option<UserRules> {
    let base_dns = section.required("base_dn").and_then(|field| dns(&field));
    let filter = optional_filter(&section);
    let scope = scope(&section);
    section.finish();
    Some(UserRules { selection: Selection { base_dns: base_dns?, filter: filter? }, scope: scope? })
}

/// Groups. Where no base DN is written, those of the users hold.
fn groups(section: Section<'_>, bases_of_users: Option<&[Dn]>, dialect: Option<&Dialect>) -> Option<GroupRules> {
    let base_dns = match section.optional("base_dn") {
        Some(field) => dns(&field),
        None => bases_of_users.map(<[Dn]>::to_vec),
    };
    let filter = optional_filter(&section);
    let scope = scope(&section);
    let include_self_field = section.optional("include_self");
    let include_self = include_self_field.as_ref().and_then(flag).unwrap_or(false);
    let name = section.optional("name").map_or(Some("cn"), |field| attribute(&field));
    let nesting = section.optional("nesting").and_then(|field| word(&field, NESTINGS));
    let nesting = nesting.or(dialect.map(|dialect| dialect.nesting)).unwrap_or(Nesting::Flatten);
    let members = section.optional("members").and_then(|field| word(&field, MEMBERS)).unwrap_or_default();
    let same_name = section.optional("same_name").and_then(|field| word(&field, SAME_NAMES)).unwrap_or_default();
    let recreated = section.optional("recreated").and_then(|field| word(&field, RECREATED)).unwrap_or_default();
    section.finish();
    let scope = scope?;
    if let (true, Some(field)) = (include_self && scope.group_dns.is_empty(), include_self_field) {
        field.reader.warning(field.finding_at_key("has no effect without group_dn"));
    }
    let selection = Selection { base_dns: base_dns?, filter: filter? };
    Some(GroupRules { selection, scope, include_self, name: AttributeName::new(name?), nesting, members, same_name, recreated })
}

/// `Some(None)` where no filter is written, `None` where a wrong one is.
#[expect(clippy::option_option, reason = "not written and not readable are two things")]
fn optional_filter(section: &Section<'_>) -> Option<Option<String>> {
    section.optional("filter").map_or(Some(None), |field| filter(&field).map(Some))
}

fn scope(section: &Section<'_>) -> Option<GroupScope> {
    let group_dns = section.optional("group_dn").map_or(Some(Vec::new()), |field| dns(&field));
    let nested_field = section.optional("nested");
    let nested = nested_field.as_ref().and_then(flag).unwrap_or(false);
    let group_dns = group_dns?;
    if let (true, Some(field)) = (nested && group_dns.is_empty(), nested_field) {
        field.reader.warning(field.finding_at_key("has no effect without group_dn"));
    }
    Some(GroupScope { group_dns, nested })
}

/// The name of an LDAP attribute (RFC 4512 §1.4: descr or numericoid).
fn attribute<'a>(field: &Field<'a>) -> Option<&'a str> {
    let written = text(field)?;
    if written.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_')) {
        return Some(written);
    }
    field.wrong("not the name of an LDAP attribute");
    None
}
