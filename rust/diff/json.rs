//! Two JSON documents walked side by side: every place where they differ, in canonical order.

use std::borrow::Cow;
use std::collections::HashMap;

use super::cause::Cause;
use super::mismatch::{Mismatch, OTHERS_NAMED};
use super::steps::{ROOT, Steps};
use super::tree::{Kind, Link, Tree};
use super::window::{self, Escape};
use super::{first_difference, text};
use crate::body::Rules;
use crate::media::Original;

/// Counting differences stops here, once one was found that counts.
const MOST_COUNTED: usize = 1000;
/// Keys that only one side has are paired by what is volatile in them, up to this many.
const MOST_RENAMED: usize = 256;

/// Nodes of either side that stand in one place, already known to differ.
struct Task {
    a: Option<u32>,
    b: Option<u32>,
    step: u32,
    /// The cause, where the place itself tells it; the nodes are then the objects around it.
    preset: Option<Cause>,
}

struct Found {
    cause: Cause,
    task: Task,
}

/// Both documents and what is being learned about them.
struct Comparison<'a, 't> {
    a: &'t Tree<'a>,
    b: &'t Tree<'a>,
    steps: Steps<'a>,
    tasks: Vec<Task>,
    rules: &'t Rules,
}

/// The first difference between two documents that counts, or else the first volatile one; `None` where they are equal.
pub(super) fn compare<'a>(a: &Tree<'a>, b: &Tree<'a>, rules: &Rules) -> Option<Mismatch> {
    if a.hash(a.root()) == b.hash(b.root()) {
        return None;
    }
    let root = Task { a: Some(a.root()), b: Some(b.root()), step: ROOT, preset: None };
    let mut comparison = Comparison { a, b, steps: Steps::new(), tasks: vec![root], rules };
    let mut found: Vec<Found> = Vec::new();
    let mut headline: Option<usize> = None;
    let mut ignored = None;
    let mut count = 0_usize;
    while let Some(task) = comparison.tasks.pop() {
        if comparison.steps.is_ignored(task.step, &rules.ignore) {
            ignored.get_or_insert(Found { cause: Cause::Ignored, task });
            continue;
        }
        let Some(cause) = comparison.look(&task) else { continue };
        count += 1;
        let is_headline = headline.is_none() && !cause.is_overlooked();
        if is_headline || found.len() <= OTHERS_NAMED {
            if is_headline {
                headline = Some(found.len());
            }
            found.push(Found { cause, task });
        }
        if count >= MOST_COUNTED && headline.is_some() {
            break;
        }
    }
    if found.is_empty() {
        return ignored.map(|place| comparison.mismatch(&place));
    }
    let first = found.remove(headline.unwrap_or(0));
    let mut mismatch = comparison.mismatch(&first);
    let named = found.iter().take(OTHERS_NAMED);
    mismatch.others = named.map(|other| (comparison.path(other.task.step).0, other.cause)).collect();
    mismatch.other_count = count - 1;
    Some(mismatch)
}

impl Comparison<'_, '_> {
    /// The cause in one place, or nothing where the difference lies deeper (and has been put on the list).
    fn look(&mut self, task: &Task) -> Option<Cause> {
        if task.preset.is_some() {
            return task.preset;
        }
        let (Some(a), Some(b)) = (task.a, task.b) else {
            let cause = match (task.a, task.b) {
                (Some(a), _) if self.a.kind(a) == Kind::Null => Cause::NullOrMissing,
                (_, Some(b)) if self.b.kind(b) == Kind::Null => Cause::NullOrMissing,
                (Some(_), _) => Cause::AddedKey,
                (None, Some(_)) => Cause::RemovedKey,
                (None, None) => return None,
            };
            return Some(self.role(task.step).unwrap_or(cause));
        };
        let cause = match (self.a.kind(a), self.b.kind(b)) {
            (Kind::Object, Kind::Object) => {
                self.objects(a, b, task.step);
                return None;
            }
            (Kind::Array, Kind::Array) | (Kind::Lines, Kind::Lines) => self.arrays(a, b, task.step)?,
            (Kind::String, Kind::String) => self.strings(a, b),
            (Kind::Raw, _) | (_, Kind::Raw) => text::cause_of(self.a.source(a), self.b.source(b), &self.rules.patterns),
            (Kind::Number, Kind::Number) => {
                text::volatile_cause(self.a.source(a), self.b.source(b), &self.rules.patterns).unwrap_or(Cause::Number)
            }
            (Kind::Boolean, Kind::Boolean) => Cause::Boolean,
            _ => Cause::Type,
        };
        if cause == Cause::Text && self.hides(task) {
            return Some(Cause::Credential);
        }
        // What the place means says more than what kind of value changed in it; an accident of spelling says more still.
        let accident = matches!(
            cause,
            Cause::Uuid
                | Cause::Time
                | Cause::Epoch
                | Cause::Masked
                | Cause::TempPath
                | Cause::Credential
                | Cause::Unicode
                | Cause::LineEnding
                | Cause::ArrayOrder
        );
        if accident {
            Some(cause)
        } else {
            Some(self.role(task.step).filter(|role| means(*role, cause, &self.steps.keys(task.step))).unwrap_or(cause))
        }
    }

