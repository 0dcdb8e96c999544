//! Every knob by name: how its value is written, and where it is kept. Presets, the configuration's `dialect`,
//! announcements and what is learnt all go through this table, and `check` prints it.

use std::time::Duration;

use super::word::Word;
use super::{Dialect, Discovery};
use crate::model::AttributePath;
use crate::plan::UserRemoval;
use crate::scim::rates;

/// One knob.
pub struct Knob {
    /// Its name in configuration, presets and `check`.
    pub name: &'static str,
    /// What it decides, for people.
    pub summary: &'static str,
    pub(super) read: fn(&mut Dialect, &str) -> Result<(), String>,
    pub(super) write: fn(&Dialect) -> String,
}

/// A knob whose value is a word, a number or a list, kept at a place in the dialect.
macro_rules! knob {
    ($name:literal, $summary:literal, $form:ident, $($place:ident).+) => {
        Knob {
            name: $name,
            summary: $summary,
            read: |dialect, text| { dialect.$($place).+ = $form::read(text)?; Ok(()) },
            write: |dialect| $form::write(&dialect.$($place).+),
        }
    };
}

/// Every knob, in the order to print them.
pub const KNOBS: &[Knob] = &[
    knob!("match_users", "attributes by which an existing user is looked for", paths, capabilities.match_keys.users),
    knob!("match_groups", "attributes by which an existing group is looked for", paths, capabilities.match_keys.groups),
    knob!("required", "attributes without which a user is refused", paths, capabilities.required),
    knob!("only", "attributes of users that are sent at all; empty for everything mapped", paths, capabilities.only),
    knob!("never", "attributes that are never sent", paths, capabilities.never),
    knob!("single", "multi-valued attributes that hold one value", paths, capabilities.single),
    knob!("longest", "characters that a value may have at most: PATH NUMBER, …", lengths, capabilities.longest),
    knob!(
        "user_updates",
        "attributes of a linked user that can be changed; empty for all",
        paths,
        capabilities.user_updates.only
    ),
    knob!("user_immutable", "attributes of a linked user that cannot be changed", paths, capabilities.user_updates.never),
    knob!(
        "group_updates",
        "attributes of a linked group that can be changed; empty for all",
        paths,
        capabilities.group_updates.only
    ),
    knob!("group_immutable", "attributes of a linked group that cannot be changed", paths, capabilities.group_updates.never),
    knob!("members_per_request", "memberships added or removed by one request", count, capabilities.members_per_request),
    knob!("most_members", "members that a group may have; 0 for any number", limit, capabilities.most_members),
    knob!("members_read", "how members are read: group, users_by_group or none", word, capabilities.members_read),
    knob!("group_external_id", "groups carry externalId", word, capabilities.group_external_id),
    knob!("deactivate_is_delete", "switching a user off removes the account there", word, capabilities.deactivate_is_delete),
    knob!("delete_is_deactivate", "deleting a user only switches it off there", word, capabilities.delete_is_deactivate),
    knob!("removes_first", "members who move leave the old group first", word, capabilities.removes_first),
    knob!("groups", "there are groups", word, groups),
    knob!("nesting", "what groups.nesting is by default", word, nesting),
    Knob {
        name: "user_removal",
        summary: "what removal.users is by default",
        read: read_user_removal,
        write: write_user_removal,
    },
    knob!("group_removal", "what removal.groups is by default", word, group_removal),
    knob!("user_delete", "users may be deleted by removal.users", word, user_delete),
    knob!("content_type", "media type of what is sent: scim_json or json", word, knobs.content_type),
    knob!("headers", "headers that every request carries: NAME: VALUE | …", headers, knobs.headers),
    knob!("discovery", "where the target announces what it can: auto, off or a path", place, knobs.discovery),
    knob!("user_update", "how users are changed: patch or put", word, knobs.user_update),
    knob!("group_update", "how groups are changed: patch or put", word, knobs.group_update),
    knob!("patch_form", "operations of a PATCH: path or pathless", word, knobs.patch_form),
    knob!("put_mode", "a PUT is laid over what was read, or holds only what is managed: read or full", word, knobs.put_mode),
    knob!("op_case", "letters of op: lower or title", word, knobs.op_case),
    knob!("booleans", "form of booleans: json or text", word, knobs.booleans),
    knob!("member_remove", "how members leave: path_filter, value_array or replace_all", word, knobs.member_remove),
    knob!("member_type", "members carry their type", word, knobs.member_type),
    knob!("create_with_members", "a group is created with its first members", word, capabilities.create_with_members),
    knob!("unset", "how a value is taken away: remove, empty, null or skip", word, knobs.unset),
    knob!("manager", "form of the manager: object, text, manager_id or off", word, knobs.manager),
    knob!("filter", "how look-ups ask: eq, scan or search", word, knobs.filter),
    knob!("unfilterable_users", "attributes of users that cannot be filtered by", paths, knobs.unfilterable_users),
    knob!("unfilterable_groups", "attributes of groups that cannot be filtered by", paths, knobs.unfilterable_groups),
    knob!("scan_limit", "resources up to which a list stands in for a filter; 0 for no lists", count_or_none, knobs.scan_limit),
    knob!("pagination", "how lists are cut: auto, index, cursor or none", word, knobs.pagination),
    knob!("page_size", "resources in a page of a list", count, capabilities.page_size),
    knob!("excluded_attributes", "groups are asked for without their members", word, knobs.excluded_attributes),
    knob!("etag", "writes carry If-Match", word, knobs.etag),
    knob!("settle", "how long a new resource may take to show in look-ups, in seconds", seconds, knobs.settle),
    knob!("bulk", "changes travel in bulk", word, knobs.bulk),
    knob!("bulk_operations", "changes in one bulk request", count, bulk_operations),
    knob!("bulk_payload", "octets in one bulk request", count, knobs.bulk_payload),
    knob!("longest_body", "octets in any other request; 0 for any number", limit, knobs.longest_body),
    knob!("rate", "requests: 25/s, 600/min, 1000/h", windows, rates.all),
    knob!("burst", "requests at once after a quiet moment", small_count, rates.burst),
    knob!("rate_read", "look-ups and lists", windows, rates.read),
    knob!("rate_user_create", "creates of users", windows, rates.user_create),
    knob!("rate_user_update", "changes of users", windows, rates.user_update),
    knob!("rate_group_update", "requests about groups", windows, rates.group_update),
    knob!("workers", "requests in flight at the same time", count, workers),
    knob!("tries", "requests sent for one change at most", small_count, tries),
    knob!("longest_pause", "the longest pause asked for that is sat out, in seconds", seconds, longest_pause),
];

