//! Reading JSON, paths, and the canonical form; the dull twin parses into a tree of code points and writes that out.

use std::collections::BTreeMap;

use llm_vcr::error::{Error, ErrorKind};
use llm_vcr::json::{Event, MAX_DEPTH, Path, PathSet, Reader, canonicalize, decode};
use llm_vcr::sink::{Hasher, sha256};
use proptest::prelude::*;
use proptest::sample::Index;

fn canonical(body: &[u8]) -> Result<Vec<u8>, Error> {
    canonical_without(body, &PathSet::none())
}

fn canonical_without(body: &[u8], ignore: &PathSet) -> Result<Vec<u8>, Error> {
    let mut out = Vec::new();
    canonicalize(body, ignore, &mut out)?;
    Ok(out)
}

fn text(body: &str) -> String {
    String::from_utf8(canonical(body.as_bytes()).expect("valid JSON")).expect("UTF-8")
}

fn without(body: &str, paths: &[&str]) -> String {
    let ignore = PathSet::new(paths).expect("valid paths");
    String::from_utf8(canonical_without(body.as_bytes(), &ignore).expect("valid JSON")).expect("UTF-8")
}

/// The dull twin: a tree, recursion, one code point after the other.
mod twin {
    use std::fmt::Write;

    #[derive(Clone, Debug, PartialEq)]
    pub enum Value {
        /// `true`, a number …: whatever counts by its text.
        Word(String),
        Text(Vec<u32>),
        Array(Vec<Value>),
        Object(Vec<(Vec<u32>, Value)>),
    }

    pub fn parse(body: &[u8]) -> Option<Value> {
        let text = std::str::from_utf8(body).ok()?;
        let chars: Vec<char> = text.strip_prefix('\u{FEFF}').unwrap_or(text).chars().collect();
        let mut parser = Parser { chars, at: 0 };
        let value = parser.value(0)?;
        parser.space();
        (parser.at == parser.chars.len()).then_some(value)
    }

    struct Parser {
        chars: Vec<char>,
        at: usize,
    }

    impl Parser {
        fn peek(&self) -> Option<char> {
            self.chars.get(self.at).copied()
        }

        fn take(&mut self, wanted: char) -> Option<()> {
            (self.peek() == Some(wanted)).then(|| self.at += 1)
        }

        fn space(&mut self) {
            while self.peek().is_some_and(|c| " \t\r\n".contains(c)) {
                self.at += 1;
            }
        }

        fn value(&mut self, depth: usize) -> Option<Value> {
            self.space();
            match self.peek()? {
                '{' if depth < llm_vcr::json::MAX_DEPTH => {
                    self.at += 1;
                    let mut members = Vec::new();
                    self.space();
                    if self.take('}').is_some() {
                        return Some(Value::Object(members));
                    }
                    loop {
                        self.space();
                        let key = self.text()?;
                        self.space();
                        self.take(':')?;
                        members.push((key, self.value(depth + 1)?));
                        self.space();
                        if self.take('}').is_some() {
                            return Some(Value::Object(members));
                        }
                        self.take(',')?;
                    }
                }
                '[' if depth < llm_vcr::json::MAX_DEPTH => {
                    self.at += 1;
                    let mut items = Vec::new();
                    self.space();
                    if self.take(']').is_some() {
                        return Some(Value::Array(items));
                    }
                    loop {
                        items.push(self.value(depth + 1)?);
                        self.space();
                        if self.take(']').is_some() {
                            return Some(Value::Array(items));
                        }
                        self.take(',')?;
                    }
                }
                '"' => Some(Value::Text(self.text()?)),
                _ => self.word(),
            }
        }

        fn word(&mut self) -> Option<Value> {
            let end = |c: &char| " \t\r\n,:[]{}\"".contains(*c);
            let word: String = self.chars[self.at..].iter().take_while(|c| !end(c)).collect();
            self.at += word.chars().count();
            let known = ["true", "false", "null", "NaN", "Infinity", "-Infinity"];
            (known.contains(&word.as_str()) || is_number(&word)).then_some(Value::Word(word))
        }

