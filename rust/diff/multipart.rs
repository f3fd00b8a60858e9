//! Two multipart bodies, part by part.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::cause::Cause;
use super::json::{self, means, role};
use super::mismatch::{Mismatch, OTHERS_NAMED};
use super::tree::Tree;
use super::window::{self, Escape};
use super::{first_difference, text};
use crate::body::Rules;
use crate::error::Error;
use crate::media::{self, Original};
use crate::multipart::{self, Part};

/// Parts named where their number differs.
const MOST_NAMED: usize = 6;

/// The first difference between two multipart bodies that are not equal byte for byte. `None` where the recorded one is the incoming one
/// with media shrunk.
pub(super) fn compare(a: &[u8], a_type: &str, b: &[u8], b_type: &str, rules: &Rules) -> Option<Mismatch> {
    let (left, right) = match (multipart::parts(a, a_type), multipart::parts(b, b_type)) {
        (Ok(left), Ok(right)) => (left, right),
        (left, right) => return Some(malformed(left.err(), right.err())),
    };
    let (left, right) = (weighed(left), weighed(right));
    if left.len() != right.len() {
        let at = left.iter().zip(&right).take_while(|(x, y)| x.whole == y.whole).count();
        let one = if left.len() > right.len() { left.get(at) } else { right.get(at) };
        let mut mismatch = Mismatch::at(Cause::PartCount, one.map(|one| path(at, &one.part)));
        mismatch.left = names(&left);
        mismatch.right = names(&right);
        return Some(plain(mismatch));
    }
    if let Some(mismatch) = order(&left, &right) {
        return Some(mismatch);
    }
    let mut found = Vec::new();
    for (index, (x, y)) in left.iter().zip(&right).enumerate() {
        headers(index, &x.part, &y.part, rules, &mut found);
        if x.payload != y.payload {
            found.push(payload(index, &x.part, &y.part, rules));
        }
    }
    let Some(headline) = found.iter().position(|one| !one.cause.is_overlooked()).or((!found.is_empty()).then_some(0))
    else {
        return framing(a, a_type, b, b_type);
    };
    let mut mismatch = found.remove(headline);
    mismatch.other_count += found.len();
    let others = found.into_iter().map(|one| (one.path.unwrap_or_default(), one.cause));
    mismatch.others.extend(others);
    mismatch.others.truncate(OTHERS_NAMED);
    Some(plain(mismatch))
}

/// A path in multipart is not one of `llm_vcr_ignore`.
fn plain(mismatch: Mismatch) -> Mismatch {
    Mismatch { ignorable: false, ..mismatch }
}

fn malformed(left: Option<Error>, right: Option<Error>) -> Mismatch {
    let show = |error: Option<Error>| error.map_or_else(|| "(well formed)".to_owned(), |error| error.to_string());
    let mut mismatch = Mismatch::at(Cause::BadMultipart, None);
    mismatch.offset = left.or(right).map(|error| error.offset);
    mismatch.left = show(left);
    mismatch.right = show(right);
    mismatch
}

/// A part, and hashes of what it counts for.
struct Weighed<'a> {
    part: Part<'a>,
    payload: u64,
    whole: u64,
}

fn weighed(parts: Vec<Part<'_>>) -> Vec<Weighed<'_>> {
    let weigh = |part: Part<'_>| {
        let mut hasher = DefaultHasher::new();
        match original(part.payload) {
            Some(original) => (original.media_type, original.len, original.sha256).hash(&mut hasher),
            None => part.payload.hash(&mut hasher),
        }
        let payload = hasher.finish();
        header_lines(&part).for_each(|line| line.hash(&mut hasher));
        (payload, hasher.finish())
    };
    parts
        .into_iter()
        .map(|part| {
            let (payload, whole) = weigh(part.clone());
            Weighed { part, payload, whole }
        })
        .collect()
}

/// What media counts for, a placeholder of ours as what it stands for.
fn original(payload: &[u8]) -> Option<Original> {
    media::sniff(payload).map(|kind| Original::of(payload, kind))
}

/// The header lines that count: a length that follows from the payload does not.
fn header_lines<'a>(part: &Part<'a>) -> impl Iterator<Item = &'a [u8]> {
    let is_length = |line: &&[u8]| line.get(..15).is_some_and(|name| name.eq_ignore_ascii_case(b"content-length:"));
    let mut lines: Vec<&[u8]> = part.headers.split(|byte| *byte == b'\n').filter(|line| !is_length(line)).collect();
    // In which order they stand does not count either.
    lines.sort_unstable();
    lines.into_iter()
}