/// The knob of a name.
pub fn knob(name: &str) -> Option<&'static Knob> {
    KNOBS.iter().find(|knob| knob.name == name)
}

mod word {
    use super::Word;

    pub(super) fn read<T: Word>(text: &str) -> Result<T, String> {
        T::of(text)
    }

    pub(super) fn write<T: Word>(value: &T) -> String {
        value.word().to_owned()
    }
}

mod paths {
    use super::AttributePath;

    pub(super) fn read(text: &str) -> Result<Vec<AttributePath>, String> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        parts.map(|part| AttributePath::parse(part).map_err(|error| error.to_string())).collect()
    }

    pub(super) fn write(paths: &[AttributePath]) -> String {
        paths.iter().map(AttributePath::as_str).collect::<Vec<_>>().join(", ")
    }
}

mod lengths {
    use super::AttributePath;

    pub(super) fn read(text: &str) -> Result<Vec<(AttributePath, usize)>, String> {
        let one = |part: &str| {
            let (path, number) = part.rsplit_once(' ').ok_or("must be written like userName 21")?;
            let number = number.parse().map_err(|_| "must be written like userName 21".to_owned())?;
            Ok((AttributePath::parse(path).map_err(|error| error.to_string())?, number))
        };
        text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(one).collect()
    }

