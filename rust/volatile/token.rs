//! The grammar of the built-in tokens: what begins at one position of a text.

/// The kind of a built-in token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Uuid,
    Time,
    Epoch,
}

const ALNUM: u8 = 1;
const HEX: u8 = 2;
const DIGIT: u8 = 4;

static CLASS: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0u8;
    loop {
        table[byte as usize] = (byte.is_ascii_alphanumeric() as u8) * ALNUM
            | (byte.is_ascii_hexdigit() as u8) * HEX
            | (byte.is_ascii_digit() as u8) * DIGIT;
        if byte == u8::MAX {
            break table;
        }
        byte += 1;
    }
};

fn is(class: u8, text: &[u8], at: usize) -> bool {
    text.get(at).is_some_and(|&byte| CLASS[usize::from(byte)] & class != 0)
}

/// Whether a token may begin at `at`: a hex digit stands there, and a boundary before it.
#[inline]
pub(super) fn may_begin(text: &[u8], at: usize) -> bool {
    if !is(HEX, text, at) {
        return false;
    }
    let Some(before) = at.checked_sub(1) else { return true };
    !is(ALNUM, text, before)
        || (at >= 2 && text[at - 2] == b'\\' && matches!(text[before], b'b' | b'f' | b'n' | b'r' | b't'))
}

/// The token that begins at `at`, where it [may begin](may_begin), and its end. `after` is the end of the token before.
#[inline]
pub(super) fn token_at(text: &[u8], at: usize, after: usize) -> Option<(Kind, usize)> {
    if let Some(end) = uuid(text, at) {
        return Some((Kind::Uuid, end));
    }
    // Years and epochs alike: every other token begins so.
    if !matches!(text.get(at), Some(b'1' | b'2')) {
        return None;
    }
    if let Some(end) = time(text, at) {
        return Some((Kind::Time, end));
    }
    epoch(text, at, after).map(|end| (Kind::Epoch, end))
}

/// How many of `bytes` are hex digits. Without a branch, so that the compiler vectorises it.
fn count_hex(bytes: &[u8]) -> u8 {
    bytes.iter().map(|&byte| u8::from((byte.wrapping_sub(b'0') < 10) | ((byte | 0x20).wrapping_sub(b'a') < 6))).sum()
}

fn uuid(text: &[u8], at: usize) -> Option<usize> {
    let rest = text.get(at..)?;
    let end = if *rest.get(8)? == b'-' {
        let token = rest.first_chunk::<36>()?;
        let hyphens = token[13] == b'-' && token[18] == b'-' && token[23] == b'-';
        (hyphens && count_hex(token) == 32).then_some(at + 36)?
    } else {
        let token = rest.first_chunk::<32>()?;
        let version = matches!(token[12], b'1' | b'4' | b'6' | b'7');
        let variant = matches!(token[16], b'8' | b'9' | b'a' | b'b' | b'A' | b'B');
        (version && variant && count_hex(token) == 32).then_some(at + 32)?
    };
    (!is(ALNUM, text, end)).then_some(end)
}

fn time(text: &[u8], at: usize) -> Option<usize> {
    let rest = text.get(at..)?;
    if *rest.get(4)? == b'-' { extended_time(text, at, rest.first_chunk()?) } else { basic_time(text, at, rest.first_chunk()?) }
}

/// `2026-11-21T10:24` and what may follow.
fn extended_time(text: &[u8], at: usize, token: &[u8; 16]) -> Option<usize> {
    let [y, y1, y2, y3, b'-', m, m1, b'-', d, d1, b'T' | b't' | b' ', h, h1, b':', min, min1] = *token else { return None };
    if !(is_date([y, y1, y2, y3, m, m1, d, d1]) && pair(h, h1) < 24 && pair(min, min1) < 60) {
        return None;
    }
    let end = at + 16;
    match *text.get(end..).unwrap_or_default() {
        [b':', s, s1, ..] if pair(s, s1) <= 60 && uuid(text, end + 1).is_none() => time_fraction(text, end + 3),
        _ => time_zone(text, end),
    }
}

