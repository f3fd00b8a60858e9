//! Images, audio, video and documents in bodies: recognised as such, and replaced by small valid files of the same type.
//!
//! A file counts as media by its magic bytes ([`sniff`]), or by a media type declared beside it ([`MediaType::declared`]). Base64 that is
//! neither (embeddings, encrypted reasoning, signatures) is text like any other. What replaces a file carries a note of what it
//! replaced ([`original`]), so a stored request compares equal to the full one.
//!
//! Not looked for: media inside a longer text (a `data:` URL in Markdown), JSON inside a JSON string, percent-encoded `data:` URLs.

mod base64;
mod files;
mod placeholder;
mod png;
mod shrink;
mod siblings;
mod sniff;
mod strings;

pub use placeholder::{MAX_PLACEHOLDER, MIN_PLACEHOLDER, Original, original, placeholder};
pub use shrink::{Shrink, shrink, shrink_binary};
pub use sniff::{MediaType, sniff};
pub use strings::{DECLARING_KEYS, StringMedia, string_media};
