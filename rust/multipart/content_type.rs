//! A header value with parameters: RFC 9110, sections 5.6.6 and 8.3.1, and the extended parameters of RFC 2231.

use std::borrow::Cow;
use std::ops::Range;

use crate::error::{Error, ErrorKind};

/// A `Content-Type` header value: its media type and its parameters in order, each in its exact text.
///
/// More lenient than RFC 9110 where clients are: an unquoted value runs to the next `;` (so `----=_Part_1` needs no
/// quotes), white space may stand anywhere between the elements, and a folded line counts as white space.
#[derive(Clone, Debug)]
pub struct ContentType<'a> {
    text: &'a str,
    essence: Range<usize>,
    params: Vec<Param>,
}

impl<'a> ContentType<'a> {
    /// Parses a header value.
    ///
    /// The error is [`ErrorKind::BadContentType`], with the offset in `text`, where there is no `type/subtype`, a
    /// quoted string never ends, or something other than `;` follows one.
    pub fn parse(text: &'a str) -> Result<Self, Error> {
        let bytes = text.as_bytes();
        let end = memchr::memchr(b';', bytes).unwrap_or(bytes.len());
        let essence = trim(bytes, 0..end);
        let mut halves = bytes[essence.clone()].split(|&b| b == b'/');
        let is_pair =
            halves.next().is_some_and(is_token) && halves.next().is_some_and(is_token) && halves.next().is_none();
        if !is_pair {
            return Err(Error::new(ErrorKind::BadContentType, essence.start));
        }
        Ok(Self { text, essence, params: parse_params(bytes, end)? })
    }

    /// `type/subtype` in lower case, without parameters.
    #[must_use]
    pub fn media_type(&self) -> Cow<'a, str> {
        let text = self.text.get(self.essence.clone()).unwrap_or_default();
        if text.bytes().any(|b| b.is_ascii_uppercase()) { text.to_ascii_lowercase().into() } else { text.into() }
    }

    /// The first parameter called `name` (in any case), without quotes and escapes; `name*` and `name*0`, `name*1`…
    /// (RFC 2231) count where there is no plain one.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<Cow<'a, str>> {
        lookup(self.text.as_bytes(), &self.params, name).map(lossy)
    }

    /// The boundary as it stands in delimiter lines, after their `--`.
    ///
    /// The error is [`ErrorKind::BadBoundary`] where it is missing, empty, or holds a control character. Longer than
    /// the 70 characters of RFC 2046, section 5.1.1, is fine; white space at its end, which that section forbids, is
    /// not part of it.
    pub fn boundary(&self) -> Result<Cow<'a, [u8]>, Error> {
        let bytes = self.text.as_bytes();
        let offset = segments(bytes, &self.params, "boundary")
            .first()
            .and_then(|segment| self.params.get(segment.param))
            .map_or(bytes.len(), |param| param.value.start);
        let bad = Error::new(ErrorKind::BadBoundary, offset);
        let boundary = match lookup(bytes, &self.params, "boundary").ok_or(bad)? {
            Cow::Borrowed(value) => Cow::Borrowed(value.trim_ascii_end()),
            Cow::Owned(value) => Cow::Owned(value.trim_ascii_end().to_vec()),
        };
        if boundary.is_empty() || boundary.iter().any(u8::is_ascii_control) { Err(bad) } else { Ok(boundary) }
    }

    /// The header value with `boundary` (a token of RFC 9110, so no quotes are needed) in the place of its own; every
    /// other byte is kept. Borrowed where nothing had to change.
    #[must_use]
    pub fn with_boundary(&self, boundary: &str) -> Cow<'a, str> {
        let bytes = self.text.as_bytes();
        let mut edits = Vec::new();
        for (index, segment) in segments(bytes, &self.params, "boundary").into_iter().enumerate() {
            let Some(param) = self.params.get(segment.param) else { continue };
            // Of a value in several segments the first holds it all; the others stay in place, empty.
            let value = match index {
                0 if segment.extended => {
                    let old = lossy(unquote(bytes, param));
                    let prefix = old.get(..charset_prefix(old.as_bytes())).filter(|prefix| is_token(prefix.as_bytes()));
                    format!("{}{boundary}", prefix.unwrap_or_default())
                }
                0 => boundary.to_owned(),
                _ => "\"\"".to_owned(),
            };
            // A name without a value may be one of several segments, and has no `=` yet.
            let has_value = bytes[..param.value.start].trim_ascii_end().ends_with(b"=");
            let value = if has_value { value } else { format!("={value}") };
            edits.push((param.value.clone(), value));
        }
        edits.sort_by_key(|(range, _)| range.start);
        if edits.iter().all(|(range, value)| self.text.get(range.clone()) == Some(value)) {
            return Cow::Borrowed(self.text);
        }
        let mut text = String::with_capacity(self.text.len() + boundary.len());
        let mut kept = 0;
        for (range, value) in edits {
            text.push_str(self.text.get(kept..range.start).unwrap_or_default());
            text.push_str(&value);
            kept = range.end;
        }
        text.push_str(self.text.get(kept..).unwrap_or_default());
        Cow::Owned(text)
    }
}

