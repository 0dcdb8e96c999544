//! Proves a target before it is relied on: token, filters, counts, and what it says of itself.

use serde_json::Value as Json;

use super::request::Request;
use super::schemas::Schemas;
use super::target::Provider;
use super::url::collection;
use super::{Dialect, Discovery, FilterUse};
use crate::cycle::{Lookup, Target, TargetError};
use crate::model::{AttributePath, ResourceType, Witness};

/// What a probe found.
#[derive(Debug, Clone, PartialEq)]
pub struct Probe {
    /// Users at the target, if it says.
    pub users: Option<u64>,
    /// Groups at the target, if it says; `None` where they were not asked for, too.
    pub groups: Option<u64>,
    /// What would surprise, as sentences.
    pub warnings: Vec<String>,
    /// The dialect in force.
    pub dialect: Dialect,
    /// What it says of its schemas.
    pub schemas: Schemas,
}

impl Provider {
    /// Reads only. An error means that the target cannot be worked with at all.
    pub async fn probe(&self) -> Result<Probe, TargetError> {
        self.probe_for(&[ResourceType::User, ResourceType::Group]).await
    }

    /// The same for a target of which only these kinds of resources are wanted; users always are.
    pub async fn probe_for(&self, wanted: &[ResourceType]) -> Result<Probe, TargetError> {
        let mut warnings = Vec::new();
        // Discovery is open to anybody at several providers, so it is a look-up that proves the token.
        self.prove_filters(ResourceType::User, &mut warnings).await?;
        let lists = self.dialect().capabilities.lists;
        let counted = |population: Option<u64>| population.filter(|_| lists);
        let users = counted(self.population(ResourceType::User).await?);
        let mut groups = None;
        if wanted.contains(&ResourceType::Group) {
            groups = match self.population(ResourceType::Group).await {
                Err(TargetError::Protocol(why) | TargetError::Unavailable(why)) => {
                    warnings.push(format!("Groups cannot be used: {why}."));
                    None
                }
                other => {
                    let groups = counted(other?);
                    self.prove_filters(ResourceType::Group, &mut warnings).await?;
                    groups
                }
            };
        }
        if users.is_none() {
            warnings.push(
                "The target does not say how many users it has, so every one is looked up before it is created.".to_owned(),
            );
        }
        match self.heed().await {
            Ok(contradictions) => warnings.extend(contradictions),
            Err(error) => warnings.extend(unread("what it announces", &error)),
        }
        let schemas = self.document("/Schemas", &mut warnings).await;
        let resource_types = self.document("/ResourceTypes", &mut warnings).await;
        let schemas = Schemas::read(schemas.as_ref(), resource_types.as_ref());
        Ok(Probe { users, groups, warnings, dialect: Dialect::clone(&self.dialect()), schemas })
    }

    /// Looks for values that nobody has, by each attribute by which resources are matched.
    async fn prove_filters(&self, resource_type: ResourceType, warnings: &mut Vec<String>) -> Result<(), TargetError> {
        let dialect = self.dialect();
        let keys = &dialect.capabilities.match_keys;
        let (paths, unfilterable) = match resource_type {
            ResourceType::User => (&keys.users, &dialect.knobs.unfilterable_users),
            ResourceType::Group => (&keys.groups, &dialect.knobs.unfilterable_groups),
        };
        if dialect.knobs.filter == FilterUse::Scan {
            return Ok(());
        }
        for path in paths.iter().filter(|path| !unfilterable.contains(path)) {
            self.prove_filter(resource_type, path, warnings).await?;
        }
        Ok(())
    }

    async fn prove_filter(
        &self,
        resource_type: ResourceType,
        path: &AttributePath,
        warnings: &mut Vec<String>,
    ) -> Result<(), TargetError> {
        let value = format!("ldap2scim-probe-{:016x}", fastrand::u64(..));
        let lookup = Lookup { resource_type, path: path.clone(), value };
        let answer = self.transport.send(&Request::lookup(&lookup, &self.dialect().knobs)).await?;
        let place = collection(resource_type);
        match answer.status {
            200..=299 => {
                if !answer.page()?.resources.is_empty() {
                    self.refuse_filter(resource_type, path);
                    warnings.push(format!(
                        "{place} ignores filters: a look-up of a {path} that nobody has was answered with resources; nothing is \
                         matched by this filter, everything is listed instead, which is slow and costs rate."
                    ));
                }
            }
            404 => {}
            403 if resource_type == ResourceType::User => {
                return Err(TargetError::Unauthorized(format!("a look-up of a user is answered with 403: {}", answer.detail())));
            }
            status => {
                // These are said of the filter, as nothing about the value is odd; others may pass.
                if matches!(status, 400 | 403 | 405 | 422 | 501) {
                    self.refuse_filter(resource_type, path);
                }
                warnings.push(format!(
                    "{place} refuses a look-up by {path} with status {status}: {}; look-ups will list everything, which is slow \
                     and costs rate.",
                    answer.detail()
                ));
            }
        }
        Ok(())
    }

    /// From now on nothing is matched by a filter on this attribute.
    fn refuse_filter(&self, resource_type: ResourceType, path: &AttributePath) {
        let knob = match resource_type {
            ResourceType::User => "unfilterable_users",
            ResourceType::Group => "unfilterable_groups",
        };
        let known = self.dialect().value(knob);
        let value = if known.is_empty() { path.to_string() } else { format!("{known}, {path}") };
        self.learn(knob, &value, Witness::Learnt);
    }

    /// A document that the target may have or not.
    async fn document(&self, place: &str, warnings: &mut Vec<String>) -> Option<Json> {
        if self.dialect().knobs.discovery == Discovery::Off {
            return None;
        }
        match self.transport.send(&Request::about(place)).await {
            Ok(answer) => answer.json().ok().filter(|_| answer.is_success()),
            Err(error) => {
                warnings.extend(unread(place, &error));
                None
            }
        }
    }
}

/// What could not be read of that which a target need not have.
fn unread(what: &str, error: &TargetError) -> Option<String> {
    match error {
        TargetError::Protocol(_) => None,
        other => Some(format!("The target could not be asked for {what}: {other}.")),
    }
}
