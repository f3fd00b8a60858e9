//! Random and mutated inputs through every entry of the core: no panic, no overflow, and what always has to hold.
//!
//! `make fuzz` takes a million of them, with overflow checks on; `cargo test` a few thousand. A failure names its case, and
//! `FUZZ_FIRST=<case> FUZZ_CASES=1` repeats it.

mod inputs;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::str::FromStr;
use std::thread;

use llm_vcr::body::{self, Kind, Rules, SENTINEL};
use llm_vcr::cassette::{compact, yaml};
use llm_vcr::diff::{Cause, explain, explain_with, first_difference};
use llm_vcr::fingerprint::{FORMAT, NO_KEY, fingerprint, key_fingerprint, shrink_request};
use llm_vcr::json::{self, Event, Path, PathSet, Reader};
use llm_vcr::media::{self, MAX_PLACEHOLDER, MIN_PLACEHOLDER, MediaType, Shrink};
use llm_vcr::multipart::{self, ContentType, Piece};
use llm_vcr::secrets::{is_incidental_header, is_secret_header, redact, redact_keys, redact_uri, scan};
use llm_vcr::sink::sha256;
use llm_vcr::volatile::{Patterns, mask};

use inputs::{Input, Inputs, Random, respelled};

/// How often what happened, by name: a fuzzer that never gets past the first check proves nothing.
type Seen = BTreeMap<&'static str, u64>;

