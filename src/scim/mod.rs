//! The service provider: a change becomes an HTTP request, an answer becomes an outcome.
//! What one provider says differently from the next is data, in `dialect`.

mod settings;

mod auth;
mod kind;

mod proxy;

mod rates;

mod dialect;

mod target;

mod find;

mod create;

mod write;

mod say;

mod put;

mod other_words;

mod recent;

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

mod exchange;

mod client;

mod credentials;

mod oauth;

mod assertion;

mod der;

mod fact;

mod pacing;

mod windows;

mod restraint;

mod waiting;

mod health;

mod turns;

mod discovery;

mod schemas;

mod probe;

#[cfg(test)]
mod golden;

#[cfg(test)]
mod golden_forms;

pub use auth::{Auth, ClientProof, OAuth, header_fault, key_fault};
pub use dialect::{
    Booleans, ContentType, Dialect, DialectRow, Discovery, FilterUse, KNOBS, Knob, KnobError, Knobs, ManagerForm, MemberRemove,
    OpCase, Pagination, PatchForm, PutMode, SaidBy, Unset, UpdateBy, knob, preset, preset_names,
};
pub use kind::Kind;
pub use probe::Probe;

pub use proxy::{Proxy, ProxyAddress};
pub use rates::{Rates, Window};
pub use schemas::Schemas;
pub use settings::{Retry, Settings};
pub use target::Provider;
