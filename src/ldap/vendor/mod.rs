//! What differs from vendor to vendor: one file of facts each.

mod facts;
mod listing;
mod marks;

mod active_directory;
mod ds389;
mod generic;
mod openldap;
mod ping_directory;

pub use facts::{Facts, facts, recognise};
pub use listing::{MEMBER_URL, Urls};
