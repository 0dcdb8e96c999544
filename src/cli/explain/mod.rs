//! `explain WHO`: one entry's way, step by step: found, in scope because, mapped to, linked to, would change.

mod document;
mod find;
mod show;

pub use find::run;
