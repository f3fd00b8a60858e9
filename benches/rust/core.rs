//! Each operation of the core by itself, on bodies that are the same in every run.
//!
//! `cargo bench` prints times, to look at; `cargo bench -- --list` the names; `cargo bench -- NAME 1` runs one operation once, to be counted:
//! `valgrind --tool=callgrind --toggle-collect='*counted*'` gives the same number of instructions each time, whatever else the machine does.

use std::env::args;
use std::fmt::Write as _;
use std::hint::black_box;
use std::time::Instant;

use llm_vcr::body::{self, Rules};
use llm_vcr::cassette::{compact, yaml};
use llm_vcr::media::Shrink;
use llm_vcr::volatile::{Patterns, mask};
use llm_vcr::{diff, fingerprint, multipart, secrets, sink};

type Work = Box<dyn Fn() -> usize>;

const BOUNDARY: &str = "8087456ce76304f982d564cf9fe967c6";

fn main() {
    let arguments: Vec<String> = args().skip(1).filter(|argument| argument != "--bench").collect();
    if arguments.first().is_some_and(|wanted| wanted == "--list") {
        for (name, _) in OPERATIONS {
            println!("{name}");
        }
        return;
    }
    let times: Option<u32> = arguments.get(1).map(|times| times.parse().expect("how many times is a number"));
    let mut found = false;
    for (name, prepare) in OPERATIONS {
        if arguments.first().is_some_and(|wanted| wanted != name) {
            continue;
        }
        found = true;
        let work = prepare();
        if let Some(times) = times {
            (0..times).for_each(|_| _ = counted(&work));
        } else {
            println!("{name:<28} {:>12.2} µs", best(&work) * 1e6);
        }
    }
    assert!(found, "no such operation; there are {:?}", OPERATIONS.map(|(name, _)| name));
}

/// The least seconds of one call, of half a second of calls.
fn best(work: &Work) -> f64 {
    let mut best = f64::MAX;
    let started = Instant::now();
    while started.elapsed().as_secs_f64() < 0.5 {
        let call = Instant::now();
        counted(work);
        best = best.min(call.elapsed().as_secs_f64());
    }
    best
}

/// What callgrind counts: nothing of how the body was made.
#[inline(never)]
fn counted(work: &Work) -> usize {
    black_box(work())
}