        fn text(&mut self) -> Option<Vec<u32>> {
            self.take('"')?;
            let mut units = Vec::new();
            loop {
                let c = self.peek()?;
                self.at += 1;
                match c {
                    '"' => return Some(join_pairs(&units)),
                    '\\' => {
                        let escape = self.peek()?;
                        self.at += 1;
                        units.push((
                            true,
                            match escape {
                                '"' | '\\' | '/' => u32::from(escape),
                                'b' => 8,
                                't' => 9,
                                'n' => 10,
                                'f' => 12,
                                'r' => 13,
                                'u' => {
                                    let digits: String = self.chars.get(self.at..self.at + 4)?.iter().collect();
                                    self.at += 4;
                                    if !digits.chars().all(|c| c.is_ascii_hexdigit()) {
                                        return None;
                                    }
                                    u32::from_str_radix(&digits, 16).ok()?
                                }
                                _ => return None,
                            },
                        ));
                    }
                    c if c < ' ' => return None,
                    c => units.push((false, u32::from(c))),
                }
            }
        }
    }

    /// Escaped UTF-16 units to code points.
    fn join_pairs(units: &[(bool, u32)]) -> Vec<u32> {
        let mut points = Vec::new();
        let mut at = 0;
        while at < units.len() {
            match (units[at], units.get(at + 1)) {
                ((true, high @ 0xD800..=0xDBFF), Some(&(true, low @ 0xDC00..=0xDFFF))) => {
                    points.push(0x1_0000 + (high - 0xD800) * 0x400 + low - 0xDC00);
                    at += 2;
                }
                ((_, point), _) => {
                    points.push(point);
                    at += 1;
                }
            }
        }
        points
    }

    /// RFC 8259, section 6.
    fn is_number(word: &str) -> bool {
        static NUMBER: std::sync::LazyLock<regex::Regex> = std::sync::LazyLock::new(|| {
            regex::Regex::new(r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$").unwrap()
        });
        NUMBER.is_match(word)
    }

    pub fn write(value: &Value) -> String {
        match value {
            Value::Word(word) => word.clone(),
            Value::Text(text) => write_text(text),
            Value::Array(items) => format!("[{}]", items.iter().map(write).collect::<Vec<_>>().join(",")),
            Value::Object(members) => {
                let mut members: Vec<_> = members.iter().collect();
                members.sort_by_key(|(key, _)| key.clone());
                let members: Vec<_> =
                    members.iter().map(|(key, value)| format!("{}:{}", write_text(key), write(value))).collect();
                format!("{{{}}}", members.join(","))
            }
        }
    }

    fn write_text(text: &[u32]) -> String {
        let mut out = String::from('"');
        for &point in text {
            match point {
                0x22 => out += "\\\"",
                0x5C => out += "\\\\",
                8 => out += "\\b",
                9 => out += "\\t",
                10 => out += "\\n",
                12 => out += "\\f",
                13 => out += "\\r",
                _ => match char::from_u32(point) {
                    Some(c) if c >= ' ' => out.push(c),
                    _ => write!(out, "\\u{point:04x}").expect("a string takes all"),
                },
            }
        }
        out + "\""
    }
}

use twin::Value;

/// One of many spellings of a value, chosen by `choices`, which is read as a ring.
struct Speller<'a> {
    choices: &'a [u8],
    at: usize,
}

