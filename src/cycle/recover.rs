//! Creates that were sent and never answered: the target is asked, and only then is anything created again.

use crate::model::{EntryId, Link, Origin, Resource, Snapshot, Uncertain, Value};
use crate::plan::{Found, holders};

use super::{Channel, Source, Target, TargetError, matching};

/// What became known about a create whose answer was lost.
#[derive(Debug, Clone)]
pub enum Recovered {
    /// It arrived: the link as it should have been recorded.
    Arrived(Link),
    /// The target has nothing of it.
    NeverArrived(EntryId, crate::model::ResourceType),
}

/// Looks for what unanswered creates made. Arrived ones are linked in `snapshot`.
pub async fn look_up<S: Source, T: Target>(
    channel: &Channel<S, T>,
    snapshot: &mut Snapshot,
) -> Result<Vec<Recovered>, TargetError> {
    let mut recovered = Vec::new();
    let holders = holders(snapshot);
    for (entry_id, sent) in std::mem::take(&mut snapshot.unanswered_creates) {
        let found = matching::look_up(channel, &sent).await?;
        let ours = found.and_then(|(_, candidates)| {
            let free = |found: &Found| !holders.contains_key(&(found.resource_type, found.resource_id.clone()));
            candidates.into_iter().find(|found| free(found) && is_ours(found, &sent, &entry_id))
        });
        match ours {
            Some(found) => {
                let link = Link {
                    entry_id: entry_id.clone(),
                    resource_id: found.resource_id,
                    origin: Origin::Created,
                    acknowledged: sent,
                    uncertain: Uncertain::default(),
                };
                snapshot.claims.entry(entry_id.clone()).or_default().insert(channel.name().clone());
                snapshot.links.insert(entry_id, link.clone());
                recovered.push(Recovered::Arrived(link));
            }
            None => recovered.push(Recovered::NeverArrived(entry_id, sent.resource_type)),
        }
    }
    Ok(recovered)
}

/// True if a resource is the one that was sent: it carries our externalId, or it carries none and holds all the
/// rest of what was sent. Somebody else's has another id or other values.
pub fn is_ours(found: &Found, sent: &Resource, entry_id: &EntryId) -> bool {
    match found.attributes.get(EXTERNAL_ID) {
        Some(Value::Text(external)) => external == entry_id.as_str() || sent.text(EXTERNAL_ID) == Some(external),
        Some(Value::Flag(_) | Value::Reference(_)) => false,
        None => {
            let mut told = sent.attributes.iter().filter(|(path, _)| path.as_str() != EXTERNAL_ID);
            told.all(|(path, value)| found.attributes.get(path).is_some_and(|held| agrees(held, value)))
        }
    }
}

/// True if a provider may have made one of the other: some change case and outer space.
fn agrees(held: &Value, sent: &Value) -> bool {
    match (held, sent) {
        (_, Value::Reference(_)) => true,
        (Value::Text(held), Value::Text(sent)) => held.trim().to_lowercase() == sent.trim().to_lowercase(),
        (held, sent) => held == sent,
    }
}

const EXTERNAL_ID: &str = "externalId";
