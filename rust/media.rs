//! (stub until the media module is merged)
#![allow(missing_docs, reason = "a stub")]
use std::borrow::Cow;

pub const DECLARING_KEYS: [&[u8]; 4] = [b"media_type", b"mimeType", b"mime_type", b"format"];

pub struct Original {
    pub media_type: Cow<'static, str>,
    pub len: u64,
    pub sha256: Option<[u8; 32]>,
}

pub struct StringMedia<'a> {
    pub head: &'a [u8],
    pub original: Original,
}

#[must_use]
pub fn string_media<'a>(raw: &'a [u8], declared: Option<&[u8]>) -> Option<StringMedia<'a>> {
    let _ = (raw, declared);
    None
}
