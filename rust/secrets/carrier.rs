//! Credentials known by what carries them: an authorization scheme, a JWT, a PEM block, the user part of a URI.

use std::sync::LazyLock;

use memchr::memmem;
use regex::bytes::Regex;

use super::shape::{begins_word, is_base64, is_random, is_stand_in, is_word, run_end, trailing_backslashes};
use super::{Hit, any_of, encoded, find_each, token};

static LITERALS: LazyLock<Option<Regex>> =
    LazyLock::new(|| any_of(["Bearer", "bearer", "BEARER", "Basic", "basic", "BASIC", "eyJ", "-----BEGIN", "://"]));

/// Puts a hit for each credential that something carries.
pub(super) fn find(text: &[u8], hits: &mut Vec<Hit>) {
    find_each(LITERALS.as_ref(), text, hits, |text, start, end| match text.get(start)? {
        b'e' => jwt(text, start),
        b'-' => pem(text, start),
        b':' => userinfo(text, end),
        b'B' | b'b' if matches!(text.get(start + 1), Some(b'e' | b'E')) => bearer(text, start, end),
        _ => basic(text, start, end),
    });
}

/// How much white space may stand between a scheme and its credential: a fold of a YAML line, at most.
const GAP: usize = 32;

/// Where the white space from `at` ends; a form writes it `+` or `%20`, and YAML may break the line there.
fn behind_blank(text: &[u8], at: usize) -> Option<usize> {
    let rest = text.get(at..)?;
    if rest.starts_with(b"%20") {
        return Some(at + 3);
    }
    let length = rest.iter().take(GAP).take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b'+')).count();
    (length > 0).then_some(at + length)
}

/// `Bearer <token>` (RFC 6750, section 2.1).
fn bearer(text: &[u8], scheme: usize, end: usize) -> Option<Hit> {
    let start = behind_blank(text, end).filter(|_| begins_word(text, scheme))?;
    let end = run_end(text, start, |byte| is_base64(byte) || matches!(byte, b'.' | b'~' | b'=' | b'%'));
    let end = end - text[start..end].iter().rev().take_while(|&&byte| byte == b'.').count();
    let value = &text[start..end];
    if value.len() < 16 || !is_random(value) || is_stand_in(value) {
        return None;
    }
    Some(Hit::new(token::at(text, start).map_or("bearer", |(kind, _)| kind), start, end))
}

/// `Basic <user:password in base64>` (RFC 7617, section 2).
fn basic(text: &[u8], scheme: usize, end: usize) -> Option<Hit> {
    let start = behind_blank(text, end).filter(|_| begins_word(text, scheme))?;
    let end = run_end(text, start, |byte| is_base64(byte) || byte == b'=');
    // A user name and a password have no megabytes, and prose behind the word "basic" has blanks.
    let plain = encoded::decode(text.get(start..end).filter(|value| (8..4096).contains(&value.len()))?)?;
    let colon = memchr::memchr(b':', &plain)?;
    let is_text = plain.iter().all(|byte| !byte.is_ascii_control());
    (is_text && plain.len() > colon + 1 && &plain[colon + 1..] != super::REDACTED.as_bytes())
        .then(|| Hit::new("basic", start, end))
}

/// A JSON Web Token (RFC 7519): three parts of base64url, or five (RFC 7516), the first of which is a JSON object with `alg`.
fn jwt(text: &[u8], start: usize) -> Option<Hit> {
    if !begins_word(text, start) {
        return None;
    }
    let header = run_end(text, start, is_word);
    if text.get(header) != Some(&b'.') || header - start > 4096 {
        return None;
    }
    let plain = encoded::decode(&text[start..header])?;
    if !plain.starts_with(b"{") || memmem::find(&plain, b"\"alg\"").is_none() {
        return None;
    }
    let end = run_end(text, header, |byte| is_word(byte) || byte == b'.');
    let end = end - text[header..end].iter().rev().take_while(|&&byte| byte == b'.').count();
    (end - header > 8).then(|| Hit::new("jwt", start, end))
}

/// The longest PEM block looked at, in bytes; an RSA key of 16,384 bits has 13,000.
const LONGEST_PEM: usize = 20_000;

/// A private key in PEM (RFC 7468), also inside a JSON string, where its line ends are escaped, and in a form.
fn pem(text: &[u8], start: usize) -> Option<Hit> {
    let block = &text[start..text.len().min(start + LONGEST_PEM)];
    let begin = "-----BEGIN".len();
    let label = begin + label_length(block.get(begin..)?)?;
    if memmem::find(&block[..label], b"PRIVATE").is_none() || memmem::find(&block[..label], b"KEY").is_none() {
        return None;
    }
    // Up to the next dashes, the quote that ends the string, or a template: no byte is looked at twice.
    let rest = &block[label..];
    let dashes = memmem::find(rest, b"-----").unwrap_or(rest.len());
    let stop = rest[..dashes].iter().position(|byte| matches!(byte, b'"' | b'<' | b'{' | b'}'));
    let payload = &rest[..stop.unwrap_or(dashes)];
    let payload = &payload[..payload.len() - trailing_backslashes(payload)];
    if start + block.len() < text.len() && label + payload.len() == block.len() {
        return None;
    }
    let end = match block.get(label + payload.len()..).and_then(|tail| tail.strip_prefix(b"-----END")) {
        Some(tail) => label + payload.len() + "-----END".len() + label_length(tail).unwrap_or(0),
        // Cut off: all there is of it.
        None => label + payload.len(),
    };
    let letters = payload.iter().filter(|byte| byte.is_ascii_alphanumeric()).count();
    (letters >= 40 && is_random(payload)).then(|| Hit::new("private-key", start, start + end))
}

/// The length of ` PRIVATE KEY-----`, whatever the label; a form writes its blanks `+` or `%20`.
fn label_length(text: &[u8]) -> Option<usize> {
    let text = &text[..text.len().min(64)];
    let length = run_end(text, 0, |byte| {
        byte.is_ascii_uppercase() || byte.is_ascii_digit() || matches!(byte, b' ' | b'+' | b'%')
    });
    text[length..].starts_with(b"-----").then_some(length + 5)
}

/// The longest user part of a URI looked at, in bytes.
const LONGEST_USERINFO: usize = 1024;

/// The password of `scheme://user:password@host` (RFC 3986, section 3.2.1).
fn userinfo(text: &[u8], start: usize) -> Option<Hit> {
    let rest = &text[start..text.len().min(start + LONGEST_USERINFO)];
    let stop = |byte: &u8| {
        !byte.is_ascii_graphic()
            || matches!(byte, b'/' | b'?' | b'#' | b'@' | b'"' | b'\'' | b'\\' | b'<' | b'>' | b'`' | b'{')
    };
    let at = rest.iter().position(stop).filter(|&at| rest[at] == b'@')?;
    let colon = memchr::memchr(b':', &rest[..at])?;
    let password = &rest[colon + 1..at];
    let common: [&[u8]; 5] = [b"pass", b"pwd", b"pw", b"user", b"postgres"];
    if password.is_empty() || is_stand_in(password) || common.contains(&password) {
        return None;
    }
    Some(Hit::new("uri-password", start + colon + 1, start + at))
}
