//! Episodes in the compact form of stores: those that are saved together in one pack, behind zstd, with large payloads beside it.
//!
//! ```text
//! pack     = version, number of blobs, their digests (32 bytes each), zstd(payload)
//! payload  = number of episodes, episodes
//! episode  = head, request body, response body
//! body     = 0 | number of segments + 1, segments
//! segment  = kind, length, bytes | kind, the blob's number | kind, number of segments, segments
//! blob     = zstd(bytes), the first 8 bytes of their SHA-256
//! ```
//!
//! Numbers are LEB128. The head is text that only the caller understands. The episodes of a cassette have most of their headers and half of
//! their prompts in common, so a pack is half the size of its episodes one by one. Base64 is kept as the bytes it stands for, only where
//! encoding them again gives the same text, so that nothing is lost; from [`MIN_BLOB`] bytes on those, and binary bodies and parts, and text
//! from [`MIN_TEXT_BLOB`] bytes on, become blobs that are addressed by their SHA-256 and shared by all cassettes.

mod decode;
mod encode;
mod segment;
mod squeeze;

pub use decode::{Body, Decoded, Opened, blobs, open};
pub use encode::{Blob, Encoded, Episode, encode};

/// The version of the form that is written, and the only one that is read: the earlier ones were never released.
pub const VERSION: u8 = 3;

/// Payloads from this many bytes on are stored on their own. A blob of its own costs a store some 200 bytes.
pub const MIN_BLOB: usize = 8192;

/// The same for text.
pub const MIN_TEXT_BLOB: usize = 32 * 1024;

/// Noise beyond this many bytes is kept in pieces. What a server allocates for one large value is rounded up by a tenth on average, and
/// jemalloc gives a megabyte for a megabyte: this, and the few bytes around it. Divisible by three, as base64 is.
pub const PIECE: usize = (1 << 20) - 64;

/// No pack is larger than this; a number beyond it is a damaged one.
const MAX_LEN: usize = 1 << 30;

const DIGEST: usize = 32;

/// So many bytes of its digest stand behind a blob.
const TAG: usize = 8;

// The kinds of segments.
const PLAIN: u8 = 0;
const BASE64: u8 = 1;
const BASE64_URL: u8 = 2;
// Where the bytes are, if they do not follow: in a blob, or in segments (a multipart that was sent, or kept, as base64).
const BLOB: u8 = 4;
const NESTED: u8 = 8;
