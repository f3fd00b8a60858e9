//! Headers as a cassette has them, and as vcrpy's requests keep them.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString, PyTuple};

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

fn lower<'py>(name: &Bound<'py, PyString>) -> PyResult<Bound<'py, PyAny>> {
    match name.to_str() {
        Ok(text) if text.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase()) => {
            Ok(name.clone().into_any())
        }
        // Python knows more letters than these.
        _ => name.call_method0("lower"),
    }
}
