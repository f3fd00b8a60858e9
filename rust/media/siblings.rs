//! The members of an object around one of its strings, looked at in place: a tiny reader for both directions.
//!
//! Only objects of plain members (short strings, numbers, literals) are understood, and only within a kilobyte to either side. That covers
//! every provider's way to declare a media type, and what is not wholly understood declares nothing.

use memchr::{memchr, memrchr};

use super::sniff::MediaType;
use super::strings::{DECLARING_KEYS, may_be_declared};

/// How far to look on either side, in bytes.
const REACH: usize = 1024;

/// Whether the string that opens at the quote `open` is a member's value, under a name that may be declared.
pub(super) fn may_have_declaration(text: &[u8], open: usize) -> bool {
    Before { text: text.get(open.saturating_sub(REACH)..open).unwrap_or_default() }.key().is_some_and(may_be_declared)
}

/// The media type that the siblings declare for the string between the quotes `open` and `close`; `None` if they declare none,
/// several, or one without a placeholder.
pub(super) fn declared(text: &[u8], open: usize, close: usize) -> Option<MediaType> {
    let mut before = Before { text: text.get(open.saturating_sub(REACH)..open)? };
    let after = text.get(close + 1..)?;
    let mut after = After { text: &after[..after.len().min(REACH)] };
    let mut found = None;
    let mut note = |member: Member| {
        // An escaped name could be any of them.
        if member.key.contains(&b'\\') {
            return None;
        }
        if !DECLARING_KEYS.contains(&member.key) {
            return Some(());
        }
        let kind = MediaType::declared(member.value)?;
        (*found.get_or_insert(kind) == kind).then_some(())
    };
    before.key()?;
    while before.mark()? == b',' {
        note(before.member()?)?;
    }
    while after.mark()? == b',' {
        note(after.member()?)?;
    }
    found
}

/// A member with a plain value, both as they stand, without quotes; a value that is no string is empty.
struct Member<'a> {
    key: &'a [u8],
    value: &'a [u8],
}

fn is_literal(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.')
}

/// What stands before a place outside any string, read backwards.
struct Before<'a> {
    text: &'a [u8],
}

impl<'a> Before<'a> {
    /// Takes the last byte that is not white space.
    fn take(&mut self) -> Option<u8> {
        let (last, rest) = self.text.trim_ascii_end().split_last()?;
        self.text = rest;
        Some(*last)
    }

    /// Takes what separates members: `,`, or the `{` that ends the search.
    fn mark(&mut self) -> Option<u8> {
        self.take().filter(|mark| matches!(mark, b',' | b'{'))
    }

    /// Takes `"name":`.
    fn key(&mut self) -> Option<&'a [u8]> {
        (self.take()? == b':' && self.take()? == b'"').then(|| self.string())?
    }

    fn member(&mut self) -> Option<Member<'a>> {
        let trimmed = self.text.trim_ascii_end();
        let value = if trimmed.last() == Some(&b'"') {
            self.text = &trimmed[..trimmed.len() - 1];
            self.string()?
        } else {
            let len = trimmed.iter().rev().take_while(|b| is_literal(**b)).count();
            self.text = &trimmed[..trimmed.len() - len];
            (len > 0).then_some(&[][..])?
        };
        Some(Member { key: self.key()?, value })
    }

    /// Takes a string whose closing quote is taken already. A quote inside is escaped, and the opening one never is.
    fn string(&mut self) -> Option<&'a [u8]> {
        let mut open = memrchr(b'"', self.text)?;
        while open > 0 && self.text[open - 1] == b'\\' {
            open = memrchr(b'"', &self.text[..open])?;
        }
        let string = &self.text[open + 1..];
        self.text = &self.text[..open];
        Some(string)
    }
}

/// What stands behind a place outside any string, read forwards.
struct After<'a> {
    text: &'a [u8],
}

impl<'a> After<'a> {
    fn take(&mut self) -> Option<u8> {
        let (first, rest) = self.text.trim_ascii_start().split_first()?;
        self.text = rest;
        Some(*first)
    }

    fn mark(&mut self) -> Option<u8> {
        self.take().filter(|mark| matches!(mark, b',' | b'}'))
    }

    fn member(&mut self) -> Option<Member<'a>> {
        let key = (self.take()? == b'"').then(|| self.string())??;
        if self.take()? != b':' {
            return None;
        }
        let trimmed = self.text.trim_ascii_start();
        let value = if let Some(rest) = trimmed.strip_prefix(b"\"") {
            self.text = rest;
            self.string()?
        } else {
            let len = trimmed.iter().take_while(|b| is_literal(**b)).count();
            self.text = &trimmed[len..];
            (len > 0).then_some(&[][..])?
        };
        Some(Member { key, value })
    }

    /// Takes a string whose opening quote is taken already.
    fn string(&mut self) -> Option<&'a [u8]> {
        let mut close = memchr(b'"', self.text)?;
        while self.text[..close].iter().rev().take_while(|b| **b == b'\\').count() % 2 == 1 {
            close += 1 + memchr(b'"', &self.text[close + 1..])?;
        }
        let string = &self.text[..close];
        self.text = &self.text[close + 1..];
        Some(string)
    }
}
