//! Whole cycles against an in-memory source and target and a real store.
