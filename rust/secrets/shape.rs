//! What a credential looks like from near: where it may begin, which characters it has, and what only stands in for one.

/// Whether a word with `-` and `_` in it goes on with this byte.
pub(super) const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// Whether base64, of the standard or the URL alphabet (RFC 4648, sections 4 and 5), goes on with this byte.
pub(super) const fn is_base64(byte: u8) -> bool {
    is_word(byte) || matches!(byte, b'+' | b'/')
}

/// Where a run of bytes that `belongs` ends, from `start`.
pub(super) fn run_end(text: &[u8], start: usize, belongs: impl Fn(u8) -> bool) -> usize {
    let rest = text.get(start..).unwrap_or_default();
    rest.iter().position(|&byte| !belongs(byte)).map_or(text.len(), |length| start + length)
}

/// How far left a boundary is looked for. Longer than an escape, and long enough to know a base64 run by.
const LEFT: usize = 64;

/// Whether a word can begin at `at`: what stands before is no part of it, but may be an escape of JSON (`\n`, `\u0022`), of a URI
/// (`%22`), or nothing. A byte that is itself the letter of an escape begins no word.
pub(super) fn begins_word(text: &[u8], at: usize) -> bool {
    let left = &text[at.saturating_sub(LEFT)..at];
    let [before @ .., last] = left else { return true };
    if *last == b'\\' {
        return !is_escape_letter(text, at) || trailing_backslashes(left).is_multiple_of(2);
    }
    if matches!(last, b'+' | b'/') {
        // In the middle of base64 these are letters like others; behind a word they are a form's blank or a path's slash.
        return left.len() < LEFT || !left.iter().all(|&byte| is_base64(byte));
    }
    if !is_word(*last) {
        return true;
    }
    match before {
        [.., b'\\'] => matches!(last, b'b' | b'f' | b'n' | b'r' | b't'),
        [.., b'%', high] => high.is_ascii_hexdigit() && last.is_ascii_hexdigit(),
        [.., b'\\', b'u', a, b, c] => [*a, *b, *c, *last].iter().all(u8::is_ascii_hexdigit),
        _ => false,
    }
}

/// Whether the byte at `at` could be what a backslash before it makes an escape of (RFC 8259, section 7).
fn is_escape_letter(text: &[u8], at: usize) -> bool {
    matches!(text.get(at), Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' | b'u'))
}

/// How many backslashes `left` ends with.
pub(super) fn trailing_backslashes(left: &[u8]) -> usize {
    left.iter().rev().take_while(|&&byte| byte == b'\\').count()
}

/// The number of different bytes in `value`.
fn variety(value: &[u8]) -> u32 {
    let (mut low, mut high) = (0_u128, 0_u128);
    for &byte in value {
        match byte {
            0..128 => low |= 1 << byte,
            _ => high |= 1 << (byte - 128),
        }
    }
    low.count_ones() + high.count_ones()
}

/// Whether `value` looks drawn at random: letters and digits mixed, or a long stretch of letters in mixed case. Words with dashes,
/// and one character over and over, do not.
pub(super) fn is_random(value: &[u8]) -> bool {
    if variety(value) < 5 {
        return false;
    }
    let digits = value.iter().filter(|byte| byte.is_ascii_digit()).count();
    if digits >= 3 {
        return true;
    }
    value.split(|&byte| !byte.is_ascii_alphanumeric()).any(|piece| {
        piece.len() >= 16 && piece.iter().any(u8::is_ascii_lowercase) && piece.iter().any(u8::is_ascii_uppercase)
    }) || (digits >= 1 && value.split(|&byte| !byte.is_ascii_alphanumeric()).any(|piece| piece.len() >= 16))
}

/// Words that stand where a credential would.
const STAND_INS: [&str; 26] = [
    "test",
    "dummy",
    "fake",
    "example",
    "placeholder",
    "change",
    "your",
    "sample",
    "mock",
    "none",
    "null",
    "undefined",
    "string",
    "redacted",
    "filtered",
    "hidden",
    "masked",
    "removed",
    "secret",
    "password",
    "token",
    "apikey",
    "api_key",
    "api-key",
    "needed",
    "anything",
];

/// Marks of a template, a mask or an elision.
const MARKS: [&str; 10] = ["${", "{{", "...", "…", "***", "xxxx", "XXXX", "://", "%(", "\\u2026"];

/// Whether `value` only stands in for a credential: empty, a template, a mask, a word such as `dummy`. A full-length key with `test`
/// in it is no stand-in: better a made-up key redacted than a real one kept.
pub(super) fn is_stand_in(value: &[u8]) -> bool {
    // An ARN names a key of AWS's own and is none.
    if value.starts_with(super::REDACTED.as_bytes()) || value.starts_with(b"arn:") || variety(value) < 3 {
        return true;
    }
    if let [b'<' | b'$' | b'{' | b'[' | b'(' | b'%', ..] = value {
        // `%` alone begins percent-encoded values too; those have two hex digits behind it.
        let percent = value.starts_with(b"%") && value.get(1).is_some_and(u8::is_ascii_hexdigit);
        if !percent {
            return true;
        }
    }
    // Longer ones are not looked through: nobody writes a stand-in of that length.
    if value.len() > 256 {
        return false;
    }
    if MARKS.iter().any(|mark| memchr::memmem::find(value, mark.as_bytes()).is_some()) {
        return true;
    }
    let digits = value.iter().filter(|byte| byte.is_ascii_digit()).count();
    if digits > 4 || (digits == 4 && value.len() >= 16) || (value.len() >= 32 && is_random(value)) {
        return false;
    }
    let lower = value.to_ascii_lowercase();
    STAND_INS.iter().any(|word| memchr::memmem::find(&lower, word.as_bytes()).is_some())
}
