//! Slack. Facts from the vendor's SCIM reference: the pages on rate limits, errors, users and groups.

use super::known::Preset;

pub(super) const PRESET: Preset = Preset {
    name: "slack",
    knobs: &[
        // Every sample of the reference is sent as application/json.
        ("content_type", "json"),
        // A userName is refused beyond 21 characters.
        ("longest", "userName 21"),
        // One address at most.
        ("single", "addresses"),
        // The extension's manager is written {"managerId": …} there.
        ("manager", "manager_id"),
        // DELETE deactivates; accounts are never deleted.
        ("delete_is_deactivate", "yes"),
        // 15,000 members in a request are the limit, 5,000 the advice; a thousand keep an answer quick.
        ("members_per_request", "1000"),
        // Up to 1000 in a page.
        ("page_size", "1000"),
        // In a minute, for all SCIM apps of the organisation together: 600 writes, 1000 reads, of these 300 of single
        // users; and 180 creates of users, 180 updates, 180 deletes and 180 changes of groups, few of them at once.
        // All a little below, spread over the minute's seconds; updates and deletes of users are one kind here.
        ("rate", "9/s"),
        ("rate_read", "4.5/s"),
        ("rate_user_create", "2.5/s"),
        ("rate_user_update", "2.5/s"),
        ("rate_group_update", "2.5/s"),
    ],
    after_first_load: None,
};
