//! The command line: arguments, one file per command, and how a plan is shown to people and to programs.

mod args;
mod exit;
mod failure;
mod hint;
mod output;
mod program;

mod interrupt;
mod owner;
mod progress;
mod remembered;
mod reminders;
mod selection;
mod snapshot;

mod change;
mod json;
mod overlap;
mod text;
mod tracking;

mod check;
mod dry_run;
mod explain;
mod run;
mod status;
mod sync;

pub use program::main;
