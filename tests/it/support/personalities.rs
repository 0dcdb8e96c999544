//! Every kind of provider that we know of, by name, with the knobs that its admin would set.

use std::time::Duration;

use ldap2scim::scim::SaidBy;

use super::bridge::Bridge;
use super::provider::bulk::Bulk;
use super::provider::{
    Create, Deactivated, Fault, Filter, Lifecycle, MemberRemove, Membership, Names, Paging, Pathless, Personality, Put, Spelling,
    Updates, Weather,
};

/// One kind of provider.
pub struct Kind {
    pub name: &'static str,
    pub personality: fn() -> Personality,
    /// What its admin sets, by name and value.
    pub knobs: &'static [(&'static str, &'static str)],
    /// Attributes that cannot be changed there once they are set, so that nobody expects them to follow.
    pub frozen: &'static [&'static str],
}

/// What kinds of provider cannot do, by a part of the reason with which an entry stays held there. Anywhere else, and
/// for any other reason, nothing may.
pub const LIMITED: &[(&str, &[&str])] = &[
    // Nothing but `active` of a user can be changed, so a name that is changed in the directory is held.
    ("sentry", &["changes that of no user", "does not find it"]),
    ("gitlab", &["changes that of no user"]),
    ("gitlab-saas", &["changes that of no user"]),
    // It shows nothing of who is switched off: other changes wait, and what a lost create made cannot be found.
    ("atlassian-404", &["the change waits until it is switched on again", "does not find it"]),
    // There is one who has the name of ours and is never shown.
    ("hidden-409", &["does not find it"]),
    // A name is changed on the way in, so that what a lost create made is not found under the name that it was given.
    ("slugs", &["does not find it"]),
    // What was refused with a page for people, or sent elsewhere, is tried once more and then an hour later.
    ("html-refusal", &["400"]),
    ("redirects", &["302"]),
];

/// True if an entry may stay held for this reason.
pub fn may_be_held(kind: &str, why: &str) -> bool {
    LIMITED.iter().any(|(name, reasons)| *name == kind && reasons.iter().any(|reason| why.contains(reason)))
}

fn usual() -> Personality {
    Personality::default()
}

fn updates(updates: Updates) -> Personality {
    Personality { updates, ..usual() }
}

fn membership(membership: Membership) -> Personality {
    Personality { membership, ..usual() }
}

fn lifecycle(lifecycle: Lifecycle) -> Personality {
    Personality { lifecycle, ..usual() }
}

/// Every so many requests meet it, so often in all.
fn weather(every: usize, most: usize, fault: Fault) -> Personality {
    Personality { weather: Some(Weather::new(every, most, fault)), ..usual() }
}

fn busy(header: &'static str, value: String) -> Personality {
    weather(5, 3, Fault::Answer { status: 429, headers: vec![(header, value)], body: "{}".to_owned() })
}

/// This many seconds from now, since the epoch.
fn epoch(ahead: u64) -> Duration {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap() + Duration::from_secs(ahead)
}

/// No PATCH, and this way of taking a PUT.
fn put_only(put: Put) -> Personality {
    Personality { no_patch: true, updates: Updates { put, ..Updates::default() }, ..usual() }
}

macro_rules! kinds {
    ($($name:literal: $personality:expr $(; knobs $knobs:expr)? $(; frozen $frozen:expr)?,)+) => {
        pub const KINDS: &[Kind] = &[$(Kind {
            name: $name,
            personality: || $personality,
            knobs: kinds!(@ $($knobs)?),
            frozen: kinds!(@ $($frozen)?),
        }),+];
    };
    (@ $list:expr) => { &$list };
    (@) => { &[] };
}

const PUT: [(&str, &str); 2] = [("user_update", "put"), ("group_update", "put")];

