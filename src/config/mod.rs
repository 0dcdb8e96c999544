//! The file as written → everything that is wrong with it, told in one go → the settings we run with.

mod auth;
mod channel;
mod client_certificate;
mod connection;
mod dialect;
mod excerpt;
mod finding;
mod guard;
mod keys;
mod lint;
mod load;
mod mapping;
mod problem;
mod proxy;
mod rate;
mod reader;
mod removal;
mod schedule;
mod secret;
mod settings;
mod source;
mod target;
mod tree;
mod values;

#[cfg(test)]
mod tests;

pub use dialect::ELSEWHERE;
pub use keys::KEYS;
pub use load::{load, load_without_secrets};
pub use problem::{Excerpt, Problem, Problems};
pub use schedule::Schedule;
pub use settings::{Channel, Mode, Settings};
