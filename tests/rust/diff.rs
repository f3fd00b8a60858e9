//! Which cause a difference has, where it is, and that a report is always short and never tells a secret.

use std::collections::BTreeMap;

use llm_vcr::body::Rules;
use llm_vcr::diff::{Cause, Mismatch, explain, explain_with, first_difference};
use llm_vcr::json::{PathSet, canonicalize};
use llm_vcr::media::{self, Shrink};
use llm_vcr::volatile::{Patterns, mask};
use proptest::prelude::*;
use serde_json::Value;

/// Most characters of a window, as documented.
const WINDOW: usize = 80;
/// Most characters of a whole report: three windows' worth of lines, four more paths, one sentence.
const REPORT: usize = 2500;

/// The dull twin of `first_difference`.
fn dull_first_difference(a: &[u8], b: &[u8]) -> Option<usize> {
    (0..a.len().max(b.len())).find(|&at| a.get(at) != b.get(at))
}

fn vectors() -> Vec<Value> {
    let vectors: Value = serde_json::from_str(include_str!("../vectors/explain.json")).expect("valid vectors");
    vectors["cases"].as_array().expect("a list of cases").clone()
}

fn body(value: &Value) -> Vec<u8> {
    match value {
        Value::String(text) => text.clone().into_bytes(),
        value => {
            let text = value["base64"].as_str().expect("a text or base64");
            base64_simd::STANDARD.decode_to_vec(text).expect("valid base64")
        }
    }
}

fn strings(value: &Value) -> Vec<&str> {
    value.as_array().map(|list| list.iter().filter_map(Value::as_str).collect()).unwrap_or_default()
}

fn explain_case(case: &Value) -> Mismatch {
    let ignore = PathSet::new(&strings(&case["ignore"])).expect("good paths");
    let patterns = Patterns::new(&strings(&case["mask"])).expect("good patterns");
    let rules = Rules { ignore, patterns };
    let (left_type, right_type) = (case["left_type"].as_str(), case["right_type"].as_str());
    explain_with(&body(&case["left"]), left_type, &body(&case["right"]), right_type, &rules)
}

/// Everything a mismatch can print.
fn printed(mismatch: &Mismatch) -> String {
    format!("{mismatch}\n{mismatch:?}\n{}", mismatch.fix())
}

fn assert_bounded(mismatch: &Mismatch) {
    for window in [&mismatch.left, &mismatch.right] {
        assert!(window.chars().count() <= WINDOW, "too wide: {window}");
        assert!(!window.chars().any(char::is_control), "not one line: {window:?}");
    }
    let text = mismatch.to_string();
    assert!(text.chars().count() <= REPORT, "too long: {text}");
    assert!(text.lines().count() <= 5, "too many lines: {text}");
    assert!(mismatch.others.len() <= 4 && mismatch.others.len() <= mismatch.other_count);
}

