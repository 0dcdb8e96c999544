//! When the next request may go: a token bucket for the whole target, and a gate that an overloaded target closes.
//! Time is tokio's, so that a paused clock paces too.

use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use tokio::time::{Instant, sleep, sleep_until};

use super::Rates;
use crate::cycle::TargetError;

/// A pause that is asked for is believed up to here, so that a nonsensical one ends some day.
const LONGEST_BELIEVED: Duration = Duration::from_secs(24 * 60 * 60);

/// The pace of one target, shared by all that speak with it.
pub(super) struct Pacing {
    bucket: RateLimiter<NotKeyed, InMemoryState, TokioClock, NoOpMiddleware<Duration>>,
    clock: TokioClock,
    closed_until: Mutex<Option<Instant>>,
    longest_pause: Duration,
}

#[derive(Debug, Clone)]
struct TokioClock {
    start: Instant,
}

impl Clock for TokioClock {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.start.elapsed()
    }
}

impl Pacing {
    /// A rate that cannot be kept (zero, negative, not a number) is taken as one a second.
    pub(super) fn new(rates: &Rates, longest_pause: Duration) -> Self {
        let clock = TokioClock { start: Instant::now() };
        let burst = NonZeroU32::new(rates.burst).unwrap_or(NonZeroU32::MIN);
        let per_second =
            rates.all.iter().map(|window| window.requests / window.period.as_secs_f64()).fold(f64::INFINITY, f64::min);
        let quota = Quota::with_period(interval(per_second)).unwrap_or(Quota::per_second(NonZeroU32::MIN)).allow_burst(burst);
        Self {
            bucket: RateLimiter::direct_with_clock(quota, clock.clone()),
            clock,
            closed_until: Mutex::new(None),
            longest_pause,
        }
    }

    /// Returns when a request may go. An error, and no wait, if the target asked for a longer pause than we sit out.
    pub(super) async fn permit(&self) -> Result<(), TargetError> {
        loop {
            if let Some(until) = self.closed()? {
                sleep_until(until).await;
                continue;
            }
            match self.bucket.check() {
                Ok(()) if self.closed()?.is_none() => return Ok(()),
                Ok(()) => {}
                Err(early) => sleep(early.wait_time_from(self.clock.now())).await,
            }
        }
    }

    /// Nobody sends for this long. A longer pause that runs already stays.
    pub(super) fn pause(&self, wait: Duration) {
        let until = Instant::now() + wait.min(LONGEST_BELIEVED);
        let mut closed = self.closed_until.lock().unwrap_or_else(PoisonError::into_inner);
        if closed.is_none_or(|already| already < until) {
            *closed = Some(until);
        }
    }

    fn closed(&self) -> Result<Option<Instant>, TargetError> {
        let until = *self.closed_until.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(until) = until.filter(|until| *until > Instant::now()) else { return Ok(None) };
        let left = until - Instant::now();
        if left > self.longest_pause {
            return Err(TargetError::Unavailable(format!("it asks for a pause of another {} s", left.as_secs() + 1)));
        }
        Ok(Some(until))
    }
}

/// The time between two requests in the long run.
fn interval(per_second: f64) -> Duration {
    let interval = Duration::try_from_secs_f64(1.0 / per_second).ok().filter(|interval| !interval.is_zero());
    interval.unwrap_or(Duration::from_secs(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pacing(per_second: f64, burst: u32) -> Pacing {
        Pacing::new(&Rates::per_second(per_second, burst), Duration::from_secs(1))
    }

    #[tokio::test]
    async fn twenty_requests_at_two_hundred_a_second_take_ninety_five_milliseconds() {
        for (burst, expected) in [(1, 95), (5, 75)] {
            let pacing = pacing(200.0, burst);
            let start = Instant::now();
            for _ in 0..20 {
                pacing.permit().await.unwrap();
            }
            assert!(start.elapsed() >= Duration::from_millis(expected), "burst {burst}: {:?}", start.elapsed());
        }
    }

    #[tokio::test]
    async fn a_pause_holds_everybody_and_a_shorter_one_does_not_end_it() {
        let pacing = pacing(1000.0, 10);
        let start = Instant::now();
        pacing.pause(Duration::from_millis(60));
        pacing.pause(Duration::from_millis(1));
        let (one, two) = tokio::join!(pacing.permit(), pacing.permit());
        assert!(one.is_ok() && two.is_ok());
        assert!(start.elapsed() >= Duration::from_millis(60));
    }

    #[tokio::test]
    async fn a_pause_too_long_to_sit_out_is_an_error_for_everybody() {
        let pacing = pacing(1000.0, 1);
        pacing.pause(Duration::MAX);
        for _ in 0..3 {
            assert!(matches!(pacing.permit().await, Err(TargetError::Unavailable(_))));
        }
    }

    #[test]
    fn a_rate_that_nobody_can_keep_is_one_a_second() {
        for (rate, expected) in [(0.0, 1000), (-1.0, 1000), (f64::NAN, 1000), (f64::INFINITY, 1000), (25.0, 40), (0.5, 2000)] {
            assert_eq!(interval(rate), Duration::from_millis(expected), "{rate}");
        }
    }
}
