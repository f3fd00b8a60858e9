//! The canonical form of a JSON body.
//!
//! Keys are sorted by code point, white space is gone, each string has the shortest escapes, numbers keep their text. Two passes: the
//! first reads the body once and notes *pieces*, the longest stretches of the source that are canonical as they stand; the second puts
//! them in order. Compact bodies give a piece a member, so most of the output is handed to the hash straight from the source.

use std::cmp::Ordering;

use super::path::{PathSet, Walk};
use super::reader::{self, Escapes, Event, Reader, Text, Token};
use crate::error::{Error, ErrorKind};
use crate::media;
use crate::sink::{Sink, hex};

/// Offsets are kept in 32 bits; and rewritten strings together are at most twice as long as the source.
const MAX_LEN: usize = i32::MAX as usize;

/// A string of media longer than this, as canonical text without its quotes, counts by type, length and digest.
const MEDIA_MIN_LEN: usize = 1024;

/// Puts the canonical form of `body` into `sink`.
///
/// Members and items at a path of `ignore` are left out. Nothing is put before the whole body has been read and found good.
///
/// # Errors
/// [`ErrorKind::NotUtf8`], [`ErrorKind::BadJson`] and [`ErrorKind::TooDeep`] as [`Reader`] gives them, [`ErrorKind::TooLarge`] from 2 GiB.
pub fn canonicalize(body: &[u8], ignore: &PathSet, sink: &mut impl Sink) -> Result<(), Error> {
    if body.len() > MAX_LEN {
        return Err(Error::new(ErrorKind::TooLarge, MAX_LEN));
    }
    let mut index = Index::new(body, ignore);
    index.read()?;
    index.write(sink);
    Ok(())
}

#[derive(Clone, Copy)]
enum Piece {
    /// A stretch of the source.
    Source(u32, u32),
    /// A stretch of `Index::made`.
    Made(u32, u32),
    /// An object whose members are to be put in another order: an index into `Index::objects`.
    Object(u32),
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

/// A range of `Index::pieces`.
#[derive(Clone, Copy)]
struct Pieces {
    start: u32,
    end: u32,
}

struct Object {
    /// Offsets of the braces in the source.
    open: u32,
    close: u32,
    /// Its members in canonical order, a range of `Index::order`.
    first: u32,
    last: u32,
    /// The piece after the object.
    next: u32,
}

/// An array or object that is open.
struct Level {
    is_object: bool,
    /// Whether an item has been kept, so that the next one needs a comma.
    has_items: bool,
    sorted: bool,
    /// The piece of the opening brace, and its offset in the source.
    marker: u32,
    open: u32,
    /// Where its part of `Index::members` and `Index::long_strings` starts.
    members: u32,
    long_strings: u32,
    /// Index of the next item.
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
}

struct Index<'a, 'p> {
    body: &'a [u8],
    pieces: Vec<Piece>,
    made: Vec<u8>,
    keys: Vec<u8>,
    members: Vec<Member>,
    order: Vec<Pieces>,
    objects: Vec<Object>,
    levels: Vec<Level>,
    long_strings: Vec<LongString>,
    walk: Option<Walk<'p>>,
    removals: Vec<Removal>,
}

/// A length or offset in 32 bits; [`MAX_LEN`] sees to it that it fits.
#[inline]
#[allow(clippy::cast_possible_truncation, reason = "everything counted is at most twice MAX_LEN")]
const fn short(offset: usize) -> u32 {
    offset as u32
}

impl<'a, 'p> Index<'a, 'p> {
    fn new(body: &'a [u8], ignore: &'p PathSet) -> Self {
        Self {
            body,
            pieces: Vec::with_capacity(16 + body.len() / 64),
            made: Vec::new(),
            keys: Vec::new(),
            members: Vec::with_capacity(16),
            order: Vec::with_capacity(16 + body.len() / 128),
            objects: Vec::with_capacity(8 + body.len() / 512),
            levels: Vec::with_capacity(16),
            long_strings: Vec::new(),
            walk: if ignore.is_empty() { None } else { Some(ignore.walk()) },
            removals: Vec::new(),
        }
    }

