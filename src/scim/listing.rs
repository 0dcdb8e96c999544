//! Whole collections, page by page (RFC 7644 §3.4.2.4, RFC 9865): complete, or an error.

use std::collections::BTreeSet;

use super::Pagination;
use super::answer::{Answer, Page};
use super::found::{MembersIn, found};
use super::request::{Cut, Request};
use super::target::Provider;
use super::url::{collection, encoded};
use crate::cycle::{Found, TargetError};
use crate::model::{ResourceType, Witness};

/// Resources of a list at most, so that one that grows for ever ends.
pub(super) const MOST: usize = 5_000_000;

/// Pages without anything new in a row, before a cursor is taken to lead nowhere.
const EMPTY_PAGES: usize = 100;

/// Why there is no list.
pub(super) enum NoList {
    /// There are more resources than were asked for.
    TooMany,
    /// It is not to be had, or not to be trusted.
    Failed(TargetError),
}

impl From<TargetError> for NoList {
    fn from(error: TargetError) -> Self {
        Self::Failed(error)
    }
}

impl Provider {
    /// Every resource of a type, if there are no more than `most`. Groups come without members.
    pub(super) async fn listed(&self, resource_type: ResourceType, most: usize) -> Result<Vec<Found>, NoList> {
        self.listed_where(resource_type, None, most).await
    }

    /// Every resource of a type that a filter lets through.
    pub(super) async fn listed_where(
        &self,
        resource_type: ResourceType,
        filter: Option<&str>,
        most: usize,
    ) -> Result<Vec<Found>, NoList> {
        match self.walk(resource_type, filter, most).await? {
            Some(all) => Ok(all),
            // Its place in the list was lost on the way: once more from the beginning.
            None => self
                .walk(resource_type, filter, most)
                .await?
                .ok_or_else(|| incomplete(resource_type, "its cursors expire").into()),
        }
    }

    /// `None` if the target lost the cursor that it gave.
    ///
    /// By index, the next page begins after as many as were received, because providers cap pages as they like. The end
    /// is reached when as many as `totalResults` says were seen or, where it says nothing, at an empty page. By cursor,
    /// it is reached where there is no next one.
    async fn walk(&self, resource_type: ResourceType, filter: Option<&str>, most: usize) -> Result<Option<Vec<Found>>, NoList> {
        let mut walk = Walk { resource_type, all: Vec::new(), seen: BTreeSet::new(), cursors: BTreeSet::new(), idle: 0 };
        let mut start = 1;
        let mut cut = match self.dialect().knobs.pagination {
            Pagination::Auto | Pagination::Index => Cut::Index(start),
            Pagination::Cursor => Cut::Cursor(String::new()),
            Pagination::None => Cut::Whole,
        };
        loop {
            let Some(page) = self.page(resource_type, filter, &cut).await? else { return Ok(None) };
            let (received, before) = (page.resources.len(), walk.seen.len());
            walk.take(&page)?;
            let seen = walk.seen.len();
            if seen > most || page.total.is_some_and(|total| total > most as u64) {
                return Err(NoList::TooMany);
            }
            let follows = self.dialect().knobs.pagination != Pagination::Index;
            if let Some(next) = page.next.filter(|_| follows) {
                walk.step(seen > before, &next)?;
                cut = Cut::Cursor(next);
                continue;
            }
            let enough = page.total.is_some_and(|total| seen as u64 >= total);
            match (&cut, received, page.total) {
                _ if enough => return walk.done(),
                (Cut::Cursor(_) | Cut::Whole, _, None) | (Cut::Index(_), 0, None) => return walk.done(),
                (Cut::Cursor(_) | Cut::Whole, _, Some(total)) | (Cut::Index(_), 0, Some(total)) => {
                    return Err(incomplete(resource_type, &format!("it says {total} and gave {seen}")).into());
                }
                (Cut::Index(_), ..) if seen == before => {
                    return Err(incomplete(resource_type, "it gives the same page again").into());
                }
                (Cut::Index(_), ..) => {
                    start += received;
                    cut = Cut::Index(start);
                }
            }
        }
    }

