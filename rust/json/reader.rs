//! A pull parser: one [`Token`] at a time with its place in the source, no recursion, no allocation.
//!
//! The grammar is RFC 8259, and `NaN`, `Infinity`, `-Infinity` as Python's `json` writes them. A UTF-8 byte order mark in front is
//! passed over. Object keys may repeat; lone surrogate escapes are text.

use super::MAX_DEPTH;
use super::string::{Escapes, string_end};
use crate::error::{Error, ErrorKind};

const BOM: &[u8] = b"\xEF\xBB\xBF";

/// What a [`Token`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// `{`
    ObjectStart,
    /// `}`
    ObjectEnd,
    /// `[`
    ArrayStart,
    /// `]`
    ArrayEnd,
    /// The key of the next value; its colon has been read, but is not part of the token.
    Key(Escapes),
    /// A string value.
    String(Escapes),
    /// A number, or one of `NaN`, `Infinity`, `-Infinity`.
    Number,
    /// `true`
    True,
    /// `false`
    False,
    /// `null`
    Null,
}

/// An event and its place: `start..end` in bytes of the body, quotes of a string included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub event: Event,
    /// Offset of its first byte.
    pub start: usize,
    /// Offset after its last byte.
    pub end: usize,
}

impl Token {
    /// The source text of this token of `body`.
    #[must_use]
    pub fn source<'a>(&self, body: &'a [u8]) -> &'a [u8] {
        body.get(self.start..self.end).unwrap_or_default()
    }

    /// What stands between the quotes of a key or string, escapes as they are; the source text of anything else.
    #[must_use]
    pub fn raw<'a>(&self, body: &'a [u8]) -> &'a [u8] {
        let source = self.source(body);
        match self.event {
            Event::Key(_) | Event::String(_) => source.get(1..source.len().saturating_sub(1)).unwrap_or_default(),
            _ => source,
        }
    }
}

#[derive(Clone, Copy)]
enum Expect {
    Value,
    FirstItemOrEnd,
    FirstKeyOrEnd,
    /// After an item, a comma or `]`.
    ItemsEnd,
    /// After a member, a comma or `}`.
    MembersEnd,
    /// After the document.
    Nothing,
}

/// The parser over one body.
pub struct Reader<'a> {
    body: &'a [u8],
    at: usize,
    /// The token being read.
    start: usize,
    end: usize,
    error: Option<ErrorKind>,
    expect: Expect,
    /// What to expect after the next value.
    after_value: Expect,
    depth: usize,
    /// One bit for each open level: set for an object.
    objects: [u64; MAX_DEPTH / 64],
    comma: usize,
    colon: usize,
}

impl<'a> Reader<'a> {
    /// A parser at the start of `body`.
    ///
    /// # Errors
    /// [`ErrorKind::NotUtf8`] with the offset of the first byte that is not.
    pub fn new(body: &'a [u8]) -> Result<Self, Error> {
        simdutf8::compat::from_utf8(body).map_err(|e| Error::new(ErrorKind::NotUtf8, e.valid_up_to()))?;
        let at = if body.starts_with(BOM) { BOM.len() } else { 0 };
        Ok(Self {
            body,
            at,
            start: at,
            end: at,
            error: None,
            expect: Expect::Value,
            after_value: Expect::Nothing,
            depth: 0,
            objects: [0; MAX_DEPTH / 64],
            comma: 0,
            colon: 0,
        })
    }

    /// How many arrays and objects are open.
    #[must_use]
    pub const fn depth(&self) -> usize {
        self.depth
    }

    /// Offset of the comma read last.
    #[must_use]
    pub const fn comma(&self) -> usize {
        self.comma
    }

    /// Offset of the colon read last.
    #[must_use]
    pub const fn colon(&self) -> usize {
        self.colon
    }

