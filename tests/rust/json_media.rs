//! Media in canonical JSON: counted by type, length and digest, however it is spelled, whatever it was shrunk to.

use llm_vcr::json::{PathSet, canonicalize};
use llm_vcr::media::{MediaType, Shrink, placeholder, shrink};
use llm_vcr::sink::{hex, sha256};

/// Bytes that start like a PNG; `seed` makes them differ.
fn png(len: usize, seed: u8) -> Vec<u8> {
    let mut bytes =
        b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR\x00\x00\x00\x02\x00\x00\x00\x03\x08\x02\x00\x00\x00".to_vec();
    bytes.extend((bytes.len()..len).map(|i| i.to_le_bytes()[0].wrapping_mul(31) ^ seed));
    bytes
}

fn base64(bytes: &[u8]) -> String {
    base64_simd::STANDARD.encode_to_string(bytes)
}

fn canonical(body: &str) -> String {
    let mut out = Vec::new();
    canonicalize(body.as_bytes(), &PathSet::none(), &mut out).expect("valid JSON");
    String::from_utf8(out).expect("UTF-8")
}

fn token(media_type: &str, bytes: &[u8]) -> String {
    format!("\x1Amedia {media_type} {} {}", bytes.len(), hex(&sha256(bytes)))
}

#[test]
fn media_counts_by_type_length_and_digest() {
    let bytes = png(3000, 1);
    let url = format!(r#"{{"url":"data:image/png;base64,{}","detail":"low"}}"#, base64(&bytes));
    let want = format!(r#"{{"detail":"low","url":"data:image/png;base64,{}"}}"#, token("image/png", &bytes));
    assert_eq!(canonical(&url), want);
    assert_eq!(canonical(&url.replace('/', r"\/")), want, "escaped slashes");
    assert_eq!(canonical(&url.replace("data", r"\u0064ata")), want, "an escape in the head");
    let other = format!(r#"{{"url":"data:image/png;base64,{}","detail":"low"}}"#, base64(&png(3000, 2)));
    assert_ne!(canonical(&other), want);
    assert_eq!(canonical(&format!("[\"{}\"]", base64(&bytes))), format!("[\"{}\"]", token("image/png", &bytes)));
    assert_eq!(canonical(&format!("\"{}\"", base64(&bytes))), format!("\"{}\"", token("image/png", &bytes)));
}

#[test]
fn a_sibling_declares_the_type_from_any_side() {
    // Raw PCM has no magic bytes.
    let bytes: Vec<u8> = (0..3000_u32).map(|i| i.to_le_bytes()[0]).collect();
    let data = base64(&bytes);
    let want = format!(r#"{{"data":"{}","mimeType":"image/jpeg"}}"#, token("image/jpeg", &bytes));
    for body in [
        format!(r#"{{"mimeType":"image/jpeg","data":"{data}"}}"#),
        format!(r#"{{"data":"{data}","mimeType":"image/jpeg"}}"#),
        format!(r#"{{ "data" : "{data}" , "mimeType" : "image\/jpeg" }}"#),
        format!(r#"{{"mime\u0054ype":"image/jpeg","data":"{data}"}}"#),
    ] {
        assert_eq!(canonical(&body), want);
    }
    for body in [
        format!(r#"{{"data":"{data}"}}"#),
        format!(r#"{{"data":"{data}","inner":{{"mimeType":"image/jpeg"}}}}"#),
        format!(r#"{{"data":{{"data":"{data}"}},"mimeType":"image/jpeg"}}"#),
        format!(r#"{{"data":"{data}","mimeType":7}}"#),
    ] {
        assert_eq!(canonical(&body), body, "declares nothing");
    }
}

#[test]
fn text_and_short_strings_stay() {
    for text in ["No media at all. ".repeat(200), "QUJD".repeat(600), base64(&png(700, 1))] {
        let body = format!(r#"{{"format":"text","text":"{text}"}}"#);
        assert_eq!(canonical(&body), body);
    }
}

#[test]
fn the_limit_is_the_same_for_every_spelling() {
    for len in 740..800 {
        let body = format!(r#"["{}"]"#, base64(&png(len, 5)));
        assert_eq!(canonical(&body), canonical(&body.replace('/', r"\/")), "{len} bytes");
    }
}

#[test]
fn what_media_was_shrunk_to_counts_as_the_media() {
    let bytes = png(100_000, 3);
    let small = placeholder(&bytes, MediaType::Png, true);
    let body = |bytes: &[u8]| {
        let data = base64(bytes);
        format!(
            r#"{{"b":[{{"type":"image","source":{{"type":"base64","media_type":"image/png","data":"{data}"}}}}],"a":"data:image/png;base64,{data}"}}"#
        )
    };
    assert_eq!(canonical(&body(&small)), canonical(&body(&bytes)));
    let full = body(&bytes);
    let shrunk = shrink(full.as_bytes(), Shrink { digest: true, ..Shrink::default() });
    assert!(shrunk.len() < full.len() / 10);
    assert_eq!(canonical(std::str::from_utf8(&shrunk).expect("UTF-8")), canonical(&full));
}