    fn strings(&self, a: u32, b: u32) -> Cause {
        if self.a.media(a).is_some() || self.b.media(b).is_some() {
            return Cause::Media;
        }
        let masked = text::volatile_cause(&self.a.canonical_text(a), &self.b.canonical_text(b), &self.rules.patterns);
        masked.unwrap_or_else(|| text::lasting_cause(&self.a.text(a), &self.b.text(b)))
    }

    /// Whether the key says that a secret stands here.
    fn hides(&self, task: &Task) -> bool {
        let Some(key) = self.steps.own_key(task.step) else { return false };
        let is_secret = |tree: &Tree<'_>, node: Option<u32>| {
            node.is_some_and(|node| tree.kind(node) == Kind::String && window::is_secret(key, &tree.text(node)))
        };
        is_secret(self.a, task.a) || is_secret(self.b, task.b)
    }

    /// Arrays of the same length are compared item by item, unless only their order differs.
    fn arrays(&mut self, a: u32, b: u32, step: u32) -> Option<Cause> {
        let (left, right) = (self.a.members(a), self.b.members(b));
        if left.len() != right.len() {
            return Some(Cause::ArrayLength);
        }
        let sorted = |tree: &Tree<'_>, links: &[Link]| {
            let mut hashes: Vec<u64> = links.iter().map(|link| tree.hash(link.node)).collect();
            hashes.sort_unstable();
            hashes
        };
        if sorted(self.a, left) == sorted(self.b, right) {
            return Some(Cause::ArrayOrder);
        }
        let is_lines = self.a.kind(a) == Kind::Lines;
        for (index, (x, y)) in left.iter().zip(right).enumerate().rev() {
            if self.a.hash(x.node) != self.b.hash(y.node) {
                let step = if is_lines { self.steps.line(step, index) } else { self.steps.index(step, index) };
                self.tasks.push(Task { a: Some(x.node), b: Some(y.node), step, preset: None });
            }
        }
        None
    }

    /// Members are paired by key; several of one key count as one that is a duplicate.
    fn objects(&mut self, a: u32, b: u32, step: u32) {
        let (mut left, mut right) = (self.a.members(a), self.b.members(b));
        let first = self.tasks.len();
        let (mut added, mut removed) = (Vec::new(), Vec::new());
        loop {
            let key = match (left.first(), right.first()) {
                (Some(now), Some(then)) => self.a.key(*now).min(self.b.key(*then)),
                (Some(now), None) => self.a.key(*now),
                (None, Some(then)) => self.b.key(*then),
                (None, None) => break,
            };
            let (now, then) = (take_key(self.a, &mut left, &key), take_key(self.b, &mut right, &key));
            if now.iter().map(|link| self.a.hash(link.node)).eq(then.iter().map(|link| self.b.hash(link.node))) {
                continue;
            }
            let step = self.steps.key(step, key);
            let task = match (now, then) {
                ([now], [then]) => Task { a: Some(now.node), b: Some(then.node), step, preset: None },
                ([now], []) => {
                    added.push(self.tasks.len());
                    Task { a: Some(now.node), b: None, step, preset: None }
                }
                ([], [then]) => {
                    removed.push(self.tasks.len());
                    Task { a: None, b: Some(then.node), step, preset: None }
                }
                _ => Task { a: Some(a), b: Some(b), step, preset: Some(Cause::DuplicateKey) },
            };
            self.tasks.push(task);
        }
        self.pair_renamed(&added, &removed);
        self.tasks[first..].reverse();
    }

    /// A key that is added and one that is removed are one key with another volatile token in it, where they are equal once masked.
    fn pair_renamed(&mut self, added: &[usize], removed: &[usize]) {
        if added.is_empty() || removed.is_empty() || added.len().max(removed.len()) > MOST_RENAMED {
            return;
        }
        let key = |at: &usize| self.steps.own_key(self.tasks[*at].step).unwrap_or_default();
        let mut waiting: HashMap<Cow<'_, [u8]>, Vec<usize>> = HashMap::new();
        for at in removed.iter().rev() {
            waiting.entry(text::masked(key(at), &self.rules.patterns)).or_default().push(*at);
        }
        let mut pairs = Vec::new();
        for at in added {
            let key = key(at);
            let pair = waiting.get_mut(&text::masked(key, &self.rules.patterns)).and_then(Vec::pop);
            let Some(other) = pair else { continue };
            let name = self.steps.own_key(self.tasks[other].step).unwrap_or_default();
            pairs.extend(text::volatile_cause(key, name, &self.rules.patterns).map(|cause| (*at, other, cause)));
        }
        drop(waiting);
        for (at, other, cause) in pairs {
            // The value is compared at the place of the new key; the old place now says that the key itself is volatile.
            let (a, b) = (self.tasks[at].a, self.tasks[other].b);
            let step = self.tasks[at].step;
            let equal = a.zip(b).is_some_and(|(a, b)| self.a.hash(a) == self.b.hash(b));
            self.tasks[other] = Task { a, b, step, preset: Some(cause) };
            if equal {
                // One place, one difference: nothing is left of the other task.
                self.tasks[at] = Task { a: None, b: None, step, preset: None };
            } else {
                self.tasks[at] = Task { a, b, step, preset: None };
            }
        }
    }

    /// What a place means to a provider.
    fn role(&self, step: u32) -> Option<Cause> {
        role(&self.steps.keys(step))
    }

    fn path(&self, step: u32) -> (String, bool) {
        let (path, usable) = self.steps.path(step);
        let (path, whole) = super::mismatch::bounded_path(&path);
        (path, usable && whole)
    }

    /// The report of one difference.
    fn mismatch(&self, found: &Found) -> Mismatch {
        let Found { cause, task } = found;
        let (path, usable) = self.steps.path(task.step);
        let mut mismatch = Mismatch::at(*cause, Some(path));
        mismatch.ignorable &= usable;
        let strings = |a, b| self.a.kind(a) == Kind::String && self.b.kind(b) == Kind::String;
        match (task.a, task.b) {
            _ if self.hides(task) => {
                "[credential]".clone_into(&mut mismatch.left);
                "[credential]".clone_into(&mut mismatch.right);
            }
            (Some(a), Some(b)) if *cause == Cause::DuplicateKey => {
                mismatch.left = self.all_of(self.a, a, task.step);
                mismatch.right = self.all_of(self.b, b, task.step);
            }
            (Some(a), Some(b)) if self.a.media(a).is_some() || self.b.media(b).is_some() => {
                mismatch.left = self.value(self.a, a, 0, task.step);
                mismatch.right = self.value(self.b, b, 0, task.step);
            }
            (Some(a), Some(b)) if strings(a, b) => text::show(&mut mismatch, &self.a.text(a), &self.b.text(b)),
            (Some(a), Some(b)) if *cause == Cause::ArrayLength => {
                let (left, right) = (self.a.members(a), self.b.members(b));
                let equal =
                    left.iter().zip(right).take_while(|(x, y)| self.a.hash(x.node) == self.b.hash(y.node)).count();
                mismatch.left = self.length(self.a, left, equal);
                mismatch.right = self.length(self.b, right, equal);
            }
            (Some(a), Some(b)) => {
                let at = match (self.a.kind(a), self.b.kind(b)) {
                    (x, y) if x == y => first_difference(self.a.source(a), self.b.source(b)).unwrap_or(0),
                    _ => 0,
                };
                mismatch.left = self.value(self.a, a, at, task.step);
                mismatch.right = self.value(self.b, b, at, task.step);
            }
            (a, b) => {
                let show = |tree: &Tree<'_>, node: Option<u32>| {
                    node.map_or_else(|| "(missing)".to_owned(), |node| self.value(tree, node, 0, task.step))
                };
                mismatch.left = show(self.a, a);
                mismatch.right = show(self.b, b);
            }
        }
        mismatch
    }

    /// A value's source around byte `at`, media as a summary.
    fn value(&self, tree: &Tree<'_>, node: u32, at: usize, step: u32) -> String {
        if let Some(media) = tree.media(node) {
            return media_summary(media);
        }
        let key = self.steps.own_key(step).unwrap_or_default();
        if tree.kind(node) == Kind::String && window::is_secret(key, &tree.text(node)) {
            return "[credential]".to_owned();
        }
        window::around(tree.source(node), at, Escape::Invisible)
    }

    fn length(&self, tree: &Tree<'_>, items: &[Link], equal: usize) -> String {
        let count = format!("{} {}", items.len(), if items.len() == 1 { "item" } else { "items" });
        match items.get(equal) {
            Some(item) => window::sealed(&format!("{count}, [{equal}]: {}", self.value(tree, item.node, 0, ROOT))),
            None => count,
        }
    }

    /// The values of a key that an object has several times.
    fn all_of(&self, tree: &Tree<'_>, object: u32, step: u32) -> String {
        const MOST_SHOWN: usize = 4;
        let key = self.steps.own_key(step).unwrap_or_default();
        let links = tree.members(object).iter().filter(|link| tree.key(**link) == key);
        let values: Vec<String> = links.take(MOST_SHOWN).map(|link| self.value(tree, link.node, 0, step)).collect();
        if values.is_empty() { "(missing)".to_owned() } else { window::sealed(&values.join(", ")) }
    }
}