impl Speller<'_> {
    fn choice(&mut self) -> u8 {
        self.at += 1;
        self.choices[self.at % self.choices.len()]
    }

    fn space(&mut self, out: &mut String) {
        // Mostly compact or with a single space, as clients write it.
        match self.choice() % 16 {
            0 => *out += "\r\n\t ",
            1 => *out += "\n    ",
            2..=5 => out.push(' '),
            _ => {}
        }
    }

    fn spell(&mut self, value: &Value, out: &mut String) {
        match value {
            Value::Word(word) => *out += word,
            Value::Text(text) => self.text(text, out),
            Value::Array(items) => {
                out.push('[');
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        self.space(out);
                        out.push(',');
                    }
                    self.space(out);
                    self.spell(item, out);
                }
                self.space(out);
                out.push(']');
            }
            Value::Object(members) => {
                // Any order that keeps equal keys as they are.
                let mut groups: BTreeMap<&Vec<u32>, Vec<&Value>> = BTreeMap::new();
                for (key, value) in members {
                    groups.entry(key).or_default().push(value);
                }
                let mut groups: Vec<_> = groups.into_iter().collect();
                for i in (1..groups.len()).rev() {
                    groups.swap(i, usize::from(self.choice()) % (i + 1));
                }
                out.push('{');
                let members = groups.iter().flat_map(|(key, values)| values.iter().map(move |value| (*key, *value)));
                for (i, (key, value)) in members.enumerate() {
                    if i > 0 {
                        self.space(out);
                        out.push(',');
                    }
                    self.space(out);
                    self.text(key, out);
                    self.space(out);
                    out.push(':');
                    self.space(out);
                    self.spell(value, out);
                }
                self.space(out);
                out.push('}');
            }
        }
    }

    fn text(&mut self, text: &[u32], out: &mut String) {
        out.push('"');
        for &point in text {
            let choice = self.choice();
            let short = b"\"\\/".iter().copied().find(|&b| u32::from(b) == point).or(match point {
                8 => Some(b'b'),
                9 => Some(b't'),
                10 => Some(b'n'),
                12 => Some(b'f'),
                13 => Some(b'r'),
                _ => None,
            });
            let raw = char::from_u32(point).filter(|&c| c >= ' ' && c != '"' && c != '\\');
            match (raw, short) {
                (Some(c), _) if !choice.is_multiple_of(8) => out.push(c),
                (_, Some(letter)) if !choice.is_multiple_of(3) => out.extend(['\\', char::from(letter)]),
                _ => {
                    let mut units = [0; 2];
                    let units: Vec<u32> = match char::from_u32(point) {
                        Some(c) => c.encode_utf16(&mut units).iter().map(|&unit| u32::from(unit)).collect(),
                        None => vec![point],
                    };
                    for unit in units {
                        let digits = format!("{unit:04x}");
                        *out += "\\u";
                        *out += &if choice & 8 == 0 { digits } else { digits.to_uppercase() };
                    }
                }
            }
        }
        out.push('"');
    }
}

fn spell(value: &Value, choices: &[u8]) -> String {
    let mut out = String::new();
    let mut speller = Speller { choices, at: 0 };
    speller.space(&mut out);
    speller.spell(value, &mut out);
    speller.space(&mut out);
    out
}

fn points() -> impl Strategy<Value = Vec<u32>> {
    let point = prop_oneof![
        8 => 0x20_u32..0x7F,
        2 => 0_u32..0x20,
        1 => prop_oneof![Just(0x22_u32), Just(0x5C), Just(0x2F), Just(0x7F), Just(0xFEFF), Just(0xFFFF)],
        2 => 0x80_u32..0x2000,
        1 => 0xD800_u32..0xE000,
        1 => 0xFF00_u32..0x1_0800,
    ];
    // A high and a low surrogate side by side are one character: not what was meant here.
    prop_oneof![4 => prop::collection::vec(point.clone(), 0..12), 1 => prop::collection::vec(point, 12..120)].prop_map(
        |mut points| {
            points.dedup_by(|next, before| (0xDC00..0xE000).contains(next) && (0xD800..0xDC00).contains(before));
            points
        },
    )
}

fn key() -> impl Strategy<Value = Vec<u32>> {
    let known =
        prop::sample::select(vec!["id", "role", "content", "model", "metadata", "metadata_id", "", "a", "ab", "0"]);
    prop_oneof![3 => known.prop_map(|key| key.chars().map(u32::from).collect()), 1 => points()]
}

