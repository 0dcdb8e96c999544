//! A SCIM provider in the test process that keeps state and can be told to misbehave.
