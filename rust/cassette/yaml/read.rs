//! The block structure of a document, as a flat list of events.

use std::borrow::Cow;

use base64_simd::STANDARD_NO_PAD;
use memchr::{memchr, memchr_iter};

use super::{Base64, block, plain, quoted};

/// Collections are nested no deeper than this; cassettes are nested seven deep.
const MAX_DEPTH: usize = 64;

/// libyaml's limit for a key that is not announced by `?`.
const MAX_KEY: usize = 1000;

/// A node, or what is to be known of the next one.
#[derive(Debug, PartialEq)]
pub enum Event<'a> {
    /// A mapping of so many entries: the keys and values follow in turns.
    Map(usize),
    /// A sequence of so many items, which follow.
    Seq(usize),
    /// `null`
    Null,
    /// `true`, `yes`, `on` …
    Bool(bool),
    /// An integer in its plain form.
    Int(i64),
    /// Text.
    Str(Cow<'a, str>),
    /// A plain scalar that may be a number, a date or text: `PyYAML` knows.
    Plain(Cow<'a, str>),
    /// `!!binary`
    Binary(Base64<'a>),
    /// The next node is a collection that aliases will point to, by this number: they are counted from 0.
    Anchor(usize),
    /// The node of this anchor again.
    Alias(usize),
}

/// The events of a document, or `None` where it has anything that this reader does not know.
#[must_use]
pub fn read(data: &[u8]) -> Option<Vec<Event<'_>>> {
    if !data.ends_with(b"\n") || !is_printable(data) {
        return None;
    }
    let text = simdutf8::basic::from_utf8(data).ok()?;
    let mut reader =
        Reader { text, bytes: text.as_bytes(), at: 0, column: None, events: Vec::new(), anchors: Vec::new() };
    if text.starts_with("---\n") {
        reader.at = 4;
    }
    reader.next_line()?;
    reader.collection(reader.column?, 0)?;
    reader.column.is_none().then_some(reader.events)
}

#[derive(Clone, Copy, PartialEq)]
enum Tag {
    None,
    Str,
    Binary,
}

struct Reader<'a> {
    text: &'a str,
    bytes: &'a [u8],
    /// Where reading goes on: between nodes, the first character of the next line that has any.
    at: usize,
    /// The column of that character; `None` at the end.
    column: Option<usize>,
    events: Vec<Event<'a>>,
    /// Name of each anchor, and whether its node is complete.
    anchors: Vec<(&'a str, bool)>,
}

impl<'a> Reader<'a> {
    fn byte(&self, at: usize) -> Option<u8> {
        self.bytes.get(at).copied()
    }

    /// Goes to the next line with something on it. Called at the start of a line.
    fn next_line(&mut self) -> Option<()> {
        loop {
            let start = self.at;
            while self.byte(self.at) == Some(b' ') {
                self.at += 1;
            }
            match self.byte(self.at) {
                Some(b'\n') => self.at += 1,
                Some(b'\t' | b'#') => return None,
                Some(_) => {
                    if self.at == start && matches!(self.bytes.get(start..start + 3), Some(b"---" | b"...")) {
                        return None;
                    }
                    self.column = Some(self.at - start);
                    return Some(());
                }
                None => {
                    self.column = None;
                    return Some(());
                }
            }
        }
    }

    /// The rest of this line must be empty.
    fn end_line(&mut self) -> Option<()> {
        self.skip_spaces();
        if self.byte(self.at)? != b'\n' {
            return None;
        }
        self.at += 1;
        self.next_line()
    }

    fn skip_spaces(&mut self) {
        while self.byte(self.at) == Some(b' ') {
            self.at += 1;
        }
    }

    fn collection(&mut self, column: usize, depth: usize) -> Option<()> {
        if self.is_item() {
            self.sequence(column, depth)
        } else if self.is_key()? {
            self.mapping(column, depth)
        } else {
            None
        }
    }

    fn is_item(&self) -> bool {
        self.byte(self.at) == Some(b'-') && matches!(self.byte(self.at + 1), Some(b' ' | b'\n'))
    }

    /// Whether a key stands here, with its colon on the same line.
    fn is_key(&self) -> Option<bool> {
        Some(match self.byte(self.at)? {
            b'\'' | b'"' => self.quoted().is_some_and(|key| key.one_line && self.ends_key(self.at + key.len)),
            _ => self.colon(self.at, self.line_end()?).is_some(),
        })
    }

    fn line_end(&self) -> Option<usize> {
        Some(self.at + memchr(b'\n', &self.bytes[self.at..])?)
    }

    fn ends_key(&self, at: usize) -> bool {
        self.byte(at) == Some(b':') && matches!(self.byte(at + 1), Some(b' ' | b'\n'))
    }

    /// The first colon of a line that ends a key.
    fn colon(&self, start: usize, end: usize) -> Option<usize> {
        memchr_iter(b':', &self.bytes[start..end]).map(|at| start + at).find(|&at| self.ends_key(at))
    }

    fn quoted(&self) -> Option<quoted::Quoted<'a>> {
        let rest = &self.text[self.at..];
        if rest.starts_with('"') { quoted::double(rest) } else { quoted::single(rest) }
    }

    fn mapping(&mut self, column: usize, depth: usize) -> Option<()> {
        if depth > MAX_DEPTH {
            return None;
        }
        let head = self.events.len();
        self.events.push(Event::Map(0));
        let mut entries = 0;
        while self.column == Some(column) && !self.is_item() {
            self.key()?;
            self.value(column, depth)?;
            entries += 1;
        }
        self.events[head] = Event::Map(entries);
        self.dedented(column)
    }

    fn dedented(&self, column: usize) -> Option<()> {
        self.column.is_none_or(|next| next <= column).then_some(())
    }

    fn key(&mut self) -> Option<()> {
        let start = self.at;
        let key = match self.byte(start)? {
            b'\'' | b'"' => {
                let key = self.quoted()?;
                self.at += key.len;
                (key.one_line && self.ends_key(self.at)).then_some(Event::Str(key.text))?
            }
            _ => {
                self.at = self.colon(start, self.line_end()?)?;
                let text = &self.text[start..self.at];
                let clean =
                    is_plain_start(text.as_bytes(), self.byte(start + 1)?) && is_plain(text) && !text.ends_with(' ');
                clean.then(|| plain::resolve(Cow::Borrowed(text)))??
            }
        };
        if self.at - start > MAX_KEY {
            return None;
        }
        self.at += 1;
        self.events.push(key);
        Some(())
    }

    /// What stands behind a key's colon, in a mapping at `column`.
    fn value(&mut self, column: usize, depth: usize) -> Option<()> {
        self.skip_spaces();
        let (tag, anchor) = self.properties()?;
        if self.byte(self.at)? != b'\n' {
            return self.scalar(column, tag, anchor);
        }
        self.at += 1;
        self.next_line()?;
        match self.column {
            Some(next) if next > column => self.anchored(tag, anchor, |reader| reader.collection(next, depth + 1)),
            // The items of a sequence may stand in the column of its key.
            Some(next) if next == column && self.is_item() => {
                self.anchored(tag, anchor, |reader| reader.sequence(column, depth + 1))
            }
            _ => self.null(tag, anchor),
        }
    }

    fn sequence(&mut self, column: usize, depth: usize) -> Option<()> {
        if depth > MAX_DEPTH {
            return None;
        }
        let head = self.events.len();
        self.events.push(Event::Seq(0));
        let mut items = 0;
        while self.column == Some(column) && self.is_item() {
            self.item(column, depth)?;
            items += 1;
        }
        self.events[head] = Event::Seq(items);
        self.dedented(column)
    }

    fn item(&mut self, column: usize, depth: usize) -> Option<()> {
        let dash = self.at;
        self.at += 1;
        self.skip_spaces();
        let (tag, anchor) = self.properties()?;
        let plain = tag == Tag::None && anchor.is_none();
        if self.byte(self.at)? == b'\n' {
            self.at += 1;
            self.next_line()?;
            return match self.column {
                Some(next) if next > column => self.anchored(tag, anchor, |reader| reader.collection(next, depth + 1)),
                _ => self.null(tag, anchor),
            };
        }
        let here = column + (self.at - dash);
        if self.is_item() {
            self.column = Some(here);
            return if plain { self.sequence(here, depth + 1) } else { None };
        }
        if !matches!(self.byte(self.at)?, b'|' | b'>' | b'*') && self.is_key()? {
            self.column = Some(here);
            // Tag and anchor would belong to the key.
            return if plain { self.mapping(here, depth + 1) } else { None };
        }
        self.scalar(column, tag, anchor)
    }

    fn null(&mut self, tag: Tag, anchor: Option<usize>) -> Option<()> {
        self.events.push(Event::Null);
        (tag == Tag::None && anchor.is_none()).then_some(())
    }

    /// A collection, and the anchor in front of it.
    fn anchored(&mut self, tag: Tag, anchor: Option<usize>, node: impl FnOnce(&mut Self) -> Option<()>) -> Option<()> {
        if tag != Tag::None {
            return None;
        }
        self.events.extend(anchor.map(Event::Anchor));
        node(self)?;
        if let Some(anchor) = anchor {
            self.anchors[anchor].1 = true;
        }
        Some(())
    }

    /// A tag, or an anchor, in front of a node. (Both at once do not occur in cassettes.)
    fn properties(&mut self) -> Option<(Tag, Option<usize>)> {
        let first = self.byte(self.at)?;
        if !matches!(first, b'!' | b'&') {
            return Some((Tag::None, None));
        }
        let word = self.word(self.at + 1);
        let tag = match (first, word) {
            (b'&', name) => {
                if !is_anchor_name(name) || self.anchors.iter().any(|(known, _)| *known == name) {
                    return None;
                }
                self.anchors.push((name, false));
                Tag::None
            }
            (_, "!binary") => Tag::Binary,
            (_, "!python/unicode" | "!python/str" | "!str") => Tag::Str,
            _ => return None,
        };
        self.at += 1 + word.len();
        self.skip_spaces();
        Some((tag, (first == b'&').then(|| self.anchors.len() - 1)))
    }

    /// What stands at `at`, up to a space or the end of the line.
    fn word(&self, at: usize) -> &'a str {
        let rest = &self.text[at..];
        &rest[..rest.find([' ', '\n']).unwrap_or(rest.len())]
    }

    /// A scalar, an alias or an empty collection, in a collection at `column`.
    fn scalar(&mut self, column: usize, tag: Tag, anchor: Option<usize>) -> Option<()> {
        // An anchored scalar would have to be built as what each of its aliases stands for; PyYAML's dumper writes none.
        if anchor.is_some() {
            return None;
        }
        let event = match self.byte(self.at)? {
            b'\'' | b'"' => {
                let scalar = self.quoted()?;
                self.at += scalar.len;
                self.end_line()?;
                Event::Str(scalar.text)
            }
            b'|' | b'>' if tag == Tag::Binary => {
                let (lines, digits, len) = block::span(&self.text[self.at..], column)?;
                self.at += len;
                self.next_line()?;
                self.events.push(Event::Binary(Base64::block(lines, digits)));
                return Some(());
            }
            b'|' | b'>' => {
                let (text, len) = block::scalar(&self.text[self.at..], column)?;
                self.at += len;
                self.next_line()?;
                Event::Str(Cow::Owned(text))
            }
            b'*' if tag == Tag::None => {
                let name = self.word(self.at + 1);
                let anchor = self.anchors.iter().position(|&(known, complete)| complete && known == name)?;
                self.at += 1 + name.len();
                self.end_line()?;
                Event::Alias(anchor)
            }
            open @ (b'[' | b'{') if tag == Tag::None => {
                let close = if open == b'[' { b']' } else { b'}' };
                if self.byte(self.at + 1)? != close {
                    return None;
                }
                self.at += 2;
                self.end_line()?;
                if open == b'[' { Event::Seq(0) } else { Event::Map(0) }
            }
            _ => {
                let text = self.plain(column)?;
                if tag == Tag::None { plain::resolve(text)? } else { Event::Str(text) }
            }
        };
        self.events.push(match (tag, event) {
            (Tag::Binary, Event::Str(text)) => Event::Binary(Base64::flow(&text)),
            (Tag::None | Tag::Str, event) => event,
            (Tag::Binary, _) => return None,
        });
        Some(())
    }

    /// A plain scalar: its lines, until one that is not indented more than the collection at `column`.
    fn plain(&mut self, column: usize) -> Option<Cow<'a, str>> {
        if !is_plain_start(&self.bytes[self.at..], self.byte(self.at + 1)?) {
            return None;
        }
        let mut text = Cow::Borrowed(self.plain_line()?);
        loop {
            let line = self.at;
            self.next_line()?;
            if self.column.is_none_or(|next| next <= column) {
                return Some(text);
            }
            let empty = memchr_iter(b'\n', &self.bytes[line..self.at]).count();
            let out = text.to_mut();
            if empty == 0 {
                out.push(' ');
            } else {
                out.extend(std::iter::repeat_n('\n', empty));
            }
            out.push_str(self.plain_line()?);
        }
    }

    /// The rest of a line as part of a plain scalar; goes to the start of the next.
    fn plain_line(&mut self) -> Option<&'a str> {
        let end = self.line_end()?;
        let line = self.text[self.at..end].trim_end_matches(' ');
        self.at = end + 1;
        (is_plain(line) && !line.ends_with(':')).then_some(line)
    }
}