fn value() -> impl Strategy<Value = Value> {
    let word = prop_oneof![
        prop::sample::select(vec![
            "true",
            "false",
            "null",
            "NaN",
            "-Infinity",
            "Infinity",
            "-0",
            "0",
            "1e0",
            "1.0",
            "1E+5"
        ])
        .prop_map(String::from),
        any::<i64>().prop_map(|n| n.to_string()),
        any::<f64>().prop_filter("finite", |x| x.is_finite()).prop_map(|x| format!("{x:?}")),
    ];
    let leaf = prop_oneof![word.prop_map(Value::Word), points().prop_map(Value::Text)];
    leaf.prop_recursive(6, 120, 10, |inner| {
        prop_oneof![
            1 => prop::collection::vec(inner.clone(), 0..8).prop_map(Value::Array),
            2 => prop::collection::vec((key(), inner), 0..10).prop_map(Value::Object),
        ]
    })
}

fn choices() -> impl Strategy<Value = Vec<u8>> {
    // All 15: compact, and no escape that is not needed.
    prop_oneof![1 => Just(vec![15]), 4 => prop::collection::vec(any::<u8>(), 1..200)]
}

/// Other bytes, about as long: a byte changed, a stretch lost or doubled.
fn mutate(body: &[u8], mutations: &[(Index, Index, u8)]) -> Vec<u8> {
    const LIKELY: &[u8] = b"\"\\{}[]:,0-eE.+untrfINaN \n\x00\x1f\xff\xed\xa0\x80\xef\xbb\xbf";
    let mut body = body.to_vec();
    for (place, other, kind) in mutations {
        if body.is_empty() {
            return body;
        }
        let at = place.index(body.len());
        match kind % 4 {
            0 => body[at] = LIKELY[other.index(LIKELY.len())],
            1 => body.insert(at, LIKELY[other.index(LIKELY.len())]),
            2 => drop(body.drain(at..at + other.index(body.len() - at).min(20))),
            _ => {
                let stretch = body[at..at + other.index(body.len() - at).min(20)].to_vec();
                body.splice(at..at, stretch);
            }
        }
    }
    body
}

fn mutations() -> impl Strategy<Value = Vec<(Index, Index, u8)>> {
    prop::collection::vec(any::<(Index, Index, u8)>(), 1..6)
}

fn agrees_with_twin(body: &[u8]) -> Result<(), TestCaseError> {
    match (twin::parse(body), canonical(body)) {
        (Some(value), Ok(out)) => prop_assert_eq!(out, twin::write(&value).into_bytes()),
        (None, Err(error)) => prop_assert!(error.offset <= body.len()),
        (twin, fast) => prop_assert!(false, "twin {:?}, fast {:?}", twin, fast),
    }
    Ok(())
}

