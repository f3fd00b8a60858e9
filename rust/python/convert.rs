//! From Python and back: what every binding shares.

use std::borrow::Cow;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use crate::error::Error;
use crate::sink::Sink;

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

/// Bytes of a known length, written in place.
pub(super) fn written(py: Python<'_>, len: usize, write: impl FnOnce(&mut Slice<'_>)) -> PyResult<Bound<'_, PyBytes>> {
    PyBytes::new_with(py, len, |buffer| {
        write(&mut Slice(buffer));
        Ok(())
    })
}

/// A [`Sink`] over a buffer that is exactly long enough; what would not fit is a defect of the length, and is left out.
pub(super) struct Slice<'a>(&'a mut [u8]);

impl Sink for Slice<'_> {
    fn put(&mut self, bytes: &[u8]) {
        debug_assert!(bytes.len() <= self.0.len(), "the length announced is the length written");
        let len = bytes.len().min(self.0.len());
        let (here, rest) = std::mem::take(&mut self.0).split_at_mut(len);
        here.copy_from_slice(&bytes[..len]);
        self.0 = rest;
    }
}

/// A setting that the core cannot parse, as Python's `ValueError`.
pub(super) fn value_error(error: Error) -> PyErr {
    PyValueError::new_err(error.to_string())
}