/// Whether a plain scalar can begin so (YAML 1.1, section 9.1.3).
fn is_plain_start(rest: &[u8], second: u8) -> bool {
    match rest.first() {
        Some(b'-' | b'?' | b':') => !matches!(second, b' ' | b'\n'),
        Some(
            b',' | b'[' | b']' | b'{' | b'}' | b'#' | b'&' | b'*' | b'!' | b'|' | b'>' | b'\'' | b'"' | b'%' | b'@'
            | b'`',
        )
        | None => false,
        Some(_) => true,
    }
}

/// Whether nothing on a line ends a plain scalar: a colon or a comment. (Tabs are left to `PyYAML`.)
fn is_plain(line: &str) -> bool {
    let bytes = line.as_bytes();
    memchr(b'\t', bytes).is_none()
        && memchr_iter(b':', bytes).all(|at| bytes.get(at + 1) != Some(&b' '))
        && memchr_iter(b'#', bytes).all(|at| at > 0 && bytes[at - 1] != b' ')
}

fn is_anchor_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

/// So much of a file is asked at once whether it is base64.
const BLOCK: usize = 16 << 10;

/// Whether every character is one that libyaml takes as it is: printable, and no line break but `\n`.
pub(super) fn is_printable(bytes: &[u8]) -> bool {
    // Files of megabytes are mostly base64 on one line, which base64-simd recognises four times as fast.
    bytes.chunks(BLOCK).enumerate().all(|(number, block)| {
        (block.len() == BLOCK && !block[..64].contains(&b' ') && STANDARD_NO_PAD.check(block).is_ok())
            || is_block_printable(bytes, number * BLOCK, block)
    })
}

