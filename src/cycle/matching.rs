//! Asks the target about entries that are not linked, in the way that costs least: nothing where it is empty,
//! one list where that is cheaper than single look-ups.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::stream::{self, StreamExt, TryStreamExt};

use crate::model::{AttributePath, EntryId, MembersRead, Resource, ResourceId, ResourceType};
use crate::plan::{Found, Known, Situation, answers, holders, lookups, situation, unlinked};

use super::{Channel, CycleError, Disposition, Source, Target, TargetError};

/// Up to this many entries of a type, single look-ups (one for each match key) cost hardly more than asking how many
/// resources there are.
const FEW: usize = 2;

/// What the target says about each unlinked entry. `listed` is a list that was made already.
pub async fn situations<S: Source, T: Target>(
    channel: &Channel<S, T>,
    known: &Known<'_>,
    listed: Option<&[Found]>,
    notes: &mut Vec<String>,
) -> Result<BTreeMap<EntryId, Situation>, CycleError> {
    let mut situations = BTreeMap::new();
    for resource_type in [ResourceType::User, ResourceType::Group] {
        let wanted: Vec<(&EntryId, &Resource)> =
            unlinked(known).filter(|(_, resource)| resource.resource_type == resource_type).collect();
        if wanted.is_empty() {
            continue;
        }
        let answers = match listed {
            Some(listed) => from_list(channel, &wanted, listed),
            None => ask(channel, resource_type, &wanted, notes).await?,
        };
        judge(channel, known, answers, &mut situations).await?;
    }
    Ok(situations)
}

/// What was found, and by which path.
pub type Matched = (AttributePath, Vec<Found>);

/// What was found, or why the target could not be asked for this entry.
type Answer = Result<Option<Matched>, TargetError>;
type Answers<'a> = Vec<(&'a EntryId, Answer)>;

async fn ask<'a, S: Source, T: Target>(
    channel: &Channel<S, T>,
    resource_type: ResourceType,
    wanted: &[(&'a EntryId, &Resource)],
    notes: &mut Vec<String>,
) -> Result<Answers<'a>, CycleError> {
    let target = &channel.target;
    let kind = resource_type.as_str();
    if !target.filters(resource_type) {
        notes.push(format!("look-ups of {kind}s by filter do not work here: they are listed once"));
        return match target.list(resource_type).await {
            Ok(listed) => Ok(from_list(channel, wanted, &listed)),
            // Nobody new can be looked for; that keeps nobody's access who is to lose it.
            Err(error @ (TargetError::Protocol(_) | TargetError::Rejected { .. })) => {
                let refused = || TargetError::Rejected { status: 400, detail: error.to_string() };
                Ok(wanted.iter().map(|(entry, _)| (*entry, Err(refused()))).collect())
            }
            Err(error) => Err(error.into()),
        };
    }
    if wanted.len() > FEW {
        let capabilities = target.capabilities();
        let questions: usize = wanted.iter().map(|(_, resource)| lookups(resource, &capabilities).len()).sum();
        match target.population(resource_type).await? {
            Some(0) => {
                notes.push(format!("the target holds no {kind}: {} are created without look-ups", wanted.len()));
                return Ok(wanted.iter().map(|(entry, _)| (*entry, Ok(None))).collect());
            }
            Some(population) => {
                let pages = population.div_ceil(capabilities.page_size.max(1) as u64);
                if pages < questions as u64 {
                    match target.list(resource_type).await {
                        Ok(listed) => {
                            notes.push(format!("the target holds {population} {kind}s: listed once in {pages} pages"));
                            return Ok(from_list(channel, wanted, &listed));
                        }
                        // A list that breaks off says nothing; every question for itself may still be answered.
                        Err(error @ (TargetError::Protocol(_) | TargetError::Rejected { .. })) => {
                            notes.push(format!("the target does not list its {kind}s ({error}): {questions} look-ups instead"));
                        }
                        Err(error) => return Err(error.into()),
                    }
                } else {
                    notes.push(format!("the target holds {population} {kind}s: {questions} look-ups are cheaper than a list"));
                }
            }
            None => notes.push(format!("the target does not say how many {kind}s it holds: {questions} look-ups")),
        }
    }
    // A list, not an iterator: with the iterator's closure in it the compiler cannot tell that the cycle is Send.
    let questions: Vec<_> = wanted
        .iter()
        .map(|(entry, resource)| async move { ends_the_cycle(look_up(channel, resource).await).map(|answer| (*entry, answer)) })
        .collect();
    Ok(stream::iter(questions).buffered(channel.workers.max(1)).try_collect().await?)
}