/// Whether a `Content-Type` value announces a multipart body of any subtype.
pub(super) fn is_multipart(value: &[u8]) -> bool {
    value.trim_ascii_start().get(..10).is_some_and(|start| start.eq_ignore_ascii_case(b"multipart/"))
}

/// One parameter, as byte ranges of the header value. The value's range has the quotes.
#[derive(Clone, Debug)]
pub(super) struct Param {
    name: Range<usize>,
    value: Range<usize>,
    quoted: bool,
}

/// The parameters of `text` from offset `at` on, which is its end or a `;`.
pub(super) fn parse_params(text: &[u8], mut at: usize) -> Result<Vec<Param>, Error> {
    let until = |from: usize, stop: &dyn Fn(u8) -> bool| {
        text[from..].iter().position(|&b| stop(b)).map_or(text.len(), |length| from + length)
    };
    let mut params = Vec::new();
    loop {
        at = until(at, &|b| b != b';' && !is_space(b));
        if at == text.len() {
            return Ok(params);
        }
        let end = until(at, &|b| b == b'=' || b == b';');
        let name = trim(text, at..end);
        if text.get(end) != Some(&b'=') {
            params.push(Param { name, value: end..end, quoted: false });
            at = end;
            continue;
        }
        let start = until(end + 1, &|b| !is_space(b));
        let quoted = text.get(start) == Some(&b'"');
        let value = if quoted {
            let end = end_of_quoted(text, start).ok_or(Error::new(ErrorKind::BadContentType, start))?;
            at = until(end, &|b| !is_space(b));
            if text.get(at).is_some_and(|&b| b != b';') {
                return Err(Error::new(ErrorKind::BadContentType, at));
            }
            start..end
        } else {
            at = until(start, &|b| b == b';');
            trim(text, start..at)
        };
        params.push(Param { name, value, quoted });
    }
}

/// The value of the first parameter called `name`, without quotes and escapes.
pub(super) fn lookup<'a>(text: &'a [u8], params: &[Param], name: &str) -> Option<Cow<'a, [u8]>> {
    let mut values = segments(text, params, name).into_iter().enumerate().filter_map(|(index, segment)| {
        let value = unquote(text, params.get(segment.param)?);
        Some(if segment.extended { percent_decoded(&value, index == 0).into() } else { value })
    });
    let first = values.next()?;
    Some(values.fold(first, |mut all, value| {
        all.to_mut().extend_from_slice(&value);
        all
    }))
}

/// `bytes` as text, with the replacement character where they are not UTF-8.
pub(super) fn lossy(bytes: Cow<'_, [u8]>) -> Cow<'_, str> {
    match bytes {
        Cow::Borrowed(bytes) => String::from_utf8_lossy(bytes),
        Cow::Owned(bytes) => {
            String::from_utf8(bytes).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned()).into()
        }
    }
}

