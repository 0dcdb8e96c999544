//! The file as written, checked, and the settings we run with.
