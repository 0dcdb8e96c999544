//! The providers that are known by name: one file for each, which holds only what differs from the RFC.

mod atlassian;
mod aws_iam_identity_center;
mod databricks;
mod entra_style;
mod generic;
mod github_emu;
mod gitlab;
mod gitlab_saas;
mod known;
mod miro;
mod new_relic;
mod okta_style;
mod paloalto_cie;
mod salesforce;
mod sentry;
mod slack;
mod snowflake;
mod vcenter;
mod webex;
mod zscaler_zia;
mod zscaler_zidentity;

pub use known::{preset, preset_names};
