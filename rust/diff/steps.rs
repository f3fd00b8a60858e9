//! Places in a JSON document, as links to the place above, and the paths they are written as.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::json::PathSet;
use crate::secrets;

/// The place of the document itself.
pub(super) const ROOT: u32 = 0;
/// A longer path is cut off in the middle when it is shown, so its middle need not be written.
const MOST_STEPS: usize = 64;

#[derive(Clone, Debug)]
enum Name<'a> {
    Root,
    Key(Cow<'a, [u8]>),
    Index(usize),
    Line(usize),
}

impl Name<'_> {
    fn as_key(&self) -> Option<&[u8]> {
        if let Name::Key(key) = self { Some(key) } else { None }
    }
}

#[derive(Clone, Debug)]
struct Step<'a> {
    above: u32,
    name: Name<'a>,
}

/// All places that a comparison has come to.
pub(super) struct Steps<'a> {
    steps: Vec<Step<'a>>,
}

impl<'a> Steps<'a> {
    pub(super) fn new() -> Self {
        Self { steps: vec![Step { above: ROOT, name: Name::Root }] }
    }

    pub(super) fn key(&mut self, above: u32, key: Cow<'a, [u8]>) -> u32 {
        self.push(above, Name::Key(key))
    }

    pub(super) fn index(&mut self, above: u32, index: usize) -> u32 {
        self.push(above, Name::Index(index))
    }

    pub(super) fn line(&mut self, above: u32, line: usize) -> u32 {
        self.push(above, Name::Line(line))
    }

    fn push(&mut self, above: u32, name: Name<'a>) -> u32 {
        self.steps.push(Step { above, name });
        u32::try_from(self.steps.len() - 1).unwrap_or(ROOT)
    }

    /// The names from the root down to `step`.
    fn names(&self, mut step: u32) -> Vec<&Name<'a>> {
        let mut names = Vec::new();
        while let Some(Step { above, name }) = self.steps.get(step as usize).filter(|_| step != ROOT) {
            names.push(name);
            step = *above;
        }
        names.reverse();
        names
    }

    /// The keys on the way, from the outermost in; lines and indices left out.
    pub(super) fn keys(&self, step: u32) -> Vec<&[u8]> {
        self.names(step).into_iter().filter_map(Name::as_key).collect()
    }

    /// The key a value stands under, directly or as an item of arrays.
    pub(super) fn own_key(&self, step: u32) -> Option<&[u8]> {
        self.keys(step).pop()
    }

    /// Whether one of the user's paths leaves this place out.
    pub(super) fn is_ignored(&self, step: u32, ignore: &PathSet) -> bool {
        if ignore.is_empty() {
            return false;
        }
        let mut walk = ignore.walk();
        self.names(step).into_iter().any(|name| match name {
            Name::Key(key) => walk.enter_key(key),
            Name::Index(index) => walk.enter_index(*index),
            // In JSON lines each line is a document of its own.
            Name::Root | Name::Line(_) => false,
        })
    }

    /// The path as the user writes it in `llm_vcr_ignore`, and whether it can be written there.
    pub(super) fn path(&self, step: u32) -> (String, bool) {
        let names = self.names(step);
        let mut usable = names.len() <= MOST_STEPS;
        let mut path = String::new();
        for (position, name) in names.iter().enumerate() {
            if names.len() > MOST_STEPS && (MOST_STEPS / 2..names.len() - MOST_STEPS / 2).contains(&position) {
                if position == MOST_STEPS / 2 {
                    path.push('…');
                }
                continue;
            }
            match name {
                Name::Root => {}
                Name::Index(index) => {
                    let _ = write!(path, "[{index}]");
                }
                Name::Line(line) => {
                    usable = false;
                    let _ = write!(path, "line[{line}]");
                }
                Name::Key(key) => usable &= push_key(&mut path, key),
            }
        }
        (path, usable)
    }
}

/// Appends a key; whether it can be read back.
fn push_key(path: &mut String, key: &[u8]) -> bool {
    /// More of a key is not shown.
    const LONGEST_KEY: usize = 80;
    /// Enough of it that a secret is known before it is cut.
    const LOOKED_AT: usize = 4096;
    let clean = secrets::redact(key.get(..LOOKED_AT).unwrap_or(key));
    let text = String::from_utf8_lossy(&clean);
    let mut usable = text.as_bytes() == key;
    let special =
        |c: char| matches!(c, '.' | '[' | ']' | '"' | '\'' | '*' | '`') || c.is_whitespace() || c.is_control();
    if !text.is_empty() && !text.starts_with('$') && text.len() <= LONGEST_KEY && !text.contains(special) {
        if !path.is_empty() {
            path.push('.');
        }
        path.push_str(&text);
        return usable;
    }
    path.push_str("[\"");
    for (count, c) in text.chars().enumerate() {
        if count == LONGEST_KEY {
            path.push('…');
            usable = false;
            break;
        }
        match c {
            '"' | '\\' => path.extend(['\\', c]),
            _ if c.is_control() => {
                usable = false;
                path.extend(c.escape_default());
            }
            _ => path.push(c),
        }
    }
    path.push_str("\"]");
    usable
}