proptest! {
    #[test]
    fn every_spelling_of_a_value_is_one(value in value(), first in choices(), second in choices()) {
        let want = twin::write(&value);
        prop_assert_eq!(&text(&spell(&value, &first)), &want);
        prop_assert_eq!(&text(&spell(&value, &second)), &want);
    }

    #[test]
    fn canonical_is_a_fixed_point_and_says_the_same(value in value(), spelling in choices()) {
        let once = text(&spell(&value, &spelling));
        prop_assert_eq!(&text(&once), &once);
        let again = twin::parse(once.as_bytes()).expect("canonical JSON is JSON");
        prop_assert_eq!(twin::write(&again), once);
    }

    #[test]
    fn another_value_is_another_text(a in value(), b in value(), spelling in choices()) {
        prop_assert_eq!(
            text(&spell(&a, &spelling)) == text(&spell(&b, &spelling)),
            twin::write(&a) == twin::write(&b)
        );
    }

    #[test]
    fn mutated_bodies_agree_with_the_twin(value in value(), spelling in choices(), mutations in mutations()) {
        agrees_with_twin(&mutate(spell(&value, &spelling).as_bytes(), &mutations))?;
    }

    #[test]
    fn random_bytes_agree_with_the_twin(body in prop::collection::vec(any::<u8>(), 0..64)) {
        agrees_with_twin(&body)?;
    }

    #[test]
    fn the_hash_is_that_of_the_text(value in value(), spelling in choices()) {
        let body = spell(&value, &spelling);
        let mut hasher = Hasher::new();
        canonicalize(body.as_bytes(), &PathSet::none(), &mut hasher).expect("valid JSON");
        prop_assert_eq!(hasher.finish(), sha256(text(&body).as_bytes()));
    }

    #[test]
    fn ignored_members_are_gone_as_from_the_tree(
        value in value(),
        spelling in choices(),
        paths in prop::collection::vec(prop::collection::vec(step(), 1..4), 1..4),
    ) {
        let spelled: Vec<String> = paths.iter().map(|steps| spell_path(steps)).collect();
        let ignore = PathSet::new(&spelled).expect("valid paths");
        let body = spell(&value, &spelling);
        let got = canonical_without(body.as_bytes(), &ignore).expect("valid JSON");
        let mut kept = value;
        remove(&mut kept, &mut Vec::new(), &paths);
        prop_assert_eq!(String::from_utf8(got).expect("UTF-8"), twin::write(&kept), "without {:?}", spelled);
    }

    #[test]
    fn any_text_as_a_path_is_read_or_refused_in_place(text in "[a-z$.*\\[\\]\"'\\\\0-9 é]{0,16}") {
        if let Err(error) = Path::parse(&text) {
            prop_assert_eq!(error.kind, ErrorKind::BadPath);
            prop_assert!(text.is_char_boundary(error.offset));
        }
    }
}

/// A step of a path in the twin's eyes.
#[derive(Clone, Debug)]
enum Step {
    Name(&'static str),
    Index(usize),
    Any,
    Deep,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => prop::sample::select(vec!["id", "role", "content", "metadata", "a", "0", ""]).prop_map(Step::Name),
        1 => (0_usize..3).prop_map(Step::Index),
        2 => Just(Step::Any),
        1 => Just(Step::Deep),
    ]
}

fn spell_path(steps: &[Step]) -> String {
    let spell = |step: &Step| match step {
        Step::Name(name) if name.is_empty() || *name == "0" => format!("[\"{name}\"]"),
        Step::Name(name) => format!(".{name}"),
        Step::Index(index) => format!("[{index}]"),
        Step::Any => "[*]".into(),
        Step::Deep => ".**".into(),
    };
    let path: String = std::iter::once("$".into()).chain(steps.iter().map(spell)).collect();
    // A path must not end in `**`.
    if path.ends_with(".**") { path + ".*" } else { path }
}

/// Removes what the paths name, by trying each place against each path.
fn remove(value: &mut Value, place: &mut Vec<Result<String, usize>>, paths: &[Vec<Step>]) {
    fn fits(steps: &[Step], place: &[Result<String, usize>]) -> bool {
        match (steps.split_first(), place.split_first()) {
            (None, None) => true,
            (Some((Step::Deep, rest)), None) => fits(rest, place),
            (Some((Step::Deep, rest)), Some((_, below))) => fits(rest, place) || fits(steps, below),
            (Some((step, rest)), Some((here, below))) => {
                let here = match (step, here) {
                    (Step::Any, _) => true,
                    (Step::Name(name), Ok(key)) => name == key,
                    (Step::Index(index), Err(i)) => index == i,
                    _ => false,
                };
                here && fits(rest, below)
            }
            _ => false,
        }
    }
    let gone = |place: &[Result<String, usize>]| {
        paths.iter().any(|steps| match steps.last() {
            Some(Step::Deep) => fits(&[steps.clone(), vec![Step::Any]].concat(), place),
            _ => fits(steps, place),
        })
    };
    match value {
        Value::Array(items) => {
            let mut index = 0;
            items.retain_mut(|item| {
                place.push(Err(index));
                index += 1;
                remove(item, place, paths);
                let keep = !gone(place);
                place.pop();
                keep
            });
        }
        Value::Object(members) => members.retain_mut(|(key, item)| {
            // Keys with a lone surrogate fit no name.
            let key = key.iter().map(|&point| char::from_u32(point).unwrap_or('\u{FFFD}')).collect();
            place.push(Ok(key));
            remove(item, place, paths);
            let keep = !gone(place);
            place.pop();
            keep
        }),
        _ => {}
    }
}

