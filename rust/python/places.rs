//! What stands in namespaces: whether many attributes of modules and classes are what they were.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple, PyType};

/// Whether each of `owners` has the very object of `values` under its name: a namespace in itself, a class with its bases.
pub(super) fn stand(
    owners: &Bound<'_, PyTuple>,
    names: &Bound<'_, PyTuple>,
    values: &Bound<'_, PyTuple>,
) -> PyResult<bool> {
    for ((owner, name), value) in owners.iter_borrowed().zip(names.iter_borrowed()).zip(values.iter_borrowed()) {
        let found = if let Ok(namespace) = owner.cast_exact::<PyDict>() {
            namespace.get_item(name)?
        } else if owner.is_instance_of::<PyType>() {
            owner.getattr(name.cast::<PyString>()?).ok()
        } else {
            owner.get_item(name).ok()
        };
        if !found.is_some_and(|found| found.is(value)) {
            return Ok(false);
        }
    }
    Ok(true)
}
