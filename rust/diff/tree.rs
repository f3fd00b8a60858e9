//! A JSON document as a compact list of nodes with their places, keys sorted as in the canonical form, and a hash of each value.
//!
//! The hash makes comparing linear: equal subtrees are skipped without being walked, and "the same elements in another order" needs no
//! pairwise search. 24 bytes a node, 12 a key.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::error::{Error, ErrorKind};
use crate::json::string::respell_into;
use crate::json::{Event, Reader, Token, decode};
use crate::media::{self, Original};

/// The largest body that is walked: beyond it a tree would cost gigabytes. A larger one is compared as text.
const MAX_LEN: usize = 256 << 20;
/// Strings longer than this may count as media, as in the canonical form.
const MEDIA_MIN_LEN: usize = 1024;

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Object,
    Array,
    /// The lines of JSON lines.
    Lines,
    String,
    Number,
    Boolean,
    Null,
    /// A line that is not JSON.
    Raw,
}

/// A value: its source is `start..end`, its members are `first..first + count` in the tree's links.
#[derive(Clone, Copy, Debug)]
struct Node {
    kind: Kind,
    start: u32,
    end: u32,
    first: u32,
    count: u32,
    hash: u64,
}

/// A member of an object (with the place of its key, quotes included) or an item of an array.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link {
    key: (u32, u32),
    pub node: u32,
}

/// A document, or the lines of several.
pub(super) struct Tree<'a> {
    body: &'a [u8],
    nodes: Vec<Node>,
    links: Vec<Link>,
    media: HashMap<u32, Original>,
    root: u32,
}

struct Open {
    start: u32,
    is_object: bool,
    /// Where its members start among those still pending.
    first: usize,
    key: (u32, u32),
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "a body longer than MAX_LEN is refused, and nodes are fewer than bytes"
)]
const fn short(offset: usize) -> u32 {
    offset as u32
}

impl<'a> Tree<'a> {
    /// Reads one document. The errors are those of [`Reader`].
    pub(super) fn read(body: &'a [u8]) -> Result<Self, Error> {
        let mut tree = Self::empty(body)?;
        tree.root = tree.document(0, body.len())?;
        Ok(tree)
    }

    /// Reads JSON lines. A line that is not JSON counts by its bytes; without any line that is JSON, there is no tree.
    pub(super) fn read_lines(body: &'a [u8]) -> Option<Self> {
        let mut tree = Self::empty(body).ok()?;
        let mut lines = Vec::new();
        let mut documents = 0;
        let mut start = 0;
        for line in body.split_inclusive(|byte| *byte == b'\n') {
            let end = start + line.len();
            let text = line.trim_ascii();
            if !text.is_empty() {
                let before = (tree.nodes.len(), tree.links.len());
                let node = if let Ok(node) = tree.document(start, end) {
                    documents += 1;
                    node
                } else {
                    if tree.nodes.len() > before.0 {
                        tree.media.retain(|node, _| (*node as usize) < before.0);
                    }
                    tree.nodes.truncate(before.0);
                    tree.links.truncate(before.1);
                    let from = start + line.len() - line.trim_ascii_start().len();
                    tree.scalar(Kind::Raw, from, from + text.len(), text)
                };
                lines.push(Link { key: (0, 0), node });
            }
            start = end;
        }
        tree.root = tree.container(Kind::Lines, 0, body.len(), lines);
        (documents > 0).then_some(tree)
    }

    fn empty(body: &'a [u8]) -> Result<Self, Error> {
        if body.len() > MAX_LEN {
            return Err(Error::new(ErrorKind::TooLarge, MAX_LEN));
        }
        let nodes = Vec::with_capacity(body.len() / 64);
        Ok(Self { body, nodes, links: Vec::new(), media: HashMap::new(), root: 0 })
    }

    /// Reads the document in `body[start..end]` and returns its node.
    fn document(&mut self, start: usize, end: usize) -> Result<u32, Error> {
        let text = self.body.get(start..end).unwrap_or_default();
        let mut reader = Reader::new(text)?;
        let mut open: Vec<Open> = Vec::new();
        let mut pending: Vec<Link> = Vec::new();
        let mut key = (0, 0);
        let mut root = None;
        while let Some(token) = reader.next()? {
            let token = Token { start: token.start + start, end: token.end + start, ..token };
            let kind = match token.event {
                Event::Key(_) => {
                    key = (short(token.start), short(token.end));
                    continue;
                }
                Event::ObjectStart | Event::ArrayStart => {
                    let is_object = token.event == Event::ObjectStart;
                    open.push(Open { start: short(token.start), is_object, first: pending.len(), key });
                    key = (0, 0);
                    continue;
                }
                Event::ObjectEnd | Event::ArrayEnd => None,
                Event::String(_) => Some(Kind::String),
                Event::Number => Some(Kind::Number),
                Event::True | Event::False => Some(Kind::Boolean),
                Event::Null => Some(Kind::Null),
            };
            let node = if let Some(kind) = kind {
                let text = decode(token.raw(self.body));
                self.scalar(kind, token.start, token.end, &text)
            } else {
                let Some(level) = open.pop() else { continue };
                let members = pending.split_off(level.first);
                key = level.key;
                let kind = if level.is_object { Kind::Object } else { Kind::Array };
                self.container(kind, level.start as usize, token.end, members)
            };
            match open.last() {
                Some(_) => pending.push(Link { key: std::mem::take(&mut key), node }),
                None => root = Some(node),
            }
        }
        // A string that is the whole document has no siblings, but may be a data URL.
        if let Some(root) = root {
            self.note_media(root, None);
        }
        root.ok_or(Error::new(ErrorKind::BadJson, end))
    }

