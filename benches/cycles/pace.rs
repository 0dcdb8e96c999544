//! How much of what a target can take is used: one that takes its time, and one that hands out tokens.

use std::num::NonZeroU32;
use std::path::Path;
use std::time::Duration;

use super::load;
use super::program::{Channel, Program};
use super::sink::{Manners, Sink, Times};

/// A target that takes so long for an answer,
const LATENCY: Duration = Duration::from_millis(20);
/// asked by so many at a time, can answer 250 requests a second.
const WORKERS: usize = 5;
/// That much of it must be used.
const USED: f64 = 0.95;

/// Tokens a second of a target that counts, and the most that it keeps.
const TOKENS: u32 = 25;
/// That much of them must be used,
const TAKEN: f64 = 0.98;
/// over so long, without a single refusal.
const WINDOW: Duration = Duration::from_secs(60);

/// The load of all users into an empty target that takes its time, beside a plain load generator against the same.
pub fn slow(program: &Program<'_>, users: usize, directory: &Path, faults: &mut Vec<String>) {
    let sink = Sink::start(Manners { latency: LATENCY, tokens: None });
    let channel = program.channel("slow", &sink, &Channel { workers: WORKERS, groups: false, ..Channel::default() });
    let name = "a slow target";
    channel.sync(name, faults);
    let ours = sink.times().writes_per_second();
    if sink.users() != users {
        faults.push(format!("{name}: it holds {} users and should hold {users}", sink.users()));
    }
    sink.forget_traffic();
    load::measure_child(&sink.base_url(), users as u64, WORKERS, Duration::ZERO, &directory.join("slow-load"));
    let plain = sink.times().writes_per_second();
    #[allow(clippy::cast_precision_loss)]
    let possible = WORKERS as f64 / LATENCY.as_secs_f64();
    println!(
        "{name}, {} ms per answer, {WORKERS} workers, {users} users: {ours:.1} requests/s, {:.1} % of the {possible:.0} possible; \
         plain load: {plain:.1}, {:.1} %",
        LATENCY.as_millis(),
        100.0 * ours / possible,
        100.0 * plain / possible,
    );
    // Where not even the plain load comes so far, the machine is busy and nothing is shown.
    if ours / possible < USED && plain / possible < USED {
        println!("{name}: NOT JUDGED, as the machine is busy");
    }
    if ours / possible < USED && plain / possible >= USED {
        faults.push(format!(
            "{name}: {:.1} % of the requests that are possible, wanted are {:.0} %",
            100.0 * ours / possible,
            100.0 * USED
        ));
    }
}

/// A minute's load into a target that hands out tokens.
pub fn tokens(program: &Program<'_>, users: usize, faults: &mut Vec<String>) {
    // uid=user0000* are the first thousand, uid=user00010* to uid=user00015* six hundred more: 64 seconds' worth.
    let filter = format!("(|(uid=user0000*){})", (10..16).map(|tens| format!("(uid=user000{tens}*)")).collect::<String>());
    let expected = users.min(1600);
    #[allow(clippy::cast_precision_loss)]
    let window = WINDOW.min(Duration::from_secs_f64(expected as f64 / f64::from(TOKENS)));
    let sink = Sink::start(Manners { latency: Duration::ZERO, tokens: NonZeroU32::new(TOKENS) });
    let settings = Channel { per_second: TOKENS, burst: None, workers: 4, groups: false, filter: Some(filter) };
    let channel = program.channel("tokens", &sink, &settings);
    let name = "a target with tokens";
    // The yardstick runs at the same time: it does next to nothing.
    let beside = Sink::start(Manners::default());
    let pause = Duration::from_secs(1) / TOKENS;
    std::thread::scope(|threads| {
        threads.spawn(|| load::measure_child(&beside.base_url(), expected as u64, 1, pause, &program.directory.join("ticks")));
        channel.sync(name, faults);
    });
    let times = sink.times();
    #[allow(clippy::cast_precision_loss)]
    let share = |times: &Times| times.within(window) as f64 / (window.as_secs_f64() * f64::from(TOKENS));
    let (taken, plain) = (share(&times), share(&beside.times()));
    println!(
        "{name}, {TOKENS} a second and as many at most, over {:.0} s: {} requests, {:.1} % of them, {} answers of 429; \
         a plain clock: {:.1} %",
        window.as_secs_f64(),
        times.within(window),
        100.0 * taken,
        times.refused,
        100.0 * plain,
    );
    if sink.users() != expected {
        faults.push(format!("{name}: it holds {} users and should hold {expected}", sink.users()));
    }
    if times.refused > 0 {
        faults.push(format!("{name}: {} answers of 429, allowed are none", times.refused));
    }
    // Where not even a plain clock comes so far, the machine is busy and nothing is shown.
    if taken < TAKEN && plain < TAKEN {
        println!("{name}: NOT JUDGED, as the machine is busy");
    }
    if taken < TAKEN && plain >= TAKEN {
        faults.push(format!("{name}: {:.1} % of the tokens were used, wanted are {:.0} %", 100.0 * taken, 100.0 * TAKEN));
    }
}
