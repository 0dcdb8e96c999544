//! The source against a real OpenLDAP server.
