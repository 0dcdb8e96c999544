//! VMware vCenter Server as a service provider for an external identity provider: it has no PATCH, and a group's PUT
//! must state its members, also where there are none.

use super::known::Preset;

pub(super) const PRESET: Preset =
    Preset { name: "vcenter", knobs: &[("user_update", "put"), ("group_update", "put")], after_first_load: None };
