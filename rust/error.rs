//! The one error of the core: a kind, and the byte offset where it was noticed.

use std::fmt;

/// What was wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A `Content-Type` that cannot be parsed (RFC 9110, section 8.3).
    BadContentType,
    /// A multipart `Content-Type` without a usable `boundary` parameter (RFC 2046, section 5.1.1).
    BadBoundary,
    /// No delimiter line with the announced boundary stands in the body.
    NoDelimiter,
    /// The closing delimiter line is missing.
    NotClosed,
    /// The text is not valid JSON (RFC 8259, and `NaN`, `Infinity`, `-Infinity` as Python writes them).
    BadJson,
    /// The bytes are not valid UTF-8.
    NotUtf8,
    /// Arrays and objects are nested deeper than [`crate::json::MAX_DEPTH`].
    TooDeep,
    /// The body is larger than the core can index.
    TooLarge,
    /// A JSON path of a setting that cannot be parsed.
    BadPath,
    /// A regular expression of a setting that cannot be compiled.
    BadPattern,
    /// Bytes that are no episodes in compact form, or cut or altered ones.
    BadEpisode,
    /// Episodes in a later version of the compact form.
    NewerEpisode,
}

impl ErrorKind {
    /// What was wrong, in lower case and without the place.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BadContentType => "content type cannot be parsed",
            Self::BadBoundary => "no usable boundary in the multipart content type",
            Self::NoDelimiter => "no delimiter line with the announced boundary",
            Self::NotClosed => "no closing delimiter line",
            Self::BadJson => "not valid JSON",
            Self::NotUtf8 => "not valid UTF-8",
            Self::TooDeep => "nested too deeply",
            Self::TooLarge => "too large",
            Self::BadPath => "not a JSON path",
            Self::BadPattern => "not a valid pattern",
            Self::BadEpisode => "no episodes in compact form, or damaged ones",
            Self::NewerEpisode => "episodes in a later version of the compact form",
        }
    }
}

/// What was wrong, and at which byte of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Error {
    /// What was wrong.
    pub kind: ErrorKind,
    /// Bytes before the place where it was noticed.
    pub offset: usize,
}

impl Error {
    /// An error of `kind`, noticed after `offset` bytes.
    #[must_use]
    pub const fn new(kind: ErrorKind, offset: usize) -> Self {
        Self { kind, offset }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.kind.as_str(), self.offset)
    }
}

impl std::error::Error for Error {}