kinds! {
    "default": usual(),
    "strict-interop": updates(Updates { pathless: Pathless::Refused, ..Updates::default() }),
    "pathless": updates(Updates { pathless: Pathless::Taken, ..Updates::default() }); knobs [("patch_form", "pathless")],
    "aws": Personality {
        paging: Paging::Cursor,
        members_hidden: true,
        filters_by_group: true,
        group_lists_exclude_members: false,
        conflict_has_scim_type: false,
        membership: Membership { no_replace: true, ..Membership::default() },
        member_remove: MemberRemove::ValueArray,
        ..usual()
    }; knobs [
        ("pagination", "cursor"), ("members_read", "users_by_group"), ("member_remove", "value_array"), ("excluded_attributes", "no"),
        ("single", "emails, phoneNumbers, addresses"),
    ],
    "slack-lock": Personality {
        updates: Updates { locks: true, put: Put::Blanks, ..Updates::default() },
        lifecycle: Lifecycle { delete_switches_off: true, ..Lifecycle::default() },
        weather: Some(Weather::new(4, 20, Fault::too_many("0"))),
        ..usual()
    }; knobs [("delete_is_deactivate", "yes")],
    "sentry": Personality {
        updates: Updates { user_patch_only: &["active"], put: Put::Refused(405), ..Updates::default() },
        lifecycle: Lifecycle { deactivated: Deactivated::Deleted, names: Names::Slug, ..Lifecycle::default() },
        conflict_has_scim_type: false,
        ..usual()
    }; knobs [("user_updates", "active"), ("deactivate_is_delete", "yes")];
    frozen ["userName", "title"],
    "gitlab": Personality {
        updates: Updates { user_patch_only: &["active", "externalId"], ..Updates::default() },
        lifecycle: Lifecycle { id_is_external_id: true, ..Lifecycle::default() },
        ..usual()
    }; knobs [("user_updates", "active, externalId")]; frozen ["userName", "title"],
    "gitlab-saas": Personality {
        updates: Updates { user_patch_only: &["active", "externalId"], ..Updates::default() },
        lifecycle: Lifecycle { id_is_external_id: true, deactivated: Deactivated::Deleted, ..Lifecycle::default() },
        ..usual()
    }; knobs [("user_updates", "active, externalId"), ("deactivate_is_delete", "yes")]; frozen ["userName", "title"],
    "atlassian-404": lifecycle(Lifecycle { deactivated: Deactivated::Missing, ..Lifecycle::default() }),
    "filter-ignored": Personality { filter: Filter::Ignored, ..usual() },
    "filter-refused": Personality { filter: Filter::Refused(400), ..usual() },
    "none-found-is-404": Personality { filter: Filter::NotFoundIfNone, ..usual() },
    "synthetic-list": lifecycle(Lifecycle { synthetic_list: true, ..Lifecycle::default() }),
    "hidden-409": Personality { hidden: vec!["p1".to_owned()], ..usual() },
    "409-without-scim-type": Personality { conflict_has_scim_type: false, ..usual() },
    "conflict-is-400": Personality { conflict_is_400: true, ..usual() },
    "create-200": Personality { create: Create::Ok, ..usual() },
    "create-empty-body-location": Personality { create: Create::EmptyWithLocation, ..usual() },
    "create-empty": Personality { create: Create::Empty, ..usual() },
    "commit-then-timeout": weather(9, 3, Fault::Stall),
    "commit-then-502": weather(6, 4, Fault::AfterCommit(502)),
    "stale-read": lifecycle(Lifecycle { stale_reads: 1, ..Lifecycle::default() }); knobs [("settle", "0.01")],
    "patch-204-only": Personality { patch_without_body: true, ..usual() },
    "put": put_only(Put::Replaces); knobs PUT,
    "put-204-no-echo": Personality {
        no_patch: true,
        updates: Updates { put_without_body: true, ..Updates::default() },
        ..usual()
    }; knobs PUT,
    "put-merge": put_only(Put::Merges); knobs [("user_update", "put"), ("group_update", "put"), ("put_mode", "full")],
    "put-blank": put_only(Put::Blanks); knobs PUT,
    "no-patch-405": Personality {
        no_patch: true,
        updates: Updates { no_patch_status: 405, ..Updates::default() },
        ..usual()
    },
    "no-patch-501": put_only(Put::Replaces),
    "members-truncated": membership(Membership { shown: 1, ..Membership::default() }); knobs [("members_read", "none")],
    "members-always-empty": membership(Membership { shown: 0, ..Membership::default() }); knobs [("members_read", "none")],
    "members-never-shown": Personality { members_hidden: true, ..usual() }; knobs [("members_read", "none")],
    "users-by-group": Personality { members_hidden: true, filters_by_group: true, ..usual() };
        knobs [("members_read", "users_by_group")],
    "readd-409": membership(Membership { readd: 409, ..Membership::default() }),
    "readd-500": membership(Membership { readd: 500, ..Membership::default() }),
    "unknown-member-500": Personality { unknown_member: 500, ..usual() },
    "unknown-member-400": Personality { unknown_member: 400, ..usual() },
    "unknown-member-silent": membership(Membership { skips_unknown: true, ..Membership::default() }),
    "remove-first-only": membership(Membership { first_only: true, ..Membership::default() }),
    "removal-by-value-array": Personality { member_remove: MemberRemove::ValueArray, ..usual() };
        knobs [("member_remove", "value_array")],
    "413-over-2": Personality {
        members_per_request: 2,
        membership: Membership { too_many: 413, ..Membership::default() },
        ..usual()
    },
    "cursor-only": Personality { paging: Paging::Cursor, page_cap: 3, ..usual() },
    "start-index-ignored": Personality { paging: Paging::RepeatsFirst, page_cap: 3, ..usual() },
    "total-results-missing": Personality { paging: Paging::NoTotal, page_cap: 3, ..usual() },
    "total-results-text": Personality { paging: Paging::TotalAsText, page_cap: 3, ..usual() },
    "retry-after-date": busy("retry-after", httpdate::fmt_http_date(std::time::UNIX_EPOCH + epoch(1))),
    "retry-after-past": busy("retry-after", "Fri, 15 Jan 2021 07:00:00 GMT".to_owned()),
    "retry-after-huge": weather(8, 1, Fault::too_many("999999")),
    "retry-after-garbage": busy("retry-after", "soon".to_owned()),
    "x-ratelimit-reset-epoch": busy("x-ratelimit-reset", epoch(1).as_secs().to_string()),
    "x-ratelimit-reset-delta": busy("x-ratelimit-reset", "0".to_owned()),
    "x-ratelimit-reset-milliseconds": busy("x-ratelimit-reset", epoch(0).as_millis().to_string()),
    "401-then-ok": weather(6, 1, Fault::status(401)),
    "html-error": weather(5, 3, Fault::html(500)),
    // A removal of a member that is refused is tried in the other form.
    "html-refusal": Personality { member_remove: MemberRemove::Either, ..weather(7, 1, Fault::html(400)) },
    "text-json": Personality {
        spelling: Spelling { media_type: Some("text/json"), ..Spelling::default() },
        ..usual()
    },
    "numeric-id": Personality { spelling: Spelling { numeric_ids: true, ..Spelling::default() }, ..usual() },
    "string-booleans": Personality { spelling: Spelling { text_booleans: true, ..Spelling::default() }, ..usual() },
    "odd-answers": Personality { odd_answers: true, ..usual() },
    "lower-case-names": lifecycle(Lifecycle { names: Names::LowerCase, ..Lifecycle::default() }),
    "slugs": lifecycle(Lifecycle { names: Names::Slug, ..Lifecycle::default() }),
    "slugs-found-by-id": lifecycle(Lifecycle { names: Names::Slug, ..Lifecycle::default() });
        knobs [("match_groups", "externalId, displayName")],
    "delete-is-deactivate": lifecycle(Lifecycle { delete_switches_off: true, ..Lifecycle::default() });
        knobs [("delete_is_deactivate", "yes")],
    "deactivate-is-delete": lifecycle(Lifecycle { deactivated: Deactivated::Deleted, ..Lifecycle::default() });
        knobs [("deactivate_is_delete", "yes")],
    "redirects": weather(9, 1, Fault::redirect("https://elsewhere.example/")),
    "bulk": Personality { bulk: Some(Bulk::default()), ..usual() }; knobs [("bulk", "yes")],
    "bulk-of-two-reversed": Personality { bulk: Some(Bulk { most: 2, reversed: true, ..Bulk::default() }), ..usual() };
        knobs [("bulk", "yes"), ("bulk_operations", "2")],
    "bulk-refused": Personality { bulk: Some(Bulk { refused: Some(501), ..Bulk::default() }), ..usual() };
        knobs [("bulk", "yes")],
    "entra-requests": Personality { entra_requests: true, member_remove: MemberRemove::ValueArray, ..usual() };
        knobs [("op_case", "title"), ("booleans", "text"), ("member_remove", "value_array"), ("content_type", "json")],
}

impl Kind {
    /// A channel to such a provider: no pace, short waits.
    pub async fn bridge(&self) -> Bridge {
        let knobs = self.knobs;
        Bridge::start_as((self.personality)(), |settings| {
            settings.dialect.set("settle", "0", SaidBy::Configuration).unwrap();
            for (name, value) in knobs {
                settings.dialect.set(name, value, SaidBy::Configuration).unwrap();
            }
            settings.request_timeout = Duration::from_millis(300);
            settings.retry.longest_pause = Duration::from_secs(5);
        })
        .await
    }
}
