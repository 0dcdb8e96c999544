//! From a change in the directory to the request at the target: how long a live channel takes, over spaced modifies of a large
//! directory. Prints the shares; fails if half of them, or one in a hundred, take longer than they may.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::print_stdout, clippy::print_stderr)]
// Written for another bench too, which uses all of them.
#![allow(dead_code)]

#[path = "../cycles/company.rs"]
mod company;
#[path = "../cycles/measure.rs"]
mod measure;
#[path = "../cycles/server.rs"]
mod server;
#[path = "../cycles/sink.rs"]
mod sink;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use company::Company;
use server::Slapd;
use sink::{Manners, Sink};

const USAGE: &str = "options: --entries N (100000)  --modifies M (200)  --program PATH";

/// What half of the changes may take: the quiet time of 200 ms is in it.
const HALF: Duration = Duration::from_millis(300);
/// What all but one in a hundred may take.
const NEARLY_ALL: Duration = Duration::from_secs(1);
/// Longer than this nothing is waited for.
const PATIENCE: Duration = Duration::from_secs(1200);
/// Between the arrival of one change and the next modify: each is alone.
const SPACE: Duration = Duration::from_millis(400);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let (mut entries, mut modifies, mut program) = (100_000, 200, env!("CARGO_BIN_EXE_ldap2scim").to_owned());
    for pair in arguments.chunks(2) {
        match (pair[0].as_str(), pair.get(1), pair.get(1).and_then(|value| value.parse().ok())) {
            ("--entries", _, Some(number)) => entries = number,
            ("--modifies", _, Some(number)) => modifies = number,
            ("--program", Some(path), _) => path.clone_into(&mut program),
            _ => {
                eprintln!("{USAGE}");
                return ExitCode::from(2);
            }
        }
    }
    bench(entries.max(100), modifies.max(1), Path::new(&program))
}

/// Ends with the value.
struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn bench(entries: usize, modifies: usize, program: &Path) -> ExitCode {
    let directory = tempfile::tempdir().unwrap();
    let ldif = directory.path().join("company.ldif");
    std::fs::write(&ldif, Company::new(entries, 10).ldif()).unwrap();
    let slapd = Slapd::start(&directory.path().join("slapd"), company::SUFFIX, &ldif);
    let sink = Sink::start(Manners::default());
    let config = configure(directory.path(), &slapd, &sink);
    let log = std::fs::File::create(directory.path().join("log")).unwrap();
    let mut command = Command::new(program);
    command.arg("--config").arg(&config).arg("run").stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    let _daemon = Daemon(command.spawn().unwrap());
    let hears = || {
        let status = Command::new(program).arg("--config").arg(&config).args(["--format", "json", "status"]).output().unwrap();
        let status: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap_or_default();
        status["channels"][0]["live"]["hears"] == true
    };
    let begun = Instant::now();
    while sink.users() < entries || !hears() {
        assert!(begun.elapsed() < PATIENCE, "{}", std::fs::read_to_string(directory.path().join("log")).unwrap());
        std::thread::sleep(Duration::from_millis(500));
    }
    println!("{entries} users are loaded and changes are heard after {:.1?}", begun.elapsed());

    let mut took: Vec<Duration> = (0..modifies)
        .map(|number| {
            std::thread::sleep(SPACE);
            sink.forget_traffic();
            let dn = format!("uid={},{}", company::login(number * 7919 % entries), company::PEOPLE);
            slapd.modify(&format!("dn: {dn}\nchangetype: modify\nreplace: title\ntitle: Title {number}\n"));
            let changed = Instant::now();
            loop {
                if let Some(arrived) = sink.times().writes.first() {
                    return arrived.saturating_duration_since(changed);
                }
                assert!(changed.elapsed() < PATIENCE, "modify {number} was never carried on");
                std::thread::sleep(Duration::from_millis(1));
            }
        })
        .collect();
    took.sort_unstable();
    let share = |percent: usize| took[(took.len() * percent).div_ceil(100).clamp(1, took.len()) - 1];
    println!(
        "from the answer to the modify to the arrival of the request, {modifies} modifies, quiet 200 ms:\n\
         least {:.0?}, p50 {:.0?}, p90 {:.0?}, p99 {:.0?}, most {:.0?}",
        share(0),
        share(50),
        share(90),
        share(99),
        share(100)
    );
    let mut faults = Vec::new();
    for (percent, at_most) in [(50, HALF), (99, NEARLY_ALL)] {
        if share(percent) > at_most {
            faults.push(format!("FAULT p{percent} is {:.0?}, allowed is {at_most:?}", share(percent)));
        }
    }
    faults.iter().for_each(|fault| println!("{fault}"));
    if faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The configuration of one live channel. It binds as the root DN: synchronization cannot be paged, and the service account is
/// held to the limits that the other bench is about.
fn configure(directory: &Path, slapd: &Slapd, sink: &Sink) -> std::path::PathBuf {
    let private = |name: &str, text: &str| {
        let path = directory.join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        path
    };
    let (root_dn, root_password) = slapd.root();
    private("password", root_password);
    private("token", sink::TOKEN);
    let text = format!(
        "state_dir: state\nsources:\n  company:\n    urls: [\"{}\"]\n    bind: {{ dn: \"{root_dn}\", password: {{ file: password }} }}\n\
         targets:\n  sink:\n    preset: generic\n    base_url: {}\n    auth: {{ bearer: {{ file: token }} }}\n    \
         rate: {{ per_second: 10000, burst: 10000 }}\n\
         channels:\n  all:\n    source: company\n    target: sink\n    live: true\n    users: {{ base_dn: \"{}\" }}\n    \
         mapping: {{ users: {{ preset: auto, rules: {{ userName: uid }} }} }}\n",
        slapd.url,
        sink.base_url(),
        company::PEOPLE,
    );
    private("config.yaml", &text)
}
