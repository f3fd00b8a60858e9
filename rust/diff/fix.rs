//! The one sentence that says what to change, so that the next run replays.

use super::cause::Cause;

/// What the caller of [`sentence`] knows about the place.
pub(super) struct Place<'a> {
    /// The path, where the difference has one.
    pub path: Option<&'a str>,
    /// Whether `llm_vcr_ignore` takes this path: a JSON path from the top of the body.
    pub ignorable: bool,
    /// A regular expression that covers both random tokens and nothing around them.
    pub pattern: Option<&'a str>,
}

const RECORD_AGAIN: &str = "if the change is meant, record the test again (`--record-mode=rewrite`)";

/// What mends `cause` at `place`.
pub(super) fn sentence(cause: Cause, place: &Place<'_>) -> String {
    match cause {
        Cause::Uuid | Cause::Time | Cause::Epoch | Cause::Masked => volatile(cause, place),
        Cause::Number | Cause::Text | Cause::TempPath => random(cause, place),
        Cause::AddedKey | Cause::RemovedKey | Cause::NullOrMissing | Cause::Boolean | Cause::Type => match ignore(place) {
            Some(ignore) => format!("{ignore}, or build the request alike in both runs; {RECORD_AGAIN}."),
            None => fixed(cause).to_owned(),
        },
        Cause::Credential if place.path.is_some() => {
            "Secrets in bodies are redacted before comparing, so this is no miss by itself; better send the key in a header.".to_owned()
        }
        _ => fixed(cause).to_owned(),
    }
}

fn volatile(cause: Cause, place: &Place<'_>) -> String {
    let freeze = match cause {
        Cause::Uuid => "pass a fixed id in the test (seed or patch `uuid.uuid4`)",
        Cause::Masked => "fix the value in the test",
        _ => "freeze the clock in the test",
    };
    let masked = "llm_vcr masks it where nothing matches exactly, so alone it is no miss";
    match ignore(place) {
        Some(ignore) => format!("{ignore}, or {freeze}, for an exact match: {masked}."),
        None => format!("For an exact match {freeze}: {masked}."),
    }
}

fn random(cause: Cause, place: &Place<'_>) -> String {
    let freeze = match cause {
        Cause::TempPath => "Give the file a fixed name or keep its path out of the request",
        Cause::Number => "If it is random, fix it in the test (numbers count by their text: `1` is not `1.0`)",
        _ => "If it is random, fix it in the test",
    };
    match (ignore(place), place.pattern) {
        (Some(ignore), _) => format!("{ignore}, or fix the value in the test; {RECORD_AGAIN}."),
        (None, Some(pattern)) => format!("{freeze}, or set `llm_vcr_mask = ['{pattern}']`; {RECORD_AGAIN}."),
        (None, None) if cause == Cause::Number => format!("{freeze}; {RECORD_AGAIN}."),
        (None, None) => format!("{freeze}, or mask it with a pattern in `llm_vcr_mask`; {RECORD_AGAIN}."),
    }
}

/// The advice to ignore a path, where that cannot hide a changed question.
///
/// A prompt, a schema or a sampling parameter decides the answer; ignoring one would hand out somebody else's. What only labels a request is
/// safe to ignore.
fn ignore(place: &Place<'_>) -> Option<String> {
    let path = place.path.filter(|path| place.ignorable && is_label(path))?;
    // As TOML: a literal string where a basic one would need escapes.
    let quote = if path.contains(['"', '\\']) { '\'' } else { '"' };
    if path.contains(quote) {
        return Some(format!("Add the path `{path}` to `llm_vcr_ignore`"));
    }
    Some(format!("Set `llm_vcr_ignore = [{quote}{path}{quote}]`"))
}

/// Top-level fields that label a request and do not change its answer.
fn is_label(path: &str) -> bool {
    const ROOTS: [&str; 14] = [
        "metadata",
        "user",
        "user_id",
        "safety_identifier",
        "prompt_cache_key",
        "session_id",
        "trace_id",
        "request_id",
        "requestId",
        "sessionId",
        "client_metadata",
        "litellm_metadata",
        "labels",
        "requestMetadata",
    ];
    let root = path.split(['.', '[']).next().unwrap_or(path);
    ROOTS.contains(&root)
}

