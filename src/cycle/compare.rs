//! Lists the target whole, for a comparison with what is remembered.

use std::collections::BTreeSet;

use crate::model::{Link, ResourceId, ResourceType, Snapshot};
use crate::plan::{Found, drift};

use super::{Channel, CycleError, Source, Target, matching};

/// Missing links up to this many are never taken for a wrong target.
const FEW_MISSING: usize = 5;

/// Every user and group of the target; linked groups with their members.
pub async fn list<S: Source, T: Target>(channel: &Channel<S, T>, snapshot: &Snapshot) -> Result<Vec<Found>, CycleError> {
    let mut found = channel.target.list(ResourceType::User).await?;
    if channel.rules.groups.is_none() && snapshot.links.values().all(|link| link.acknowledged.resource_type == ResourceType::User)
    {
        return Ok(found);
    }
    let linked: BTreeSet<&ResourceId> = snapshot.links.values().map(|link| &link.resource_id).collect();
    for mut group in channel.target.list(ResourceType::Group).await? {
        if linked.contains(&group.resource_id) && group.members.is_none() {
            matching::with_members(channel, &mut group).await?;
        }
        found.push(group);
    }
    Ok(found)
}

/// A comparison whose missing resources were each asked for by id: one that is there after all is not missing.
/// Too many missing ones mean another tenant, not that many deletions; leavers do not count, who may be purged
/// there, nor do users who are off, whom some targets leave out of a list.
pub async fn confirmed<S: Source, T: Target>(
    channel: &Channel<S, T>,
    snapshot: &Snapshot,
    mut comparison: drift::Comparison,
) -> Result<drift::Comparison, CycleError> {
    let counts = |link: &&Link| snapshot.claims.contains_key(&link.entry_id) && link.acknowledged.active() != Some(false);
    let missing = comparison.missing.iter().filter(counts).count();
    let linked = snapshot.links.values().filter(counts).count();
    if missing > FEW_MISSING && missing * 10 > linked {
        return Err(CycleError::WrongTarget { missing, linked });
    }
    let mut gone = Vec::new();
    for link in comparison.missing {
        if channel.target.get(link.acknowledged.resource_type, &link.resource_id).await?.is_none() {
            gone.push(link);
        }
    }
    comparison.missing = gone;
    Ok(comparison)
}
