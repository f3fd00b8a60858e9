//! Cassettes as they are kept.

pub mod compact;
pub mod yaml;
