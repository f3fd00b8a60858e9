//! The events of a cassette file as Python objects, each built once and as what vcrpy makes of it.

use std::cell::Cell;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::vec::IntoIter;

use pyo3::exceptions::PyOSError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyInt, PyList, PyString, PyTuple};

use crate::cassette::yaml::{Event, read, write};

/// So much of a buffer is kept from one file to the next.
const KEPT: usize = 16 << 20;

thread_local! {
    /// New memory for each file of megabytes would come from the kernel page by page, which takes longer than reading it.
    static FILE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// The document in a file, or `None` where it cannot be read, or holds anything that [`read`] does not know.
pub(super) fn from_file<'py>(resolve: &Bound<'py, PyAny>, path: &Path) -> PyResult<Option<Bound<'py, PyAny>>> {
    let py = resolve.py();
    let mut data = FILE.take();
    data.clear();
    let events = py.detach(|| {
        File::open(path).and_then(|mut file| file.read_to_end(&mut data)).ok()?;
        read(&data)
    });
    let document = events.map_or(Ok(None), |events| build(py, events, resolve));
    if data.capacity() <= KEPT {
        FILE.set(data);
    }
    document
}

/// Where in a cassette a node stands: bodies are bytes, everything else is what the YAML says.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    Root,
    Interactions,
    Interaction,
    Request,
    Response,
    ResponseBody,
    Body,
    Other,
}

impl Place {
    fn under(self, key: &str) -> Self {
        match (self, key) {
            (Self::Root, "interactions") => Self::Interactions,
            (Self::Interaction, "request") => Self::Request,
            (Self::Interaction, "response") => Self::Response,
            (Self::Response, "body") => Self::ResponseBody,
            (Self::Request, "body") | (Self::ResponseBody, "string") => Self::Body,
            _ => Self::Other,
        }
    }
}

/// Builds the document, or `None` where an alias stands in another kind of place than what it points to.
///
/// `resolve` is asked what a plain scalar is that may be a number, a date or text.
pub(super) fn build<'py>(
    py: Python<'py>,
    events: Vec<Event<'_>>,
    resolve: &Bound<'py, PyAny>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let mut builder = Builder { py, events: events.into_iter(), resolve, anchors: HashMap::new() };
    builder.node(Place::Root)
}

/// A key as Python text: the same few names again and again, and those of headers.
fn known<'py>(py: Python<'py>, name: &str) -> Bound<'py, PyString> {
    let known = match name {
        "request" => intern!(py, "request"),
        "response" => intern!(py, "response"),
        "method" => intern!(py, "method"),
        "uri" => intern!(py, "uri"),
        "headers" => intern!(py, "headers"),
        "body" => intern!(py, "body"),
        "string" => intern!(py, "string"),
        "status" => intern!(py, "status"),
        "code" => intern!(py, "code"),
        "message" => intern!(py, "message"),
        _ => return PyString::new(py, name),
    };
    known.clone()
}

struct Builder<'py, 'a, 'b> {
    py: Python<'py>,
    events: IntoIter<Event<'a>>,
    resolve: &'b Bound<'py, PyAny>,
    /// By number; one inside another is complete before it.
    anchors: HashMap<usize, (Place, Bound<'py, PyAny>)>,
}