/// An operation by its name, and how its body is made.
type Operation = (&'static str, fn() -> Work);

const OPERATIONS: [Operation; 23] = [
    ("mask-sparse-100k", || masking(prose(100_000, Some(2_000)))),
    ("mask-sparse-5m", || masking(prose(5_000_000, Some(2_000)))),
    ("mask-dense-5m", || masking(trace(5_000_000))),
    ("first-difference-5m", || {
        let left = noise(5_000_000);
        let mut right = left.clone();
        *right.last_mut().expect("not empty") ^= 1;
        Box::new(move || diff::first_difference(black_box(&left), black_box(&right)).unwrap_or(0))
    }),
    ("shrink-image-10m", || shrinking(image(10_000_000), 64 * 1024)),
    ("shrink-nothing-20k", || shrinking(numbers(20_000), 1_024)),
    ("multipart-1m", || rewriting(&noise(1_000_000))),
    ("multipart-10m", || rewriting(&noise(10_000_000))),
    ("multipart-dashes-1m", || rewriting(&b"\n- item\n-\n--\n-- x".repeat(1_000_000 / 17))),
    ("canonical-chat-1k", || canonical(chat(1_000))),
    ("canonical-chat-20k", || canonical(chat(20_000))),
    ("canonical-chat-200k", || canonical(chat(200_000))),
    ("canonical-numbers-200k", || canonical(numbers(200_000))),
    ("fingerprint-chat-1k", || fingerprinting(chat(1_000))),
    ("fingerprint-chat-200k", || fingerprinting(chat(200_000))),
    ("fingerprint-numbers-200k", || fingerprinting(numbers(200_000))),
    ("redact-chat-200k", || {
        let body = chat(200_000);
        Box::new(move || secrets::redact(black_box(&body)).len())
    }),
    ("yaml-read-1m", || {
        let file = cassette(25, &prose(20_000, None));
        Box::new(move || yaml::read(black_box(file.as_bytes())).expect("what we write").len())
    }),
    ("yaml-read-image-4m", || {
        let mut file = String::from("interactions:\n- response:\n    body:\n      string: ");
        yaml::write::binary(&mut file, &noise(3_000_000), 6);
        file.push('\n');
        Box::new(move || yaml::read(black_box(file.as_bytes())).expect("what we write").len())
    }),
    ("yaml-write-1m", || {
        let text = prose(20_000, None);
        Box::new(move || cassette(25, black_box(&text)).len())
    }),
    ("compact-encode-40k", || {
        let (request, response) = (chat(20_000), numbers(20_000));
        Box::new(move || packed(black_box(&request), black_box(&response)).len())
    }),
    ("compact-decode-40k", || {
        let pack = packed(&chat(20_000), &numbers(20_000));
        Box::new(move || {
            let opened = compact::open(black_box(&pack), &[]).expect("whole");
            let bodies = |one: compact::Decoded<'_>| one.response.map_or(0, |body| body.to_vec().len());
            opened.episodes().expect("whole").into_iter().flatten().map(bodies).sum()
        })
    }),
    ("sha256-1m", || {
        let body = noise(1_000_000);
        Box::new(move || sink::sha256(black_box(&body)).len())
    }),
];

/// An episode in compact form, all of it in the pack.
fn packed(request: &[u8], response: &[u8]) -> Vec<u8> {
    let episode = compact::Episode { head: b"head", request: Some(request), response: Some(response) };
    let encoded = compact::encode(&[episode]).expect("not too large");
    assert!(encoded.blobs.is_empty(), "text has no media");
    encoded.pack
}

fn masking(body: Vec<u8>) -> Work {
    Box::new(move || mask(black_box(&body), &Patterns::none()).len())
}

fn shrinking(body: Vec<u8>, min_len: usize) -> Work {
    Box::new(move || body::shrink(black_box(&body), Some("application/json"), Shrink { min_len, digest: false }).len())
}

fn rewriting(payload: &[u8]) -> Work {
    let mut body = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"image\"\r\n\r\n").into_bytes();
    body.extend_from_slice(payload);
    body.extend_from_slice(format!("\r\n--{BOUNDARY}--\r\n").as_bytes());
    let content_type = format!("multipart/form-data; boundary={BOUNDARY}");
    Box::new(move || {
        let rewritten = multipart::rewrite(black_box(&body), &content_type).expect("well formed");
        let mut out = Vec::with_capacity(rewritten.len());
        rewritten.write_to(&mut out);
        out.len()
    })
}

fn canonical(body: Vec<u8>) -> Work {
    let rules = Rules::default();
    Box::new(move || body::canonical(black_box(&body), Some("application/json"), &rules, false).0.len())
}

fn fingerprinting(body: Vec<u8>) -> Work {
    let rules = Rules::default();
    Box::new(move || fingerprint::fingerprint(black_box(&body), Some("application/json"), &rules, false).len())
}

/// Marsaglia's xorshift: numbers enough for a body, and the same ones each time.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

const SEED: u64 = 0x9E37_79B9_7F4A_7C15;

/// Bytes as compressed pixels have them.
fn noise(len: usize) -> Vec<u8> {
    let mut random = Random(SEED);
    let mut bytes: Vec<u8> = (0..len.div_ceil(8)).flat_map(|_| random.next().to_le_bytes()).collect();
    bytes.truncate(len);
    bytes
}

/// Text with line breaks, and with a volatile token each so many bytes.
fn prose(len: usize, token_each: Option<usize>) -> Vec<u8> {
    const WORDS: [&str; 16] = [
        "the", "of", "model", "answer", "prompt,", "naïve", "that", "is", "a.", "token", "模型", "to", "function", "–",
        "it\n", "was",
    ];
    let mut random = Random(SEED);
    let mut text = String::with_capacity(len + 100);
    let mut next = token_each.unwrap_or(usize::MAX);
    while text.len() < len {
        text.push_str(WORDS[usize::try_from(random.below(16)).expect("below 16")]);
        text.push(' ');
        if text.len() >= next {
            next = text.len() + token_each.unwrap_or(usize::MAX);
            text.push_str(&token(&mut random));
            text.push(' ');
        }
    }
    text.into_bytes()
}

