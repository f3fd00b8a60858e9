//! From an episode to its compact form.

use super::segment::{Segment, segments};
use super::{BLOB, MAX_LEN, VERSION, pack};
use crate::error::{Error, ErrorKind};
use crate::sink::sha256;

/// An episode in compact form, and the payloads that it points to.
pub struct Encoded {
    /// What [`super::decode`] takes.
    pub episode: Vec<u8>,
    /// In the order in which the episode names them.
    pub blobs: Vec<Blob>,
}

/// A payload as it is stored.
pub struct Blob {
    /// The SHA-256 of the payload itself.
    pub digest: [u8; 32],
    /// The payload with a leading byte that says how it is kept.
    pub stored: Vec<u8>,
}

/// The compact form of an episode: its `head`, and its bodies where it has any.
///
/// The error is [`ErrorKind::TooLarge`], for more than a gigabyte.
pub fn encode(head: &[u8], request: Option<&[u8]>, response: Option<&[u8]>) -> Result<Encoded, Error> {
    let total = head.len() + request.map_or(0, <[u8]>::len) + response.map_or(0, <[u8]>::len);
    let too_large = Error::new(ErrorKind::TooLarge, total);
    if total > MAX_LEN {
        return Err(too_large);
    }
    let mut blobs = Vec::new();
    let mut payload = Vec::with_capacity(head.len() + 64);
    put_bytes(&mut payload, head);
    for body in [request, response] {
        put_body(&mut payload, body, &mut blobs).ok_or(too_large)?;
    }
    let mut episode = vec![VERSION];
    put_number(&mut episode, blobs.len());
    for blob in &blobs {
        episode.extend_from_slice(&blob.digest);
    }
    episode.append(&mut pack::pack(&payload).ok_or(too_large)?);
    Ok(Encoded { episode, blobs })
}

fn put_body(out: &mut Vec<u8>, body: Option<&[u8]>, blobs: &mut Vec<Blob>) -> Option<()> {
    let Some(body) = body else {
        put_number(out, 0);
        return Some(());
    };
    let segments = segments(body);
    put_number(out, segments.len() + 1);
    for segment in segments {
        if segment.is_payload() {
            out.push(segment.kind | BLOB);
            put_number(out, blob(&segment, blobs)?);
        } else {
            out.push(segment.kind);
            put_bytes(out, &segment.bytes);
        }
    }
    Some(())
}

/// The number of the segment's blob.
fn blob(segment: &Segment<'_>, blobs: &mut Vec<Blob>) -> Option<usize> {
    let digest = sha256(&segment.bytes);
    if let Some(known) = blobs.iter().position(|one| one.digest == digest) {
        return Some(known);
    }
    let packed = pack::pack(&segment.bytes)?;
    // What is compressed already is kept as it is: reading it back is then a copy.
    let pays = packed.len() < segment.bytes.len() / 20 * 19;
    let (kind, bytes) = if pays { (1, packed.as_slice()) } else { (0, segment.bytes.as_ref()) };
    let mut stored = Vec::with_capacity(bytes.len() + 1);
    stored.push(kind);
    stored.extend_from_slice(bytes);
    blobs.push(Blob { digest, stored });
    Some(blobs.len() - 1)
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_number(out, bytes.len());
    out.extend_from_slice(bytes);
}

#[allow(clippy::cast_possible_truncation, reason = "seven bits at a time")]
fn put_number(out: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}
