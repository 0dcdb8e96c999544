//! What survives a restart. The only room with SQL.
