//! Two texts that are not equal: what kind of difference it is, where, and how to show it.

use std::borrow::Cow;

use super::cause::Cause;
use super::first::first_difference;
use super::mismatch::Mismatch;
use super::window::{self, Escape, char_start, first_char};
use crate::secrets;
use crate::volatile::{self, Patterns};

/// Most bytes of a token that is looked at on either side of a difference.
const TOKEN: usize = 256;

/// The cause for which two texts differ.
pub(super) fn cause_of(a: &[u8], b: &[u8], patterns: &Patterns) -> Cause {
    volatile_cause(a, b, patterns).unwrap_or_else(|| lasting_cause(a, b))
}

/// The cause for which two texts differ that are not equal with their volatile tokens masked.
pub(super) fn lasting_cause(a: &[u8], b: &[u8]) -> Cause {
    let Some(at) = first_difference(a, b) else { return Cause::Same };
    let in_secret = window::is_in_secret(a, at) || window::is_in_secret(b, at);
    if in_secret && secrets::redact(a) == secrets::redact(b) {
        return Cause::Credential;
    }
    // What stands before the difference is the same on both sides and need not be read again.
    let (line, cluster) = (at.saturating_sub(1), cluster_start(a, at));
    if equal_but_for_line_ends(&a[line..], &b[line..]) {
        return Cause::LineEnding;
    }
    if equal_but_for_composition(&a[cluster..], &b[cluster..]) {
        return Cause::Unicode;
    }
    if is_temp_path(run(a, at)) && is_temp_path(run(b, at)) {
        return Cause::TempPath;
    }
    Cause::Text
}

/// Shows two texts that differ for `cause`, and where.
pub(super) fn show(mismatch: &mut Mismatch, a: &[u8], b: &[u8]) {
    let at = first_difference(a, b).unwrap_or(0);
    let at = char_start(a, at).min(char_start(b, at));
    let escape = if mismatch.cause == Cause::Unicode { Escape::NonAscii } else { Escape::Invisible };
    mismatch.left = window::around(a, at, escape);
    mismatch.right = window::around(b, at, escape);
    mismatch.offset = Some(at);
    if mismatch.cause == Cause::Text {
        mismatch.pattern = pattern(run(a, at), run(b, at));
    }
}

/// Whether bytes are text: UTF-8 without NUL.
pub(super) fn is_text(bytes: &[u8]) -> bool {
    memchr::memchr(0, bytes).is_none() && simdutf8::basic::from_utf8(bytes).is_ok()
}

/// The volatile token that differs first, where `a` and `b` are equal once all of them are masked.
pub(super) fn volatile_cause(a: &[u8], b: &[u8], patterns: &Patterns) -> Option<Cause> {
    let masked = masked(a, patterns);
    if masked != self::masked(b, patterns) {
        return None;
    }
    let at = first_difference(a, b)?;
    token_at(a, at, patterns).or_else(|| token_at(b, at, patterns)).or_else(|| first_mask(&masked))
}

/// A text with its volatile tokens masked.
pub(super) fn masked<'a>(text: &'a [u8], patterns: &Patterns) -> Cow<'a, [u8]> {
    volatile::mask(text, patterns)
}

/// The kind of the token that byte `at` belongs to.
///
/// A masked text does not say where its tokens stood, so the characters around the difference are masked by themselves.
fn token_at(text: &[u8], at: usize, patterns: &Patterns) -> Option<Cause> {
    let from = at.saturating_sub(TOKEN);
    let near = text.get(from..text.len().min(at + TOKEN))?;
    let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b':' | b'.' | b'+');
    let (before, after) = near.split_at_checked(at - from)?;
    let start = before.iter().rposition(|byte| !is_token(byte)).map_or(0, |byte| byte + 1);
    let end = before.len() + after.iter().position(|byte| !is_token(byte)).unwrap_or(after.len());
    // A time may have a space between its date and its clock.
    let (wide_start, wide_end) = (start.saturating_sub(11), near.len().min(end + 16));
    first_mask(&masked(&near[start..end], patterns))
        .or_else(|| first_mask(&masked(&near[wide_start..wide_end], patterns)))
}

