//! The boundaries we write: the same for the same body, whatever random one it came with.
//!
//! `llm-vcr-boundary` for the body, `llm-vcr-1-boundary`, `llm-vcr-2-boundary`… for the multiparts in it, in their
//! order. Where a line of a payload starts like one of these, all of them become `llm-vcr-x1-boundary`,
//! `llm-vcr-x1-1-boundary`… (then `x2`, and so on). No name starts with another one, because RFC 2046, section 5.1.1,
//! lets a reader compare the beginning of a line only.

use std::borrow::Cow;

/// The boundary that every multipart body gets, unless its own payload speaks against it.
pub const FIXED_BOUNDARY: &str = "llm-vcr-boundary";

/// What all our boundaries start with.
pub(super) const STEM: &[u8] = b"llm-vcr-";
const END: &[u8] = b"boundary";

/// The boundary of multipart `number` (0 is the body itself) in `series` (0 unless a payload speaks against it).
pub(super) fn boundary(series: usize, number: usize) -> Cow<'static, str> {
    match (series, number) {
        (0, 0) => FIXED_BOUNDARY.into(),
        (0, _) => format!("llm-vcr-{number}-boundary").into(),
        (_, 0) => format!("llm-vcr-x{series}-boundary").into(),
        _ => format!("llm-vcr-x{series}-{number}-boundary").into(),
    }
}

/// The first series that none of `lines` (each from its `--` on) starts with a boundary of.
pub(super) fn free_series<'a>(lines: impl Iterator<Item = &'a [u8]>) -> usize {
    let mut taken: Vec<usize> = lines.filter_map(series_of).collect();
    taken.sort_unstable();
    taken.dedup();
    taken.iter().enumerate().find_map(|(free, &series)| (free != series).then_some(free)).unwrap_or(taken.len())
}

fn series_of(line: &[u8]) -> Option<usize> {
    let rest = line.strip_prefix(b"--")?.strip_prefix(STEM)?;
    let (series, rest) = match rest.strip_prefix(b"x") {
        Some(rest) => number(rest)?,
        None => (0, rest),
    };
    let rest = number(rest).map_or(rest, |(_, rest)| rest);
    rest.starts_with(END).then_some(series)
}

/// The number before the `-`, and what follows it. Nine digits are more than any body has lines.
fn number(text: &[u8]) -> Option<(usize, &[u8])> {
    let digits = text.iter().take(10).position(|&b| b == b'-').filter(|&length| length > 0)?;
    let value = text[..digits].iter().try_fold(0, |value, b| match b {
        b'0'..=b'9' => Some(value * 10 + usize::from(b - b'0')),
        _ => None,
    })?;
    Some((value, &text[digits + 1..]))
}
