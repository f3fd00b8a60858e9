//! JSON without Python objects or a DOM: a [pull parser](reader) with byte offsets, [strings](string), [paths](path) a user writes in a setting, and the
//! [canonical form](canon) two bodies are compared in.

pub mod canon;
mod index;
mod members;
pub mod path;
pub mod reader;
pub mod string;
mod tape;

pub use canon::canonicalize;
pub use members::members;
pub use path::{Path, PathSet};
pub use reader::{Event, Reader, Token};
pub use string::{Escapes, decode};

/// Arrays and objects may be nested this deep; a body nested deeper is [`crate::error::ErrorKind::TooDeep`].
///
/// Real request bodies stay below 30; Python's own `json` gives up near 1,000.
pub const MAX_DEPTH: usize = 512;
