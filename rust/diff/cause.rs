//! Why two requests differ: a closed list of words, each with the sentence that mends it.

/// Why an incoming request does not equal a recorded one.
///
/// `as_str` gives the word that reports, tests and settings use. The variants are ordered as a reader would ask: is there a difference that
/// counts at all, was it only a volatile token, was the body there, what was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Cause {
    /// No difference: the bytes are the same.
    Same,
    /// JSON that differs in white space, key order, the spelling of escapes or by shrunk media only, which never counts.
    Formatting,
    /// JSON that differs only where `llm_vcr_ignore` says that it does not count.
    Ignored,
    /// Multipart bodies that differ in their boundary only, which never counts.
    Boundary,
    /// A UUID stands where another one stood.
    Uuid,
    /// An ISO-8601 / RFC 3339 time stands where another one stood.
    Time,
    /// A unix epoch (seconds to microseconds, or a float) stands where another one stood.
    Epoch,
    /// A token that one of the user's own patterns in `llm_vcr_mask` covers.
    Masked,
    /// The name of a temporary file or folder.
    TempPath,
    /// One of the bodies, or an uploaded part, is empty and the other is not.
    EmptyBody,
    /// A body of a type that cannot be read; reported by the caller.
    UnsupportedBody,
    /// Another API key, in a header or, once redacted, in the body.
    Credential,
    /// Another method; reported by the caller.
    Method,
    /// Another scheme, host, port, path or query; reported by the caller.
    Url,
    /// Another media type, or other parameters of it.
    ContentType,
    /// One of the bodies is JSON and the other is not.
    NotJson,
    /// A body nested deeper than is read: it equals nothing but itself.
    TooDeep,
    /// A body announced as multipart that is not well formed.
    BadMultipart,
    /// Another model.
    Model,
    /// The `stream` flag.
    Stream,
    /// Another tool, function or response schema.
    Tools,
    /// A string where a number stood, or any two values of different kinds.
    Type,
    /// `null` on one side, no such key on the other.
    NullOrMissing,
    /// A key (or form field) that the recording does not have.
    AddedKey,
    /// A key (or form field) that only the recording has.
    RemovedKey,
    /// A key that occurs more than once in an object, and not alike on both sides.
    DuplicateKey,
    /// An array with more or fewer elements.
    ArrayLength,
    /// The same elements in another order.
    ArrayOrder,
    /// Another number, or the same one written differently (`1` and `1.0`).
    Number,
    /// `true` and `false`.
    Boolean,
    /// The same letters, composed differently (NFC and NFD).
    Unicode,
    /// The same lines, ended differently (CRLF and LF).
    LineEnding,
    /// Other text.
    Text,
    /// Another image, sound, video or document in the same place.
    Media,
    /// Other bytes in the same place that are neither text nor known media.
    Binary,
    /// More or fewer parts in a multipart body.
    PartCount,
    /// The same parts, or the same files in them, in another order.
    PartOrder,
    /// A part with another `filename`.
    FileName,
    /// A part with other headers.
    PartHeader,
    /// Multipart text around the parts: preamble, epilogue, line ends.
    Framing,
}

impl Cause {
    /// Every cause, in the order of the enum.
    pub const ALL: [Self; 40] = [
        Self::Same,
        Self::Formatting,
        Self::Ignored,
        Self::Boundary,
        Self::Uuid,
        Self::Time,
        Self::Epoch,
        Self::Masked,
        Self::TempPath,
        Self::EmptyBody,
        Self::UnsupportedBody,
        Self::Credential,
        Self::Method,
        Self::Url,
        Self::ContentType,
        Self::NotJson,
        Self::TooDeep,
        Self::BadMultipart,
        Self::Model,
        Self::Stream,
        Self::Tools,
        Self::Type,
        Self::NullOrMissing,
        Self::AddedKey,
        Self::RemovedKey,
        Self::DuplicateKey,
        Self::ArrayLength,
        Self::ArrayOrder,
        Self::Number,
        Self::Boolean,
        Self::Unicode,
        Self::LineEnding,
        Self::Text,
        Self::Media,
        Self::Binary,
        Self::PartCount,
        Self::PartOrder,
        Self::FileName,
        Self::PartHeader,
        Self::Framing,
    ];

