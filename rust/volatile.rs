//! Volatile tokens (UUIDs, date-times, unix epochs, a user's own patterns) replaced by placeholders, only to compare.
//!
//! | token | written | becomes |
//! |---|---|---|
//! | UUID ([RFC 9562]) | `8-4-4-4-12` hex digits in either case; 32 hex digits only with version 1, 4, 6 or 7 and variant 8, 9, a or b, so that most MD5 sums stay | `\x1Auuid\x1A` |
//! | date-time ([RFC 3339], ISO 8601) | `2026-11-21T10:24:47`, also with `t` or one space, without seconds, with `.` and 1–9 digits or `,` and 3, 6 or 9, with `Z`, `±hh:mm`, `±hhmm`, `±hh`; `20261121T102447` with the same endings | `\x1Atime\x1A` |
//! | unix epoch | 10, 13, 16 or 19 digits (s, ms, µs, ns), or 10 digits, `.` and 1–9 digits; from 1 100 000 000 s (2004-11-09) to before 2 500 000 000 s (2049-03-22) | `\x1Aepoch\x1A` |
//! | [`Patterns`] | what the user says | `\x1Amasked\x1A` |
//!
//! Ranges: years 1900–2199, months 01–12, days 01–31, hours 00–23, minutes 00–59, seconds 00–60, offsets below 15 hours. A bare
//! date stays: it is often what a prompt is about. So does a zone's name (` UTC`): it is the same on every run.
//!
//! **Whole tokens only.** No ASCII letter or digit stands directly before or after a token; anything else, `_` and `-` included, is
//! a boundary, for tests write `run-{uuid}`, `user_{epoch}` and `{epoch}_report.pdf`. In canonical JSON a line break is `\n`: the
//! letter of `\b \f \n \r \t` is a boundary too (also where its backslash is itself escaped). Numbers ask for more:
//! - nothing ends before `.` and a digit, UUIDs apart, and no date-time before `:` and a digit;
//! - no epoch begins after a digit and `.`, after `+`, or after a `-` that is a sign: one that follows neither a letter, a digit,
//!   `_` nor a placeholder.
//!
//! **Order.** A user's patterns come first, one after the other, then UUIDs, then date-times, then epochs, each from left to right
//! and the longest first; what was found earlier stands as its placeholder for what comes later. So `1732185600.<uuid>` is an
//! epoch and a UUID whatever digits the UUID begins with. (The code finds all three in one pass; the tests hold it to this order.)
//!
//! Nothing inside a placeholder or a media token (`\x1Amedia <type> <length> <sha256>`) is ever masked.
//!
//! [RFC 9562]: https://www.rfc-editor.org/rfc/rfc9562#section-4
//! [RFC 3339]: https://www.rfc-editor.org/rfc/rfc3339#section-5.6

mod scan;
mod sentinel;
mod token;

use std::borrow::Cow;

use regex::bytes::Regex;

use crate::error::{Error, ErrorKind};

/// A user's own regular expressions for what differs between runs.
///
/// They are matched against the canonical bytes, each stretch between two placeholders by itself (so `^` and `$` hold at its
/// ends); an empty match masks nothing. Syntax: the `regex` crate's, linear in the text whatever the pattern.
#[derive(Clone, Debug, Default)]
pub struct Patterns {
    regexes: Vec<Regex>,
}

impl Patterns {
    /// No patterns: only the built-in tokens are masked.
    #[must_use]
    pub const fn none() -> Self {
        Self { regexes: Vec::new() }
    }

    /// Compiles `patterns`, in the order in which they will be applied.
    ///
    /// A pattern that cannot be compiled is [`ErrorKind::BadPattern`], and the offset is its index in `patterns`.
    pub fn new<P: AsRef<str>>(patterns: &[P]) -> Result<Self, Error> {
        let compile = |(index, pattern): (usize, &P)| {
            Regex::new(pattern.as_ref()).map_err(|_| Error::new(ErrorKind::BadPattern, index))
        };
        Ok(Self { regexes: patterns.iter().enumerate().map(compile).collect::<Result<_, _>>()? })
    }

    /// Whether there is no pattern.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.regexes.is_empty()
    }
}

/// `text` with its volatile tokens replaced by placeholders; borrowed, and so free of a copy, where it has none.
#[must_use]
pub fn mask<'a>(text: &'a [u8], patterns: &Patterns) -> Cow<'a, [u8]> {
    let mut masked = Cow::Borrowed(text);
    for regex in &patterns.regexes {
        if let Some(next) = mask_pattern(&masked, regex) {
            masked = Cow::Owned(next);
        }
    }
    if let Some(next) = scan::mask_tokens(&masked) {
        masked = Cow::Owned(next);
    }
    masked
}

fn mask_pattern(text: &[u8], regex: &Regex) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut copied = 0;
    for stretch in sentinel::stretches(text) {
        for found in regex.find_iter(&text[stretch.clone()]).filter(|found| !found.is_empty()) {
            out.extend_from_slice(&text[copied..stretch.start + found.start()]);
            out.extend_from_slice(sentinel::MASKED);
            copied = stretch.start + found.end();
        }
    }
    if copied == 0 {
        return None;
    }
    out.extend_from_slice(&text[copied..]);
    Some(out)
}
