//! Multipart bodies: the shared vectors, a twin that reads line by line, and what must hold for any bytes.

mod dull;

use std::borrow::Cow;

use llm_vcr::body::{Rules, canonical};
use llm_vcr::error::{Error, ErrorKind};
use llm_vcr::multipart::{ContentType, FIXED_BOUNDARY, MAX_NESTING, Piece, parts, rewrite};
use proptest::prelude::*;
use serde_json::Value;

fn vectors(section: &str) -> Vec<Value> {
    let all: Value = serde_json::from_str(include_str!("../vectors/multipart.json")).unwrap();
    all[section].as_array().unwrap().clone()
}

fn bytes(body: &Value) -> Vec<u8> {
    match body["text"].as_str() {
        Some(text) => text.as_bytes().to_vec(),
        None => base64_simd::STANDARD.decode_to_vec(body["base64"].as_str().unwrap()).unwrap(),
    }
}

fn rewritten(body: &[u8], content_type: &str) -> Result<(Vec<u8>, String), Error> {
    let rewrite = rewrite(body, content_type)?;
    let mut out = Vec::new();
    rewrite.write_to(&mut out);
    assert_eq!(out.len(), rewrite.len());
    assert_eq!(out.is_empty(), rewrite.is_empty());
    assert_eq!(rewrite.is_unchanged(), out == body && rewrite.content_type == content_type);
    for piece in rewrite.pieces() {
        if let Piece::Payload { bytes, offset, .. } = piece {
            assert_eq!(&body[*offset..offset + bytes.len()], *bytes);
        }
    }
    Ok((out, rewrite.content_type.into_owned()))
}

#[test]
fn vectors_of_rewriting() {
    for case in vectors("cases") {
        let name = case["name"].as_str().unwrap();
        let (body, content_type) = (bytes(&case["body"]), case["content_type"].as_str().unwrap());
        let got = rewritten(&body, content_type);
        if case["error"].is_object() {
            let error = got.expect_err(name);
            assert_eq!(error.kind.as_str(), case["error"]["reason"], "{name}");
            assert_eq!(error.offset, case["error"]["offset"], "{name}");
            continue;
        }
        let (want_body, want_type) = if case["unchanged"] == true {
            (body.clone(), content_type)
        } else {
            (bytes(&case["rewritten"]["body"]), case["rewritten"]["content_type"].as_str().unwrap())
        };
        let (got_body, got_type) = got.expect(name);
        assert_eq!(got_type, want_type, "{name}");
        assert_eq!(got_body.escape_ascii().to_string(), want_body.escape_ascii().to_string(), "{name}");
        assert!(rewrite(&got_body, &got_type).expect(name).is_unchanged(), "{name}: again");
    }
}

#[test]
fn vectors_of_captured_pairs() {
    for pair in vectors("pairs") {
        let of = |side: &Value| rewritten(&bytes(&side["body"]), side["content_type"].as_str().unwrap()).unwrap();
        let (a, b) = (of(&pair["a"]), of(&pair["b"]));
        assert_eq!(a == b, pair["equal"].as_bool().unwrap(), "{}", pair["name"]);
        assert_eq!(a.1, format!("multipart/form-data; boundary={FIXED_BOUNDARY}"));
    }
}

#[test]
fn vectors_of_parts() {
    for case in vectors("parts") {
        let body = bytes(&case["body"]);
        let got = parts(&body, case["content_type"].as_str().unwrap()).unwrap();
        let want = case["parts"].as_array().unwrap();
        assert_eq!(got.len(), want.len(), "{}", case["name"]);
        for (got, want) in got.iter().zip(want) {
            assert_eq!(got.payload, bytes(&want["payload"]), "{want}");
            assert_eq!(got.payload_offset, want["payload_offset"], "{want}");
            assert_eq!(got.name.as_deref(), want["name"].as_str(), "{want}");
            assert_eq!(got.filename.as_deref(), want["filename"].as_str(), "{want}");
            assert_eq!(got.content_type, want["content_type"].as_str().map(str::as_bytes), "{want}");
        }
    }
}