/// An error that is about the target; one about a single entry stays with its answer.
pub(super) fn ends_the_cycle<A>(answer: Result<A, TargetError>) -> Result<Result<A, TargetError>, TargetError> {
    match answer {
        Err(error) if error.disposition() == Disposition::System => Err(error),
        answer => Ok(answer),
    }
}

/// The first question that finds something.
pub async fn look_up<S: Source, T: Target>(channel: &Channel<S, T>, resource: &Resource) -> Result<Option<Matched>, TargetError> {
    for lookup in lookups(resource, &channel.target.capabilities()) {
        let found = channel.target.find(&lookup).await?;
        if !found.is_empty() {
            return Ok(Some((lookup.path, found)));
        }
    }
    Ok(None)
}

fn from_list<'a, S, T: Target>(channel: &Channel<S, T>, wanted: &[(&'a EntryId, &Resource)], listed: &[Found]) -> Answers<'a> {
    let capabilities = channel.target.capabilities();
    let index = index(listed, &capabilities);
    wanted
        .iter()
        .map(|(entry, resource)| {
            let answer = lookups(resource, &capabilities).into_iter().find_map(|lookup| {
                let candidates = index.get(&(lookup.resource_type, lookup.path.clone(), lookup.value.to_lowercase()))?;
                let found: Vec<Found> = candidates.iter().filter(|found| answers(&lookup, found)).map(|f| (*f).clone()).collect();
                (!found.is_empty()).then_some((lookup.path, found))
            });
            (*entry, Ok(answer))
        })
        .collect()
}

type Index<'a> = BTreeMap<(ResourceType, AttributePath, String), Vec<&'a Found>>;

fn index<'a>(listed: &'a [Found], capabilities: &crate::model::Capabilities) -> Index<'a> {
    let mut index: Index<'_> = BTreeMap::new();
    for found in listed {
        let paths = match found.resource_type {
            ResourceType::User => &capabilities.match_keys.users,
            ResourceType::Group => &capabilities.match_keys.groups,
        };
        for path in paths {
            if let Some(crate::model::Value::Text(text)) = found.attributes.get(path) {
                index.entry((found.resource_type, path.clone(), text.to_lowercase())).or_default().push(found);
            }
        }
    }
    index
}

async fn judge<S: Source, T: Target>(
    channel: &Channel<S, T>,
    known: &Known<'_>,
    answers: Answers<'_>,
    situations: &mut BTreeMap<EntryId, Situation>,
) -> Result<(), CycleError> {
    let holders = holders(known.snapshot);
    let mut taken: BTreeSet<(ResourceType, ResourceId)> = BTreeSet::new();
    for (entry_id, answer) in answers {
        let (path, candidates) = match answer {
            Ok(Some(answer)) => answer,
            Ok(None) => {
                situations.insert(entry_id.clone(), Situation::Unmatched);
                continue;
            }
            Err(error) => {
                situations.insert(entry_id.clone(), Situation::Disputed(format!("the target cannot be asked for it: {error}")));
                continue;
            }
        };
        let mut situation = situation(
            entry_id,
            &path,
            &candidates,
            |found| holders.get(&(found.resource_type, found.resource_id.clone())).cloned(),
            |external| is_known_entry(known, external),
        );
        if let Situation::Unlinked(found, _) = &mut situation {
            if !taken.insert((found.resource_type, found.resource_id.clone())) {
                situation = Situation::Disputed(format!("the target's resource {} matches another entry too", found.resource_id));
            } else if found.resource_type == ResourceType::Group
                && found.members.is_none()
                && let Err(error) = ends_the_cycle(with_members(channel, found).await)?
            {
                situation = Situation::Disputed(format!("the members of its resource cannot be read: {error}"));
            }
        }
        situations.insert(entry_id.clone(), situation);
    }
    Ok(())
}

/// True if an externalId is the id of an entry that we know.
fn is_known_entry(known: &Known<'_>, external: &str) -> bool {
    let id = EntryId::new(external);
    known.desired.entries.contains_key(&id) || known.snapshot.links.contains_key(&id)
}

/// Reads the members of a group that was found without them, where the target tells them.
pub async fn with_members<S: Source, T: Target>(channel: &Channel<S, T>, found: &mut Found) -> Result<(), TargetError> {
    if channel.target.capabilities().members_read != MembersRead::None
        && let Some(whole) = channel.target.get(found.resource_type, &found.resource_id).await?
    {
        found.members = whole.members;
    }
    Ok(())
}
