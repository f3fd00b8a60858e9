//! From episodes to their compact form.

use std::collections::HashMap;

use super::segment::{Segment, segments};
use super::squeeze::{squeeze, squeeze_payload, worth_a_try, wrap_payload};
use super::{BLOB, DIGEST, MAX_LEN, NESTED, PIECE, TAG, VERSION};
use crate::error::{Error, ErrorKind};
use crate::sink::sha256;

/// What is packed.
#[derive(Clone, Copy, Debug)]
pub struct Episode<'a> {
    /// The caller's own.
    pub head: &'a [u8],
    /// The request's body.
    pub request: Option<&'a [u8]>,
    /// The response's body.
    pub response: Option<&'a [u8]>,
}

/// Episodes in compact form, and the payloads that they point to.
pub struct Encoded {
    /// What [`super::open`] takes.
    pub pack: Vec<u8>,
    /// In the order in which the pack names them.
    pub blobs: Vec<Blob>,
}

/// A payload as it is stored.
pub struct Blob {
    /// The SHA-256 of the payload itself.
    pub digest: [u8; 32],
    /// The payload, compressed, and the begin of its digest.
    pub stored: Vec<u8>,
}

/// The compact form of `episodes`.
///
/// The error is [`ErrorKind::TooLarge`], for more than a gigabyte, or than there is memory for.
pub fn encode(episodes: &[Episode<'_>]) -> Result<Encoded, Error> {
    let total = episodes
        .iter()
        .map(|one| one.head.len() + one.request.map_or(0, <[u8]>::len) + one.response.map_or(0, <[u8]>::len))
        .sum();
    let too_large = Error::new(ErrorKind::TooLarge, total);
    if total > MAX_LEN {
        return Err(too_large);
    }
    let mut blobs = Blobs::default();
    let mut payload = Vec::new();
    put_number(&mut payload, episodes.len());
    for episode in episodes {
        put_bytes(&mut payload, episode.head);
        for body in [episode.request, episode.response] {
            put_body(&mut payload, body, &mut blobs).ok_or(too_large)?;
        }
    }
    let mut pack = vec![VERSION];
    put_number(&mut pack, blobs.found.len());
    for blob in &blobs.found {
        pack.extend_from_slice(&blob.digest);
    }
    pack.append(&mut squeeze(&payload).ok_or(too_large)?);
    Ok(Encoded { pack, blobs: blobs.found })
}

fn put_body(out: &mut Vec<u8>, body: Option<&[u8]>, blobs: &mut Blobs) -> Option<()> {
    let Some(body) = body else {
        put_number(out, 0);
        return Some(());
    };
    let (count, mut pieces) = put_segments(&segments(body), blobs)?;
    put_number(out, count + 1);
    out.append(&mut pieces);
    Some(())
}

/// How many there are, a payload in pieces counting as several, and the segments.
fn put_segments(segments: &[Segment<'_>], blobs: &mut Blobs) -> Option<(usize, Vec<u8>)> {
    let mut count = 0;
    let mut pieces = Vec::new();
    for segment in segments {
        let numbers = if segment.is_payload() { blobs.numbers(segment)? } else { Vec::new() };
        count += numbers.len().max(1);
        for number in &numbers {
            pieces.push(segment.kind | BLOB);
            put_number(&mut pieces, *number);
        }
        if !segment.inner.is_empty() {
            let (within, mut inner) = put_segments(&segment.inner, blobs)?;
            pieces.push(segment.kind | NESTED);
            put_number(&mut pieces, within);
            pieces.append(&mut inner);
        } else if numbers.is_empty() {
            pieces.push(segment.kind);
            put_bytes(&mut pieces, &segment.bytes);
        }
    }
    Some((count, pieces))
}

/// The payloads met so far.
#[derive(Default)]
struct Blobs {
    found: Vec<Blob>,
    known: HashMap<[u8; DIGEST], usize>,
}

impl Blobs {
    /// The numbers of the segment's blobs: one, or several for a long one that cannot be made smaller; `None` where zstd has no memory.
    fn numbers(&mut self, segment: &Segment<'_>) -> Option<Vec<usize>> {
        let bytes = &segment.bytes[..];
        if bytes.len() > PIECE && !worth_a_try(bytes) {
            return self.pieces(bytes);
        }
        let digest = sha256(bytes);
        if let Some(number) = self.known.get(&digest) {
            return Some(vec![*number]);
        }
        match squeeze_payload(bytes) {
            Some(packed) => Some(vec![self.add(digest, packed)]),
            None => self.pieces(bytes),
        }
    }

    fn pieces(&mut self, bytes: &[u8]) -> Option<Vec<usize>> {
        bytes
            .chunks(PIECE)
            .map(|piece| {
                let digest = sha256(piece);
                let known = self.known.get(&digest).copied();
                known.or_else(|| wrap_payload(piece).map(|packed| self.add(digest, packed)))
            })
            .collect()
    }

    fn add(&mut self, digest: [u8; DIGEST], mut packed: Vec<u8>) -> usize {
        packed.extend_from_slice(&digest[..TAG]);
        self.found.push(Blob { digest, stored: packed });
        self.known.insert(digest, self.found.len() - 1);
        self.found.len() - 1
    }
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
