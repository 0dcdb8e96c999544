//! The target against a provider that misbehaves.
