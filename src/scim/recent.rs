//! What was made a moment ago: providers that answer from copies do not know it yet, so "not there" is not believed
//! until the time to settle is over.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::cycle::Lookup;
use crate::model::{Resource, ResourceId, ResourceType, Value};

/// Remembered at most; at 250 creates a second this is several minutes of them.
const MOST: usize = 100_000;

/// Creates of the last moments.
#[derive(Default)]
pub(super) struct Recent {
    created: Mutex<VecDeque<(Instant, ResourceId)>>,
    doubtful: Mutex<VecDeque<(Instant, ResourceType, Vec<String>)>>,
}

impl Recent {
    /// A resource was created.
    pub(super) fn created(&self, id: &ResourceId, settle: Duration) {
        keep(&self.created, settle, |entry| entry.0, (Instant::now(), id.clone()));
    }

    /// A resource may have been created: whoever looks for one of its values looks again before it is called absent.
    pub(super) fn doubt(&self, resource: &Resource, settle: Duration) {
        let text = |value: &Value| match value {
            Value::Text(text) => Some(text.clone()),
            Value::Flag(_) | Value::Reference(_) => None,
        };
        let values = resource.attributes.values().filter_map(text).collect();
        keep(&self.doubtful, settle, |entry| entry.0, (Instant::now(), resource.resource_type, values));
    }

    /// How long to wait until what is said of these resources can be believed; `None` if it can be now.
    pub(super) fn unsettled<'a>(&self, mut ids: impl Iterator<Item = &'a ResourceId>, settle: Duration) -> Option<Duration> {
        let created = self.created.lock().unwrap_or_else(PoisonError::into_inner);
        if created.back().is_none_or(|(at, _)| left(*at, settle).is_none()) {
            return None;
        }
        ids.find_map(|id| created.iter().rev().find(|(_, known)| known == id).and_then(|(at, _)| left(*at, settle)))
    }

    /// How long to wait until an empty answer to a look-up can be believed.
    pub(super) fn in_doubt(&self, lookup: &Lookup, settle: Duration) -> Option<Duration> {
        let doubtful = self.doubtful.lock().unwrap_or_else(PoisonError::into_inner);
        let same = |kind: ResourceType, values: &[String]| kind == lookup.resource_type && values.contains(&lookup.value);
        doubtful.iter().rev().find(|(_, kind, values)| same(*kind, values)).and_then(|(at, ..)| left(*at, settle))
    }
}

fn left(at: Instant, settle: Duration) -> Option<Duration> {
    settle.checked_sub(at.elapsed()).filter(|left| !left.is_zero())
}

fn keep<T>(list: &Mutex<VecDeque<T>>, settle: Duration, at: impl Fn(&T) -> Instant, entry: T) {
    let mut list = list.lock().unwrap_or_else(PoisonError::into_inner);
    while list.len() >= MOST || list.front().is_some_and(|first| left(at(first), settle).is_none()) {
        list.pop_front();
    }
    if !settle.is_zero() {
        list.push_back(entry);
    }
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
