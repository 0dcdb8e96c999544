//! The list of presets, and how one becomes a dialect.

use super::super::{Dialect, SaidBy};
use super::{
    atlassian, aws_iam_identity_center, databricks, entra_style, generic, github_emu, gitlab, gitlab_saas, miro, new_relic,
    okta_style, paloalto_cie, salesforce, sentry, slack, snowflake, vcenter, webex, zscaler_zia, zscaler_zidentity,
};

/// What is known of a provider.
pub(super) struct Preset {
    /// Its name in the configuration.
    pub(super) name: &'static str,
    /// Knobs that stand otherwise than the RFC's, each with its evidence beside it.
    pub(super) knobs: &'static [(&'static str, &'static str)],
    /// What an admin does at the other side after the first load.
    pub(super) after_first_load: Option<&'static str>,
}

/// Every preset, the plain one first.
const PRESETS: &[&Preset] = &[
    &generic::PRESET,
    &paloalto_cie::PRESET,
    &aws_iam_identity_center::PRESET,
    &slack::PRESET,
    &github_emu::PRESET,
    &gitlab::PRESET,
    &gitlab_saas::PRESET,
    &atlassian::PRESET,
    &sentry::PRESET,
    &zscaler_zia::PRESET,
    &zscaler_zidentity::PRESET,
    &snowflake::PRESET,
    &databricks::PRESET,
    &salesforce::PRESET,
    &webex::PRESET,
    &vcenter::PRESET,
    &new_relic::PRESET,
    &miro::PRESET,
    &entra_style::PRESET,
    &okta_style::PRESET,
];

/// Names of all presets, the plain one first.
pub fn preset_names() -> impl Iterator<Item = &'static str> {
    PRESETS.iter().map(|preset| preset.name)
}

