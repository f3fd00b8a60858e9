//! Credentials in the query, the fragment and the user part of a URI.

use std::borrow::Cow;

use super::named::{self, Class};
use super::{REDACTED, redact};

/// `uri` without the values of its credential parameters and without its password; every other byte stays.
///
/// Parameter names count in any case and percent-encoded. `code` counts only beside another parameter of OAuth (RFC 6749, section
/// 4.1): alone it is as likely a country's. Keys of a vendor's shape are found in the path and in any other parameter too.
#[must_use]
pub fn redact_uri(uri: &str) -> Cow<'_, str> {
    let mut redacted = Cow::Borrowed(uri);
    // Once is enough but for URIs made to defy it, as with `redact`.
    for _ in 0..4 {
        let next = match redact(redacted.as_bytes()) {
            Cow::Borrowed(_) => match without_parts(&redacted) {
                Cow::Borrowed(_) => break,
                Cow::Owned(next) => next,
            },
            Cow::Owned(bytes) => without_parts(&String::from_utf8_lossy(&bytes)).into_owned(),
        };
        redacted = Cow::Owned(next);
    }
    redacted
}

/// `uri` without what its syntax says is a credential.
fn without_parts(uri: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let mut done = 0;
    let mut cut = |start: usize, end: usize| {
        if start < end && start >= done && &uri[start..end] != REDACTED {
            out.push_str(&uri[done..start]);
            out.push_str(REDACTED);
            done = end;
        }
    };
    let (path, parameters) = uri.split_at(uri.find(['?', '#']).unwrap_or(uri.len()));
    if let Some((start, end)) = userinfo(path) {
        cut(start, end);
    }
    let in_oauth = parameters.split(['?', '#', '&', ';']).any(|pair| {
        let name = pair.split('=').next().unwrap_or_default();
        ["state", "client_id", "redirect_uri", "grant_type", "code_verifier"].contains(&name)
    });
    let mut at = path.len();
    for pair in parameters.split_inclusive(['?', '#', '&', ';']) {
        let body = pair.trim_end_matches(['?', '#', '&', ';']);
        if let Some((name, _)) = body.split_once('=')
            && (is_secret_parameter(name) || (in_oauth && name == "code"))
        {
            cut(at + name.len() + 1, at + body.len());
        }
        at += pair.len();
    }
    if done == 0 {
        return Cow::Borrowed(uri);
    }
    out.push_str(&uri[done..]);
    Cow::Owned(out)
}

/// Where the user part stands, with or without a password: tokens stand there alone.
fn userinfo(path: &str) -> Option<(usize, usize)> {
    let start = path.find("://")? + 3;
    let authority = path[start..].split('/').next()?;
    Some((start, start + authority.rfind('@')?))
}

/// Names that say nothing in a body, but in a query.
const IN_A_QUERY: [&str; 15] = [
    "key",
    "token",
    "sig",
    "signature",
    "auth",
    "pwd",
    "pass",
    "hapikey",
    "jwt",
    "ticket",
    "sessionid",
    "awsaccesskeyid",
    "xamzcredential",
    "xgoogcredential",
    "assertion",
];

fn is_secret_parameter(name: &str) -> bool {
    let folded: Vec<u8> =
        decoded(name).into_iter().filter(u8::is_ascii_alphanumeric).map(|b| b.to_ascii_lowercase()).collect();
    IN_A_QUERY.iter().any(|known| known.as_bytes() == folded)
        || named::class(&folded).is_some_and(|(_, class)| class != Class::Signature)
        || [b"xamzsignature".as_slice(), b"xgoogsignature"].contains(&folded.as_slice())
}

/// `name` without percent-encoding (RFC 3986, section 2.1).
fn decoded(name: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(name.len());
    let mut rest = name.as_bytes();
    while let [first, after @ ..] = rest {
        if let (b'%', [high, low, behind @ ..]) = (first, after)
            && let (Some(high), Some(low)) = (hex(*high), hex(*low))
        {
            out.push(high << 4 | low);
            rest = behind;
        } else {
            out.push(*first);
            rest = after;
        }
    }
    out
}

const fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}
