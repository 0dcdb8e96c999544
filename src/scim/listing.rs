//! Whole collections, page by page (RFC 7644 §3.4.2.4): complete, or an error.

use std::collections::BTreeSet;

use super::answer::{Answer, Page};
use super::found::{MembersIn, found};
use super::request::Request;
use super::transport::Transport;
use super::url::{collection, encoded};
use crate::cycle::{Found, TargetError};
use crate::model::ResourceType;

/// Resources of a list at most, so that one that grows for ever ends.
const MOST: usize = 5_000_000;

/// Every resource of a type. Groups come without members.
///
/// The next page begins after as many as were received, because providers cap pages as they like. The end is
/// reached when as many as `totalResults` says were seen or, where it says nothing, at an empty page.
pub(super) async fn list(transport: &Transport, resource_type: ResourceType, size: usize) -> Result<Vec<Found>, TargetError> {
    list_where(transport, resource_type, size, None).await
}

/// Every resource of a type that a filter lets through.
pub(super) async fn list_where(
    transport: &Transport,
    resource_type: ResourceType,
    size: usize,
    filter: Option<&str>,
) -> Result<Vec<Found>, TargetError> {
    let mut all = Vec::new();
    let mut seen = BTreeSet::new();
    let mut start = 1;
    loop {
        let mut request = Request::page(resource_type, start, size);
        if let Some(filter) = filter {
            request.query = format!("filter={}&{}", encoded(filter), request.query);
        }
        let page = page(transport, &request).await?;
        let received = page.resources.len();
        let before = seen.len();
        for resource in &page.resources {
            let resource =
                found(resource_type, resource, MembersIn::Nowhere).ok_or_else(|| incomplete(resource_type, "one has no id"))?;
            if seen.insert(resource.resource_id.clone()) {
                all.push(resource);
            }
        }
        let enough = page.total.is_some_and(|total| u64::try_from(seen.len()).unwrap_or(u64::MAX) >= total);
        if enough {
            return Ok(all);
        }
        if seen.len() > MOST {
            return Err(incomplete(resource_type, &format!("it is longer than {MOST} resources")));
        }
        match (received, page.total) {
            (0, None) => return Ok(all),
            (0, Some(total)) => {
                return Err(incomplete(resource_type, &format!("it says {total} and gave {}", seen.len())));
            }
            (_, _) if seen.len() == before => return Err(incomplete(resource_type, "it gives the same page again")),
            (_, _) => start += received,
        }
    }
}

/// How many there are, if the provider says so and does not contradict itself.
pub(super) async fn population(transport: &Transport, resource_type: ResourceType) -> Result<Option<u64>, TargetError> {
    let page = page(transport, &Request::page(resource_type, 1, 1)).await?;
    Ok(page.total.filter(|total| (*total == 0) == page.resources.is_empty()))
}

async fn page(transport: &Transport, request: &Request) -> Result<Page, TargetError> {
    let answer = transport.send(request).await?;
    if answer.is_success() { answer.page() } else { Err(refused(request.resource_type, &answer)) }
}

fn refused(resource_type: ResourceType, answer: &Answer) -> TargetError {
    let place = collection(resource_type);
    match answer.status {
        404 | 410 => TargetError::Protocol(format!("there is no {place} below the base URL (status {})", answer.status)),
        500..=599 => TargetError::Unavailable(format!("{place} cannot be listed: status {}: {}", answer.status, answer.detail())),
        status => TargetError::Protocol(format!("{place} cannot be listed: status {status}: {}", answer.detail())),
    }
}

fn incomplete(resource_type: ResourceType, why: &str) -> TargetError {
    TargetError::Protocol(format!("the list of {} is not to be trusted: {why}", collection(resource_type)))
}