/// The kind of the first mask in a masked text.
fn first_mask(masked: &[u8]) -> Option<Cause> {
    const MASKS: [(&[u8], Cause); 4] = [
        (b"\x1Auuid\x1A", Cause::Uuid),
        (b"\x1Atime\x1A", Cause::Time),
        (b"\x1Aepoch\x1A", Cause::Epoch),
        (b"\x1Amasked\x1A", Cause::Masked),
    ];
    memchr::memchr_iter(0x1A, masked)
        .find_map(|at| MASKS.iter().find(|(mask, _)| masked[at..].starts_with(mask)).map(|(_, cause)| *cause))
}

fn equal_but_for_line_ends(a: &[u8], b: &[u8]) -> bool {
    let lines = |text| ToLf { text };
    lines(a).eq(lines(b))
}

/// A text's bytes with CRLF and CR read as LF.
struct ToLf<'a> {
    text: &'a [u8],
}

impl Iterator for ToLf<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        let (byte, taken) = match self.text {
            [] => return None,
            [b'\r', b'\n', ..] => (b'\n', 2),
            [b'\r', ..] => (b'\n', 1),
            [byte, ..] => (*byte, 1),
        };
        self.text = &self.text[taken..];
        Some(byte)
    }
}

/// Whether two texts differ only in letters that one side writes as a letter and combining marks, the other in one character.
///
/// A heuristic without tables: which letter and mark make up which character is not checked, only that the one side has more marks
/// and the other a letter outside ASCII in its place. Precomposed Hangul stands for two or three conjoining letters.
fn equal_but_for_composition(a: &[u8], b: &[u8]) -> bool {
    let (mut a, mut b) = (Clusters { text: a }, Clusters { text: b });
    loop {
        match (a.next(), b.next()) {
            (None, None) => return true,
            (Some(x), Some(y)) if x.text == y.text || is_composition(&x, &y) || is_composition(&y, &x) => {}
            _ => return false,
        }
    }
}

/// Where the cluster that byte `at` belongs to begins, or a few characters after that where it has many marks.
fn cluster_start(text: &[u8], at: usize) -> usize {
    const MOST_MARKS: usize = 8;
    let mut start = char_start(text, at.saturating_sub(1));
    for _ in 0..MOST_MARKS {
        let joins = text.get(start..).and_then(first_char).is_some_and(|(c, _)| is_mark(c) || is_jamo(c));
        if !joins || start == 0 {
            break;
        }
        start = char_start(text, start - 1);
    }
    start
}

const fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36F}')
}

/// A conjoining Hangul letter.
const fn is_jamo(c: char) -> bool {
    matches!(c, '\u{1100}'..='\u{11FF}')
}

fn is_composition(composed: &Cluster<'_>, apart: &Cluster<'_>) -> bool {
    let hangul = ('\u{AC00}'..='\u{D7A3}').contains(&composed.base) && is_jamo(apart.base);
    hangul || (composed.marks < apart.marks && !composed.base.is_ascii() && composed.base.is_alphabetic())
}

/// A letter with the combining marks after it.
struct Cluster<'a> {
    text: &'a [u8],
    base: char,
    marks: usize,
}

/// The clusters of a text, up to the first byte that is no UTF-8.
struct Clusters<'a> {
    text: &'a [u8],
}

impl<'a> Iterator for Clusters<'a> {
    type Item = Cluster<'a>;

    fn next(&mut self) -> Option<Cluster<'a>> {
        let all = self.text;
        let (base, mut len) = match first_char(all) {
            Some(first) => first,
            None if all.is_empty() => return None,
            None => (char::REPLACEMENT_CHARACTER, 1),
        };
        let mut marks = 0;
        while let Some((char, bytes)) = first_char(&all[len..]) {
            let joins = is_mark(char) || (is_jamo(base) && is_jamo(char) && char >= '\u{1160}');
            if !joins {
                break;
            }
            marks += 1;
            len += bytes;
        }
        self.text = &all[len..];
        Some(Cluster { text: &all[..len], base, marks })
    }
}

