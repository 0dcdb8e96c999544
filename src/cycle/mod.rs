//! One pass: read → prepare → apply. Names what it needs of the outside as three traits.

mod ports;

pub use ports::*;
