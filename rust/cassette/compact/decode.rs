//! From the compact form back to episodes. Any bytes may come in: what is damaged is told, and never a panic.

use std::borrow::Cow;
use std::cell::Cell;

use base64_simd::{AsOut, Base64, STANDARD, URL_SAFE};

use super::squeeze::unsqueeze;
use super::{BASE64, BASE64_URL, BLOB, DIGEST, MAX_LEN, NESTED, PLAIN, TAG, VERSION};
use crate::error::{Error, ErrorKind};

/// A pack whose episodes can be put together, each where it is to be.
pub struct Opened<'a> {
    unpacked: Vec<u8>,
    payloads: Vec<Option<Vec<u8>>>,
    digests: &'a [[u8; DIGEST]],
    damaged: Error,
}

/// An episode that [`super::encode`] was given.
#[derive(Debug)]
pub struct Decoded<'a> {
    /// The caller's own.
    pub head: &'a [u8],
    /// The request's body.
    pub request: Option<Body<'a>>,
    /// The response's body.
    pub response: Option<Body<'a>>,
}

/// A body in pieces.
#[derive(Debug, Default)]
pub struct Body<'a> {
    pieces: Vec<Piece<'a>>,
    len: usize,
}

#[derive(Debug)]
struct Piece<'a> {
    bytes: Cow<'a, [u8]>,
    /// What they stand in, if that is not what they are.
    base64: Option<&'static Base64>,
}

/// So much of a buffer is kept from one pack to the next.
const KEPT: usize = 16 << 20;

thread_local! {
    /// New memory for each pack of megabytes would come from the kernel page by page, which takes longer than unpacking it.
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// The digests of the payloads that a pack points to.
pub fn blobs(pack: &[u8]) -> Result<&[[u8; DIGEST]], Error> {
    Ok(split(pack)?.0)
}

/// Unpacks a pack, with its `stored` blobs in the order of [`blobs`].
pub fn open<'a>(pack: &'a [u8], stored: &[Option<&[u8]>]) -> Result<Opened<'a>, Error> {
    let (digests, packed) = split(pack)?;
    let damaged = Error::new(ErrorKind::BadEpisode, pack.len() - packed.len());
    let payloads =
        digests.iter().enumerate().map(|(number, digest)| payload((*stored.get(number)?)?, digest)).collect();
    let mut unpacked = BUFFER.take();
    unsqueeze(packed, &mut unpacked).ok_or(damaged)?;
    Ok(Opened { unpacked, payloads, digests, damaged })
}

impl Opened<'_> {
    /// The episodes. One whose payload is not there, or is another one, is the digest of that payload instead; the others are whole.
    pub fn episodes(&self) -> Result<Vec<Result<Decoded<'_>, &[u8; DIGEST]>>, Error> {
        let mut reader = Reader { bytes: &self.unpacked, room: 2 * MAX_LEN };
        let count = reader.number().ok_or(self.damaged)?;
        let mut episodes = Vec::new();
        for _ in 0..count {
            let episode = reader.episode(&self.payloads).ok_or(self.damaged)?;
            episodes.push(episode.map_err(|number| &self.digests[number]));
        }
        if reader.bytes.is_empty() { Ok(episodes) } else { Err(self.damaged) }
    }
}

impl Drop for Opened<'_> {
    fn drop(&mut self) {
        if self.unpacked.capacity() <= KEPT {
            BUFFER.set(std::mem::take(&mut self.unpacked));
        }
    }
}

impl Body<'_> {
    /// How many bytes it has.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "nobody asks")]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// All of it, where it is in one piece.
    #[must_use]
    pub fn whole(&self) -> Option<&[u8]> {
        match &self.pieces[..] {
            [] => Some(&[]),
            [Piece { bytes, base64: None }] => Some(bytes),
            _ => None,
        }
    }

    /// Writes it to `out`, which is of its [length](Self::len).
    pub fn write_to(&self, mut out: &mut [u8]) {
        for piece in &self.pieces {
            let (now, later) = out.split_at_mut(piece.len());
            match piece.base64 {
                None => now.copy_from_slice(&piece.bytes),
                Some(alphabet) => _ = alphabet.encode(&piece.bytes, now.as_out()),
            }
            out = later;
        }
    }

    /// A copy of it.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        let mut bytes = vec![0; self.len];
        self.write_to(&mut bytes);
        bytes
    }
}

impl Piece<'_> {
    fn len(&self) -> usize {
        self.base64.map_or(self.bytes.len(), |alphabet| alphabet.encoded_length(self.bytes.len()))
    }
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

/// zstd's checksum tells damage, and the tag another payload: to hash it again would take four times as long as unpacking it.
fn payload(stored: &[u8], digest: &[u8; DIGEST]) -> Option<Vec<u8>> {
    let (packed, tag) = stored.split_at_checked(stored.len().checked_sub(TAG)?)?;
    let mut payload = Vec::new();
    (tag == &digest[..TAG]).then(|| unsqueeze(packed, &mut payload))??;
    Some(payload)
}

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
    fn episode(&mut self, payloads: &'a [Option<Vec<u8>>]) -> Option<Result<Decoded<'a>, usize>> {
        let head = self.bytes_with_len()?;
        let (request, response) = (self.body(payloads)?, self.body(payloads)?);
        Some(request.and_then(|request| Ok(Decoded { head, request, response: response? })))
    }

    /// A body, or the number of the payload that it lacks.
    fn body(&mut self, payloads: &'a [Option<Vec<u8>>]) -> Option<Result<Option<Body<'a>>, usize>> {
        let Some(count) = self.number()?.checked_sub(1) else { return Some(Ok(None)) };
        let mut body = Body::default();
        let lacking = self.segments(count, payloads, &mut body, true)?;
        Some(lacking.map_or(Ok(Some(body)), Err))
    }

    /// Puts so many segments together; tells the number of a payload that is lacking, if one is.
    #[allow(clippy::option_option, reason = "the outer one is for what is damaged")]
    fn segments(
        &mut self,
        count: usize,
        payloads: &'a [Option<Vec<u8>>],
        body: &mut Body<'a>,
        may_nest: bool,
    ) -> Option<Option<usize>> {
        let mut lacking = None;
        for _ in 0..count {
            let kind = self.byte()?;
            let bytes = if kind & BLOB != 0 {
                let number = self.number()?;
                let payload = payloads.get(number)?;
                lacking = lacking.or(payload.is_none().then_some(number));
                Cow::Borrowed(payload.as_deref().unwrap_or_default())
            } else if kind & NESTED != 0 && may_nest {
                let within = self.number()?;
                let mut inner = Body::default();
                let inside = self.segments(within, payloads, &mut inner, false)?;
                lacking = lacking.or(inside);
                Cow::Owned(inner.to_vec())
            } else {
                Cow::Borrowed(self.bytes_with_len()?)
            };
            self.room = self.room.checked_sub(bytes.len())?;
            let base64 = match kind & !(BLOB | if may_nest { NESTED } else { 0 }) {
                PLAIN => None,
                BASE64 => Some(&STANDARD),
                BASE64_URL => Some(&URL_SAFE),
                _ => return None,
            };
            let piece = Piece { bytes, base64 };
            body.len += piece.len();
            body.pieces.push(piece);
        }
        Some(lacking)
    }
}
