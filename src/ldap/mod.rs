//! The directory: connection, search, decoding, one file of facts per vendor.
//!
//! Reading order: what is configured; the octets of the wire (walk, frames, shapes) and the guard that
//! keeps bad ones from the LDAP library; a session with one server, and those that stay open; searches on it, page by
//! page; entries out of answers; a whole reading; a look at some entries, and what tells where to look; the probe of the
//! `check` command; the source itself.

mod filter;
mod settings;

mod ber;
mod frame;
mod shape;

#[cfg(feature = "gssapi")]
mod gssapi;
#[cfg(not(feature = "gssapi"))]
#[path = "no_gssapi.rs"]
mod gssapi;
mod socket;
mod starttls;
mod tls;

mod credit;
mod guard;

mod pages;
mod paging;
mod raw_entry;
mod search;

mod id;
mod moment;
mod sid;
mod vendor;

mod ending;
mod hosts;
mod proof;
mod refusal;
mod result_codes;
mod root_dse;
mod session;

mod kept;

mod causes;
mod decode;
mod foreign;
mod in_chain;
mod member_url;
mod members;
mod ranges;
mod reading;
mod walk;

mod glance;
mod look;
mod tracking;

mod probe;
mod source;

pub use filter::check_filter;
pub use probe::Probe;
pub use settings::{Bind, GSSAPI, LARGEST_ENTRY, Settings, Tracking, check_url};
pub use source::Directory;
pub use tracking::{Chosen, way};
