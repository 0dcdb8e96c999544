//! The dialect in force as rows for people: what, how, and who said so.

use super::{Dialect, preset};
use crate::scim::Rate;

/// One line of the dialect in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DialectRow {
    /// What.
    pub name: &'static str,
    /// How.
    pub value: String,
    /// Who said so: `default`, `preset NAME` or `configuration`.
    pub from: String,
}

impl Dialect {
    /// Every value in force. `rate` is what the target runs with.
    pub fn rows(&self, rate: Rate) -> Vec<DialectRow> {
        let told = |dialect: &Self, rate: Rate| dialect.values(rate);
        let own = told(self, rate);
        let of_preset = preset(self.name).map(|known| told(&known, known.rate)).unwrap_or_default();
        let of_default = preset("generic").map(|known| told(&known, known.rate)).unwrap_or_default();
        own.into_iter()
            .enumerate()
            .map(|(row, (name, value))| {
                let same = |values: &[(&'static str, String)]| values.get(row).is_some_and(|(_, known)| *known == value);
                let from = if !same(&of_preset) {
                    "configuration".to_owned()
                } else if same(&of_default) {
                    "default".to_owned()
                } else {
                    format!("preset {}", self.name)
                };
                DialectRow { name, value, from }
            })
            .collect()
    }

    fn values(&self, rate: Rate) -> Vec<(&'static str, String)> {
        let paths = |paths: &[crate::model::AttributePath]| {
            paths.iter().map(|path| path.as_str().to_owned()).collect::<Vec<_>>().join(", ")
        };
        let Self { name: _, capabilities, knobs, rate: _, workers } = self;
        vec![
            ("match_users", paths(&capabilities.match_keys.users)),
            ("match_groups", paths(&capabilities.match_keys.groups)),
            ("required", paths(&capabilities.required)),
            ("never", paths(&capabilities.never)),
            ("members_per_request", capabilities.members_per_request.to_string()),
            ("members_readable", capabilities.members_readable.to_string()),
            ("group_external_id", capabilities.group_external_id.to_string()),
            ("page_size", capabilities.page_size.to_string()),
            ("content_type", format!("{:?}", knobs.content_type)),
            ("op_case", format!("{:?}", knobs.op_case)),
            ("booleans", format!("{:?}", knobs.booleans)),
            ("member_remove", format!("{:?}", knobs.member_remove)),
            ("unset", format!("{:?}", knobs.unset)),
            ("manager", format!("{:?}", knobs.manager)),
            ("filter", format!("{:?}", knobs.filter)),
            ("rate", format!("{}/s, burst {}", rate.per_second, rate.burst)),
            ("workers", workers.to_string()),
        ]
    }
}
