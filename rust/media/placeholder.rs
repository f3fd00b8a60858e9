//! Placeholders: small valid files that say what they stand for.

use memchr::memmem;

use super::files;
use super::png;
use super::sniff::{MediaType, NOTE, sniff};
use crate::sink::{hex, sha256};

/// A placeholder's least length in bytes. Above 1 KiB, so that whoever looks for media above 1 KiB also sees what media became; padding compresses to nothing.
pub const MIN_PLACEHOLDER: usize = 1_100;

/// A placeholder's greatest length in bytes.
pub const MAX_PLACEHOLDER: usize = 6 * 1_024;

/// What a media file was before it was replaced: all that counts when requests are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Original {
    /// `type/subtype`, in lower case.
    pub media_type: &'static str,
    /// Length in bytes.
    pub len: u64,
    /// SHA-256 of the bytes; `None` where the note has none, as in responses.
    pub sha256: Option<[u8; 32]>,
}

impl Original {
    /// What `bytes` are, taken as a file of type `kind`; a placeholder that knows its original's digest counts as that original.
    #[must_use]
    pub fn of(bytes: &[u8], kind: MediaType) -> Self {
        original(bytes).filter(|noted| noted.sha256.is_some()).unwrap_or_else(|| Self {
            media_type: kind.mime(),
            len: bytes.len() as u64,
            sha256: Some(sha256(bytes)),
        })
    }

    fn note(&self) -> String {
        let digest = self.sha256.map_or_else(|| String::from("-"), |digest| hex(&digest));
        format!("{NOTE}{} {} {digest}", self.media_type, self.len)
    }
}

/// A small valid file of type `kind` that stands for `bytes` and notes their length and, `with_digest`, their SHA-256.
///
/// The same bytes always give the same file. A PNG keeps its width and height up to about 33 megapixels; everything else is one pixel,
/// one empty page or a moment of silence. Bytes that are a placeholder already come back unchanged. Length between
/// [`MIN_PLACEHOLDER`] and [`MAX_PLACEHOLDER`].
#[must_use]
pub fn placeholder(bytes: &[u8], kind: MediaType, with_digest: bool) -> Vec<u8> {
    if original(bytes).is_some() {
        return bytes.to_vec();
    }
    let sha256 = with_digest.then(|| sha256(bytes));
    standing_for(&Original { media_type: kind.mime(), len: bytes.len() as u64, sha256 }, kind, png::size(bytes))
}

/// The placeholder for a file that is known by what counts; `size` is a PNG's.
pub(super) fn standing_for(original: &Original, kind: MediaType, size: Option<(u32, u32)>) -> Vec<u8> {
    let mut note = original.note();
    let bare = files::write(kind, size, note.as_bytes());
    if bare.len() >= MIN_PLACEHOLDER {
        return bare;
    }
    note.extend(std::iter::repeat_n(' ', MIN_PLACEHOLDER - bare.len()));
    files::write(kind, size, note.as_bytes())
}

/// What the placeholder `bytes` stands for; `None` if it is no placeholder of ours, byte for byte.
///
/// A file that merely contains such a note (a placeholder somebody edited) is not taken for the original.
#[must_use]
pub fn original(bytes: &[u8]) -> Option<Original> {
    if !(MIN_PLACEHOLDER..=MAX_PLACEHOLDER).contains(&bytes.len()) {
        return None;
    }
    let kind = sniff(bytes)?;
    let note = bytes.get(memmem::find(bytes, NOTE.as_bytes())? + NOTE.len()..)?;
    let mut fields = note.splitn(3, |&b| b == b' ');
    let (media_type, len, digest) = (fields.next()?, fields.next()?, fields.next()?);
    if media_type != kind.mime().as_bytes() {
        return None;
    }
    let len = std::str::from_utf8(len).ok()?.parse().ok()?;
    let sha256 = if digest.first() == Some(&b'-') { None } else { Some(digest_of(digest.first_chunk()?)?) };
    let noted = Original { media_type: kind.mime(), len, sha256 };
    (standing_for(&noted, kind, png::size(bytes)) == bytes).then_some(noted)
}

/// A digest out of its 64 hex digits.
fn digest_of(hex: &[u8; 64]) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    for (byte, pair) in digest.iter_mut().zip(hex.chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(digest)
}
