//! zstd, with a dictionary of what every answer of a provider begins with, and contexts that are made once per thread.

use std::cell::RefCell;
use std::sync::LazyLock;

use zstd::bulk::{Compressor, Decompressor};
use zstd::dict::{DecoderDictionary, EncoderDictionary};

use super::MAX_LEN;

/// The cassettes of a real suite take 17 ms at level 3, 65 at 7 and 330 at 12, for 8 % and 11 % less: what is packed once has cost seconds
/// to record, and is read by everybody.
const LEVEL: i32 = 12;

/// As fast as it goes: tells whether anything is to be gained at all.
const QUICK: i32 = 1;

/// Part of the form: another text here is another [`super::VERSION`].
const DICTIONARY: &[u8] = include_bytes!("dictionary.txt");

static TO: LazyLock<EncoderDictionary<'static>> = LazyLock::new(|| EncoderDictionary::copy(DICTIONARY, LEVEL));
static FROM: LazyLock<DecoderDictionary<'static>> = LazyLock::new(|| DecoderDictionary::copy(DICTIONARY));

thread_local! {
    static COMPRESSOR: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
    static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

/// `bytes` compressed, with a checksum; `None` where zstd has no memory for it.
pub(super) fn squeeze(bytes: &[u8]) -> Option<Vec<u8>> {
    COMPRESSOR.with_borrow_mut(|slot| {
        if slot.is_none() {
            let mut made = Compressor::with_prepared_dictionary(&TO).ok()?;
            made.include_checksum(true).ok()?;
            *slot = Some(made);
        }
        slot.as_mut()?.compress(bytes).ok()
    })
}

/// The same where it pays, and `None` for what is compressed already: reading that back is then a copy.
pub(super) fn worth_squeezing(bytes: &[u8]) -> Option<Vec<u8>> {
    let pays = |packed: &Vec<u8>| packed.len() < bytes.len() / 20 * 19;
    zstd::bulk::compress(bytes, QUICK).ok().filter(pays).and_then(|_| squeeze(bytes)).filter(pays)
}

/// What [`squeeze`] was given; `None` for anything that it did not make.
pub(super) fn unsqueeze(bytes: &[u8]) -> Option<Vec<u8>> {
    let len = Decompressor::upper_bound(bytes).filter(|len| *len <= MAX_LEN)?;
    DECOMPRESSOR.with_borrow_mut(|slot| {
        if slot.is_none() {
            *slot = Some(Decompressor::with_prepared_dictionary(&FROM).ok()?);
        }
        slot.as_mut()?.decompress(bytes, len).ok()
    })
}
