//! Paths a user names in `llm_vcr_ignore`: which members of a body do not count.
//!
//! `metadata.trace_id`, `messages[0].id`, `messages[*].id`, `messages.*.id`, `$.a.b`, `a["key.with.dots"]`, and `**.trace_id` (or
//! `$..trace_id`, as RFC 9535 writes it) for any depth. `*` stands for every key and every index. A name of digits also means that index.

use crate::error::{Error, ErrorKind};

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    /// A key; and the index it spells, if its text is the way that index is written.
    Name(Box<str>, Option<usize>),
    Index(usize),
    Any,
    /// Any number of levels, none included.
    Deep,
}

/// One path, below the root of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    steps: Vec<Step>,
}

impl Path {
    /// Reads a path.
    ///
    /// # Errors
    /// [`ErrorKind::BadPath`] with the byte offset in `text`. A path that names the whole document, or ends in `**`, is an error too.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let mut parser = Parser { text, at: 0 };
        let mut steps = Vec::new();
        if parser.take('$') {
            // `$` alone is the root; a name may not follow without a dot.
        } else if !text.starts_with('[') {
            steps.push(parser.dotted()?);
        }
        while let Some(c) = parser.peek() {
            match c {
                '.' => {
                    parser.take('.');
                    if parser.take('.') {
                        steps.push(Step::Deep);
                    }
                    // `$..[0]`: a bracket may follow two dots.
                    if steps.last() != Some(&Step::Deep) || parser.peek() != Some('[') {
                        steps.push(parser.dotted()?);
                    }
                }
                '[' => steps.push(parser.bracket()?),
                _ => return Err(parser.bad()),
            }
        }
        match steps.last() {
            None | Some(Step::Deep) => Err(parser.bad()),
            Some(_) => Ok(Self { steps }),
        }
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn take(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.at += wanted.len_utf8();
        }
        found
    }

    fn bad(&self) -> Error {
        Error::new(ErrorKind::BadPath, self.at)
    }

    /// A bare name, `*` or `**`. Any other use of a special character needs quotes, so that a glob is not silently a key.
    fn dotted(&mut self) -> Result<Step, Error> {
        let rest = self.rest();
        let special = |c: char| matches!(c, '.' | '[' | ']' | '"' | '\'' | '*') || c.is_whitespace() || c.is_control();
        let name = rest.split(special).next().unwrap_or_default();
        if !name.is_empty() {
            self.at += name.len();
            return Ok(Step::Name(name.into(), index(name)));
        }
        if !self.take('*') {
            return Err(self.bad());
        }
        Ok(if self.take('*') { Step::Deep } else { Step::Any })
    }

    fn bracket(&mut self) -> Result<Step, Error> {
        self.take('[');
        let step = match self.peek() {
            Some('*') => {
                self.take('*');
                Step::Any
            }
            Some(quote @ ('"' | '\'')) => {
                self.take(quote);
                Step::Name(self.quoted(quote)?.into(), None)
            }
            _ => {
                let rest = self.rest();
                let digits = &rest[..rest.bytes().take_while(u8::is_ascii_digit).count()];
                let index = index(digits).ok_or_else(|| self.bad())?;
                self.at += digits.len();
                Step::Index(index)
            }
        };
        if self.take(']') { Ok(step) } else { Err(self.bad()) }
    }

    /// The text up to `quote`; a backslash makes a quote or a backslash mean itself.
    fn quoted(&mut self, quote: char) -> Result<String, Error> {
        let mut name = String::new();
        loop {
            let before = self.bad();
            let mut c = self.peek().ok_or(before)?;
            self.take(c);
            if c == quote {
                return Ok(name);
            }
            if c == '\\' {
                c = self.peek().filter(|c| matches!(c, '\\' | '"' | '\'')).ok_or(before)?;
                self.take(c);
            }
            name.push(c);
        }
    }
}

/// The index that `text` is the decimal spelling of.
fn index(text: &str) -> Option<usize> {
    let plain = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if plain { text.parse().ok() } else { None }
}

/// The paths that do not count in a comparison.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PathSet {
    paths: Vec<Path>,
}

impl PathSet {
    /// No path: everything counts.
    #[must_use]
    pub const fn none() -> Self {
        Self { paths: Vec::new() }
    }

    /// Reads several paths.
    ///
    /// # Errors
    /// The first error of [`Path::parse`]. To know which path it was, parse them one by one and `collect` them.
    pub fn new<S: AsRef<str>>(paths: &[S]) -> Result<Self, Error> {
        paths.iter().map(|path| Path::parse(path.as_ref())).collect()
    }

    /// Whether there is no path.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }

    /// A walk that starts at the root of a document.
    pub(crate) fn walk(&self) -> Walk<'_> {
        let mut walk = Walk { paths: &self.paths, states: Vec::new(), levels: Vec::new() };
        for path in 0..self.paths.len() {
            walk.add(State { path, step: 0 }, 0);
        }
        walk.levels.push(0);
        walk
    }
}

impl FromIterator<Path> for PathSet {
    fn from_iter<I: IntoIterator<Item = Path>>(paths: I) -> Self {
        Self { paths: paths.into_iter().collect() }
    }
}

/// `step` of `path` is what the next level has to fit.
#[derive(Clone, Copy, PartialEq, Eq)]
struct State {
    path: usize,
    step: usize,
}

/// Where a walk through a document stands in all paths at once, as a set of states for each open level.
pub(crate) struct Walk<'p> {
    paths: &'p [Path],
    states: Vec<State>,
    /// Where in `states` each level starts.
    levels: Vec<usize>,
}

impl Walk<'_> {
    /// Goes to the member with this decoded key; whether it is one that does not count.
    pub(crate) fn enter_key(&mut self, key: &[u8]) -> bool {
        self.enter(|step| matches!(step, Step::Name(name, _) if name.as_bytes() == key))
    }

    /// Goes to the item with this index; whether it is one that does not count.
    pub(crate) fn enter_index(&mut self, index: usize) -> bool {
        self.enter(|step| matches!(step, Step::Name(_, Some(i)) | Step::Index(i) if *i == index))
    }

    /// Goes back up.
    pub(crate) fn leave(&mut self) {
        if let Some(level) = self.levels.pop() {
            self.states.truncate(level);
        }
    }

    fn enter(&mut self, fits: impl Fn(&Step) -> bool) -> bool {
        let above = self.levels.last().copied().unwrap_or(0);
        let level = self.states.len();
        self.levels.push(level);
        let mut found = false;
        for at in above..level {
            let state = self.states[at];
            let steps = &self.paths[state.path].steps;
            match steps.get(state.step) {
                Some(Step::Deep) => self.add(state, level),
                Some(step) if *step == Step::Any || fits(step) => {
                    found |= state.step + 1 == steps.len();
                    self.add(State { step: state.step + 1, ..state }, level);
                }
                _ => {}
            }
        }
        found
    }

    /// Adds a state to the level that starts at `level`, and those that follow from `**` standing for nothing.
    fn add(&mut self, mut state: State, level: usize) {
        loop {
            if !self.states[level..].contains(&state) {
                self.states.push(state);
            }
            if self.paths[state.path].steps.get(state.step) != Some(&Step::Deep) {
                return;
            }
            state.step += 1;
        }
    }
}
