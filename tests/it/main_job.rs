//! The main job, end to end, against slapd and a real SCIM server.
