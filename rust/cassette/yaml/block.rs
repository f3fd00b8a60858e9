//! Literal and folded block scalars (YAML 1.1, section 9.3), as libyaml scans them.

use memchr::memchr;

/// What to do with the line breaks at the end.
#[derive(Clone, Copy, PartialEq)]
enum Chomp {
    Strip,
    Clip,
    Keep,
}

struct Header {
    folded: bool,
    chomp: Chomp,
    /// The indentation, relative to the parent's, where it is told.
    indent: Option<usize>,
    len: usize,
}

/// Reads the scalar that `rest` begins with, inside a collection that is indented by `parent`: its text and its length, up to the start of
/// the next line that is not its own.
pub(super) fn scalar(rest: &str, parent: usize) -> Option<(String, usize)> {
    let mut text = String::new();
    let len = walk(rest, parent, &mut text)?;
    Some((text, len))
}

/// As [`scalar`], of one whose indentation and line breaks say nothing: its lines as they stand there, how many bytes they have without
/// those, and its length.
pub(super) fn span(rest: &str, parent: usize) -> Option<(&str, usize, usize)> {
    let mut letters = Letters(0);
    let len = walk(rest, parent, &mut letters)?;
    let start = memchr(b'\n', rest.as_bytes())?;
    Some((&rest[start..len], letters.0, len))
}

/// What becomes of the pieces of a scalar.
trait Pieces {
    fn text(&mut self, piece: &str);
    fn space(&mut self);
    fn breaks(&mut self, many: usize);
}

impl Pieces for String {
    fn text(&mut self, piece: &str) {
        self.push_str(piece);
    }

    fn space(&mut self) {
        self.push(' ');
    }

    fn breaks(&mut self, many: usize) {
        self.extend(std::iter::repeat_n('\n', many));
    }
}

/// Counts what is no indentation and no line break.
struct Letters(usize);

impl Pieces for Letters {
    fn text(&mut self, piece: &str) {
        self.0 += piece.len();
    }

    fn space(&mut self) {}

    fn breaks(&mut self, _: usize) {}
}

fn walk(rest: &str, parent: usize, out: &mut impl Pieces) -> Option<usize> {
    let header = header(rest.as_bytes())?;
    let bytes = rest.as_bytes();
    let indent = match header.indent {
        Some(more) => parent + more,
        None => detect(bytes, header.len, parent)?,
    };
    let mut at = header.len;
    // Line breaks read and not yet written: what becomes of them depends on the line that follows.
    let (mut breaks, mut any, mut blank_before) = (0, false, false);
    while at < bytes.len() {
        let column = spaces(bytes, at, indent);
        let start = at + column;
        match bytes.get(start)? {
            b'\n' => {
                breaks += 1;
                at = start + 1;
                continue;
            }
            b'\t' if column < indent => return None,
            _ if column < indent => break,
            first => {
                let blank = matches!(first, b' ' | b'\t');
                if header.folded && any && !blank && !blank_before {
                    if breaks == 1 {
                        out.space();
                    }
                    breaks -= 1;
                }
                blank_before = blank;
            }
        }
        out.breaks(breaks);
        let end = start + memchr(b'\n', &bytes[start..])?;
        out.text(&rest[start..end]);
        (at, breaks, any) = (end + 1, 1, true);
    }
    match header.chomp {
        Chomp::Strip => {}
        Chomp::Clip => out.breaks(usize::from(any)),
        Chomp::Keep => out.breaks(breaks),
    }
    Some(at)
}

fn header(bytes: &[u8]) -> Option<Header> {
    let mut header = Header { folded: bytes.first()? == &b'>', chomp: Chomp::Clip, indent: None, len: 1 };
    loop {
        match bytes.get(header.len)? {
            b'+' if header.chomp == Chomp::Clip => header.chomp = Chomp::Keep,
            b'-' if header.chomp == Chomp::Clip => header.chomp = Chomp::Strip,
            digit @ b'1'..=b'9' if header.indent.is_none() => header.indent = Some(usize::from(digit - b'0')),
            b'\n' => {
                header.len += 1;
                return Some(header);
            }
            _ => return None,
        }
        header.len += 1;
    }
}

/// The indentation of the first line with text. Emptier lines before it may not be indented more.
fn detect(bytes: &[u8], mut at: usize, parent: usize) -> Option<usize> {
    let mut deepest = 0;
    loop {
        let column = spaces(bytes, at, usize::MAX);
        match bytes.get(at + column) {
            Some(b'\n') => {
                deepest = deepest.max(column);
                at += column + 1;
            }
            Some(b'\t') => return None,
            Some(_) if column > parent => return (deepest <= column).then_some(column),
            // No text at all.
            _ => return Some(deepest.max(parent + 1)),
        }
    }
}

/// How many spaces stand at `at`, up to `most`.
fn spaces(bytes: &[u8], at: usize, most: usize) -> usize {
    bytes[at..].iter().take(most).take_while(|&&byte| byte == b' ').count()
}