#[test]
fn every_vector_has_its_cause_and_place() {
    let mut failed = Vec::new();
    for case in vectors() {
        let mismatch = explain_case(&case);
        assert_bounded(&mismatch);
        let text = printed(&mismatch);
        let others: Vec<Value> =
            mismatch.others.iter().map(|(path, cause)| serde_json::json!([path, cause.as_str()])).collect();
        let agrees = |key: &str, found: Value| case.get(key).is_none_or(|wanted| *wanted == found);
        let good = agrees("cause", mismatch.cause.as_str().into())
            && agrees("path", mismatch.path.clone().into())
            && agrees("offset", mismatch.offset.into())
            && agrees("left_window", mismatch.left.clone().into())
            && agrees("right_window", mismatch.right.clone().into())
            && agrees("others", others.into())
            && case["fix"].as_str().is_none_or(|part| mismatch.fix().contains(part))
            && !strings(&case["secrets"]).iter().any(|secret| text.contains(secret));
        if !good {
            failed.push(format!("{}: {} at {:?}, but:\n{text}\n", case["about"], case["cause"], case["path"]));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn the_other_way_round_the_cause_is_the_same() {
    for case in vectors() {
        let (left_type, right_type) = (case["right_type"].clone(), case["left_type"].clone());
        let mut turned = case.clone();
        turned["left"] = case["right"].clone();
        turned["right"] = case["left"].clone();
        turned["left_type"] = left_type;
        turned["right_type"] = right_type;
        let wanted = match case["cause"].as_str() {
            Some("added-key") => "removed-key",
            Some("removed-key") => "added-key",
            cause => cause.unwrap_or_default(),
        };
        let mismatch = explain_case(&turned);
        assert_eq!(mismatch.cause.as_str(), wanted, "{}", case["about"]);
        assert_bounded(&mismatch);
    }
}

#[test]
fn every_cause_of_the_core_has_two_vectors() {
    let mut counts = BTreeMap::new();
    for case in vectors() {
        *counts.entry(case["cause"].as_str().unwrap_or_default().to_owned()).or_insert(0) += 1;
    }
    for cause in Cause::ALL {
        // These only a caller can know.
        if matches!(cause, Cause::UnsupportedBody | Cause::Method | Cause::Url) {
            continue;
        }
        assert!(counts.get(cause.as_str()).is_some_and(|count| *count >= 2), "{} needs vectors", cause.as_str());
    }
}

#[test]
fn causes_have_different_words_phrases_and_a_fix_each() {
    let words: BTreeMap<&str, Cause> = Cause::ALL.iter().map(|cause| (cause.as_str(), *cause)).collect();
    assert_eq!(words.len(), Cause::ALL.len());
    for cause in Cause::ALL {
        assert_eq!(Cause::from_word(cause.as_str()), Some(cause));
        assert!(cause.as_str().bytes().all(|b| b.is_ascii_lowercase() || b == b'-'));
        assert!(!cause.phrase().is_empty());
        for path in [None, Some("metadata.a"), Some("messages[0].content")] {
            let fix = Mismatch::new(cause, path, "a", "b").fix();
            assert!(fix.ends_with('.') && fix.len() > 40, "{cause:?}: {fix}");
            assert!(!fix.trim_end_matches('.').contains(". "), "more than one sentence: {fix}");
            let start = fix.chars().next().is_some_and(|c| c.is_uppercase() || c == '`');
            assert!(start || fix.starts_with("llm_vcr"), "{cause:?}: {fix}");
        }
    }
    assert_eq!(Cause::from_word("Same"), None);
}

#[test]
fn what_the_caller_brings_is_redacted_and_bounded() {
    let key = format!("sk-proj-{}", "A1b2".repeat(12));
    let mismatch = Mismatch::new(Cause::Url, Some("url"), &format!("https://x.test/v1?key={key}"), "https://x.test/v1");
    assert!(!printed(&mismatch).contains("A1b2A1b2"));
    assert_bounded(&mismatch);

    let credential = Mismatch::new(Cause::Credential, Some("authorization"), "my own secret", "");
    assert!(!printed(&credential).contains("own secret"));
    assert_eq!((credential.left.as_str(), credential.right.as_str()), ("[credential]", ""));

    let long = Mismatch::new(Cause::Method, Some(&"p".repeat(10_000)), &"a".repeat(100_000), &"b".repeat(100_000));
    assert_bounded(&long);
}

#[test]
fn a_report_reads_well() {
    let left = br#"{"messages":[{"content":"What is the capital of France? Answer in one short sentence, without any preamble.","role":"user"}],"metadata":{"id":"abc"},"model":"m","seed":1}"#;
    let right = br#"{"messages":[{"content":"What is the capital of Spain? Answer in one short sentence, without any preamble.","role":"user"}],"metadata":{"id":"xyz"},"model":"m","seed":2}"#;
    let text = explain(left, Some("application/json"), right, Some("application/json")).to_string();
    assert_eq!(
        text,
        "text: other text at `messages[0].content`, byte 23\n  \
           now:      What is the capital of France? Answer in one short sentence, without any preamb…\n  \
           recorded: What is the capital of Spain? Answer in one short sentence, without any preambl…\n  \
           also:     `metadata.id` (text), `seed` (number)\n  \
           fix:      If it is random, fix it in the test, or mask it with a pattern in `llm_vcr_mask`; if the change is meant, record the \
         test again (`--record-mode=rewrite`)."
    );
}

#[test]
fn windows_open_around_a_difference_far_inside() {
    let text = |word: &str| format!("{}{word}{}", "lorem ipsum ".repeat(10_000), " dolor sit".repeat(10_000));
    let json = |word: &str| serde_json::json!({"input": text(word)}).to_string();
    let mismatch = explain(json("ROME").as_bytes(), None, json("OSLO").as_bytes(), None);
    assert_eq!((mismatch.cause, mismatch.offset), (Cause::Text, Some(120_000)));
    assert_eq!(mismatch.left.chars().take(30).collect::<String>(), "…lorem ipsum lorem ipsum ROME ");
    assert!(mismatch.left.ends_with('…') && mismatch.right.contains("OSLO"));
}

#[test]
fn an_ignore_setting_that_a_fix_proposes_is_accepted() {
    for key in ["trace_id", "a b", "a.b", "$x", "0", "k\"q", "back\\slash", "tick`", "ü", "*", "", "it's"] {
        let json = |n: u8| serde_json::json!({"metadata": {key: n}}).to_string();
        let mismatch = explain(json(1).as_bytes(), None, json(2).as_bytes(), None);
        assert_eq!(mismatch.cause, Cause::Number, "{key}");
        let path = mismatch.path.clone().expect("a path");
        let ignore = PathSet::new(&[&path]).unwrap_or_else(|error| panic!("{path}: {error}"));
        let rules = Rules { ignore, ..Rules::default() };
        let mismatch = explain_with(json(1).as_bytes(), None, json(2).as_bytes(), None, &rules);
        assert_eq!(mismatch.cause, Cause::Ignored, "{path}");
    }
}

#[test]
fn a_prompt_is_never_proposed_to_be_ignored() {
    for path in ["messages", "prompt", "input", "tools", "temperature", "system"] {
        let json = |n: &str| serde_json::json!({path: [n]}).to_string();
        let fix = explain(json("one").as_bytes(), None, json("two").as_bytes(), None).fix();
        assert!(!fix.contains("llm_vcr_ignore"), "{path}: {fix}");
    }
}

#[test]
fn a_stored_request_with_its_media_shrunk_is_the_full_one() {
    let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89".to_vec();
    png.extend((0..200_000_u32).map(|n| n.to_le_bytes()[1]));
    let url = format!("data:image/png;base64,{}", base64_simd::STANDARD.encode_to_string(&png));
    let full = serde_json::json!({"input": [{"image_url": url}], "model": "a"}).to_string();
    let shrunk = media::shrink(full.as_bytes(), Shrink { min_len: 1024, digest: true });
    assert!(shrunk.len() < full.len() / 10);
    assert_eq!(explain(full.as_bytes(), None, &shrunk, None).cause, Cause::Formatting);

    png[100_000] ^= 1;
    let url = format!("data:image/png;base64,{}", base64_simd::STANDARD.encode_to_string(&png));
    let other = serde_json::json!({"input": [{"image_url": url}], "model": "a"}).to_string();
    let mismatch = explain(other.as_bytes(), None, &shrunk, None);
    assert_eq!((mismatch.cause, mismatch.path.as_deref()), (Cause::Media, Some("input[0].image_url")));
    assert!(mismatch.left.starts_with("<200033 bytes image/png sha256 "), "{}", mismatch.left);
    assert!(mismatch.right.starts_with("<200033 bytes image/png sha256 "), "{}", mismatch.right);
    assert_ne!(mismatch.left, mismatch.right);
}

#[test]
fn a_multipart_upload_with_its_file_shrunk_is_the_full_one() {
    let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89".to_vec();
    png.extend((0..200_000_u32).map(|n| n.to_le_bytes()[1]));
    let stored = media::placeholder(&png, media::MediaType::Png, true);
    let upload = |payload: &[u8], boundary: &str| {
        let head =
            format!("--{boundary}\r\nContent-Disposition: form-data; name=\"image\"; filename=\"a.png\"\r\n\r\n");
        [head.as_bytes(), payload, format!("\r\n--{boundary}--\r\n").as_bytes()].concat()
    };
    let header = |boundary: &str| Some(format!("multipart/form-data; boundary={boundary}"));
    let explain = |a: &[u8], b: &[u8]| {
        explain(&upload(a, "one"), header("one").as_deref(), &upload(b, "two"), header("two").as_deref())
    };
    assert_eq!(explain(&png, &stored).cause, Cause::Boundary);
    png[100_000] ^= 1;
    assert_eq!(explain(&png, &stored).cause, Cause::Media);
    assert_eq!(explain(b"", &stored).cause, Cause::EmptyBody);
}

#[test]
fn many_differences_are_counted_and_a_few_named() {
    let json = |n: usize| serde_json::json!({"input": (0..5000).map(|i| i * n).collect::<Vec<_>>()}).to_string();
    let mismatch = explain(json(2).as_bytes(), None, json(3).as_bytes(), None);
    assert_eq!(mismatch.path.as_deref(), Some("input[1]"));
    assert_eq!(mismatch.others.len(), 4);
    assert_eq!(mismatch.other_count, 999);
    assert_bounded(&mismatch);
}

#[test]
fn a_real_difference_behind_a_thousand_volatile_ones_is_found() {
    let json = |from: u64, seed: u8| {
        let times: Vec<u64> = (0..3000).map(|i| 1_770_000_000 + from + i * 7).collect();
        serde_json::json!({"metadata": times, "seed": seed}).to_string()
    };
    let mismatch = explain(json(1, 1).as_bytes(), None, json(2, 2).as_bytes(), None);
    assert_eq!((mismatch.cause, mismatch.path.as_deref()), (Cause::Number, Some("seed")));
    assert_eq!(mismatch.other_count, 3000);
}

#[test]
fn both_sides_of_a_window_end_at_characters() {
    let json = |last: char| serde_json::json!({"input": format!("{}{last}", "é€😀".repeat(50))}).to_string();
    // U+1F600 and U+1F601 differ in their fourth byte only.
    let mismatch = explain(json('😀').as_bytes(), None, json('😁').as_bytes(), None);
    assert_eq!(mismatch.offset, Some(450));
    assert!(mismatch.left.ends_with("é€😀😀") && mismatch.right.ends_with("é€😀😁"), "{mismatch}");
}

/// A byte changed, dropped, doubled or put in, somewhere.
fn mutated(mut text: Vec<u8>, at: prop::sample::Index, how: u8, byte: u8) -> Vec<u8> {
    if text.is_empty() {
        return vec![byte];
    }
    let at = at.index(text.len());
    match how {
        0 => text[at] = byte,
        1 => drop(text.remove(at)),
        2 => text.insert(at, byte),
        3 => text.truncate(at),
        _ => text.extend_from_within(at..),
    }
    text
}

fn json_value() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (0..4_u64).prop_map(Value::from),
        (1_700_000_000..1_700_000_003_u64).prop_map(Value::from),
        "[a-c]{0,3}".prop_map(Value::from),
        "\\PC{0,4}".prop_map(Value::from),
        // Volatile tokens, whole and not, also after what is an escape in JSON.
        ("[a\n\u{1} .-]{0,2}", 0..3_usize, 0..3_u8, "[a\n\u{1} .-]{0,2}").prop_map(|(before, kind, n, after)| {
            let token = match kind {
                0 => format!("170000000{n}"),
                1 => format!("2026-03-0{}T10:00:00Z", n + 1),
                _ => format!("8e6f6a2c-1b0a-4f5e-9a77-0c1d2e3f4a5{n}"),
            };
            Value::from(format!("{before}{token}{after}"))
        }),
    ];
    scalar.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec(("[a-c]|model|tools", inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// The dull twin of the walk: the first place, keys sorted, where two values without volatile tokens differ.
fn dull_path(a: &Value, b: &Value, path: &str) -> Option<String> {
    match (a, b) {
        (Value::Object(x), Value::Object(y)) => {
            let mut keys: Vec<&String> = x.keys().chain(y.keys()).collect();
            keys.sort_unstable();
            keys.dedup();
            keys.into_iter().find_map(|key| {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                match (x.get(key), y.get(key)) {
                    (Some(x), Some(y)) => dull_path(x, y, &path),
                    _ => Some(path),
                }
            })
        }
        (Value::Array(x), Value::Array(y)) => {
            let sorted = |list: &[Value]| {
                let mut texts: Vec<String> = list.iter().map(canonical).collect();
                texts.sort_unstable();
                texts
            };
            if a != b && (x.len() != y.len() || sorted(x) == sorted(y)) {
                return Some(path.to_owned());
            }
            x.iter().zip(y).enumerate().find_map(|(index, (x, y))| dull_path(x, y, &format!("{path}[{index}]")))
        }
        _ => (a != b).then(|| path.to_owned()),
    }
}

/// A value's text with sorted keys.
fn canonical(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let sorted: BTreeMap<&String, String> =
                members.iter().map(|(key, value)| (key, canonical(value))).collect();
            format!("{sorted:?}")
        }
        Value::Array(items) => format!("{:?}", items.iter().map(canonical).collect::<Vec<_>>()),
        scalar => scalar.to_string(),
    }
}

proptest! {
    #[test]
    fn first_difference_is_the_dull_one(
        mut a in prop::collection::vec(any::<u8>(), 0..10_000),
        cut in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
        tail in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let mut b = a.clone();
        for (at, byte) in changes {
            if !b.is_empty() {
                let at = at.index(b.len());
                b[at] = byte;
            }
        }
        if tail.len() % 3 == 0 {
            b.truncate(cut.index(b.len() + 1));
        } else if tail.len() % 3 == 1 {
            a.extend_from_slice(&tail);
        }
        prop_assert_eq!(first_difference(&a, &b), dull_first_difference(&a, &b));
        prop_assert_eq!(first_difference(&b, &a), dull_first_difference(&a, &b));
    }

    #[test]
    fn a_body_is_the_same_as_itself(body in prop::collection::vec(any::<u8>(), 0..200), kind in 0..5_usize) {
        const TYPES: [Option<&str>; 5] =
            [None, Some("application/json"), Some("multipart/form-data; boundary=b"), Some("text/plain"), Some("nonsense")];
        let mismatch = explain(&body, TYPES[kind], &body, TYPES[kind]);
        prop_assert_eq!(mismatch.cause, Cause::Same);
        prop_assert_eq!(mismatch.path, None);
    }

    #[test]
    fn the_walk_finds_the_dull_place(a in json_value(), b in json_value(), share in any::<bool>()) {
        let b = if share { serde_json::json!([a.clone(), b]) } else { b };
        let a = if share { serde_json::json!([b[0].clone(), a]) } else { a };
        let (left, right) = (a.to_string(), b.to_string());
        let mismatch = explain(left.as_bytes(), Some("application/json"), right.as_bytes(), Some("application/json"));
        match dull_path(&a, &b, "") {
            None => prop_assert!(!mismatch.cause.counts(), "{}", mismatch),
            Some(_) if mismatch.cause.is_volatile() => {}
            // An earlier volatile difference is passed over in favour of one that counts.
            Some(_) if mismatch.others.iter().any(|(_, cause)| cause.is_volatile()) => {}
            Some(path) => prop_assert_eq!(mismatch.path.clone().unwrap_or_default(), path, "{}", mismatch),
        }
    }

    #[test]
    fn what_counts_is_what_the_fingerprints_tell_apart(a in json_value(), b in json_value(), n in 0..4_u8) {
        // Like one another more often than two values drawn at random.
        let text = a.to_string();
        let b = match n {
            0 => b,
            1 => serde_json::from_str(&text.replace("170000000", "170000001").replace("2026-03", "2027-04")).expect("valid JSON"),
            2 => serde_json::from_str(&text.replace("8e6f", "0123").replace("-03-01T", "-12-31T")).expect("valid JSON"),
            _ => serde_json::from_str(&text.replace("\"a\"", "\"d\"").replace("170000000", "170000002")).expect("valid JSON"),
        };
        let (left, right) = (serde_json::json!([a]).to_string(), serde_json::json!([b]).to_string());
        let mismatch = explain(left.as_bytes(), None, right.as_bytes(), None);
        let canonical = |body: &str| {
            let mut out = Vec::new();
            canonicalize(body.as_bytes(), &PathSet::none(), &mut out).expect("valid JSON");
            out
        };
        let (left, right) = (canonical(&left), canonical(&right));
        prop_assert_eq!(mismatch.cause.counts(), left != right, "{}", mismatch);
        let none = Patterns::none();
        let equal = mask(&left, &none) == mask(&right, &none);
        prop_assert_eq!(!mismatch.cause.counts() || mismatch.cause.is_volatile(), equal, "{}", mismatch);
    }

    #[test]
    fn a_key_near_a_difference_is_never_printed(
        before in "[a-z \\n]{0,60}",
        after in "[a-z \\n]{0,60}",
        words in ("[a-z]{1,8}", "[A-Z]{1,8}"),
        first in any::<bool>(),
        shape in 0..4_u8,
    ) {
        const KEY: &str = "sk-proj-A7fQ2mXw9LkR4tZc8VbN1sHd6JpY3gUe5TiO0aMx2CvB7nKq";
        let text = |word: &str| {
            if first { format!("{word} {before} {KEY} {after}") } else { format!("{before} {KEY} {after} {word}") }
        };
        let wrap = |word: &str| match shape {
            0 => text(word),
            1 => serde_json::json!({"input": [text(word)]}).to_string(),
            2 => serde_json::json!({text(word): 1}).to_string(),
            _ => format!("--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n{}\r\n--b--\r\n", text(word)),
        };
        let content_type = (shape == 3).then_some("multipart/form-data; boundary=b");
        let mismatch = explain(wrap(&words.0).as_bytes(), content_type, wrap(&words.1).as_bytes(), content_type);
        let text = printed(&mismatch);
        for piece in KEY.as_bytes().windows(10).skip(8) {
            prop_assert!(!text.contains(&*String::from_utf8_lossy(piece)), "{}", text);
        }
    }

    #[test]
    fn mutated_vectors_never_panic_and_stay_bounded(
        case in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), 0..5_u8, any::<u8>()), 1..4),
        other_type in any::<prop::sample::Index>(),
        both in any::<bool>(),
    ) {
        let cases = vectors();
        let case = &cases[case.index(cases.len())];
        let mut left = body(&case["left"]);
        let mut right = body(&case["right"]);
        for (at, how, byte) in changes {
            left = mutated(left, at, how, byte);
            if both {
                right = mutated(right, at, how, byte);
            }
        }
        let other = &cases[other_type.index(cases.len())];
        for right_type in [&case["right_type"], &other["right_type"]] {
            let mismatch = explain(&left, case["left_type"].as_str(), &right, right_type.as_str());
            assert_bounded(&mismatch);
            prop_assert_eq!(mismatch.cause == Cause::Same && left != right, false);
        }
    }

    #[test]
    fn random_bytes_never_panic_and_stay_bounded(
        a in prop::collection::vec(any::<u8>(), 0..300),
        b in prop::collection::vec(any::<u8>(), 0..300),
        text in "\\PC{0,200}",
    ) {
        for (x, y) in [(&a[..], &b[..]), (&a[..], text.as_bytes()), (text.as_bytes(), &b[..])] {
            assert_bounded(&explain(x, None, y, None));
            assert_bounded(&explain(x, Some("application/json"), y, Some("application/json")));
        }
    }
}
