//! Episodes in the compact form of stores: what they are made of, in front of zstd, with large payloads beside them.
//!
//! ```text
//! episode  = version, number of blobs, their digests (32 bytes each), zstd(payload)
//! payload  = head, request body, response body
//! body     = 0 | number of segments + 1, segments
//! segment  = kind, length, bytes (or the blob's number)
//! blob     = 0, bytes | 1, zstd(bytes)
//! ```
//!
//! Numbers are LEB128. The head is text that only the caller understands. Base64 is kept as the bytes it stands for, only where encoding them
//! again gives the same text, so that nothing is lost; from [`MIN_BLOB`] bytes on those, and binary bodies and parts, and text
//! from [`MIN_TEXT_BLOB`] bytes on, become blobs that are addressed by their SHA-256 and shared by all episodes.

mod decode;
mod encode;
mod pack;
mod segment;

pub use decode::{Decoded, blobs, decode};
pub use encode::{Blob, Encoded, encode};

/// The version of the form that is written. All versions up to it are read.
pub const VERSION: u8 = 1;

/// Payloads from this many bytes on are stored on their own. A blob of its own costs a store some 200 bytes.
pub const MIN_BLOB: usize = 2048;

/// The same for text.
pub const MIN_TEXT_BLOB: usize = 32 * 1024;

/// No episode is larger than this; a number beyond it is a damaged one.
const MAX_LEN: usize = 1 << 30;

const DIGEST: usize = 32;

// The kinds of segments.
const PLAIN: u8 = 0;
const BASE64: u8 = 1;
const BASE64_URL: u8 = 2;
const BLOB: u8 = 4;