    fn read(&mut self) -> Result<(), Error> {
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
                    self.levels.pop();
                    self.join(token.start, token.end);
                    self.after_value();
                }
                Event::String(escapes) => {
                    self.before_value(reader.comma());
                    self.string(token, escapes);
                    self.after_value();
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
        if let Some(Piece::Source(_, last)) = self.pieces.last_mut() {
            if *last == short(start) {
                *last = short(end);
                return;
            }
        }
        self.pieces.push(Piece::Source(short(start), short(end)));
    }

    /// Before a value: the comma in front of an item of an array (before a key, [`Self::key`] has seen to it).
    #[inline]
    fn before_value(&mut self, comma: usize) {
        let Some(level) = self.levels.last_mut() else { return };
        if level.is_object {
            return;
        }
        let has_items = level.has_items;
        let index = level.next_index;
        level.next_index += 1;
        if self.walk.is_some() {
            self.enter(|walk| walk.enter_index(index));
        }
        if has_items {
            self.join(comma, comma + 1);
        }
    }

    #[inline]
    fn after_value(&mut self) {
        if self.walk.is_some() && self.leave() {
            return;
        }
        if let Some(level) = self.levels.last_mut() {
            level.has_items = true;
        }
    }

    /// Follows the paths down; when one ends here, notes what to go back to.
    fn enter(&mut self, step: impl FnOnce(&mut Walk) -> bool) {
        if self.walk.as_mut().is_some_and(step) {
            self.removals.push(Removal {
                depth: self.levels.len(),
                pieces: short(self.pieces.len()),
                last: self.pieces.last().copied(),
                members: short(self.members.len()),
            });
        }
    }

    /// Follows the paths up; whether the value that ends here was taken back.
    fn leave(&mut self) -> bool {
        if let Some(walk) = &mut self.walk {
            walk.leave();
        }
        let depth = self.levels.len();
        let Some(removal) = self.removals.pop_if(|removal| removal.depth == depth) else { return false };
        self.pieces.truncate(removal.pieces as usize);
        if let (Some(last), Some(before)) = (self.pieces.last_mut(), removal.last) {
            *last = before;
        }
        self.members.truncate(removal.members as usize);
        while self.long_strings.pop_if(|long| long.piece >= removal.pieces).is_some() {}
        true
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
            reader::decode_into(raw, &mut self.keys);
            (Key { start: short(start), end: short(self.keys.len()), decoded: true }, prefix(&self.keys[start..]))
        };
        if self.walk.is_some() {
            let decoded = self.key_text(key).to_vec();
            self.enter(|walk| walk.enter_key(&decoded));
        }
        let Some(level) = self.levels.last() else { return };
        let has_items = level.has_items;
        let first = short(self.pieces.len());
        let member = Member { prefix, key, value: short(colon + 1), pieces: Pieces { start: first, end: first } };
        let follows = match self.members.get(level.members as usize..).and_then(<[Member]>::last) {
            Some(previous) => self.compare(previous, &member) != Ordering::Greater,
            None => true,
        };
        self.members.push(member);
        if let Some(level) = self.levels.last_mut() {
            level.sorted &= follows;
        }
        if has_items {
            self.pieces.push(Piece::Source(short(comma), short(comma + 1)));
        }
        if escapes == Escapes::Other {
            self.respell(raw);
        } else if has_items {
            self.join(token.start, token.end);
        } else {
            self.pieces.push(Piece::Source(short(token.start), short(token.end)));
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
        self.levels.push(Level {
            is_object,
            has_items: false,
            sorted: true,
            marker: short(self.pieces.len()),
            open: short(token.start),
            members: short(self.members.len()),
            long_strings: short(self.long_strings.len()),
            next_index: 0,
        });
        if is_object {
            // A piece of its own, to be replaced should the members be out of order.
            self.pieces.push(Piece::Source(short(token.start), short(token.end)));
        } else {
            self.join(token.start, token.end);
        }
    }