    pub(super) fn write(lengths: &[(AttributePath, usize)]) -> String {
        lengths.iter().map(|(path, number)| format!("{path} {number}")).collect::<Vec<_>>().join(", ")
    }
}

mod count {
    pub(super) fn read(text: &str) -> Result<usize, String> {
        text.parse().ok().filter(|number| *number > 0).ok_or_else(|| "must be a whole number above zero".to_owned())
    }

    pub(super) fn write(number: &usize) -> String {
        number.to_string()
    }
}

mod count_or_none {
    pub(super) fn read(text: &str) -> Result<usize, String> {
        text.parse().map_err(|_| "must be a whole number".to_owned())
    }

    pub(super) fn write(number: &usize) -> String {
        number.to_string()
    }
}

mod small_count {
    pub(super) fn read(text: &str) -> Result<u32, String> {
        text.parse().ok().filter(|number| *number > 0).ok_or_else(|| "must be a whole number above zero".to_owned())
    }

    pub(super) fn write(number: &u32) -> String {
        number.to_string()
    }
}

mod limit {
    #[expect(clippy::unnecessary_wraps, reason = "the form of a knob that may be without a limit")]
    fn of(number: usize) -> Result<Option<usize>, String> {
        Ok((number > 0).then_some(number))
    }

    pub(super) fn read(text: &str) -> Result<Option<usize>, String> {
        super::count_or_none::read(text).and_then(of)
    }

    pub(super) fn write(limit: &Option<usize>) -> String {
        limit.unwrap_or_default().to_string()
    }
}

mod seconds {
    use super::Duration;

    pub(super) fn read(text: &str) -> Result<Duration, String> {
        let wrong = || "must be a number of seconds".to_owned();
        let seconds: f64 = text.trim_end_matches('s').parse().map_err(|_| wrong())?;
        Duration::try_from_secs_f64(seconds).map_err(|_| wrong())
    }

    pub(super) fn write(duration: &Duration) -> String {
        duration.as_secs_f64().to_string()
    }
}

mod windows {
    pub(super) use super::rates::parse as read;
    use crate::scim::rates::{Window, text};

    pub(super) fn write(windows: &[Window]) -> String {
        text(windows)
    }
}

mod headers {
    pub(super) fn read(text: &str) -> Result<Vec<(String, String)>, String> {
        let one = |part: &str| {
            let (name, value) = part.split_once(':').ok_or("must be written like X-Name: value")?;
            Ok((name.trim().to_owned(), value.trim().to_owned()))
        };
        text.split('|').filter(|part| !part.trim().is_empty()).map(one).collect()
    }

    pub(super) fn write(headers: &[(String, String)]) -> String {
        headers.iter().map(|(name, value)| format!("{name}: {value}")).collect::<Vec<_>>().join(" | ")
    }
}

mod place {
    use super::Discovery;

    pub(super) fn read(text: &str) -> Result<Discovery, String> {
        match text {
            "auto" => Ok(Discovery::Auto),
            "off" => Ok(Discovery::Off),
            path if path.starts_with('/') => Ok(Discovery::At(path.to_owned())),
            _ => Err("must be auto, off or a path that begins with /".to_owned()),
        }
    }

    pub(super) fn write(discovery: &Discovery) -> String {
        match discovery {
            Discovery::Auto => "auto".to_owned(),
            Discovery::Off => "off".to_owned(),
            Discovery::At(path) => path.clone(),
        }
    }
}

fn read_user_removal(dialect: &mut Dialect, text: &str) -> Result<(), String> {
    dialect.user_removal = match text {
        "deactivate" => UserRemoval::Deactivate,
        "delete" => UserRemoval::Delete,
        "keep" => UserRemoval::Keep,
        _ => return Err("must be one of deactivate, delete, keep".to_owned()),
    };
    Ok(())
}

fn write_user_removal(dialect: &Dialect) -> String {
    match dialect.user_removal {
        UserRemoval::Deactivate | UserRemoval::DeactivateThenDelete(_) => "deactivate",
        UserRemoval::Delete => "delete",
        UserRemoval::Keep => "keep",
    }
    .to_owned()
}
