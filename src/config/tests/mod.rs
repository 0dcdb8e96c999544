//! Tests of the whole way from text to settings.

mod accepted;
mod credentials;
mod refused;
mod secrets;
mod surroundings;
