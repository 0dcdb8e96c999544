//! The directory: connection, search, decoding, one file of facts per vendor.
