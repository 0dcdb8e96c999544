//! GitHub Enterprise Cloud with managed users, and GitHub Enterprise Server. Facts from the vendor's pages on
//! provisioning by the SCIM REST API, on deprovisioning, and on its rate limits.

use super::known::Preset;

pub(super) const PRESET: Preset = Preset {
    name: "github-emu",
    knobs: &[
        // The page on deprovisioning: DELETE cannot be undone, and repositories, keys and tokens of the user are lost.
        ("user_delete", "no"),
        // The vendor asks to assign at most 1,000 users an hour.
        ("rate_user_create", "1000/h"),
    ],
    after_first_load: None,
};
