//! Where the delimiter lines, the part headers and the payloads of a multipart body are: RFC 2046, section 5.1.

use std::ops::Range;

use memchr::memmem::Finder;

use super::content_type::{ContentType, is_multipart, is_token, trim};
use super::names;
use crate::error::{Error, ErrorKind};

/// How many multiparts may stand in one another and still be told apart; a deeper one is the payload of its part.
///
/// Each level reads its bytes again, so this also bounds the work per byte of a hostile body. Real bodies have two
/// levels.
pub const MAX_NESTING: usize = 16;

/// A multipart body as byte ranges, all in the order of the body.
pub(super) struct Structure {
    /// The body itself first, then each well-formed nested multipart.
    pub(super) multiparts: Vec<Multipart>,
    /// The parts that are not multiparts themselves.
    pub(super) leaves: Vec<Leaf>,
    /// The first byte of each line that looks like a delimiter line of our own making, whether it is one or not.
    pub(super) claims: Vec<usize>,
}

/// A multipart whose closing delimiter line was found.
pub(super) struct Multipart {
    /// Where its boundary stands in delimiter lines.
    pub(super) boundaries: Vec<Range<usize>>,
    /// Where a nested one announces itself.
    pub(super) part: Option<Part>,
}

/// A part of a multipart, whatever it holds.
pub(super) struct Part {
    /// The header lines, with the last one's line end but without the empty line that ends them.
    pub(super) headers: Range<usize>,
    pub(super) payload: Range<usize>,
    /// The value of its `Content-Type` header.
    pub(super) content_type: Option<Range<usize>>,
}

/// A part that is not a multipart itself, or not a well-formed one.
pub(super) type Leaf = Part;

struct Task {
    part: Part,
    boundary: Vec<u8>,
    depth: usize,
}

impl Structure {
    /// Reads `body`, whose outermost boundary is `boundary`.
    pub(super) fn read(body: &[u8], boundary: &[u8]) -> Result<Self, Error> {
        let finder = Finder::new(b"\n--");
        let mut claims = Vec::new();
        let outer = delimiters(body, 0..body.len(), boundary, &finder, |line| claims.push(line))?;
        let mut read = Self { multiparts: Vec::new(), leaves: Vec::new(), claims };
        let mut tasks = Vec::new();
        read.add(body, &outer, None, 1, &mut tasks);
        while let Some(Task { part, boundary, depth }) = tasks.pop() {
            match delimiters(body, part.payload.clone(), &boundary, &finder, |_| ()) {
                Ok(found) => read.add(body, &found, Some(part), depth + 1, &mut tasks),
                Err(_) => read.leaves.push(part),
            }
        }
        read.leaves.sort_by_key(|leaf| leaf.payload.start);
        Ok(read)
    }

    /// Takes in a multipart: its parts are leaves at once, or tasks still to be read (the first one on top).
    fn add(&mut self, body: &[u8], found: &[Delimiter], part: Option<Part>, depth: usize, tasks: &mut Vec<Task>) {
        self.multiparts.push(Multipart { boundaries: found.iter().map(|d| d.boundary.clone()).collect(), part });
        let waiting = tasks.len();
        for pair in found.windows(2) {
            let [before, after] = pair else { continue };
            let part = Part::read(body, before.next..after.break_start.max(before.next));
            match part.nested_boundary(body).filter(|_| depth < MAX_NESTING) {
                Some(boundary) => tasks.push(Task { part, boundary, depth }),
                None => self.leaves.push(part),
            }
        }
        tasks[waiting..].reverse();
    }
}

impl Part {
    fn read(body: &[u8], range: Range<usize>) -> Self {
        let mut at = range.start;
        let mut content_type = None;
        while at < range.end {
            let end = header_end(body, at, range.end);
            if is_empty_line(&body[at..end]) {
                return Self { headers: range.start..at, payload: end..range.end, content_type };
            }
            let Some(colon) = header_colon(body, at..end) else { break };
            if content_type.is_none() && body[at..colon].eq_ignore_ascii_case(b"content-type") {
                content_type = Some(trim(body, colon + 1..end));
            }
            at = end;
        }
        // The empty line is missing: a part of headers alone (RFC 2046 allows it), or of a payload alone (sloppy, but
        // sent).
        Self { headers: range.start..at, payload: at..range.end, content_type }
    }

