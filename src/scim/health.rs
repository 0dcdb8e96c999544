//! How the target has been doing lately: after several failures in a row nobody waits for the next ones.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::cycle::TargetError;

/// Failures in a row after which the target itself is taken to be at fault.
const IN_A_ROW: u32 = 5;

/// How often in a row a look that goes well excuses such a series: values that the target stumbles over come from
/// whoever may edit an entry, and must not stop everybody else. More than these are the target's.
const EXCUSES: u32 = 10;

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
    excused: u32,
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

    /// The target answered 403: what that says after those that came before it.
    pub(super) fn forbidden(&self) -> Forbidden {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.unanswered = 0;
        state.forbidden = state.forbidden.saturating_add(1);
        match state.forbidden {
            count if count >= IN_A_ROW * EXCUSES => Forbidden::Everything,
            count if count % IN_A_ROW == 0 => Forbidden::Doubtful,
            _ => Forbidden::This,
        }
    }

    /// True if a look at the target may tell whether it is the target that fails, or single requests.
    pub(super) fn may_look(&self) -> bool {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).excused < EXCUSES
    }

    /// A look went well: the failures before it were those of single requests.
    pub(super) fn excuse(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.unanswered = 0;
        state.excused = state.excused.saturating_add(1);
    }

    /// A look went badly: the target is left alone, and is not looked at before it answers something.
    pub(super) fn blame(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).excused = EXCUSES;
    }
}

/// What a 403 says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Forbidden {
    /// It is this request that is refused.
    This,
    /// Several in a row: a look at something harmless tells whether it is the credentials.
    Doubtful,
    /// So many in a row that it is the credentials.
    Everything,
}
