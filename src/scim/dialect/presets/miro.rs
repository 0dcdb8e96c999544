//! Miro. Facts from the vendor's page on the rate limits of its SCIM API.

use super::known::Preset;

pub(super) const PRESET: Preset = Preset {
    name: "miro",
    knobs: &[
        // Above 8,000 members or 800,000 octets the answer is 413.
        ("most_members", "8000"),
        ("longest_body", "800000"),
        // In 30 seconds: 200 creates of users, 100 changes, 20 deletes. Changes and deletes are one kind here.
        ("rate_user_create", "200/30s"),
        ("rate_user_update", "20/30s"),
        // 5 changes of groups of more than 500 octets (100 smaller ones); what size the next is, is not known before.
        ("rate_group_update", "5/30s"),
        // Lists of groups: 5 in 30 seconds; users can be asked for more often, and are of the same kind here.
        ("rate_read", "20/30s"),
        // Where a group is a team, the introduction says, it is neither created nor deleted by SCIM; a user group is both,
        // but which of the two it is, cannot be seen from here.
        ("group_removal", "empty"),
    ],
    after_first_load: None,
};
