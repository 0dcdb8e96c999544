//! An in-memory directory for whole cycles and fault injection.
