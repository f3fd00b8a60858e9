//! Multipart bodies without their random boundaries: RFC 2046, section 5.1, and RFC 7578.
//!
//! Only what *is* a boundary is rewritten: the delimiter lines and the `boundary` parameters of the body and of the
//! multiparts nested in it. Its text anywhere else is payload. Nothing is copied before [`Rewrite::write_to`].

mod content_type;
mod headers;
mod names;
mod structure;

use std::borrow::Cow;
use std::ops::Range;

pub use content_type::ContentType;
pub use names::FIXED_BOUNDARY;
pub use structure::MAX_NESTING;

use crate::error::{Error, ErrorKind};
use crate::sink::Sink;
use content_type::{is_multipart, lookup, lossy, parse_params};
use structure::{Multipart, Structure};

/// A body with deterministic boundaries, as a list of pieces of the one it came from.
#[derive(Clone, Debug)]
pub struct Rewrite<'a> {
    /// The `Content-Type` value that fits the rewritten body.
    pub content_type: Cow<'a, str>,
    pieces: Vec<Piece<'a>>,
    len: usize,
    unchanged: bool,
}

/// A run of bytes of a rewritten body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Delimiter lines, part headers, preamble, epilogue.
    Framing(Cow<'a, [u8]>),
    /// What a part carries, untouched.
    Payload {
        /// The payload itself.
        bytes: &'a [u8],
        /// Where it starts in the body it came from.
        offset: usize,
        /// The value of the part's own `Content-Type` header.
        content_type: Option<&'a [u8]>,
    },
}

impl Piece<'_> {
    /// The bytes of this piece.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Framing(bytes) => bytes,
            Self::Payload { bytes, .. } => bytes,
        }
    }
}

impl Piece<'_> {
    /// Where a payload starts in the body it came from.
    #[must_use]
    pub fn offset(&self) -> Option<usize> {
        match self {
            Self::Framing(_) => None,
            Self::Payload { offset, .. } => Some(*offset),
        }
    }
}

impl<'a> Rewrite<'a> {
    /// The pieces in order; their bytes, put together, are the rewritten body.
    #[must_use]
    pub fn pieces(&self) -> &[Piece<'a>] {
        &self.pieces
    }

    /// The length of the rewritten body in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether the rewritten body has no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether body and content type are what they were, byte for byte.
    #[must_use]
    pub fn is_unchanged(&self) -> bool {
        self.unchanged
    }

    /// Puts what two bodies that say the same have in common into `sink`: the framing with the headers of each part by their names,
    /// and each payload by `payload`.
    pub fn canonical_into<S: Sink>(&self, sink: &mut S, payload: impl Fn(&[u8], &mut S)) {
        let mut framing = Vec::new();
        for piece in &self.pieces {
            match piece {
                Piece::Framing(bytes) => framing.extend_from_slice(bytes),
                Piece::Payload { bytes, .. } => {
                    sink.put(&headers::in_order(&framing));
                    framing.clear();
                    payload(bytes, sink);
                }
            }
        }
        sink.put(&headers::in_order(&framing));
    }

    /// Writes the rewritten body: [`Rewrite::len`] bytes.
    pub fn write_to(&self, sink: &mut impl Sink) {
        for piece in &self.pieces {
            sink.put(piece.bytes());
        }
    }
}

/// Replaces the boundary of a multipart body, and those of the multiparts in it, by deterministic ones.
///
/// The result depends on nothing but the rest of the body, and rewriting it again changes nothing. A body whose
/// `content_type` is no multipart comes back unchanged. So does, as the payload of its part, a nested multipart that is
/// malformed or deeper than [`MAX_NESTING`]. The `Content-Length` of a nested multipart follows where it was right.
///
/// The errors: [`ErrorKind::BadContentType`] and [`ErrorKind::BadBoundary`] with the offset in `content_type`,
/// [`ErrorKind::NoDelimiter`] and [`ErrorKind::NotClosed`] with the offset in `body`.
pub fn rewrite<'a>(body: &'a [u8], content_type: &'a str) -> Result<Rewrite<'a>, Error> {
    if !is_multipart(content_type.as_bytes()) {
        let pieces = vec![Piece::Payload { bytes: body, offset: 0, content_type: None }];
        return Ok(Rewrite { content_type: content_type.into(), pieces, len: body.len(), unchanged: true });
    }
    let header = ContentType::parse(content_type)?;
    let structure = Structure::read(body, &header.boundary()?)?;
    let series = free_series(body, &structure);
    let edits = edits(body, &structure, series);
    let content_type = header.with_boundary(&names::boundary(series, 0));

    let mut plan = Plan { body, pieces: Vec::with_capacity(2 * (edits.len() + structure.leaves.len()) + 1), done: 0 };
    let mut unchanged = matches!(content_type, Cow::Borrowed(_));
    let mut leaves = structure.leaves.iter().peekable();
    for edit in edits.into_iter().filter(|edit| body[edit.range.clone()] != *edit.text) {
        while let Some(leaf) = leaves.next_if(|leaf| leaf.payload.start < edit.range.start) {
            plan.payload(leaf);
        }
        plan.edit(edit);
        unchanged = false;
    }
    for leaf in leaves {
        plan.payload(leaf);
    }
    plan.framing(body.len());
    let len = plan.pieces.iter().map(|piece| piece.bytes().len()).sum();
    Ok(Rewrite { content_type, pieces: plan.pieces, len, unchanged })
}