fn setting<T: FromStr>(name: &str, default: T) -> T {
    std::env::var(name)
        .ok()
        .map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

#[test]
fn every_entry_takes_every_input() {
    let cases: u64 = setting("FUZZ_CASES", 4_000);
    let first: u64 = setting("FUZZ_FIRST", 0);
    let inputs = Inputs::new();
    let workers = thread::available_parallelism().map_or(1, NonZero::get) as u64;
    let work = |worker: u64| {
        let mut seen = Seen::new();
        let mut failed = Vec::new();
        for number in (first + worker..first + cases).step_by(usize::try_from(workers).expect("few")) {
            let input = inputs.get(number);
            if catch_unwind(AssertUnwindSafe(|| check(&input, &mut Random::new(!number), &mut seen))).is_err() {
                failed.push(number);
            }
            if failed.len() == MOST_FAILURES {
                break;
            }
        }
        (seen, failed)
    };
    let (mut seen, mut failed) = (Seen::new(), Vec::new());
    thread::scope(|scope| {
        let work = &work;
        let running: Vec<_> = (0..workers).map(|worker| scope.spawn(move || work(worker))).collect();
        for worker in running {
            let (its_seen, its_failed) = worker.join().expect("a panic is caught where it happens");
            failed.extend(its_failed);
            for (name, count) in its_seen {
                *seen.entry(name).or_default() += count;
            }
        }
    });
    assert!(failed.is_empty(), "failed, as told above: FUZZ_FIRST=<one of {failed:?}> FUZZ_CASES=1 repeats one");
    println!("{cases} inputs through every entry: {seen:?}");
    if cases >= 4_000 {
        for name in EVENTS {
            assert!(seen.get(name).is_some_and(|count| *count >= cases / 2_000), "{name}: hardly ever: {seen:?}");
        }
    }
}

/// So many failures tell enough.
const MOST_FAILURES: usize = 20;

/// What has to happen now and then.
const EVENTS: [&str; 20] = [
    "a body is empty",
    "a body is json",
    "a body is json-lines",
    "a body is multipart",
    "a body is form",
    "a body is sse",
    "a body is text",
    "a body is binary",
    "a content type is read",
    "a multipart is rewritten",
    "a string is media",
    "a body is shrunk",
    "a request is shrunk",
    "tokens are masked",
    "a pattern is compiled",
    "a path is read",
    "a secret is found",
    "a uri is redacted",
    "two bodies are equal",
    "yaml is read back",
];

fn check(input: &Input, random: &mut Random, seen: &mut Seen) {
    let rules = settings(input, seen);
    content_types(input, seen);
    multiparts(input, seen);
    reader(&input.body);
    canonical(input, random, &rules, seen);
    files(&input.body, random);
    shrinking(input, random, &rules, seen);
    masking(input, &rules, seen);
    differences(input, &rules, seen);
    credentials(input, seen);
    stored(input, seen);
}

fn note(seen: &mut Seen, what: &'static str, happened: bool) {
    *seen.entry(what).or_default() += u64::from(happened);
}

/// Bytes to be read in a message.
fn shown(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

/// The settings a user could have written, as far as they can be.
fn settings(input: &Input, seen: &mut Seen) -> Rules {
    let [a, b, c] = &input.texts;
    let paths: Vec<&String> = [a, b, c].into_iter().filter(|text| Path::parse(text).is_ok()).collect();
    note(seen, "a path is read", !paths.is_empty());
    let ignore = PathSet::new(&paths).expect("each of them was read");
    // Short ones: what a regular expression costs to compile is not ours to test.
    let patterns: Vec<&str> = [a, b].into_iter().filter_map(|text| text.get(..text.len().min(12))).collect();
    let patterns =
        Patterns::new(&patterns).or_else(|error| Patterns::new(&patterns[..error.offset])).unwrap_or_default();
    note(seen, "a pattern is compiled", !patterns.is_empty());
    Rules { ignore, patterns }
}

fn content_types(input: &Input, seen: &mut Seen) {
    for text in input.content_type.iter().chain(&input.texts) {
        assert_eq!(body::media_type(Some(text)), body::media_type(Some(&text.to_ascii_uppercase())));
        let Ok(parsed) = ContentType::parse(text).inspect_err(|error| assert!(error.offset <= text.len())) else {
            continue;
        };
        assert_eq!(parsed.media_type(), parsed.media_type().to_ascii_lowercase());
        let _ = parsed.param("charset");
        note(seen, "a content type is read", true);
        if parsed.boundary().inspect_err(|error| assert!(error.offset <= text.len())).is_ok() {
            let other = parsed.with_boundary("another");
            let other = ContentType::parse(&other).unwrap_or_else(|error| panic!("{error}: {text:?} became {other:?}"));
            assert_eq!(other.boundary().as_deref(), Ok(&b"another"[..]), "{text:?}");
        }
    }
}

fn multiparts(input: &Input, seen: &mut Seen) {
    let body = &input.body[..];
    let Some(content_type) = input.content_type.as_deref() else { return };
    let parts = multipart::parts(body, content_type);
    let Ok(rewritten) = multipart::rewrite(body, content_type) else {
        assert!(parts.is_err());
        return;
    };
    let mut out = Vec::new();
    rewritten.write_to(&mut out);
    assert_eq!(out.len(), rewritten.len());
    assert_eq!(rewritten.is_unchanged(), out == body && rewritten.content_type == content_type);
    for piece in rewritten.pieces() {
        if let Piece::Payload { bytes, offset, .. } = piece {
            assert_eq!(*bytes, &body[*offset..offset + bytes.len()]);
        }
    }
    let again =
        multipart::rewrite(&out, &rewritten.content_type).unwrap_or_else(|error| panic!("{error}: {}", shown(&out)));
    assert!(again.is_unchanged(), "{}", shown(&out));
    if let Ok(parts) = parts {
        note(seen, "a multipart is rewritten", !rewritten.is_unchanged());
        let payloads = |parts: &[multipart::Part]| parts.iter().map(|part| part.payload.to_vec()).collect::<Vec<_>>();
        let after = multipart::parts(&out, &rewritten.content_type).expect("a rewritten body is well formed");
        assert_eq!(payloads(&parts), payloads(&after), "{}", shown(body));
        for part in parts {
            assert_eq!(part.payload, &body[part.payload_offset..part.payload_offset + part.payload.len()]);
        }
    }
}

/// Tokens have their place, one after the other, and levels are closed as they were opened.
fn reader(body: &[u8]) {
    let Ok(mut reader) = Reader::new(body) else {
        assert!(std::str::from_utf8(body).is_err());
        return;
    };
    let (mut end, mut open) = (0, Vec::new());
    loop {
        match reader.next() {
            Ok(Some(token)) => {
                assert!(end <= token.start && token.start < token.end && token.end <= body.len());
                end = token.end;
                match token.event {
                    Event::ObjectStart => open.push(Event::ObjectEnd),
                    Event::ArrayStart => open.push(Event::ArrayEnd),
                    Event::ObjectEnd | Event::ArrayEnd => assert_eq!(open.pop(), Some(token.event)),
                    Event::Key(_) | Event::String(_) => _ = json::decode(token.raw(body)),
                    _ => assert_eq!(token.raw(body), token.source(body)),
                }
                assert_eq!(reader.depth(), open.len());
            }
            Ok(None) => break assert!(open.is_empty()),
            Err(error) => break assert!(error.offset <= body.len()),
        }
    }
}

fn canonical(input: &Input, random: &mut Random, rules: &Rules, seen: &mut Seen) {
    let body = &input.body[..];
    let content_type = input.content_type.as_deref();
    let plain = Rules::default();
    let (text, kind) = body::canonical(body, content_type, &plain, false);
    note(
        seen,
        match kind {
            Kind::Empty => "a body is empty",
            Kind::Json => "a body is json",
            Kind::JsonLines => "a body is json-lines",
            Kind::Multipart => "a body is multipart",
            Kind::Form => "a body is form",
            Kind::Sse => "a body is sse",
            Kind::Text => "a body is text",
            Kind::Binary => "a body is binary",
        },
        true,
    );
    let sealed = [&text[..], format!("\n{} llm-vcr {FORMAT}", kind.as_str()).as_bytes()].concat();
    assert_eq!(fingerprint(body, content_type, &plain, false), sha256(&sealed), "{}", shown(body));
    if matches!(kind, Kind::Json | Kind::JsonLines) && !text.contains(&SENTINEL) {
        assert_eq!((text.clone(), kind), body::canonical(&text, content_type, &plain, false), "{}", shown(body));
    }
    let (masked, _) = body::canonical(body, content_type, rules, true);
    let sealed = [&masked[..], format!("\n{} llm-vcr {FORMAT}", kind.as_str()).as_bytes()].concat();
    assert_eq!(fingerprint(body, content_type, rules, true), sha256(&sealed));
    let equal = body::canonical(&input.other, content_type, &plain, false) == (text, kind);
    assert_eq!(
        equal,
        fingerprint(&input.other, content_type, &plain, false) == fingerprint(body, content_type, &plain, false)
    );
    note(seen, "two bodies are equal", equal && input.other != body);
    if kind == Kind::Json {
        let respelled = respelled(random, body);
        assert_eq!(
            body::canonical(&respelled, content_type, &plain, false),
            body::canonical(body, content_type, &plain, false)
        );
    }
}

fn files(body: &[u8], random: &mut Random) {
    let kind = *random.pick(&MediaType::ALL);
    let digest = random.one_in(2);
    let file = media::placeholder(body, kind, digest);
    if media::original(body).is_some() {
        assert_eq!(file, body);
    } else {
        assert!((MIN_PLACEHOLDER..=MAX_PLACEHOLDER).contains(&file.len()));
        assert_eq!(media::sniff(&file), Some(kind), "{kind:?} for {}", shown(body));
        let original = media::original(&file).expect("a placeholder says what it stands for");
        assert_eq!((original.media_type, original.len), (kind.mime(), body.len() as u64));
        assert_eq!(original.sha256, digest.then(|| sha256(body)));
    }
    let _ = media::sniff(body);
}

fn shrinking(input: &Input, random: &mut Random, rules: &Rules, seen: &mut Seen) {
    let body = &input.body[..];
    let content_type = input.content_type.as_deref();
    let declared = [None, Some(&b"image/png"[..]), Some(b"wav"), Some(b""), Some(input.texts[0].as_bytes())];
    let inside = body.iter().position(|byte| *byte == b'"').map_or(body, |quote| &body[quote + 1..]);
    for raw in [body, inside.split(|byte| *byte == b'"').max_by_key(|string| string.len()).unwrap_or_default()] {
        let found = media::string_media(raw, *random.pick(&declared));
        note(seen, "a string is media", found.is_some());
        if let Some(found) = found {
            assert!(found.original.sha256.is_some() && raw.starts_with(found.head));
        }
    }
    let options = Shrink { min_len: [1_024, 1_400, 100, 8, 0][random.below(5)], digest: random.one_in(2) };
    let shrunk = body::shrink(body, content_type, options);
    note(seen, "a body is shrunk", matches!(shrunk, Cow::Owned(_)));
    assert!(shrunk.len() <= body.len());
    assert!(matches!(body::shrink(&shrunk, content_type, options), Cow::Borrowed(_)), "{options:?} {}", shown(body));
    let request = shrink_request(body, content_type, rules, options.min_len);
    note(seen, "a request is shrunk", matches!(request, Cow::Owned(_)));
    assert_eq!(fingerprint(&request, content_type, rules, false), fingerprint(body, content_type, rules, false));
}

fn masking(input: &Input, rules: &Rules, seen: &mut Seen) {
    let body = &input.body[..];
    let none = Patterns::none();
    let masked = mask(body, &none);
    note(seen, "tokens are masked", matches!(masked, Cow::Owned(_)));
    assert!(masked.len() <= body.len());
    assert_eq!(matches!(masked, Cow::Borrowed(_)), *masked == *body, "{}", shown(body));
    let _ = mask(body, &rules.patterns);
}

fn differences(input: &Input, rules: &Rules, seen: &mut Seen) {
    let (a, b) = (&input.body[..], &input.other[..]);
    let content_type = input.content_type.as_deref();
    let dull = a.iter().zip(b).position(|(x, y)| x != y).or((a.len() != b.len()).then_some(a.len().min(b.len())));
    assert_eq!(first_difference(a, b), dull);
    assert_eq!(first_difference(b, a), dull);
    assert_eq!(explain(a, content_type, a, content_type).cause, Cause::Same);
    let _ = explain_with(a, content_type, b, Some(&input.texts[0]), rules);
    let mismatch = explain(a, content_type, b, content_type);
    let plain = Rules::default();
    let differ = fingerprint(a, content_type, &plain, false) != fingerprint(b, content_type, &plain, false);
    assert_eq!(mismatch.cause.counts(), differ, "{mismatch}\n{content_type:?}\n{}\n{}", shown(a), shown(b));
    assert!(mismatch.left.len() < 2_000 && mismatch.right.len() < 2_000 && !mismatch.fix().is_empty());
    // Where a window is cut, a long word may become one that looks like a key.
    for shown in [&mismatch.left, &mismatch.right].into_iter().filter(|shown| !shown.contains('…')) {
        assert_eq!(scan(shown.as_bytes()), [], "{shown}");
    }
    note(seen, "a difference is explained", mismatch.cause != Cause::Same);
}

/// What is written is read back, from the compact form and from YAML; what is not ours is refused or read, and never a panic.
fn stored(input: &Input, seen: &mut Seen) {
    let (a, b) = (&input.body[..], &input.other[..]);
    let head = input.texts[0].as_bytes();
    let episodes = [(Some(a), Some(b)), (Some(b), None), (None, Some(a))].map(|(request, response)| compact::Episode {
        head,
        request,
        response,
    });
    let encoded = compact::encode(&episodes).expect("far below a gigabyte");
    let blobs: Vec<Option<&[u8]>> = encoded.blobs.iter().map(|blob| Some(&blob.stored[..])).collect();
    {
        let opened = compact::open(&encoded.pack, &blobs).expect("what was just encoded");
        let decoded = opened.episodes().expect("what was just encoded");
        assert_eq!(decoded.len(), episodes.len());
        for (given, got) in episodes.iter().zip(decoded) {
            let got = got.expect("no payload is lacking");
            assert_eq!(got.request.map(|body| body.to_vec()).as_deref(), given.request);
            assert_eq!(got.response.map(|body| body.to_vec()).as_deref(), given.response);
            assert_eq!(got.head, head);
        }
    }
    let read = |pack: &[u8], blobs: &[Option<&[u8]>]| {
        let opened = compact::open(pack, blobs).ok()?;
        opened.episodes().ok().map(|episodes| episodes.len())
    };
    assert!(compact::blobs(a).is_err() || read(a, &[Some(b)]).is_none() || a.first() == Some(&compact::VERSION));
    let damaged: Vec<u8> =
        encoded.pack.iter().zip(a.iter().cycle()).map(|(x, y)| if *y < 8 { x ^ y } else { *x }).collect();
    let _ = read(&damaged, &blobs);

    let _ = yaml::read(&[a, b"\n"].concat());
    let mut text = String::new();
    if let Ok(value) = std::str::from_utf8(a)
        && yaml::write::key(&mut text, &input.texts[1])
    {
        text.push(' ');
        yaml::write::text(&mut text, value, 0);
        text.push('\n');
        let read = yaml::read(text.as_bytes());
        note(seen, "yaml is read back", read.is_some());
        let is_value = |event: &yaml::Event| matches!(event, yaml::Event::Str(read) if read == value);
        // Where the reader does not know what was written, PyYAML is asked.
        assert!(read.is_none_or(|events| events.iter().any(is_value)), "{text:?}");
    }
}

fn credentials(input: &Input, seen: &mut Seen) {
    let body = &input.body[..];
    let findings = scan(body);
    note(seen, "a secret is found", !findings.is_empty());
    assert!(findings.iter().all(|finding| finding.start < finding.end && finding.end <= body.len()));
    assert!(findings.windows(2).all(|pair| pair[0].end <= pair[1].start));
    let redacted = redact(body);
    assert_eq!(matches!(redacted, Cow::Borrowed(_)), findings.is_empty());
    assert_eq!(scan(&redacted), [], "{}\n{}", shown(body), shown(&redacted));
    assert!(matches!(redact(&redacted), Cow::Borrowed(_)));
    let is_json = |text: &[u8]| json::canonicalize(text, &PathSet::none(), &mut Vec::new()).is_ok();
    assert!(is_json(&redacted) || !is_json(body), "{}\n{}", shown(body), shown(&redacted));
    let keyless = redact_keys(body);
    assert!(is_json(&keyless) || !is_json(body), "{}\n{}", shown(body), shown(&keyless));
    assert!(matches!(redact_keys(&redacted), Cow::Borrowed(_)));

    let [a, b, c] = &input.texts;
    for text in [a, b, c] {
        let uri = redact_uri(text);
        note(seen, "a uri is redacted", matches!(uri, Cow::Owned(_)));
        assert_eq!(redact_uri(&uri), uri, "{text:?}");
        assert_eq!(is_secret_header(text), is_secret_header(&text.to_ascii_uppercase()));
        assert_eq!(is_incidental_header(text), is_incidental_header(&text.to_ascii_uppercase()));
    }
    let names = ["authorization", "x-api-key", a];
    let headers = [(names[0], b.as_str()), (names[1], c), (names[2], b)];
    let key = key_fingerprint(headers, a);
    assert!(key == NO_KEY || (key.len() == 16 && key.bytes().all(|digit| digit.is_ascii_hexdigit())));
    assert_eq!(key, key_fingerprint(headers.into_iter().rev(), a));
}
