//! Credentials: every planted one is found and gone, no look-alike is touched, and what was JSON stays JSON.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt::Write as _;

use llm_vcr::secrets::{Finding, REDACTED, is_incidental_header, is_secret_header, redact, redact_uri, scan};
use proptest::prelude::*;
use serde_json::{Value, json};

const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn vectors() -> Value {
    serde_json::from_str(include_str!("../vectors/secrets.json")).unwrap()
}

fn records(key: &str) -> Vec<Value> {
    let records = vectors()[key].as_array().unwrap().clone();
    assert!(records.len() >= 10, "{key} has only {} records", records.len());
    records
}

/// A text of the vectors: pieces to be joined.
fn joined(pieces: &Value) -> String {
    pieces.as_array().unwrap().iter().map(|piece| piece.as_str().unwrap()).collect()
}

fn base64(plain: &[u8]) -> String {
    let mut out = String::new();
    for group in plain.chunks(3) {
        let bits = group.iter().enumerate().fold(0_u32, |bits, (i, &byte)| bits | u32::from(byte) << (16 - 8 * i));
        for i in 0..4 {
            let letter = STANDARD[(bits >> (18 - 6 * i)) as usize & 63];
            out.push(if i <= group.len() { letter as char } else { '=' });
        }
    }
    out
}

fn percent(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(byte as char);
        } else {
            write!(out, "%{byte:02X}").unwrap();
        }
    }
    out
}

/// `text` without its credentials, checked for what holds of every redacted text.
fn clean(text: &str) -> String {
    let redacted = redact(text.as_bytes()).into_owned();
    assert_eq!(scan(&redacted), [], "{text}\n{}", String::from_utf8_lossy(&redacted));
    assert!(matches!(redact(&redacted), Cow::Borrowed(_)), "not idempotent: {text}");
    String::from_utf8(redacted).unwrap()
}

/// No eight bytes of `secret` in a row are left.
fn assert_gone(secret: &str, text: &str, redacted: &str) {
    for piece in secret.as_bytes().windows(8) {
        let piece = std::str::from_utf8(piece).unwrap();
        assert!(!redacted.contains(piece), "{piece} of {secret} is left of\n{text}\nin\n{redacted}");
    }
}

/// The kind of a credential in a text that holds one.
fn kind(text: &str) -> &'static str {
    match scan(text.as_bytes())[..] {
        [Finding { kind, .. }] => kind,
        ref other => panic!("{other:?} in\n{text}"),
    }
}

#[test]
fn a_planted_key_is_found_in_every_encoding() {
    let mut kinds = BTreeSet::new();
    for record in records("planted") {
        let (expected, key) = (record["kind"].as_str().unwrap(), joined(&record["key"]));
        let member = json!({"note": key, "n": 1}).to_string();
        let texts = [
            key.clone(),
            format!("note: {key}\r\nhost: example.com\r\n"),
            member.clone(),
            json!({"arguments": member}).to_string(),
            json!({"outer": json!({"arguments": member}).to_string()}).to_string(),
            format!("event: delta\ndata: {member}\n\n"),
            format!("a=1&note={}&b=2", percent(&key)),
            format!("body={}", percent(&member)),
            format!("https://example.com/v1?note={}&b=2", percent(&key)),
            format!("headers:\n  note:\n  - {key}\n"),
            format!("<note>{key}</note>"),
            json!({"data": base64(member.as_bytes())}).to_string(),
            base64(format!("note: {key}").as_bytes()),
        ];
        for text in texts {
            assert_eq!(kind(&text), expected, "{text}");
            let redacted = clean(&text);
            assert_gone(&key, &text, &redacted);
            if text.starts_with('{') {
                serde_json::from_str::<Value>(&redacted).unwrap_or_else(|error| panic!("{error} in {redacted}"));
            }
        }
        kinds.insert(expected.to_owned());
    }
    assert!(kinds.len() >= 25, "{kinds:?}");
}

#[test]
fn a_named_value_is_found_in_every_encoding() {
    for record in records("named") {
        let (expected, name) = (record["kind"].as_str().unwrap(), record["name"].as_str().unwrap());
        let value = joined(&record["value"]);
        let member = json!({"n": 1, name: value}).to_string();
        let texts = [
            format!("{name}: {value}\r\nhost: example.com\r\n"),
            format!("export {name}={value}\n"),
            format!("{name} = \"{value}\""),
            format!("a=1&{name}={}&b=2", percent(&value)),
            format!("{{'{name}': '{value}', 'n': None}}"),
            format!("{name}:\n  - {value}\n"),
            member.clone(),
            json!({name: [value]}).to_string(),
            json!({"arguments": member}).to_string(),
            format!("data: {member}\n\n"),
            percent(&member),
            json!({"data": base64(member.as_bytes())}).to_string(),
        ];
        for text in texts {
            assert_eq!(kind(&text), expected, "{text}");
            let redacted = clean(&text);
            assert_gone(&percent(&value), &text, &redacted);
            assert_gone(&value, &text, &redacted);
            if text.starts_with("{\"") {
                serde_json::from_str::<Value>(&redacted).unwrap_or_else(|error| panic!("{error} in {redacted}"));
            }
        }
    }
}

