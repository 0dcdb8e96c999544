//! What a cycle needs of the three outside systems, and how each of them fails.

mod source;
mod store;
mod target;

pub use source::*;
pub use store::*;
pub use target::*;