impl<'py> Builder<'py, '_, '_> {
    fn node(&mut self, place: Place) -> PyResult<Option<Bound<'py, PyAny>>> {
        let Some(event) = self.events.next() else { return Ok(None) };
        let py = self.py;
        Ok(Some(match event {
            Event::Map(entries) => return self.mapping(place, entries),
            Event::Seq(items) => return self.sequence(place, items),
            Event::Null => py.None().into_bound(py),
            Event::Bool(value) => PyBool::new(py, value).to_owned().into_any(),
            Event::Int(value) => PyInt::new(py, value).into_any(),
            Event::Str(text) if place == Place::Body => PyBytes::new(py, text.as_bytes()).into_any(),
            Event::Str(text) => PyString::new(py, &text).into_any(),
            Event::Plain(text) => {
                let value = self.resolve.call1((&*text,))?;
                if place == Place::Body && value.is_instance_of::<PyString>() {
                    PyBytes::new(py, text.as_bytes()).into_any()
                } else {
                    value
                }
            }
            Event::Binary(digits) => {
                let Some(len) = digits.decoded_len() else { return Ok(None) };
                let mut good = None;
                let bytes = PyBytes::new_with(py, len, |out| {
                    good = digits.decode(out);
                    Ok(())
                })?;
                if good.is_none() {
                    return Ok(None);
                }
                bytes.into_any()
            }
            Event::Anchor(number) => {
                let node = self.node(place)?;
                if let Some(node) = &node {
                    self.anchors.insert(number, (place, node.clone()));
                }
                return Ok(node);
            }
            Event::Alias(number) => match self.anchors.get(&number) {
                Some((there, node)) if *there == place => node.clone(),
                _ => return Ok(None),
            },
        }))
    }

    fn mapping(&mut self, place: Place, entries: usize) -> PyResult<Option<Bound<'py, PyAny>>> {
        let dict = PyDict::new(self.py);
        for _ in 0..entries {
            let Some(event) = self.events.next() else { return Ok(None) };
            let (key, under) = match &event {
                Event::Str(name) => (known(self.py, name).into_any(), place.under(name)),
                Event::Int(number) => (PyInt::new(self.py, *number).into_any(), Place::Other),
                _ => return Ok(None),
            };
            let Some(value) = self.node(under)? else { return Ok(None) };
            dict.set_item(key, value)?;
        }
        Ok(Some(dict.into_any()))
    }

    fn sequence(&mut self, place: Place, items: usize) -> PyResult<Option<Bound<'py, PyAny>>> {
        let inside = if place == Place::Interactions { Place::Interaction } else { Place::Other };
        let list = PyList::empty(self.py);
        for _ in 0..items {
            let Some(item) = self.node(inside)? else { return Ok(None) };
            list.append(item)?;
        }
        Ok(Some(list.into_any()))
    }
}

/// The document that `tree` is; `None` where it holds anything else than text, bytes, whole numbers, truth values, `None`, and dicts, lists
/// and tuples of these.
pub(super) fn dump(tree: &Bound<'_, PyDict>) -> Option<String> {
    let mut out = Out { text: String::new(), file: None, failed: None };
    document(&mut out, tree)?;
    Some(out.text)
}

/// Writes that document into a new file, and onto the disk if `sync` says so; `false` for a tree that is left to others.
pub(super) fn dump_to(tree: &Bound<'_, PyDict>, path: &Path, sync: bool) -> PyResult<bool> {
    let mut out = Out { text: TEXT.take(), file: Some(File::create_new(path).map_err(os_error)?), failed: None };
    out.text.clear();
    let known = document(&mut out, tree).is_some();
    if known {
        out.flush();
    }
    if out.text.capacity() <= 2 * PIECE {
        TEXT.set(out.text);
    }
    match (out.failed, out.file) {
        (Some(error), _) => return Err(os_error(error)),
        (None, Some(file)) if known && sync => tree.py().detach(|| file.sync_all()).map_err(os_error)?,
        _ => {}
    }
    Ok(known)
}

fn document(out: &mut Out, tree: &Bound<'_, PyDict>) -> Option<()> {
    mapping(out, tree, Place::Root, 0, true)?;
    out.text.push('\n');
    Some(())
}

/// As Python has it, with the number by which it tells what kind of error it is.
fn os_error(error: io::Error) -> PyErr {
    match error.raw_os_error() {
        Some(number) => PyOSError::new_err((number, error.to_string())),
        None => error.into(),
    }
}

/// A document on its way. Into a file, long passages of bodies that stand in it as they are go straight: most of a cassette is that, and
/// copying it would cost more than all the rest.
struct Out {
    /// What is still to be written; all of it, where there is no file.
    text: String,
    file: Option<File>,
    failed: Option<io::Error>,
}

/// Shorter passages are copied: a call of the system, and what the file system does for it, takes as long.
const LONG: usize = 1 << 15;

/// Text is written when it is so long: memory that was used a moment ago costs nothing, fresh memory as much as filling it.
const PIECE: usize = 1 << 16;

thread_local! {
    static TEXT: Cell<String> = const { Cell::new(String::new()) };
}

