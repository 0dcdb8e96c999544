//! Creates that were sent and never answered: the target is asked, and only then is anything created again.

use futures_util::stream::{self, StreamExt, TryStreamExt};

use crate::model::{EntryId, Link, Origin, Resource, Snapshot, Uncertain, Value};
use crate::plan::{Found, Held, holders};

use super::{Channel, Source, Target, TargetError, matching};

/// What became known about a create whose answer was lost.
#[derive(Debug, Clone)]
pub enum Recovered {
    /// It arrived: the link as it should have been recorded.
    Arrived(Link),
    /// The target has nothing of it.
    NeverArrived(EntryId, crate::model::ResourceType),
}

/// Looks for what unanswered creates made, several at a time. Arrived ones are linked in `snapshot`. One that the target
/// cannot be asked for stays open and is held.
pub async fn look_up<S: Source, T: Target>(
    channel: &Channel<S, T>,
    snapshot: &mut Snapshot,
) -> Result<(Vec<Recovered>, Vec<Held>), TargetError> {
    let (mut recovered, mut unclear) = (Vec::new(), Vec::new());
    let holders = holders(snapshot);
    let open = std::mem::take(&mut snapshot.unanswered_creates);
    let mut answers = ask(channel, open).await?;
    let (settle, is_absent) = (channel.target.settle(), |(_, _, answer): &Asked| matches!(answer, Ok(None)));
    if !settle.is_zero() && answers.iter().any(is_absent) {
        // One wait for all: the program may have died a moment ago.
        let (absent, mut told): (Vec<Asked>, Vec<Asked>) = answers.into_iter().partition(is_absent);
        tokio::time::sleep(settle).await;
        let absent: Vec<(EntryId, Resource)> = absent.into_iter().map(|(entry_id, sent, _)| (entry_id, sent)).collect();
        told.extend(ask(channel, absent).await?);
        answers = told;
    }
    for (entry_id, sent, answer) in answers {
        let found = match answer {
            Ok(found) => found,
            Err(error) => {
                unclear.push(Held {
                    entry_id: entry_id.clone(),
                    resource_type: sent.resource_type,
                    name: sent.name().unwrap_or(entry_id.as_str()).to_owned(),
                    why: format!("the answer to its create was lost, and the target cannot be asked for it: {error}"),
                });
                snapshot.unanswered_creates.insert(entry_id, sent);
                continue;
            }
        };
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
    Ok((recovered, unclear))
}

/// An entry, what was sent for it, and what was found.
type Asked = (EntryId, Resource, Result<Option<matching::Matched>, TargetError>);

async fn ask<S: Source, T: Target>(
    channel: &Channel<S, T>,
    open: impl IntoIterator<Item = (EntryId, Resource)>,
) -> Result<Vec<Asked>, TargetError> {
    // A list, not an iterator: with the iterator's closure in it the compiler cannot tell that the cycle is Send.
    let questions: Vec<_> = open
        .into_iter()
        .map(|(entry_id, sent)| async move {
            let answer = matching::ends_the_cycle(matching::look_up(channel, &sent).await)?;
            Ok((entry_id, sent, answer))
        })
        .collect();
    stream::iter(questions).buffered(channel.workers.max(1)).try_collect().await
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