    fn close_object(&mut self, token: Token) {
        let Some(level) = self.levels.pop() else { return };
        self.settle_media(&level);
        let base = level.members as usize;
        if level.sorted {
            self.join(token.start, token.end);
        } else {
            let mut end = short(self.pieces.len());
            let mut members = std::mem::take(&mut self.members);
            let own = members.get_mut(base..).unwrap_or_default();
            for member in own.iter_mut().rev() {
                member.pieces.end = end;
                end = member.pieces.start;
            }
            // Stable, so that equal keys stay in order; up to 20 members by insertion, without an allocation.
            own.sort_by(|a, b| self.compare(a, b));
            let first = short(self.order.len());
            self.order.extend(own.iter().map(|member| member.pieces));
            self.members = members;
            if let Some(marker) = self.pieces.get_mut(level.marker as usize) {
                *marker = Piece::Object(short(self.objects.len()));
            }
            self.objects.push(Object {
                open: level.open,
                close: short(token.start),
                first,
                last: short(self.order.len()),
                next: short(self.pieces.len()),
            });
        }
        self.members.truncate(base);
    }

    fn string(&mut self, token: Token, escapes: Escapes) {
        let piece = self.pieces.len();
        if escapes == Escapes::Other {
            self.respell(token.raw(self.body));
        } else if token.end - token.start <= MEDIA_MIN_LEN + 2 {
            return self.join(token.start, token.end);
        } else {
            self.pieces.push(Piece::Source(short(token.start), short(token.end)));
        }
        if self.piece_text(piece).len() <= MEDIA_MIN_LEN + 2 {
            return;
        }
        if self.levels.last().is_some_and(|level| level.is_object) {
            let member = short(self.members.len().saturating_sub(1));
            self.long_strings.push(LongString { piece: short(piece), member });
        } else {
            self.media(piece, None);
        }
    }

    fn piece_text(&self, piece: usize) -> &[u8] {
        let (text, start, end): (&[u8], _, _) = match self.pieces.get(piece) {
            Some(&Piece::Source(start, end)) => (self.body, start, end),
            Some(&Piece::Made(start, end)) => (&self.made, start, end),
            _ => return &[],
        };
        text.get(start as usize..end as usize).unwrap_or_default()
    }

    /// Adds a string with the shortest escapes.
    fn respell(&mut self, raw: &[u8]) {
        let start = self.made.len();
        self.made.push(b'"');
        respell_into(raw, &mut self.made);
        self.made.push(b'"');
        self.pieces.push(Piece::Made(short(start), short(self.made.len())));
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
        const KEYS: [&[u8]; 4] = [b"media_type", b"mimeType", b"mime_type", b"format"];
        KEYS.iter().find_map(|key| {
            let is_key = |member: &&Member| self.key_text(member.key) == *key;
            let member = self.members.get(members..)?.iter().find(is_key)?;
            let token = reader::string_at(self.body, member.value as usize)?;
            Some(reader::decode(token.raw(self.body)).into_owned())
        })
    }

    /// Replaces the piece of a string by what it counts for if it is media.
    fn media(&mut self, piece: usize, declared: Option<&[u8]>) {
        let text = self.piece_text(piece);
        let raw = text.get(1..text.len().saturating_sub(1)).unwrap_or_default();
        let Some(token) = media_token(raw, declared) else { return };
        let start = self.made.len();
        self.made.extend_from_slice(&token);
        if let Some(piece) = self.pieces.get_mut(piece) {
            *piece = Piece::Made(short(start), short(self.made.len()));
        }
    }