#[test]
fn vectors() {
    let vectors: serde_json::Value =
        serde_json::from_str(include_str!("../vectors/canonical_json.json")).expect("the vectors are JSON");
    let cases = vectors["cases"].as_array().expect("cases");
    assert!(cases.len() > 50);
    for case in cases {
        let body = match (case["text"].as_str(), case["base64"].as_str()) {
            (Some(text), None) => text.as_bytes().to_vec(),
            (None, Some(base64)) => base64_simd::STANDARD.decode_to_vec(base64).expect("base64"),
            _ => panic!("text or base64: {case}"),
        };
        let got = canonical(&body);
        if let Some(want) = case["canonical"].as_str() {
            assert_eq!(got.as_deref(), Ok(want.as_bytes()), "{}", case["name"]);
        } else {
            let error = got.expect_err(&case["name"].to_string());
            assert_eq!(format!("{:?}", error.kind), case["error"].as_str().expect("an error"), "{}", case["name"]);
            assert_eq!(Some(error.offset as u64), case["offset"].as_u64(), "{}", case["name"]);
        }
        assert_eq!(canonical(&body).ok(), twin::parse(&body).map(|value| twin::write(&value).into_bytes()), "twin");
    }
}

#[test]
fn vectors_that_must_differ_do() {
    let vectors: serde_json::Value =
        serde_json::from_str(include_str!("../vectors/canonical_json.json")).expect("the vectors are JSON");
    let groups = vectors["different"].as_array().expect("different");
    assert!(!groups.is_empty());
    for group in groups {
        let texts: Vec<String> =
            group["texts"].as_array().expect("texts").iter().map(|body| text(body.as_str().expect("text"))).collect();
        for (i, one) in texts.iter().enumerate() {
            assert!(!texts[i + 1..].contains(one), "{}: {one} twice", group["name"]);
        }
    }
}

#[test]
fn nesting_has_a_limit_and_no_stack() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let nested = |levels: usize| format!("{}1{}", open.repeat(levels), close.repeat(levels));
        assert_eq!(text(&nested(MAX_DEPTH)), nested(MAX_DEPTH));
        let too_deep = Error::new(ErrorKind::TooDeep, open.len() * MAX_DEPTH);
        assert_eq!(canonical(nested(MAX_DEPTH + 1).as_bytes()), Err(too_deep));
        assert_eq!(canonical(nested(100_000).as_bytes()), Err(too_deep));
        assert_eq!(canonical(open.repeat(100_000).as_bytes()), Err(too_deep));
    }
}

#[test]
fn nothing_is_put_on_an_error() {
    for body in ["{\"b\":1,\"a\":2", "[1,2,3] x", "{\"b\":1,\"a\":tru}"] {
        let mut out = Vec::new();
        assert!(canonicalize(body.as_bytes(), &PathSet::none(), &mut out).is_err());
        assert!(out.is_empty(), "{body}");
    }
}

#[test]
fn a_canonical_body_is_put_whole() {
    struct Counter(usize);
    impl llm_vcr::sink::Sink for Counter {
        fn put(&mut self, _: &[u8]) {
            self.0 += 1;
        }
    }
    let mut puts = Counter(0);
    let body = br#"{"a":[1,{"b":"x\ny","c":{}}],"d":null}"#;
    canonicalize(body, &PathSet::none(), &mut puts).expect("valid JSON");
    assert_eq!(puts.0, 1);
}

