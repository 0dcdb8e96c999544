//! Any provider that was made for Microsoft Entra ID, and parses what that sends unless it is asked for the RFC's form
//! (`aadOptscim062020`): see its vendor's article on known issues with SCIM 2.0 compliance.

use super::known::Preset;

pub(super) const PRESET: Preset = Preset {
    name: "entra-style",
    knobs: &[
        // `Replace`, `"False"`, and members as the value of one `remove`.
        ("op_case", "title"),
        ("booleans", "text"),
        ("member_remove", "value_array"),
    ],
    after_first_load: None,
};
