//! Looking for resources: by filter, or where that does not work by the whole list compared on our side.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use super::FilterUse;
use super::answer::Answer;
use super::found::{MembersIn, found};
use super::listing::NoList;
use super::request::Request;
use super::target::Provider;
use crate::cycle::{Found, Lookup, TargetError};
use crate::model::{AttributePath, ResourceType, Witness};
use crate::plan::answers;

/// A list stands in for look-ups this long, if nothing is written meanwhile.
const LIST_LASTS: Duration = Duration::from_secs(60);

/// Resources of a list that is kept; a longer one is fetched each time.
const LIST_KEPT: usize = 20_000;

/// The list of one type that look-ups share.
#[derive(Default)]
pub(super) struct Shared {
    writes: AtomicU64,
    kept: Mutex<Option<Kept>>,
}

struct Kept {
    writes: u64,
    at: Instant,
    all: Arc<Vec<Found>>,
}

impl Shared {
    /// Something was, or may have been, written.
    pub(super) fn outdate(&self) {
        self.writes.fetch_add(1, Ordering::Relaxed);
    }
}

impl Provider {
    /// As [`crate::cycle::Target::find`]. What may have been created a moment ago is looked for once more, when the
    /// target has had time to know it.
    pub(super) async fn look_for(&self, lookup: &Lookup) -> Result<Vec<Found>, TargetError> {
        let found = self.candidates(lookup).await?;
        if !found.is_empty() {
            return Ok(found);
        }
        match self.recent.in_doubt(lookup, self.dialect().knobs.settle) {
            None => Ok(found),
            Some(wait) => {
                tokio::time::sleep(wait).await;
                self.shared(lookup.resource_type).outdate();
                self.candidates(lookup).await
            }
        }
    }

    async fn candidates(&self, lookup: &Lookup) -> Result<Vec<Found>, TargetError> {
        let dialect = self.dialect();
        let unfilterable = dialect.knobs.unfilterable(lookup.resource_type).contains(&lookup.path);
        if unfilterable || dialect.knobs.filter == FilterUse::Scan {
            return self.scan(lookup, None).await;
        }
        let request = Request::lookup(lookup, &dialect.knobs);
        if !request.is_of_usual_length() {
            return self.scan(lookup, None).await;
        }
        let answer = self.transport.send(&request).await?;
        match answer.status {
            200..=299 => {
                let page = answer.page()?;
                let read = |json| found(lookup.resource_type, json, MembersIn::Nowhere);
                let all: Option<Vec<Found>> = page.resources.iter().map(read).collect();
                let all =
                    all.ok_or_else(|| TargetError::Protocol("a look-up was answered with a resource without id".to_owned()))?;
                self.works(lookup.resource_type);
                let foreign = all.iter().any(|found| !answers(lookup, found));
                let withheld = all.is_empty() && (page.total.is_some_and(|total| total > 0) || page.next.is_some());
                if foreign {
                    self.prove_unfilterable(lookup, "ignores the filter").await?;
                }
                if foreign || withheld { self.scan(lookup, None).await } else { Ok(all) }
            }
            // Several providers say so that nothing matches; others, that there is no such address.
            404 if self.has_worked(lookup.resource_type) => Ok(Vec::new()),
            404 => self.counted(lookup.resource_type).await.map(|_| self.works(lookup.resource_type)).map(|()| Vec::new()),
            // Whatever it stumbles over may be in the value, which somebody chose: the list tells all the same.
            status => {
                if matches!(status, 400 | 403 | 405 | 422 | 501) {
                    self.prove_unfilterable(lookup, "refuses the filter").await?;
                }
                self.scan(lookup, Some(&answer)).await
            }
        }
    }

    /// Remembers that look-ups by this attribute do not work here, if one by a harmless value does not either: a single
    /// odd value must not cost everybody the filter.
    async fn prove_unfilterable(&self, lookup: &Lookup, why: &str) -> Result<(), TargetError> {
        let knob = match lookup.resource_type {
            ResourceType::User => "unfilterable_users",
            ResourceType::Group => "unfilterable_groups",
        };
        if !self.may_find_out(knob) {
            return Ok(());
        }
        let harmless = Lookup { value: format!("ldap2scim-probe-{:016x}", fastrand::u64(..)), ..lookup.clone() };
        let answer = self.transport.send(&Request::lookup(&harmless, &self.dialect().knobs)).await?;
        let works = match answer.status {
            200..=299 => answer.page().is_ok_and(|page| page.resources.is_empty()),
            status => !matches!(status, 400 | 403 | 405 | 422 | 501),
        };
        if !works {
            let dialect = self.dialect();
            let mut paths: Vec<&str> =
                dialect.knobs.unfilterable(lookup.resource_type).iter().map(AttributePath::as_str).collect();
            if !paths.contains(&lookup.path.as_str()) {
                paths.push(lookup.path.as_str());
                self.found_out(knob, &paths.join(", "), why, Witness::Learnt);
            }
        }
        Ok(())
    }

    /// The whole list, compared on our side. `refusal` is what the filter was answered with.
    async fn scan(&self, lookup: &Lookup, refusal: Option<&Answer>) -> Result<Vec<Found>, TargetError> {
        let most = self.dialect().knobs.scan_limit;
        let all = match self.shared_list(lookup.resource_type, most).await {
            Ok(all) => all,
            Err(NoList::TooMany) => return Err(too_many(lookup, most, refusal)),
            Err(NoList::Failed(TargetError::Protocol(why))) => {
                // Whoever cannot be looked for is held; everybody who need not be goes on.
                let detail = format!("it cannot be looked up by {}, and {why}", lookup.path);
                return Err(refusal.map_or(TargetError::Rejected { status: 400, detail }, Answer::rejected));
            }
            Err(NoList::Failed(error)) => return Err(error),
        };
        Ok(all.iter().filter(|found| answers(lookup, found)).cloned().collect())
    }

    /// The list that look-ups share: fetched once, and again when something was written or it is old.
    async fn shared_list(&self, resource_type: ResourceType, most: usize) -> Result<Arc<Vec<Found>>, NoList> {
        if most == 0 {
            return Err(NoList::TooMany);
        }
        let shared = self.shared(resource_type);
        let mut kept = shared.kept.lock().await;
        let writes = shared.writes.load(Ordering::Relaxed);
        if let Some(list) = kept.as_ref().filter(|list| list.writes == writes && list.at.elapsed() < LIST_LASTS) {
            return Ok(Arc::clone(&list.all));
        }
        *kept = None;
        let all = Arc::new(self.listed(resource_type, most).await?);
        self.works(resource_type);
        if all.len() <= LIST_KEPT {
            *kept = Some(Kept { writes, at: Instant::now(), all: Arc::clone(&all) });
        }
        Ok(all)
    }
}

fn too_many(lookup: &Lookup, most: usize, refusal: Option<&Answer>) -> TargetError {
    let kind = lookup.resource_type.as_str();
    let path = &lookup.path;
    let why = refusal.map_or_else(String::new, |answer| format!(" ({})", answer.detail()));
    let limit = match most {
        0 => format!("{kind}s are never listed instead (scan_limit: 0)"),
        most => format!("there are more than {most} {kind}s to list instead (scan_limit)"),
    };
    let status = refusal.map_or(400, |answer| answer.status);
    TargetError::Rejected { status, detail: format!("it cannot be looked up by {path}{why}, and {limit}") }
}
