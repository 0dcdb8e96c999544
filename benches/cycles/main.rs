//! Cycles side by side with their yardsticks: the initial load, one with nothing changed, one with 1 % changed,
//! beside `ldapsearch` reading the same attributes and beside a plain load generator against the same sink; a full target
//! adopted; a large directory read in full, beside a plain loop that reads it, and what changed in it; a slow target and one that hands out tokens, beside what they can take.
//! Fails if reading takes longer than wanted, if more requests were sent than allowed, if the sink does not hold what it should, or if what a target can take
//! is not used.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod bare;
mod company;
mod load;
mod measure;
mod pace;
mod program;
mod reading;
mod server;
mod sink;
mod table;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use company::{Changes, Company};
use measure::Measured;
use program::{Channel, Program};
use server::Slapd;
use sink::{Manners, Sink, Traffic};
use table::{Row, print_table};

/// What was asked for on the command line.
struct Options {
    users: usize,
    groups: usize,
    workers: usize,
    latency: Duration,
    program: PathBuf,
    large: reading::Sizes,
    reading_only: bool,
}

const USAGE: &str = "options: --users N (10000)  --groups M (500)  --workers W (16)  --latency-ms T (0)  --program PATH
to be read: --large-users N (100000)  --large-groups M (5000)  --largest-group K (50000)  --reading-only yes";

