//! From the compact form back to an episode. Any bytes may come in: what is damaged is told, and never a panic.

use base64_simd::{STANDARD, URL_SAFE};

use super::{BASE64, BASE64_URL, BLOB, DIGEST, MAX_LEN, PLAIN, VERSION, pack};
use crate::error::{Error, ErrorKind};
use crate::sink::sha256;

/// What [`super::encode`] was given.
#[derive(Debug, PartialEq, Eq)]
pub struct Decoded {
    /// The caller's own.
    pub head: Vec<u8>,
    /// The request's body.
    pub request: Option<Vec<u8>>,
    /// The response's body.
    pub response: Option<Vec<u8>>,
}

/// The digests of the payloads that an episode points to.
pub fn blobs(episode: &[u8]) -> Result<Vec<[u8; DIGEST]>, Error> {
    Ok(split(episode)?.0.to_vec())
}

/// The episode in its compact form, with its `stored` blobs in the order of [`blobs`].
pub fn decode(episode: &[u8], stored: &[&[u8]]) -> Result<Decoded, Error> {
    let (digests, packed) = split(episode)?;
    let mut payloads = Vec::with_capacity(digests.len());
    for (number, digest) in digests.iter().enumerate() {
        let payload = stored.get(number).and_then(|blob| payload(blob, digest));
        payloads.push(payload.ok_or(Error::new(ErrorKind::BadBlob, number))?);
    }
    let unpacked = pack::unpack(packed).ok_or(Error::new(ErrorKind::BadEpisode, episode.len() - packed.len()))?;
    let mut reader = Reader { bytes: &unpacked };
    let damaged = Error::new(ErrorKind::BadEpisode, 0);
    let head = reader.bytes_with_len().ok_or(damaged)?.to_vec();
    let request = reader.body(&payloads).ok_or(damaged)?;
    let response = reader.body(&payloads).ok_or(damaged)?;
    if reader.bytes.is_empty() { Ok(Decoded { head, request, response }) } else { Err(damaged) }
}

/// The digests, and what is compressed behind them.
fn split(episode: &[u8]) -> Result<(&[[u8; DIGEST]], &[u8]), Error> {
    let damaged = Error::new(ErrorKind::BadEpisode, 0);
    let (version, rest) = episode.split_first().ok_or(damaged)?;
    match *version {
        VERSION => {}
        0 => return Err(damaged),
        _ => return Err(Error::new(ErrorKind::NewerEpisode, 0)),
    }
    let mut reader = Reader { bytes: rest };
    let count = reader.number().ok_or(damaged)?;
    let len = count.checked_mul(DIGEST).ok_or(damaged)?;
    let digests = reader.take(len).ok_or(damaged)?;
    Ok((digests.as_chunks().0, reader.bytes))
}

fn payload(stored: &[u8], digest: &[u8; DIGEST]) -> Option<Vec<u8>> {
    let (kind, bytes) = stored.split_first()?;
    let payload = match kind {
        0 => bytes.to_vec(),
        1 => pack::unpack(bytes)?,
        _ => return None,
    };
    (sha256(&payload) == *digest).then_some(payload)
}

struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(len)?;
        self.bytes = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|one| one[0])
    }

    fn number(&mut self) -> Option<usize> {
        let mut number = 0;
        for shift in (0..35).step_by(7) {
            let byte = self.byte()?;
            number |= usize::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return (number <= MAX_LEN).then_some(number);
            }
        }
        None
    }

    fn bytes_with_len(&mut self) -> Option<&'a [u8]> {
        let len = self.number()?;
        self.take(len)
    }

    /// A body, or `None` for one that is damaged.
    #[allow(clippy::option_option, reason = "an episode may well have no body")]
    fn body(&mut self, payloads: &[Vec<u8>]) -> Option<Option<Vec<u8>>> {
        let Some(count) = self.number()?.checked_sub(1) else { return Some(None) };
        let mut body = Vec::new();
        for _ in 0..count {
            let kind = self.byte()?;
            let bytes =
                if kind & BLOB == 0 { self.bytes_with_len()? } else { payloads.get(self.number()?)?.as_slice() };
            // A damaged one could name the same blob again and again.
            if body.len() + bytes.len() > 2 * MAX_LEN {
                return None;
            }
            match kind & !BLOB {
                PLAIN => body.extend_from_slice(bytes),
                BASE64 => body.extend_from_slice(STANDARD.encode_to_string(bytes).as_bytes()),
                BASE64_URL => body.extend_from_slice(URL_SAFE.encode_to_string(bytes).as_bytes()),
                _ => return None,
            }
        }
        Some(Some(body))
    }
}
