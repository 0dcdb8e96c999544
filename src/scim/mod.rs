//! The service provider: a change becomes an HTTP request, an answer becomes an outcome.
//! What one provider says differently from the next is data, in `dialect`.

mod settings;

mod rates;

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

mod bisect;

mod removal_form;

mod member_patch;

mod member_reading;

mod bulk;

mod bulk_body;

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
    Booleans, ContentType, Dialect, DialectRow, Discovery, FilterUse, KNOBS, Knob, KnobError, Knobs, ManagerForm, MemberRemove,
    OpCase, Pagination, PatchForm, PutMode, SaidBy, Unset, UpdateBy, knob, preset, preset_names,
};
pub use probe::Probe;
pub use rates::{Kind, Rates, Window};
pub use settings::{Auth, Retry, Settings};
pub use target::Provider;