/// Takes the members called `key` off the front of `links`.
fn take_key<'t>(tree: &Tree<'_>, links: &mut &'t [Link], key: &[u8]) -> &'t [Link] {
    let len = links.iter().take_while(|link| tree.key(**link) == key).count();
    let (taken, rest) = links.split_at(len);
    *links = rest;
    taken
}

pub(super) fn media_summary(original: &Original) -> String {
    window::summary(original.len, Some(original.media_type), original.sha256.as_ref())
}

/// Whether the place's `role` says more than that another text (or whatever `cause` is) stands there. A `response_format` that is a text
/// names a format (`b64_json`, `verbose_json`): only as an object it holds a schema.
pub(super) fn means(role: Cause, cause: Cause, keys: &[&[u8]]) -> bool {
    !(role == Cause::Tools && cause == Cause::Text && keys.last() == Some(&&b"response_format"[..]))
}

/// What the value under these keys, the outermost first, decides: the model, the stream flag, tools and schemas.
pub(super) fn role(keys: &[&[u8]]) -> Option<Cause> {
    const TOOLS: [&[u8]; 12] = [
        b"tools",
        b"tool_choice",
        b"functions",
        b"function_call",
        b"response_format",
        b"toolConfig",
        b"tool_config",
        b"responseSchema",
        b"response_schema",
        b"responseJsonSchema",
        b"json_schema",
        b"output_schema",
    ];
    // In a batch each line carries its request below `body` or `params`; Google's settings stand below `generationConfig`.
    const WRAPPERS: [&[u8]; 6] = [b"body", b"params", b"request", b"generationConfig", b"generation_config", b"config"];
    if let [b"text" | b"output_config", b"format", ..] = keys {
        return Some(Cause::Tools);
    }
    let keys = match keys {
        [first, rest @ ..] if WRAPPERS.contains(first) && !rest.is_empty() => rest,
        _ => keys,
    };
    let (first, last) = (*keys.first()?, *keys.last()?);
    if TOOLS.contains(&first) {
        return Some(Cause::Tools);
    }
    match last {
        b"model" | b"modelId" | b"model_id" => Some(Cause::Model),
        b"stream" if keys.len() == 1 => Some(Cause::Stream),
        _ => None,
    }
}