/// The run of characters without white space and quotes around byte `at`, bounded.
fn run(text: &[u8], at: usize) -> &[u8] {
    let at = at.min(text.len());
    let near = &text[at.saturating_sub(TOKEN)..text.len().min(at + TOKEN)];
    let at = at - at.saturating_sub(TOKEN);
    let ends = |byte: &u8| {
        byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b'`' | b',' | b';' | b'(' | b')' | b'<' | b'>')
    };
    let start = near[..at].iter().rposition(ends).map_or(0, |byte| byte + 1);
    let end = near[at..].iter().position(ends).map_or(near.len(), |byte| at + byte);
    &near[start..end]
}

fn is_temp_path(run: &[u8]) -> bool {
    const PLACES: [&[u8]; 4] = [b"/tmp/", b"/var/folders/", b"pytest-of-", br"\Temp\"];
    PLACES.iter().any(|place| memchr::memmem::find(run, place).is_some())
}

/// A regular expression for two random tokens of one make: what they share up to a separator as it is, the rest as a class with a length.
///
/// Only for rests of at least six characters with a digit in each: short or wordy differences are meant.
fn pattern(a: &[u8], b: &[u8]) -> Option<String> {
    const SHORTEST: usize = 6;
    if !secrets::scan(a).is_empty() || !secrets::scan(b).is_empty() || a.len().max(b.len()) > 128 {
        return None;
    }
    let (a, b) = (trim(a), trim(b));
    let shared = a.iter().zip(b).take_while(|(x, y)| x == y).count();
    let start = a[..shared].iter().rposition(|byte| !byte.is_ascii_alphanumeric()).map_or(0, |byte| byte + 1);
    let (left, right) = (&a[start..], &b[start..]);
    let shared = left.iter().rev().zip(right.iter().rev()).take_while(|(x, y)| x == y).count();
    let suffix = &left[left.len() - shared..];
    let suffix = suffix.iter().position(|byte| !byte.is_ascii_alphanumeric()).map_or(&b""[..], |byte| &suffix[byte..]);
    let (left, right) = (&left[..left.len() - suffix.len()], &right[..right.len() - suffix.len()]);

    let random = |token: &[u8]| token.len() >= SHORTEST && token.iter().any(u8::is_ascii_digit);
    if !random(left) || !random(right) {
        return None;
    }
    let both = |test: fn(&u8) -> bool| left.iter().chain(right).all(test);
    let class = if both(u8::is_ascii_digit) {
        "[0-9]"
    } else if both(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        "[0-9a-f]"
    } else if both(u8::is_ascii_alphanumeric) {
        "[0-9A-Za-z]"
    } else {
        return None;
    };
    let (min, max) = (left.len().min(right.len()), left.len().max(right.len()));
    let count = if min == max { format!("{{{min}}}") } else { format!("{{{min},{max}}}") };
    Some(format!("{}{class}{count}{}", literal(&a[..start])?, literal(suffix)?))
}

/// `token` without punctuation of the sentence around it.
fn trim(token: &[u8]) -> &[u8] {
    let is_edge = |byte: &u8| !byte.is_ascii_alphanumeric();
    let start = token.iter().position(|byte| !is_edge(byte)).unwrap_or(token.len());
    let end = token.iter().rposition(|byte| !is_edge(byte)).map_or(start, |byte| byte + 1);
    &token[start..end]
}

/// `text` as a regular expression that matches itself, where it needs no more than an escaped full stop.
fn literal(text: &[u8]) -> Option<String> {
    let mut out = String::new();
    for byte in text {
        match byte {
            b'.' => out.push_str("\\."),
            b'_' | b'-' | b':' | b'/' | b'=' | b'#' | b'@' | b'%' => out.push(char::from(*byte)),
            _ if byte.is_ascii_alphanumeric() => out.push(char::from(*byte)),
            _ => return None,
        }
    }
    Some(out)
}
