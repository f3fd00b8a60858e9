//! Scalars of a cassette file, laid out for people: text of several lines as a literal block, so that a diff shows the line that changed.

use std::borrow::Cow;
use std::ops::Range;

use memchr::{memchr, memchr_iter, memchr2, memmem};

use super::{Event, plain, read};

/// Longer keys would have to be announced by `?`.
const MAX_KEY: usize = 120;

/// What base64 lines are long, as in MIME (RFC 2045, section 6.8) and `base64.encodebytes`.
const LINE: usize = 76;

/// Writes a key and its colon; `false`, and nothing, for one that does not fit on a line.
#[must_use]
pub fn key(out: &mut String, name: &str) -> bool {
    if name.len() > MAX_KEY || name.contains('\n') {
        return false;
    }
    on_one_line(out, name, &mut |out, passage| out.push_str(&name[passage]));
    out.push(':');
    true
}

/// Writes a text as the value of a node inside a collection that is indented by `indent`.
pub fn text(out: &mut String, value: &str, indent: usize) {
    text_around(out, value, indent, &mut |out, passage| out.push_str(&value[passage]));
}

/// As [`text`], but what stands in the file as it does in `value`, a line or all of it, is left to `put`, which may remember where it
/// belongs instead of copying it.
pub fn text_around(out: &mut String, value: &str, indent: usize, put: &mut impl FnMut(&mut String, Range<usize>)) {
    if memchr(b'\n', value.as_bytes()).is_some() && is_literal(value) {
        block(out, value, indent, put);
    } else {
        on_one_line(out, value, put);
    }
}

/// Writes bytes that are no text.
pub fn binary(out: &mut String, bytes: &[u8], indent: usize) {
    out.reserve(bytes.len().div_ceil(LINE / 4 * 3) * (LINE + indent + 3) + 16);
    out.push_str("!!binary |");
    // A few lines at once: the digits of all of it would have to be kept, too.
    for some in bytes.chunks(LINE / 4 * 3 * 256) {
        let digits = base64_simd::STANDARD.encode_to_string(some);
        let mut rest = digits.as_str();
        while !rest.is_empty() {
            let (line, more) = rest.split_at(rest.len().min(LINE));
            next_line(out, indent + 2);
            out.push_str(line);
            rest = more;
        }
    }
}

/// Starts a line that is indented by `indent`.
pub fn next_line(out: &mut String, indent: usize) {
    const BLANKS: &str = "\n                                ";
    let now = indent.min(BLANKS.len() - 1);
    out.push_str(&BLANKS[..=now]);
    out.extend(std::iter::repeat_n(' ', indent - now));
}

/// Whether a literal block carries a text unchanged: no line break but `\n`, nothing unprintable, no space where it would be lost or read as
/// indentation.
fn is_literal(value: &str) -> bool {
    let bytes = value.as_bytes();
    !bytes[0].is_ascii_whitespace()
        && !matches!(bytes[bytes.len() - 1], b' ' | b'\t')
        && (is_literal_at_first_sight(bytes) || (read::is_printable(bytes) && !has_blank_before_break(bytes)))
}

/// Whether no byte of it gives reason to look again.
#[allow(clippy::needless_bitwise_bool, reason = "without branches the loop over it vectorises")]
fn is_literal_at_first_sight(bytes: &[u8]) -> bool {
    let pairs = |some: &[u8], next: &[u8]| {
        // Without a branch a byte, so that the compiler makes vectors of it.
        some.iter().zip(next).fold(false, |odd, (&one, &then)| {
            let blank = (then == b'\n') & (one == b' ');
            odd | blank
                | ((then < b' ') & (then != b'\n'))
                | (then == 0x7f)
                | (then == 0xc2)
                | (then == 0xe2)
                | (then == 0xef)
        })
    };
    bytes[0].is_ascii_graphic() && !bytes.chunks(256).zip(bytes[1..].chunks(256)).any(|(some, next)| pairs(some, next))
}

fn has_blank_before_break(bytes: &[u8]) -> bool {
    memchr_iter(b'\n', bytes).any(|at| at > 0 && matches!(bytes[at - 1], b' ' | b'\t'))
}

fn block(out: &mut String, value: &str, indent: usize, put: &mut impl FnMut(&mut String, Range<usize>)) {
    out.push('|');
    let end = value.trim_end_matches('\n').len();
    match value.len() - end {
        0 => out.push('-'),
        1 => {}
        _ => out.push('+'),
    }
    let mut start = 0;
    for line_end in memchr_iter(b'\n', &value.as_bytes()[..end]).chain([end]) {
        if start == line_end {
            out.push('\n');
        } else {
            next_line(out, indent + 2);
            put(out, start..line_end);
        }
        start = line_end + 1;
    }
    // The last of them ends the last line of the block itself.
    out.extend(std::iter::repeat_n('\n', (value.len() - end).saturating_sub(1)));
}

fn on_one_line(out: &mut String, value: &str, put: &mut impl FnMut(&mut String, Range<usize>)) {
    if memchr2(b'\n', b'\t', value.as_bytes()).is_some() || !read::is_printable(value.as_bytes()) {
        double(out, value);
    } else if is_plain(value) {
        put(out, 0..value.len());
    } else {
        out.push('\'');
        let mut start = 0;
        for quote in memchr_iter(b'\'', value.as_bytes()) {
            put(out, start..quote);
            out.push_str("''");
            start = quote + 1;
        }
        put(out, start..value.len());
        out.push('\'');
    }
}

/// Whether a text without quotes is still this text.
fn is_plain(value: &str) -> bool {
    let bytes = value.as_bytes();
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else { return false };
    let start = match first {
        b'-' | b'?' | b':' => bytes.get(1).is_some_and(|&next| next != b' '),
        b',' | b'[' | b']' | b'{' | b'}' | b'#' | b'&' | b'*' | b'!' | b'|' | b'>' | b'\'' | b'"' | b'%' | b'@'
        | b'`' | b' ' => false,
        _ => true,
    };
    start
        && !matches!(last, b' ' | b':')
        && !value.starts_with("---")
        && !value.starts_with("...")
        && memmem::find(bytes, b": ").is_none()
        && memmem::find(bytes, b" #").is_none()
        && matches!(plain::resolve(Cow::Borrowed(value)), Some(Event::Str(_)))
}

fn double(out: &mut String, value: &str) {
    out.reserve(value.len() + value.len() / 16 + 2);
    out.push('"');
    for one in value.chars() {
        match one {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            '\0'..='\x1f' | '\x7f'..='\u{9f}' => escape(out, 'x', 2, one),
            '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => escape(out, 'u', 4, one),
            _ => out.push(one),
        }
    }
    out.push('"');
}

fn escape(out: &mut String, kind: char, digits: u32, one: char) {
    out.push('\\');
    out.push(kind);
    for place in (0..digits).rev() {
        let digit = (u32::from(one) >> (4 * place)) & 0xf;
        out.extend(char::from_digit(digit, 16).map(|digit| digit.to_ascii_uppercase()));
    }
}