impl Out {
    fn body(&mut self, value: &str, indent: usize) {
        let Self { text, file, failed } = self;
        write::text_around(text, value, indent, &mut |text, range| {
            let long = file.is_some() && range.len() >= LONG;
            if !long {
                text.push_str(&value[range.clone()]);
            }
            if long || text.len() >= PIECE {
                write_out(text, file, failed);
            }
            if long {
                write_to(&value.as_bytes()[range], file, failed);
            }
        });
    }

    fn flush(&mut self) {
        write_out(&mut self.text, &mut self.file, &mut self.failed);
    }
}

fn write_out(text: &mut String, file: &mut Option<File>, failed: &mut Option<io::Error>) {
    if file.is_some() {
        write_to(text.as_bytes(), file, failed);
        text.clear();
    }
}

fn write_to(bytes: &[u8], file: &mut Option<File>, failed: &mut Option<io::Error>) {
    if let (Some(file), None) = (file, &failed) {
        *failed = file.write_all(bytes).err();
    }
}

/// How deep the trees go that are written here; deeper ones would have to be made on purpose.
const MAX_INDENT: usize = 100;

fn value(out: &mut Out, value: &Bound<'_, PyAny>, place: Place, indent: usize) -> Option<()> {
    if indent > MAX_INDENT {
        return None;
    }
    if let Ok(text) = value.cast::<PyString>() {
        out.text.push(' ');
        write::text(&mut out.text, text.to_str().ok()?, indent);
    } else if let Ok(bytes) = value.cast::<PyBytes>() {
        out.text.push(' ');
        match simdutf8::basic::from_utf8(bytes.as_bytes()) {
            Ok(text) if place == Place::Body => out.body(text, indent),
            _ => write::binary(&mut out.text, bytes.as_bytes(), indent),
        }
    } else if value.is_none() {
        out.text.push_str(" null");
    } else if let Ok(truth) = value.cast_exact::<PyBool>() {
        out.text.push_str(if truth.is_true() { " true" } else { " false" });
    } else if value.is_exact_instance_of::<PyInt>() {
        write!(out.text, " {}", value.extract::<i64>().ok()?).ok()?;
    } else if let Ok(dict) = value.cast::<PyDict>() {
        if dict.is_empty() {
            out.text.push_str(" {}");
        } else {
            mapping(out, dict, place, indent + 2, false)?;
        }
    } else if let Ok(list) = value.cast::<PyList>() {
        items(out, list.iter(), list.len(), place, indent)?;
    } else if let Ok(list) = value.cast::<PyTuple>() {
        items(out, list.iter(), list.len(), place, indent)?;
    } else {
        return None;
    }
    Some(())
}

/// A mapping at `indent`; its first key stands where the line is now, if it is `inline`.
fn mapping(out: &mut Out, dict: &Bound<'_, PyDict>, place: Place, indent: usize, inline: bool) -> Option<()> {
    for (number, (key, entry)) in dict.iter().enumerate() {
        if number > 0 || !inline {
            write::next_line(&mut out.text, indent);
        }
        let key = key.cast::<PyString>().ok()?;
        let key = key.to_str().ok()?;
        write::key(&mut out.text, key).then_some(())?;
        value(out, &entry, place.under(key), indent)?;
    }
    Some(())
}

/// The items of a list in the column of its key.
fn items<'py>(
    out: &mut Out,
    list: impl Iterator<Item = Bound<'py, PyAny>>,
    len: usize,
    place: Place,
    indent: usize,
) -> Option<()> {
    let inside = if place == Place::Interactions { Place::Interaction } else { Place::Other };
    if len == 0 {
        out.text.push_str(" []");
    }
    for item in list {
        write::next_line(&mut out.text, indent);
        out.text.push('-');
        match item.cast::<PyDict>() {
            Ok(dict) if !dict.is_empty() => {
                out.text.push(' ');
                mapping(out, dict, inside, indent + 2, true)?;
            }
            // A list within a list has no place in a cassette.
            _ if item.is_instance_of::<PyList>() || item.is_instance_of::<PyTuple>() => return None,
            _ => value(out, &item, inside, indent)?,
        }
    }
    Some(())
}
