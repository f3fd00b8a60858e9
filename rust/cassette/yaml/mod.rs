//! The YAML of cassette files: the block subset that `PyYAML`'s dumper and ours write, read and written without `PyYAML`.
//!
//! What lies outside of it is not an error but `None`: the caller asks `PyYAML`, which reads it as it always did, or says what is wrong and
//! in which line. So the one rule of this reader is never to read anything differently; that much is enough for the files there are.
//! Generic YAML crates read `yes`, `on`, `0777`, `1:30` and `!!binary` otherwise than `PyYAML` (YAML 1.1) does.

mod binary;
mod block;
mod plain;
mod quoted;
mod read;
pub mod write;

pub use binary::Base64;
pub use read::{Event, read};
