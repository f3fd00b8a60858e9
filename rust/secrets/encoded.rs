//! Credentials inside base64: runs that hold text are decoded, searched, and encoded again without them.

use base64_simd::{Base64, STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};

use super::shape::{is_base64, trailing_backslashes};
use super::{Hit, merged, plain_hits, replace};

/// The shortest run looked at, in characters: the shortest credential there is has 19 bytes.
const SHORTEST: usize = 24;

/// How many characters are decoded to see whether a run holds text. Random bytes pass for text once in 10^9 at this length.
const SAMPLE: usize = 32;

/// [`is_base64`] as a table: one load for a byte where the comparisons do not compile to vector code.
static IS_BASE64: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0_u8;
    loop {
        table[byte as usize] = is_base64(byte);
        if byte == u8::MAX {
            break table;
        }
        byte += 1;
    }
};

/// Puts a hit for each run of base64 with a credential in it.
pub(super) fn find(text: &[u8], hits: &mut Vec<Hit>) {
    // Always behind a byte that is no base64. From the right: such a byte lets the whole window before it be skipped.
    let mut at = 0;
    while let Some(window) = text.get(at..at + SHORTEST) {
        if let Some(stop) = window.iter().rposition(|&byte| !IS_BASE64[usize::from(byte)]) {
            at += stop + 1;
            continue;
        }
        let start = at + escape_tail(text, at);
        let end = block_end(text, at + SHORTEST);
        at = end + 1;
        if start + SHORTEST > end || !holds_text(&text[start..end]) {
            continue;
        }
        let (run, end) = joined(text, start, end);
        at = end;
        if let Some(hit) = search(&run, start, end) {
            hits.push(hit);
        }
    }
}

/// How many bytes from `at` belong to an escape before it: the `n` of `\n`, the `u0022` of `\u0022`, the `2B` of `%2B`.
fn escape_tail(text: &[u8], at: usize) -> usize {
    let left = &text[at.saturating_sub(8)..at];
    match (left.last(), text.get(at)) {
        (Some(b'%'), _) => 2,
        (Some(b'\\'), Some(b'u')) => 5,
        (Some(b'\\'), Some(_)) if !trailing_backslashes(left).is_multiple_of(2) => 1,
        _ => 0,
    }
}

/// Where base64 from `at` ends. Sixty-four bytes are judged at a time, which compiles to vector code.
fn block_end(text: &[u8], mut at: usize) -> usize {
    while let Some(block) = text.get(at..at + 64) {
        if !block.iter().fold(true, |all, &byte| all & is_base64(byte)) {
            break;
        }
        at += 64;
    }
    super::shape::run_end(text, at, is_base64)
}

/// Whether the first characters of `run` decode to text.
fn holds_text(run: &[u8]) -> bool {
    let mut sample = [0; SAMPLE];
    let length = run.len().min(SAMPLE) / 4 * 4;
    for (to, &from) in sample.iter_mut().zip(&run[..length]) {
        *to = standard(from);
    }
    let Ok(plain) = STANDARD_NO_PAD.decode_inplace(&mut sample[..length]) else { return false };
    let controls = plain.iter().any(|&byte| byte < b' ' && !matches!(byte, b'\t' | b'\n' | b'\r'));
    !controls && std::str::from_utf8(plain).map_or_else(|error| error.error_len().is_none(), |_| true)
}

const fn standard(byte: u8) -> u8 {
    match byte {
        b'-' => b'+',
        b'_' => b'/',
        other => other,
    }
}

/// The run from `start` with its padding, and where it really ends: JSON may write `/` as `\/`, and MIME breaks long base64 into lines
/// of equal length. Two words on two lines are no such thing.
fn joined(text: &[u8], start: usize, mut end: usize) -> (Vec<u8>, usize) {
    let mut run = text[start..end].to_vec();
    loop {
        let rest = &text[end..];
        let gap = match rest {
            [b'\\', b'/', ..] | [b'\n', ..] => 1,
            [b'\r', b'\n', ..] | [b'\\', b'n', ..] => 2,
            [b'\\', b'r', b'\\', b'n', ..] => 4,
            _ => break,
        };
        let is_slash = rest.starts_with(b"\\/");
        let indent = rest[gap..].iter().take(32).take_while(|&&byte| byte == b' ' && !is_slash).count();
        let next = end + gap + indent;
        let next_end = block_end(text, next);
        let padding = padding(text, next_end);
        let is_line = run.len().is_multiple_of(4)
            && run.len() >= LINE
            && next_end > next
            && (next_end + padding - next).is_multiple_of(4);
        if !is_slash && !is_line {
            break;
        }
        run.extend_from_slice(&text[next..next_end]);
        end = next_end;
    }
    let padding = padding(text, end);
    run.extend_from_slice(&text[end..end + padding]);
    (run, end + padding)
}

/// The shortest line of broken base64, in characters: MIME (RFC 2045, section 6.8) writes 76, PEM 64, some tools 60.
const LINE: usize = 60;

/// How many `=` stand at `at`, two at most.
fn padding(text: &[u8], at: usize) -> usize {
    text[at..].iter().take(2).take_while(|&&byte| byte == b'=').count()
}

/// The bytes that `run` encodes, in either alphabet, with or without padding; a last character too many is dropped.
pub(super) fn decode(run: &[u8]) -> Option<Vec<u8>> {
    let padding = run.iter().rev().take_while(|&&byte| byte == b'=').count();
    let run = &run[..run.len() - padding];
    let run = if run.len() % 4 == 1 { &run[..run.len() - 1] } else { run };
    let plain: Vec<u8> = run.iter().copied().map(standard).collect();
    // Bits beyond the last byte need not be zero: what some encoders leave there is no reason to pass a credential over.
    base64_simd::forgiving_decode_to_vec(&plain).ok()
}

/// The hit for a run, with its encoding without the credentials.
fn search(run: &[u8], start: usize, end: usize) -> Option<Hit> {
    let plain = decode(run)?;
    let inner = merged(plain_hits(&plain));
    let kind = inner.first()?.kind;
    let clean = replace(&plain, &inner);
    let url_safe = run.iter().any(|byte| matches!(byte, b'-' | b'_'));
    let alphabet: Base64 = match (url_safe, run.ends_with(b"=") || (!url_safe && run.len().is_multiple_of(4))) {
        (false, true) => STANDARD,
        (false, false) => STANDARD_NO_PAD,
        (true, true) => URL_SAFE,
        (true, false) => URL_SAFE_NO_PAD,
    };
    Some(Hit { kind, start, end, with: Some(alphabet.encode_type::<Vec<u8>>(clean)) })
}
