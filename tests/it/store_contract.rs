//! The checks that every store passes.
