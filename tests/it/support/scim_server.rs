//! Starts the third-party SCIM server on loopback, stopped by process id.
