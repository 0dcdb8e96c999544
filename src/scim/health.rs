//! How the target has been doing lately: after several failures in a row nobody waits for the next ones, and it is left
//! alone for longer and longer.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::pacing::told;
use crate::cycle::TargetError;

/// Failures in a row after which the target itself is taken to be at fault.
const IN_A_ROW: u32 = 5;

/// How often in a row a look that goes well excuses such a series: values that the target stumbles over come from
/// whoever may edit an entry, and must not stop everybody else. More than these are the target's.
const EXCUSES: u32 = 10;

/// The first rest is half of the longest wait between two tries, and the last this many of them: 30 s to 15 min where
/// that wait is a minute.
const LONGEST_REST: u32 = 15;

/// The state of a target, shared by all that speak with it.
pub(super) struct Health {
    name: String,
    state: Mutex<State>,
    first_rest: Duration,
    longest_rest: Duration,
}

#[derive(Default)]
struct State {
    /// Failures in a row, or since the last excuse.
    failures: u32,
    forbidden: u32,
    excused: u32,
    /// The target rests, or is due to be tried again.
    rests_until: Option<Instant>,
    /// Rests in a row.
    rests: u32,
}

/// What may be done with the target now.
#[derive(Debug)]
pub(super) enum Standing {
    /// It is worked with.
    Fit,
    /// Somebody must look first, one at a time.
    Doubtful,
    /// Nothing is sent.
    Resting(TargetError),
}

impl Health {
    /// `longest_wait` is the longest wait between two tries of one request.
    pub(super) fn new(name: &str, longest_wait: Duration) -> Self {
        Self {
            name: name.to_owned(),
            state: Mutex::new(State::default()),
            first_rest: longest_wait / 2,
            longest_rest: longest_wait.saturating_mul(LONGEST_REST),
        }
    }

    pub(super) fn standing(&self) -> Standing {
        let state = self.lock();
        match state.rests_until {
            None if state.failures < IN_A_ROW => Standing::Fit,
            Some(until) if until > Instant::now() => Standing::Resting(resting(&state, until)),
            None | Some(_) => Standing::Doubtful,
        }
    }

    /// The target answered like one that works.
    pub(super) fn answered(&self) {
        let mut state = self.lock();
        let rested = state.rests_until.is_some();
        *state = State::default();
        drop(state);
        if rested {
            self.tell_of_recovery();
        }
    }

    /// A request failed through all its retries. One that was let through on trial sends the target back to rest.
    pub(super) fn failed(&self) {
        let mut state = self.lock();
        state.failures = state.failures.saturating_add(1);
        if state.rests_until.is_some_and(|until| until <= Instant::now()) {
            self.rest(&mut state);
        }
    }

    /// The target answered 403: what that says after those that came before it.
    pub(super) fn forbidden(&self) -> Forbidden {
        let mut state = self.lock();
        let forbidden = state.forbidden.saturating_add(1);
        *state = State { forbidden, excused: state.excused, ..State::default() };
        match forbidden {
            count if count >= IN_A_ROW * EXCUSES => Forbidden::Everything,
            count if count % IN_A_ROW == 0 => Forbidden::Doubtful,
            _ => Forbidden::This,
        }
    }

    /// A look went well: the failures before it were those of single requests, or are over. False if there were so many
    /// that a look proves nothing any more: then a request on trial must go well.
    pub(super) fn excuse(&self) -> bool {
        let mut state = self.lock();
        if state.excused >= EXCUSES {
            return false;
        }
        state.excused += 1;
        state.failures = 0;
        if state.rests_until.take().is_some() {
            drop(state);
            self.tell_of_recovery();
        }
        true
    }

    /// True if the target was left alone, and is due to be tried again.
    pub(super) fn has_rested(&self) -> bool {
        self.lock().rests_until.is_some()
    }