/// A part of a multipart body that is not a multipart itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part<'a> {
    /// The header lines as they are, without the empty line that ends them.
    pub headers: &'a [u8],
    /// What the part carries.
    pub payload: &'a [u8],
    /// Where the payload starts in the body.
    pub payload_offset: usize,
    /// The value of the `Content-Type` header.
    pub content_type: Option<&'a [u8]>,
    /// The field name: `name` of the `Content-Disposition` header (RFC 7578, section 4.2).
    pub name: Option<Cow<'a, str>>,
    /// The file name: `filename` of the `Content-Disposition` header.
    pub filename: Option<Cow<'a, str>>,
}

/// The parts of a multipart body in order, those of nested multiparts in the place of the part that holds them.
///
/// The errors are those of [`rewrite`], and [`ErrorKind::BadContentType`] where `content_type` is no multipart.
pub fn parts<'a>(body: &'a [u8], content_type: &str) -> Result<Vec<Part<'a>>, Error> {
    if !is_multipart(content_type.as_bytes()) {
        return Err(Error::new(ErrorKind::BadContentType, 0));
    }
    let structure = Structure::read(body, &ContentType::parse(content_type)?.boundary()?)?;
    let view = |leaf: &structure::Leaf| {
        let disposition = leaf.header(body, b"content-disposition").map_or(&b""[..], |range| &body[range]);
        let start = memchr::memchr(b';', disposition).unwrap_or(disposition.len());
        let params = parse_params(disposition, start).unwrap_or_default();
        Part {
            headers: &body[leaf.headers.clone()],
            payload: &body[leaf.payload.clone()],
            payload_offset: leaf.payload.start,
            content_type: leaf.content_type.clone().map(|range| &body[range]),
            name: lookup(disposition, &params, "name").map(lossy),
            filename: lookup(disposition, &params, "filename").map(lossy),
        }
    };
    Ok(structure.leaves.iter().map(view).collect())
}

/// The first series of boundaries that no line outside the delimiter lines starts with.
fn free_series(body: &[u8], structure: &Structure) -> usize {
    if structure.claims.is_empty() {
        return 0;
    }
    let mut lines: Vec<usize> =
        structure.multiparts.iter().flat_map(|m| m.boundaries.iter().map(|boundary| boundary.start - 2)).collect();
    lines.sort_unstable();
    let others = structure.claims.iter().filter(|line| lines.binary_search(line).is_err());
    names::free_series(others.map(|&line| &body[line..]))
}

struct Edit<'a> {
    range: Range<usize>,
    text: Cow<'a, [u8]>,
}

/// What is to be replaced in the body, in order.
fn edits<'a>(body: &'a [u8], structure: &Structure, series: usize) -> Vec<Edit<'a>> {
    let mut edits = Vec::new();
    for (number, multipart) in structure.multiparts.iter().enumerate() {
        let name = names::boundary(series, number);
        edits.extend(multipart.boundaries.iter().cloned().map(|range| Edit { range, text: bytes_of(name.clone()) }));
        let announced = multipart.part.as_ref().and_then(|part| part.content_type.clone());
        if let Some(range) = announced
            && let Ok(header) = std::str::from_utf8(&body[range.clone()])
            && let Ok(header) = ContentType::parse(header)
        {
            edits.push(Edit { range, text: bytes_of(header.with_boundary(&name)) });
        }
        edits.extend(
            stated_length(body, multipart).map(|(range, _)| Edit { text: Cow::Borrowed(&body[range.clone()]), range }),
        );
    }
    if structure.multiparts.len() > 1 {
        edits.sort_by_key(|edit| edit.range.start);
        // From the innermost out, because a length with more or fewer digits changes the length around it.
        for multipart in structure.multiparts.iter().rev() {
            let Some((range, payload)) = stated_length(body, multipart) else { continue };
            let at = |offset| edits.partition_point(|edit| edit.range.start < offset);
            let inner = &edits[at(payload.start)..at(payload.end)];
            let removed: usize = inner.iter().map(|edit| edit.range.len()).sum();
            let added: usize = inner.iter().map(|edit| edit.text.len()).sum();
            let length = payload.len() + added - removed;
            let own = at(range.start);
            if let Some(edit) = edits.get_mut(own).filter(|_| length != payload.len()) {
                edit.text = Cow::Owned(length.to_string().into_bytes());
            }
        }
    }
    edits
}

fn bytes_of(text: Cow<'_, str>) -> Cow<'_, [u8]> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    }
}

/// Where a nested multipart states its length (aiohttp does) and what that is the length of, if it is.
fn stated_length(body: &[u8], multipart: &Multipart) -> Option<(Range<usize>, Range<usize>)> {
    let part = multipart.part.as_ref()?;
    let range = part.header(body, b"content-length")?;
    let stated: usize = std::str::from_utf8(&body[range.clone()]).ok()?.parse().ok()?;
    (stated == part.payload.len()).then(|| (range, part.payload.clone()))
}

struct Plan<'a> {
    body: &'a [u8],
    pieces: Vec<Piece<'a>>,
    /// How much of the body is in `pieces`.
    done: usize,
}

impl<'a> Plan<'a> {
    fn framing(&mut self, until: usize) {
        if self.done < until {
            self.pieces.push(Piece::Framing(Cow::Borrowed(&self.body[self.done..until])));
            self.done = until;
        }
    }

    fn edit(&mut self, edit: Edit<'a>) {
        self.framing(edit.range.start);
        self.pieces.push(Piece::Framing(edit.text));
        self.done = edit.range.end;
    }

    fn payload(&mut self, leaf: &structure::Leaf) {
        self.framing(leaf.payload.start);
        self.pieces.push(Piece::Payload {
            bytes: &self.body[leaf.payload.clone()],
            offset: leaf.payload.start,
            content_type: leaf.content_type.clone().map(|range| &self.body[range]),
        });
        self.done = leaf.payload.end;
    }
}
