//! The only folder that names pyo3: arguments in, one core function, result out.

#![allow(clippy::needless_pass_by_value, reason = "pyo3 hands arguments over by value")]

mod convert;
mod headers;
mod places;
mod yaml;

use pyo3::prelude::*;

/// The Rust core. Its docstrings stand in `_core.pyi`.
#[pymodule(gil_used = false)]
mod _core {
    use std::borrow::Cow;
    use std::path::PathBuf;

    use pyo3::prelude::*;
    use pyo3::types::{PyBytes, PyDict, PyList, PyString, PyTuple};

    use super::convert::{ContentType, changed, detached, joined, value_error};
    use crate::cassette::{compact, yaml};
    use crate::media::Shrink;
    use crate::{body, diff, fingerprint, json, multipart, secrets, sink, volatile};

    #[pymodule_export]
    const NO_KEY: &str = fingerprint::NO_KEY;
    #[pymodule_export]
    const CREDENTIAL_HEADERS: [&str; 8] = fingerprint::CREDENTIAL_HEADERS;
    #[pymodule_export]
    const FIXED_BOUNDARY: &str = multipart::FIXED_BOUNDARY;
    #[pymodule_export]
    const FORMAT: u32 = fingerprint::FORMAT;
    #[pymodule_export]
    const EPISODE_VERSION: u8 = compact::VERSION;
    #[pymodule_export]
    const DEBUG: bool = cfg!(debug_assertions);

    #[pyclass(frozen, module = "llm_vcr._core")]
    struct Rules(body::Rules);

    #[pymethods]
    impl Rules {
        #[new]
        #[pyo3(signature = (ignore = Vec::new(), mask = Vec::new()))]
        fn new(ignore: Vec<String>, mask: Vec<String>) -> PyResult<Self> {
            let ignore = json::PathSet::new(&ignore).map_err(value_error)?;
            let patterns = volatile::Patterns::new(&mask).map_err(value_error)?;
            Ok(Self(body::Rules { ignore, patterns }))
        }

