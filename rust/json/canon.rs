//! The canonical form of a JSON body.
//!
//! Keys are sorted by code point, white space is gone, each string has the shortest escapes, numbers keep their text. Two passes: the
//! first reads the body once and notes *pieces*, the longest stretches of the source that are canonical as they stand; the second puts
//! them in order. Compact bodies give a piece a member, so most of the output is handed to the hash straight from the source.

use std::cell::Cell;

use super::index;
use super::path::PathSet;
use super::tape::Tape;
use crate::error::{Error, ErrorKind};
use crate::sink::Sink;

/// Offsets are kept in 32 bits; and strings written anew are together at most twice as long as the source.
const MAX_LEN: usize = i32::MAX as usize;

/// A tape that holds more memory than this is given back.
const KEEP: usize = 4 << 20;

thread_local! {
    /// The tape of the body before. A fresh one of some 100 KB is a few dozen page faults, as costly as reading the body.
    static TAPE: Cell<Option<Tape>> = const { Cell::new(None) };
}

/// Puts the canonical form of `body` into `sink`.
///
/// Members and items at a path of `ignore` are left out. A string of media longer than 1 KiB counts by type, length and SHA-256 (see
/// [`crate::media`]). Nothing is put before the whole body has been read and found good.
///
/// # Errors
/// [`ErrorKind::NotUtf8`], [`ErrorKind::BadJson`] and [`ErrorKind::TooDeep`] as [`super::Reader`] gives them,
/// [`ErrorKind::TooLarge`] from 2 GiB.
pub fn canonicalize(body: &[u8], ignore: &PathSet, sink: &mut impl Sink) -> Result<(), Error> {
    if body.len() > MAX_LEN {
        return Err(Error::new(ErrorKind::TooLarge, MAX_LEN));
    }
    // A thread that is being torn down has no cell any more.
    let mut tape = TAPE.try_with(Cell::take).ok().flatten().unwrap_or_default();
    let read = index::read(body, ignore, &mut tape);
    if read.is_ok() {
        tape.write(body, sink);
    }
    if tape.footprint() <= KEEP {
        tape.clear();
        let _ = TAPE.try_with(|cell| cell.set(Some(tape)));
    }
    read
}