#[test]
fn payload_pieces_carry_their_own_content_type() {
    let body = b"--b\r\nContent-Type: image/png\r\n\r\nP\r\n--b\r\n\r\nQ\r\n--b--";
    let rewrite = rewrite(body, "multipart/form-data; boundary=b").unwrap();
    let payloads: Vec<_> = rewrite.pieces().iter().filter(|piece| matches!(piece, Piece::Payload { .. })).collect();
    let png = Piece::Payload { bytes: b"P", offset: 32, content_type: Some(b"image/png") };
    assert_eq!(payloads, [&png, &Piece::Payload { bytes: b"Q", offset: 42, content_type: None }]);
}

#[test]
fn parts_of_something_else_are_an_error() {
    assert_eq!(parts(b"{}", "application/json"), Err(Error::new(ErrorKind::BadContentType, 0)));
}

#[test]
fn content_type_in_pieces() {
    let header =
        ContentType::parse(r#"Text/HTML;Charset="utf-8"; x="a\"b\\c" ;flag; y*=utf-8''%E2%82%AC; z=1=2"#).unwrap();
    assert_eq!(header.media_type(), "text/html");
    assert_eq!(header.param("charset").as_deref(), Some("utf-8"));
    assert_eq!(header.param("X").as_deref(), Some(r#"a"b\c"#));
    assert_eq!(header.param("flag").as_deref(), Some(""));
    assert_eq!(header.param("y").as_deref(), Some("€"));
    assert_eq!(header.param("z").as_deref(), Some("1=2"));
    assert_eq!(header.param("utf-8"), None);
    assert_eq!(header.boundary(), Err(Error::new(ErrorKind::BadBoundary, 72)));
}

#[test]
fn a_segment_without_a_value_is_rewritten_to_one_with_none() {
    let header = ContentType::parse("multipart/mixed; boundary*1; boundary*0=ab; boundary*1=cd").unwrap();
    let rewritten = header.with_boundary("another");
    assert_eq!(rewritten, "multipart/mixed; boundary*1=\"\"; boundary*0=another; boundary*1=cd");
    assert_eq!(ContentType::parse(&rewritten).unwrap().boundary().as_deref(), Ok(&b"another"[..]));
}

#[test]
fn a_control_character_is_no_boundary() {
    let error = rewrite(b"--a\r\nb\r\n\r\n--a\r\nb--", "multipart/mixed; boundary=\"a\r\nb\"").unwrap_err();
    assert_eq!(error, Error::new(ErrorKind::BadBoundary, 26));
}

#[test]
fn nesting_is_bounded() {
    let levels = 200;
    let mut body = b"core".to_vec();
    for level in (0..levels).rev() {
        let own = format!("b{level}-");
        let inner = format!("b{}-", level + 1);
        let mut outer = format!("--{own}\r\nContent-Type: multipart/mixed; boundary={inner}\r\n\r\n").into_bytes();
        outer.extend_from_slice(&body);
        outer.extend_from_slice(format!("\r\n--{own}--").as_bytes());
        body = outer;
    }
    let (out, _) = rewritten(&body, "multipart/mixed; boundary=b0-").unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(text.contains(&format!("--llm-vcr-{}-boundary--", MAX_NESTING - 1)));
    assert!(!text.contains(&format!("--llm-vcr-{MAX_NESTING}-boundary--")));
    assert!(text.contains(&format!("--b{MAX_NESTING}---")), "a deeper one is payload");
}

/// What a message is made of; how it looks depends on the boundaries and on the line end.
#[derive(Clone, Debug)]
enum Message {
    Leaf(Vec<u8>),
    Nested { state_length: bool, preamble: bool, parts: Vec<Message> },
}

/// Byte strings that bring out the rules when they meet.
fn token() -> impl Strategy<Value = Vec<u8>> {
    const FIXED: &[&str] = &[
        "\r\n",
        "\r\n",
        "\n",
        "\n",
        "\r",
        "--",
        "--",
        "b",
        "bb",
        "a b",
        " ",
        "\t",
        "x",
        "--b",
        "\r\n--b",
        "\n--b",
        "\r\n--bb",
        "\r\n--b--",
        "\r\n--b\r\n",
        "\n--b\n",
        "\r\n\r\n",
        "llm-vcr-",
        "x1-",
        "x2-",
        "1-",
        "2-",
        "boundary",
        "llm-vcr-boundary",
        "\r\n--llm-vcr-boundary",
        "\n--llm-vcr-1-boundary",
        "\r\n--llm-vcr-x1-boundary\r\n",
        "--llm-vcr-x1-1-boundary",
        ":",
        "\"",
        "Content-Type: multipart/mixed; boundary=b",
        "content-type:multipart/mixed;\r\n boundary=\"a b\"",
        "\r\nContent-Length: 9",
        "Content-Type: multipart/related; boundary*=utf-8''bb",
        "A: b\r\n",
        "Content-Type: image/png\r\n\r\n",
        "é",
    ];
    prop_oneof![
        20 => proptest::sample::select(FIXED).prop_map(|text| text.as_bytes().to_vec()),
        1 => any::<Vec<u8>>(),
    ]
}

fn soup(size: usize) -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(token(), 0..size).prop_map(|tokens| tokens.concat())
}

fn message() -> impl Strategy<Value = Message> {
    soup(8).prop_map(Message::Leaf).prop_recursive(3, 12, 3, |inner| {
        let parts = proptest::collection::vec(inner, 0..4);
        (any::<bool>(), any::<bool>(), parts).prop_map(|(state_length, preamble, parts)| Message::Nested {
            state_length,
            preamble,
            parts,
        })
    })
}

/// Writes `parts`; `boundaries` gives each multipart its own.
fn write(
    parts: &[Message],
    boundary: &str,
    eol: &str,
    preamble: bool,
    boundaries: &mut impl FnMut() -> String,
) -> Vec<u8> {
    let mut out = Vec::new();
    if preamble {
        out.extend_from_slice(format!("preamble{eol}").as_bytes());
    }
    for part in parts {
        out.extend_from_slice(format!("--{boundary}{eol}").as_bytes());
        match part {
            Message::Leaf(payload) => {
                out.extend_from_slice(format!("A: b{eol}{eol}").as_bytes());
                out.extend_from_slice(payload);
            }
            Message::Nested { state_length, preamble, parts } => {
                let own = boundaries();
                let payload = write(parts, &own, eol, *preamble, boundaries);
                if *state_length {
                    out.extend_from_slice(format!("Content-Length: {}{eol}", payload.len()).as_bytes());
                }
                out.extend_from_slice(
                    format!("Content-Type: multipart/mixed; boundary=\"{own}\"{eol}{eol}").as_bytes(),
                );
                out.extend_from_slice(&payload);
            }
        }
        out.extend_from_slice(eol.as_bytes());
    }
    out.extend_from_slice(format!("--{boundary}--{eol}").as_bytes());
    out
}

fn check(body: &[u8], content_type: &str) -> Result<(), TestCaseError> {
    let fast = rewritten(body, content_type);
    let slow = dull::rewrite(body, content_type);
    prop_assert_eq!(fast.as_ref().map_err(|e| e.kind), slow.as_ref().map_err(|&kind| kind), "{}", body.escape_ascii());
    let Ok((out, out_type)) = fast else { return Ok(()) };
    prop_assert!(rewrite(&out, &out_type).unwrap().is_unchanged(), "again: {}", out.escape_ascii());
    if content_type.starts_with("multipart/") {
        let payloads = |body: &[u8], content_type: &str| -> Vec<Vec<u8>> {
            parts(body, content_type).unwrap().iter().map(|part| part.payload.to_vec()).collect()
        };
        let seen = payloads(body, content_type);
        prop_assert_eq!(&seen, &payloads(&out, &out_type));
        let plan = rewrite(body, content_type).unwrap();
        let pieces = plan.pieces().iter().filter(|piece| matches!(piece, Piece::Payload { .. }));
        prop_assert_eq!(pieces.map(|piece| piece.bytes().to_vec()).collect::<Vec<_>>(), seen);
    }
    Ok(())
}

fn content_type() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("multipart/form-data; boundary=b".to_owned()),
        Just("multipart/mixed; boundary=\"a b\"; x=y".to_owned()),
        Just("multipart/mixed; boundary=bb".to_owned()),
        Just("multipart/mixed; boundary=llm-vcr-boundary".to_owned()),
        Just("multipart/mixed; boundary=llm-vcr-x1-boundary".to_owned()),
        Just("multipart/mixed; boundary=-".to_owned()),
    ]
}