        #[pyo3(signature = (body, content_type, *, mask_volatile))]
        fn canonical<'py>(
            &self,
            body: &Bound<'py, PyBytes>,
            content_type: ContentType,
            mask_volatile: bool,
        ) -> Bound<'py, PyBytes> {
            let text = detached(body, |bytes| body::canonical(bytes, content_type.get(), &self.0, mask_volatile).0);
            PyBytes::new(body.py(), &text)
        }

        #[pyo3(signature = (body, content_type, *, mask_volatile))]
        fn fingerprint(&self, body: &Bound<'_, PyBytes>, content_type: ContentType, mask_volatile: bool) -> String {
            sink::hex(&detached(body, |bytes| {
                fingerprint::fingerprint(bytes, content_type.get(), &self.0, mask_volatile)
            }))
        }

        fn shrink_request<'py>(
            &self,
            body: &Bound<'py, PyBytes>,
            content_type: ContentType,
            min_len: usize,
        ) -> Bound<'py, PyBytes> {
            changed(body, |bytes| fingerprint::shrink_request(bytes, content_type.get(), &self.0, min_len))
        }

        fn explain(
            &self,
            left: &Bound<'_, PyBytes>,
            left_type: ContentType,
            right: &Bound<'_, PyBytes>,
            right_type: ContentType,
        ) -> Mismatch {
            Mismatch(diff::explain_with(left.as_bytes(), left_type.get(), right.as_bytes(), right_type.get(), &self.0))
        }

        fn __deepcopy__<'py>(slf: Bound<'py, Self>, _memo: &Bound<'py, PyAny>) -> Bound<'py, Self> {
            slf
        }
    }

    #[pyclass(frozen, module = "llm_vcr._core")]
    struct Mismatch(diff::Mismatch);

    #[pymethods]
    impl Mismatch {
        #[getter]
        fn cause(&self) -> &'static str {
            self.0.cause.as_str()
        }

        #[getter]
        fn path(&self) -> Option<&str> {
            self.0.path.as_deref()
        }

        #[getter]
        fn offset(&self) -> Option<usize> {
            self.0.offset
        }

        #[getter]
        fn left(&self) -> &str {
            &self.0.left
        }

        #[getter]
        fn right(&self) -> &str {
            &self.0.right
        }

        #[getter]
        fn fix(&self) -> String {
            self.0.fix()
        }

        fn __str__(&self) -> String {
            self.0.to_string()
        }

        fn __repr__(&self) -> String {
            format!("<Mismatch {} at {}>", self.0.cause.as_str(), self.0.path.as_deref().unwrap_or("the body"))
        }
    }

    #[pyfunction]
    fn rewrite_multipart<'py>(
        body: Bound<'py, PyBytes>,
        content_type: &str,
    ) -> PyResult<(Bound<'py, PyAny>, String, Option<String>)> {
        match detached(&body, |bytes| multipart::rewrite(bytes, content_type)) {
            Err(error) => Ok((body.into_any(), content_type.to_owned(), Some(error.to_string()))),
            Ok(rewrite) if rewrite.is_unchanged() => Ok((body.into_any(), content_type.to_owned(), None)),
            Ok(rewrite) => {
                let out = joined(&body, rewrite.pieces().iter().map(|piece| (piece.bytes(), piece.offset())))?;
                Ok((out, rewrite.content_type.into_owned(), None))
            }
        }
    }

    #[pyfunction]
    #[pyo3(signature = (body, content_type, min_len, *, digest))]
    fn shrink<'py>(
        body: &Bound<'py, PyBytes>,
        content_type: ContentType,
        min_len: usize,
        digest: bool,
    ) -> Bound<'py, PyBytes> {
        changed(body, |bytes| body::shrink(bytes, content_type.get(), Shrink { min_len, digest }))
    }

    #[pyfunction]
    fn first_difference(left: &[u8], right: &[u8]) -> Option<usize> {
        diff::first_difference(left, right)
    }

    #[pyfunction]
    fn members<'py>(body: &Bound<'py, PyBytes>, names: Vec<String>) -> Option<Vec<Option<Bound<'py, PyBytes>>>> {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let found = detached(body, |bytes| json::members(bytes, &names)).ok()??;
        Some(found.into_iter().map(|text| text.map(|text| PyBytes::new(body.py(), text))).collect())
    }

    #[pyfunction]
    fn mask<'py>(body: &Bound<'py, PyBytes>) -> Bound<'py, PyBytes> {
        changed(body, |bytes| volatile::mask(bytes, &volatile::Patterns::none()))
    }

    #[pyfunction]
    fn key_fingerprint(headers: Vec<(String, String)>, query: &str) -> String {
        fingerprint::key_fingerprint(headers.iter().map(|(name, value)| (name.as_str(), value.as_str())), query)
    }

    #[pyfunction]
    fn redact<'py>(body: &Bound<'py, PyBytes>) -> Bound<'py, PyBytes> {
        changed(body, secrets::redact)
    }

    #[pyfunction]
    fn redact_keys<'py>(body: &Bound<'py, PyBytes>) -> Bound<'py, PyBytes> {
        changed(body, secrets::redact_keys)
    }

    #[pyfunction]
    fn header_store<'py>(headers: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyDict>>> {
        super::headers::store(headers)
    }

    #[pyfunction]
    fn raw_header_store<'py>(raw: &Bound<'py, PyList>) -> PyResult<Option<Bound<'py, PyDict>>> {
        super::headers::raw_store(raw)
    }

    #[pyfunction]
    fn first_header<'py>(headers: &Bound<'py, PyDict>, name: &str) -> PyResult<Option<Bound<'py, PyString>>> {
        super::headers::first(headers, name)
    }

    #[pyfunction]
    fn stand(owners: &Bound<'_, PyTuple>, names: &Bound<'_, PyTuple>, values: &Bound<'_, PyTuple>) -> PyResult<bool> {
        super::places::stand(owners, names, values)
    }

    #[pyfunction]
    fn redact_uri(uri: &str) -> Cow<'_, str> {
        secrets::redact_uri(uri)
    }

    #[pyfunction]
    fn scan(body: &Bound<'_, PyBytes>) -> Vec<(&'static str, usize, usize)> {
        detached(body, secrets::scan).into_iter().map(|found| (found.kind, found.start, found.end)).collect()
    }

    #[pyfunction]
    fn is_secret_header(name: &str) -> bool {
        secrets::is_secret_header(name)
    }

    #[pyfunction]
    fn is_incidental_header(name: &str) -> bool {
        secrets::is_incidental_header(name)
    }

    #[pyfunction]
    fn read_yaml<'py>(data: &Bound<'py, PyBytes>, resolve: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
        match detached(data, yaml::read) {
            Some(events) => super::yaml::build(data.py(), events, resolve),
            None => Ok(None),
        }
    }

    #[pyfunction]
    fn read_yaml_file<'py>(path: PathBuf, resolve: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
        super::yaml::from_file(resolve, &path)
    }

    #[pyfunction]
    fn write_yaml<'py>(tree: &Bound<'py, PyDict>) -> Option<Bound<'py, PyBytes>> {
        super::yaml::dump(tree).map(|text| PyBytes::new(tree.py(), text.as_bytes()))
    }

    #[pyfunction]
    #[pyo3(signature = (tree, path, *, sync))]
    fn write_yaml_file(tree: &Bound<'_, PyDict>, path: PathBuf, sync: bool) -> PyResult<bool> {
        super::yaml::dump_to(tree, &path, sync)
    }

    #[pyfunction]
    fn sha256_hex(body: &Bound<'_, PyBytes>) -> String {
        sink::hex(&detached(body, sink::sha256))
    }
    type Bodies<'py> = (Bound<'py, PyBytes>, Option<Bound<'py, PyBytes>>, Option<Bound<'py, PyBytes>>);

    /// What a pack shares with others: the SHA-256 of each payload, and how it is stored.
    type Blobs<'py> = Vec<(String, Bound<'py, PyBytes>)>;

    #[derive(IntoPyObject)]
    enum Unpacked<'py> {
        Whole(Bodies<'py>),
        Lacking(String),
    }

    #[pyfunction]
    fn pack_episodes<'py>(py: Python<'py>, episodes: Vec<Bodies<'py>>) -> PyResult<(Bound<'py, PyBytes>, Blobs<'py>)> {
        let given: Vec<_> = episodes
            .iter()
            .map(|(head, request, response)| compact::Episode {
                head: head.as_bytes(),
                request: request.as_ref().map(PyBytesMethods::as_bytes),
                response: response.as_ref().map(PyBytesMethods::as_bytes),
            })
            .collect();
        let encoded = py.detach(|| compact::encode(&given)).map_err(value_error)?;
        let blobs = encoded.blobs.iter().map(|one| (sink::hex(&one.digest), PyBytes::new(py, &one.stored))).collect();
        Ok((PyBytes::new(py, &encoded.pack), blobs))
    }

    #[pyfunction]
    fn pack_blobs(pack: &[u8]) -> PyResult<Vec<String>> {
        Ok(compact::blobs(pack).map_err(value_error)?.iter().map(|digest| sink::hex(digest)).collect())
    }

    #[pyfunction]
    fn unpack_episodes<'py>(
        py: Python<'py>,
        pack: &[u8],
        blobs: Vec<Option<Bound<'py, PyBytes>>>,
    ) -> PyResult<Vec<Unpacked<'py>>> {
        let stored: Vec<Option<&[u8]>> = blobs.iter().map(|one| one.as_ref().map(PyBytesMethods::as_bytes)).collect();
        let opened = py.detach(|| compact::open(pack, &stored)).map_err(value_error)?;
        let bytes = |body: &compact::Body<'_>| match body.whole() {
            Some(bytes) => Ok(PyBytes::new(py, bytes)),
            None => PyBytes::new_with(py, body.len(), |out| {
                body.write_to(out);
                Ok(())
            }),
        };
        let unpacked = |one: Result<compact::Decoded<'_>, &[u8; 32]>| match one {
            Ok(one) => Ok(Unpacked::Whole((
                PyBytes::new(py, one.head),
                one.request.as_ref().map(bytes).transpose()?,
                one.response.as_ref().map(bytes).transpose()?,
            ))),
            Err(digest) => Ok(Unpacked::Lacking(sink::hex(digest))),
        };
        opened.episodes().map_err(value_error)?.into_iter().map(unpacked).collect()
    }
}
