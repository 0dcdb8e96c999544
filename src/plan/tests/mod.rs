//! Tables: a directory, what is remembered, and the plan expected, as text.

mod guarding;
mod membership;
mod people;
mod sharing;
pub mod world;
