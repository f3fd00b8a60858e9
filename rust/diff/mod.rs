//! Why a request did not replay: the first place where two bodies differ, what kind of difference it is, and what mends it.
//!
//! Works on bodies as they were sent and as they were stored, so that it can also say what the canonical form makes no
//! difference of. Each step is linear in the bodies; what it reports is bounded, and never shows a secret.

mod cause;
mod first;
mod fix;
mod form;
mod json;
mod mismatch;
mod multipart;
mod steps;
mod text;
mod tree;
mod window;

use std::borrow::Cow;

pub use cause::Cause;
pub use first::first_difference;
pub use mismatch::Mismatch;

use crate::body::{self, Rules, may_be_json};
use crate::error::{Error, ErrorKind};
use crate::media;
use crate::multipart::ContentType;
use tree::Tree;
use window::Escape;

/// Why the incoming body `a` differs from the recorded body `b`, by the built-in rules alone; see [`explain_with`].
#[must_use]
pub fn explain(a: &[u8], a_type: Option<&str>, b: &[u8], b_type: Option<&str>) -> Mismatch {
    explain_with(a, a_type, b, b_type, &Rules::default())
}

/// Why the incoming body `a` differs from the recorded body `b`.
///
/// `a_type` and `b_type` are the values of their `Content-Type` headers; `None` (aiohttp sends JSON without one) differs from nothing.
/// Reported is the first difference, in canonical order, that keeps the request from replaying; a volatile token, or a secret
/// that is scrubbed before comparing, is reported only where nothing else differs. The further places are counted beside it.
#[must_use]
pub fn explain_with(a: &[u8], a_type: Option<&str>, b: &[u8], b_type: Option<&str>, rules: &Rules) -> Mismatch {
    if a == b {
        return content_type(a_type, b_type).unwrap_or_else(|| Mismatch::at(Cause::Same, None));
    }
    if a.is_empty() || b.is_empty() {
        let mut mismatch = Mismatch::at(Cause::EmptyBody, None);
        mismatch.left = whole(a, a_type);
        mismatch.right = whole(b, b_type);
        return mismatch;
    }
    let (a_media, b_media) = (media_type(a_type), media_type(b_type));
    if let (Some(x), Some(y)) = (&a_media, &b_media)
        && x != y
    {
        return content_type(a_type, b_type).unwrap_or_else(|| bytes(a, a_type, b, b_type, rules));
    }
    let declared = a_media.or(b_media).unwrap_or_default();
    let found = if declared.starts_with("multipart/") {
        match (a_type, b_type) {
            (Some(a_type), Some(b_type)) => multipart::compare(a, a_type, b, b_type, rules),
            _ => {
                return Mismatch::new(Cause::ContentType, None, a_type.unwrap_or("(none)"), b_type.unwrap_or("(none)"));
            }
        }
    } else if may_be_json(a, &declared) || may_be_json(b, &declared) {
        documents(a, a_type, b, b_type, rules)
    } else if declared == "application/x-www-form-urlencoded" {
        Some(form::compare(a, b, rules))
    } else {
        Some(bytes(a, a_type, b, b_type, rules))
    };
    // Whether anything counts at all is for the canonical form to say: what is announced as JSON or multipart need not be.
    let counts = found.as_ref().is_some_and(|mismatch| mismatch.cause.counts());
    let canonical = |body, content_type| body::canonical(body, content_type, rules, false);
    let found = match canonical(a, a_type) != canonical(b, b_type) {
        true if !counts => Some(bytes(a, a_type, b, b_type, rules)),
        false if counts => Some(formatting(a, b)),
        _ => found,
    };
    match found {
        Some(mismatch) if mismatch.cause.counts() => mismatch,
        Some(mismatch) => content_type(a_type, b_type).unwrap_or(mismatch),
        None => content_type(a_type, b_type).unwrap_or_else(|| Mismatch::at(Cause::Same, None)),
    }
}

