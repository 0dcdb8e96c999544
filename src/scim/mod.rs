//! The service provider: a change becomes an HTTP request, an answer becomes an outcome.
//! What one provider says differently from the next is data, in `dialect`.

mod settings;

mod dialect;

mod target;

mod request;

mod patch;

mod wire;

mod url;

mod found;

mod answer;

mod listing;

mod members;

mod transport;

mod client;

mod credentials;

mod pacing;

mod waiting;

mod health;

mod turns;

mod probe;

#[cfg(test)]
mod golden;

pub use dialect::{
    Booleans, ContentType, Dialect, DialectRow, FilterUse, Knobs, ManagerForm, MemberRemove, OpCase, Unset, preset, preset_names,
};
pub use probe::Probe;
pub use settings::{Auth, Rate, Retry, Settings};
pub use target::Provider;
