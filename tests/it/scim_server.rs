//! The target against a real third-party SCIM server.
