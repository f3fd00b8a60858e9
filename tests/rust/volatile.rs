use std::borrow::Cow;
use std::fmt::Write as _;

use llm_vcr::error::{Error, ErrorKind};
use llm_vcr::volatile::{Patterns, mask};
use proptest::prelude::*;
use regex::bytes::Regex;

const TOKENS: [(&str, &str); 9] = [
    ("550e8400-e29b-41d4-a716-446655440000", "uuid"),
    ("abcdefab-cdef-abcd-efab-cdefabcdefab", "uuid"),
    ("ABCDEFABCDEF4BCDABCDEFABCDEFABCD", "uuid"),
    ("2026-11-21T10:24", "time"),
    ("2026-11-21 10:24:47.123456789+05:30", "time"),
    ("20261121T102447", "time"),
    ("1732185600", "epoch"),
    ("1732185600.123456", "epoch"),
    ("1732185600123456789", "epoch"),
];

fn masked(text: &str) -> Vec<u8> {
    mask(text.as_bytes(), &Patterns::none()).into_owned()
}

fn readable(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

#[test]
fn vectors() {
    let file: serde_json::Value = serde_json::from_str(include_str!("../vectors/volatile.json")).unwrap();
    let cases = file["cases"].as_array().unwrap();
    assert!(!cases.is_empty());
    for case in cases {
        let patterns: Vec<&str> =
            case["patterns"].as_array().into_iter().flatten().map(|pattern| pattern.as_str().unwrap()).collect();
        let (text, expected) = (case["text"].as_str().unwrap(), case["masked"].as_str().unwrap());
        let got = mask(text.as_bytes(), &Patterns::new(&patterns).unwrap());
        assert_eq!(readable(&got), readable(expected.as_bytes()), "{}", case["name"]);
        assert_eq!(matches!(got, Cow::Borrowed(_)), text == expected, "{}", case["name"]);
    }
}

/// The scan skips blocks that show no word of a token: wherever in a block a token begins, it must show one.
#[test]
fn every_token_is_found_at_every_alignment() {
    for (token, kind) in TOKENS {
        for before in 0..140 {
            for after in [0, 1, 5, 100] {
                let (before, after) = ("~".repeat(before), "~".repeat(after));
                let expected = format!("{before}\x1A{kind}\x1A{after}");
                assert_eq!(readable(&masked(&format!("{before}{token}{after}"))), readable(expected.as_bytes()));
            }
        }
    }
}

/// The two bytes before a token decide, also when a block ends between them.
#[test]
fn an_escape_before_a_token_is_a_boundary_at_every_alignment() {
    for (token, kind) in TOKENS {
        for before in 0..140 {
            let before = "~".repeat(before);
            for letter in ["b", "f", "n", "r", "t"] {
                let expected = format!("{before}\\{letter}\x1A{kind}\x1A");
                assert_eq!(readable(&masked(&format!("{before}\\{letter}{token}"))), readable(expected.as_bytes()));
            }
            let glued = format!("{before}/n{token}");
            assert_eq!(masked(&glued), glued.as_bytes());
        }
    }
}

/// A media token is met long after it opened, or behind thousands of other bytes of the look ahead.
#[test]
fn media_tokens_are_left_alone_wherever_they_stand() {
    let digest = "0123456789abcdef".repeat(4);
    for distance in [0, 1, 63, 64, 200, 2_040, 2_048, 5_000] {
        let filler = "~".repeat(distance);
        let mime = format!("{}1732185600", "x/".repeat(120));
        let text =
            format!("1732185600{filler}\x1Amedia {mime} 1732185600 {digest}{filler} 1732185600 \x1Amedia 1732185600");
        let expected = format!(
            "\x1Aepoch\x1A{filler}\x1Amedia {mime} 1732185600 {digest}{filler} \x1Aepoch\x1A \x1Amedia \x1Aepoch\x1A"
        );
        assert_eq!(readable(&masked(&text)), readable(expected.as_bytes()));
    }
}

#[test]
fn an_untouched_text_is_not_copied() {
    let text = "prose without anything volatile, 12 words, 3.14, 2026-11-21 and face:b00c ".repeat(100);
    assert!(
        matches!(mask(text.as_bytes(), &Patterns::none()), Cow::Borrowed(same) if std::ptr::eq(same, text.as_bytes()))
    );
}

#[test]
fn bytes_that_are_not_utf8_are_bytes() {
    assert_eq!(*mask(b"\xFF1732185600\xFF\x00", &Patterns::none()), *b"\xFF\x1Aepoch\x1A\xFF\x00");
}

#[test]
fn a_bad_pattern_is_named_by_its_index() {
    assert_eq!(Patterns::new(&["a+", "(b"]).unwrap_err(), Error::new(ErrorKind::BadPattern, 1));
}

#[test]
fn an_own_pattern_sees_each_stretch_by_itself() {
    let patterns = Patterns::new(&["^a|a$"]).unwrap();
    assert_eq!(readable(&mask(b"aba\x1Auuid\x1Aaca", &patterns)), {
        readable(b"\x1Amasked\x1Ab\x1Amasked\x1A\x1Auuid\x1A\x1Amasked\x1Ac\x1Amasked\x1A")
    });
}

/// The dull twin: kind after kind, every position of the text, every length, one regular expression for the whole token.
struct Dull {
    kinds: Vec<(Regex, &'static str)>,
    media: Regex,
}

impl Dull {
    fn new() -> Self {
        const DATE: &str = "(19|20|21)[0-9]{2}D(0[1-9]|1[0-2])D(0[1-9]|[12][0-9]|3[01])";
        const FRACTION: &str = "([.][0-9]{1,9}|,([0-9]{3}){1,3})?";
        const ZONE: &str = "([Zz]|[+-](0[0-9]|1[0-4])(:?[0-5][0-9])?)?";
        let (dashed, packed) = (DATE.replace('D', "-"), DATE.replace('D', ""));
        let (hour, minute, second) = ("([01][0-9]|2[0-3])", "[0-5][0-9]", "([0-5][0-9]|60)");
        let mut time = format!("{dashed}[Tt ]{hour}:{minute}(:{second}{FRACTION})?{ZONE}");
        write!(time, "|{packed}[Tt]{hour}{minute}{second}{FRACTION}{ZONE}").unwrap();
        let hex = "[0-9A-Fa-f]";
        let whole = |pattern: &str| Regex::new(&format!("(?-u)^(?:{pattern})$")).unwrap();
        Self {
            kinds: vec![
                (whole(&format!("{hex}{{8}}-{hex}{{4}}-{hex}{{4}}-{hex}{{4}}-{hex}{{12}}")), "uuid"),
                (whole(&format!("{hex}{{12}}[1467]{hex}{{3}}[89ABab]{hex}{{15}}")), "uuid"),
                (whole(&time), "time"),
                (whole("(1[1-9]|2[0-4])[0-9]{8}([.][0-9]{1,9}|([0-9]{3}){0,3})"), "epoch"),
            ],
            media: Regex::new("(?-u)^\x1Amedia [!-~]{1,255} [0-9]{1,20} [0-9A-Fa-f]{64}").unwrap(),
        }
    }

    fn mask(&self, text: &[u8]) -> Vec<u8> {
        self.kinds.iter().fold(text.to_vec(), |text, (regex, kind)| self.mask_kind(&text, regex, kind))
    }

    fn mask_kind(&self, text: &[u8], regex: &Regex, kind: &str) -> Vec<u8> {
        let mut out = Vec::new();
        let mut at = 0;
        while at < text.len() {
            if let Some(media) = self.media.find(&text[at..]) {
                out.extend_from_slice(media.as_bytes());
                at += media.len();
                continue;
            }
            let ends = (at + 10..=text.len().min(at + 40)).rev();
            let mut token_ends = ends.filter(|&end| {
                Self::begins(&text[..at], kind) && Self::ends(&text[end..], kind) && regex.is_match(&text[at..end])
            });
            if let Some(end) = token_ends.next() {
                out.extend_from_slice(format!("\x1A{kind}\x1A").as_bytes());
                at = end;
            } else {
                out.push(text[at]);
                at += 1;
            }
        }
        out
    }

    fn begins(before: &[u8], kind: &str) -> bool {
        let boundary = match before {
            [.., b'\\', b'b' | b'f' | b'n' | b'r' | b't'] | [] => true,
            [.., last] => !last.is_ascii_alphanumeric(),
        };
        let signed = match before {
            [.., b'+'] | [b'-'] | [.., b'0'..=b'9', b'.'] => true,
            [.., left, b'-'] => !(left.is_ascii_alphanumeric() || matches!(left, b'_' | 0x1A)),
            _ => false,
        };
        boundary && !(kind == "epoch" && signed)
    }

    fn ends(after: &[u8], kind: &str) -> bool {
        match after {
            [b'.', b'0'..=b'9', ..] => kind == "uuid",
            [b':', b'0'..=b'9', ..] => kind != "time",
            [first, ..] => !first.is_ascii_alphanumeric(),
            [] => true,
        }
    }
}

/// What stands in a text that is made to be misread: tokens, all but tokens, and what glues or parts them.
fn piece() -> impl Strategy<Value = String> {
    let written = |pattern: &str| proptest::string::string_regex(pattern).unwrap();
    let zone = "(Z|z|[+-][01][0-9](:?[0-6][0-9])?| UTC|[+]05:)?";
    let fraction = "([.,][0-9]{1,10})?";
    prop_oneof![
        3 => written("[0-9a-f]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-f]{12}"),
        1 => written("[0-9]{8}(-[0-9]{4}){3,4}-?[0-9a-g]{11,12}"),
        2 => written("[0-9a-fA-F]{12}[1-8][0-9a-f]{3}[7-9abAB][0-9a-f]{14,16}"),
        3 => written(&format!("(19|20|21|22)[0-9]{{2}}-[01][0-9]-[0-3][0-9][Tt _][0-2][0-9]:[0-6][0-9](:[0-6][0-9]{fraction})?{zone}")),
        2 => written(&format!("20[0-9]{{2}}[01][0-9][0-3][0-9][Tt ][0-2][0-9][0-5][0-9][0-6][0-9]{fraction}{zone}")),
        3 => written(&format!("[-+.]?[12][0-9]{{9}}([0-9]{{3}}){{0,3}}{fraction}(e5)?")),
        1 => written("[0-9]{1,20}"),
        2 => written("\x1A(media (x/)?(1732185600|[a-z]{0,12}) (1732185600|[0-9]{0,3}) [0-9a-f]{63,65}|uuid\x1A)?"),
        5 => written("[-_.,:/ =+1a\\\\\"\u{e9}]{0,2}"),
        2 => written("\\\\{1,2}[bfnrtuv]"),
        1 => written("[ ~z]{0,80}"),
    ]
}

proptest! {
    #[test]
    fn dense_text_is_masked_as_the_dull_twin_masks_it(pieces in prop::collection::vec(piece(), 1..10)) {
        let text = pieces.concat();
        prop_assert_eq!(readable(&masked(&text)), readable(&Dull::new().mask(text.as_bytes())));
    }

    #[test]
    fn damaged_text_is_masked_as_the_dull_twin_masks_it(
        pieces in prop::collection::vec(piece(), 1..6),
        damage in prop::collection::vec((any::<prop::sample::Index>(), prop::sample::select(b"0129-.:T,aZ \\n\x1A\xFF".to_vec())), 1..4),
    ) {
        let mut text = pieces.concat().into_bytes();
        for (index, byte) in damage {
            if !text.is_empty() {
                let at = index.index(text.len());
                text[at] = byte;
            }
        }
        prop_assert_eq!(readable(&mask(&text, &Patterns::none())), readable(&Dull::new().mask(&text)));
    }

    #[test]
    fn own_patterns_take_any_bytes(text in prop::collection::vec(any::<u8>(), 0..200), pattern in "[a-c.*+?^$|]{1,6}") {
        if let Ok(patterns) = Patterns::new(&[pattern]) {
            let masked = mask(&text, &patterns);
            // What is not masked stays, in its order: without the placeholders the rest is a subsequence of the text.
            let rest = Regex::new("(?-u)\x1A(masked|uuid|time|epoch)\x1A").unwrap().replace_all(&masked, &b""[..]).into_owned();
            let mut left = text.iter();
            prop_assert!(rest.iter().all(|byte| left.any(|other| other == byte)));
        }
    }
}
