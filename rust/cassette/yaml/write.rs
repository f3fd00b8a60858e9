//! Scalars of a cassette file, laid out for people: text of several lines as a literal block, so that a diff shows the line that changed.

use super::{Event, plain, read};
use memchr::memchr2;
use std::borrow::Cow;

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
    on_one_line(out, name);
    out.push(':');
    true
}

/// Writes a text as the value of a node inside a collection that is indented by `indent`.
pub fn text(out: &mut String, value: &str, indent: usize) {
    if value.contains('\n') && is_literal(value) {
        block(out, value, indent);
    } else {
        on_one_line(out, value);
    }
}

/// Writes bytes that are no text.
pub fn binary(out: &mut String, bytes: &[u8], indent: usize) {
    let digits = base64_simd::STANDARD.encode_to_string(bytes);
    out.reserve(digits.len() + digits.len() / LINE * (indent + 3) + 16);
    out.push_str("!!binary |");
    let mut rest = digits.as_str();
    while !rest.is_empty() {
        let (line, more) = rest.split_at(rest.len().min(LINE));
        next_line(out, indent + 2);
        out.push_str(line);
        rest = more;
    }
}

/// Starts a line that is indented by `indent`.
pub fn next_line(out: &mut String, indent: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n(' ', indent));
}

/// Whether a literal block carries a text unchanged: no line break but `\n`, nothing unprintable, no space where it would be lost or read as
/// indentation.
fn is_literal(value: &str) -> bool {
    let bytes = value.as_bytes();
    !bytes[0].is_ascii_whitespace()
        && !matches!(bytes[bytes.len() - 1], b' ' | b'\t')
        && read::is_printable(bytes)
        && memchr::memchr_iter(b'\n', bytes).all(|at| at == 0 || !matches!(bytes[at - 1], b' ' | b'\t'))
}

fn block(out: &mut String, value: &str, indent: usize) {
    out.push('|');
    let body = value.trim_end_matches('\n');
    match value.len() - body.len() {
        0 => out.push('-'),
        1 => {}
        _ => out.push('+'),
    }
    out.reserve(value.len());
    for line in body.split('\n') {
        if line.is_empty() {
            out.push('\n');
        } else {
            next_line(out, indent + 2);
            out.push_str(line);
        }
    }
    // The last of them ends the last line of the block itself.
    out.extend(std::iter::repeat_n('\n', (value.len() - body.len()).saturating_sub(1)));
}

fn on_one_line(out: &mut String, value: &str) {
    if memchr2(b'\n', b'\t', value.as_bytes()).is_some() || !read::is_printable(value.as_bytes()) {
        double(out, value);
    } else if is_plain(value) {
        out.push_str(value);
    } else {
        out.reserve(value.len() + value.len() / 64 + 2);
        out.push('\'');
        for (number, part) in value.split('\'').enumerate() {
            if number > 0 {
                out.push_str("''");
            }
            out.push_str(part);
        }
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
        && !value.contains(": ")
        && !value.contains(" #")
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