/// A parameter that holds a value, or a piece of one.
struct Segment {
    param: usize,
    /// Of the form `charset'language'percent-encoded`.
    extended: bool,
}

fn segments(text: &[u8], params: &[Param], name: &str) -> Vec<Segment> {
    let is = |wanted: &[u8]| params.iter().position(|p| text[p.name.clone()].eq_ignore_ascii_case(wanted));
    if let Some(param) = is(name.as_bytes()) {
        return vec![Segment { param, extended: false }];
    }
    if let Some(param) = is(format!("{name}*").as_bytes()) {
        return vec![Segment { param, extended: true }];
    }
    let mut numbered: Vec<_> = params
        .iter()
        .enumerate()
        .filter_map(|(param, p)| {
            let (head, rest) = text[p.name.clone()].split_at_checked(name.len())?;
            let number = rest.strip_prefix(b"*")?;
            let plain = number.strip_suffix(b"*").unwrap_or(number);
            let number_is = std::str::from_utf8(plain).ok()?.parse::<usize>().ok()?;
            let segment = Segment { param, extended: plain.len() < number.len() };
            head.eq_ignore_ascii_case(name.as_bytes()).then_some((number_is, segment))
        })
        .collect();
    numbered.sort_by_key(|(number, _)| *number);
    numbered.dedup_by_key(|(number, _)| *number);
    numbered.into_iter().enumerate().take_while(|(i, (n, _))| i == n).map(|(_, (_, segment))| segment).collect()
}

fn unquote<'a>(text: &'a [u8], param: &Param) -> Cow<'a, [u8]> {
    let raw = &text[param.value.clone()];
    let Some(inner) = raw.strip_prefix(b"\"").and_then(|r| r.strip_suffix(b"\"")).filter(|_| param.quoted) else {
        return Cow::Borrowed(raw);
    };
    if !inner.contains(&b'\\') {
        return Cow::Borrowed(inner);
    }
    let mut value = Vec::with_capacity(inner.len());
    let mut bytes = inner.iter();
    while let Some(&byte) = bytes.next() {
        value.push(if byte == b'\\' { bytes.next().copied().unwrap_or(byte) } else { byte });
    }
    Cow::Owned(value)
}

/// The offset after the closing quote of the quoted string that opens at `start`.
fn end_of_quoted(text: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 1;
    loop {
        match text.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

/// The length of `charset'language'` in an extended value, 0 where it is missing.
fn charset_prefix(value: &[u8]) -> usize {
    memchr::memchr_iter(b'\'', value).nth(1).map_or(0, |quote| quote + 1)
}

fn percent_decoded(value: &[u8], first: bool) -> Vec<u8> {
    let digit = |byte: Option<&u8>| byte.and_then(|&b| char::from(b).to_digit(16)).and_then(|d| u8::try_from(d).ok());
    let mut rest = &value[if first { charset_prefix(value) } else { 0 }..];
    let mut decoded = Vec::with_capacity(rest.len());
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if let (b'%', Some(high), Some(low)) = (byte, digit(after.first()), digit(after.get(1))) {
            decoded.push(high << 4 | low);
            rest = &after[2..];
        } else {
            decoded.push(byte);
        }
    }
    decoded
}

/// White space between the elements: also the line break of a folded header.
const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// `range` without the white space at its ends.
pub(super) fn trim(text: &[u8], range: Range<usize>) -> Range<usize> {
    let slice = &text[range.clone()];
    let Some(first) = slice.iter().position(|&b| !is_space(b)) else { return range.start..range.start };
    let last = slice.iter().rposition(|&b| !is_space(b)).unwrap_or(first);
    range.start + first..range.start + last + 1
}

/// Whether `text` is a token of RFC 9110, section 5.6.2.
pub(super) fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|&b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}
