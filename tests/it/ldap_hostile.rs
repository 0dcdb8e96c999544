//! The source against servers that break the protocol, lie, stall or hang up.
