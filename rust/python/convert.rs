//! From Python and back: what every binding shares.

use std::borrow::Cow;
use std::ops::Range;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyMemoryView, PySlice, PyString};

use crate::error::Error;

/// From this many bytes on other threads may run meanwhile. Detaching costs 40 ns; below, the work itself costs little more.
const DETACH: usize = 64 * 1024;

/// A `Content-Type` as clients hand it over: `str`, `bytes` (Latin-1 in effect: RFC 9110, section 5.5), or `None`.
pub(super) struct ContentType(Option<String>);

impl ContentType {
    pub(super) fn get(&self) -> Option<&str> {
        self.0.as_deref()
    }
}

impl<'py> FromPyObject<'_, 'py> for ContentType {
    type Error = PyErr;

    fn extract(value: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        if value.is_none() {
            return Ok(Self(None));
        }
        if let Ok(bytes) = value.cast::<PyBytes>() {
            return Ok(Self(Some(bytes.as_bytes().iter().copied().map(char::from).collect())));
        }
        Ok(Self(Some(value.cast::<PyString>()?.to_cow()?.into_owned())))
    }
}

/// Runs `work` on the bytes of `body`, detached from the interpreter where that pays.
pub(super) fn detached<'a, T: Send>(body: &'a Bound<'_, PyBytes>, work: impl FnOnce(&'a [u8]) -> T + Send) -> T {
    let bytes = body.as_bytes();
    if bytes.len() < DETACH { work(bytes) } else { body.py().detach(|| work(bytes)) }
}

/// What `work` makes of `body`: the very same object where that is nothing new.
pub(super) fn changed<'py>(
    body: &Bound<'py, PyBytes>,
    work: impl for<'a> FnOnce(&'a [u8]) -> Cow<'a, [u8]> + Send,
) -> Bound<'py, PyBytes> {
    match detached(body, work) {
        Cow::Borrowed(_) => body.clone(),
        Cow::Owned(bytes) => PyBytes::new(body.py(), &bytes),
    }
}

/// The bytes of `pieces`, put together; a long one that stands at `offset` in `body` is copied once, straight from there.
///
/// `bytes.join` is the only safe way to new bytes that does not clear them first: of 10 MB, that takes as long as the copy.
pub(super) fn joined<'a, 'py>(
    body: &Bound<'py, PyBytes>,
    pieces: impl Iterator<Item = (&'a [u8], Option<usize>)>,
) -> PyResult<Bound<'py, PyAny>> {
    const LONG: usize = 4096;
    let py = body.py();
    let parts = PyList::empty(py);
    let mut short = Vec::new();
    for (bytes, offset) in pieces {
        match offset {
            Some(offset) if bytes.len() >= LONG => {
                parts.append(PyBytes::new(py, &short))?;
                short.clear();
                parts.append(part(body, offset..offset + bytes.len())?)?;
            }
            _ => short.extend_from_slice(bytes),
        }
    }
    parts.append(PyBytes::new(py, &short))?;
    PyBytes::new(py, b"").call_method1("join", (parts,))
}

/// A view of some of the bytes of `body`.
pub(super) fn part<'py>(body: &Bound<'py, PyBytes>, range: Range<usize>) -> PyResult<Bound<'py, PyAny>> {
    let slice = PySlice::new(body.py(), isize::try_from(range.start)?, isize::try_from(range.end)?, 1);
    PyMemoryView::from(body)?.as_any().get_item(slice)
}

/// A setting that the core cannot parse, as Python's `ValueError`.
pub(super) fn value_error(error: Error) -> PyErr {
    PyValueError::new_err(error.to_string())
}
