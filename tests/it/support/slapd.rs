//! Starts a private OpenLDAP server on loopback, stopped by process id.
