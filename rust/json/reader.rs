//! A pull parser: one [`Token`] at a time with its place in the source, no recursion, no allocation.
//!
//! The grammar is RFC 8259, and `NaN`, `Infinity`, `-Infinity` as Python's `json` writes them. A UTF-8 byte order mark in front is
//! passed over. Object keys may repeat; lone surrogate escapes are text.

use super::MAX_DEPTH;
use crate::error::{Error, ErrorKind};

const BOM: &[u8] = b"\xEF\xBB\xBF";

/// How the escapes of a string are spelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Escapes {
    /// There are none: the bytes between the quotes are the text.
    None,
    /// Each is the shortest there is for its character, and the character needs one.
    Shortest,
    /// At least one might be shorter, or be no escape at all.
    Other,
}

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
    CommaOrEnd,
}

/// The parser over one body.
pub struct Reader<'a> {
    body: &'a [u8],
    at: usize,
    expect: Expect,
    depth: usize,
    /// One bit for each open level: set for an object.
    objects: [u64; MAX_DEPTH / 64],
    in_object: bool,
    comma: usize,
    colon: usize,
}

impl<'a> Reader<'a> {
    /// A parser at the start of `body`.
    ///
    /// # Errors
    /// [`ErrorKind::NotUtf8`] with the offset of the first byte that is not.
    pub fn new(body: &'a [u8]) -> Result<Self, Error> {
        std::str::from_utf8(body).map_err(|e| Error::new(ErrorKind::NotUtf8, e.valid_up_to()))?;
        let at = if body.starts_with(BOM) { BOM.len() } else { 0 };
        Ok(Self {
            body,
            at,
            expect: Expect::Value,
            depth: 0,
            objects: [0; MAX_DEPTH / 64],
            in_object: false,
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
    /// [`ErrorKind::BadJson`] or [`ErrorKind::TooDeep`] with the offset of the byte that cannot stand there. Reading on after an
    /// error gives tokens of no meaning, but ends.
    // Not an `Iterator`: `Result<Option<_>>` lets a caller write `while let Some(token) = reader.next()?`.
    #[allow(clippy::should_implement_trait, reason = "`?` inside `while let` is how every caller reads")]
    #[inline]
    pub fn next(&mut self) -> Result<Option<Token>, Error> {
        let byte = self.peek();
        match self.expect {
            Expect::CommaOrEnd => {
                if self.depth == 0 {
                    return if self.at >= self.body.len() { Ok(None) } else { Err(self.bad()) };
                }
                match byte {
                    b',' => {
                        self.comma = self.at;
                        self.at += 1;
                        let byte = self.peek();
                        if self.in_object { self.key(byte) } else { self.value(byte) }
                    }
                    b'}' if self.in_object => Ok(self.close(Event::ObjectEnd)),
                    b']' if !self.in_object => Ok(self.close(Event::ArrayEnd)),
                    _ => Err(self.bad()),
                }
            }
            Expect::Value => self.value(byte),
            Expect::FirstKeyOrEnd if byte == b'}' => Ok(self.close(Event::ObjectEnd)),
            Expect::FirstKeyOrEnd => self.key(byte),
            Expect::FirstItemOrEnd if byte == b']' => Ok(self.close(Event::ArrayEnd)),
            Expect::FirstItemOrEnd => self.value(byte),
        }
        .map(Some)
    }

    /// The next byte that is no white space, or 0 (which may stand nowhere in JSON) at the end.
    #[inline]
    fn peek(&mut self) -> u8 {
        loop {
            match self.body.get(self.at) {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                Some(&byte) => return byte,
                None => return 0,
            }
        }
    }

    #[cold]
    fn bad(&self) -> Error {
        Error::new(ErrorKind::BadJson, self.at)
    }

    #[inline]
    fn value(&mut self, byte: u8) -> Result<Token, Error> {
        let start = self.at;
        let event = match byte {
            b'"' => {
                let (end, escapes) = string_end(self.body, start)?;
                self.at = end;
                Event::String(escapes)
            }
            b'{' => return self.open(true),
            b'[' => return self.open(false),
            b'-' | b'0'..=b'9' => {
                self.at = number_end(self.body, start)?;
                Event::Number
            }
            b't' => self.word(b"true", Event::True)?,
            b'f' => self.word(b"false", Event::False)?,
            b'n' => self.word(b"null", Event::Null)?,
            b'N' => self.word(b"NaN", Event::Number)?,
            b'I' => self.word(b"Infinity", Event::Number)?,
            _ => return Err(self.bad()),
        };
        self.expect = Expect::CommaOrEnd;
        Ok(Token { event, start, end: self.at })
    }

    #[inline]
    fn word(&mut self, word: &[u8], event: Event) -> Result<Event, Error> {
        if !self.body[self.at..].starts_with(word) {
            return Err(self.bad());
        }
        self.at += word.len();
        Ok(event)
    }

    #[inline]
    fn key(&mut self, byte: u8) -> Result<Token, Error> {
        if byte != b'"' {
            return Err(self.bad());
        }
        let start = self.at;
        let (end, escapes) = string_end(self.body, start)?;
        self.at = end;
        if self.peek() != b':' {
            return Err(self.bad());
        }
        self.colon = self.at;
        self.at += 1;
        self.expect = Expect::Value;
        Ok(Token { event: Event::Key(escapes), start, end })
    }

    #[inline]
    fn open(&mut self, object: bool) -> Result<Token, Error> {
        let start = self.at;
        let Some(word) = self.objects.get_mut(self.depth / 64) else {
            return Err(Error::new(ErrorKind::TooDeep, start));
        };
        let bit = 1 << (self.depth % 64);
        let (event, expect) = if object {
            *word |= bit;
            (Event::ObjectStart, Expect::FirstKeyOrEnd)
        } else {
            *word &= !bit;
            (Event::ArrayStart, Expect::FirstItemOrEnd)
        };
        self.depth += 1;
        self.in_object = object;
        self.expect = expect;
        self.at += 1;
        Ok(Token { event, start, end: self.at })
    }

    #[inline]
    fn close(&mut self, event: Event) -> Token {
        let start = self.at;
        self.at += 1;
        self.depth -= 1;
        self.in_object = match self.depth.checked_sub(1) {
            Some(level) => self.objects[level / 64] >> (level % 64) & 1 == 1,
            None => false,
        };
        self.expect = Expect::CommaOrEnd;
        Token { event, start, end: self.at }
    }
}

/// The string value that starts at `at` or after white space there, if one does.
pub(crate) fn string_at(body: &[u8], at: usize) -> Option<Token> {
    let rest = body.get(at..)?;
    let start = at + rest.iter().position(|b| !matches!(b, b' ' | b'\n' | b'\r' | b'\t'))?;
    if body.get(start) != Some(&b'"') {
        return None;
    }
    let (end, escapes) = string_end(body, start).ok()?;
    Some(Token { event: Event::String(escapes), start, end })
}

/// The offset after the number that starts at `start`.
#[inline]
fn number_end(body: &[u8], start: usize) -> Result<usize, Error> {
    let byte = |at: usize| body.get(at).copied().unwrap_or(0);
    let digits = |mut at: usize| {
        let first = at;
        while byte(at).is_ascii_digit() {
            at += 1;
        }
        if at == first { Err(Error::new(ErrorKind::BadJson, at)) } else { Ok(at) }
    };
    let mut at = start;
    if byte(at) == b'-' {
        at += 1;
        if byte(at) == b'I' {
            let word = b"Infinity";
            let rest = &body[at..];
            return if rest.starts_with(word) { Ok(at + word.len()) } else { Err(Error::new(ErrorKind::BadJson, at)) };
        }
    }
    at = if byte(at) == b'0' { at + 1 } else { digits(at)? };
    if byte(at) == b'.' {
        at = digits(at + 1)?;
    }
    if matches!(byte(at), b'e' | b'E') {
        at += 1;
        if matches!(byte(at), b'+' | b'-') {
            at += 1;
        }
        at = digits(at)?;
    }
    Ok(at)
}

/// The offset after the closing quote of the string whose opening quote stands at `start`.
#[inline]
fn string_end(body: &[u8], start: usize) -> Result<(usize, Escapes), Error> {
    let mut at = start + 1;
    let mut escapes = Escapes::None;
    loop {
        at = next_special(body, at);
        match body.get(at) {
            Some(b'"') => return Ok((at + 1, escapes)),
            Some(b'\\') => {
                let (length, shortest) = escape_at(body, at)?;
                if !shortest {
                    escapes = Escapes::Other;
                } else if escapes == Escapes::None {
                    escapes = Escapes::Shortest;
                }
                at += length;
            }
            _ => return Err(Error::new(ErrorKind::BadJson, at)),
        }
    }
}

/// Length of the escape at `at`, and whether it is the shortest spelling. A surrogate never counts as such: whether it is lone is
/// for [`unescape`] to find out.
#[inline]
fn escape_at(body: &[u8], at: usize) -> Result<(usize, bool), Error> {
    match body.get(at + 1) {
        Some(b'"' | b'\\' | b'b' | b'f' | b'n' | b'r' | b't') => Ok((2, true)),
        Some(b'/') => Ok((2, false)),
        Some(b'u') => {
            let Some((code, lower)) = body.get(at + 2..at + 6).and_then(hex4) else {
                return Err(Error::new(ErrorKind::BadJson, at));
            };
            Ok((6, lower && code < 0x20 && !matches!(code, 8 | 9 | 10 | 12 | 13)))
        }
        _ => Err(Error::new(ErrorKind::BadJson, at)),
    }
}

/// The value of four hexadecimal digits, and whether none of them is an upper-case letter.
#[inline]
fn hex4(digits: &[u8]) -> Option<(u32, bool)> {
    if digits.len() != 4 {
        return None;
    }
    let mut code = 0;
    let mut lower = true;
    for &digit in digits {
        code = code * 16 + char::from(digit).to_digit(16)?;
        lower &= !digit.is_ascii_uppercase();
    }
    Some((code, lower))
}

/// The first quote, backslash or control character at or after `from`, or the length of `body`.
///
/// Keys and tokens are shorter than 16 bytes, chat text has an escape every 60 or so: two words first, then blocks of 32 bytes, whose
/// test the compiler turns into SIMD. `memchr2` and a second pass for control characters was slower on both.
#[inline]
fn next_special(body: &[u8], from: usize) -> usize {
    let mut at = from;
    for _ in 0..2 {
        let Some(found) = special_in_word(body, at) else { break };
        if found < 8 {
            return at + found;
        }
        at += 8;
    }
    while let Some(block) = body.get(at..).and_then(<[u8]>::first_chunk::<32>) {
        if block.iter().fold(0, |any, &b| any | u8::from(is_special(b))) != 0 {
            break;
        }
        at += 32;
    }
    while let Some(found) = special_in_word(body, at) {
        if found < 8 {
            return at + found;
        }
        at += 8;
    }
    let rest = body.get(at..).unwrap_or_default();
    at + rest.iter().position(|&b| is_special(b)).unwrap_or(rest.len())
}

#[inline]
const fn is_special(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

/// Index of the first special byte among the eight at `at`, 8 when there is none; `None` where fewer than eight are left.
#[inline]
fn special_in_word(body: &[u8], at: usize) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let word = u64::from_le_bytes(*body.get(at..)?.first_chunk()?);
    // A borrow may mark bytes above a true hit as well, never below it: the lowest mark is right.
    let zero = |x: u64| x.wrapping_sub(ONES) & !x;
    let below_space = word.wrapping_sub(ONES * 0x20) & !word;
    let marks = (below_space | zero(word ^ (ONES * 0x22)) | zero(word ^ (ONES * 0x5C))) & (ONES * 0x80);
    Some(marks.trailing_zeros() as usize / 8)
}

/// A piece of a string's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Text<'a> {
    /// Bytes that stand for themselves.
    Plain(&'a [u8]),
    /// The code point of an escape, or of two escapes that are a surrogate pair. A lone surrogate is a code point of its own.
    Escape(u32),
}

/// Hands the text of `raw`, the inside of a string that a [`Reader`] accepted, to `take` piece by piece. Bytes that are no valid escape
/// are plain text.
#[inline]
pub fn unescape<'a>(raw: &'a [u8], mut take: impl FnMut(Text<'a>)) {
    let unit = |at: usize| {
        let is_unit = raw.get(at) == Some(&b'\\') && raw.get(at + 1) == Some(&b'u');
        if is_unit { raw.get(at + 2..at + 6).and_then(hex4).map(|(code, _)| code) } else { None }
    };
    let mut plain = 0;
    let mut search = 0;
    while let Some(found) = memchr::memchr(b'\\', raw.get(search..).unwrap_or_default()) {
        let at = search + found;
        let (code, length) = match raw.get(at + 1) {
            Some(&byte @ (b'"' | b'\\' | b'/')) => (u32::from(byte), 2),
            Some(b'b') => (8, 2),
            Some(b't') => (9, 2),
            Some(b'n') => (10, 2),
            Some(b'f') => (12, 2),
            Some(b'r') => (13, 2),
            _ => match (unit(at), unit(at + 6)) {
                (Some(high @ 0xD800..=0xDBFF), Some(low @ 0xDC00..=0xDFFF)) => {
                    (0x1_0000 + ((high - 0xD800) << 10) + (low - 0xDC00), 12)
                }
                (Some(code), _) => (code, 6),
                (None, _) => {
                    search = at + 1;
                    continue;
                }
            },
        };
        if plain < at {
            take(Text::Plain(&raw[plain..at]));
        }
        take(Text::Escape(code));
        plain = at + length;
        search = plain;
    }
    if plain < raw.len() {
        take(Text::Plain(&raw[plain..]));
    }
}

/// Appends the text of `raw`, the inside of a string, as WTF-8: UTF-8 in which a lone surrogate is its three bytes `ED xx xx`. So the
/// order of the bytes is the order of the code points.
pub fn decode_into(raw: &[u8], out: &mut Vec<u8>) {
    unescape(raw, |text| match text {
        Text::Plain(bytes) => out.extend_from_slice(bytes),
        Text::Escape(code) => match char::from_u32(code) {
            Some(c) => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            None => out.extend_from_slice(&surrogate(code)),
        },
    });
}

/// The text of `raw`, the inside of a string, as WTF-8; see [`decode_into`].
#[must_use]
pub fn decode(raw: &[u8]) -> std::borrow::Cow<'_, [u8]> {
    if memchr::memchr(b'\\', raw).is_none() {
        return raw.into();
    }
    let mut out = Vec::with_capacity(raw.len());
    decode_into(raw, &mut out);
    out.into()
}

/// The three bytes of a code point from U+D800 to U+DFFF.
fn surrogate(code: u32) -> [u8; 3] {
    let low_six = |bits: u32| 0x80 | bits.to_le_bytes()[0] & 0x3F;
    [0xED, low_six(code >> 6), low_six(code)]
}
