//! How far we hold back from a target that says that it has too much to do: down at once, up again slowly.

use std::time::Duration;

use tokio::time::Instant;

/// One bad moment is answered to by every request that is under way, and counts once.
const ONE_MOMENT: Duration = Duration::from_secs(1);

/// Time without another complaint, from one step up to the next.
const STEP: Duration = Duration::from_secs(10);

/// A step up, as a part of the configured rate: from half of it, eight steps lead back.
const REGAINED: f64 = 1.0 / 16.0;

/// The rate is not cut further than to this part: what is slower still, the target's own pauses must say.
const LEAST: f64 = 1.0 / 64.0;

/// What is in force.
pub(super) struct Restraint {
    /// Part of the configured rate, up to 1.
    pub(super) share: f64,
    /// Requests in flight at most, if that is limited.
    pub(super) width: Option<usize>,
    full_width: usize,
    cut: Option<Instant>,
    changed: Option<Instant>,
}

impl Restraint {
    pub(super) fn none() -> Self {
        Self { share: 1.0, width: None, full_width: 0, cut: None, changed: None }
    }

    /// The target had too much to do when it was sent a request at `sent`, as one of `in_flight`. True if that is news.
    pub(super) fn tighten(&mut self, sent: Instant, now: Instant, in_flight: usize) -> bool {
        if self.cut.is_some_and(|cut| sent <= cut || now.duration_since(cut) < ONE_MOMENT) {
            return false;
        }
        let width = self.width.unwrap_or_else(|| {
            self.full_width = in_flight;
            in_flight
        });
        self.share = (self.share / 2.0).max(LEAST);
        self.width = Some((width / 2).max(1));
        self.cut = Some(now);
        self.changed = Some(now);
        true
    }

    /// It answered as it should. True if that gives something back.
    pub(super) fn loosen(&mut self, now: Instant) -> bool {
        let Some(changed) = self.changed.filter(|changed| now.saturating_duration_since(*changed) >= STEP) else { return false };
        self.changed = Some(now.max(changed));
        self.share = (self.share + REGAINED).min(1.0);
        self.width = self.width.map(|width| width + 1).filter(|width| *width < self.full_width);
        if self.share >= 1.0 && self.width.is_none() {
            self.changed = None;
        }
        true
    }

    /// Time in which nothing is sent is no proof of anything.
    pub(super) fn paused(&mut self, until: Instant) {
        self.changed = self.changed.map(|changed| changed.max(until));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_cut_once_a_moment_and_given_back_step_by_step() {
        let mut restraint = Restraint::none();
        let start = Instant::now();
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        assert!(!restraint.loosen(at(0)), "there is nothing to give back");
        assert!(restraint.tighten(at(0), at(10), 8));
        assert_eq!((restraint.share, restraint.width), (0.5, Some(4)));
        assert!(!restraint.tighten(at(5), at(2000), 8), "it was sent before the cut");
        assert!(!restraint.tighten(at(20), at(500), 8), "the same moment");
        assert!(restraint.tighten(at(20), at(1010), 4));
        assert_eq!((restraint.share, restraint.width), (0.25, Some(2)));

        restraint.paused(at(60_000));
        assert!(!restraint.loosen(at(69_999)), "ten seconds after the pause, not before");
        let mut steps = 0;
        for second in 70..1000 {
            let before = restraint.share;
            steps += u32::from(restraint.loosen(at(second * 1000)));
            assert!(restraint.share - before <= REGAINED);
        }
        assert_eq!((steps, restraint.share, restraint.width), (12, 1.0, None));
    }

    #[test]
    fn it_never_comes_to_nothing() {
        let mut restraint = Restraint::none();
        let start = Instant::now();
        for second in 0..100 {
            let at = start + Duration::from_secs(2 * second);
            restraint.tighten(at, at, 3);
        }
        assert_eq!((restraint.share, restraint.width), (LEAST, Some(1)));
    }
}