#[test]
fn a_redacted_text_is_the_same_but_for_the_credential() {
    for record in records("cases") {
        assert_eq!(clean(&joined(&record["text"])), record["redacted"].as_str().unwrap(), "{}", record["name"]);
    }
}

#[test]
fn a_look_alike_stays() {
    for record in records("clean") {
        let text = record["text"].as_str().unwrap();
        let found: Vec<_> = scan(text.as_bytes()).iter().map(|f| (f.kind, &text[f.start..f.end])).collect();
        assert_eq!(found, [], "{}", record["name"]);
        assert!(matches!(redact(text.as_bytes()), Cow::Borrowed(_)));
    }
}

#[test]
fn a_finding_is_the_credential_and_no_more() {
    let key = format!("sk-{}", "proj-0123456789abcdefABCDEF");
    let text = format!("{{\"a\":\"{key}\",\"password\":\"tr0ub4dor&3\"}}");
    let found: Vec<_> = scan(text.as_bytes()).iter().map(|f| (f.kind, &text[f.start..f.end])).collect();
    assert_eq!(found, [("openai", key.as_str()), ("password", "tr0ub4dor&3")]);
}

#[test]
fn a_uri_loses_only_its_credentials() {
    for record in records("uris") {
        let uri = record["uri"].as_str().unwrap();
        let redacted = redact_uri(uri);
        assert_eq!(redacted, record["redacted"].as_str().unwrap());
        assert_eq!(redact_uri(&redacted), redacted);
        assert_eq!(matches!(redacted, Cow::Borrowed(_)), redacted == uri, "{uri}");
    }
    let key = format!("gsk_{}", "0123456789abcdefghijABCDEFGHIJ");
    assert_eq!(redact_uri(&format!("/v1/{key}?q={key}")), format!("/v1/{REDACTED}?q={REDACTED}"));
}

#[test]
fn headers_are_told_apart() {
    let headers = &vectors()["headers"];
    let names = |list: &str| -> Vec<String> {
        headers[list].as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect()
    };
    for name in names("secret") {
        assert!(is_secret_header(&name), "{name}");
    }
    for name in names("incidental") {
        assert!(is_incidental_header(&name), "{name}");
    }
    for name in names("kept") {
        assert!(!is_secret_header(&name) && !is_incidental_header(&name), "{name}");
    }
}

/// The prefixes of a few kinds, what may follow, and how much: told again, in the plainest way, for the dull twin.
const DULL: [(&str, &str, &str, usize); 8] = [
    ("sk-ant-", "anthropic", "-_", 16),
    ("sk-or-", "openrouter", "-_", 16),
    ("sk-", "openai", "-_", 16),
    ("gsk_", "groq", "", 20),
    ("hf_", "huggingface", "", 30),
    ("ghp_", "github", "", 30),
    ("AIza", "google-api-key", "-_", 35),
    ("xai-", "xai", "", 32),
];

/// The dull twin of the search for prefixes: every prefix at every byte, with no search and no table.
fn dull_scan(text: &str) -> Vec<Finding> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let mut found = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let bounded = !text[..at].ends_with(word);
        let hit =
            DULL.iter().find(|(prefix, ..)| text[at..].starts_with(prefix)).and_then(|&(prefix, kind, also, least)| {
                let body = &text[at + prefix.len()..];
                let whole = &body[..body.find(|c| !word(c)).unwrap_or(body.len())];
                let strict =
                    whole.find(|c: char| !c.is_ascii_alphanumeric() && !also.contains(c)).unwrap_or(whole.len());
                let digits = whole.chars().filter(char::is_ascii_digit).count();
                let variety = whole.chars().collect::<BTreeSet<_>>().len();
                let long = whole.split(['-', '_']).filter(|piece| piece.len() >= 16).collect::<Vec<_>>();
                let mixed = |piece: &&str| {
                    piece.contains(|c: char| c.is_lowercase()) && piece.contains(|c: char| c.is_uppercase())
                };
                let random =
                    variety >= 5 && (digits >= 3 || long.iter().any(mixed) || (digits >= 1 && !long.is_empty()));
                (bounded && strict >= least && random).then_some((kind, at + prefix.len() + whole.len()))
            });
        if let Some((kind, end)) = hit {
            found.push(Finding { kind, start: at, end });
            at = end;
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    found
}

