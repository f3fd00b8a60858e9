//! Credentials in bodies, headers and URIs: recognised, redacted, and found again in what is stored.
//!
//! Three ways to know one, from the surest to the weakest:
//!
//! 1. [`token`]: the vendor's own shape (`sk-…`, `AIza…`, `ghp_…`), wherever it stands.
//! 2. [`carrier`]: what surrounds it (`Bearer …`, a JWT, a PEM block, `scheme://user:password@`).
//! 3. [`named`]: the name of the member it is the value of (`"api_key": "…"`, `client_secret=…`).
//!
//! All three work on bytes, not on a parsed body: JSON, SSE, forms, YAML, JSON inside a JSON string and broken text alike. Base64
//! runs that hold text are decoded and searched too ([`encoded`]). Base64 that holds anything else (embeddings, images, signatures)
//! is passed over, and a name counts only with a string behind it, so `max_tokens: 5` and `"token": "the"` stay.
//!
//! Every step is linear: looking left is bounded, and what a rule consumed is not looked at by that rule again.

mod carrier;
mod encoded;
mod header;
mod named;
mod shape;
mod token;
mod uri;

use std::borrow::Cow;

pub use header::{is_incidental_header, is_secret_header};
pub use uri::redact_uri;

/// What stands in the place of a credential: a word, so that JSON stays JSON and a form stays a form.
pub const REDACTED: &str = "REDACTED";

/// A credential found in a text: what kind, and which bytes. It never holds the credential itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The vendor's or the carrier's name, in lower case with dashes (`openai`, `google-api-key`, `jwt`, `password`).
    pub kind: &'static str,
    /// Bytes before the credential.
    pub start: usize,
    /// Bytes before what follows the credential.
    pub end: usize,
}

/// The credentials of `text`, in order and without overlap.
///
/// A credential inside base64 is reported as the whole base64 run.
#[must_use]
pub fn scan(text: &[u8]) -> Vec<Finding> {
    hits(text).iter().map(|hit| Finding { kind: hit.kind, start: hit.start, end: hit.end }).collect()
}

/// `text` with every credential replaced by [`REDACTED`], or `text` itself where there is none.
///
/// No part of a credential is left, its prefix neither. What was valid JSON stays valid JSON. A base64 run is decoded, redacted and
/// encoded again. The result holds no finding, so a second time changes nothing.
#[must_use]
pub fn redact(text: &[u8]) -> Cow<'_, [u8]> {
    let mut redacted = Cow::Borrowed(text);
    // One round does it but for texts made to defy it: there, taking one credential away can lay another one bare.
    for _ in 0..8 {
        let hits = hits(&redacted);
        if hits.is_empty() {
            break;
        }
        redacted = Cow::Owned(replace(&redacted, &hits));
    }
    redacted
}

/// A finding and, where it is not just [`REDACTED`], what takes its place.
#[derive(Clone, Debug)]
struct Hit {
    kind: &'static str,
    start: usize,
    end: usize,
    with: Option<Vec<u8>>,
}

impl Hit {
    const fn new(kind: &'static str, start: usize, end: usize) -> Self {
        Self { kind, start, end, with: None }
    }
}

fn hits(text: &[u8]) -> Vec<Hit> {
    let mut hits = plain_hits(text);
    encoded::find(text, &mut hits);
    merged(hits)
}

/// The hits of the rules that look at `text` as it stands.
fn plain_hits(text: &[u8]) -> Vec<Hit> {
    let mut hits = Vec::new();
    token::find(text, &mut hits);
    carrier::find(text, &mut hits);
    named::find(text, &mut hits);
    hits
}

/// In order, and overlapping ones as one: half a credential must not stay because two rules saw different halves.
fn merged(mut hits: Vec<Hit>) -> Vec<Hit> {
    if hits.len() < 2 {
        return hits;
    }
    hits.sort_by_key(|hit| hit.start);
    let mut merged: Vec<Hit> = Vec::with_capacity(hits.len());
    for hit in hits {
        match merged.last_mut() {
            Some(last) if hit.start < last.end => {
                if last.with.is_some() && hit.with.is_none() {
                    last.kind = hit.kind;
                }
                last.with = None;
                last.end = last.end.max(hit.end);
            }
            _ => merged.push(hit),
        }
    }
    merged
}

fn replace(text: &[u8], hits: &[Hit]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut done = 0;
    for hit in hits {
        out.extend_from_slice(&text[done..hit.start]);
        out.extend_from_slice(hit.with.as_deref().unwrap_or(REDACTED.as_bytes()));
        done = hit.end;
    }
    out.extend_from_slice(&text[done..]);
    out
}

/// A search for any of `literals`, all of them at once.
fn any_of(literals: impl IntoIterator<Item = &'static str>) -> Option<regex::bytes::Regex> {
    let escaped: Vec<String> = literals.into_iter().map(regex::escape).collect();
    regex::bytes::Regex::new(&format!("(?-u){}", escaped.join("|"))).ok()
}

/// Puts `rule`'s hit at each place where `literals` matches. The rule gets the place of the literal; the search goes on behind the
/// hit, so no byte is consumed twice.
fn find_each(
    literals: Option<&regex::bytes::Regex>,
    text: &[u8],
    hits: &mut Vec<Hit>,
    rule: impl Fn(&[u8], usize, usize) -> Option<Hit>,
) {
    let Some(literals) = literals else { return };
    let mut at = 0;
    while let Some(literal) = literals.find_at(text, at) {
        at = literal.end();
        if let Some(hit) = rule(text, literal.start(), literal.end()) {
            at = at.max(hit.end);
            hits.push(hit);
        }
    }
}
