//! Finds the built-in tokens of a text in one pass, at the speed at which most text can be seen to have none.
//!
//! Text is read in blocks of 64 bytes, and a block is looked at closely only when it is [promising]: every token has, at most
//! [`LEAD`] bytes after its beginning, an aligned word that hardly any prose has.

use super::sentinel::{self, SENTINEL};
use super::token::{Kind, may_begin, token_at};

const BLOCK: usize = 64;
/// An epoch, and a date-time, has an aligned word of 4 bytes of `-./0123456789:` that begins at most 3 bytes after it; a UUID has
/// one of 8 bytes of these and hex letters at most 7 bytes after it.
const LEAD: usize = 7;
/// How far ahead of a token to look for media tokens at once.
const AHEAD: usize = 2048;

/// `text` with its tokens replaced, or `None` where it has none.
pub(super) fn mask_tokens(text: &[u8]) -> Option<Vec<u8>> {
    let mut masker = Masker { text, out: Vec::new(), done: 0, copied: 0, clear: 0 };
    let (blocks, rest) = text.as_chunks::<BLOCK>();
    for (index, block) in blocks.iter().enumerate() {
        let start = index * BLOCK;
        // Where a token ended a moment ago, there will be more: the question costs more than it saves.
        if masker.copied > start.saturating_sub(BLOCK) || promising(block) {
            masker.look(start.saturating_sub(LEAD), start);
            masker.look_at(start, beginnings(text, start, block));
            masker.done = masker.done.max(start + BLOCK);
        }
    }
    let start = text.len() - rest.len();
    masker.look(start.saturating_sub(LEAD), text.len());
    masker.finish()
}

/// Whether one of the words in which a token shows itself stands in `block`. Without a branch, so that the compiler vectorises it.
fn promising(block: &[u8; BLOCK]) -> bool {
    let mut numeric = [0u8; BLOCK];
    let mut hex = [0u8; BLOCK];
    for index in 0..BLOCK {
        let byte = block[index];
        numeric[index] = if byte.wrapping_sub(b'-') <= b':' - b'-' { 0xFF } else { 0 };
        hex[index] = numeric[index] | if (byte | 0x20).wrapping_sub(b'a') < 6 { 0xFF } else { 0 };
    }
    let numeric = numeric.as_chunks().0.iter().fold(false, |any, word| any | (u32::from_ne_bytes(*word) == u32::MAX));
    let hex = hex.as_chunks().0.iter().fold(false, |any, word| any | (u64::from_ne_bytes(*word) == u64::MAX));
    numeric | hex
}

/// The positions in the block at `start` where a token [`may_begin`], as bits, less those that fewer than four hex digits follow.
fn beginnings(text: &[u8], start: usize, block: &[u8; BLOCK]) -> u64 {
    let hex = bits(block, |byte| (byte.wrapping_sub(b'0') < 10) | ((byte | 0x20).wrapping_sub(b'a') < 6));
    let alnum = bits(block, |byte| (byte.wrapping_sub(b'0') < 10) | ((byte | 0x20).wrapping_sub(b'a') < 26));
    // Bits from beyond the block count as set: what stands there is not known here.
    let four = hex & !(!hex >> 1) & !(!hex >> 2) & !(!hex >> 3);
    let mut found = four & !(alnum << 1);
    // What the masks cannot see: the two bytes before the block, and the letters of escapes.
    for edge in 0..2 {
        found = found & !(1 << edge) | (four & (u64::from(may_begin(text, start + edge)) << edge));
    }
    if block.iter().fold(0, |any, &byte| any | u8::from(byte == b'\\')) != 0 {
        for backslash in memchr::memchr_iter(b'\\', &block[..BLOCK - 2]) {
            let next = backslash + 2;
            found |= four & (u64::from(may_begin(text, start + next)) << next);
        }
    }
    found
}

/// One bit for each byte of `block`: whether it is in the class. Eight flags are gathered by one multiplication.
fn bits(block: &[u8; BLOCK], class: impl Fn(u8) -> bool) -> u64 {
    let flags = block.map(|byte| u8::from(class(byte)));
    flags
        .as_chunks()
        .0
        .iter()
        .rev()
        .fold(0, |bits, word| bits << 8 | u64::from_le_bytes(*word).wrapping_mul(0x0102_0408_1020_4080) >> 56)
}

struct Masker<'a> {
    text: &'a [u8],
    out: Vec<u8>,
    /// The first position that may still begin a token.
    done: usize,
    /// The end of the last token; what stands before it is in `out`.
    copied: usize,
    /// No media token opens from here back to where it could still reach what comes.
    clear: usize,
}

impl Masker<'_> {
    /// Replaces the tokens that begin from `start` to before `end`.
    fn look(&mut self, start: usize, end: usize) {
        for at in self.done.max(start)..end {
            if at >= self.done && may_begin(self.text, at) {
                self.take(at);
            }
        }
        self.done = self.done.max(end);
    }

    /// Replaces the tokens that begin at one of the positions `bits`, counted from `start`.
    fn look_at(&mut self, start: usize, mut bits: u64) {
        while bits != 0 {
            let at = start + bits.trailing_zeros() as usize;
            if at >= self.done {
                self.take(at);
            }
            bits &= bits - 1;
        }
    }

    /// Replaces the token that begins at `at`, if one does.
    fn take(&mut self, at: usize) {
        if let Some((kind, end)) = token_at(self.text, at, self.copied) {
            self.done = self.media_around(at).unwrap_or_else(|| {
                self.replace(kind, at, end);
                end
            });
        }
    }

    /// The end of the media token whose type or length `at` is part of.
    fn media_around(&mut self, at: usize) -> Option<usize> {
        while self.clear <= at {
            // Ahead as well, for where one token is the next is not far, and a search of 20 bytes costs what one of 2,000 does.
            let from = self.clear.max(at.saturating_sub(sentinel::MEDIA_REACH));
            let to = self.text.len().min(at + AHEAD);
            let Some(distance) = memchr::memchr(SENTINEL, &self.text[from..to]) else {
                self.clear = to;
                break;
            };
            let opening = from + distance;
            if opening >= at {
                self.clear = opening;
                break;
            }
            self.clear = opening + 1;
            if let Some(end) = sentinel::media_end(self.text, opening)
                && end > at
            {
                return Some(end);
            }
        }
        None
    }

    fn replace(&mut self, kind: Kind, start: usize, end: usize) {
        if self.copied == 0 {
            // Every placeholder is shorter than its token.
            self.out.reserve_exact(self.text.len());
        }
        self.out.extend_from_slice(&self.text[self.copied..start]);
        // Each by itself: a copy of known length is a store or two.
        match kind {
            Kind::Uuid => self.out.extend_from_slice(sentinel::UUID),
            Kind::Time => self.out.extend_from_slice(sentinel::TIME),
            Kind::Epoch => self.out.extend_from_slice(sentinel::EPOCH),
        }
        self.copied = end;
    }

    fn finish(mut self) -> Option<Vec<u8>> {
        if self.copied == 0 {
            return None;
        }
        self.out.extend_from_slice(&self.text[self.copied..]);
        Some(self.out)
    }
}
