//! JSON without Python objects or a DOM: a [pull parser](reader) with byte offsets, [paths](path) a user writes in a setting, and the
//! [canonical form](canon) two bodies are compared in.

pub mod canon;
pub mod path;
pub mod reader;

pub use canon::canonicalize;
pub use path::{Path, PathSet};
pub use reader::{Escapes, Event, Reader, Token};

/// Arrays and objects may be nested this deep; a body nested deeper is [`crate::error::ErrorKind::TooDeep`].
///
/// Real request bodies stay below 30; Python's own `json` gives up near 1,000.
pub const MAX_DEPTH: usize = 512;
