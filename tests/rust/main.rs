//! The core's tests: one binary, one module for each module of the core.

mod compact;
mod diff;
mod fuzz;
mod json;
mod json_media;
mod media;
mod multipart;
mod secrets;
mod volatile;
mod yaml;
