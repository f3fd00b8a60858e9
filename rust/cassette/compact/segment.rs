//! A body cut into what is kept as it stands and what is kept as the bytes it encodes.

use std::borrow::Cow;
use std::ops::Range;

use base64_simd::{Base64, STANDARD, URL_SAFE};
use memchr::memmem;

use super::{BASE64, BASE64_URL, MIN_BLOB, MIN_TEXT_BLOB, PLAIN};

/// Of a boundary (RFC 2046, section 5.1.1).
const MAX_BOUNDARY: usize = 70;

/// Runs of base64 below this length are left as they are. Every run twice as long has a whole window of it, so only windows are looked at.
const WINDOW: usize = 256;

/// A piece of a body.
pub(super) struct Segment<'a> {
    /// [`PLAIN`], or which base64 the bytes stood there in.
    pub(super) kind: u8,
    pub(super) bytes: Cow<'a, [u8]>,
    /// The bytes cut again, where they are a multipart: its files are then the same blobs as elsewhere.
    pub(super) inner: Vec<Segment<'static>>,
}

impl<'a> Segment<'a> {
    fn plain(bytes: &'a [u8]) -> Self {
        Self { kind: PLAIN, bytes: bytes.into(), inner: Vec::new() }
    }

    fn encoded(kind: u8, bytes: Vec<u8>) -> Self {
        let cut: Vec<Segment<'static>> = match parts(&bytes).len() {
            1 => Vec::new(),
            _ => parts(&bytes)
                .into_iter()
                .map(|part| Segment { bytes: part.to_vec().into(), ..Segment::plain(b"") })
                .collect(),
        };
        Self { kind, bytes: bytes.into(), inner: cut }
    }

    /// Whether it is kept on its own. For short text zstd does better with all of it at once; a long one may well be a page that another
    /// test fetches too.
    pub(super) fn is_payload(&self) -> bool {
        let long = self.bytes.len() >= MIN_TEXT_BLOB;
        self.inner.is_empty()
            && (long
                || self.bytes.len() >= MIN_BLOB
                    && (self.kind != PLAIN || simdutf8::basic::from_utf8(&self.bytes).is_err()))
    }
}

/// The segments of `body`, in order.
pub(super) fn segments(body: &[u8]) -> Vec<Segment<'_>> {
    let mut found = Vec::new();
    if simdutf8::basic::from_utf8(body).is_ok() {
        text(body, &mut found);
    } else {
        for part in parts(body) {
            match simdutf8::basic::from_utf8(part) {
                Ok(_) => text(part, &mut found),
                Err(_) => found.push(Segment::plain(part)),
            }
        }
    }
    found
}

/// The payloads of a multipart, and what stands between them; any other body whole. Its boundary is what its first line says: the type is not
/// at hand, and cutting a body loses nothing wherever it is cut.
fn parts(body: &[u8]) -> Vec<&[u8]> {
    let first = memmem::find(body, b"\r\n").map_or(&[][..], |end| &body[..end]);
    if !first.starts_with(b"--") || first.len() > 2 + MAX_BOUNDARY {
        return vec![body];
    }
    let delimiter = [b"\r\n", first].concat();
    let mut found = Vec::new();
    let mut at = 0;
    for end in memmem::find_iter(body, &delimiter).chain([body.len()]) {
        let whole = &body[at..end];
        let head = memmem::find(whole, b"\r\n\r\n").map_or(0, |blank| blank + 4);
        found.extend([&whole[..head], &whole[head..]].into_iter().filter(|piece| !piece.is_empty()));
        at = end;
    }
    found
}

fn text<'a>(body: &'a [u8], found: &mut Vec<Segment<'a>>) {
    let mut done = 0;
    let mut at = 0;
    while let Some(window) = body.get(at..at + WINDOW) {
        if at < done || !all_letters(window) {
            at += WINDOW;
            continue;
        }
        let run = run(body, done, at);
        at = run.end.max(at + WINDOW);
        if let Some((kind, bytes, range)) = decoded(body, run) {
            if done < range.start {
                found.push(Segment::plain(&body[done..range.start]));
            }
            done = range.end;
            found.push(Segment::encoded(kind, bytes));
        }
    }
    if done < body.len() {
        found.push(Segment::plain(&body[done..]));
    }
}

/// The letters around `at`, and the padding behind them.
fn run(body: &[u8], from: usize, at: usize) -> Range<usize> {
    let mut start = at - body[from..at].iter().rev().take_while(|b| is_letter(**b)).count();
    // The letter of a JSON escape is none of the base64's.
    if start > from && body[start - 1] == b'\\' {
        start += 1;
    }
    let windows = body[at..].chunks_exact(WINDOW).take_while(|window| all_letters(window)).count();
    let whole = at + windows * WINDOW;
    let letters = whole + body[whole..].iter().take_while(|b| is_letter(**b)).count();
    let padding = body[letters..].iter().take(2).take_while(|b| **b == b'=').count();
    start..letters + padding
}

/// The bytes that a run encodes and the part of it that they stand for.
fn decoded(body: &[u8], run: Range<usize>) -> Option<(u8, Vec<u8>, Range<usize>)> {
    let text = &body[run.clone()];
    let whole = &text[..text.len() / 4 * 4];
    for (kind, alphabet) in [(BASE64, STANDARD), (BASE64_URL, URL_SAFE)] {
        if let Some(bytes) = exact(&alphabet, whole) {
            return Some((kind, bytes, run.start..run.start + whole.len()));
        }
    }
    None
}

/// The bytes that `text` encodes, if encoding them gives the same text: of what can be decoded, only the last letters may be others.
fn exact(alphabet: &Base64, text: &[u8]) -> Option<Vec<u8>> {
    let bytes = alphabet.decode_to_vec(text).ok()?;
    let last = bytes.len().checked_sub(1)? / 3;
    let same =
        text.len() == 4 * (last + 1) && alphabet.encode_to_string(&bytes[3 * last..]).as_bytes() == &text[4 * last..];
    same.then_some(bytes)
}

fn all_letters(window: &[u8]) -> bool {
    window.iter().fold(true, |all, b| all & is_letter(*b))
}

#[inline]
#[allow(clippy::needless_bitwise_bool, reason = "without branches the loop over it vectorises")]
const fn is_letter(byte: u8) -> bool {
    let letter = (byte | 0x20).wrapping_sub(b'a') < 26;
    let digit = byte.wrapping_sub(b'0') < 10;
    letter | digit | (byte == b'+') | (byte == b'/') | (byte == b'-') | (byte == b'_')
}
