//! The program that stays: a worker per channel, signals, and what systemd is told.

mod ear;
mod notify;
mod outcome;
mod supervise;
mod worker;

pub use outcome::{deeds, log, next_step};
pub use supervise::{DaemonError, run};
