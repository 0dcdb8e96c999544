//! When the next request may go: windows of time for the target and for kinds of requests, a gate that the target
//! closes, and as many in flight as it bears. Time is tokio's, so that a paused clock paces too.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Mutex as Turn, Notify};
use tokio::time::{Instant, sleep_until};

use super::restraint::Restraint;
use super::windows::Windows;
use super::{Kind, Rates, Window};
use crate::cycle::TargetError;

/// A pause that is asked for is believed up to here, so that a nonsensical one ends some day.
const LONGEST_BELIEVED: Duration = Duration::from_secs(24 * 60 * 60);

/// An answer that says that it was the last one for now is believed up to here: it complains of nothing, and where it
/// means more, the next answer says so with an error.
const LONGEST_HINT: Duration = Duration::from_secs(60);

/// The pace of one target, shared by all that speak with it.
pub(super) struct Pacing {
    name: String,
    /// Those who wait for a window of their kind, which has windows of its own: nobody else waits for them.
    lanes: BTreeMap<Kind, Turn<()>>,
    /// Those who wait for what all share, in the order in which they asked.
    queue: Turn<()>,
    state: Mutex<State>,
    changed: Notify,
    longest_pause: Duration,
}

struct State {
    all: Windows,
    kinds: BTreeMap<Kind, Windows>,
    closed_until: Option<Instant>,
    restraint: Restraint,
    in_flight: usize,
}

/// Leave for one request to be in flight, until it is dropped.
pub(super) struct Permit<'a> {
    pacing: &'a Pacing,
    /// When it was given.
    at: Instant,
}

/// What keeps a request.
enum Wait {
    /// The time.
    Until(Instant),
    /// A request that is in flight.
    Return,
}

impl Pacing {
    /// `name` is the target's, for the log.
    pub(super) fn new(name: &str, rates: &Rates, longest_pause: Duration) -> Self {
        let kinds: BTreeMap<Kind, Windows> = Kind::ALL
            .into_iter()
            .map(|kind| (kind, Windows::new(rates.of(kind), rates.burst)))
            .filter(|(_, windows)| !windows.is_empty())
            .collect();
        Self {
            name: name.to_owned(),
            lanes: kinds.keys().map(|kind| (*kind, Turn::new(()))).collect(),
            queue: Turn::new(()),
            state: Mutex::new(State {
                all: Windows::new(&rates.all, rates.burst),
                kinds,
                closed_until: None,
                restraint: Restraint::none(),
                in_flight: 0,
            }),
            changed: Notify::new(),
            longest_pause,
        }
    }

