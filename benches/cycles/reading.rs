//! How fast a directory is read in which nothing changed: everything, beside a plain loop that reads the same; and what
//! changed, beside the directory's size.

use std::path::Path;
use std::time::Duration;

use super::bare;
use super::company::{self, Company};
use super::measure::Measured;
use super::program::{Channel, Configured, Program};
use super::server::Slapd;
use super::sink::{Manners, Sink};
use super::table::{Row, print_table};

/// A cycle over everything takes at most so many times as long as the plain reader.
const BESIDE_BARE: f64 = 1.2;

/// A cycle over what changed, when nothing did, from the process's start to its end.
const NOTHING_NEW: Duration = Duration::from_millis(50);

/// Where one question to the directory takes longer than this, from the process's start to its end, or the plain reader
/// takes so many times as long as another time, the machine is busy and nothing is shown.
const QUICK: Duration = Duration::from_millis(25);
const STEADY: f64 = 1.25;

/// Each is measured so often, in turn; the quickest counts, as whatever disturbs makes it slower.
const ROUNDS: usize = 5;

/// A directory to read.
pub struct Sizes {
    pub users: usize,
    pub groups: usize,
    /// Members of one more group.
    pub largest: usize,
}

/// Loads the directory into a sink once, then reads it again and again.
pub fn large(path: &Path, directory: &Path, sizes: &Sizes, faults: &mut Vec<String>) {
    let directory = directory.join("large");
    std::fs::create_dir(&directory).unwrap();
    let company = Company::new(sizes.users, sizes.groups).with_group_of(sizes.largest);
    println!("\nto be read: {} users, {} groups, one more of {} members", sizes.users, sizes.groups, sizes.largest);
    let ldif = directory.join("company.ldif");
    std::fs::write(&ldif, company.ldif()).unwrap();
    let slapd = Slapd::start(&directory.join("slapd"), company::SUFFIX, &ldif);
    let sink = Sink::start(Manners::default());
    let program = Program::new(path, &directory, &slapd);
    let channel = program.channel("all", &sink, &Channel::default());
    let initial = channel.sync("the load of what is read", faults);
    faults.extend(sink.differences(&company).into_iter().take(5).map(|difference| format!("to be read: {difference}")));
    sink.forget_traffic();

    let entries = sizes.users + sizes.groups + 1;
    let (mut ours, mut bare, mut search) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        bare.push(bare::measure_child(&slapd, entries, &directory.join("bare")));
        ours.push(channel.sync_full("everything read", faults));
        search.push(slapd.search());
    }
    if sink.traffic().requests() > 0 {
        faults.push(format!("everything read: {} requests, allowed are none", sink.traffic().requests()));
    }
    let slowest = bare.iter().map(|measured| measured.wall).max().unwrap_or_default();
    let (ours, bare, search) = (quickest(ours), quickest(bare), quickest(search));
    let beside = |yardstick: &Measured| ours.wall.as_secs_f64() / yardstick.wall.as_secs_f64();
    let ratio = beside(&bare);
    print_table(&[
        Row::new("initial load", &initial, None),
        Row::new("everything read, nothing changed", &ours, None).beside("plain reader", Some(ratio)),
        Row::new("", &ours, None).beside("ldapsearch", Some(beside(&search))),
        Row::new("plain reader, same entries", &bare, None),
        Row::new("ldapsearch, same entries", &search, None),
    ]);
    let is_steady = slowest.as_secs_f64() <= STEADY * bare.wall.as_secs_f64();
    if !is_steady {
        println!("everything read: NOT JUDGED, as the machine is busy");
    }
    if ratio > BESIDE_BARE && is_steady {
        faults.push(format!("everything read: {ratio:.2} times as long as the plain reader, wanted are {BESIDE_BARE} at most"));
    }
    nothing_new(&channel, &slapd, sizes.users, faults);
}

/// Cycles over what changed, when nothing did.
pub fn nothing_new(channel: &Configured<'_>, slapd: &Slapd, users: usize, faults: &mut Vec<String>) {
    let name = format!("what changed, of {users} users");
    let (mut ours, mut question) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        ours.push(channel.sync(&name, faults));
        question.push(slapd.ask());
    }
    let (ours, question) = (quickest(ours), quickest(question));
    #[allow(clippy::cast_precision_loss)]
    let memory = ours.peak_kb as f64 / 1024.0;
    let milliseconds = |measured: &Measured| measured.wall.as_secs_f64() * 1000.0;
    println!(
        "{name}, nothing: {:.1} ms, {memory:.1} MB; one question by ldapsearch: {:.1} ms",
        milliseconds(&ours),
        milliseconds(&question)
    );
    let is_busy = question.wall > QUICK;
    if is_busy {
        println!("{name}: NOT JUDGED, as the machine is busy");
    }
    if ours.wall > NOTHING_NEW && !is_busy {
        faults.push(format!("{name}: {:.1} ms, wanted are {} at most", milliseconds(&ours), NOTHING_NEW.as_millis()));
    }
}

fn quickest(all: Vec<Measured>) -> Measured {
    all.into_iter().min_by_key(|measured| measured.wall).unwrap()
}
