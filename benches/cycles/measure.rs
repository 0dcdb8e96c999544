//! Runs a child process and measures its wall time, its time on processors and its peak of resident memory.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long between two looks at the child's memory. The kernel keeps the peak itself; the last look counts.
const LOOK: Duration = Duration::from_millis(5);

/// What a child needed.
pub struct Measured {
    pub wall: Duration,
    /// On processors, by itself and by the kernel for it.
    pub cpu: Duration,
    /// VmHWM in kB, of the child itself.
    pub peak_kb: u64,
    pub succeeded: bool,
}

/// Runs the command to its end, its output going to a file.
pub fn measure(command: &mut Command, output: &Path) -> Measured {
    let file = File::create(output).unwrap();
    let before = of_children();
    let begun = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(file.try_clone().unwrap())
        .stderr(file)
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let status_file = format!("/proc/{}/status", child.id());
    let ended = AtomicBool::new(false);
    std::thread::scope(|threads| {
        let looks = threads.spawn(|| {
            let mut peak = 0;
            while !ended.load(Ordering::Acquire) {
                peak = peak.max(peak_of(&status_file).unwrap_or(0));
                std::thread::sleep(LOOK);
            }
            peak
        });
        let status = child.wait().unwrap();
        let wall = begun.elapsed();
        ended.store(true, Ordering::Release);
        Measured { wall, cpu: of_children().saturating_sub(before), peak_kb: looks.join().unwrap(), succeeded: status.success() }
    })
}

/// Time on processors of all children that ended, counted in hundredths of a second on every Linux (proc(5)).
fn of_children() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The second field may hold spaces; after it, the 14th and 15th are those of children.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: u64 = fields.skip(13).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(10 * ticks)
}

fn peak_of(status_file: &str) -> Option<u64> {
    let status = std::fs::read_to_string(status_file).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}