const fn fixed(cause: Cause) -> &'static str {
    match cause {
        Cause::Same => {
            "The bodies are the same: look at the method, the URL, the headers or the credential, or whether the episode was already played."
        }
        Cause::Formatting => {
            "llm_vcr compares JSON by its canonical form, so this is no miss: match on `llm_body` instead of vcrpy's `body`."
        }
        Cause::Ignored => {
            "`llm_vcr_ignore` leaves this out, so this is no miss: look at the URL, the headers or the credential."
        }
        Cause::Boundary => {
            "llm_vcr rewrites boundaries, so this is no miss: match on `llm_body` instead of vcrpy's `body`."
        }
        Cause::EmptyBody => {
            "A file that was read once is at its end: call `seek(0)` before it is sent again, or pass bytes; otherwise record the test again (`--record-mode=rewrite`)."
        }
        Cause::UnsupportedBody => {
            "Pass the body as bytes, str, dict, file or iterator; other types cannot be compared and equal only themselves."
        }
        Cause::Credential => {
            "Use the key of the provider's environment variable, list this one in `llm_vcr_placeholder_keys`, or set `llm_vcr_credential = \"ignore\"`."
        }
        Cause::Method | Cause::Url => {
            "If the endpoint changed on purpose, record the test again (`--record-mode=rewrite`); otherwise build the same URL in both runs."
        }
        Cause::ContentType => {
            "Send the same `Content-Type` as the recording, or record the test again (`--record-mode=rewrite`)."
        }
        Cause::NotJson => {
            "One side is not valid JSON (cut off, or encoded differently): send the same kind of body, or record the test again (`--record-mode=rewrite`)."
        }
        Cause::TooDeep => "Flatten the body: what is nested this deeply is not compared and equals only itself.",
        Cause::BadMultipart => {
            "Build the upload with the client's own multipart support, so that its delimiter lines fit the announced boundary."
        }
        Cause::Model => {
            "If the model was changed on purpose, record the test again (`--record-mode=rewrite`); otherwise pin it in the test."
        }
        Cause::Stream => {
            "A streamed answer cannot stand for a plain one: record the test again (`--record-mode=rewrite`), or set `stream` as before."
        }
        Cause::Tools => {
            "If the tools or the schema changed on purpose, record the test again (`--record-mode=rewrite`); otherwise generate them in a fixed order with fixed text."
        }
        Cause::Type => {
            "Send the value with the type it had (a number is not its text); if the change is meant, record the test again (`--record-mode=rewrite`)."
        }
        Cause::NullOrMissing => {
            "`null` is not the same as leaving the key out: do either in both runs, or record the test again (`--record-mode=rewrite`)."
        }
        Cause::AddedKey | Cause::RemovedKey => {
            "Another version of the SDK or of the code sends other fields: pin it, or record the test again (`--record-mode=rewrite`)."
        }
        Cause::DuplicateKey => {
            "Send each key once per object: duplicates are kept in order, because providers disagree on which one wins."
        }
        Cause::ArrayLength => {
            "If the list grew or shrank on purpose, record the test again (`--record-mode=rewrite`); otherwise look for state that leaks from another test."
        }
        Cause::ArrayOrder => {
            "Sort the list before sending (a `set`, a directory listing or parallel work has no fixed order)."
        }
        Cause::Boolean => {
            "If the flag was changed on purpose, record the test again (`--record-mode=rewrite`); otherwise fix it in the test."
        }
        Cause::Unicode => {
            "Normalise the text before sending, `unicodedata.normalize(\"NFC\", text)`: file names on macOS come decomposed."
        }
        Cause::LineEnding => {
            "Read the text with `newline=\"\\n\"` semantics on every system, or mark the file `text eol=lf` in `.gitattributes`."
        }
        Cause::Media => {
            "Send the same file as when recording (an encoder's output may vary between versions); if it is meant, record the test again (`--record-mode=rewrite`)."
        }
        Cause::Binary => {
            "Send the same bytes as when recording; if the change is meant, record the test again (`--record-mode=rewrite`)."
        }
        Cause::PartCount => {
            "Send the same files and fields as when recording; if the change is meant, record the test again (`--record-mode=rewrite`)."
        }
        Cause::PartOrder => "Pass files and fields in a fixed order: swapped files are another request.",
        Cause::FileName => {
            "Give the upload a fixed name, `(\"image.png\", file)`, instead of a temporary file's own; if the change is meant, record the test again (`--record-mode=rewrite`)."
        }
        Cause::PartHeader => {
            "Give the part the same name and content type as when recording; if the change is meant, record the test again (`--record-mode=rewrite`)."
        }
        Cause::Framing => {
            "Send the multipart body through the same client library as when recording, or record the test again (`--record-mode=rewrite`)."
        }
        Cause::Uuid | Cause::Time | Cause::Epoch | Cause::Masked | Cause::TempPath | Cause::Number | Cause::Text => {
            "Fix the value in the test, or record the test again (`--record-mode=rewrite`)."
        }
    }
}
