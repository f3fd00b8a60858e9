//! Two forms (`application/x-www-form-urlencoded`), field by field.

use std::borrow::Cow;
use std::collections::HashMap;

use super::cause::Cause;
use super::json::{means, role};
use super::mismatch::Mismatch;
use super::{text, window};
use crate::body::Rules;

/// The first difference between two forms that are not equal byte for byte.
pub(super) fn compare(a: &[u8], b: &[u8], rules: &Rules) -> Mismatch {
    let (left, right) = (fields(a), fields(b));
    let mut counts: HashMap<&[u8], i64> = HashMap::new();
    for field in &left {
        *counts.entry(&field.name).or_default() += 1;
    }
    for field in &right {
        *counts.entry(&field.name).or_default() -= 1;
    }
    let added = left.iter().find(|field| counts.get(&*field.name).is_some_and(|count| *count > 0));
    let removed = right.iter().find(|field| counts.get(&*field.name).is_some_and(|count| *count < 0));
    if let Some(field) = added.or(removed) {
        let cause = if added.is_some() { Cause::AddedKey } else { Cause::RemovedKey };
        let mut mismatch = at(role(&[&field.name]).unwrap_or(cause), field);
        let missing = "(missing)".to_owned();
        let shown = shown(field);
        (mismatch.left, mismatch.right) = if added.is_some() { (shown, missing) } else { (missing, shown) };
        return mismatch;
    }
    let pairs = || left.iter().zip(&right);
    if let Some((x, y)) = pairs().find(|(x, y)| x.name != y.name) {
        let mut mismatch = at(Cause::ArrayOrder, x);
        mismatch.left = window::from_start(&x.name);
        mismatch.right = window::from_start(&y.name);
        return mismatch;
    }
    let mut found: Vec<(Cause, &Field<'_>, &Field<'_>)> =
        pairs().filter(|(x, y)| x.value != y.value).map(|(x, y)| (value_cause(x, y, rules), x, y)).collect();
    if found.is_empty() {
        // Another spelling of the same fields: `+` and `%20`, say.
        let mut mismatch = Mismatch::at(Cause::Text, None);
        text::show(&mut mismatch, a, b);
        return mismatch;
    }
    let headline = found.iter().position(|(cause, ..)| !cause.is_overlooked()).unwrap_or(0);
    let (cause, x, y) = found.remove(headline);
    let mut mismatch = at(cause, x);
    if cause == Cause::Credential {
        (mismatch.left, mismatch.right) = (shown(x), shown(y));
    } else {
        text::show(&mut mismatch, &x.value, &y.value);
    }
    mismatch.other_count = found.len();
    let named = found.iter().take(super::mismatch::OTHERS_NAMED);
    mismatch.others = named.map(|(cause, field, _)| (window::from_start(&field.name), *cause)).collect();
    mismatch
}

fn at(cause: Cause, field: &Field<'_>) -> Mismatch {
    Mismatch { ignorable: false, ..Mismatch::at(cause, Some(window::from_start(&field.name))) }
}

fn value_cause(x: &Field<'_>, y: &Field<'_>, rules: &Rules) -> Cause {
    if window::is_secret(&x.name, &x.value) || window::is_secret(&y.name, &y.value) {
        return Cause::Credential;
    }
    match text::cause_of(&x.value, &y.value, &rules.patterns) {
        Cause::Text => role(&[&x.name]).filter(|role| means(*role, Cause::Text, &[&x.name])).unwrap_or(Cause::Text),
        cause => cause,
    }
}

fn shown(field: &Field<'_>) -> String {
    if window::is_secret(&field.name, &field.value) {
        "[credential]".to_owned()
    } else {
        window::from_start(&field.value)
    }
}

struct Field<'a> {
    name: Cow<'a, [u8]>,
    value: Cow<'a, [u8]>,
}

fn fields(form: &[u8]) -> Vec<Field<'_>> {
    let field = |pair| {
        let mut halves = <[u8]>::splitn(pair, 2, |byte| *byte == b'=');
        let mut half = || decode(halves.next().unwrap_or_default());
        Field { name: half(), value: half() }
    };
    form.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()).map(field).collect()
}

/// `+` and percent escapes decoded (WHATWG URL, section 5.1).
fn decode(text: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr2(b'+', b'%', text).is_none() {
        return Cow::Borrowed(text);
    }
    let digit =
        |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16)).and_then(|d| u8::try_from(d).ok());
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        match (byte, digit(text.get(at + 1)), digit(text.get(at + 2))) {
            (b'%', Some(high), Some(low)) => {
                out.push(high << 4 | low);
                at += 3;
                continue;
            }
            (b'+', ..) => out.push(b' '),
            _ => out.push(*byte),
        }
        at += 1;
    }
    Cow::Owned(out)
}
