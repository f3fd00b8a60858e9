//! The events of a cassette file as Python objects, each built once and as what vcrpy makes of it.

use std::collections::HashMap;
use std::vec::IntoIter;

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyInt, PyList, PyString};

use crate::cassette::yaml::Event;

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
            Event::Binary(bytes) => PyBytes::new(py, &bytes).into_any(),
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
                // The same few names again and again.
                Event::Str(name) => (PyString::intern(self.py, name).into_any(), place.under(name)),
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
