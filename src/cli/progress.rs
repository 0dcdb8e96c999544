//! How far a cycle is, on stderr: a bar on a terminal, a line now and then elsewhere.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::cycle::{Phase, Progress, ProgressSender};
use crate::model::ChannelName;

use super::output::complain;

/// Before the first line where there is no terminal: what takes less needs none.
const SHORT: Duration = Duration::from_secs(5);

/// Between two lines.
const NOW_AND_THEN: Duration = Duration::from_secs(15);

/// Shows the progress of one cycle until it is dropped.
pub struct Display {
    bar: Option<ProgressBar>,
    task: JoinHandle<()>,
}

impl Display {
    /// Begins; the sender is for the cycle.
    pub fn start(channel: &ChannelName) -> (Self, ProgressSender) {
        let (sender, receiver) = watch::channel(Progress::default());
        let bar = std::io::stderr().is_terminal().then(|| bar(channel));
        let task = match &bar {
            Some(bar) => tokio::spawn(draw(bar.clone(), receiver)),
            None => tokio::spawn(tell(channel.clone(), receiver)),
        };
        (Self { bar, task }, sender)
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        self.task.abort();
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn bar(channel: &ChannelName) -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    bar.set_prefix(channel.to_string());
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

async fn draw(bar: ProgressBar, mut progress: watch::Receiver<Progress>) {
    let mut phase = Phase::Idle;
    while progress.changed().await.is_ok() {
        let now = *progress.borrow_and_update();
        if now.phase != phase {
            phase = now.phase;
            let template = match phase {
                Phase::Idle | Phase::Matching => "{spinner} {prefix}: {msg}",
                Phase::Reading => "{spinner} {prefix}: {msg} {pos}",
                Phase::Applying => "{spinner} {prefix}: {msg} [{bar:30}] {pos}/{len} {eta}",
            };
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style);
            }
            bar.set_message(words(phase));
        }
        bar.set_length(now.total);
        bar.set_position(now.done);
    }
}

async fn tell(channel: ChannelName, mut progress: watch::Receiver<Progress>) {
    let mut due = tokio::time::Instant::now() + SHORT;
    while progress.changed().await.is_ok() {
        let now = *progress.borrow_and_update();
        let moment = tokio::time::Instant::now();
        if moment < due || now.phase == Phase::Idle {
            continue;
        }
        due = moment + NOW_AND_THEN;
        complain(&match now.phase {
            Phase::Idle | Phase::Matching => format!("{channel}: {}", words(now.phase)),
            Phase::Reading => format!("{channel}: {}, {} entries so far", words(now.phase), now.done),
            Phase::Applying => format!("{channel}: {}, {} of {} done", words(now.phase), now.done, now.total),
        });
    }
}

fn words(phase: Phase) -> &'static str {
    match phase {
        Phase::Idle => "waiting",
        Phase::Reading => "reading the directory",
        Phase::Matching => "asking the target",
        Phase::Applying => "sending",
    }
}
