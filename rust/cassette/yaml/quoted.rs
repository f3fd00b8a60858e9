//! Scalars in quotes (YAML 1.1, section 9.1), as libyaml scans them.

use std::borrow::Cow;

use memchr::{memchr2, memchr3};

/// A scalar in quotes, and how many bytes of the text it takes up with them.
pub(super) struct Quoted<'a> {
    pub(super) text: Cow<'a, str>,
    pub(super) len: usize,
    /// It stands on one line, as a key must.
    pub(super) one_line: bool,
}

/// Reads the scalar that `rest` begins with, after the opening `'`.
pub(super) fn single(rest: &str) -> Option<Quoted<'_>> {
    let bytes = rest.as_bytes();
    let mut out = String::new();
    let (mut start, mut one_line) = (1, true);
    loop {
        let end = start + memchr2(b'\'', b'\n', bytes.get(start..)?)?;
        if bytes[end] == b'\n' {
            one_line = false;
            out.push_str(trim_end(&rest[start..end]));
            start = fold(bytes, end, &mut out)?;
        } else if bytes.get(end + 1) == Some(&b'\'') {
            out.push_str(&rest[start..=end]);
            start = end + 2;
        } else {
            return Some(Quoted { text: finish(out, &rest[start..end], start == 1), len: end + 1, one_line });
        }
    }
}

/// Reads the scalar that `rest` begins with, after the opening `"`.
pub(super) fn double(rest: &str) -> Option<Quoted<'_>> {
    let bytes = rest.as_bytes();
    let mut out = String::new();
    let (mut start, mut one_line) = (1, true);
    loop {
        let end = start + memchr3(b'"', b'\\', b'\n', bytes.get(start..)?)?;
        match bytes[end] {
            b'"' => return Some(Quoted { text: finish(out, &rest[start..end], start == 1), len: end + 1, one_line }),
            b'\n' => {
                one_line = false;
                out.push_str(trim_end(&rest[start..end]));
                start = fold(bytes, end, &mut out)?;
            }
            _ => {
                out.push_str(&rest[start..end]);
                if bytes.get(end + 1) == Some(&b'\n') {
                    // The line goes on without a break; only empty lines behind it count.
                    one_line = false;
                    let (next, breaks) = skip_breaks(bytes, end + 1)?;
                    out.extend(std::iter::repeat_n('\n', breaks - 1));
                    start = next;
                } else {
                    start = escape(bytes, end + 1, &mut out)?;
                }
            }
        }
    }
}

fn finish(mut out: String, last: &str, whole: bool) -> Cow<'_, str> {
    if whole {
        return Cow::Borrowed(last);
    }
    out.push_str(last);
    Cow::Owned(out)
}

fn trim_end(line: &str) -> &str {
    line.trim_end_matches([' ', '\t'])
}

/// One line break is a space, each further one a line feed. Returns where the text goes on.
fn fold(bytes: &[u8], at: usize, out: &mut String) -> Option<usize> {
    let (next, breaks) = skip_breaks(bytes, at)?;
    if breaks == 1 {
        out.push(' ');
    } else {
        out.extend(std::iter::repeat_n('\n', breaks - 1));
    }
    Some(next)
}

/// Skips line breaks and the blanks around them. `None` at a document marker, which may not stand in a scalar.
fn skip_breaks(bytes: &[u8], mut at: usize) -> Option<(usize, usize)> {
    let mut breaks = 0;
    while bytes.get(at) == Some(&b'\n') {
        breaks += 1;
        at += 1;
        if matches!(bytes.get(at..at + 3), Some(b"---" | b"...")) {
            return None;
        }
        while matches!(bytes.get(at), Some(b' ' | b'\t')) {
            at += 1;
        }
    }
    Some((at, breaks))
}

/// Writes what the escape at `at` (after the backslash) stands for. Returns where the text goes on.
fn escape(bytes: &[u8], at: usize, out: &mut String) -> Option<usize> {
    let digits = match *bytes.get(at)? {
        b'x' => 2,
        b'u' => 4,
        b'U' => 8,
        plain => {
            out.push(match plain {
                b'0' => '\0',
                b'a' => '\x07',
                b'b' => '\x08',
                b't' | b'\t' => '\t',
                b'n' => '\n',
                b'v' => '\x0b',
                b'f' => '\x0c',
                b'r' => '\r',
                b'e' => '\x1b',
                b' ' | b'"' | b'/' | b'\\' => char::from(plain),
                b'N' => '\u{85}',
                b'_' => '\u{a0}',
                b'L' => '\u{2028}',
                b'P' => '\u{2029}',
                _ => return None,
            });
            return Some(at + 1);
        }
    };
    let mut code = 0_u32;
    for &digit in bytes.get(at + 1..=at + digits)? {
        code = code.checked_mul(16)? + char::from(digit).to_digit(16)?;
    }
    // A surrogate is no character; libyaml refuses it too, and says where.
    out.push(char::from_u32(code)?);
    Some(at + 1 + digits)
}