/// A UUID, a date-time or an epoch.
fn token(random: &mut Random) -> String {
    let bits = random.next();
    match random.below(3) {
        0 => format!(
            "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
            bits >> 32,
            bits >> 16 & 0xFFFF,
            bits & 0xFFF,
            bits >> 52,
            bits >> 16
        ),
        1 => format!("2026-11-{:02}T{:02}:24:47.{:06}Z", 1 + bits % 28, bits % 24, bits % 1_000_000),
        _ => format!("17{:08}", bits % 100_000_000),
    }
}

/// Lines of a trace: most of it is volatile tokens.
fn trace(len: usize) -> Vec<u8> {
    let mut random = Random(SEED);
    let mut text = String::with_capacity(len + 200);
    while text.len() < len {
        let (a, b, c) = (token(&mut random), token(&mut random), token(&mut random));
        let _ = writeln!(text, r#"{{"trace_id":"{a}","at":"{b}","ms":"{c}","level":"info"}}"#);
    }
    text.into_bytes()
}

/// A chat request, its members in the order in which the openai SDK writes them.
fn chat(len: usize) -> Vec<u8> {
    let text = String::from_utf8(prose(len, None)).expect("words");
    let mut messages = String::new();
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let mut end = rest.len().min(len.div_ceil(10).clamp(200, 4_000));
        while !rest.is_char_boundary(end) {
            end += 1;
        }
        let content = rest[..end].replace('\n', "\\n");
        let _ = write!(
            messages,
            r#"{}{{"role":"user","content":"{content}"}}"#,
            if messages.is_empty() { "" } else { "," }
        );
        rest = &rest[end..];
    }
    format!(r#"{{"messages":[{messages}],"model":"gpt-4o-mini","temperature":0.2,"max_tokens":512,"stream":false}}"#)
        .into_bytes()
}

/// A cassette file of so many episodes with this text as their bodies, as we write it.
fn cassette(episodes: usize, text: &[u8]) -> String {
    let text = str::from_utf8(text).expect("words").trim_ascii();
    let mut file = String::from("interactions:");
    for _ in 0..episodes {
        file.push_str("\n- request:\n    body: ");
        yaml::write::text(&mut file, text, 4);
        for (name, value) in [("method", "POST"), ("uri", "https://api.openai.com/v1/chat/completions")] {
            yaml::write::next_line(&mut file, 4);
            assert!(yaml::write::key(&mut file, name), "a short key");
            file.push(' ');
            yaml::write::text(&mut file, value, 4);
        }
        file.push_str("\n  response:\n    body:\n      string: ");
        yaml::write::text(&mut file, text, 6);
    }
    file.push_str("\nversion: 1\n");
    file
}

/// An answer with log probabilities.
fn numbers(len: usize) -> Vec<u8> {
    let mut random = Random(SEED);
    let mut entry = |text: &mut String, more: &str| {
        let _ = write!(
            text,
            r#"{{"token":" word","logprob":-{}.{:08},"bytes":[32,119,111,114,100]{more}"#,
            random.below(12),
            random.below(100_000_000)
        );
    };
    let mut content = String::with_capacity(len + 1_000);
    while content.len() < len {
        entry(&mut content, r#","top_logprobs":["#);
        for _ in 0..5 {
            entry(&mut content, "},");
        }
        content.pop();
        content.push_str("]},");
    }
    content.pop();
    format!(r#"{{"id":"chatcmpl-1","choices":[{{"index":0,"logprobs":{{"content":[{content}]}}}}]}}"#).into_bytes()
}

/// An answer with a PNG in base64.
fn image(len: usize) -> Vec<u8> {
    let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x04\0\0\0\x04\0\x08\x02\0\0\0".to_vec();
    png.extend(noise(len / 4 * 3));
    let picture = base64_simd::STANDARD.encode_to_string(png);
    format!(r#"{{"created":1763720687,"data":[{{"b64_json":"{picture}"}}]}}"#).into_bytes()
}
