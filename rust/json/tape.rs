//! The second pass of the canonical form: stretches of the source, put in order.

use crate::sink::Sink;

/// A length or offset in 32 bits; `canon::MAX_LEN` sees to it that it fits.
#[inline]
#[allow(clippy::cast_possible_truncation, reason = "everything counted is at most twice `canon::MAX_LEN`")]
pub(super) const fn short(offset: usize) -> u32 {
    offset as u32
}

#[derive(Clone, Copy)]
pub(super) enum Piece {
    /// A stretch of the source.
    Source(u32, u32),
    /// A stretch of `Tape::made`.
    Made(u32, u32),
    /// An object whose members are to be put in another order: an index into `Tape::objects`.
    Object(u32),
}

/// A range of `Tape::pieces`.
#[derive(Clone, Copy)]
pub(super) struct Pieces {
    pub(super) start: u32,
    pub(super) end: u32,
}

pub(super) struct Object {
    /// Offsets of the braces in the source.
    pub(super) open: u32,
    pub(super) close: u32,
    /// Its members in canonical order, a range of `Tape::order`.
    pub(super) first: u32,
    pub(super) last: u32,
    /// The piece after the object.
    pub(super) next: u32,
}

/// What [`super::index::read`] found out about a body.
#[derive(Default)]
pub(super) struct Tape {
    /// In the order of the source.
    pub(super) pieces: Vec<Piece>,
    /// Text that does not stand in the source.
    pub(super) made: Vec<u8>,
    /// The members of objects that were out of order.
    pub(super) order: Vec<Pieces>,
    pub(super) objects: Vec<Object>,
}

impl Tape {
    /// Forgets everything but the memory.
    pub(super) fn clear(&mut self) {
        self.pieces.clear();
        self.made.clear();
        self.order.clear();
        self.objects.clear();
    }

    /// Bytes of memory held, roughly.
    pub(super) fn footprint(&self) -> usize {
        self.pieces.capacity() * size_of::<Piece>()
            + self.made.capacity()
            + self.order.capacity() * size_of::<Pieces>()
            + self.objects.capacity() * size_of::<Object>()
    }

    /// Puts all pieces, the members of objects in their order.
    pub(super) fn write(&self, body: &[u8], sink: &mut impl Sink) {
        struct Open<'i> {
            object: &'i Object,
            /// The next member to put.
            member: u32,
            /// Where the pieces around the object end.
            end: u32,
        }
        let mut out = Run::new(body, sink);
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
                let has_comma = body[start as usize] == b',';
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
        out.finish();
    }
}

/// Up to this length a stretch of the source is copied as this many bytes, which is two instructions and no call.
const SHORT: usize = 32;

/// What stands between the tape and the sink: a stretch of the source that is still growing, and short ones before it. Where a body is
/// all short tokens with white space between them, a call of the sink for each took a tenth of the time.
struct Run<'a, S> {
    body: &'a [u8],
    start: u32,
    end: u32,
    gathered: [u8; 512 + SHORT],
    filled: usize,
    sink: &'a mut S,
}

impl<'a, S: Sink> Run<'a, S> {
    fn new(body: &'a [u8], sink: &'a mut S) -> Self {
        Self { body, start: 0, end: 0, gathered: [0; 512 + SHORT], filled: 0, sink }
    }

    #[inline]
    fn source(&mut self, start: u32, end: u32) {
        if start != self.end {
            self.end_stretch();
            self.start = start;
        }
        self.end = end;
    }

    #[inline]
    fn text(&mut self, text: &[u8]) {
        self.end_stretch();
        self.start = 0;
        self.end = 0;
        self.put(text);
    }

    #[inline]
    fn end_stretch(&mut self) {
        let (start, end) = (self.start as usize, self.end as usize);
        let window = self.body.get(start..).and_then(<[u8]>::first_chunk::<SHORT>);
        let room = self.gathered.get_mut(self.filled..).and_then(<[u8]>::first_chunk_mut::<SHORT>);
        if let (Some(window), Some(room), 0..=SHORT) = (window, room, end - start) {
            *room = *window;
            self.filled += end - start;
        } else {
            self.put(&self.body[start..end]);
        }
    }

    /// Puts what was gathered, then `bytes`; or gathers them too.
    fn put(&mut self, bytes: &[u8]) {
        let room = self.gathered.get_mut(self.filled..self.filled + bytes.len());
        if let (Some(room), 0..=SHORT) = (room, bytes.len()) {
            room.copy_from_slice(bytes);
            self.filled += bytes.len();
            return;
        }
        self.put_gathered();
        self.sink.put(bytes);
    }

    fn put_gathered(&mut self) {
        if let Some(gathered) = self.gathered.get(..self.filled).filter(|gathered| !gathered.is_empty()) {
            self.sink.put(gathered);
        }
        self.filled = 0;
    }

    fn finish(&mut self) {
        self.end_stretch();
        self.put_gathered();
    }
}
