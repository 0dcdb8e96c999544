//! The pace in virtual time: hours pass in no time.

use std::sync::Arc;

use proptest::prelude::*;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::*;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

fn window(requests: f64, seconds: f64) -> Window {
    Window { requests, period: Duration::from_secs_f64(seconds) }
}

fn rates(all: &[Window]) -> Rates {
    Rates { all: all.to_vec(), ..Rates::per_second(1.0, 1) }
}

fn pacing(rates: &Rates) -> Arc<Pacing> {
    Arc::new(Pacing::new("cie", rates, Duration::from_secs(900)))
}

/// Permits for so many requests that are asked for at once, and when each was given, since the start.
async fn times(pacing: &Arc<Pacing>, kind: Kind, requests: usize) -> Vec<Duration> {
    let start = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..requests {
        let pacing = pacing.clone();
        tasks.spawn(async move { pacing.permit(kind).await.map(|permit| permit.at - start) });
    }
    let mut times: Vec<Duration> = tasks.join_all().await.into_iter().map(Result::unwrap).collect();
    times.sort();
    times
}

/// The most that any stretch of this length holds.
fn most(times: &[Duration], period: Duration) -> usize {
    let within = |first: &Duration| times.iter().filter(|time| (*first..*first + period).contains(*time)).count();
    times.iter().map(within).max().unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn a_second_is_spaced_evenly_and_a_burst_goes_at_once() {
    for (burst, expected) in [(1, [0, 40, 80, 120, 160]), (3, [0, 0, 0, 40, 80])] {
        let times = times(&pacing(&Rates::per_second(25.0, burst)), Kind::Read, 5).await;
        assert_eq!(times, expected.map(Duration::from_millis), "burst {burst}");
    }
    let times = times(&pacing(&Rates::per_second(0.5, 1)), Kind::Read, 3).await;
    assert_eq!(times, [0, 2, 4].map(Duration::from_secs));
}

#[tokio::test(start_paused = true)]
async fn an_hour_is_used_up_at_the_pace_of_the_second_and_ends_the_cycle_then() {
    let pacing = pacing(&Rates { user_create: vec![window(1000.0, 3600.0)], ..Rates::per_second(25.0, 1) });
    let start = Instant::now();
    let given = times(&pacing, Kind::UserCreate, 1000).await;
    assert_eq!(given[999], Duration::from_millis(999 * 40), "nothing is smeared over the hour");
    for _ in 0..3 {
        let Err(TargetError::Unavailable(why)) = pacing.permit(Kind::UserCreate).await else { panic!("used up") };
        assert_eq!(why, "it allows 1000 user creates an hour, which are used up; a cycle goes on with them in 60 minutes");
    }
    assert_eq!(start.elapsed(), Duration::from_millis(999 * 40), "nobody waited for that");
    for kind in [Kind::Read, Kind::UserUpdate, Kind::GroupUpdate] {
        assert!(pacing.permit(kind).await.is_ok(), "other kinds go on");
    }
    sleep(HOUR - start.elapsed()).await;
    assert!(pacing.permit(Kind::UserCreate).await.is_ok());
    let given = times(&pacing, Kind::UserCreate, 999).await;
    assert!(given[998] <= Duration::from_millis(1000 * 40), "{given:?}");
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_is_short_enough_is_sat_out() {
    let pacing = pacing(&rates(&[window(3.0, 60.0)]));
    assert_eq!(times(&pacing, Kind::Read, 7).await, [0, 0, 0, 60, 60, 60, 120].map(Duration::from_secs));
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_window_of_its_kind_keeps_nobody_else() {
    let pacing = pacing(&Rates { group_update: vec![window(1.0, 60.0)], ..Rates::per_second(10.0, 1) });
    let groups = tokio::spawn({
        let pacing = pacing.clone();
        async move { times(&pacing, Kind::GroupUpdate, 3).await }
    });
    tokio::task::yield_now().await;
    let users = times(&pacing, Kind::UserUpdate, 5).await;
    assert!(users[4] <= Duration::from_millis(500), "{users:?}");
    let groups = groups.await.unwrap();
    assert!(groups[1] >= Duration::from_secs(60) && groups[2] >= Duration::from_secs(120), "{groups:?}");
}

#[tokio::test(start_paused = true)]
async fn permits_are_given_in_the_order_of_asking() {
    for rates in [Rates::per_second(100.0, 1), rates(&[window(1.0, 60.0)])] {
        let pacing = pacing(&rates);
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = JoinSet::new();
        for number in 0..20 {
            let (pacing, order) = (pacing.clone(), order.clone());
            let kind = Kind::ALL[number % 4];
            tasks.spawn(async move {
                let _permit = pacing.permit(kind).await.unwrap();
                order.lock().unwrap().push(number);
            });
        }
        tasks.join_all().await;
        assert_eq!(*order.lock().unwrap(), (0..20).collect::<Vec<_>>());
    }
}

#[tokio::test(start_paused = true)]
async fn who_gives_up_waiting_keeps_nobody() {
    let pacing = pacing(&Rates { read: vec![window(1.0, 60.0)], ..Rates::per_second(1.0, 1) });
    let _first = pacing.permit(Kind::Read).await.unwrap();
    for kind in [Kind::Read, Kind::UserCreate] {
        assert!(tokio::time::timeout(Duration::from_millis(10), pacing.permit(kind)).await.is_err());
    }
    assert_eq!(times(&pacing, Kind::UserCreate, 1).await, [Duration::from_millis(980)]);
}

#[tokio::test(start_paused = true)]
async fn a_pause_holds_everybody_and_a_shorter_one_does_not_end_it() {
    let pacing = pacing(&Rates::per_second(1000.0, 10));
    let permit = pacing.permit(Kind::Read).await.unwrap();
    permit.overloaded(60 * SECOND);
    permit.overloaded(SECOND);
    drop(permit);
    for at in times(&pacing, Kind::Read, 2).await {
        assert!(at >= 60 * SECOND, "{at:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_pause_too_long_to_sit_out_is_an_error_for_everybody() {
    let pacing = pacing(&Rates { user_create: vec![window(1.0, 600.0)], ..Rates::per_second(1000.0, 1) });
    let permit = pacing.permit(Kind::UserCreate).await.unwrap();
    let waiting = tokio::spawn({
        let pacing = pacing.clone();
        async move { pacing.permit(Kind::UserCreate).await.map(drop) }
    });
    sleep(SECOND).await;
    permit.overloaded(Duration::MAX);
    for _ in 0..3 {
        let Err(TargetError::Unavailable(why)) = pacing.permit(Kind::Read).await else { panic!("a day is too long") };
        assert_eq!(why, "it asks for a pause of another 1440 minutes");
    }
    let start = Instant::now();
    assert!(waiting.await.unwrap().is_err());
    assert_eq!(start.elapsed(), Duration::ZERO, "who waits for something else hears of it at once");
}

#[tokio::test(start_paused = true)]
async fn a_hint_that_nothing_is_left_pauses_for_a_minute_at_most_and_slows_nothing_down() {
    for (said, kept) in [(7, 7), (100_000, 60)] {
        let pacing = pacing(&Rates::per_second(10.0, 1));
        drop(pacing.permit(Kind::Read).await.unwrap());
        pacing.used_up(Duration::from_secs(said));
        let times = times(&pacing, Kind::Read, 3).await;
        assert!(times[0] >= Duration::from_secs(kept) && times[0] < Duration::from_secs(kept + 1), "{times:?}");
        assert!(times[2] - times[0] <= Duration::from_millis(201), "{times:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_complaint_half_of_everything_goes_and_comes_back_slowly() {
    let pacing = pacing(&Rates::per_second(10.0, 5));
    let mut flying = Vec::new();
    for _ in 0..4 {
        flying.push(pacing.permit(Kind::Read).await.unwrap());
    }
    for permit in &flying {
        permit.overloaded(SECOND);
    }
    drop(flying);
    let one = pacing.permit(Kind::Read).await.unwrap();
    let two = pacing.permit(Kind::Read).await.unwrap();
    assert_eq!(two.at - one.at, Duration::from_millis(200), "evenly, whatever the burst");
    let third = pacing.permit(Kind::Read);
    tokio::pin!(third);
    assert!(tokio::time::timeout(10 * SECOND, third.as_mut()).await.is_err(), "two of the four in flight");
    drop(one);
    drop(third.await.unwrap());
    drop(two);

    let start = Instant::now();
    let mut steps = 0;
    while pacing.lock().restraint.share < 1.0 {
        let before = pacing.lock().restraint.share;
        drop(pacing.permit(Kind::Read).await.unwrap());
        pacing.answered();
        steps += usize::from(pacing.lock().restraint.share > before);
    }
    assert_eq!(steps, 8);
    assert!(start.elapsed() > 70 * SECOND && start.elapsed() < 90 * SECOND, "{:?}", start.elapsed());
    sleep(10 * SECOND).await;
    assert_eq!(times(&pacing, Kind::Read, 5).await, [Duration::ZERO; 5], "everything is as it was configured");
}

#[tokio::test(start_paused = true)]
async fn a_window_of_a_minute_is_spaced_evenly_while_the_target_is_overloaded() {
    let pacing = pacing(&rates(&[window(60.0, 60.0)]));
    pacing.permit(Kind::Read).await.unwrap().overloaded(SECOND);
    let times = times(&pacing, Kind::Read, 3).await;
    assert_eq!(times[2] - times[1], 2 * SECOND, "{times:?}");
}

#[tokio::test(start_paused = true)]
async fn without_complaints_the_pace_is_the_configured_one() {
    let pacing = pacing(&Rates::per_second(25.0, 1));
    let start = Instant::now();
    for number in 0..1000 {
        let permit = pacing.permit(Kind::ALL[number % 4]).await.unwrap();
        assert_eq!(permit.at - start, Duration::from_millis(40 * number as u64));
        pacing.answered();
    }
}

/// A target that lets 25 a second through, takes 25 at once after a rest, and answers 429 to the rest.
#[tokio::test(start_paused = true)]
async fn a_bucket_of_25_a_second_is_used_to_the_full_and_never_complains() {
    let pacing = pacing(&Rates::per_second(25.0, 1));
    let bucket = Arc::new(Mutex::new((25.0_f64, Instant::now())));
    let end = Instant::now() + 60 * SECOND;
    let mut workers = JoinSet::new();
    for worker in 0..5 {
        let (pacing, bucket) = (pacing.clone(), bucket.clone());
        let mut chance = fastrand::Rng::with_seed(worker);
        workers.spawn(async move {
            let mut done = 0;
            loop {
                let permit = pacing.permit(Kind::UserCreate).await.unwrap();
                if Instant::now() >= end {
                    return done;
                }
                sleep(Duration::from_micros(chance.u64(0..3000))).await;
                {
                    let mut bucket = bucket.lock().unwrap();
                    let now = Instant::now();
                    let tokens = (bucket.0 + 25.0 * (now - bucket.1).as_secs_f64()).min(25.0) - 1.0;
                    assert!(tokens >= 0.0, "429");
                    *bucket = (tokens, now);
                }
                sleep(Duration::from_millis(20)).await;
                pacing.answered();
                done += 1;
                drop(permit);
            }
        });
    }
    let done: usize = workers.join_all().await.into_iter().sum();
    assert!(done >= 1470, "{done} of 1500");
}

/// Timers that fire late do not slow the pace, and no second holds more than its share all the same.
#[tokio::test(start_paused = true)]
async fn late_timers_cost_nothing() {
    let mut windows = Windows::new(&[window(25.0, 1.0)], 1);
    let (asked, mut now, mut chance) = (Instant::now(), Instant::now(), fastrand::Rng::with_seed(7));
    let mut taken = Vec::new();
    while now < asked + 60 * SECOND {
        let (until, _) = windows.room(now, 1.0);
        now = until.max(now) + Duration::from_micros(chance.u64(0..3000));
        windows.take(now, asked, 1.0);
        taken.push(now - asked);
    }
    assert!(taken.len() >= 1480, "{}", taken.len());
    assert_eq!(most(&taken, SECOND), 25);
}

#[test]
fn a_rate_that_nobody_can_keep_is_one_a_second() {
    for (rate, expected) in
        [(0.0, 1.0), (-1.0, 1.0), (f64::NAN, 1.0), (f64::INFINITY, 1.0), (25.0, 25.0), (0.5, 0.5), (1e-300, 1.0 / 31_622_400.0)]
    {
        let windows = Windows::new(&[window(rate, 1.0)], 1);
        assert!((windows.per_second(1.0).unwrap() - expected).abs() < 1e-9, "{rate}");
    }
}

#[test]
fn a_window_of_millions_is_counted_in_groups_and_never_exceeded() {
    let mut windows = Windows::new(&[window(100_000.0, 3600.0)], 1);
    let (start, mut now) = (Instant::now(), Instant::now());
    let mut taken = Vec::new();
    while now < start + 2 * HOUR {
        now = windows.room(now, 1.0).0;
        windows.take(now, now, 1.0);
        taken.push(now);
        now += Duration::from_millis(7);
    }
    let mut first = 0;
    for (last, at) in taken.iter().enumerate() {
        while taken[first] + HOUR <= *at {
            first += 1;
        }
        assert!(last + 1 - first <= 100_000);
    }
    assert!(taken.len() > 199_000, "{}", taken.len());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whoever asks when: no stretch of a window's length holds more than its share, for no kind.
    #[test]
    fn no_window_is_ever_exceeded(
        second in 1_u32..30,
        minute in 20_u32..200,
        creates in 3_u32..40,
        burst in 1_u32..4,
        gaps in prop::collection::vec((0_u64..400, 0_usize..4, 0_u64..300), 1..150),
    ) {
        let rates = Rates {
            all: vec![window(second.into(), 1.0), window(minute.into(), 60.0)],
            user_create: vec![window(creates.into(), 30.0)],
            ..Rates::per_second(1.0, burst)
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let given = runtime.block_on(async {
            let pacing = pacing(&rates);
            let start = Instant::now();
            let mut tasks = JoinSet::new();
            for (gap, kind, held) in gaps {
                sleep(Duration::from_millis(gap)).await;
                let (pacing, kind) = (pacing.clone(), Kind::ALL[kind]);
                tasks.spawn(async move {
                    let permit = pacing.permit(kind).await.unwrap();
                    sleep(Duration::from_millis(held)).await;
                    (kind, permit.at - start)
                });
            }
            tasks.join_all().await
        });
        let all: Vec<Duration> = given.iter().map(|(_, at)| *at).collect();
        let of_kind: Vec<Duration> = given.iter().filter(|(kind, _)| *kind == Kind::UserCreate).map(|(_, at)| *at).collect();
        prop_assert!(most(&all, SECOND) <= usize::try_from(second + burst - 1).unwrap());
        prop_assert!(most(&all, Duration::from_secs(60)) <= usize::try_from(minute).unwrap());
        prop_assert!(most(&of_kind, Duration::from_secs(30)) <= usize::try_from(creates).unwrap());
    }
}
