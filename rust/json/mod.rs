//! JSON without Python objects or a DOM.
