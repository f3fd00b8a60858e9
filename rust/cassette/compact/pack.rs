//! zstd, with a dictionary of what every answer of a provider begins with, and contexts that are made once per thread.

use std::cell::RefCell;
use std::sync::LazyLock;

use zstd::bulk::{Compressor, Decompressor};
use zstd::dict::{DecoderDictionary, EncoderDictionary};

use super::MAX_LEN;

/// Level 10 takes ten times as long for 5 % less.
const LEVEL: i32 = 3;

/// Part of the form: another text here is another [`super::VERSION`].
const DICTIONARY: &[u8] = include_bytes!("dictionary.txt");

static TO: LazyLock<EncoderDictionary<'static>> = LazyLock::new(|| EncoderDictionary::copy(DICTIONARY, LEVEL));
static FROM: LazyLock<DecoderDictionary<'static>> = LazyLock::new(|| DecoderDictionary::copy(DICTIONARY));

thread_local! {
    static COMPRESSOR: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
    static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

/// `bytes` compressed, with a checksum; `None` where zstd has no memory for it.
pub(super) fn pack(bytes: &[u8]) -> Option<Vec<u8>> {
    COMPRESSOR.with_borrow_mut(|slot| {
        if slot.is_none() {
            let mut made = Compressor::with_prepared_dictionary(&TO).ok()?;
            made.include_checksum(true).ok()?;
            *slot = Some(made);
        }
        slot.as_mut()?.compress(bytes).ok()
    })
}

/// What [`pack`] was given; `None` for anything that it did not make.
pub(super) fn unpack(bytes: &[u8]) -> Option<Vec<u8>> {
    let len = Decompressor::upper_bound(bytes).filter(|len| *len <= MAX_LEN)?;
    DECOMPRESSOR.with_borrow_mut(|slot| {
        if slot.is_none() {
            *slot = Some(Decompressor::with_prepared_dictionary(&FROM).ok()?);
        }
        slot.as_mut()?.decompress(bytes, len).ok()
    })
}