    /// It is the target that fails: it is left alone, each time for longer.
    pub(super) fn blame(&self) -> TargetError {
        let mut state = self.lock();
        let until = self.rest(&mut state);
        resting(&state, until)
    }

    fn rest(&self, state: &mut State) -> Instant {
        let rest = self.first_rest.saturating_mul(2_u32.saturating_pow(state.rests)).min(self.longest_rest);
        let until = Instant::now() + rest;
        state.rests = state.rests.saturating_add(1);
        state.rests_until = Some(until);
        tracing::warn!(
            target_name = %self.name, failures = state.failures, seconds = rest.as_secs(),
            "The target fails request after request: it is left alone"
        );
        until
    }

    fn tell_of_recovery(&self) {
        tracing::info!(target_name = %self.name, "The target answers again");
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn resting(state: &State, until: Instant) -> TargetError {
    let left = told(until.saturating_duration_since(Instant::now()));
    TargetError::Unavailable(format!(
        "the last {} requests failed through all their retries; it is tried again in {left}",
        state.failures
    ))
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

#[cfg(test)]
mod tests {
    use super::*;

    const WAIT: Duration = Duration::from_secs(60);

    fn left(health: &Health) -> u64 {
        let until = health.lock().rests_until.unwrap();
        until.saturating_duration_since(Instant::now()).as_secs()
    }

    #[tokio::test(start_paused = true)]
    async fn the_rests_of_a_target_that_stays_away_grow_from_half_a_minute_to_a_quarter_of_an_hour() {
        let health = Health::new("cie", WAIT);
        for _ in 0..4 {
            health.failed();
            assert!(matches!(health.standing(), Standing::Fit));
        }
        health.failed();
        assert!(matches!(health.standing(), Standing::Doubtful));
        for (nth, seconds) in [30, 60, 120, 240, 480, 900, 900].into_iter().enumerate() {
            let TargetError::Unavailable(why) = health.blame() else { panic!("unavailable") };
            assert_eq!(left(&health), seconds, "rest {nth}");
            let Standing::Resting(TargetError::Unavailable(told)) = health.standing() else { panic!("it rests") };
            assert_eq!(told, why);
            assert!(why.contains("5 requests failed") && why.contains("it is tried again in"), "{why}");
            tokio::time::advance(Duration::from_secs(seconds)).await;
            assert!(matches!(health.standing(), Standing::Doubtful), "due");
        }
        health.answered();
        assert!(matches!(health.standing(), Standing::Fit));
        for _ in 0..5 {
            health.failed();
        }
        health.blame();
        assert_eq!(left(&health), 30, "an answer ends the series");
    }

    #[tokio::test(start_paused = true)]
    async fn a_look_closes_the_circuit_ten_times_and_then_a_request_on_trial_must() {
        let health = Health::new("cie", WAIT);
        for _ in 0..EXCUSES {
            (0..IN_A_ROW).for_each(|_| health.failed());
            assert!(health.excuse());
            assert!(matches!(health.standing(), Standing::Fit));
        }
        (0..IN_A_ROW).for_each(|_| health.failed());
        assert!(!health.excuse());
        health.blame();
        tokio::time::advance(Duration::from_secs(30)).await;
        assert!(matches!(health.standing(), Standing::Doubtful) && health.has_rested());
        health.failed();
        assert_eq!(left(&health), 60, "the trial failed");
        tokio::time::advance(Duration::from_secs(60)).await;
        health.answered();
        assert!(matches!(health.standing(), Standing::Fit));
    }

    #[tokio::test(start_paused = true)]
    async fn a_target_that_only_looks_well_rests_longer_each_time() {
        let health = Health::new("cie", WAIT);
        for seconds in [30, 60, 120] {
            (0..IN_A_ROW).for_each(|_| health.failed());
            health.blame();
            assert_eq!(left(&health), seconds);
            tokio::time::advance(Duration::from_secs(seconds)).await;
            assert!(health.excuse(), "the look after the rest goes well");
        }
    }
}
