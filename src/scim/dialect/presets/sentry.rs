//! Sentry. Facts from the source of its SCIM endpoints, which is public.

use super::known::Preset;

pub(super) const PRESET: Preset = Preset {
    name: "sentry",
    knobs: &[
        // Creating a member reads userName, which must be an e-mail address; names are passed over and read back as
        // N/A. active is passed over too, and must stay, as it is what a PATCH is about.
        ("only", "userName, active"),
        // PATCH of a member takes active and nothing else.
        ("user_updates", "active"),
        // active=false removes the member from the organisation.
        ("deactivate_is_delete", "yes"),
    ],
    after_first_load: None,
};
