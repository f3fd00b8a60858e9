//! The first pass of the canonical form: one reading of a body that notes which stretches of it are canonical as they stand.

use std::cmp::Ordering;
use std::mem::{replace, take};

use super::path::{PathSet, Walk};
use super::reader::{self, Event, Reader, Token};
use super::string::{Escapes, decode, decode_into, respell_into};
use super::tape::{Object, Piece, Pieces, Tape, short};
use crate::error::Error;
use crate::media;
use crate::sink::hex;

/// A string of media longer than this, as canonical text without its quotes, counts by type, length and digest.
const MEDIA_MIN_LEN: usize = 1024;

/// Reads `body` and fills `tape`, which has to be empty.
pub(super) fn read(body: &[u8], ignore: &PathSet, tape: &mut Tape) -> Result<(), Error> {
    let walk = if ignore.is_empty() { None } else { Some(ignore.walk()) };
    let index = Index {
        body,
        tape,
        keys: Vec::new(),
        members: Vec::with_capacity(16),
        top: Level::default(),
        outer: Vec::with_capacity(16),
        long_strings: Vec::new(),
        walk,
        removals: Vec::new(),
    };
    index.read()
}

/// A key of an object that is still open, or being sorted.
struct Member {
    /// The first eight bytes of the key, to be compared as one number.
    prefix: u64,
    key: Key,
    /// Where the value's source starts, or white space before it.
    value: u32,
    pieces: Pieces,
}

/// A decoded key: a stretch of the source, or of `Index::keys` when it had escapes.
#[derive(Clone, Copy)]
struct Key {
    start: u32,
    end: u32,
    decoded: bool,
}

/// An array or object that is open; by default, what is around the document.
#[derive(Default)]
struct Level {
    is_object: bool,
    /// Whether an item is kept, so that the next one needs a comma.
    has_items: bool,
    /// Whether a key was lower than the one before.
    disorder: bool,
    /// The piece of the opening brace, and its offset in the source.
    marker: u32,
    open: u32,
    /// Where its part of `Index::members` and `Index::long_strings` starts.
    members: u32,
    long_strings: u32,
    /// Index of the next item; counted where there are paths only.
    next_index: usize,
}

/// A string that may be media, which its siblings decide.
struct LongString {
    piece: u32,
    /// The key it belongs to, in `Index::members`.
    member: u32,
}

/// What to go back to when the value being read is one that does not count.
struct Removal {
    depth: usize,
    pieces: u32,
    last: Option<Piece>,
    members: u32,
    has_items: bool,
}

struct Index<'a, 't, 'p> {
    body: &'a [u8],
    tape: &'t mut Tape,
    /// Decoded keys.
    keys: Vec<u8>,
    /// The members of all open objects.
    members: Vec<Member>,
    /// The innermost open level, and those around it.
    top: Level,
    outer: Vec<Level>,
    long_strings: Vec<LongString>,
    walk: Option<Walk<'p>>,
    removals: Vec<Removal>,
}

