//! The answer to "why did this request not replay": one cause, one place, both values, one fix.

use std::fmt;

use super::cause::Cause;
use super::fix::{self, Place};
use super::window;
use crate::secrets;

/// Most further differences that are named.
pub(super) const OTHERS_NAMED: usize = 4;
/// Most characters of a path.
const PATH_WIDTH: usize = 160;

/// Why an incoming request differs from a recorded one, fit to be printed: bounded in length, on single lines, without secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mismatch {
    /// The cause of the first difference that counts.
    pub cause: Cause,
    /// Where it is: `messages[0].content` in JSON, `line[3].body.model` in JSON lines, `part[2] "image"` in multipart, the key in a form.
    pub path: Option<String>,
    /// Bytes before the difference, counted in the value at `path` (decoded, where it is a JSON string), or in the body without a path.
    pub offset: Option<usize>,
    /// The incoming request's value there: at most 80 characters.
    pub left: String,
    /// The recorded request's value there: at most 80 characters.
    pub right: String,
    /// Further places that differ, at most four, in order.
    pub others: Vec<(String, Cause)>,
    /// How many further places differ in all; counting stops at 1,000.
    pub other_count: usize,
    pub(super) ignorable: bool,
    pub(super) pattern: Option<String>,
}

impl Mismatch {
    /// A mismatch that the caller found where the core does not look: method, URL, credential, a body that cannot be read.
    ///
    /// `left` and `right` are shown as windows, redacted like all others.
    #[must_use]
    pub fn new(cause: Cause, path: Option<&str>, left: &str, right: &str) -> Self {
        let at = super::first_difference(left.as_bytes(), right.as_bytes()).unwrap_or(0);
        let show = |text: &str| match cause {
            // Nothing of a credential is shown, whatever it looks like.
            Cause::Credential if !text.is_empty() => "[credential]".to_owned(),
            _ => window::around(text.as_bytes(), at, window::Escape::Invisible),
        };
        Self { left: show(left), right: show(right), ..Self::at(cause, path.map(str::to_owned)) }
    }

    /// A mismatch without windows yet.
    pub(super) fn at(cause: Cause, path: Option<String>) -> Self {
        let (path, whole) = match path.filter(|path| !path.is_empty()) {
            Some(path) => {
                let (path, whole) = bounded_path(&path);
                (Some(path), whole)
            }
            None => (None, false),
        };
        Self {
            cause,
            path,
            offset: None,
            left: String::new(),
            right: String::new(),
            others: Vec::new(),
            other_count: 0,
            ignorable: whole,
            pattern: None,
        }
    }

    /// The setting or code change that mends it, in one sentence.
    #[must_use]
    pub fn fix(&self) -> String {
        let place = Place { path: self.path.as_deref(), ignorable: self.ignorable, pattern: self.pattern.as_deref() };
        fix::sentence(self.cause, &place)
    }
}

/// `path` without secrets and within its width, and whether it is still the whole path.
pub(super) fn bounded_path(path: &str) -> (String, bool) {
    let clean = secrets::redact(path.as_bytes());
    let clean = String::from_utf8_lossy(&clean);
    let count = clean.chars().count();
    if count <= PATH_WIDTH {
        let whole = clean == path;
        return (clean.into_owned(), whole);
    }
    let half = PATH_WIDTH / 2;
    (clean.chars().take(half).chain(['…']).chain(clean.chars().skip(count + 1 - half)).collect(), false)
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.cause.as_str(), self.cause.phrase())?;
        if let Some(path) = &self.path {
            write!(f, " at `{path}`")?;
        }
        if let Some(offset) = self.offset {
            write!(f, "{} byte {offset}", if self.path.is_some() { "," } else { " at" })?;
        }
        if self.left != self.right {
            write!(f, "\n  now:      {}\n  recorded: {}", self.left, self.right)?;
        }
        if self.other_count > 0 {
            f.write_str("\n  also:     ")?;
            for (index, (path, cause)) in self.others.iter().enumerate() {
                write!(f, "{}`{path}` ({})", if index == 0 { "" } else { ", " }, cause.as_str())?;
            }
            let unnamed = self.other_count - self.others.len().min(self.other_count);
            if unnamed > 0 {
                write!(f, "{}{unnamed} more", if self.others.is_empty() { "" } else { " and " })?;
            }
        }
        write!(f, "\n  fix:      {}", self.fix())
    }
}