    /// The boundary of the multipart that this part says it is.
    fn nested_boundary(&self, body: &[u8]) -> Option<Vec<u8>> {
        let value = &body[self.content_type.clone()?];
        if !is_multipart(value) {
            return None;
        }
        let header = ContentType::parse(std::str::from_utf8(value).ok()?).ok()?;
        header.boundary().ok().map(std::borrow::Cow::into_owned)
    }

    /// Where the value of the first header called `name` is.
    pub(super) fn header(&self, body: &[u8], name: &[u8]) -> Option<Range<usize>> {
        let mut at = self.headers.start;
        while at < self.headers.end {
            let end = header_end(body, at, self.headers.end);
            let colon = header_colon(body, at..end)?;
            if body[at..colon].eq_ignore_ascii_case(name) {
                return Some(trim(body, colon + 1..end));
            }
            at = end;
        }
        None
    }
}

/// The offset after the header that starts at `at`: after its line end, and after the lines folded into it.
fn header_end(body: &[u8], mut at: usize, limit: usize) -> usize {
    let first = at;
    loop {
        let end = memchr::memchr(b'\n', &body[at..limit]).map_or(limit, |i| at + i + 1);
        let folds = body[end..limit].first().is_some_and(|b| matches!(b, b' ' | b'\t'));
        if !folds || (at == first && is_empty_line(&body[at..end])) {
            return end;
        }
        at = end;
    }
}

/// Whether this line, with its line end, ends the headers.
fn is_empty_line(line: &[u8]) -> bool {
    matches!(line, b"\r\n" | b"\n")
}

fn header_colon(body: &[u8], line: Range<usize>) -> Option<usize> {
    let colon = line.start + memchr::memchr(b':', &body[line.clone()])?;
    is_token(&body[line.start..colon]).then_some(colon)
}

/// A delimiter line.
struct Delimiter {
    /// Where the line break before it starts, which belongs to the delimiter and not to the payload.
    break_start: usize,
    boundary: Range<usize>,
    /// The offset after its line end.
    next: usize,
}

/// The delimiter lines of `boundary` in `body[range]`, the closing one last. `claim` gets each line up to there that
/// starts like one of our own.
///
/// The search is for `\n--` and not for the boundary: one pass over a payload of megabytes then answers both questions,
/// whether a delimiter stands there and whether a boundary of ours would be taken for one.
fn delimiters(
    body: &[u8],
    range: Range<usize>,
    boundary: &[u8],
    finder: &Finder<'_>,
    mut claim: impl FnMut(usize),
) -> Result<Vec<Delimiter>, Error> {
    let text = &body[..range.end];
    let mut found = Vec::new();
    // Of a body whose first delimiter line ends in CRLF, a delimiter stands after CRLF only: a bare LF may be payload.
    let mut crlf = false;
    let first = text[range.start..].starts_with(b"--").then_some(range.start);
    for line in first.into_iter().chain(finder.find_iter(&text[range.start..]).map(|at| range.start + at + 1)) {
        let rest = &text[line + 2..];
        if rest.starts_with(names::STEM) {
            claim(line);
        }
        let Some(tail) = rest.strip_prefix(boundary) else { continue };
        let closing = tail.starts_with(b"--");
        let tail = if closing { &tail[2..] } else { tail };
        let padding = tail.iter().position(|b| !matches!(b, b' ' | b'\t')).unwrap_or(tail.len());
        let end = match tail[padding..] {
            [] => 0,
            [b'\n', ..] => 1,
            [b'\r', b'\n', ..] => 2,
            _ => continue,
        };
        let line_break = match line - range.start {
            0 => 0,
            2.. if text[line - 2] == b'\r' => 2,
            _ => 1,
        };
        if found.is_empty() {
            crlf = end == 2;
        } else if crlf && line_break == 1 {
            continue;
        }
        found.push(Delimiter {
            break_start: line - if crlf { line_break } else { line_break.min(1) },
            boundary: line + 2..line + 2 + boundary.len(),
            next: text.len() - tail.len() + padding + end,
        });
        if closing {
            return Ok(found);
        }
    }
    Err(if found.is_empty() {
        Error::new(ErrorKind::NoDelimiter, range.start)
    } else {
        Error::new(ErrorKind::NotClosed, range.end)
    })
}
