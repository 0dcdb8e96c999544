//! Windows of time that hold so many requests: how long the next one waits for room.
//!
//! No stretch of time of a window's length holds more than its share, wherever it begins. A window of at most a second
//! is spaced evenly besides, apart from its burst; a longer one may be used up as fast as the others let it.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use super::Window;

/// Windows up to here are spaced evenly.
const SPACED: Duration = Duration::from_secs(1);

/// Windows up to here are spaced evenly while the target is overloaded: one of an hour would all but stop.
const SPACED_UNDER_RESTRAINT: Duration = Duration::from_secs(60);

/// A request that waited for its turn and was woken late keeps its turn by so much, or else every late timer would slow
/// the pace. Timers here fire a millisecond or two late, more on a machine that is busy.
const LATE: Duration = Duration::from_millis(10);

/// A window with more requests than this counts them in groups of a thousandth of its length, each group as if all of it
/// had gone with its last: never too many, a trifle too few, and no list of a million times.
const COUNTED_SINGLY: usize = 4096;

/// A period is never longer, whatever small share of a request a window allows.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

/// The windows that a request falls under, filled as requests go.
pub(super) struct Windows {
    spaced: Vec<Spaced>,
    counted: Vec<Counted>,
}

/// When a request may go, and the window that makes it wait until then.
pub(super) type Room<'a> = (Instant, Option<&'a Window>);

impl Windows {
    /// A window that cannot be kept (zero, negative, not a number) is taken as one a second.
    pub(super) fn new(windows: &[Window], burst: u32) -> Self {
        let windows: Vec<Window> = windows.iter().map(kept).collect();
        let burst_of = |window: &Window| if window.period <= SPACED { burst.max(1) } else { 1 };
        Self {
            spaced: windows
                .iter()
                .filter(|window| window.period <= SPACED_UNDER_RESTRAINT)
                .map(|window| Spaced { window: *window, burst: burst_of(window), next: None })
                .collect(),
            counted: windows.iter().map(|window| Counted::new(window, burst_of(window))).collect(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.counted.is_empty()
    }

    /// When the next request may go, now or later. `share` is the part of the configured rate that is used, up to 1.
    pub(super) fn room(&mut self, now: Instant, share: f64) -> Room<'_> {
        let mut room: Room<'_> = (now, None);
        let spaced = self.spaced.iter().filter_map(|spaced| Some((spaced.next(share)?, &spaced.window)));
        let counted = self.counted.iter_mut().filter_map(|counted| Some((counted.next(now)?, &counted.window)));
        for (until, window) in spaced.chain(counted) {
            if until > room.0 {
                room = (until, Some(window));
            }
        }
        room
    }

    /// A request goes now that has been waiting since `asked`.
    pub(super) fn take(&mut self, now: Instant, asked: Instant, share: f64) {
        for spaced in &mut self.spaced {
            spaced.take(now, asked, share);
        }
        for counted in &mut self.counted {
            counted.take(now);
        }
    }

    /// Requests a second that the evenly spaced windows let through.
    pub(super) fn per_second(&self, share: f64) -> Option<f64> {
        let rates =
            self.spaced.iter().filter(|spaced| spaced.applies(share)).map(|spaced| 1.0 / spaced.interval(share).as_secs_f64());
        rates.min_by(f64::total_cmp)
    }
}

/// The window as it can be kept.
fn kept(window: &Window) -> Window {
    let possible = window.requests.is_finite() && window.requests > 0.0 && !window.period.is_zero();
    if possible {
        Window { period: window.period.min(LONGEST), ..*window }
    } else {
        Window { requests: 1.0, period: Duration::from_secs(1) }
    }
}

/// So long for so many requests.
fn stretch(period: Duration, requests: f64) -> Duration {
    Duration::try_from_secs_f64(period.as_secs_f64() * requests).unwrap_or(LONGEST).min(LONGEST)
}

/// One request after the other, at even distances (the generic cell rate algorithm of ITU-T I.371).
struct Spaced {
    window: Window,
    burst: u32,
    next: Option<Instant>,
}

impl Spaced {
    fn applies(&self, share: f64) -> bool {
        self.window.period <= SPACED || share < 1.0
    }

    fn interval(&self, share: f64) -> Duration {
        stretch(self.window.period, 1.0 / (self.window.requests * share))
    }

    fn next(&self, share: f64) -> Option<Instant> {
        let next = self.next.filter(|_| self.applies(share))?;
        // Nothing goes at once to a target that has too much to do.
        let ahead = if share < 1.0 { 0 } else { self.burst - 1 };
        Some(next.checked_sub(self.interval(share) * ahead).unwrap_or(next))
    }

    fn take(&mut self, now: Instant, asked: Instant, share: f64) {
        let due = now.checked_sub(LATE).map_or(asked, |late| late.max(asked)).min(now);
        let due = self.next.map_or(due, |next| next.max(due));
        self.next = self.applies(share).then(|| due + self.interval(share));
    }
}

/// The requests of the last stretch of time, counted exactly.
struct Counted {
    window: Window,
    most: usize,
    period: Duration,
    grain: Duration,
    gone: VecDeque<Group>,
    total: usize,
}

/// Requests that went at about the same time.
struct Group {
    first: Instant,
    last: Instant,
    requests: usize,
}

impl Counted {
    fn new(window: &Window, burst: u32) -> Self {
        // 2.5 a second are two in 0.8 s: as many in the long run, and a number that can be counted.
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "finite and at least one; too large saturates"
        )]
        let whole = window.requests.floor().max(1.0) as usize;
        #[expect(clippy::cast_precision_loss, reason = "a share of the period, which need not be exact to more digits")]
        let period = stretch(window.period, whole as f64 / window.requests);
        let most = whole.saturating_add(usize::try_from(burst - 1).unwrap_or(usize::MAX));
        let grain = if most > COUNTED_SINGLY { period / 1024 } else { Duration::ZERO };
        Self { window: *window, most, period, grain, gone: VecDeque::new(), total: 0 }
    }

    fn next(&mut self, now: Instant) -> Option<Instant> {
        while let Some(oldest) = self.gone.front().filter(|oldest| oldest.last + self.period <= now) {
            self.total -= oldest.requests;
            self.gone.pop_front();
        }
        let oldest = self.gone.front().filter(|_| self.total >= self.most)?;
        Some(oldest.last + self.period)
    }

    fn take(&mut self, now: Instant) {
        self.total += 1;
        match self.gone.back_mut() {
            Some(group) if group.first + self.grain > now => {
                group.last = now;
                group.requests += 1;
            }
            _ => self.gone.push_back(Group { first: now, last: now, requests: 1 }),
        }
    }
}
