//! The service provider: a change becomes an HTTP request, an answer becomes an outcome.