proptest! {
    #[test]
    fn soup_is_rewritten_as_the_dull_twin_does(body in soup(24), content_type in content_type()) {
        check(&body, &content_type)?;
    }

    #[test]
    fn framed_soup_is_rewritten_as_the_dull_twin_does(
        sections in proptest::collection::vec(soup(10), 0..4),
        lf in any::<bool>(),
        content_type in content_type(),
    ) {
        let boundary = ContentType::parse(&content_type).unwrap().boundary().unwrap().into_owned();
        let eol: &[u8] = if lf { b"\n" } else { b"\r\n" };
        let mut body = Vec::new();
        for section in sections {
            body.extend([b"--", &boundary[..], eol, &section, eol].concat());
        }
        body.extend([b"--", &boundary[..], b"--"].concat());
        check(&body, &content_type)?;
    }

    #[test]
    fn mutated_messages_are_rewritten_as_the_dull_twin_does(
        parts in proptest::collection::vec(message(), 1..4),
        lf in any::<bool>(),
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), 0_usize..4, token()), 0..4),
    ) {
        let mut names = ["bb", "a b", "b'()+_,-./:=?", "llm-vcr-1-boundary", "llm-vcr-boundary"].iter().cycle();
        let mut next = || (*names.next().unwrap()).to_owned();
        let mut body = write(&parts, "b", if lf { "\n" } else { "\r\n" }, lf, &mut next);
        for (place, removed, added) in changes {
            let start = place.index(body.len() + 1);
            let end = (start + removed).min(body.len());
            body.splice(start..end, added);
        }
        check(&body, "multipart/mixed; boundary=b")?;
    }

    #[test]
    fn only_the_boundaries_are_forgotten(
        parts in proptest::collection::vec(message(), 1..4),
        lf in any::<bool>(),
        salts in proptest::array::uniform2("[0-9a-zA-Z'()+_,./:=?-]{0,20}"),
    ) {
        let mut results = Vec::new();
        for salt in salts {
            let mut number = 0;
            let mut next = || {
                number += 1;
                format!("~{number}~{salt}")
            };
            let body = write(&parts, "~0~", if lf { "\n" } else { "\r\n" }, false, &mut next);
            results.push(rewritten(&body, "multipart/mixed; boundary=~0~").unwrap());
        }
        prop_assert_eq!(&results[0], &results[1]);
        let mut more = parts.clone();
        more.push(Message::Leaf(Vec::new()));
        let body = write(&more, "~0~", if lf { "\n" } else { "\r\n" }, false, &mut || "~1~".to_owned());
        prop_assert_ne!(&results[0], &rewritten(&body, "multipart/mixed; boundary=~0~").unwrap());
    }

    #[test]
    fn content_types_read_as_they_were_written(
        boundary in "[0-9a-zA-Z'()+_,./:=?-][ 0-9a-zA-Z'()+_,./:=?-]{0,68}[0-9a-zA-Z'()+_,./:=?-]",
        others in proptest::collection::vec(("[a-z]{1,5}", "[ -~]{0,8}"), 0..4),
        place in any::<proptest::sample::Index>(),
        style in 0..3,
        name in "[bB][oO][uU][nN][dD][aA][rR][yY]",
    ) {
        let quoted = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
        let (name, value, expected) = match style {
            0 => (name, quoted(&boundary), FIXED_BOUNDARY.to_owned()),
            1 => (name, boundary.clone(), FIXED_BOUNDARY.to_owned()),
            _ => {
                let encoded: Vec<_> = boundary.bytes().map(|b| format!("%{b:02x}")).collect();
                (format!("{name}*"), format!("utf-8'en'{}", encoded.concat()), format!("utf-8'en'{FIXED_BOUNDARY}"))
            }
        };
        let write = |value: &str| {
            let mut params: Vec<_> = others.iter().map(|(name, value)| format!("{name} = {}", quoted(value))).collect();
            params.insert(place.index(others.len() + 1), format!("{name}={value}"));
            format!("multipart/X-y ;{}", params.join(" ;  "))
        };
        let text = write(&value);
        let header = ContentType::parse(&text).unwrap();
        prop_assert_eq!(header.media_type(), "multipart/x-y");
        prop_assert_eq!(header.boundary().unwrap(), boundary.as_bytes());
        prop_assert_eq!(header.with_boundary(FIXED_BOUNDARY), write(&expected));
        for (index, (name, value)) in others.iter().enumerate() {
            if others.iter().position(|(other, _)| other == name) == Some(index) {
                prop_assert_eq!(header.param(name), Some(Cow::Borrowed(value.as_str())));
            }
        }
    }

    #[test]
    fn any_content_type_is_read_or_refused(
        start in proptest::sample::select(&["", "multipart/mixed", "multipart/mixed;", "multipart/"][..]),
        text in r#"([;="\\' \t\r\n*%0a1-]|; boundary=|;boundary\*=|;boundary\*[01]\*?=|utf-8''|b|é){0,12}"#,
    ) {
        let text = format!("{start}{text}");
        if let Ok(header) = ContentType::parse(&text) && header.boundary().is_ok() {
            let changed = header.with_boundary(FIXED_BOUNDARY).into_owned();
            let again = ContentType::parse(&changed).unwrap();
            prop_assert_eq!(again.boundary().unwrap(), FIXED_BOUNDARY.as_bytes(), "{} from {}", changed, text);
            prop_assert!(matches!(again.with_boundary(FIXED_BOUNDARY), Cow::Borrowed(same) if same == changed));
        }
    }

    /// Of different names, that is: which of two of one name stands first may say something.
    #[test]
    fn the_order_of_part_headers_does_not_count(
        parts in proptest::collection::vec((proptest::collection::vec(("[a-d]|[A-D]", "[a-z ]{0,4}(\r\n [a-z]{1,3})?"), 0..5), "[^\r\n]{0,6}"), 1..4),
        seed in any::<u64>(),
    ) {
        let key = |name: &str| (seed >> (u64::from(name.to_lowercase().as_bytes()[0] - b'a') * 8)) & 0xff;
        let form = |parts: &[(Vec<(String, String)>, String)]| {
            let mut out = Vec::new();
            for (headers, payload) in parts {
                out.extend_from_slice(b"--b\r\n");
                for (name, value) in headers {
                    out.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
                }
                out.extend_from_slice(format!("\r\n{payload}\r\n").as_bytes());
            }
            out.extend_from_slice(b"--b--\r\n");
            canonical(&out, Some("multipart/form-data; boundary=b"), &Rules::default(), false)
        };
        let mut shuffled = parts.clone();
        for (headers, _) in &mut shuffled {
            headers.sort_by_key(|(name, _)| key(name));
        }
        prop_assert_eq!(form(&shuffled), form(&parts));
        if let Some((_, value)) = shuffled[0].0.first_mut() {
            value.push('!');
            prop_assert_ne!(form(&shuffled), form(&parts));
        }
    }
}
