//! The headers of parts in one order: what a client writes first says nothing (RFC 9110, section 5.3), and aiohttp writes the
//! `Content-Type` before the `Content-Disposition`.

use std::borrow::Cow;

use super::content_type::is_token;
use super::names;

/// What stands between two payloads, with the headers of each part by their names; those of one name stay in their order.
///
/// `framing` is of a body that was rewritten: a part begins after a delimiter line of our own making.
pub(crate) fn in_order(framing: &[u8]) -> Cow<'_, [u8]> {
    let mut out: Option<Vec<u8>> = None;
    let mut at = 0;
    while let Some(start) = next_part(framing, at) {
        let (headers, end) = headers(framing, start);
        if !headers.is_sorted_by_key(|header| name(header)) {
            let mut sorted = headers;
            sorted.sort_by_key(|header| name(header));
            out.get_or_insert_with(|| framing.to_vec())[start..end].copy_from_slice(&sorted.concat());
        }
        at = end;
    }
    out.map_or(Cow::Borrowed(framing), Cow::Owned)
}

/// The offset after the next delimiter line at or after `at`.
fn next_part(framing: &[u8], mut at: usize) -> Option<usize> {
    while at < framing.len() {
        let end = line_end(framing, at);
        let line = &framing[at..end];
        at = end;
        if line.strip_prefix(b"--").is_some_and(|rest| rest.starts_with(names::STEM)) {
            return Some(end);
        }
    }
    None
}

/// The headers from `at` on, each with its line end and the lines folded into it, and the offset after them.
fn headers(framing: &[u8], mut at: usize) -> (Vec<&[u8]>, usize) {
    let mut headers = Vec::new();
    while at < framing.len() {
        let mut end = line_end(framing, at);
        if !is_header(&framing[at..end]) {
            break;
        }
        while matches!(framing.get(end), Some(b' ' | b'\t')) {
            end = line_end(framing, end);
        }
        headers.push(&framing[at..end]);
        at = end;
    }
    (headers, at)
}

fn line_end(text: &[u8], at: usize) -> usize {
    memchr::memchr(b'\n', &text[at..]).map_or(text.len(), |i| at + i + 1)
}

/// A whole line that has a name and a colon.
fn is_header(line: &[u8]) -> bool {
    line.ends_with(b"\n") && memchr::memchr(b':', line).is_some_and(|colon| is_token(&line[..colon]))
}

fn name(header: &[u8]) -> Vec<u8> {
    header.split(|byte| *byte == b':').next().unwrap_or_default().to_ascii_lowercase()
}
