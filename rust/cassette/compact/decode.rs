//! From the compact form back to episodes. Any bytes may come in: what is damaged is told, and never a panic.

use std::borrow::Cow;

use base64_simd::{STANDARD, URL_SAFE};

use super::squeeze::unsqueeze;
use super::{BASE64, BASE64_URL, BLOB, DIGEST, MAX_LEN, NESTED, PLAIN, VERSION};
use crate::error::{Error, ErrorKind};
use crate::sink::sha256;

/// An episode that [`super::encode`] was given.
#[derive(Debug, PartialEq, Eq)]
pub struct Decoded {
    /// The caller's own.
    pub head: Vec<u8>,
    /// The request's body.
    pub request: Option<Vec<u8>>,
    /// The response's body.
    pub response: Option<Vec<u8>>,
}

/// The digests of the payloads that a pack points to.
pub fn blobs(pack: &[u8]) -> Result<Vec<[u8; DIGEST]>, Error> {
    Ok(split(pack)?.0.to_vec())
}

/// The episodes of a pack, with its `stored` blobs in the order of [`blobs`].
///
/// An episode whose payload is not there, or is another one, is the number of that payload instead; the others are whole.
pub fn decode(pack: &[u8], stored: &[Option<&[u8]>]) -> Result<Vec<Result<Decoded, usize>>, Error> {
    let (digests, packed) = split(pack)?;
    let payloads: Vec<_> =
        digests.iter().enumerate().map(|(number, digest)| payload((*stored.get(number)?)?, digest)).collect();
    let damaged = Error::new(ErrorKind::BadEpisode, pack.len() - packed.len());
    let unpacked = unsqueeze(packed).ok_or(damaged)?;
    let mut reader = Reader { bytes: &unpacked, room: 2 * MAX_LEN };
    let count = reader.number().ok_or(damaged)?;
    let mut episodes = Vec::new();
    for _ in 0..count {
        episodes.push(reader.episode(&payloads).ok_or(damaged)?);
    }
    if reader.bytes.is_empty() { Ok(episodes) } else { Err(damaged) }
}

/// The digests, and what is compressed behind them.
fn split(pack: &[u8]) -> Result<(&[[u8; DIGEST]], &[u8]), Error> {
    let damaged = Error::new(ErrorKind::BadEpisode, 0);
    let (version, rest) = pack.split_first().ok_or(damaged)?;
    match *version {
        VERSION => {}
        0..VERSION => return Err(damaged),
        _ => return Err(Error::new(ErrorKind::NewerEpisode, 0)),
    }
    let mut reader = Reader { bytes: rest, room: 0 };
    let count = reader.number().ok_or(damaged)?;
    let len = count.checked_mul(DIGEST).ok_or(damaged)?;
    let digests = reader.take(len).ok_or(damaged)?;
    Ok((digests.as_chunks().0, reader.bytes))
}

fn payload<'a>(stored: &'a [u8], digest: &[u8; DIGEST]) -> Option<Cow<'a, [u8]>> {
    let (kind, bytes) = stored.split_first()?;
    let payload = match kind {
        0 => Cow::Borrowed(bytes),
        1 => Cow::Owned(unsqueeze(bytes)?),
        _ => return None,
    };
    (sha256(&payload) == *digest).then_some(payload)
}

/// A body, or the number of the payload that it lacks.
type Body = Result<Option<Vec<u8>>, usize>;

struct Reader<'a> {
    bytes: &'a [u8],
    /// How many bytes of bodies there may still be: a damaged pack could name the same blob again and again.
    room: usize,
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

    /// An episode, or the number of the payload that it lacks; `None` for one that is damaged.
    fn episode(&mut self, payloads: &[Option<Cow<'_, [u8]>>]) -> Option<Result<Decoded, usize>> {
        let head = self.bytes_with_len()?.to_vec();
        let (request, response) = (self.body(payloads)?, self.body(payloads)?);
        Some(request.and_then(|request| Ok(Decoded { head, request, response: response? })))
    }

    fn body(&mut self, payloads: &[Option<Cow<'_, [u8]>>]) -> Option<Body> {
        let Some(count) = self.number()?.checked_sub(1) else { return Some(Ok(None)) };
        let mut body = Vec::new();
        let lacking = self.segments(count, payloads, &mut body, true)?;
        Some(lacking.map_or(Ok(Some(body)), Err))
    }

    /// Puts so many segments together; tells the number of a payload that is lacking, if one is.
    #[allow(clippy::option_option, reason = "the outer one is for what is damaged")]
    fn segments(
        &mut self,
        count: usize,
        payloads: &[Option<Cow<'_, [u8]>>],
        body: &mut Vec<u8>,
        may_nest: bool,
    ) -> Option<Option<usize>> {
        let mut lacking = None;
        let mut inner = Vec::new();
        for _ in 0..count {
            let kind = self.byte()?;
            let bytes = if kind & BLOB != 0 {
                let number = self.number()?;
                let payload = payloads.get(number)?;
                lacking = lacking.or(payload.is_none().then_some(number));
                payload.as_deref().unwrap_or_default()
            } else if kind & NESTED != 0 && may_nest {
                inner.clear();
                let within = self.number()?;
                let inside = self.segments(within, payloads, &mut inner, false)?;
                lacking = lacking.or(inside);
                &inner
            } else {
                self.bytes_with_len()?
            };
            self.room = self.room.checked_sub(bytes.len())?;
            // More than that where there are more segments to come: what is encoded into it asks for no more than it needs.
            body.reserve(bytes.len() / 3 * 4 + 4);
            match kind & !(BLOB | if may_nest { NESTED } else { 0 }) {
                PLAIN => body.extend_from_slice(bytes),
                BASE64 => STANDARD.encode_append(bytes, body),
                BASE64_URL => URL_SAFE.encode_append(bytes, body),
                _ => return None,
            }
        }
        Some(lacking)
    }
}
