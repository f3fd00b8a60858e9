//! zstd, with a dictionary of what every answer of a provider begins with, and contexts that are made once per thread.

use std::cell::RefCell;
use std::sync::LazyLock;

use zstd::bulk::{Compressor, Decompressor};
use zstd::dict::{DecoderDictionary, EncoderDictionary};

use super::MAX_LEN;

/// For packs up to [`LARGE`] bytes, which nearly all are, and for long texts. The 596 cassettes of a real suite take 25 ms at level 3, 72 at
/// 6 and 356 at 12, and what is stored of them all in all 6.0, 6.1 and 6.2 times less than their YAML.
const LEVEL: i32 = 6;

/// For larger ones: level 6 costs them four times as much, and saves 3 %. The dictionary is nothing to them, and slows them down.
const FAST: i32 = 3;

const LARGE: usize = 256 * 1024;

/// As fast as it goes with everything zstd can do: tells whether anything is to be gained at all.
const TRIAL: i32 = 1;

/// As fast as it goes, for what cannot be made smaller.
const WRAP: i32 = -1;

/// What is longer is judged by [`SAMPLES`] pieces of it, of this length together.
const SAMPLE: usize = 128 * 1024;
const SAMPLES: usize = 8;

/// Part of the form: another text here is another [`super::VERSION`].
const DICTIONARY: &[u8] = include_bytes!("dictionary.txt");

static TO: LazyLock<EncoderDictionary<'static>> = LazyLock::new(|| EncoderDictionary::copy(DICTIONARY, LEVEL));
static FROM: LazyLock<DecoderDictionary<'static>> = LazyLock::new(|| DecoderDictionary::copy(DICTIONARY));

type Slot<T> = RefCell<Option<T>>;

thread_local! {
    static COMPRESSOR: Slot<Compressor<'static>> = const { RefCell::new(None) };
    static FAST_COMPRESSOR: Slot<Compressor<'static>> = const { RefCell::new(None) };
    static TEXT_COMPRESSOR: Slot<Compressor<'static>> = const { RefCell::new(None) };
    static WRAPPER: Slot<Compressor<'static>> = const { RefCell::new(None) };
    static DECOMPRESSOR: Slot<Decompressor<'static>> = const { RefCell::new(None) };
}

/// `bytes` compressed, short ones behind the dictionary, with a checksum; `None` where zstd has no memory for it.
pub(super) fn squeeze(bytes: &[u8]) -> Option<Vec<u8>> {
    if bytes.len() > LARGE {
        FAST_COMPRESSOR.with_borrow_mut(|slot| compressed(slot, bytes, || Compressor::new(FAST)))
    } else {
        COMPRESSOR.with_borrow_mut(|slot| compressed(slot, bytes, || Compressor::with_prepared_dictionary(&TO)))
    }
}

/// A payload compressed where that pays, and `None` where it does not.
pub(super) fn squeeze_payload(bytes: &[u8]) -> Option<Vec<u8>> {
    if !worth_a_try(bytes) {
        return None;
    }
    TEXT_COMPRESSOR
        .with_borrow_mut(|slot| compressed(slot, bytes, || Compressor::new(LEVEL)))
        .filter(|packed| pays(packed.len(), bytes.len()))
}

/// What is compressed already, as it is, with a checksum: it takes a third of the time of hashing it.
pub(super) fn wrap_payload(bytes: &[u8]) -> Option<Vec<u8>> {
    WRAPPER.with_borrow_mut(|slot| compressed(slot, bytes, || Compressor::new(WRAP)))
}

fn compressed(
    slot: &mut Option<Compressor<'static>>,
    bytes: &[u8],
    make: impl FnOnce() -> std::io::Result<Compressor<'static>>,
) -> Option<Vec<u8>> {
    if slot.is_none() {
        let mut fresh = make().ok()?;
        fresh.include_checksum(true).ok()?;
        *slot = Some(fresh);
    }
    slot.as_mut()?.compress(bytes).ok()
}

const fn pays(packed: usize, len: usize) -> bool {
    packed < len / 20 * 19
}

/// Whether a payload is not compressed already, as far as a quick look tells.
pub(super) fn worth_a_try(bytes: &[u8]) -> bool {
    let quick = |some: &[u8]| zstd::bulk::compress(some, TRIAL).is_ok_and(|packed| pays(packed.len(), some.len()));
    if bytes.len() <= SAMPLE {
        return quick(bytes);
    }
    let some: Vec<u8> = bytes
        .chunks(bytes.len().div_ceil(SAMPLES))
        .flat_map(|part| &part[..part.len().min(SAMPLE / SAMPLES)])
        .copied()
        .collect();
    quick(&some)
}

/// Puts what one of these compressed into `out`; `None` for anything else.
pub(super) fn unsqueeze(bytes: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let len = Decompressor::upper_bound(bytes).filter(|len| *len <= MAX_LEN)?;
    out.clear();
    out.reserve(len);
    DECOMPRESSOR.with_borrow_mut(|slot| {
        if slot.is_none() {
            *slot = Some(Decompressor::with_prepared_dictionary(&FROM).ok()?);
        }
        slot.as_mut()?.decompress_to_buffer(bytes, out).ok().map(|_| ())
    })
}
