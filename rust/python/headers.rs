//! Headers as a cassette has them, as clients keep them, and as vcrpy's requests do.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyString, PyTuple};

/// By name in lower case the name as written and its value; `None` unless each of different names has one value, in a list.
pub(super) fn store<'py>(headers: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyDict>>> {
    let Ok(headers) = headers.cast_exact::<PyDict>() else { return Ok(None) };
    let store = PyDict::new(headers.py());
    for (name, values) in headers {
        let (Ok(name), Ok(values)) = (name.cast_exact::<PyString>(), values.cast_exact::<PyList>()) else {
            return Ok(None);
        };
        if values.len() != 1 {
            return Ok(None);
        }
        let pair = PyTuple::new(store.py(), [name.as_any(), &values.get_item(0)?])?;
        store.set_item(lower(name)?, pair)?;
    }
    Ok((store.len() == headers.len()).then_some(store))
}

/// The same of a client's pairs of bytes, with the name in lower case as written; `None` unless all is ASCII and each name is another one.
pub(super) fn raw_store<'py>(raw: &Bound<'py, PyList>) -> PyResult<Option<Bound<'py, PyDict>>> {
    let py = raw.py();
    let store = PyDict::new(py);
    for pair in raw {
        let Ok(pair) = pair.cast_exact::<PyTuple>() else { return Ok(None) };
        let (Ok(name), Ok(value)) = (pair.get_borrowed_item(0), pair.get_borrowed_item(1)) else { return Ok(None) };
        let (Some(name), Some(value)) = (ascii(&name), ascii(&value)) else { return Ok(None) };
        let name = if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
            PyString::new(py, &name.to_ascii_lowercase())
        } else {
            PyString::new(py, name)
        };
        let pair = PyTuple::new(py, [&name, &PyString::new(py, value)])?;
        store.set_item(name, pair)?;
    }
    Ok((store.len() == raw.len()).then_some(store))
}

fn ascii<'a>(value: &'a Bound<'_, PyAny>) -> Option<&'a str> {
    str::from_utf8(value.cast_exact::<PyBytes>().ok()?.as_bytes()).ok().filter(|text| text.is_ascii())
}

/// The first value of the header called `name`, which is in lower case, as text; `None` where there is no such header.
pub(super) fn first<'py>(headers: &Bound<'py, PyDict>, name: &str) -> PyResult<Option<Bound<'py, PyString>>> {
    for (key, value) in headers {
        let key = text(&key)?;
        let is_it = match key.to_str() {
            Ok(key) if key.is_ascii() => key.eq_ignore_ascii_case(name),
            _ => lower(&key)?.extract::<String>().is_ok_and(|key| key == name),
        };
        if is_it {
            return Ok(Some(match value.cast::<PyList>() {
                Ok(values) if !values.is_empty() => text(&values.get_item(0)?)?,
                _ => match value.cast::<PyTuple>() {
                    Ok(values) if !values.is_empty() => text(&values.get_item(0)?)?,
                    _ => text(&value)?,
                },
            }));
        }
    }
    Ok(None)
}

/// A name or a value as text (RFC 9110, section 5.5: bytes are Latin-1).
fn text<'py>(value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyString>> {
    match (value.cast_exact::<PyString>(), value.cast::<PyBytes>()) {
        (Ok(text), _) => Ok(text.clone()),
        (_, Ok(bytes)) => {
            Ok(PyString::new(value.py(), &bytes.as_bytes().iter().copied().map(char::from).collect::<String>()))
        }
        _ => value.str(),
    }
}

fn lower<'py>(name: &Bound<'py, PyString>) -> PyResult<Bound<'py, PyAny>> {
    match name.to_str() {
        Ok(text) if text.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase()) => {
            Ok(name.clone().into_any())
        }
        // Python knows more letters than these.
        _ => name.call_method0("lower"),
    }
}
