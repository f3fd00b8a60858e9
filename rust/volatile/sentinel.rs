//! The placeholders that may already stand in a canonical text, each opened by the byte 0x1A.
//!
//! Canonical JSON escapes every byte below 0x20, so there a raw 0x1A is always ours. In a raw text body it can be anybody's, which
//! is why a placeholder is recognised whole and a lone 0x1A is just a byte.

use std::ops::Range;

/// What opens every placeholder.
pub(super) const SENTINEL: u8 = 0x1A;
pub(super) const UUID: &[u8] = b"\x1Auuid\x1A";
pub(super) const TIME: &[u8] = b"\x1Atime\x1A";
pub(super) const EPOCH: &[u8] = b"\x1Aepoch\x1A";
pub(super) const MASKED: &[u8] = b"\x1Amasked\x1A";

const MEDIA: &[u8] = b"\x1Amedia ";
/// The longest `type/subtype`: RFC 6838, section 4.2, allows 127 characters on either side.
const MAX_TYPE: usize = 255;
/// The digits of `u64::MAX`.
const MAX_LENGTH: usize = 20;
const DIGEST: usize = 64;

/// How far behind the opening of a media token its type and length can reach. (Its digest is one word of 64 hex digits, and no
/// volatile token is that.)
pub(super) const MEDIA_REACH: usize = MEDIA.len() + MAX_TYPE + 1 + MAX_LENGTH;

/// Where the media token that opens at `at` ends.
pub(super) fn media_end(text: &[u8], at: usize) -> Option<usize> {
    let rest = text.get(at..)?;
    let mut fields = rest.strip_prefix(MEDIA)?.splitn(3, |&byte| byte == b' ');
    let (kind, length, digest) = (fields.next()?, fields.next()?, fields.next()?.get(..DIGEST)?);
    let well_formed = (1..=MAX_TYPE).contains(&kind.len())
        && kind.iter().all(u8::is_ascii_graphic)
        && (1..=MAX_LENGTH).contains(&length.len())
        && length.iter().all(u8::is_ascii_digit)
        && digest.iter().all(u8::is_ascii_hexdigit);
    well_formed.then(|| at + MEDIA.len() + kind.len() + 1 + length.len() + 1 + DIGEST)
}

fn placeholder_end(text: &[u8], at: usize) -> Option<usize> {
    let rest = text.get(at..)?;
    let plain = [UUID, TIME, EPOCH, MASKED].into_iter().find(|placeholder| rest.starts_with(placeholder));
    plain.map(|placeholder| at + placeholder.len()).or_else(|| media_end(text, at))
}

/// The stretches of `text` before, between and after its placeholders, in order.
pub(super) fn stretches(text: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let mut start = Some(0);
    std::iter::from_fn(move || {
        let from = start?;
        let mut at = from;
        while let Some(distance) = memchr::memchr(SENTINEL, &text[at..]) {
            at += distance;
            if let Some(end) = placeholder_end(text, at) {
                start = Some(end);
                return Some(from..at);
            }
            at += 1;
        }
        start = None;
        Some(from..text.len())
    })
}
