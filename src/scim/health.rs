//! How the target has been doing lately: after several failures in a row nobody waits for the next ones.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::cycle::TargetError;

/// Failures in a row after which the target itself is taken to be at fault.
const IN_A_ROW: u32 = 5;

/// The state of a target, shared by all that speak with it.
pub(super) struct Health {
    state: Mutex<State>,
    rest: Duration,
}

#[derive(Default)]
struct State {
    unanswered: u32,
    last: Option<Instant>,
    forbidden: u32,
}

impl Health {
    /// `rest` is how long a target that fails is left alone.
    pub(super) fn new(rest: Duration) -> Self {
        Self { state: Mutex::new(State::default()), rest }
    }

    /// An error if the target just failed several requests in a row, through all their retries.
    pub(super) fn check(&self) -> Result<(), TargetError> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let resting = state.last.is_some_and(|last| last.elapsed() < self.rest);
        if state.unanswered >= IN_A_ROW && resting {
            return Err(TargetError::Unavailable(format!(
                "the last {} requests failed through all their retries",
                state.unanswered
            )));
        }
        Ok(())
    }

    /// The target answered like one that works.
    pub(super) fn answered(&self) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = State::default();
    }

    /// A request failed through all its retries.
    pub(super) fn failed(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.unanswered = state.unanswered.saturating_add(1);
        state.last = Some(Instant::now());
    }

    /// The target answered 403. True once it has done so several times with nothing else between: then it is the
    /// credentials that it refuses, and not one request.
    pub(super) fn forbidden(&self) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.unanswered = 0;
        state.forbidden = state.forbidden.saturating_add(1);
        state.forbidden >= IN_A_ROW
    }
}
