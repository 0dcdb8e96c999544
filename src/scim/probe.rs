//! Proves a target before it is relied on: token, filters, counts, and what it says of itself.

use serde_json::Value as Json;

use super::found::get;
use super::request::Request;
use super::target::Provider;
use super::url::collection;
use super::{DialectRow, FilterUse};
use crate::cycle::{Lookup, Target, TargetError};
use crate::model::ResourceType;

/// What a probe found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// Users at the target, if it says.
    pub users: Option<u64>,
    /// Groups at the target, if it says.
    pub groups: Option<u64>,
    /// What would surprise, as sentences.
    pub warnings: Vec<String>,
    /// The dialect in force.
    pub dialect: Vec<DialectRow>,
}

impl Provider {
    /// Reads only. An error means that the target cannot be worked with at all.
    pub async fn probe(&self) -> Result<Probe, TargetError> {
        let mut warnings = Vec::new();
        // Discovery is open to anybody at several providers, so it is a look-up that proves the token.
        self.prove_filter(ResourceType::User, &mut warnings).await?;
        let users = self.population(ResourceType::User).await?;
        let groups = match self.population(ResourceType::Group).await {
            Err(TargetError::Protocol(why) | TargetError::Unavailable(why)) => {
                warnings.push(format!("Groups cannot be used: {why}."));
                None
            }
            other => {
                let groups = other?;
                self.prove_filter(ResourceType::Group, &mut warnings).await?;
                groups
            }
        };
        if users.is_none() {
            warnings.push(
                "The target does not say how many users it has, so every one is looked up before it is created.".to_owned(),
            );
        }
        self.read_announcement(&mut warnings).await?;
        Ok(Probe { users, groups, warnings, dialect: self.dialect().rows() })
    }

    /// Looks for a name that nobody has.
    async fn prove_filter(&self, resource_type: ResourceType, warnings: &mut Vec<String>) -> Result<(), TargetError> {
        let value = format!("ldap2scim-probe-{:016x}", fastrand::u64(..));
        let path = resource_type.name_path();
        let answer = self
            .transport
            .send(&Request::lookup(&Lookup { resource_type, path: path.clone(), value }, &self.dialect().knobs))
            .await?;
        let place = collection(resource_type);
        let scans = match self.dialect().knobs.filter {
            FilterUse::Equals | FilterUse::Search => "look-ups will list everything, which is slow and costs rate",
            FilterUse::Scan => "look-ups list everything, as configured",
        };
        match answer.status {
            200..=299 => {
                if !answer.page()?.resources.is_empty() {
                    warnings.push(format!(
                        "{place} ignores filters: a look-up of a {path} that nobody has was answered with resources; {scans}."
                    ));
                }
            }
            404 => {}
            403 if resource_type == ResourceType::User => {
                return Err(TargetError::Unauthorized(format!("a look-up of a user is answered with 403: {}", answer.detail())));
            }
            status => {
                warnings.push(format!("{place} refuses a look-up by {path} with status {status}: {}; {scans}.", answer.detail()))
            }
        }
        Ok(())
    }

    /// `/ServiceProviderConfig` (RFC 7643 §5) is a hint: it is missing or wrong at many providers, so it changes nothing.
    async fn read_announcement(&self, warnings: &mut Vec<String>) -> Result<(), TargetError> {
        let answer = match self.transport.send(&Request::service_provider_config()).await {
            Ok(answer) => answer,
            Err(TargetError::Protocol(_)) => return Ok(()),
            Err(other) => return Err(other),
        };
        let Some(Json::Object(announced)) = answer.json().ok().filter(|_| answer.is_success()) else { return Ok(()) };
        let feature = |name: &str, key: &str| get(get(&announced, name)?.as_object()?, key).cloned();
        if feature("patch", "supported") == Some(Json::Bool(false)) {
            warnings.push(
                "The target announces that it has no PATCH; without it resources can be created and deleted, and not changed."
                    .to_owned(),
            );
        }
        if feature("filter", "supported") == Some(Json::Bool(false)) {
            warnings.push("The target announces that it has no filters.".to_owned());
        }
        Ok(())
    }
}