/// `part[2] "image"`
fn path(index: usize, part: &Part<'_>) -> String {
    match &part.name {
        Some(name) => format!("part[{index}] \"{}\"", short(name)),
        None => format!("part[{index}]"),
    }
}

fn short(name: &str) -> String {
    const LONGEST_NAME: usize = 40;
    let name = window::from_start(name.as_bytes());
    if name.chars().count() <= LONGEST_NAME {
        return name;
    }
    name.chars().take(LONGEST_NAME - 1).chain(['…']).collect()
}

/// `3 parts: "model", "image", "prompt"`
fn names(parts: &[Weighed<'_>]) -> String {
    let name = |one: &Weighed<'_>| {
        one.part.name.as_deref().map_or_else(|| "unnamed".to_owned(), |n| format!("\"{}\"", short(n)))
    };
    let listed: Vec<String> = parts.iter().take(MOST_NAMED).map(name).collect();
    let rest = if parts.len() > MOST_NAMED { ", …" } else { "" };
    let noun = if parts.len() == 1 { "part" } else { "parts" };
    window::sealed(&format!("{} {noun}: {}{rest}", parts.len(), listed.join(", ")))
}

/// The same parts in another order, or the same payloads under the same headers.
fn order(left: &[Weighed<'_>], right: &[Weighed<'_>]) -> Option<Mismatch> {
    let sorted = |parts: &[Weighed<'_>], hash: fn(&Weighed<'_>) -> u64| {
        let mut hashes: Vec<u64> = parts.iter().map(hash).collect();
        hashes.sort_unstable();
        hashes
    };
    let is_permuted = |hash: fn(&Weighed<'_>) -> u64| {
        let at = left.iter().zip(right).position(|(x, y)| hash(x) != hash(y))?;
        (sorted(left, hash) == sorted(right, hash)).then_some(at)
    };
    let at = is_permuted(|one| one.whole).or_else(|| is_permuted(|one| one.payload))?;
    let (x, y) = (&left.get(at)?.part, &right.get(at)?.part);
    let mut mismatch = Mismatch::at(Cause::PartOrder, Some(path(at, x)));
    let same_name = x.name == y.name && x.filename == y.filename;
    let show = |part: &Part<'_>| {
        if same_name { shown_payload(part) } else { window::sealed(&format!("{} {}", path(at, part), file_name(part))) }
    };
    mismatch.left = show(x);
    mismatch.right = show(y);
    Some(plain(mismatch))
}

fn file_name(part: &Part<'_>) -> String {
    part.filename.as_deref().map_or_else(String::new, |name| format!("filename \"{}\"", short(name)))
}

/// Puts what differs in the headers of a part on the list.
fn headers(index: usize, x: &Part<'_>, y: &Part<'_>, rules: &Rules, found: &mut Vec<Mismatch>) {
    if header_lines(x).eq(header_lines(y)) {
        return;
    }
    // Patterns are applied to whole headers: one of the user's may begin with `filename="`.
    let volatile = || text::volatile_cause(x.headers, y.headers, &rules.patterns);
    let mut mismatch = Mismatch::at(Cause::PartHeader, Some(path(index, x)));
    if x.name == y.name && x.filename != y.filename {
        let (left, right) = (x.filename.as_deref().unwrap_or_default(), y.filename.as_deref().unwrap_or_default());
        let within = text::volatile_cause(left.as_bytes(), right.as_bytes(), &rules.patterns);
        mismatch.cause = within.or_else(volatile).unwrap_or(Cause::FileName);
        let at = first_difference(left.as_bytes(), right.as_bytes()).unwrap_or(0);
        let show = |name: Option<&str>| {
            name.map_or_else(
                || "(no file name)".to_owned(),
                |name| window::around(name.as_bytes(), at, Escape::Invisible),
            )
        };
        mismatch.left = show(x.filename.as_deref());
        mismatch.right = show(y.filename.as_deref());
    } else {
        mismatch.cause = volatile().unwrap_or(Cause::PartHeader);
        let at = first_difference(x.headers, y.headers).unwrap_or(0);
        mismatch.left = window::around(x.headers, at, Escape::Invisible);
        mismatch.right = window::around(y.headers, at, Escape::Invisible);
    }
    found.push(mismatch);
}