/// `20261121T102447` and what may follow.
fn basic_time(text: &[u8], at: usize, token: &[u8; 15]) -> Option<usize> {
    let [y, y1, y2, y3, m, m1, d, d1, b'T' | b't', h, h1, min, min1, s, s1] = *token else { return None };
    let clock = pair(h, h1) < 24 && pair(min, min1) < 60 && pair(s, s1) <= 60;
    if clock && is_date([y, y1, y2, y3, m, m1, d, d1]) { time_fraction(text, at + 15) } else { None }
}

fn is_date([y, y1, y2, y3, m, m1, d, d1]: [u8; 8]) -> bool {
    (19..=21).contains(&pair(y, y1))
        && pair(y2, y3) < 100
        && (1..=12).contains(&pair(m, m1))
        && (1..=31).contains(&pair(d, d1))
}

/// The value of two digits, or 255.
fn pair(tens: u8, ones: u8) -> u8 {
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    if tens < 10 && ones < 10 { tens * 10 + ones } else { u8::MAX }
}

/// The end of a date-time whose seconds end at `at`.
fn time_fraction(text: &[u8], at: usize) -> Option<usize> {
    match text.get(at) {
        Some(b'.') if is(DIGIT, text, at + 1) && uuid(text, at + 1).is_none() => match digits(text, at + 1) {
            count @ 1..=9 => time_zone(text, at + 1 + count),
            _ => None,
        },
        // Python's logging writes `,123`. Other counts are the next field of a comma-separated line: `…:47,2026-11-21T…`.
        Some(b',') if matches!(digits(text, at + 1), 3 | 6 | 9) => {
            time_zone(text, at + 1 + digits(text, at + 1)).or_else(|| time_zone(text, at))
        }
        _ => time_zone(text, at),
    }
}

/// The end of a date-time whose clock ends at `at`.
fn time_zone(text: &[u8], at: usize) -> Option<usize> {
    let lengths: &[usize] = match *text.get(at..).unwrap_or_default() {
        [b'Z' | b'z', ..] => &[1],
        [b'+' | b'-', h, h1, b':', m, m1, ..] if pair(h, h1) < 15 && pair(m, m1) < 60 => &[6, 3, 0],
        [b'+' | b'-', h, h1, m, m1, ..] if pair(h, h1) < 15 && pair(m, m1) < 60 => &[5, 0],
        [b'+' | b'-', h, h1, ..] if pair(h, h1) < 15 => &[3, 0],
        _ => &[0],
    };
    lengths.iter().map(|length| at + length).find(|&end| ends_time(text, end))
}

fn ends_time(text: &[u8], end: usize) -> bool {
    match text.get(end) {
        Some(b'.' | b':') if is(DIGIT, text, end + 1) => uuid(text, end + 1).is_some(),
        _ => !is(ALNUM, text, end),
    }
}

fn epoch(text: &[u8], at: usize, after: usize) -> Option<usize> {
    let decade = pair(*text.get(at)?, *text.get(at + 1)?);
    let count = digits(text, at);
    if !((11..25).contains(&decade) && matches!(count, 10 | 13 | 16 | 19) && begins_epoch(text, at, after)) {
        return None;
    }
    let end = at + count;
    if ends_epoch(text, end) {
        return Some(end);
    }
    if count != 10 || text.get(end) != Some(&b'.') {
        return None;
    }
    let fraction = digits(text, end + 1);
    let end = end + 1 + fraction;
    ((1..=9).contains(&fraction) && ends_epoch(text, end)).then_some(end)
}

fn begins_epoch(text: &[u8], at: usize, after: usize) -> bool {
    match *text.get(..at).unwrap_or_default() {
        [.., b'+'] | [b'-'] => false,
        [.., before, b'-'] => matches!(before, b'_' | super::sentinel::SENTINEL) || is(ALNUM, text, at - 2),
        [.., before, b'.'] => !before.is_ascii_digit() || at - 1 == after,
        _ => true,
    }
}

fn ends_epoch(text: &[u8], end: usize) -> bool {
    match text.get(end) {
        Some(b'.') if is(DIGIT, text, end + 1) => uuid(text, end + 1).is_some() || time(text, end + 1).is_some(),
        _ => !is(ALNUM, text, end),
    }
}

/// How many digits stand at `at`, counted to 20 at most: no token has so many.
fn digits(text: &[u8], at: usize) -> usize {
    text.get(at..).unwrap_or_default().iter().take(20).take_while(|byte| byte.is_ascii_digit()).count()
}
