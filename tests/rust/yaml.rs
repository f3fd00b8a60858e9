//! YAML of cassette files: what is written is read back as it was, and what is damaged is left to others.

use base64_simd::STANDARD;
use llm_vcr::cassette::yaml::{Event, read, write};
use proptest::prelude::*;

/// The bytes of a `!!binary` in `text`, or `None` where the reader leaves it to others.
fn binary(text: &str) -> Option<Vec<u8>> {
    let events = read(text.as_bytes())?;
    let [Event::Map(1), Event::Str(key), Event::Binary(digits)] = events.as_slice() else {
        panic!("{text:?}: {events:?}")
    };
    assert_eq!(key, "k");
    let mut out = vec![0; digits.decoded_len()?];
    digits.decode(&mut out)?;
    Some(out)
}

/// The same the dull way: white space out, then all at once.
fn dull(digits: &str) -> Option<Vec<u8>> {
    let digits: String = digits.split_ascii_whitespace().collect();
    STANDARD.decode_to_vec(digits.as_bytes()).ok()
}

fn block(digits: &str, width: usize, indent: usize) -> String {
    let mut text = String::from("k: !!binary |\n");
    for line in digits.as_bytes().chunks(width) {
        text.extend(std::iter::repeat_n(' ', indent));
        text.push_str(std::str::from_utf8(line).unwrap());
        text.push('\n');
    }
    text
}

proptest! {
    #[test]
    fn bytes_are_read_as_they_were_written(bytes in prop::collection::vec(any::<u8>(), 1..2000), indent in 0..12_usize) {
        let mut text = String::from("k: ");
        write::binary(&mut text, &bytes, indent);
        text.push('\n');
        prop_assert_eq!(binary(&text), Some(bytes));
    }

    #[test]
    fn lines_of_any_length_are_put_together(
        bytes in prop::collection::vec(any::<u8>(), 1..40_000), width in 1..200_usize, indent in 1..9_usize
    ) {
        let text = block(&STANDARD.encode_to_string(&bytes), width, indent);
        prop_assert_eq!(binary(&text), Some(bytes));
    }

    #[test]
    fn other_styles_are_read_the_same(bytes in prop::collection::vec(any::<u8>(), 1..200)) {
        let digits = STANDARD.encode_to_string(&bytes);
        for text in [format!("k: !!binary '{digits}'\n"), format!("k: !!binary \"{digits}\"\n"), format!("k: !!binary >\n  {digits}\n")] {
            prop_assert_eq!(binary(&text), Some(bytes.clone()), "{}", text);
        }
    }

    #[test]
    fn damage_is_never_read_as_something_else(
        bytes in prop::collection::vec(any::<u8>(), 1..300), at in any::<prop::sample::Index>(), letter in "[A-Za-z=+/ -]"
    ) {
        let mut digits = STANDARD.encode_to_string(&bytes);
        let at = at.index(digits.len());
        digits.replace_range(at..=at, &letter);
        let text = block(&digits, 76, 4);
        // A space that begins a line is indentation, which is for the whole block to tell.
        if let Some(read) = binary(&text) {
            prop_assert_eq!(Some(read), dull(&digits));
        }
    }

    #[test]
    fn texts_are_read_as_they_were_written(value in "[ -~\\n\\té☀]{0,60}", indent in 0..8_usize) {
        let mut text = String::from("k: ");
        write::text(&mut text, &value, indent);
        text.push('\n');
        let events = read(text.as_bytes());
        let expected = [Event::Map(1), Event::Str("k".into()), Event::Str(value.as_str().into())];
        prop_assert_eq!(events.as_deref(), Some(expected.as_slice()), "{}", text);
    }
}

#[test]
fn padding_ends_the_digits() {
    // The last of them is indented more: its spaces are text.
    for digits in ["QQ==QQ==", "QQ=", "=", "QQ==\n  QUJD", "Q", "QUJDQUJD\n    QQ=="] {
        assert_eq!(binary(&format!("k: !!binary |\n  {digits}\n")), None, "{digits}");
    }
    assert_eq!(binary("k: !!binary |\n  QUJD\n\n  QQ==\n"), Some(b"ABCA".to_vec()));
    assert_eq!(binary("k: !!binary ''\n"), Some(Vec::new()));
}

#[test]
fn long_lines_take_more_than_one_turn() {
    let bytes: Vec<u8> = (0..100_000_u32).map(|n| (n % 251) as u8).collect();
    let digits = STANDARD.encode_to_string(&bytes);
    assert_eq!(binary(&format!("k: !!binary |\n  {digits}\n")), Some(bytes.clone()));
    assert_eq!(
        binary(&format!("k: !!binary |\n  {}=\n", &digits[..digits.len() - 1])),
        dull(&format!("{}=", &digits[..digits.len() - 1]))
    );
}

#[test]
fn what_is_no_block_of_a_dumper_is_left_to_others() {
    for text in ["k: !!binary |\n  QUJD", "k: !!binary |\n\tQUJD\n", "k: !!binary 5\n", "k: !!binary |x\n  QUJD\n"] {
        assert!(read(text.as_bytes()).is_none_or(|events| !matches!(events[..], [_, _, Event::Int(_)])), "{text:?}");
    }
    assert_eq!(read(b"k: !!binary |\n  QUJD"), None, "cut off");
    assert_eq!(read(b"k: !!set\n  a:\n"), None);
}
