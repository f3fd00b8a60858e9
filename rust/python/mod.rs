//! The only folder that names pyo3: arguments in, one core function, result out.

#![allow(clippy::needless_pass_by_value, reason = "pyo3 hands arguments over by value")]

mod convert;
mod yaml;

use pyo3::prelude::*;

/// The Rust core. Its docstrings stand in `_core.pyi`.
#[pymodule(gil_used = false)]
mod _core {
    use std::borrow::Cow;

    use pyo3::prelude::*;
    use pyo3::types::{PyBytes, PyDict};

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
    fn write_yaml<'py>(tree: &Bound<'py, PyDict>) -> Option<Bound<'py, PyBytes>> {
        super::yaml::dump(tree).map(|text| PyBytes::new(tree.py(), text.as_bytes()))
    }

    #[pyfunction]
    fn sha256_hex(body: &Bound<'_, PyBytes>) -> String {
        sink::hex(&detached(body, sink::sha256))
    }
    /// What a packed episode shares with others: the SHA-256 of each payload, and how it is stored.
    type Blobs<'py> = Vec<(String, Bound<'py, PyBytes>)>;

    type Bodies<'py> = (Bound<'py, PyBytes>, Option<Bound<'py, PyBytes>>, Option<Bound<'py, PyBytes>>);

    #[pyfunction]
    fn pack_episode<'py>(
        py: Python<'py>,
        head: &[u8],
        request: Option<&[u8]>,
        response: Option<&[u8]>,
    ) -> PyResult<(Bound<'py, PyBytes>, Blobs<'py>)> {
        let encoded = py.detach(|| compact::encode(head, request, response)).map_err(value_error)?;
        let blobs = encoded.blobs.iter().map(|one| (sink::hex(&one.digest), PyBytes::new(py, &one.stored))).collect();
        Ok((PyBytes::new(py, &encoded.episode), blobs))
    }

    #[pyfunction]
    fn episode_blobs(episode: &[u8]) -> PyResult<Vec<String>> {
        Ok(compact::blobs(episode).map_err(value_error)?.iter().map(|digest| sink::hex(digest)).collect())
    }

    #[pyfunction]
    fn unpack_episode<'py>(py: Python<'py>, episode: &[u8], blobs: Vec<Bound<'py, PyBytes>>) -> PyResult<Bodies<'py>> {
        let stored: Vec<&[u8]> = blobs.iter().map(PyBytesMethods::as_bytes).collect();
        let decoded = py.detach(|| compact::decode(episode, &stored)).map_err(value_error)?;
        let bytes = |body: Option<Vec<u8>>| body.map(|body| PyBytes::new(py, &body));
        Ok((PyBytes::new(py, &decoded.head), bytes(decoded.request), bytes(decoded.response)))
    }
}