/// Bits of text that a rule looks at, in any order.
fn fragment() -> impl Strategy<Value = String> {
    const BITS: [&str; 78] = [
        "sk-",
        "sk-ant-api03-",
        "AKIA",
        "AIza",
        "gsk_",
        "hf_",
        "SG.",
        "eyJhbGciOiJIUzI1NiJ9",
        "eyJ",
        ".",
        "Bearer ",
        "basic ",
        "Basic YTpiMTIz",
        "://",
        "user:pw0rd1@",
        "-----BEGIN PRIVATE KEY-----",
        "-----END PRIVATE KEY-----",
        "-----",
        "password",
        "api_key",
        "x-api-key",
        "Authorization",
        "client_secret",
        "token",
        "sig",
        "X-Amz-Signature",
        "\"",
        "'",
        "\\",
        "\\\"",
        "\\\\",
        "\\n",
        "\n",
        "\r\n\r\n",
        ":",
        "=",
        ": ",
        "&",
        "?",
        ";",
        "%22",
        "%3A",
        "%3D",
        "%20",
        "+",
        "/",
        "\\/",
        "[",
        "{",
        "<",
        "${",
        "…",
        "ü",
        "\u{0}",
        " ",
        "  - ",
        "0123456789abcdef",
        "c2stcHJvai0wMTIzNDU2Nzg5YWJjZGVm",
        "eyJhcGlfa2V5IjoiMDEyMzQ1Njc4OWFiY2RlZiJ9",
        "REDACTED",
        "redacted",
        "abcdefghijklmnop",
        "hunter2hunter2",
        "xxxx",
        "...",
        "test",
        "==",
        "=",
        "\\u0022",
        "\\u",
        "n",
        "u0026",
        "'; ",
        "name=\"secret\"",
        "\r\n",
        "private_key",
        ",",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    ];
    prop_oneof![
        6 => prop::sample::select(&BITS[..]).prop_map(str::to_owned),
        2 => "[A-Za-z0-9]{1,40}",
        1 => "[ -~]{0,6}",
    ]
}

fn fragments(most: usize) -> impl Strategy<Value = String> {
    prop::collection::vec(fragment(), 0..most).prop_map(|bits| bits.concat())
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        6 => fragments(12).prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => Just(Value::Null),
    ];
    leaf.prop_recursive(3, 24, 5, |inner| {
        let key = prop_oneof![fragments(2), Just("api_key".to_owned()), Just("password".to_owned())];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((key, inner.clone()), 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
            inner.prop_map(|value| Value::from(value.to_string())),
        ]
    })
}

proptest! {
    #[test]
    fn scan_agrees_with_its_dull_twin(words in prop::collection::vec(
        prop_oneof![
            (prop::sample::select(&DULL[..]), "[a-zA-Z]{2}[0-9]{3}[a-zA-Z0-9]{0,60}").prop_map(|(shape, body)| shape.0.to_owned() + &body),
            (prop::sample::select(&DULL[..]), "[a-z]{0,9}").prop_map(|(shape, body)| shape.0.to_owned() + &body),
            prop::sample::select(vec![" ", "\"", ",", "-", "_", "a", "sk", "\n", "é"]).prop_map(str::to_owned),
        ],
        0..40,
    )) {
        let text = words.concat();
        prop_assert_eq!(scan(text.as_bytes()), dull_scan(&text));
    }

    #[test]
    fn a_key_planted_in_any_json_is_found_and_gone(mut around in value(), place in any::<prop::sample::Index>(), body in "[a-f]{3}[0-9]{3}[a-zA-Z0-9]{42}") {
        let key = format!("sk-{body}");
        let mut strings = Vec::new();
        gather(&mut around, &mut strings);
        if !strings.is_empty() {
            let chosen = place.index(strings.len());
            *strings[chosen] += &[" ", &key, " "].concat();
            let text = around.to_string();
            prop_assert!(!scan(text.as_bytes()).is_empty());
            let redacted = redact(text.as_bytes());
            prop_assert!(!redacted.windows(24).any(|window| window == &key.as_bytes()[3..27]), "{}", text);
        }
    }

    #[test]
    fn json_stays_json(value in value()) {
        let text = value.to_string();
        let redacted = redact(text.as_bytes());
        if let Err(error) = serde_json::from_slice::<Value>(&redacted) {
            prop_assert!(false, "{error}\n{text}\n{}", String::from_utf8_lossy(&redacted));
        }
    }

    #[test]
    fn any_text_is_redacted_once_and_for_all(text in fragments(40)) {
        let findings = scan(text.as_bytes());
        prop_assert!(findings.windows(2).all(|pair| pair[0].end <= pair[1].start));
        prop_assert!(findings.iter().all(|finding| finding.start < finding.end && finding.end <= text.len()));
        let redacted = redact(text.as_bytes());
        prop_assert_eq!(matches!(redacted, Cow::Borrowed(_)), findings.is_empty());
        prop_assert_eq!(scan(&redacted), []);
        prop_assert!(std::str::from_utf8(&redacted).is_ok());
    }

    #[test]
    fn any_bytes_and_uris_are_taken(bytes in prop::collection::vec(any::<u8>(), 0..300), uri in fragments(20)) {
        prop_assert_eq!(scan(&redact(&bytes)), []);
        let redacted = redact_uri(&uri).into_owned();
        prop_assert_eq!(redact_uri(&redacted), redacted.as_str());
        let _ = (is_secret_header(&uri), is_incidental_header(&uri));
    }
}

/// The strings of a value, to be changed.
fn gather<'a>(value: &'a mut Value, strings: &mut Vec<&'a mut String>) {
    match value {
        Value::String(text) => strings.push(text),
        Value::Array(items) => items.iter_mut().for_each(|item| gather(item, strings)),
        Value::Object(members) => members.values_mut().for_each(|member| gather(member, strings)),
        _ => {}
    }
}