    /// The next token, or `None` once, after the end of the document and nothing but white space behind it.
    ///
    /// # Errors
    /// [`ErrorKind::BadJson`] or [`ErrorKind::TooDeep`] with the offset of the byte that cannot stand there. What comes
    /// after an error has no meaning.
    // Not an `Iterator`: `Result<Option<_>>` lets a caller write `while let Some(token) = reader.next()?`.
    #[allow(clippy::should_implement_trait, reason = "`?` inside `while let` is how every caller reads")]
    #[inline]
    pub fn next(&mut self) -> Result<Option<Token>, Error> {
        match self.step() {
            Some(event) => Ok(Some(Token { event, start: self.start, end: self.end })),
            None => self.stopped(),
        }
    }

    #[cold]
    fn stopped(&self) -> Result<Option<Token>, Error> {
        self.error.map_or(Ok(None), |kind| Err(Error::new(kind, self.at)))
    }

    /// The next event, from `start` to `end`; none at the end of the document, or after an error at `at`. A result this small stays in registers: with
    /// `Result<Token, Error>` throughout, dense bodies took a tenth longer.
    #[inline]
    fn step(&mut self) -> Option<Event> {
        let byte = self.peek();
        match self.expect {
            Expect::ItemsEnd if byte == b',' => {
                let byte = self.after_comma();
                self.value(byte)
            }
            Expect::MembersEnd if byte == b',' => {
                let byte = self.after_comma();
                self.key(byte)
            }
            Expect::ItemsEnd | Expect::FirstItemOrEnd if byte == b']' => Some(self.close(Event::ArrayEnd)),
            Expect::MembersEnd | Expect::FirstKeyOrEnd if byte == b'}' => Some(self.close(Event::ObjectEnd)),
            Expect::FirstItemOrEnd | Expect::Value => self.value(byte),
            Expect::FirstKeyOrEnd => self.key(byte),
            Expect::Nothing if self.at >= self.body.len() => None,
            Expect::ItemsEnd | Expect::MembersEnd | Expect::Nothing => self.bad(ErrorKind::BadJson),
        }
    }

    /// Passes over the numbers that follow in the same array with a mere comma between them, as in embeddings and tokens; the offset after
    /// the last one. What is wrong with the next one is for [`Self::next`] to find.
    #[inline]
    pub(super) fn skip_numbers(&mut self) -> usize {
        while matches!(self.expect, Expect::ItemsEnd)
            && let Some([b',', b'-' | b'0'..=b'9']) = self.body.get(self.at..).and_then(<[u8]>::first_chunk)
            && let (end, true) = number_end(self.body, self.at + 1)
        {
            self.at = end;
        }
        self.at
    }

    #[inline]
    fn after_comma(&mut self) -> u8 {
        self.comma = self.at;
        self.at += 1;
        self.peek()
    }

    /// The next byte that is no white space, or 0 (which may stand nowhere in JSON) at the end.
    #[inline]
    fn peek(&mut self) -> u8 {
        loop {
            match self.body.get(self.at) {
                Some(&byte) if byte > b' ' => return byte,
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                Some(&byte) => return byte,
                None => return 0,
            }
        }
    }

    #[cold]
    fn bad(&mut self, kind: ErrorKind) -> Option<Event> {
        self.error = Some(kind);
        None
    }

    #[inline]
    fn value(&mut self, byte: u8) -> Option<Event> {
        self.start = self.at;
        let event = match byte {
            b'"' => {
                let escapes = self.string()?;
                Event::String(escapes)
            }
            b'{' | b'[' => return self.open(byte),
            b'-' | b'0'..=b'9' => {
                let (end, complete) = number_end(self.body, self.at);
                self.at = end;
                if !complete {
                    return self.bad(ErrorKind::BadJson);
                }
                Event::Number
            }
            b't' => self.word(b"true", Event::True)?,
            b'f' => self.word(b"false", Event::False)?,
            b'n' => self.word(b"null", Event::Null)?,
            b'N' => self.word(b"NaN", Event::Number)?,
            b'I' => self.word(b"Infinity", Event::Number)?,
            _ => return self.bad(ErrorKind::BadJson),
        };
        self.end = self.at;
        self.expect = self.after_value;
        Some(event)
    }

    #[inline]
    fn word(&mut self, word: &[u8], event: Event) -> Option<Event> {
        if !self.body[self.at..].starts_with(word) {
            return self.bad(ErrorKind::BadJson);
        }
        self.at += word.len();
        Some(event)
    }