/// The dialect of a preset.
pub fn preset(name: &str) -> Option<Dialect> {
    let preset = PRESETS.iter().find(|preset| preset.name == name)?;
    let mut dialect = Dialect { name: preset.name, ..Dialect::default() };
    for (knob, value) in preset.knobs {
        // A test sets every knob of every preset, so none is refused here.
        let _set = dialect.set(knob, value, SaidBy::Preset);
    }
    dialect.capabilities.after_first_load = preset.after_first_load;
    Some(dialect)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scim::discovery::ANNOUNCED;

    /// A preset may state a default only where the target's announcement would have it otherwise.
    #[test]
    fn every_preset_sets_knobs_that_there_are_to_other_values_than_the_default() {
        for preset in PRESETS {
            let mut dialect = Dialect::default();
            for (knob, value) in preset.knobs {
                let before = dialect.value(knob);
                assert_eq!(dialect.set(knob, value, SaidBy::Preset), Ok(true), "{} {knob}", preset.name);
                let stated = ANNOUNCED.contains(knob);
                assert!(stated || dialect.value(knob) != before, "{} sets {knob} to its default", preset.name);
            }
        }
    }

    #[test]
    fn every_preset_changes_what_is_known_of_its_provider_and_nothing_else() {
        let all: &[(&str, &[&str])] = &[
            ("generic", &[]),
            (
                "paloalto-cie",
                &[
                    "required = userName, active, displayName, name.givenName, name.familyName, name.formatted",
                    "never = userType",
                    "group_external_id = no",
                    "manager = text",
                    "workers = 5",
                ],
            ),
            (
                "aws-iam-identity-center",
                &[
                    "match_users = externalId, userName",
                    "match_groups = externalId, displayName",
                    "required = userName, displayName, name.givenName, name.familyName",
                    "never = ims, photos, x509Certificates, entitlements",
                    "single = emails, addresses, phoneNumbers, roles",
                    "members_read = users_by_group",
                    "group_removal = empty",
                    "member_remove = value_array",
                    "pagination = cursor",
                    "page_size = 100",
                    "excluded_attributes = no",
                    "workers = 5",
                ],
            ),
            (
                "slack",
                &[
                    "single = addresses",
                    "longest = userName 21",
                    "members_per_request = 1000",
                    "delete_is_deactivate = yes",
                    "content_type = json",
                    "manager = manager_id",
                    "page_size = 1000",
                    "rate = 9/s",
                    "rate_read = 4.5/s",
                    "rate_user_create = 2.5/s",
                    "rate_user_update = 2.5/s",
                    "rate_group_update = 2.5/s",
                ],
            ),
            ("github-emu", &["user_delete = no", "rate_user_create = 1000/h"]),
            (
                "gitlab",
                &[
                    "required = userName, externalId, emails, name",
                    "user_updates = active, externalId",
                    "delete_is_deactivate = yes",
                    "groups = no",
                ],
            ),
            (
                "gitlab-saas",
                &[
                    "required = userName, externalId, emails, name",
                    "user_updates = active, externalId",
                    "deactivate_is_delete = yes",
                    "groups = no",
                ],
            ),
            ("atlassian", &["match_users = externalId, userName", "group_immutable = displayName", "user_delete = no"]),
            ("sentry", &["only = userName, active", "user_updates = active", "deactivate_is_delete = yes"]),
            ("zscaler-zia", &["rate = 4/s"]),
            ("zscaler-zidentity", &["rate = 40/s", "workers = 8"]),
            ("snowflake", &["group_removal = empty", "scan_limit = 0"]),
            ("databricks", &[]),
            ("salesforce", &["delete_is_deactivate = yes", "discovery = /ServiceProviderConfigs"]),
            ("webex", &["member_type = yes"]),
            ("vcenter", &["user_update = put", "group_update = put"]),
            ("new-relic", &["single = emails", "put_mode = full"]),
            (
                "miro",
                &[
                    "most_members = 8000",
                    "group_removal = empty",
                    "longest_body = 800000",
                    "rate_read = 20/30s",
                    "rate_user_create = 200/30s",
                    "rate_user_update = 20/30s",
                    "rate_group_update = 5/30s",
                ],
            ),
            ("entra-style", &["op_case = title", "booleans = text", "member_remove = value_array"]),
            ("okta-style", &["user_update = put", "patch_form = pathless"]),
        ];
        assert_eq!(preset_names().collect::<Vec<_>>(), all.iter().map(|(name, _)| *name).collect::<Vec<_>>());
        for (name, expected) in all {
            let dialect = preset(name).unwrap();
            let said = format!("preset {name}");
            let rows = dialect.rows().into_iter().filter(|row| row.from == said);
            assert_eq!(rows.map(|row| format!("{} = {}", row.name, row.value)).collect::<Vec<_>>(), *expected, "{name}");
            assert_eq!(dialect.name, *name);
        }
        assert_eq!(preset("no-such"), None);
    }

    #[test]
    fn a_preset_may_say_what_is_left_to_the_admin() {
        assert!(preset("paloalto-cie").unwrap().capabilities.after_first_load.unwrap().contains("Full Sync"));
        assert_eq!(preset("generic").unwrap().capabilities.after_first_load, None);
    }

    #[test]
    fn the_configuration_counts_more_than_a_preset_and_a_preset_more_than_an_announcement() {
        let mut cie = preset("paloalto-cie").unwrap();
        assert_eq!(cie.set("workers", "2", SaidBy::Announced), Ok(false));
        assert_eq!(cie.set("workers", "3", SaidBy::Learnt), Ok(true));
        assert_eq!(cie.set("workers", "4", SaidBy::Configuration), Ok(true));
        assert_eq!(cie.set("workers", "9", SaidBy::Learnt), Ok(false));
        let row = cie.rows().into_iter().find(|row| row.name == "workers").unwrap();
        assert_eq!((row.value.as_str(), row.from.as_str()), ("4", "configuration"));
    }
}
