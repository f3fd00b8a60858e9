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
    let mut index = 0;
    while index < 256 {
        #[expect(clippy::cast_possible_truncation, reason = "the index of a table of 256 is a byte")]
        let byte = index as u8;
        if byte.is_ascii_alphanumeric() {
            table[index] |= ALNUM;
        }
        if byte.is_ascii_hexdigit() {
            table[index] |= HEX;
        }
        if byte.is_ascii_digit() {
            table[index] |= DIGIT;
        }
        index += 1;
    }
    table
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
    if *rest.get(4)? == b'-' {
        extended_time(text, at, rest.first_chunk()?)
    } else {
        basic_time(text, at, rest.first_chunk()?)
    }
}

/// `2026-11-21T10:24` and what may follow.
fn extended_time(text: &[u8], at: usize, token: &[u8; 16]) -> Option<usize> {
    let shaped = matches!(token[10], b'T' | b't' | b' ') && has_shape(token, b"0000-00-00*00:00", b"2999-19-39*29:59");
    if !(shaped && is_date(pair(token, 0), pair(token, 5), pair(token, 8)) && pair(token, 11) < 24) {
        return None;
    }
    let end = at + 16;
    if text.get(end) == Some(&b':') && pair(text, end + 1) <= 60 && uuid(text, end + 1).is_none() {
        time_fraction(text, end + 3)
    } else {
        time_zone(text, end)
    }
}

/// `20261121T102447` and what may follow.
fn basic_time(text: &[u8], at: usize, token: &[u8; 15]) -> Option<usize> {
    let shaped = matches!(token[8], b'T' | b't') && has_shape(token, b"00000000*000000", b"29991939*295969");
    if !(shaped
        && is_date(pair(token, 0), pair(token, 4), pair(token, 6))
        && pair(token, 9) < 24
        && pair(token, 13) <= 60)
    {
        return None;
    }
    time_fraction(text, at + 15)
}

fn is_date(century: u8, month: u8, day: u8) -> bool {
    (19..=21).contains(&century) && (1..=12).contains(&month) && (1..=31).contains(&day)
}

/// Whether every byte of `token` is between those of `least` and `most`, `*` being any. Vectorised, where a test per field is not.
#[inline]
fn has_shape<const N: usize>(token: &[u8; N], least: &[u8; N], most: &[u8; N]) -> bool {
    (0..N).fold(true, |good, index| {
        good & ((least[index] == b'*') | (token[index].wrapping_sub(least[index]) <= most[index] - least[index]))
    })
}

/// The value of the two digits at `at`, or 255 where there are none.
#[inline]
fn pair(text: &[u8], at: usize) -> u8 {
    let (Some(&tens), Some(&ones)) = (text.get(at), text.get(at + 1)) else { return u8::MAX };
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
    let minutes = |at| pair(text, at) < 60;
    let lengths: &[usize] = match text.get(at) {
        Some(b'Z' | b'z') => &[1],
        Some(b'+' | b'-') if pair(text, at + 1) < 15 => match text.get(at + 3) {
            Some(b':') if minutes(at + 4) => &[6, 3, 0],
            _ if minutes(at + 3) => &[5, 0],
            _ => &[3, 0],
        },
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
    let decade = pair(text, at);
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

/// How many digits stand at `at`, or some number above 20 where there are more: no token has so many.
fn digits(text: &[u8], at: usize) -> usize {
    let mut count = 0;
    while count <= 20 {
        let rest = text.get(at + count..).unwrap_or_default();
        let Some(word) = rest.first_chunk() else {
            return count + rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        };
        // A digit xor '0' is 0 to 9, and stays below 16 with 6 added; what another byte carries falls on those after it.
        let word = u64::from_le_bytes(*word) ^ 0x3030_3030_3030_3030;
        let others = (word | word.wrapping_add(0x0606_0606_0606_0606)) & 0xF0F0_F0F0_F0F0_F0F0;
        if others != 0 {
            return count + others.trailing_zeros() as usize / 8;
        }
        count += 8;
    }
    count
}
