//! Cycles side by side with their yardsticks: the initial load, one with nothing changed, one with 1 % changed,
//! beside `ldapsearch` reading the same attributes and beside a plain load generator against the same sink.
//! Fails if more requests were sent than allowed, or if the sink does not hold what it should.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod company;
mod load;
mod measure;
mod server;
mod sink;
mod table;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use company::Company;
use measure::{Measured, measure};
use server::Slapd;
use sink::{Sink, Traffic};
use table::{Row, print_table};

/// What was asked for on the command line.
struct Options {
    users: usize,
    groups: usize,
    workers: usize,
    latency: Duration,
    program: PathBuf,
}

const USAGE: &str = "options: --users N (10000)  --groups M (500)  --workers W (16)  --latency-ms T (0)  --program PATH";

fn options(arguments: &[String]) -> Result<Options, String> {
    let mut options = Options {
        users: 10_000,
        groups: 500,
        workers: 16,
        latency: Duration::ZERO,
        program: PathBuf::from(env!("CARGO_BIN_EXE_ldap2scim")),
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
            "--program" => options.program = PathBuf::from(value),
            other => return Err(format!("{other}: no such option")),
        }
    }
    if options.users < 100 || options.groups < 10 || options.workers == 0 {
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
    let mut company = Company::new(options.users, options.groups);
    println!("{} users, {} groups, {} memberships after flattening", options.users, options.groups, company.memberships());
    let ldif = directory.path().join("company.ldif");
    std::fs::write(&ldif, company.ldif()).unwrap();
    let slapd = Slapd::start(&directory.path().join("slapd"), company::SUFFIX, &ldif);
    let sink = Sink::start(options.latency);
    let config = write_config(directory.path(), &slapd, &sink, options.workers);

    let mut faults = Vec::new();
    let mut cycle = |name: &str, at_most: u64, company: &Company| {
        sink.forget_traffic();
        let output = directory.path().join("output");
        let measured = measure(Command::new(&options.program).arg("--config").arg(&config).arg("sync"), &output);
        let traffic = sink.traffic();
        if !measured.succeeded {
            let text = std::fs::read_to_string(&output).unwrap_or_default();
            let end: Vec<&str> = text.lines().rev().take(12).collect();
            faults.push(format!("{name}: the program failed: {}", end.into_iter().rev().collect::<Vec<_>>().join("\n    ")));
        }
        if traffic.requests() > at_most {
            faults.push(format!("{name}: {} requests, allowed are {at_most}", traffic.requests()));
        }
        faults.extend(sink.differences(company).into_iter().map(|difference| format!("{name}: {difference}")));
        (measured, traffic)
    };

    // Managers form a tree, so every reference can travel in a create.
    let initial_at_most = (options.users + options.groups + company.member_chunks() + 10) as u64;
    let initial = cycle("initial load", initial_at_most, &company);
    let unchanged = cycle("nothing changed", 0, &company);
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

    let search = slapd.search();
    sink.forget_traffic();
    let requests = initial.1.requests().max(1);
    let plain = load::measure_child(&sink.base_url(), requests, options.workers, &directory.path().join("load"));
    let plain = (plain, sink.traffic());

    print_table(&rows(&initial, &unchanged, &changed, &search, &plain));
    println!(
        "\nallowed requests: {initial_at_most} initially, 0 with nothing changed, {} with 1 % changed",
        changes.requests_at_most
    );
    for (name, (_, traffic)) in [("initial load", &initial), ("1 % changed", &changed)] {
        println!("{name}: {traffic}");
    }
    for fault in &faults {
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

fn write_config(directory: &Path, slapd: &Slapd, sink: &Sink, workers: usize) -> PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let secret = |name: &str, value: &str| {
        let path = directory.join(name);
        std::fs::write(&path, value).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        path
    };
    let password = secret("ldap-password", &slapd.bind_password);
    let token = secret("scim-token", sink::TOKEN);
    let state = directory.join("state");
    std::fs::create_dir(&state).unwrap();
    std::fs::set_permissions(&state, std::fs::Permissions::from_mode(0o700)).unwrap();
    let text = format!(
        "state_dir: {state}\n\
         sources:\n  company:\n    urls: [\"{url}\"]\n    bind: {{ dn: \"{dn}\", password: {{ file: {password} }} }}\n\
         targets:\n  sink:\n    preset: generic\n    base_url: {base_url}\n    auth: {{ bearer: {{ file: {token} }} }}\n    \
         rate: {{ per_second: 10000, burst: 10000 }}\n\
         channels:\n  all:\n    source: company\n    target: sink\n    schedule: \"*/5 * * * *\"\n    workers: {workers}\n    \
         users: {{ base_dn: \"{people}\" }}\n    groups: {{ base_dn: \"{groups}\" }}\n    \
         mapping: {{ users: {{ preset: auto, rules: {{ userName: uid }} }} }}\n",
        state = state.display(),
        url = slapd.url,
        dn = slapd.bind_dn,
        password = password.display(),
        base_url = sink.base_url(),
        token = token.display(),
        people = company::PEOPLE,
        groups = company::GROUPS,
    );
    let path = directory.join("config.yaml");
    std::fs::write(&path, text).unwrap();
    path
}
