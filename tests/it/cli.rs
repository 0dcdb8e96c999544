//! The real program: exit codes, output, signals.
