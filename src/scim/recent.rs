//! What was made a moment ago: providers that answer from copies do not know it yet, so a 404 to a change of it is not
//! believed until the time to settle is over. Who looks for a create without an answer waits in `cycle`, which knows of it
//! after a restart too.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::model::ResourceId;

/// Remembered at most; at 250 creates a second this is several minutes of them.
const MOST: usize = 100_000;

/// Creates of the last moments.
#[derive(Default)]
pub(super) struct Recent {
    created: Mutex<VecDeque<(Instant, ResourceId)>>,
}

impl Recent {
    /// A resource was created.
    pub(super) fn created(&self, id: &ResourceId, settle: Duration) {
        let mut created = self.created.lock().unwrap_or_else(PoisonError::into_inner);
        while created.len() >= MOST || created.front().is_some_and(|(at, _)| left(*at, settle).is_none()) {
            created.pop_front();
        }
        if !settle.is_zero() {
            created.push_back((Instant::now(), id.clone()));
        }
    }

    /// How long to wait until what is said of these resources can be believed; `None` if it can be now.
    pub(super) fn unsettled<'a>(&self, mut ids: impl Iterator<Item = &'a ResourceId>, settle: Duration) -> Option<Duration> {
        let created = self.created.lock().unwrap_or_else(PoisonError::into_inner);
        if created.back().is_none_or(|(at, _)| left(*at, settle).is_none()) {
            return None;
        }
        ids.find_map(|id| created.iter().rev().find(|(_, known)| known == id).and_then(|(at, _)| left(*at, settle)))
    }
}

fn left(at: Instant, settle: Duration) -> Option<Duration> {
    settle.checked_sub(at.elapsed()).filter(|left| !left.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_new_is_waited_for_until_it_has_settled() {
        let (recent, long, over) = (Recent::default(), Duration::from_secs(3600), Duration::ZERO);
        let (one, other) = (ResourceId::new("1"), ResourceId::new("2"));
        recent.created(&one, long);
        assert_eq!(recent.unsettled([&other].into_iter(), long), None);
        assert!(recent.unsettled([&other, &one].into_iter(), long).is_some_and(|left| left <= long));
        assert_eq!(recent.unsettled([&one].into_iter(), over), None);
        recent.created(&other, over);
        assert!(recent.created.lock().unwrap().is_empty(), "what has settled is forgotten");
    }
}