    fn scalar(&mut self, kind: Kind, start: usize, end: usize, text: &[u8]) -> u32 {
        let mut hasher = DefaultHasher::new();
        (kind, text).hash(&mut hasher);
        self.push(Node { kind, start: short(start), end: short(end), first: 0, count: 0, hash: hasher.finish() })
    }

    fn container(&mut self, kind: Kind, start: usize, end: usize, mut members: Vec<Link>) -> u32 {
        if kind == Kind::Object {
            let sorted = members.is_sorted_by(|a, b| self.key(*a) <= self.key(*b));
            if !sorted {
                members.sort_by_cached_key(|link| self.key(*link));
            }
        }
        if members.iter().any(|link| self.is_long_string(link.node)) {
            let declared = self.declared_media(&members);
            for link in &members {
                self.note_media(link.node, declared.as_deref());
            }
        }
        let mut hasher = DefaultHasher::new();
        (kind, members.len()).hash(&mut hasher);
        for link in &members {
            if kind == Kind::Object {
                self.key(*link).hash(&mut hasher);
            }
            self.hash(link.node).hash(&mut hasher);
        }
        let (first, count) = (short(self.links.len()), short(members.len()));
        self.links.extend(members);
        self.push(Node { kind, start: short(start), end: short(end), first, count, hash: hasher.finish() })
    }

    fn push(&mut self, node: Node) -> u32 {
        self.nodes.push(node);
        short(self.nodes.len() - 1)
    }

    fn is_long_string(&self, node: u32) -> bool {
        let node = self.node(node);
        node.kind == Kind::String && (node.end - node.start) as usize > MEDIA_MIN_LEN + 2
    }

    /// What the members of an object say their sibling is, asked as the canonical form asks.
    fn declared_media(&self, members: &[Link]) -> Option<Cow<'a, [u8]>> {
        media::DECLARING_KEYS.iter().find_map(|name| {
            let member = members.iter().find(|link| self.key(**link) == *name)?;
            (self.kind(member.node) == Kind::String).then(|| self.text(member.node))
        })
    }

    /// Where a long string is media, its hash becomes that of what it counts for.
    fn note_media(&mut self, node: u32, declared: Option<&[u8]>) {
        if !self.is_long_string(node) {
            return;
        }
        let text = self.canonical_text(node);
        let Some(found) = media::string_media(&text, declared).filter(|_| text.len() > MEDIA_MIN_LEN) else { return };
        let mut hasher = DefaultHasher::new();
        let original = found.original;
        (found.head, original.media_type, original.len, original.sha256).hash(&mut hasher);
        if let Some(node) = self.nodes.get_mut(node as usize) {
            node.hash = hasher.finish();
        }
        self.media.insert(node, original);
    }

    /// Whether it was read from JSON lines and has more than one.
    pub(super) fn has_several_lines(&self) -> bool {
        self.kind(self.root) == Kind::Lines && self.members(self.root).len() > 1
    }

    pub(super) fn root(&self) -> u32 {
        self.root
    }

    fn node(&self, node: u32) -> Node {
        let nothing = Node { kind: Kind::Null, start: 0, end: 0, first: 0, count: 0, hash: 0 };
        self.nodes.get(node as usize).copied().unwrap_or(nothing)
    }

    pub(super) fn kind(&self, node: u32) -> Kind {
        self.node(node).kind
    }

    /// Equal for equal values, however they are written.
    pub(super) fn hash(&self, node: u32) -> u64 {
        self.node(node).hash
    }

    /// The members of an object in canonical order, the items of an array.
    pub(super) fn members(&self, node: u32) -> &[Link] {
        let node = self.node(node);
        let first = node.first as usize;
        self.links.get(first..first + node.count as usize).unwrap_or_default()
    }

    /// A member's key, decoded.
    pub(super) fn key(&self, link: Link) -> Cow<'a, [u8]> {
        let (start, end) = (link.key.0 as usize + 1, (link.key.1 as usize).saturating_sub(1));
        decode(self.body.get(start..end).unwrap_or_default())
    }

    /// The source of a value.
    pub(super) fn source(&self, node: u32) -> &'a [u8] {
        let node = self.node(node);
        self.body.get(node.start as usize..node.end as usize).unwrap_or_default()
    }

    fn inside(&self, node: u32) -> &'a [u8] {
        let source = self.source(node);
        source.get(1..source.len().saturating_sub(1)).unwrap_or_default()
    }

    /// The text of a string, decoded; the source of anything else.
    pub(super) fn text(&self, node: u32) -> Cow<'a, [u8]> {
        if self.kind(node) == Kind::String { decode(self.inside(node)) } else { Cow::Borrowed(self.source(node)) }
    }

    /// What stands between a string's quotes in the canonical form, where volatile tokens are masked.
    pub(super) fn canonical_text(&self, node: u32) -> Cow<'a, [u8]> {
        let raw = self.inside(node);
        if memchr::memchr(b'\\', raw).is_none() {
            return Cow::Borrowed(raw);
        }
        let mut text = Vec::with_capacity(raw.len());
        respell_into(raw, &mut text);
        Cow::Owned(text)
    }

    /// What a string counts for, where it is media.
    pub(super) fn media(&self, node: u32) -> Option<&Original> {
        self.media.get(&node)
    }
}