/// Why the payloads of a part differ.
fn payload(index: usize, x: &Part<'_>, y: &Part<'_>, rules: &Rules) -> Mismatch {
    let (a, b) = (x.payload, y.payload);
    let name = x.name.as_deref().unwrap_or_default().as_bytes();
    let mut mismatch = Mismatch::at(Cause::Binary, Some(path(index, x)));
    mismatch.offset = first_difference(a, b);
    if a.is_empty() || b.is_empty() {
        mismatch.cause = Cause::EmptyBody;
        mismatch.left = shown_payload(x);
        mismatch.right = shown_payload(y);
    } else if original(a).is_some() || original(b).is_some() || !(text::is_text(a) && text::is_text(b)) {
        let is_media = original(a).is_some() || original(b).is_some() || says_media(x) || says_media(y);
        mismatch.cause = if is_media { Cause::Media } else { Cause::Binary };
        mismatch.left = shown_payload(x);
        mismatch.right = shown_payload(y);
    } else if let Some(inner) = documents(a, b, rules) {
        let inner_path = inner.path.as_deref().map_or_else(String::new, |inner| format!(": {inner}"));
        let place = Mismatch::at(inner.cause, Some(format!("{}{inner_path}", path(index, x))));
        return Mismatch { path: place.path, ..inner };
    } else {
        mismatch.cause = text::cause_of(a, b, &rules.patterns);
        if mismatch.cause == Cause::Text {
            mismatch.cause = role(&[name]).filter(|role| means(*role, Cause::Text, &[name])).unwrap_or(Cause::Text);
        }
        if window::is_secret(name, a) || window::is_secret(name, b) {
            mismatch.cause = Cause::Credential;
            "[credential]".clone_into(&mut mismatch.left);
            "[credential]".clone_into(&mut mismatch.right);
        } else {
            text::show(&mut mismatch, a, b);
        }
    }
    mismatch
}

/// What differs between two payloads that are JSON objects or arrays, or JSON lines.
fn documents(a: &[u8], b: &[u8], rules: &Rules) -> Option<Mismatch> {
    let is_json = |text: &[u8]| matches!(text.trim_ascii_start().first(), Some(b'{' | b'['));
    if !(is_json(a) && is_json(b)) {
        return None;
    }
    match (Tree::read(a), Tree::read(b)) {
        (Ok(a), Ok(b)) => json::compare(&a, &b, rules),
        _ => json::compare(&Tree::read_lines(a)?, &Tree::read_lines(b)?, rules),
    }
}

fn says_media(part: &Part<'_>) -> bool {
    const TYPES: [&[u8]; 4] = [b"image/", b"audio/", b"video/", b"application/pdf"];
    let declared = part.content_type.unwrap_or_default();
    TYPES.iter().any(|start| declared.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start)))
}

/// Text from its start, anything else as a summary.
fn shown_payload(part: &Part<'_>) -> String {
    let payload = part.payload;
    if payload.is_empty() {
        return "(empty)".to_owned();
    }
    if let Some(original) = original(payload) {
        return window::summary(original.len, Some(original.media_type), original.sha256.as_ref());
    }
    if text::is_text(payload) && !says_media(part) {
        if window::is_secret(part.name.as_deref().unwrap_or_default().as_bytes(), payload) {
            return "[credential]".to_owned();
        }
        return window::from_start(payload);
    }
    let declared = part.content_type.and_then(|value| std::str::from_utf8(value).ok());
    window::summary_of(payload, declared)
}

/// The parts are the same: what is left are the boundary and the text around the parts.
fn framing(a: &[u8], a_type: &str, b: &[u8], b_type: &str) -> Option<Mismatch> {
    let (left, right) = (around_parts(a, a_type), around_parts(b, b_type));
    if left != right {
        let at = first_difference(&left, &right).unwrap_or(0);
        let mut mismatch = Mismatch::at(Cause::Framing, None);
        mismatch.left = window::around(&left, at, Escape::Invisible);
        mismatch.right = window::around(&right, at, Escape::Invisible);
        return Some(mismatch);
    }
    let (left, right) = (super::boundary(a_type)?, super::boundary(b_type)?);
    let is_nested = left == right;
    if is_nested && a.len() != b.len() {
        return None;
    }
    let mut mismatch = Mismatch::at(Cause::Boundary, None);
    if is_nested {
        let at = first_difference(a, b)?;
        mismatch.offset = Some(at);
        mismatch.left = window::around(a, at, Escape::Invisible);
        mismatch.right = window::around(b, at, Escape::Invisible);
        return Some(mismatch);
    }
    mismatch.left = window::from_start(&left);
    mismatch.right = window::from_start(&right);
    Some(mismatch)
}

/// Everything but the payloads, in canonical form.
fn around_parts(body: &[u8], content_type: &str) -> Vec<u8> {
    let mut text = Vec::new();
    if let Ok(rewrite) = multipart::rewrite(body, content_type) {
        rewrite.canonical_into(&mut text, |_, _| ());
    }
    text
}
