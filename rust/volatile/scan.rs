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

/// `text` with its tokens replaced, or `None` where it has none.
pub(super) fn mask_tokens(text: &[u8]) -> Option<Vec<u8>> {
    let mut masker = Masker { text, out: Vec::new(), at: 0, copied: 0 };
    let (blocks, rest) = text.as_chunks::<BLOCK>();
    for (index, block) in blocks.iter().enumerate() {
        if promising(block) {
            masker.look(index * BLOCK, (index + 1) * BLOCK);
        }
    }
    masker.look(text.len() - rest.len(), text.len());
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

struct Masker<'a> {
    text: &'a [u8],
    out: Vec<u8>,
    /// The first position that may still begin a token.
    at: usize,
    /// The end of the last token; what stands before it is in `out`.
    copied: usize,
}

impl Masker<'_> {
    /// Replaces the tokens that begin from [`LEAD`] bytes before `start` to before `end`.
    fn look(&mut self, start: usize, end: usize) {
        let mut at = self.at.max(start.saturating_sub(LEAD));
        while at < end {
            if may_begin(self.text, at)
                && let Some((kind, token_end)) = token_at(self.text, at, self.copied)
            {
                at = self.media_around(at).unwrap_or_else(|| {
                    self.replace(kind, at, token_end);
                    token_end
                });
            } else {
                at += 1;
            }
        }
        self.at = at;
    }

    /// The end of the media token whose type or length `at` is part of.
    fn media_around(&self, at: usize) -> Option<usize> {
        let from = self.copied.max(at.saturating_sub(sentinel::MEDIA_REACH));
        let opening = memchr::memrchr(SENTINEL, &self.text[from..at])?;
        sentinel::media_end(self.text, from + opening).filter(|&end| end > at)
    }

    fn replace(&mut self, kind: Kind, start: usize, end: usize) {
        if self.copied == 0 {
            // Every placeholder is shorter than its token.
            self.out.reserve_exact(self.text.len());
        }
        self.out.extend_from_slice(&self.text[self.copied..start]);
        self.out.extend_from_slice(match kind {
            Kind::Uuid => sentinel::UUID,
            Kind::Time => sentinel::TIME,
            Kind::Epoch => sentinel::EPOCH,
        });
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
