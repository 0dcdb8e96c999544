//! Who is in a group, and whether the answer can be believed: providers cut long lists without a word, and some always
//! show none (a group that was read as it is not would lose or gain members by mistake).

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::OnceCell;

use super::listing::{self, NoList};
use super::request::Request;
use super::target::Provider;
use super::url::equals;
use crate::cycle::{Found, Lookup, TargetError};
use crate::model::{AttributePath, MembersRead, ResourceId, ResourceType, Witness};

/// Lengths at which lists of members were seen to be cut.
const CUT_AT: [usize; 3] = [100, 1_000, 10_000];

/// What is known of how members show.
#[derive(Debug, Default)]
pub(super) struct Sight {
    /// Some group showed a member: an empty list means something then.
    seen: AtomicBool,
    /// Users can be filtered by their groups.
    by_group: OnceCell<bool>,
}

impl Sight {
    /// True if an empty list is known to mean that there is nobody.
    pub(super) fn proven(&self) -> bool {
        self.seen.load(Ordering::Relaxed)
    }
}

/// Puts the members into a group that was read, or `None` where what the answer has is not to be trusted.
pub(super) async fn judge(provider: &Provider, found: &mut Found) -> Result<(), TargetError> {
    found.members = match (provider.dialect().capabilities.members_read, found.members.take()) {
        (MembersRead::None, _) | (MembersRead::Group, None) => None,
        (MembersRead::UsersByGroup, _) => by_group(provider, &found.resource_id).await?,
        (MembersRead::Group, Some(shown)) if CUT_AT.contains(&shown.len()) => {
            // Asked another way, it may show that this is all of them, or who else there is.
            let all = by_group(provider, &found.resource_id).await?;
            all.filter(|all| shown.is_subset(all))
        }
        (MembersRead::Group, Some(shown)) => Some(shown),
    };
    if found.members.as_ref().is_some_and(|members| !members.is_empty()) {
        provider.sight.seen.store(true, Ordering::Relaxed);
    }
    Ok(())
}

/// The users of a group, by a list of users. `None` where the provider has no such filter, or ignores it.
async fn by_group(provider: &Provider, group: &ResourceId) -> Result<Option<BTreeSet<ResourceId>>, TargetError> {
    let honoured = provider.sight.by_group.get_or_try_init(|| filters_by_group(provider)).await?;
    if !honoured {
        return Ok(None);
    }
    let filter = equals(&AttributePath::known("groups.value"), group.as_str());
    match provider.listed_where(ResourceType::User, Some(&filter), listing::MOST).await {
        Ok(users) => Ok(Some(users.into_iter().map(|user| user.resource_id).collect())),
        Err(NoList::TooMany | NoList::Failed(TargetError::Protocol(_))) => Ok(None),
        Err(NoList::Failed(error)) => Err(error),
    }
}

/// True if a filter by a group that there is not finds nobody: a provider that ignores it shows everybody instead.
async fn filters_by_group(provider: &Provider) -> Result<bool, TargetError> {
    let nowhere = format!("ldap2scim-{:016x}", fastrand::u64(..));
    let path = AttributePath::known("groups.value");
    let request = Request::lookup(&Lookup { resource_type: ResourceType::User, path, value: nowhere }, &provider.dialect().knobs);
    let answer = provider.transport.send(&request).await?;
    let nobody = answer.is_success() && answer.page().is_ok_and(|page| page.resources.is_empty() && page.total.unwrap_or(0) == 0);
    let honoured = nobody || answer.status == 404;
    if !honoured && provider.dialect().capabilities.members_read == MembersRead::UsersByGroup {
        never_readable(provider);
    }
    Ok(honoured)
}

/// From now on nothing is concluded from the members that the target shows.
pub(super) fn never_readable(provider: &Provider) {
    if provider.learn("members_read", "none", Witness::Learnt) {
        tracing::warn!("The target does not show who is in its groups: from now on only what was acknowledged counts");
    }
}
