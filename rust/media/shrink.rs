//! Media taken out of text, without parsing the text.
//!
//! A base64 string of `min_len` bytes or more must cover one of the places `min_len`, 2 × `min_len` … bytes into the text. So only those
//! places are looked at: from each, back to the nearest quote or comma, and on only if what follows it begins like media. Every
//! byte is visited a bounded number of times, whatever the text.

use std::borrow::Cow;

use base64_simd::STANDARD;
use memchr::{memrchr, memrchr2};

use super::base64::{self, Run, is_base64, sniff_encoded};
use super::placeholder::{MAX_PLACEHOLDER, Original, original, placeholder, standing_for};
use super::png;
use super::siblings;
use super::sniff::{MediaType, sniff};
use super::strings::{MAX_URL_HEAD, data_url};

/// What to take out, and what to note of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shrink {
    /// The least length that is worth it, in bytes as they stand: of base64 in a text, of a file in a binary body.
    pub min_len: usize,
    /// Whether to note the SHA-256 of what is taken out. Requests need it to be compared; a hash costs 0.7 ms per MB.
    pub digest: bool,
}

impl Default for Shrink {
    /// Media of 64 KiB and more, with digests.
    fn default() -> Self {
        Self { min_len: 64 * 1024, digest: true }
    }
}

/// `text` (JSON, JSON lines, server-sent events) with each string that holds media of `min_len` or more replaced by a placeholder in plain
/// base64; borrowed when there is none.
///
/// What counts as media is told at [`super::string_media`]. The head of a `data:` URL stays; names of members stay; a placeholder stays; nothing
/// is ever replaced by something longer.
#[must_use]
pub fn shrink(text: &[u8], options: Shrink) -> Cow<'_, [u8]> {
    let stride = options.min_len.max(1);
    let mut shrunk = Vec::new();
    let mut copied = 0;
    let mut floor = 0;
    let mut next = stride - 1;
    while let Some(&byte) = text.get(next) {
        let here = next;
        // A string that covers an earlier place has been judged there, so its opening need not be looked for again.
        let from = std::mem::replace(&mut floor, here);
        next = here.saturating_add(stride);
        if !is_base64(byte) {
            continue;
        }
        let Some(start) = memrchr2(b'"', b',', &text[from..here]).map(|mark| from + mark + 1) else { continue };
        let Some(candidate) = Candidate::new(text, start) else { continue };
        let run = base64::run(text, start);
        if run.end <= here {
            continue;
        }
        floor = run.end;
        next = run.end.saturating_add(stride);
        if let Some(file) = candidate.replacement(text, &run, options) {
            shrunk.extend_from_slice(&text[copied..start]);
            STANDARD.encode_append(&file, &mut shrunk);
            copied = run.end;
        }
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    shrunk.extend_from_slice(&text[copied..]);
    Cow::Owned(shrunk)
}

/// A whole body or payload that is media of `min_len` bytes or more, as its placeholder; anything else borrowed.
#[must_use]
pub fn shrink_binary(bytes: &[u8], options: Shrink) -> Cow<'_, [u8]> {
    if bytes.len() < options.min_len || original(bytes).is_some() {
        return Cow::Borrowed(bytes);
    }
    let file = sniff(bytes).map(|kind| placeholder(bytes, kind, options.digest));
    file.filter(|file| file.len() < bytes.len()).map_or(Cow::Borrowed(bytes), Cow::Owned)
}

/// A string whose beginning looks worth a reading to its end.
struct Candidate {
    /// Its opening quote.
    open: usize,
    /// Where its base64 starts.
    start: usize,
    told: Told,
}

/// By what a string is taken for media.
enum Told {
    /// Its magic bytes; with the first of its bytes.
    Magic(MediaType, Vec<u8>),
    /// The type in its `data:` URL.
    Url(MediaType),
    /// Its siblings, perhaps: its own name allows it.
    Siblings,
}

impl Candidate {
    /// The string whose base64 would start at `start`, behind a quote or a comma.
    fn new(text: &[u8], start: usize) -> Option<Self> {
        let mark = start.checked_sub(1)?;
        let (open, url) = if text.get(mark)? == &b'"' {
            (mark, None)
        } else {
            let reach = mark.saturating_sub(MAX_URL_HEAD);
            let open = reach + memrchr(b'"', &text[reach..mark])?;
            let before = &text[open + 1..start];
            (open, Some(data_url(before).filter(|url| url.head.len() == before.len())?.media_type))
        };
        // An escaped quote belongs to the text of a longer string.
        if open.checked_sub(1).is_some_and(|before| text[before] == b'\\') {
            return None;
        }
        let told = if let Some((kind, head)) = sniff_encoded(&text[start..]) {
            Told::Magic(kind, head)
        } else if let Some(media_type) = url {
            Told::Url(MediaType::declared(media_type)?)
        } else if siblings::may_have_declaration(text, open) {
            Told::Siblings
        } else {
            return None;
        };
        Some(Self { open, start, told })
    }

    /// The file to put in its place, if it is media that is to be replaced.
    fn replacement(self, text: &[u8], run: &Run, options: Shrink) -> Option<Vec<u8>> {
        let payload = &text[self.start..run.end];
        let behind = text.get(run.end..)?.strip_prefix(b"\"")?;
        if payload.len() < options.min_len || behind.trim_ascii_start().first() == Some(&b':') {
            return None;
        }
        let (kind, head) = match self.told {
            Told::Magic(kind, head) => (kind, head),
            Told::Url(kind) => (kind, Vec::new()),
            Told::Siblings => (siblings::declared(text, self.open, run.end)?, Vec::new()),
        };
        let (file, len) = if run.standard && !options.digest && payload.len() > MAX_PLACEHOLDER / 3 * 4 + 4 {
            let letters = payload.len() - payload.iter().rev().take_while(|b| **b == b'=').count();
            let len = letters as u64 / 4 * 3 + (letters as u64 % 4).saturating_sub(1);
            (standing_for(&Original { media_type: kind.mime(), len, sha256: None }, kind, png::size(&head)), len)
        } else {
            let bytes = base64::decode(payload)?;
            if original(&bytes).is_some() {
                return None;
            }
            (placeholder(&bytes, kind, options.digest), bytes.len() as u64)
        };
        // Shorter as a file, so that what is above a limit of 1 KiB once shrunk was above it before; and shorter in the text.
        let shorter = (file.len() as u64) < len && STANDARD.encoded_length(file.len()) < payload.len();
        shorter.then_some(file)
    }
}