    /// The word for the cause, in lower case with hyphens.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Formatting => "formatting",
            Self::Ignored => "ignored",
            Self::Boundary => "boundary",
            Self::Uuid => "uuid",
            Self::Time => "time",
            Self::Epoch => "epoch",
            Self::Masked => "masked",
            Self::TempPath => "temp-path",
            Self::EmptyBody => "empty-body",
            Self::UnsupportedBody => "unsupported-body",
            Self::Credential => "credential",
            Self::Method => "method",
            Self::Url => "url",
            Self::ContentType => "content-type",
            Self::NotJson => "not-json",
            Self::TooDeep => "too-deep",
            Self::BadMultipart => "bad-multipart",
            Self::Model => "model",
            Self::Stream => "stream",
            Self::Tools => "tools",
            Self::Type => "type",
            Self::NullOrMissing => "null-or-missing",
            Self::AddedKey => "added-key",
            Self::RemovedKey => "removed-key",
            Self::DuplicateKey => "duplicate-key",
            Self::ArrayLength => "array-length",
            Self::ArrayOrder => "array-order",
            Self::Number => "number",
            Self::Boolean => "boolean",
            Self::Unicode => "unicode",
            Self::LineEnding => "line-ending",
            Self::Text => "text",
            Self::Media => "media",
            Self::Binary => "binary",
            Self::PartCount => "part-count",
            Self::PartOrder => "part-order",
            Self::FileName => "file-name",
            Self::PartHeader => "part-header",
            Self::Framing => "framing",
        }
    }

    /// The cause with this word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cause| cause.as_str() == word)
    }

    /// Whether the exact fingerprints differ because of it: not for what the canonical form removes anyway.
    #[must_use]
    pub const fn counts(self) -> bool {
        !matches!(self, Self::Same | Self::Formatting | Self::Ignored | Self::Boundary)
    }

    /// Whether comparing with volatile tokens masked overlooks it.
    #[must_use]
    pub const fn is_volatile(self) -> bool {
        matches!(self, Self::Uuid | Self::Time | Self::Epoch | Self::Masked)
    }

    /// Whether it keeps no request from replaying by itself: volatile, or a secret in a body, which is scrubbed before comparing.
    pub(super) const fn is_overlooked(self) -> bool {
        self.is_volatile() || matches!(self, Self::Credential)
    }

    /// What differs, as a noun phrase for a heading.
    #[must_use]
    pub const fn phrase(self) -> &'static str {
        match self {
            Self::Same => "nothing differs",
            Self::Formatting => "equal in canonical form",
            Self::Ignored => "only what `llm_vcr_ignore` names differs",
            Self::Boundary => "only the multipart boundary differs",
            Self::Uuid => "another uuid",
            Self::Time => "another time",
            Self::Epoch => "another unix time",
            Self::Masked => "another token of a masked pattern",
            Self::TempPath => "another temporary path",
            Self::EmptyBody => "empty on one side",
            Self::UnsupportedBody => "a body that cannot be read",
            Self::Credential => "another credential",
            Self::Method => "another method",
            Self::Url => "another URL",
            Self::ContentType => "another content type",
            Self::NotJson => "JSON on one side only",
            Self::TooDeep => "nested too deeply to compare",
            Self::BadMultipart => "a malformed multipart body",
            Self::Model => "another model",
            Self::Stream => "another stream flag",
            Self::Tools => "other tools or another schema",
            Self::Type => "values of different types",
            Self::NullOrMissing => "null on one side, missing on the other",
            Self::AddedKey => "a key the recording lacks",
            Self::RemovedKey => "a key only the recording has",
            Self::DuplicateKey => "a duplicate key",
            Self::ArrayLength => "an array of another length",
            Self::ArrayOrder => "the same elements in another order",
            Self::Number => "another number",
            Self::Boolean => "another boolean",
            Self::Unicode => "the same letters composed differently",
            Self::LineEnding => "other line endings",
            Self::Text => "other text",
            Self::Media => "other media",
            Self::Binary => "other bytes",
            Self::PartCount => "another number of parts",
            Self::PartOrder => "the same parts or files in another order",
            Self::FileName => "another file name",
            Self::PartHeader => "other part headers",
            Self::Framing => "other text around the parts",
        }
    }
}