    #[inline]
    fn string(&mut self) -> Option<Escapes> {
        let (end, escapes) = string_end(self.body, self.at);
        self.at = end;
        if escapes.is_none() {
            self.bad(ErrorKind::BadJson);
        }
        escapes
    }

    #[inline]
    fn key(&mut self, byte: u8) -> Option<Event> {
        self.start = self.at;
        if byte != b'"' {
            return self.bad(ErrorKind::BadJson);
        }
        let escapes = self.string()?;
        self.end = self.at;
        if self.peek() != b':' {
            return self.bad(ErrorKind::BadJson);
        }
        self.colon = self.at;
        self.at += 1;
        self.expect = Expect::Value;
        Some(Event::Key(escapes))
    }

    #[inline]
    fn open(&mut self, byte: u8) -> Option<Event> {
        let Some(word) = self.objects.get_mut(self.depth / 64) else {
            return self.bad(ErrorKind::TooDeep);
        };
        let bit = 1 << (self.depth % 64);
        let event;
        (event, self.expect, self.after_value) = if byte == b'{' {
            *word |= bit;
            (Event::ObjectStart, Expect::FirstKeyOrEnd, Expect::MembersEnd)
        } else {
            *word &= !bit;
            (Event::ArrayStart, Expect::FirstItemOrEnd, Expect::ItemsEnd)
        };
        self.depth += 1;
        self.at += 1;
        self.end = self.at;
        Some(event)
    }

    #[inline]
    fn close(&mut self, event: Event) -> Event {
        self.start = self.at;
        self.at += 1;
        self.end = self.at;
        self.depth -= 1;
        self.after_value = match self.depth.checked_sub(1) {
            Some(level) if self.objects[level / 64] >> (level % 64) & 1 == 1 => Expect::MembersEnd,
            Some(_) => Expect::ItemsEnd,
            None => Expect::Nothing,
        };
        self.expect = self.after_value;
        event
    }
}

/// The string value that starts at `at` or after white space there, if one does.
pub(crate) fn string_at(body: &[u8], at: usize) -> Option<Token> {
    let rest = body.get(at..)?;
    let start = at + rest.iter().position(|b| !matches!(b, b' ' | b'\n' | b'\r' | b'\t'))?;
    if body.get(start) != Some(&b'"') {
        return None;
    }
    let (end, escapes) = string_end(body, start);
    Some(Token { event: Event::String(escapes?), start, end })
}

/// The offset after the number that starts at `start`, and true; or the offset of the byte that cannot stand there, and false.
#[inline]
fn number_end(body: &[u8], start: usize) -> (usize, bool) {
    let byte = |at: usize| body.get(at).copied().unwrap_or(0);
    let mut at = start;
    if byte(at) == b'-' {
        at += 1;
        if byte(at) == b'I' {
            let word = b"Infinity";
            return if body[at..].starts_with(word) { (at + word.len(), true) } else { (at, false) };
        }
    }
    let mut first = at;
    at = if byte(at) == b'0' { at + 1 } else { digits_end(body, at) };
    if byte(at) == b'.' && at > first {
        first = at + 1;
        at = digits_end(body, first);
    }
    if matches!(byte(at), b'e' | b'E') && at > first {
        first = at + 1;
        if matches!(byte(first), b'+' | b'-') {
            first += 1;
        }
        at = digits_end(body, first);
    }
    (at, at > first)
}

/// The offset after the digits at `at`, eight at a time: embeddings and log probabilities are mostly digits.
#[inline]
fn digits_end(body: &[u8], mut at: usize) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    while let Some(word) = body.get(at..).and_then(<[u8]>::first_chunk) {
        // A digit becomes 0 to 9; of anything else, the sum or the byte itself has the top bit. No sum carries.
        let word = u64::from_le_bytes(*word) ^ (ONES * 0x30);
        let others = (((word & (ONES * 0x7F)) + ONES * 0x76) | word) & (ONES * 0x80);
        if others != 0 {
            return at + others.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    while body.get(at).is_some_and(u8::is_ascii_digit) {
        at += 1;
    }
    at
}