fn options(arguments: &[String]) -> Result<Options, String> {
    let mut options = Options {
        users: 10_000,
        groups: 500,
        workers: 16,
        latency: Duration::ZERO,
        program: PathBuf::from(env!("CARGO_BIN_EXE_ldap2scim")),
        large: reading::Sizes { users: 100_000, groups: 5_000, largest: 50_000 },
        reading_only: false,
    };
    let mut rest = arguments.iter();
    while let Some(name) = rest.next() {
        if name == "--bench" {
            continue;
        }
        let value = rest.next().ok_or_else(|| format!("{name} needs a value"))?;
        let number = || value.parse::<usize>().map_err(|_| format!("{name} {value}: not a number"));
        match name.as_str() {
            "--users" => options.users = number()?,
            "--groups" => options.groups = number()?,
            "--workers" => options.workers = number()?,
            "--latency-ms" => options.latency = Duration::from_millis(number()? as u64),
            "--large-users" => options.large.users = number()?,
            "--large-groups" => options.large.groups = number()?,
            "--largest-group" => options.large.largest = number()?,
            "--reading-only" => options.reading_only = value == "yes",
            "--program" => options.program = PathBuf::from(value),
            other => return Err(format!("{other}: no such option")),
        }
    }
    if options.users.min(options.large.users) < 100 || options.large.groups < 10 || options.groups < 10 || options.workers == 0 {
        return Err("at least 100 users, 10 groups and one worker".to_owned());
    }
    Ok(options)
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == load::AS_LOAD_GENERATOR) {
        load::run(&arguments[1..]);
        return ExitCode::SUCCESS;
    }
    if arguments.first().is_some_and(|first| first == load::AS_LISTER) {
        load::list(&arguments[1..]);
        return ExitCode::SUCCESS;
    }
    if arguments.first().is_some_and(|first| first == bare::AS_READER) {
        bare::run(&arguments[1..]);
        return ExitCode::SUCCESS;
    }
    match options(&arguments) {
        Ok(options) => bench(&options),
        Err(problem) => {
            eprintln!("{problem}\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn bench(options: &Options) -> ExitCode {
    let directory = tempfile::tempdir().unwrap();
    if options.reading_only {
        let mut faults = Vec::new();
        reading::large(&options.program, directory.path(), &options.large, &mut faults);
        return told(&faults);
    }
    let mut company = Company::new(options.users, options.groups);
    println!("{} users, {} groups, {} memberships after flattening", options.users, options.groups, company.memberships());
    let ldif = directory.path().join("company.ldif");
    std::fs::write(&ldif, company.ldif()).unwrap();
    let slapd = Slapd::start(&directory.path().join("slapd"), company::SUFFIX, &ldif);
    let sink = Sink::start(Manners { latency: options.latency, tokens: None });
    let program = Program::new(&options.program, directory.path(), &slapd);
    let channel = program.channel("all", &sink, &Channel { workers: options.workers, ..Channel::default() });

    let (mut faults, mut noticed) = (Vec::new(), Vec::new());
    let mut cycle = |name: &str, at_most: u64, company: &Company| {
        sink.forget_traffic();
        let measured = channel.sync(name, &mut faults);
        let traffic = sink.traffic();
        if traffic.requests() > at_most {
            faults.push(format!("{name}: {} requests, allowed are {at_most}", traffic.requests()));
        }
        faults.extend(sink.differences(company).into_iter().map(|difference| format!("{name}: {difference}")));
        (measured, traffic)
    };

    let initial_at_most = (options.users + options.groups + company.member_chunks() + company::LATE_REFERENCES + 5) as u64;
    let initial = cycle("initial load", initial_at_most, &company);
    let unchanged = cycle("nothing changed", 0, &company);
    reading::nothing_new(&channel, &slapd, options.users, &mut noticed);
    let changes = company.change_one_percent();
    slapd.modify(&changes.ldif);
    let changed = cycle("1 % changed", changes.requests_at_most, &company);

    if changed.1.of("PATCH /Users") != changes.users {
        faults.push(format!(
            "1 % changed: {} users were changed, {} requests say so",
            changes.users,
            changed.1.of("PATCH /Users")
        ));
    }

    let (adopted, listed) = adopt(&program, &sink, &changes, options.users, &mut faults);

    let search = slapd.search();
    sink.forget_traffic();
    let requests = initial.1.requests().max(1);
    let plain = load::measure_child(&sink.base_url(), requests, options.workers, Duration::ZERO, &directory.path().join("load"));
    let plain = (plain, sink.traffic());

    let mut rows = rows(&initial, &unchanged, &changed, &search, &plain);
    rows.push(
        Row::new("a full target adopted", &adopted.0, Some(&adopted.1))
            .beside("listing it", Some(adopted.0.wall.as_secs_f64() / listed.wall.as_secs_f64())),
    );
    rows.push(Row::new("listing it, page by page", &listed, None));
    print_table(&rows);
    println!(
        "\nallowed requests: {initial_at_most} initially, 0 with nothing changed, {} with 1 % changed",
        changes.requests_at_most
    );
    for (name, (_, traffic)) in [("initial load", &initial), ("1 % changed", &changed), ("a full target adopted", &adopted)] {
        println!("{name}: {traffic}");
    }
    faults.extend(noticed);
    reading::large(&options.program, directory.path(), &options.large, &mut faults);
    pace::slow(&program, options.users, directory.path(), &mut faults);
    pace::tokens(&program, options.users, &mut faults);
    told(&faults)
}

fn told(faults: &[String]) -> ExitCode {
    for fault in faults {
        println!("FAULT {fault}");
    }
    if faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

type Run = (Measured, Traffic);

fn rows(initial: &Run, unchanged: &Run, changed: &Run, search: &Measured, plain: &Run) -> Vec<Row> {
    let beside = |run: &Run, yardstick: &Measured| Some(run.0.wall.as_secs_f64() / yardstick.wall.as_secs_f64());
    vec![
        Row::new("initial load", &initial.0, Some(&initial.1)).beside("ldapsearch", beside(initial, search)),
        Row::new("", &initial.0, Some(&initial.1)).beside("plain load", beside(initial, &plain.0)),
        Row::new("nothing changed", &unchanged.0, Some(&unchanged.1)).beside("ldapsearch", beside(unchanged, search)),
        Row::new("1 % changed", &changed.0, Some(&changed.1)).beside("ldapsearch", beside(changed, search)),
        Row::new("ldapsearch, same attributes", search, None),
        Row::new("plain load, as many requests", &plain.0, Some(&plain.1)),
    ]
}

/// Takes over the users of the sink with an empty memory. The sink forgets what it is told of attributes, so what was
/// changed since they were created still differs there, and so does the reference that came late.
fn adopt(program: &Program<'_>, sink: &Sink, changes: &Changes, users: usize, faults: &mut Vec<String>) -> (Run, Measured) {
    let name = "a full target adopted";
    sink.forget_traffic();
    let channel = program.channel("adopting", sink, &Channel { groups: false, ..Channel::default() });
    let run = (channel.sync(name, faults), sink.traffic());
    let pages = users.div_ceil(100) as u64;
    let differences = changes.users + company::LATE_REFERENCES as u64;
    // One more question: how many there are, from which it is seen that a list is cheaper than look-ups. What it announces
    // is asked for besides.
    let all = run.1.requests();
    for (what, sent, at_most) in [
        ("GET /Users", run.1.of("GET /Users"), pages + 1),
        ("PATCH /Users", run.1.of("PATCH /Users"), differences),
        ("requests", all, pages + differences + 5),
    ] {
        if sent > at_most {
            faults.push(format!("{name}: {sent} {what}, allowed are {at_most}"));
        }
    }
    if run.1.of("POST /Users") > 0 || sink.users() != users {
        faults.push(format!("{name}: {} users were created", run.1.of("POST /Users")));
    }
    println!(
        "a full target of {users} users: {} questions for {pages} pages and how many there are, {} differences",
        run.1.of("GET /Users"),
        run.1.of("PATCH /Users")
    );
    (run, load::measure_list(&sink.base_url(), &program.directory.join("listing")))
}
