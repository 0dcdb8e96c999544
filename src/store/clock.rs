//! The time of day, handed in.

use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

/// Where timestamps in the store come from.
pub(super) struct Clock(Mutex<Box<dyn Fn() -> Timestamp + Send>>);

impl Clock {
    pub(super) fn new(now: impl Fn() -> Timestamp + Send + 'static) -> Self {
        Self(Mutex::new(Box::new(now)))
    }

    pub(super) fn now(&self) -> Timestamp {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)()
    }
}