/// The same of the part of `bytes` that starts at `start`: piece by piece, and only what may hold something else is looked at closely.
fn is_block_printable(bytes: &[u8], start: usize, block: &[u8]) -> bool {
    block.chunks(256).enumerate().all(|(number, piece)| {
        let at = start + number * 256;
        let end = at + piece.len();
        is_printable_ascii(piece)
            || bytes.get(at..=end).is_some_and(|piece| !looks_odd(piece))
            || (at..end).all(|at| is_printable_at(bytes, at))
    })
}

// Both without a branch a byte, so that the compiler makes vectors of them.

#[allow(clippy::needless_bitwise_bool, reason = "branches keep the compiler from making vectors of the loop")]
fn is_printable_ascii(bytes: &[u8]) -> bool {
    !bytes.iter().fold(false, |odd, &byte| odd | ((byte.cast_signed() < 0x20) & (byte != b'\n')) | (byte == 0x7f))
}

/// Whether there may be a character that is not printable, or a line break but `\n`; tabs look like one, and few others.
///
/// By its first byte alone, a dash or a typographic quote would look like a line break, and prose is full of those.
#[allow(clippy::needless_bitwise_bool, reason = "branches keep the compiler from making vectors of the loop")]
fn looks_odd(bytes: &[u8]) -> bool {
    bytes.iter().zip(&bytes[1..]).fold(false, |odd, (&byte, &next)| {
        odd | ((byte < b' ') & (byte != b'\n'))
            | (byte == 0x7f)
            | ((byte == 0xc2) & (next < 0xa0))
            // The end of U+2028 and U+2029.
            | ((byte == 0x80) & (next & 0xfe == 0xa8))
            // 0xbb or 0xbf.
            | ((byte == 0xef) & (next & 0xfb == 0xbb))
    })
}

fn is_printable_at(bytes: &[u8], at: usize) -> bool {
    let next = |ahead: usize| bytes.get(at + ahead).copied().unwrap_or(0);
    match bytes[at] {
        b'\n' | b'\t' => true,
        0..b' ' | 0x7f => false,
        // C1 controls, of which U+0085 is a line break.
        0xc2 => next(1) >= 0xa0,
        // U+2028 and U+2029, line breaks too.
        0xe2 => !(next(1) == 0x80 && matches!(next(2), 0xa8 | 0xa9)),
        // U+FEFF, U+FFFE and U+FFFF.
        0xef => !((next(1) == 0xbb && next(2) == 0xbf) || (next(1) == 0xbf && matches!(next(2), 0xbe | 0xbf))),
        _ => true,
    }
}
