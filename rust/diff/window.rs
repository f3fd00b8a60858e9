//! What a report shows of a value: a bounded window around the difference, on one line, without secrets.

use std::fmt::Write as _;

use crate::secrets;
use crate::sink::{hex, sha256};

/// Most characters a window has.
pub(super) const WIDTH: usize = 80;
/// Characters shown before the difference.
const BEFORE: usize = 24;
/// Bytes on either side that are searched for secrets: a window that begins inside a key must not show its end.
const CONTEXT: usize = 4096;
/// How far the search goes on to reach the ends of a run without white space or quotes, such as a long token.
const LONGEST_RUN: usize = 65_536;

/// Which characters a window spells out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Escape {
    /// Control characters and those that do not show, so that a window stays one readable line.
    Invisible,
    /// Everything outside ASCII, where two texts look alike and are not.
    NonAscii,
}

/// At most [`WIDTH`] characters of `text` around byte `at`, `…` marking what was cut off.
pub(super) fn around(text: &[u8], at: usize, escape: Escape) -> String {
    let at = at.min(text.len());
    let region = region(text, at);
    let base = region.start;
    let mut findings = secrets::scan(&text[region]);
    findings.sort_by_key(|finding| finding.start);
    let mut findings = findings.iter().peekable();

    let mut position = back(text, at, BEFORE);
    let mut window = Window { text: String::with_capacity(WIDTH * 2), width: 0 };
    if position > 0 {
        window.push("…");
    }
    let mut unit = String::new();
    while position < text.len() {
        while findings.peek().is_some_and(|finding| base + finding.end <= position) {
            findings.next();
        }
        unit.clear();
        match findings.peek() {
            Some(finding) if base + finding.start <= position => {
                let _ = write!(unit, "[{}]", finding.kind);
                position = base + finding.end;
            }
            _ => position += spell(&text[position..], escape, &mut unit),
        }
        if !window.push(&unit) {
            break;
        }
    }
    sealed(&window.text)
}

/// A window of a whole value from its start.
pub(super) fn from_start(text: &[u8]) -> String {
    around(text, 0, Escape::Invisible)
}

/// A summary of bytes that are not to be read: `<3145728 bytes image/png sha256 ab12cd34…>`.
pub(super) fn summary(len: u64, media_type: Option<&str>, digest: Option<&[u8; 32]>) -> String {
    let mut text = format!("<{len} bytes");
    if let Some(media_type) = media_type {
        let _ = write!(text, " {}", from_start(media_type.as_bytes()).chars().take(40).collect::<String>());
    }
    if let Some(digest) = digest {
        let _ = write!(text, " sha256 {}…", hex(&digest[..6]));
    }
    text.push('>');
    text
}

/// A summary of `bytes` themselves.
pub(super) fn summary_of(bytes: &[u8], media_type: Option<&str>) -> String {
    summary(bytes.len() as u64, media_type, Some(&sha256(bytes)))
}

/// `text` redacted as a whole and cut to [`WIDTH`] characters, for words that a caller brings.
pub(super) fn sealed(text: &str) -> String {
    let clean = secrets::redact(text.as_bytes());
    let clean = String::from_utf8_lossy(&clean);
    if clean.chars().count() <= WIDTH {
        return clean.into_owned();
    }
    clean.chars().take(WIDTH - 1).chain(['…']).collect()
}

/// Whether byte `at` is part of a secret. Looked for around it only: a look at the whole text would cost more than the comparison.
pub(super) fn is_in_secret(text: &[u8], at: usize) -> bool {
    let region = region(text, at.min(text.len()));
    let base = region.start;
    secrets::scan(&text[region]).iter().any(|finding| (base + finding.start..=base + finding.end).contains(&at))
}

/// Whether `value` is a secret because of the name it stands under, or by itself.
pub(super) fn is_secret(name: &[u8], value: &[u8]) -> bool {
    let quoted = |text: &[u8]| -> Vec<u8> {
        text.iter().copied().take(CONTEXT).filter(|byte| !matches!(byte, b'"' | b'\\') && *byte >= b' ').collect()
    };
    if name.is_empty() || name.len() > WIDTH {
        return false;
    }
    let member = [b"\"", &quoted(name)[..], b"\":\""].concat();
    let value_start = member.len();
    let member = [&member[..], &quoted(value), b"\""].concat();
    secrets::scan(&member).iter().any(|finding| finding.end > value_start && finding.start <= value_start)
}

struct Window {
    text: String,
    width: usize,
}

impl Window {
    /// Takes `unit` whole, or closes the window with `…`.
    fn push(&mut self, unit: &str) -> bool {
        let width = unit.chars().count();
        if self.width + width >= WIDTH {
            self.text.push('…');
            return false;
        }
        self.text.push_str(unit);
        self.width += width;
        true
    }
}

/// The stretch around `at` that is searched for secrets.
fn region(text: &[u8], at: usize) -> std::ops::Range<usize> {
    let ends_run = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'');
    let near = at.saturating_sub(CONTEXT);
    let far = near.saturating_sub(LONGEST_RUN);
    let start = far + text[far..near].iter().rposition(ends_run).map_or(0, |quote| quote + 1);
    let near = text.len().min(at + CONTEXT);
    let far = text.len().min(near + LONGEST_RUN);
    let end = text[near..far].iter().position(ends_run).map_or(far, |quote| near + quote);
    start..end
}

/// The start of the character that stands `chars` characters before `at`.
fn back(text: &[u8], at: usize, chars: usize) -> usize {
    let mut position = char_start(text, at);
    for _ in 0..chars {
        if position == 0 {
            break;
        }
        position = char_start(text, position - 1);
    }
    position
}

/// The start of the UTF-8 character that byte `at` belongs to; `at` itself where the bytes are not UTF-8.
pub(super) fn char_start(text: &[u8], at: usize) -> usize {
    let is_tail = |byte: Option<&u8>| byte.is_some_and(|byte| byte & 0xC0 == 0x80);
    let mut start = at;
    for _ in 0..3 {
        if !is_tail(text.get(start)) || start == 0 {
            break;
        }
        start -= 1;
    }
    if is_tail(text.get(start)) { at } else { start }
}

/// Writes the first character of `text` into `unit` and returns how many bytes it took. `text` is not empty.
fn spell(text: &[u8], escape: Escape, unit: &mut String) -> usize {
    let Some((char, len)) = first_char(text) else {
        let _ = write!(unit, "\\x{:02x}", text.first().copied().unwrap_or_default());
        return 1;
    };
    match char {
        '\n' => unit.push_str("\\n"),
        '\r' => unit.push_str("\\r"),
        '\t' => unit.push_str("\\t"),
        _ if char.is_control() || is_invisible(char) || (escape == Escape::NonAscii && !char.is_ascii()) => {
            let _ = write!(unit, "\\u{{{:x}}}", u32::from(char));
        }
        _ => unit.push(char),
    }
    len
}

/// The first character of `text`, where it is UTF-8, with its length in bytes.
pub(super) fn first_char(text: &[u8]) -> Option<(char, usize)> {
    let len = match text.first()? {
        0x00..=0x7F => 1,
        0xC2..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0..=0xF4 => 4,
        _ => return None,
    };
    let char = std::str::from_utf8(text.get(..len)?).ok()?.chars().next()?;
    Some((char, len))
}

/// Characters that show nothing, look like a plain space, or turn the direction of the line around.
const fn is_invisible(char: char) -> bool {
    matches!(
        char,
        '\u{a0}' | '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202f}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
    )
}
