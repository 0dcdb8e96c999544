//! The example configuration loads; documents name only what exists.