#[test]
fn tokens_have_their_place() {
    let body = b"\xEF\xBB\xBF { \"k\\u0065y\" : [ -1.5e3 , \"x\" ] }";
    let mut reader = Reader::new(body).expect("UTF-8");
    let mut seen = Vec::new();
    while let Some(token) = reader.next().expect("valid JSON") {
        seen.push(format!("{} {}", String::from_utf8_lossy(token.source(body)), reader.depth()));
        if let Event::Key(_) = token.event {
            assert_eq!(decode(token.raw(body)), &b"key"[..]);
            assert_eq!(body[reader.colon()], b':');
        }
    }
    assert_eq!(seen, ["{ 1", "\"k\\u0065y\" 1", "[ 2", "-1.5e3 2", "\"x\" 2", "] 1", "} 0"]);
    assert_eq!(body[reader.comma()], b',');
}

#[test]
fn decoded_text_sorts_by_code_point() {
    let texts = [r"\u0000", "a", r"\u00e9", "\u{D7FF}", r"\ud800", r"\udfff", "\u{E000}", "\u{FFFF}", r"\ud83d\ude00"];
    let decoded: Vec<_> = texts.iter().map(|text| decode(text.as_bytes()).into_owned()).collect();
    assert!(decoded.is_sorted(), "{decoded:?}");
    assert_eq!(decoded[4], b"\xED\xA0\x80");
    assert_eq!(decoded[8], "\u{1F600}".as_bytes());
}