    /// Returns when a request may go; those who ask for one kind go in the order of asking. An error, and no wait, if the
    /// target asked for a longer pause than we sit out, or if a window has no room for so long.
    pub(super) async fn permit(&self, kind: Kind) -> Result<Permit<'_>, TargetError> {
        let asked = Instant::now();
        let _lane = match self.lanes.get(&kind) {
            Some(lane) => Some(lane.lock().await),
            None => None,
        };
        self.wait(|state, now| self.kind_has_room(state, kind, now)).await?;
        // Nobody else of the kind goes as long as its lane is ours, so its room stays.
        let ready = Instant::now();
        let _turn = self.queue.lock().await;
        let at = self
            .wait(|state, now| {
                if let Some(wait) = self.all_have_room(state, now)? {
                    return Ok(Some(wait));
                }
                let share = state.restraint.share;
                // The pace begins anew after a pause: what it held back does not come all the closer.
                let ready = state.closed_until.map_or(ready, |until| until.max(ready));
                state.all.take(now, ready, share);
                if let Some(windows) = state.kinds.get_mut(&kind) {
                    windows.take(now, asked, share);
                }
                state.in_flight += 1;
                Ok(None)
            })
            .await?;
        Ok(Permit { pacing: self, at })
    }

    /// Waits until nothing keeps the request any more, and says when that was.
    async fn wait(
        &self,
        mut kept: impl FnMut(&mut State, Instant) -> Result<Option<Wait>, TargetError>,
    ) -> Result<Instant, TargetError> {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // What changes after the look at the state is noticed from here on.
            changed.as_mut().enable();
            let now = Instant::now();
            let wait = kept(&mut self.lock(), now)?;
            match wait {
                None => return Ok(now),
                Some(Wait::Return) => changed.await,
                Some(Wait::Until(until)) => tokio::select! {
                    () = sleep_until(until) => {}
                    () = changed => {}
                },
            }
        }
    }

    fn kind_has_room(&self, state: &mut State, kind: Kind, now: Instant) -> Result<Option<Wait>, TargetError> {
        self.gate(state, now)?;
        let share = state.restraint.share;
        let Some(windows) = state.kinds.get_mut(&kind) else { return Ok(None) };
        let (until, window) = windows.room(now, share);
        self.bearable(now, until, window, kind.plural())
    }

    fn all_have_room(&self, state: &mut State, now: Instant) -> Result<Option<Wait>, TargetError> {
        if let Some(until) = self.gate(state, now)? {
            return Ok(Some(Wait::Until(until)));
        }
        if state.restraint.width.is_some_and(|width| state.in_flight >= width) {
            return Ok(Some(Wait::Return));
        }
        let share = state.restraint.share;
        let (until, window) = state.all.room(now, share);
        self.bearable(now, until, window, "requests")
    }

    /// A wait that a window asks for, if it is not too long.
    fn bearable(&self, now: Instant, until: Instant, window: Option<&Window>, what: &str) -> Result<Option<Wait>, TargetError> {
        let Some(window) = window else { return Ok(None) };
        let left = until.saturating_duration_since(now);
        if left > self.longest_pause {
            return Err(TargetError::Unavailable(format!(
                "it allows {}, which are used up; a cycle goes on with them in {}",
                window.told(what),
                told(left)
            )));
        }
        Ok(Some(Wait::Until(until)))
    }

    fn gate(&self, state: &State, now: Instant) -> Result<Option<Instant>, TargetError> {
        let Some(until) = state.closed_until.filter(|until| *until > now) else { return Ok(None) };
        let left = until - now;
        if left > self.longest_pause {
            return Err(TargetError::Unavailable(format!("it asks for a pause of another {}", told(left))));
        }
        Ok(Some(until))
    }

    /// The target said that it takes no more for so long.
    pub(super) fn used_up(&self, wait: Duration) {
        self.close(wait.min(LONGEST_HINT));
    }

    /// The target answered as it should.
    pub(super) fn answered(&self) {
        let mut state = self.lock();
        if state.restraint.loosen(Instant::now()) {
            self.tell(&state, "The target keeps up: more requests go to it again");
            drop(state);
            self.changed.notify_waiters();
        }
    }

    /// Nobody sends for this long. A longer pause that runs already stays.
    fn close(&self, wait: Duration) {
        let until = Instant::now() + wait;
        let mut state = self.lock();
        if state.closed_until.is_none_or(|already| already < until) {
            state.closed_until = Some(until);
            state.restraint.paused(until);
            drop(state);
            self.changed.notify_waiters();
        }
    }

    fn tell(&self, state: &State, what: &str) {
        let Restraint { share, width, .. } = &state.restraint;
        let per_second = state.all.per_second(*share).map(|rate| (rate * 100.0).round() / 100.0);
        tracing::info!(target_name = %self.name, per_second, in_flight_at_most = width, "{what}");
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit<'_> {
    /// The target had too much to do for this request: nobody sends for `wait`, and then less.
    pub(super) fn overloaded(&self, wait: Duration) {
        self.pacing.close(wait.min(LONGEST_BELIEVED));
        let mut state = self.pacing.lock();
        let State { restraint, in_flight, closed_until, .. } = &mut *state;
        if restraint.tighten(self.at, Instant::now(), *in_flight) {
            if let Some(until) = *closed_until {
                restraint.paused(until);
            }
            self.pacing.tell(&state, "The target has too much to do: fewer requests go to it");
        }
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        let mut state = self.pacing.lock();
        state.in_flight = state.in_flight.saturating_sub(1);
        let limited = state.restraint.width.is_some();
        drop(state);
        if limited {
            self.pacing.changed.notify_waiters();
        }
    }
}

/// A length of time, for people.
pub(super) fn told(wait: Duration) -> String {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    if seconds < 120 { format!("{seconds} s") } else { format!("{} minutes", seconds.div_ceil(60)) }
}

#[cfg(test)]
mod tests;
