//! The core of `llm_vcr`: what a request body *is*, whatever random bytes a client put into it.
//!
//! Nothing here knows Python but the modules below [`python`], which exist with the feature of that name only.

pub mod body;
pub mod cassette;
pub mod diff;
pub mod error;
pub mod fingerprint;
pub mod json;
pub mod media;
pub mod multipart;
pub mod secrets;
pub mod sink;
pub mod volatile;

#[cfg(feature = "python")]
mod python;