#[test]
fn paths_name_members() {
    let body = r#"{"messages":[{"id":1,"x":2},{"id":3}],"metadata":{"trace_id":4,"a.b":5},"trace_id":6}"#;
    for (path, want) in [
        ("metadata.trace_id", r#"{"messages":[{"id":1,"x":2},{"id":3}],"metadata":{"a.b":5},"trace_id":6}"#),
        ("$.metadata.trace_id", r#"{"messages":[{"id":1,"x":2},{"id":3}],"metadata":{"a.b":5},"trace_id":6}"#),
        ("messages[0].id", r#"{"messages":[{"x":2},{"id":3}],"metadata":{"a.b":5,"trace_id":4},"trace_id":6}"#),
        ("messages.1.id", r#"{"messages":[{"id":1,"x":2},{}],"metadata":{"a.b":5,"trace_id":4},"trace_id":6}"#),
        ("messages[*].id", r#"{"messages":[{"x":2},{}],"metadata":{"a.b":5,"trace_id":4},"trace_id":6}"#),
        ("messages.*.id", r#"{"messages":[{"x":2},{}],"metadata":{"a.b":5,"trace_id":4},"trace_id":6}"#),
        ("messages[0]", r#"{"messages":[{"id":3}],"metadata":{"a.b":5,"trace_id":4},"trace_id":6}"#),
        ("metadata['a.b']", r#"{"messages":[{"id":1,"x":2},{"id":3}],"metadata":{"trace_id":4},"trace_id":6}"#),
        (r#"["metadata"]["a.b"]"#, r#"{"messages":[{"id":1,"x":2},{"id":3}],"metadata":{"trace_id":4},"trace_id":6}"#),
        ("**.trace_id", r#"{"messages":[{"id":1,"x":2},{"id":3}],"metadata":{"a.b":5}}"#),
        ("$..trace_id", r#"{"messages":[{"id":1,"x":2},{"id":3}],"metadata":{"a.b":5}}"#),
        ("*", "{}"),
        ("nothing.here", r#"{"messages":[{"id":1,"x":2},{"id":3}],"metadata":{"a.b":5,"trace_id":4},"trace_id":6}"#),
    ] {
        assert_eq!(without(body, &[path]), want, "{path}");
    }
    assert_eq!(
        without(body, &["messages", "**.trace_id", "metadata[\"a.b\"]"]),
        r#"{"metadata":{}}"#,
        "several paths at once"
    );
    assert_eq!(without(r#"{"k\u0065y":1,"\/":2}"#, &["key"]), r#"{"/":2}"#, "keys are compared decoded");
    assert_eq!(without("[[1,2],[3]]", &["[*][0]"]), "[[2],[]]");
    assert_eq!(without(r#"{"it's":1,"a":2}"#, &[r"['it\'s']"]), r#"{"a":2}"#);
}

#[test]
fn bad_paths_are_refused_in_place() {
    for (path, offset) in [
        ("", 0),
        ("$", 1),
        (".", 0),
        ("a.", 2),
        ("a..", 3),
        ("a[", 2),
        ("a[]", 2),
        ("a[1", 3),
        ("a[01]", 2),
        ("a[-1]", 2),
        ("a['b", 4),
        (r#"["a\n"]"#, 3),
        ("trace_*", 6),
        ("a b", 1),
        ("$a", 1),
        ("a.**", 4),
        ("[99999999999999999999]", 1),
    ] {
        assert_eq!(Path::parse(path), Err(Error::new(ErrorKind::BadPath, offset)), "{path}");
    }
}

#[test]
fn a_body_after_another_sees_nothing_of_it() {
    let big = format!("{{\"b\":[{}],\"a\":\"\\/\"}}", vec!["{\"y\":1,\"x\":2}"; 1000].join(" , "));
    let want = format!("{{\"a\":\"/\",\"b\":[{}]}}", vec!["{\"x\":2,\"y\":1}"; 1000].join(","));
    for _ in 0..3 {
        assert_eq!(text(&big), want);
        assert!(canonical(&big.as_bytes()[..big.len() - 1]).is_err());
        assert_eq!(text("{\"b\":1,\"a\":2}"), "{\"a\":2,\"b\":1}");
    }
}

mod top_level {
    use super::*;
    use llm_vcr::json::members;

    fn found<'a>(body: &'a str, names: &[&str]) -> Option<Vec<Option<&'a str>>> {
        let found = members(body.as_bytes(), names).expect("valid JSON")?;
        Some(found.into_iter().map(|one| one.map(|text| std::str::from_utf8(text).expect("UTF-8"))).collect())
    }

    #[test]
    fn members_are_found_whole_and_nothing_below_them_is() {
        let body = r#" {"a": {"usage": 1, "b": [1, 2, {"model": "no"}]}, "model" : "m\"1", "usage": {"in": [1, 2]} , "n": 7, "e": [], "z": null}"#;
        let names = ["model", "usage", "n", "e", "z", "b"];
        let want = [Some(r#""m\"1""#), Some(r#"{"in": [1, 2]}"#), Some("7"), Some("[]"), Some("null"), None];
        assert_eq!(found(body, &names), Some(want.to_vec()));
    }

    #[test]
    fn of_a_repeated_member_the_last_counts() {
        assert_eq!(found(r#"{"a":1,"\u0061":[{}],"b":[1,2,3]}"#, &["a"]), Some(vec![Some("[{}]")]));
    }

    #[test]
    fn what_is_no_object_has_no_members() {
        for body in ["[{\"a\":1}]", "\"a\"", "1", "null"] {
            assert_eq!(found(body, &["a"]), None, "{body}");
        }
        assert!(members(b"{\"a\":1", &["a"]).is_err());
        assert!(members(b"", &["a"]).is_err());
    }

    proptest! {
        #[test]
        fn as_the_dull_twin_finds_them(value in value(), choices in choices(), nth in any::<Index>()) {
            let mut body = String::new();
            Speller { choices: &choices, at: 0 }.spell(&value, &mut body);
            let Value::Object(pairs) = &value else {
                prop_assert_eq!(members(body.as_bytes(), &["a"]), Ok(None));
                return Ok(());
            };
            let absent = members(body.as_bytes(), &["no such key"]).expect("valid JSON").expect("an object");
            prop_assert_eq!(absent, vec![None]);
            if pairs.is_empty() {
                return Ok(());
            }
            let key = &nth.get(pairs).0;
            let Some(name) = key.iter().map(|&point| char::from_u32(point)).collect::<Option<String>>() else {
                return Ok(());
            };
            let (_, last) = pairs.iter().rev().find(|(one, _)| one == key).expect("it is one of them");
            let seen = members(body.as_bytes(), &[&name]).expect("valid JSON").expect("an object")[0].expect("it is there");
            prop_assert_eq!(canonical(seen), canonical(twin::write(last).as_bytes()));
        }
    }
}