    /// One page. A size that the target does not take is halved, and the half is remembered.
    async fn page(&self, resource_type: ResourceType, filter: Option<&str>, cut: &Cut) -> Result<Option<Page>, TargetError> {
        let usual = self.dialect().capabilities.page_size.max(1);
        let mut size = usual;
        loop {
            let mut request = Request::page(resource_type, cut, size, &self.dialect().knobs);
            if let Some(filter) = filter {
                request.query = format!("filter={}&{}", encoded(filter), request.query);
            }
            let answer = self.transport.send(&request).await?;
            if answer.is_success() {
                if size < usual {
                    self.found_out("page_size", &size.to_string(), "it refuses longer pages", Witness::Learnt);
                }
                return answer.page().map(Some);
            }
            let goes_on = matches!(cut, Cut::Cursor(cursor) if !cursor.is_empty());
            if goes_on && answer.is_about(&["invalidCursor", "expiredCursor"]) {
                return Ok(None);
            }
            let too_long = answer.is_about(&["invalidCount", "tooMany"]) && !matches!(cut, Cut::Whole);
            if !too_long || size == 1 {
                return Err(refused(resource_type, &answer));
            }
            size /= 2;
        }
    }

    /// How many there are, if the provider says so and does not contradict itself.
    pub(super) async fn counted(&self, resource_type: ResourceType) -> Result<Option<u64>, TargetError> {
        let knobs = &self.dialect().knobs;
        let cut = match knobs.pagination {
            Pagination::Auto | Pagination::Index => Cut::Index(1),
            Pagination::Cursor => Cut::Cursor(String::new()),
            Pagination::None => Cut::Whole,
        };
        let answer = self.transport.send(&Request::page(resource_type, &cut, 1, knobs)).await?;
        if !answer.is_success() {
            return Err(refused(resource_type, &answer));
        }
        let page = answer.page()?;
        let received = page.resources.len() as u64;
        let total = match cut {
            Cut::Whole => page.total.or(Some(received)),
            // By cursor the total may be left out, and where no next one is given, that was all (RFC 9865 §2).
            Cut::Cursor(_) if received == 0 && page.next.is_none() => page.total.or(Some(0)),
            Cut::Cursor(_) | Cut::Index(_) => page.total,
        };
        // Some providers count the page where the list is meant; where more follows, that shows.
        Ok(total.filter(|total| (*total == 0) == (received == 0) && *total >= received + u64::from(page.next.is_some())))
    }
}

/// A list on its way.
struct Walk {
    resource_type: ResourceType,
    all: Vec<Found>,
    seen: BTreeSet<String>,
    cursors: BTreeSet<String>,
    idle: usize,
}

impl Walk {
    fn take(&mut self, page: &Page) -> Result<(), TargetError> {
        for resource in &page.resources {
            let resource = found(self.resource_type, resource, MembersIn::Nowhere)
                .ok_or_else(|| incomplete(self.resource_type, "one has no id"))?;
            if self.seen.insert(resource.resource_id.as_str().to_owned()) {
                self.all.push(resource);
            }
        }
        Ok(())
    }

    /// A cursor that was there before leads in a ring; one that never brings anything, nowhere.
    fn step(&mut self, is_new: bool, next: &str) -> Result<(), TargetError> {
        self.idle = if is_new { 0 } else { self.idle + 1 };
        if !self.cursors.insert(next.to_owned()) || self.idle > EMPTY_PAGES {
            return Err(incomplete(self.resource_type, "its cursors lead nowhere"));
        }
        Ok(())
    }

    /// A list without a single name in it was made up: some providers answer so to what they do not list.
    fn done(self) -> Result<Option<Vec<Found>>, NoList> {
        let name = self.resource_type.name_path();
        if !self.all.is_empty() && self.all.iter().all(|found| !found.attributes.contains_key(&name)) {
            return Err(incomplete(self.resource_type, &format!("nothing in it has a {name}")).into());
        }
        Ok(Some(self.all))
    }
}

fn refused(resource_type: ResourceType, answer: &Answer) -> TargetError {
    let place = collection(resource_type);
    match answer.status {
        404 | 410 => TargetError::Protocol(format!("there is no {place} below the base URL (status {})", answer.status)),
        500..=599 => TargetError::Unavailable(format!("{place} cannot be listed: status {}: {}", answer.status, answer.detail())),
        status => TargetError::Protocol(format!("{place} cannot be listed: status {status}: {}", answer.detail())),
    }
}

pub(super) fn incomplete(resource_type: ResourceType, why: &str) -> TargetError {
    TargetError::Protocol(format!("the list of {} is not to be trusted: {why}", collection(resource_type)))
}
