//! What a body is, and the one entry into the core for everything that is done to one.

use std::borrow::Cow;

use crate::json::{self, PathSet};
use crate::media::{self, Shrink};
use crate::multipart;
use crate::sink::{Sink, hex, sha256};
use crate::volatile::{self, Patterns};

/// Raw in a canonical text, this byte announces what is not in it itself: JSON escapes it, so no client can write it there.
pub const SENTINEL: u8 = 0x1a;

/// A payload up to this many bytes stands in the canonical form as it is; a longer one that is no text counts by its digest.
pub const INLINE: usize = 1024;

/// What a body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// No bytes at all.
    Empty,
    /// One JSON value (RFC 8259).
    Json,
    /// A JSON value on each line.
    JsonLines,
    /// Any `multipart/*` (RFC 2046).
    Multipart,
    /// `application/x-www-form-urlencoded`.
    Form,
    /// Server-sent events.
    Sse,
    /// Any other UTF-8.
    Text,
    /// Anything else.
    Binary,
}

impl Kind {
    /// The name, as it goes into a fingerprint.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Json => "json",
            Self::JsonLines => "json-lines",
            Self::Multipart => "multipart",
            Self::Form => "form",
            Self::Sse => "sse",
            Self::Text => "text",
            Self::Binary => "binary",
        }
    }
}

/// What a user leaves out of the comparison.
#[derive(Debug, Default)]
pub struct Rules {
    /// JSON paths whose members do not count (`llm_vcr_ignore`).
    pub ignore: PathSet,
    /// Patterns that are masked beside the built-in volatile tokens (`llm_vcr_mask`).
    pub patterns: Patterns,
}

/// The media type of a `Content-Type`, lower-cased and without parameters.
#[must_use]
pub fn media_type(content_type: Option<&str>) -> String {
    content_type.and_then(|text| text.split(';').next()).unwrap_or_default().trim().to_ascii_lowercase()
}

/// Puts the canonical form of `body` into `sink`, and tells what the body is.
///
/// A body that is not what its type says (JSON that does not parse, a multipart without its boundary) is compared by its raw bytes:
/// it equals nothing but itself.
pub fn canonical_into(body: &[u8], content_type: Option<&str>, rules: &Rules, sink: &mut impl Sink) -> Kind {
    if body.is_empty() {
        return Kind::Empty;
    }
    let declared = media_type(content_type);
    if let Some(content_type) = content_type.filter(|_| declared.starts_with("multipart/"))
        && let Ok(rewritten) = multipart::rewrite(body, content_type)
    {
        rewritten.canonical_into(sink, payload_into);
        return Kind::Multipart;
    }
    if may_be_json(body, &declared) {
        if json::canonicalize(body, &rules.ignore, sink).is_ok() {
            return Kind::Json;
        }
        if lines_into(body, rules, sink) {
            return Kind::JsonLines;
        }
    }
    payload_into(body, sink);
    raw_kind(body, &declared)
}

/// The canonical form of `body` as bytes, with volatile tokens masked if asked for, and what the body is.
#[must_use]
pub fn canonical(body: &[u8], content_type: Option<&str>, rules: &Rules, mask_volatile: bool) -> (Vec<u8>, Kind) {
    let mut text = Vec::with_capacity(body.len());
    let kind = canonical_into(body, content_type, rules, &mut text);
    if mask_volatile && let Cow::Owned(masked) = volatile::mask(&text, &rules.patterns) {
        text = masked;
    }
    (text, kind)
}

/// Takes base64 and binary media out of a body: see [`media::shrink`].
///
/// Returns the body itself where there is nothing to take out. Multipart bodies come back with the boundary they had.
#[must_use]
pub fn shrink<'a>(body: &'a [u8], content_type: Option<&str>, options: Shrink) -> Cow<'a, [u8]> {
    if body.len() < options.min_len {
        return Cow::Borrowed(body);
    }
    let declared = media_type(content_type);
    if let Some(content_type) = content_type.filter(|_| declared.starts_with("multipart/")) {
        return shrink_parts(body, content_type, options);
    }
    match media::shrink_binary(body, options) {
        Cow::Borrowed(_) => media::shrink(body, options),
        shrunk @ Cow::Owned(_) => shrunk,
    }
}

fn shrink_parts<'a>(body: &'a [u8], content_type: &str, options: Shrink) -> Cow<'a, [u8]> {
    let Ok(parts) = multipart::parts(body, content_type) else {
        return Cow::Borrowed(body);
    };
    let mut out = Vec::new();
    let mut copied = 0;
    for part in parts {
        if let Cow::Owned(shrunk) = media::shrink_binary(part.payload, options) {
            out.extend_from_slice(&body[copied..part.payload_offset]);
            out.extend_from_slice(&shrunk);
            copied = part.payload_offset + part.payload.len();
        }
    }
    if copied == 0 {
        return Cow::Borrowed(body);
    }
    out.extend_from_slice(&body[copied..]);
    Cow::Owned(out)
}

/// Whether it is worth asking the JSON reader: everything that says so, and everything that looks so, because aiohttp records no
/// `Content-Type` and urllib announces a form whatever it sends.
pub(crate) fn may_be_json(body: &[u8], declared: &str) -> bool {
    if declared.ends_with("json") || declared.ends_with("jsonl") || declared.ends_with("ndjson") {
        return true;
    }
    let text = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    matches!(text.iter().find(|byte| !byte.is_ascii_whitespace()), Some(b'{' | b'['))
}

/// JSON lines: each line that is JSON in its canonical form, all of them or none. One line alone would have been read as JSON.
fn lines_into(body: &[u8], rules: &Rules, sink: &mut impl Sink) -> bool {
    let mut out = Vec::with_capacity(body.len());
    let mut lines = 0;
    for line in body.split(|byte| *byte == b'\n') {
        if line.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r')) {
            continue;
        }
        if json::canonicalize(line, &rules.ignore, &mut out).is_err() {
            return false;
        }
        out.push(b'\n');
        lines += 1;
    }
    if lines > 1 {
        sink.put(&out);
    }
    lines > 1
}

/// A payload as it is, or by type, length and digest: binary above [`INLINE`], media of any spelling, and whatever could be taken
/// for such a digest.
fn payload_into(bytes: &[u8], sink: &mut impl Sink) {
    let placeholder = media::original(bytes).filter(|original| original.sha256.is_some());
    let by_digest = placeholder.is_some()
        || bytes.first() == Some(&SENTINEL)
        || (bytes.len() > INLINE && (media::sniff(bytes).is_some() || simdutf8::basic::from_utf8(bytes).is_err()));
    if !by_digest {
        sink.put(bytes);
        return;
    }
    let (kind, len, digest) = match placeholder {
        Some(media::Original { media_type, len, sha256: Some(digest) }) => (media_type, len, digest),
        _ => (
            media::sniff(bytes).map_or("application/octet-stream", media::MediaType::mime),
            bytes.len() as u64,
            sha256(bytes),
        ),
    };
    sink.put(&[SENTINEL]);
    sink.put(format!("media {kind} {len} {}", hex(&digest)).as_bytes());
}

fn raw_kind(body: &[u8], declared: &str) -> Kind {
    match declared {
        "application/x-www-form-urlencoded" => Kind::Form,
        "text/event-stream" => Kind::Sse,
        _ if simdutf8::basic::from_utf8(body).is_ok() => Kind::Text,
        _ => Kind::Binary,
    }
}
