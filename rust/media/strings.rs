//! One JSON string that holds media, and the names under which its type is declared beside it.

use memchr::memchr;

use super::base64;
use super::placeholder::Original;
use super::sniff::MediaType;

/// The longest head of a `data:` URL that is looked at, in bytes.
pub(super) const MAX_URL_HEAD: usize = 256;

/// What counts of a JSON string that holds media.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StringMedia<'a> {
    /// The head of a `data:` URL as it stands, up to and with the comma; empty for bare base64.
    pub head: &'a [u8],
    /// What the base64 holds. Its digest is always there.
    pub original: Original,
}

/// The media in a JSON string, `raw` being what stands between its quotes, still escaped; `None` if it is any other string.
///
/// Media is base64 (bare, or a base64 `data:` URL that fills the string) which decodes to its last character, and whose type is told by
/// magic bytes or else by a declaration: the URL's own type, or `declared`, the value of a sibling named in [`DECLARING_KEYS`]
/// ([`MediaType::declared`] reads it; of several, pass any one: where they differ, `shrink` leaves the string alone).
/// Escaped slashes and line breaks, the url-safe alphabet and missing padding make no difference.
/// A placeholder that knows its original's digest counts as the original, so for any string that [`super::shrink()`] replaced with
/// digests this gives the same before and after.
#[must_use]
pub fn string_media<'a>(raw: &'a [u8], declared: Option<&[u8]>) -> Option<StringMedia<'a>> {
    let (head, declared) = match data_url(raw) {
        Some(url) => (url.head, Some(url.media_type)),
        None => (&raw[..0], declared),
    };
    let payload = raw.get(head.len()..).filter(|payload| !payload.is_empty())?;
    let kind = match base64::sniff_encoded(payload) {
        Some((kind, _)) => kind,
        None => MediaType::declared(declared?)?,
    };
    let bytes = base64::decode(payload)?;
    Some(StringMedia { head, original: Original::of(&bytes, kind) })
}

/// The names under which providers declare the media type of a sibling: Anthropic's `media_type`, Gemini's `mimeType`, `OpenAI`'s `format`.
pub const DECLARING_KEYS: [&[u8]; 4] = [b"media_type", b"mimeType", b"mime_type", b"format"];

/// Whether `key` is a name whose base64 a sibling may declare to be media. A signature beside a media type is no media.
pub(super) fn may_be_declared(key: &[u8]) -> bool {
    const NAMES: [&[u8]; 9] = [
        b"data",
        b"b64_json",
        b"result",
        b"bytes",
        b"bytesBase64Encoded",
        b"imageBytes",
        b"image_bytes",
        b"videoBytes",
        b"video_bytes",
    ];
    NAMES.contains(&key)
}

/// The head of a base64 `data:` URL (RFC 2397).
pub(super) struct DataUrl<'a> {
    /// Up to and with the comma.
    pub(super) head: &'a [u8],
    /// As it stands, perhaps empty or with an escaped slash.
    pub(super) media_type: &'a [u8],
}

pub(super) fn data_url(raw: &[u8]) -> Option<DataUrl<'_>> {
    let (scheme, rest) = raw.split_first_chunk::<5>()?;
    if !scheme.eq_ignore_ascii_case(b"data:") {
        return None;
    }
    let comma = memchr(b',', &rest[..rest.len().min(MAX_URL_HEAD)])?;
    let (head, media_type) = (&raw[..=scheme.len() + comma], &rest[..comma]);
    let (media_type, suffix) = media_type.split_last_chunk::<7>()?;
    let media_type = media_type.split(|&b| b == b';').next().unwrap_or_default();
    (suffix.eq_ignore_ascii_case(b";base64")).then_some(DataUrl { head, media_type })
}
