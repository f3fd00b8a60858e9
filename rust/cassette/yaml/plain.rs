//! What a plain scalar stands for under YAML 1.1, as `PyYAML`'s `SafeLoader` resolves it.

use std::borrow::Cow;

use super::Event;

/// The event for a plain scalar, or `None` for what only `PyYAML` knows what to do with (`<<` and `=`).
pub(super) fn resolve(text: Cow<'_, str>) -> Option<Event<'_>> {
    let value: &str = &text;
    match *value.as_bytes().first()? {
        b'~' if value.len() == 1 => return Some(Event::Null),
        b'<' if value == "<<" => return None,
        b'=' if value.len() == 1 => return None,
        b'n' | b'N' if matches!(value, "null" | "Null" | "NULL") => return Some(Event::Null),
        b'y' | b'Y' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'o' | b'O' => {
            if let Some(value) = boolean(value) {
                return Some(Event::Bool(value));
            }
        }
        b'0'..=b'9' | b'-' | b'+' | b'.' => {
            if let Some(number) = decimal(value) {
                return Some(Event::Int(number));
            }
            if may_be_number_or_date(value) {
                return Some(Event::Plain(text));
            }
        }
        _ => {}
    }
    Some(Event::Str(text))
}

fn boolean(value: &str) -> Option<bool> {
    match value {
        "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Some(true),
        "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => Some(false),
        _ => None,
    }
}

/// An integer in the form that Python writes; every other form (octal, hexadecimal, underscores, base 60) is left to `PyYAML`.
fn decimal(value: &str) -> Option<i64> {
    let digits = value.strip_prefix('-').unwrap_or(value).as_bytes();
    let plain = !digits.is_empty() && digits.len() <= 18 && digits.iter().all(u8::is_ascii_digit);
    if plain && (digits[0] != b'0' || digits.len() == 1) { value.parse().ok() } else { None }
}

/// Whether `PyYAML` might take it for a number or a date. Wrong guesses cost time only: it is asked.
fn may_be_number_or_date(value: &str) -> bool {
    const LETTERS: &[u8] = b"abcdefABCDEFxX_:.+-iInNtTzZ \t";
    value.bytes().all(|byte| byte.is_ascii_digit() || LETTERS.contains(&byte))
        // No form has two of them, but versions and addresses do.
        && value.bytes().filter(|&byte| byte == b'.').count() < 2
}
