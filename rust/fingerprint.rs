//! What makes two bodies, or two credentials, the same one.

use crate::body::{self, Kind, Rules};
use crate::media::Shrink;
use crate::secrets::REDACTED;
use crate::sink::{Hasher, Sink, hex, sha256};
use crate::volatile;
use std::borrow::Cow;

/// The version of the canonical form. It goes into every fingerprint, so that one stored by another version never matches by chance.
pub const FORMAT: u32 = 1;

/// What [`key_fingerprint`] says of a request without a credential.
pub const NO_KEY: &str = "no-key";

/// The names of headers that carry a credential of a provider, in lower case.
pub const CREDENTIAL_HEADERS: [&str; 8] = [
    "authorization",
    "x-api-key",
    "api-key",
    "x-goog-api-key",
    "ocp-apim-subscription-key",
    "xi-api-key",
    "x-auth-token",
    "x-functions-key",
];

/// The SHA-256 of the canonical form of `body`, with [`FORMAT`] and the kind of body mixed in.
#[must_use]
pub fn fingerprint(body: &[u8], content_type: Option<&str>, rules: &Rules, mask_volatile: bool) -> [u8; 32] {
    if mask_volatile {
        let (text, kind) = body::canonical(body, content_type, rules, false);
        let masked: Cow<'_, [u8]> = volatile::mask(&text, &rules.patterns);
        let mut hasher = Hasher::new();
        hasher.put(&masked);
        return seal(hasher, kind);
    }
    let mut hasher = Hasher::new();
    let kind = body::canonical_into(body, content_type, rules, &mut hasher);
    seal(hasher, kind)
}

/// The kind goes in last: it is known only when the body has been read.
fn seal(mut hasher: Hasher, kind: Kind) -> [u8; 32] {
    hasher.put(format!("\n{} llm-vcr {FORMAT}", kind.as_str()).as_bytes());
    hasher.finish()
}

/// As [`body::shrink`], for a request's body: the digest of what is taken out is kept, so that the small body still equals the full one.
///
/// Where it would not (media in a place that is compared by its raw bytes), the body itself comes back.
#[must_use]
pub fn shrink_request<'a>(body: &'a [u8], content_type: Option<&str>, rules: &Rules, min_len: usize) -> Cow<'a, [u8]> {
    let shrunk = body::shrink(body, content_type, Shrink { min_len, digest: true });
    if let Cow::Owned(small) = &shrunk
        && fingerprint(small, content_type, rules, false) != fingerprint(body, content_type, rules, false)
    {
        return Cow::Borrowed(body);
    }
    shrunk
}

/// Sixteen hexadecimal digits that tell the credential of a request from another one, or [`NO_KEY`].
///
/// Looks at [`CREDENTIAL_HEADERS`], and at `key` and `api_key` in the query.
/// AWS Signature Version 4 counts by its access key id, because the signature changes each second, and a Google OAuth token
/// (`ya29.`) by its kind, because it changes each hour.
#[must_use]
pub fn key_fingerprint<'a>(headers: impl IntoIterator<Item = (&'a str, &'a str)>, query: &str) -> String {
    let mut keys: Vec<&str> = headers
        .into_iter()
        .filter(|(name, _)| is_one_of(name, &CREDENTIAL_HEADERS))
        .map(|(_, value)| normalized(value))
        .chain(
            query
                .split('&')
                .filter_map(|pair| pair.split_once('='))
                .filter(|(name, _)| is_one_of(name, &["key", "api_key", "api-key", "apikey", "access_token"]))
                .map(|(_, value)| normalized(value)),
        )
        // A key that was redacted (in the query of a stored redirect, say) tells nothing any more.
        .filter(|key| !key.is_empty() && *key != REDACTED)
        .collect();
    if keys.is_empty() {
        return NO_KEY.to_owned();
    }
    keys.sort_unstable();
    keys.dedup();
    hex(&sha256(keys.join("\0").as_bytes())[..8])
}

fn is_one_of(name: &str, known: &[&str]) -> bool {
    known.iter().any(|one| name.eq_ignore_ascii_case(one))
}

/// The part of a credential that stays the same from one request to the next.
fn normalized(value: &str) -> &str {
    let value = value.trim();
    if let Some(signed) = value.strip_prefix("AWS4-") {
        // `AWS4-HMAC-SHA256 Credential=<access key id>/<date>/<region>/<service>/aws4_request, …`
        return signed.split_once("Credential=").map_or(signed, |(_, rest)| rest.split('/').next().unwrap_or(rest));
    }
    let token = match value.split_once(' ') {
        Some((scheme, token)) if is_one_of(scheme, &["bearer", "token", "apikey", "key"]) => token.trim(),
        _ => value,
    };
    if token.starts_with("ya29.") { "ya29." } else { token }
}
