//! The core's tests: one binary, one module for each module of the core.

mod cassette;
mod json;
mod media;
mod multipart;
mod volatile;