/// JSON, JSON lines, or what was announced as JSON and is not.
fn documents(a: &[u8], a_type: Option<&str>, b: &[u8], b_type: Option<&str>, rules: &Rules) -> Option<Mismatch> {
    let (left, right) = match (Tree::read(a), Tree::read(b)) {
        (Ok(left), Ok(right)) => return json::compare(&left, &right, rules).or_else(|| Some(formatting(a, b))),
        (left, right) => (left.err(), right.err()),
    };
    let is_deep = |error: &Option<Error>| error.is_some_and(|error| error.kind == ErrorKind::TooDeep);
    if is_deep(&left) || is_deep(&right) {
        return Some(unreadable(Cause::TooDeep, (a, left), (b, right)));
    }
    if let (Some(left), Some(right)) = (Tree::read_lines(a), Tree::read_lines(b))
        && left.has_several_lines()
        && right.has_several_lines()
    {
        return json::compare(&left, &right, rules).or_else(|| Some(formatting(a, b)));
    }
    if left.is_some() != right.is_some() {
        return Some(unreadable(Cause::NotJson, (a, left), (b, right)));
    }
    Some(bytes(a, a_type, b, b_type, rules))
}

/// A difference in what does not count.
fn formatting(a: &[u8], b: &[u8]) -> Mismatch {
    let mut mismatch = Mismatch::at(Cause::Formatting, None);
    let at = first_difference(a, b).unwrap_or(0);
    mismatch.offset = Some(at);
    mismatch.left = window::around(a, at, Escape::Invisible);
    mismatch.right = window::around(b, at, Escape::Invisible);
    mismatch
}

/// A body that cannot be read, shown where reading stopped.
fn unreadable(cause: Cause, a: (&[u8], Option<Error>), b: (&[u8], Option<Error>)) -> Mismatch {
    let mut mismatch = Mismatch::at(cause, None);
    mismatch.offset = a.1.or(b.1).map(|error| error.offset);
    let show = |(body, error): (&[u8], Option<Error>)| match error {
        Some(error) => window::sealed(&format!("{error}: {}", window::around(body, error.offset, Escape::Invisible))),
        None => window::from_start(body),
    };
    mismatch.left = show(a);
    mismatch.right = show(b);
    mismatch
}

/// Bodies without a structure that is known here: text or bytes.
fn bytes(a: &[u8], a_type: Option<&str>, b: &[u8], b_type: Option<&str>, rules: &Rules) -> Mismatch {
    if text::is_text(a) && text::is_text(b) {
        let mut mismatch = Mismatch::at(text::cause_of(a, b, &rules.patterns), None);
        text::show(&mut mismatch, a, b);
        return mismatch;
    }
    let is_media = media::sniff(a).is_some() || media::sniff(b).is_some();
    let mut mismatch = Mismatch::at(if is_media { Cause::Media } else { Cause::Binary }, None);
    mismatch.offset = first_difference(a, b);
    mismatch.left = whole(a, a_type);
    mismatch.right = whole(b, b_type);
    mismatch
}

/// A body as a whole: text from its start, anything else as a summary.
fn whole(body: &[u8], content_type: Option<&str>) -> String {
    if body.is_empty() {
        return "(empty)".to_owned();
    }
    if let Some(kind) = media::sniff(body) {
        let original = media::Original::of(body, kind);
        return window::summary(original.len, Some(original.media_type), original.sha256.as_ref());
    }
    if text::is_text(body) {
        window::from_start(body)
    } else {
        window::summary_of(body, media_type(content_type).as_deref())
    }
}

/// What differs between two content types other than the boundary.
fn content_type(a: Option<&str>, b: Option<&str>) -> Option<Mismatch> {
    let (a, b) = (a?, b?);
    let same = match (ContentType::parse(a), ContentType::parse(b)) {
        (Ok(x), Ok(y)) => {
            let rest = |t: &ContentType<'_>, text: &str| {
                let rewritten = t.with_boundary("x");
                rewritten.get(rewritten.find(';').unwrap_or(rewritten.len())..).unwrap_or(text).replace(' ', "")
            };
            x.media_type() == y.media_type() && rest(&x, a).eq_ignore_ascii_case(&rest(&y, b))
        }
        _ => a == b,
    };
    (!same).then(|| Mismatch::new(Cause::ContentType, None, a, b))
}

/// `type/subtype` of a header.
fn media_type(header: Option<&str>) -> Option<String> {
    header.map(|header| body::media_type(Some(header)))
}

/// The boundary of a header that can be parsed.
fn boundary(header: &str) -> Option<Cow<'_, [u8]>> {
    ContentType::parse(header).ok()?.boundary().ok()
}