impl Index<'_, '_, '_> {
    fn read(mut self) -> Result<(), Error> {
        let mut reader = Reader::new(self.body)?;
        while let Some(token) = reader.next()? {
            match token.event {
                Event::Key(escapes) => self.key(token, escapes, reader.comma(), reader.colon()),
                Event::ObjectStart | Event::ArrayStart => {
                    self.before_value(reader.comma());
                    self.open(token);
                }
                Event::ObjectEnd => {
                    self.close_object(token);
                    self.after_value();
                }
                Event::ArrayEnd => {
                    self.leave_level();
                    self.join(token.start, token.end);
                    self.after_value();
                }
                Event::String(escapes) => {
                    self.before_value(reader.comma());
                    self.string(token, escapes);
                    self.after_value();
                }
                Event::Number if self.walk.is_none() => {
                    self.before_value(reader.comma());
                    self.join(token.start, reader.skip_numbers());
                }
                Event::Number | Event::True | Event::False | Event::Null => {
                    self.before_value(reader.comma());
                    self.join(token.start, token.end);
                    self.after_value();
                }
            }
        }
        Ok(())
    }

    /// Adds a stretch of the source, to the last piece if that ends where it starts.
    #[inline]
    fn join(&mut self, start: usize, end: usize) {
        if let Some(Piece::Source(_, last)) = self.tape.pieces.last_mut()
            && *last == short(start)
        {
            *last = short(end);
            return;
        }
        self.tape.pieces.push(Piece::Source(short(start), short(end)));
    }

    /// Before a value: the comma in front of an item of an array (before a key, [`Self::key`] has seen to it).
    #[inline]
    fn before_value(&mut self, comma: usize) {
        if self.top.is_object {
            return;
        }
        if self.walk.is_some() && !self.outer.is_empty() {
            let index = self.top.next_index;
            self.top.next_index += 1;
            self.enter(|walk| walk.enter_index(index));
        }
        if replace(&mut self.top.has_items, true) {
            self.join(comma, comma + 1);
        }
    }

    #[inline]
    fn after_value(&mut self) {
        if self.walk.is_some() {
            self.leave();
        }
    }

    /// Follows the paths down; when one ends here, notes what to go back to.
    #[cold]
    fn enter(&mut self, step: impl FnOnce(&mut Walk) -> bool) {
        if self.walk.as_mut().is_some_and(step) {
            self.removals.push(Removal {
                depth: self.outer.len(),
                pieces: short(self.tape.pieces.len()),
                last: self.tape.pieces.last().copied(),
                members: short(self.members.len()),
                has_items: self.top.has_items,
            });
        }
    }

    /// Follows the paths up, and takes the value that ends here back if it is one that does not count.
    #[cold]
    fn leave(&mut self) {
        if let Some(walk) = &mut self.walk {
            walk.leave();
        }
        let depth = self.outer.len();
        let Some(removal) = self.removals.pop_if(|removal| removal.depth == depth) else { return };
        self.tape.pieces.truncate(removal.pieces as usize);
        if let (Some(last), Some(before)) = (self.tape.pieces.last_mut(), removal.last) {
            *last = before;
        }
        self.members.truncate(removal.members as usize);
        self.top.has_items = removal.has_items;
        while self.long_strings.pop_if(|long| long.piece >= removal.pieces).is_some() {}
    }

    fn key(&mut self, token: Token, escapes: Escapes, comma: usize, colon: usize) {
        let raw = token.raw(self.body);
        let (key, prefix) = if escapes == Escapes::None {
            let prefix = match self.body.get(token.start + 1..).and_then(<[u8]>::first_chunk) {
                Some(&bytes) if raw.len() < 8 => u64::from_be_bytes(bytes) & !(u64::MAX >> (8 * raw.len())),
                Some(&bytes) => u64::from_be_bytes(bytes),
                None => prefix(raw),
            };
            (Key { start: short(token.start + 1), end: short(token.end - 1), decoded: false }, prefix)
        } else {
            let start = self.keys.len();
            decode_into(raw, &mut self.keys);
            (Key { start: short(start), end: short(self.keys.len()), decoded: true }, prefix(&self.keys[start..]))
        };
        if self.walk.is_some() {
            let decoded = self.key_text(key).to_vec();
            self.enter(|walk| walk.enter_key(&decoded));
        }
        let has_items = replace(&mut self.top.has_items, true);
        let first = short(self.tape.pieces.len());
        let member = Member { prefix, key, value: short(colon + 1), pieces: Pieces { start: first, end: first } };
        if has_items && let Some(before) = self.members.last() {
            self.top.disorder |= self.compare(before, &member) == Ordering::Greater;
        }
        self.members.push(member);
        if has_items {
            self.tape.pieces.push(Piece::Source(short(comma), short(comma + 1)));
        }
        if escapes == Escapes::Other {
            self.respell(raw);
        } else if has_items {
            self.join(token.start, token.end);
        } else {
            self.tape.pieces.push(Piece::Source(short(token.start), short(token.end)));
        }
        self.join(colon, colon + 1);
    }

    fn key_text(&self, key: Key) -> &[u8] {
        let text: &[u8] = if key.decoded { &self.keys } else { self.body };
        text.get(key.start as usize..key.end as usize).unwrap_or_default()
    }

    #[inline]
    fn compare(&self, a: &Member, b: &Member) -> Ordering {
        a.prefix.cmp(&b.prefix).then_with(|| self.key_text(a.key).cmp(self.key_text(b.key)))
    }

    fn open(&mut self, token: Token) {
        let is_object = token.event == Event::ObjectStart;
        let level = Level {
            is_object,
            has_items: false,
            disorder: false,
            marker: short(self.tape.pieces.len()),
            open: short(token.start),
            members: short(self.members.len()),
            long_strings: short(self.long_strings.len()),
            next_index: 0,
        };
        self.outer.push(replace(&mut self.top, level));
        if is_object {
            // A piece of its own, to be replaced should the members be out of order.
            self.tape.pieces.push(Piece::Source(short(token.start), short(token.end)));
        } else {
            self.join(token.start, token.end);
        }
    }

    /// Goes back to the level around; returns the one that ended.
    #[inline]
    fn leave_level(&mut self) -> Level {
        let outer = self.outer.pop().unwrap_or_default();
        replace(&mut self.top, outer)
    }

    fn close_object(&mut self, token: Token) {
        let level = self.leave_level();
        self.settle_media(&level);
        let base = level.members as usize;
        if level.disorder {
            let mut end = short(self.tape.pieces.len());
            let mut members = take(&mut self.members);
            let own = members.get_mut(base..).unwrap_or_default();
            for member in own.iter_mut().rev() {
                member.pieces.end = end;
                end = member.pieces.start;
            }
            // Stable, so that equal keys stay in order; up to 20 members by insertion, without an allocation.
            own.sort_by(|a, b| self.compare(a, b));
            let first = short(self.tape.order.len());
            self.tape.order.extend(own.iter().map(|member| member.pieces));
            self.members = members;
            if let Some(marker) = self.tape.pieces.get_mut(level.marker as usize) {
                *marker = Piece::Object(short(self.tape.objects.len()));
            }
            self.tape.objects.push(Object {
                open: level.open,
                close: short(token.start),
                first,
                last: short(self.tape.order.len()),
                next: short(self.tape.pieces.len()),
            });
        } else {
            self.join(token.start, token.end);
        }
        self.members.truncate(base);
    }

    fn string(&mut self, token: Token, escapes: Escapes) {
        let piece = self.tape.pieces.len();
        if escapes == Escapes::Other {
            self.respell(token.raw(self.body));
        } else if token.end - token.start <= MEDIA_MIN_LEN + 2 {
            return self.join(token.start, token.end);
        } else {
            self.tape.pieces.push(Piece::Source(short(token.start), short(token.end)));
        }
        if self.piece_text(piece).len() <= MEDIA_MIN_LEN + 2 {
            return;
        }
        if self.top.is_object {
            let member = short(self.members.len().saturating_sub(1));
            self.long_strings.push(LongString { piece: short(piece), member });
        } else {
            self.media(piece, None);
        }
    }

    fn piece_text(&self, piece: usize) -> &[u8] {
        let (text, start, end): (&[u8], _, _) = match self.tape.pieces.get(piece) {
            Some(&Piece::Source(start, end)) => (self.body, start, end),
            Some(&Piece::Made(start, end)) => (&self.tape.made, start, end),
            _ => return &[],
        };
        text.get(start as usize..end as usize).unwrap_or_default()
    }

    /// Adds a string with the shortest escapes.
    fn respell(&mut self, raw: &[u8]) {
        let start = self.tape.made.len();
        self.tape.made.push(b'"');
        respell_into(raw, &mut self.tape.made);
        self.tape.made.push(b'"');
        self.tape.pieces.push(Piece::Made(short(start), short(self.tape.made.len())));
    }

    /// Decides which long strings of an object that ends are media, now that all siblings are known.
    fn settle_media(&mut self, level: &Level) {
        if self.long_strings.len() <= level.long_strings as usize {
            return;
        }
        let declared = self.declared_media(level.members as usize);
        for long in self.long_strings.split_off(level.long_strings as usize) {
            let is_b64_json =
                || self.members.get(long.member as usize).is_some_and(|m| self.key_text(m.key) == b"b64_json");
            let declared = match &declared {
                Some(declared) => Some(declared.as_slice()),
                None if is_b64_json() => Some(&b""[..]),
                None => None,
            };
            self.media(long.piece as usize, declared);
        }
    }

    /// The media type or format that a member of the innermost object declares. Which one does not depend on the order of the keys.
    fn declared_media(&self, members: usize) -> Option<Vec<u8>> {
        media::DECLARING_KEYS.iter().find_map(|key| {
            let is_key = |member: &&Member| self.key_text(member.key) == *key;
            let member = self.members.get(members..)?.iter().find(is_key)?;
            let token = reader::string_at(self.body, member.value as usize)?;
            Some(decode(token.raw(self.body)).into_owned())
        })
    }

    /// Replaces the piece of a string by what it counts for if it is media.
    fn media(&mut self, piece: usize, declared: Option<&[u8]>) {
        let text = self.piece_text(piece);
        let raw = text.get(1..text.len().saturating_sub(1)).unwrap_or_default();
        let Some(token) = media_token(raw, declared) else { return };
        let start = self.tape.made.len();
        self.tape.made.extend_from_slice(&token);
        if let Some(piece) = self.tape.pieces.get_mut(piece) {
            *piece = Piece::Made(short(start), short(self.tape.made.len()));
        }
    }
}

/// The first eight bytes of a key as a number that sorts as they do.
fn prefix(key: &[u8]) -> u64 {
    let mut bytes = [0; 8];
    for (byte, &from) in bytes.iter_mut().zip(key) {
        *byte = from;
    }
    u64::from_be_bytes(bytes)
}

/// What a string of media counts for, quotes included; `None` if `raw` is no media. The 0x1A stands raw, as it can in no JSON.
fn media_token(raw: &[u8], declared: Option<&[u8]>) -> Option<Vec<u8>> {
    let found = media::string_media(raw, declared)?;
    let sha256 = found.original.sha256?;
    let mut token = vec![b'"'];
    token.extend_from_slice(found.head);
    let original = &found.original;
    token
        .extend_from_slice(format!("\x1Amedia {} {} {}\"", original.media_type, original.len, hex(&sha256)).as_bytes());
    Some(token)
}
