//! Cassettes as they are kept.

pub mod yaml;
