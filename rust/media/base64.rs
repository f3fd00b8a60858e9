//! Base64 as it stands in JSON strings: JSON escapes, line breaks, the url-safe alphabet and missing padding allowed, all else strict.

use base64_simd::{Out, STANDARD, STANDARD_NO_PAD};
use memchr::{memchr, memchr2};

use super::sniff::{HEAD, MediaType, sniff};

/// Whether a byte can stand in base64 within a JSON string: both alphabets, padding, and the backslash of an escape.
#[inline]
#[allow(clippy::needless_bitwise_bool, reason = "without branches the loop over it vectorises")]
pub(super) const fn is_base64(byte: u8) -> bool {
    let letter = (byte | 0x20).wrapping_sub(b'a') < 26;
    let digit = byte.wrapping_sub(b'0') < 10;
    letter
        | digit
        | (byte == b'+')
        | (byte == b'/')
        | (byte == b'-')
        | (byte == b'_')
        | (byte == b'=')
        | (byte == b'\\')
}

/// A run of base64 bytes.
pub(super) struct Run {
    /// Where it ends: the first byte that is not base64.
    pub(super) end: usize,
    /// Whether it is standard base64 from start to end, padding included, so that it need not be decoded to be believed.
    pub(super) standard: bool,
}

/// The run that starts at `start`.
///
/// The blocks go through the SIMD check of base64-simd: 10 MB in 0.18 ms, where the loop over [`is_base64`] (auto-vectorised for SSE2) needs
/// 1.1 ms; that loop takes over for the block where the run ends and for blocks with escapes or url-safe letters.
pub(super) fn run(text: &[u8], start: usize) -> Run {
    const BLOCK: usize = 16 * 1024;
    let mut at = start;
    let mut standard = true;
    while let Some(block) = text.get(at..).filter(|rest| !rest.is_empty()).map(|rest| &rest[..rest.len().min(BLOCK)]) {
        if block.len() == BLOCK && STANDARD_NO_PAD.check(block).is_ok() {
            at += BLOCK;
            continue;
        }
        let len = run_len(block);
        if len < block.len() || block.len() < BLOCK {
            let tail = &block[..len];
            let valid = STANDARD.check(tail).is_ok() || STANDARD_NO_PAD.check(tail).is_ok();
            return Run { end: at + len, standard: standard && valid };
        }
        standard = false;
        at += BLOCK;
    }
    Run { end: at.min(text.len()), standard }
}

fn run_len(block: &[u8]) -> usize {
    let whole = block
        .chunks(128)
        .take_while(|chunk| chunk.iter().fold(true, |all, &b| all & is_base64(b)))
        .map(<[u8]>::len)
        .sum();
    whole + block[whole..].iter().take_while(|b| is_base64(**b)).count()
}

/// The bytes that `raw`, the inside of a JSON string, encodes; `None` unless it is base64 to the last character.
pub(super) fn decode(raw: &[u8]) -> Option<Vec<u8>> {
    if let Ok(bytes) = STANDARD.decode_to_vec(raw) {
        return Some(bytes);
    }
    let mut letters = unescape(raw)?;
    let padded = letters.len();
    let bare = padded - letters.iter().rev().take_while(|b| **b == b'=').count();
    if padded > bare && (padded - bare > 2 || !padded.is_multiple_of(4)) {
        return None;
    }
    letters.truncate(bare);
    to_standard(&mut letters)?;
    STANDARD_NO_PAD.decode_to_vec(&letters).ok()
}

/// The media type by magic bytes of what `raw` encodes, and the first bytes it was told by. `raw` may go on behind the base64: it is read up to
/// the first byte that cannot be base64.
pub(super) fn sniff_encoded(raw: &[u8]) -> Option<(MediaType, Vec<u8>)> {
    if !may_be_media(raw) {
        return None;
    }
    let head = &raw[..raw.len().min(HEAD / 3 * 4)];
    let head = &head[..run_len(head)];
    let mut letters = unescape(head).or_else(|| unescape(cut_escape(head)))?;
    let bare = letters.iter().position(|b| *b == b'=').unwrap_or(letters.len());
    letters.truncate(bare / 4 * 4);
    to_standard(&mut letters)?;
    let bytes = STANDARD_NO_PAD.decode_to_vec(&letters).ok()?;
    sniff(&bytes).map(|kind| (kind, bytes))
}

/// A look at two bytes that lets nearly all text go by: only what begins like a magic number is decoded further.
fn may_be_media(raw: &[u8]) -> bool {
    let Some(first) = raw.first_chunk::<4>() else { return false };
    if first.contains(&b'\\') {
        return true;
    }
    let mut letters = *first;
    if to_standard(&mut letters).is_none() {
        return false;
    }
    let mut bytes = [0; 3];
    let Ok(bytes) = STANDARD_NO_PAD.decode(&letters, Out::from_slice(&mut bytes)) else { return false };
    matches!(
        bytes,
        [0x89 | b'%', b'P', _]
            | [0xFF, 0xD8 | 0xE0.., _]
            | [0, 0, _]
            | [0x1A, 0x45, _]
            | [b'B', b'M', _]
            | [b'G' | b'R', b'I', _]
            | [b'I', b'D', _]
            | [b'O', b'g', _]
            | [b'f', b'L', _]
            | [b'l', b'l', _]
    )
}

/// `raw` without JSON escapes and line breaks; `None` at an escape that stands for no base64 letter.
fn unescape(raw: &[u8]) -> Option<Vec<u8>> {
    let mut letters = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(escape) = memchr(b'\\', rest) {
        letters.extend_from_slice(&rest[..escape]);
        rest = &rest[escape + 1..];
        let (name, behind) = rest.split_first()?;
        rest = behind;
        match name {
            b'/' => letters.push(b'/'),
            b'n' | b'r' => {}
            b'u' => {
                let (digits, behind) = rest.split_first_chunk::<4>()?;
                rest = behind;
                match &digits.map(|b| b.to_ascii_lowercase()) {
                    b"002b" => letters.push(b'+'),
                    b"002d" => letters.push(b'-'),
                    b"002f" => letters.push(b'/'),
                    b"003d" => letters.push(b'='),
                    b"005f" => letters.push(b'_'),
                    b"000a" | b"000d" => {}
                    _ => return None,
                }
            }
            _ => return None,
        }
    }
    letters.extend_from_slice(rest);
    Some(letters)
}

/// `head` without an escape that its end cuts in two.
fn cut_escape(head: &[u8]) -> &[u8] {
    let tail = head.len().saturating_sub(5);
    head[tail..].iter().rposition(|b| *b == b'\\').map_or(head, |escape| &head[..tail + escape])
}

/// The url-safe alphabet (RFC 4648, section 5) in terms of the standard one; `None` if both are mixed.
fn to_standard(letters: &mut [u8]) -> Option<()> {
    if memchr2(b'-', b'_', letters).is_none() {
        return Some(());
    }
    if memchr2(b'+', b'/', letters).is_some() {
        return None;
    }
    for letter in letters {
        *letter = match *letter {
            b'-' => b'+',
            b'_' => b'/',
            other => other,
        };
    }
    Some(())
}
