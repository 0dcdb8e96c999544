//! A provider that keeps to RFC 7643 and 7644: what every other preset starts from.

use super::super::{Dialect, Knobs};
use crate::model::{AttributePath, Capabilities, MatchKeys};
use crate::scim::Rate;

pub(super) const NAME: &str = "generic";

pub(super) fn dialect() -> Dialect {
    Dialect {
        name: NAME,
        capabilities: Capabilities {
            match_keys: MatchKeys {
                users: vec![AttributePath::known("userName")],
                groups: vec![AttributePath::known("displayName")],
            },
            // RFC 7643 §4.1.1: the one attribute of a user that is REQUIRED.
            required: vec![AttributePath::known("userName")],
            never: Vec::new(),
            // The lowest cap that was seen among providers; above it one answers 400, another 413.
            members_per_request: 100,
            group_external_id: true,
            members_readable: true,
            // What every provider seen gives without cutting.
            page_size: 100,
            after_first_load: None,
        },
        knobs: Knobs::default(),
        rate: Rate { per_second: 25.0, burst: 1 },
        workers: 4,
    }
}
