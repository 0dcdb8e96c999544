//! Tables: a directory, what is remembered, and the plan expected, as text.

mod aliases;
mod exchanging;
mod guarding;
mod handing_on;
mod membership;
mod people;
mod removing;
mod sharing;
mod strangers;
mod targets;
pub mod world;