    /// Puts all pieces, the members of objects in their order.
    fn write(&self, sink: &mut impl Sink) {
        struct Open<'i> {
            object: &'i Object,
            /// The next member to put.
            member: u32,
            /// Where the pieces around the object end.
            end: u32,
        }
        let mut out = Run { body: self.body, start: 0, end: 0, sink };
        let mut open: Vec<Open> = Vec::new();
        let mut at = 0;
        let mut end = short(self.pieces.len());
        loop {
            while at < end {
                match self.pieces[at as usize] {
                    Piece::Source(start, end) => out.source(start, end),
                    Piece::Made(start, end) => out.text(&self.made[start as usize..end as usize]),
                    Piece::Object(object) => {
                        let object = &self.objects[object as usize];
                        out.source(object.open, object.open + 1);
                        open.push(Open { object, member: object.first, end });
                        break;
                    }
                }
                at += 1;
            }
            let Some(top) = open.last_mut() else { break };
            if top.member == top.object.last {
                out.source(top.object.close, top.object.close + 1);
                at = top.object.next;
                end = top.end;
                open.pop();
                continue;
            }
            let pieces = self.order[top.member as usize];
            at = pieces.start;
            end = pieces.end;
            let is_first = top.member == top.object.first;
            top.member += 1;
            // All members but the first one of the source bring their comma with them.
            if let Piece::Source(start, stop) = self.pieces[at as usize] {
                let has_comma = self.body[start as usize] == b',';
                if has_comma && is_first {
                    out.source(start + 1, stop);
                    at += 1;
                } else if !has_comma && !is_first {
                    out.text(b",");
                }
            } else if !is_first {
                out.text(b",");
            }
        }
        out.flush();
    }
}

/// A stretch of the source that is still growing, in front of the sink.
struct Run<'a, S> {
    body: &'a [u8],
    start: u32,
    end: u32,
    sink: &'a mut S,
}

impl<S: Sink> Run<'_, S> {
    #[inline]
    fn source(&mut self, start: u32, end: u32) {
        if start != self.end {
            self.flush();
            self.start = start;
        }
        self.end = end;
    }

    #[inline]
    fn text(&mut self, text: &[u8]) {
        self.flush();
        self.start = 0;
        self.end = 0;
        self.sink.put(text);
    }

    #[inline]
    fn flush(&mut self) {
        if self.start < self.end {
            self.sink.put(&self.body[self.start as usize..self.end as usize]);
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

/// Appends the text of `raw`, the inside of a string, with the shortest escapes.
fn respell_into(raw: &[u8], out: &mut Vec<u8>) {
    reader::unescape(raw, |text| match text {
        Text::Plain(bytes) => out.extend_from_slice(bytes),
        Text::Escape(code) => {
            let letter = match code {
                0x22 => b'"',
                0x5C => b'\\',
                8 => b'b',
                9 => b't',
                10 => b'n',
                12 => b'f',
                13 => b'r',
                _ => match char::from_u32(code).filter(|&c| c >= ' ') {
                    Some(c) => return out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
                    None => b'u',
                },
            };
            out.extend_from_slice(&[b'\\', letter]);
            if letter == b'u' {
                let [.., high, low] = code.to_be_bytes();
                out.extend_from_slice(hex(&[high, low]).as_bytes());
            }
        }
    });
}

/// What a string of media counts for, quotes included; `None` if `raw` is no media. The 0x1A stands raw, as it can in no JSON.
fn media_token(raw: &[u8], declared: Option<&[u8]>) -> Option<Vec<u8>> {
    let found = media::string_media(raw, declared)?;
    let sha256 = found.original.sha256?;
    let mut token = vec![b'"'];
    token.extend_from_slice(found.head);
    let original = &found.original;
    token.extend_from_slice(
        format!("\x1Amedia {} {} {}\"", original.media_type, original.len, hex(&sha256)).as_bytes(),
    );
    Some(token)
}
