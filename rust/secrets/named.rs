//! Credentials known by the name of the member, parameter, header or variable they are the value of.
//!
//! Found in JSON at any depth of quoting, forms, queries, headers, YAML, multipart form data, environment files, Python and SQL
//! sources. A bare value (`password: hello`) has to look drawn at random; a quoted one only must not be a stand-in.

use std::ops::Range;
use std::sync::LazyLock;

use regex::bytes::Regex;

use super::shape::{is_random, is_stand_in, is_word, run_end, trailing_backslashes};
use super::{Hit, any_of, find_each, token};

/// Two searches of ten: up to ten literals `regex` looks for whole ones, from eleven on for their beginnings and asks a DFA about each.
static LITERALS: LazyLock<[Option<Regex>; 2]> = LazyLock::new(|| {
    [
        any_of([
            "key",
            "Key",
            "KEY",
            "sig=",
            "SIG=",
            "Sig=",
            "ignature=",
            "redential=",
            "uthorization",
            "UTHORIZATION",
        ]),
        any_of(["token", "Token", "TOKEN", "secret", "Secret", "SECRET", "passw", "Passw", "PASSW", "passphrase"]),
    ]
});

/// Puts a hit for each credential that a name gives away.
pub(super) fn find(text: &[u8], hits: &mut Vec<Hit>) {
    for literals in LITERALS.iter() {
        find_each(literals.as_ref(), text, hits, at);
    }
}

/// What a name says about its value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Class {
    /// A key or token made by a machine.
    Key,
    /// A word made by a person: may be short, may have no digit.
    Password,
    /// A scheme and a credential (RFC 9110, section 11.6.2).
    Authorization,
    /// A signature of a URI: a credential as a query parameter only; elsewhere (`thoughtSignature`) it is content.
    Signature,
}

/// Ends of names, in lower case without `-` and `_`. Not just any `…token`: `next_page_token` and `stop_token` are content.
const NAMES: [(&str, &str, Class); 55] = [
    ("mistralapikey", "mistral", Class::Key),
    ("cohereapikey", "cohere", Class::Key),
    ("coapikey", "cohere", Class::Key),
    ("togetherapikey", "together", Class::Key),
    ("azureopenaiapikey", "azure-api-key", Class::Key),
    ("secretaccesskey", "aws-secret-access-key", Class::Key),
    ("subscriptionkey", "azure-api-key", Class::Key),
    ("apikey", "api-key", Class::Key),
    ("apisecret", "api-key", Class::Key),
    ("apitoken", "api-key", Class::Key),
    ("accesskey", "access-key", Class::Key),
    ("accountkey", "access-key", Class::Key),
    ("functionskey", "access-key", Class::Key),
    ("masterkey", "access-key", Class::Key),
    ("signingkey", "access-key", Class::Key),
    ("encryptionkey", "access-key", Class::Key),
    ("authkey", "access-key", Class::Key),
    ("secretkey", "access-key", Class::Key),
    ("privatekey", "private-key", Class::Key),
    ("accesstoken", "access-token", Class::Key),
    ("refreshtoken", "refresh-token", Class::Key),
    ("idtoken", "id-token", Class::Key),
    ("authtoken", "access-token", Class::Key),
    ("bearertoken", "access-token", Class::Key),
    ("oauthtoken", "access-token", Class::Key),
    ("sessiontoken", "session-token", Class::Key),
    ("securitytoken", "session-token", Class::Key),
    ("hftoken", "access-token", Class::Key),
    ("hubtoken", "access-token", Class::Key),
    ("githubtoken", "access-token", Class::Key),
    ("ghtoken", "access-token", Class::Key),
    ("gitlabtoken", "access-token", Class::Key),
    ("npmtoken", "access-token", Class::Key),
    ("slacktoken", "access-token", Class::Key),
    ("bottoken", "access-token", Class::Key),
    ("databrickstoken", "access-token", Class::Key),
    ("replicatetoken", "access-token", Class::Key),
    ("usertoken", "access-token", Class::Key),
    ("csrftoken", "access-token", Class::Key),
    ("clientassertion", "client-secret", Class::Key),
    ("clientsecret", "client-secret", Class::Key),
    ("webhooksecret", "webhook-secret", Class::Key),
    ("secret", "secret", Class::Key),
    ("secretstring", "secret", Class::Key),
    ("secretvalue", "secret", Class::Key),
    ("password", "password", Class::Password),
    ("passwd", "password", Class::Password),
    ("passphrase", "password", Class::Password),
    ("xamzcredential", "aws-access-key-id", Class::Signature),
    ("xgoogcredential", "google-credential", Class::Signature),
    ("xamzsignature", "signature", Class::Signature),
    ("xgoogsignature", "signature", Class::Signature),
    ("signature", "signature", Class::Signature),
    ("sig", "azure-sas", Class::Signature),
    ("authorization", "authorization", Class::Authorization),
];

/// What `name` says about its value: a kind and a class, or nothing.
pub(super) fn class(name: &[u8]) -> Option<(&'static str, Class)> {
    let mut folded = [0; LONGEST_NAME * 2];
    let mut length = 0;
    for byte in name.iter().filter(|byte| byte.is_ascii_alphanumeric()) {
        *folded.get_mut(length)? = byte.to_ascii_lowercase();
        length += 1;
    }
    let folded = &folded[..length];
    // The last byte first: most names end in another one, and a comparison of one byte is no call.
    let last = folded.last()?;
    let is_it = |end: &str| end.as_bytes().last() == Some(last) && folded.ends_with(end.as_bytes());
    NAMES.iter().find(|(end, ..)| is_it(end)).map(|&(_, kind, class)| (kind, class))
}

/// The longest name looked at, to either side of what was searched for.
const LONGEST_NAME: usize = 64;

/// The longest value in quotes looked at, in bytes.
const LONGEST_VALUE: usize = 16 * 1024;

fn at(text: &[u8], start: usize, end: usize) -> Option<Hit> {
    let left = &text[start.saturating_sub(LONGEST_NAME)..start];
    let start = start - left.iter().rev().take_while(|&&byte| is_word(byte)).count();
    let right = &text[end..text.len().min(end + LONGEST_NAME)];
    let name_end = if text.get(end - 1) == Some(&b'=') { end - 1 } else { end + run_end(right, 0, is_word) };
    // What follows is the cheaper question: in prose, a blank and a word.
    let gap = separator(text, name_end)?;
    let (kind, class) = class(&text[start..name_end])?;
    let found = value(text, start, &gap, class)?;
    let range = credential(text, found, class)?;
    let kind = token::at(text, range.start).map_or(kind, |(kind, _)| kind);
    Some(Hit::new(kind, range.start, range.end))
}

/// What stands between a name and its value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// `:`, as in JSON, YAML and headers, or spaced `=`.
    Member,
    /// `=` right after the name: a form, a query, an environment file.
    Parameter,
    /// A part of multipart form data (RFC 7578): the value begins after an empty line.
    Part,
}

/// What stands between a name and its value.
struct Gap {
    place: Place,
    /// The quote behind the name.
    name_quote: Option<Quote>,
    /// Where the value, or white space and quotes before it, begins.
    after: usize,
}

/// What separates the name that ends at `at` from its value.
fn separator(text: &[u8], at: usize) -> Option<Gap> {
    let name_quote = quote(text, at);
    let name_end = name_quote.as_ref().map_or(at, |quote| quote.after);
    let rest = &text[name_end..];
    if name_quote.is_some() && (rest.starts_with(b"\r\n") || rest.starts_with(b"; ")) {
        let head = &rest[..rest.len().min(512)];
        let empty = memchr::memmem::find(head, b"\r\n\r\n")?;
        return Some(Gap { place: Place::Part, name_quote, after: name_end + empty + 4 });
    }
    let next = run_end(text, name_end, |byte| matches!(byte, b' ' | b'\t'));
    let (place, length) = match text.get(next..)? {
        [b'=', b'=' | b'~', ..] => return None,
        [b'=', b'>', ..] | [b':', b'=', ..] => (Place::Member, 2),
        [b'=', ..] if next == at => (Place::Parameter, 1),
        [b':' | b'=', ..] => (Place::Member, 1),
        [b'%', b'3', b'A' | b'a', ..] => (Place::Member, 3),
        [b'%', b'3', b'D' | b'd', ..] => (Place::Parameter, 3),
        _ => return None,
    };
    Some(Gap { place, name_quote, after: next + length })
}

/// A quote, with the backslashes or the percent-encoding that its nesting gives it.
struct Quote {
    /// `"` or `'`, or the last digit of `%22` or `%27`.
    mark: u8,
    backslashes: usize,
    after: usize,
}

fn quote(text: &[u8], at: usize) -> Option<Quote> {
    let slashes = run_end(&text[at..text.len().min(at + 16)], 0, |byte| byte == b'\\');
    let after = at + slashes;
    match text.get(after..)? {
        [mark @ (b'"' | b'\''), ..] => Some(Quote { mark: *mark, backslashes: slashes, after: after + 1 }),
        [b'%', b'2', mark @ (b'2' | b'7'), ..] if slashes == 0 => {
            Some(Quote { mark: *mark, backslashes: 0, after: after + 3 })
        }
        _ => None,
    }
}

/// A value, and how sure it is that it is one.
struct Value {
    range: Range<usize>,
    /// It stands in quotes, or is the whole of a parameter or a part.
    delimited: bool,
}

/// The value behind `gap`.
fn value(text: &[u8], name: usize, gap: &Gap, class: Class) -> Option<Value> {
    let place = gap.place;
    if place == Place::Part {
        let end = run_end(text, gap.after, |byte| !matches!(byte, b'\r' | b'\n'));
        return text[..name].ends_with(b"name=\"").then_some(Value { range: gap.after..end, delimited: true });
    }
    if class == Class::Signature && place != Place::Parameter {
        return None;
    }
    let at = if place == Place::Member { opening(text, gap.after) } else { gap.after };
    if let Some(quote) = quote(text, at) {
        // Behind `"the password:"` stands the quote that ends that string, and behind it JSON goes on.
        let alike = gap.name_quote.as_ref().is_some_and(|n| n.mark == quote.mark && n.backslashes == quote.backslashes);
        if !alike && matches!(text.get(quote.after)?, b',' | b'}' | b']' | b':' | b' ' | b'\t' | b'\r' | b'\n') {
            return None;
        }
        let end = closing(text, &quote)?;
        return Some(Value { range: quote.after..end, delimited: true });
    }
    let in_form = place == Place::Parameter
        && matches!(
            name.checked_sub(1).and_then(|before| text.get(before)),
            None | Some(b'&' | b'?' | b';' | b'\\' | b'%' | b'\n')
        );
    let blank = class == Class::Authorization;
    let end = run_end(text, at, |byte| {
        (byte.is_ascii_graphic() || byte >= 0x80 || (blank && matches!(byte, b' ')))
            && !matches!(
                byte,
                b'"' | b'\''
                    | b'<'
                    | b'>'
                    | b'&'
                    | b';'
                    | b'('
                    | b')'
                    | b'{'
                    | b'}'
                    | b'['
                    | b']'
                    | b'|'
                    | b'\\'
                    | b'`'
            )
            && (blank || byte != b',')
    });
    // `f(`, `x[0]` and `${` are code or templates.
    if matches!(text.get(end), Some(b'(' | b'[' | b'{' | b'<')) {
        return None;
    }
    let is_number = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E');
    if place == Place::Member && text[at..end].iter().take_while(|&&byte| byte != b',').all(is_number) {
        return None;
    }
    let in_form = in_form && matches!(text.get(end), None | Some(b'&' | b'"' | b'\'' | b'\\' | b'\r' | b'\n' | b' '));
    Some(Value { range: at..end, delimited: in_form })
}

/// Past the white space, line ends and brackets that JSON and YAML may put between `:` and a value (`["…"]`, `\n  - …`).
fn opening(text: &[u8], at: usize) -> usize {
    const MOST: usize = 64;
    let rest = &text[at..text.len().min(at + MOST)];
    let mut length = rest.iter().take_while(|&&byte| matches!(byte, b' ' | b'\t' | b'+')).count();
    if rest[length..].starts_with(b"%20") {
        length += 3;
    }
    let wide = rest.iter().take_while(|&&byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b'[')).count();
    match rest.get(wide..) {
        Some([b'-', b' ', ..]) if wide > length => at + wide + 2,
        Some([b'"' | b'\'' | b'\\', ..]) => at + wide,
        _ => at + length,
    }
}

/// Where the value behind `quote` ends: at the same mark with the same number of backslashes, or at a double quote that ends the JSON
/// string around it.
fn closing(text: &[u8], quote: &Quote) -> Option<usize> {
    let limit = text.len().min(quote.after + LONGEST_VALUE);
    let value = &text[quote.after..limit];
    let length = match quote.mark {
        b'"' => memchr::memchr_iter(b'"', value).find(|&at| match trailing_backslashes(&value[..at]) {
            slashes if quote.backslashes == 0 => slashes.is_multiple_of(2),
            slashes => slashes <= quote.backslashes,
        })?,
        b'\'' => memchr::memchr2_iter(b'"', b'\'', value)
            .find(|&at| value[at] == b'"' || trailing_backslashes(&value[..at]) <= quote.backslashes)?,
        encoded => {
            let plain = value
                .iter()
                .position(|byte| matches!(byte, b'"' | b'&' | b'\'' | b'<' | b'\\' | b' '))
                .unwrap_or(value.len());
            memchr::memmem::find(&value[..plain], &[b'%', b'2', encoded]).unwrap_or(plain)
        }
    };
    // The backslashes of the closing quote are no part of the value; those of a pair inside it are.
    let slashes = trailing_backslashes(&value[..length]);
    let outside = if quote.mark == b'"' { slashes.min(quote.backslashes) } else { slashes };
    Some(quote.after + length - outside)
}

/// The part of a value that is the credential, if it looks like one.
fn credential(text: &[u8], found: Value, class: Class) -> Option<Range<usize>> {
    let Value { range, delimited } = found;
    let value = &text[range.clone()];
    match class {
        Class::Authorization => {
            let (start, has_scheme) = behind_scheme(value);
            let rest = &value[start..];
            let plausible = if has_scheme && delimited { rest.len() >= 6 } else { rest.len() >= 12 && is_random(rest) };
            let plain = has_scheme || !rest.contains(&b' ');
            (plausible && plain && !is_stand_in(rest)).then_some(range.start + start..range.end)
        }
        Class::Signature => (value.len() >= 16 && is_random(value) && !is_stand_in(value)).then_some(range),
        Class::Key | Class::Password => {
            let least = match (delimited, class) {
                (false, _) => 12,
                (true, Class::Password) => 6,
                (true, _) => 8,
            };
            let one_word = !value.iter().any(u8::is_ascii_whitespace);
            // Bare, a type of a source (`pub PrivateKey: X509CertificateKind`) has to be told from a key.
            let digits = value.iter().filter(|byte| byte.is_ascii_digit()).count();
            let made_up = match (delimited, class) {
                (false, _) => is_random(value) && (digits >= 2 || value.len() >= 32),
                (true, Class::Password) => true,
                (true, _) => digits >= 1 || is_random(value),
            };
            (value.len() >= least && one_word && made_up && !is_stand_in(value)).then_some(range)
        }
    }
}

/// Schemes of the IANA registry and the ones vendors made up.
const SCHEMES: [&str; 13] = [
    "bearer",
    "basic",
    "token",
    "bot",
    "digest",
    "negotiate",
    "apikey",
    "api-key",
    "key",
    "dpop",
    "aws4-hmac-sha256",
    "splunk",
    "oauth",
];

/// Where the credential begins behind `Bearer ` or another scheme, and whether there is one.
fn behind_scheme(value: &[u8]) -> (usize, bool) {
    let length = run_end(value, 0, is_word);
    let lower = value[..length].to_ascii_lowercase();
    let blank = match value.get(length..) {
        Some([b' ' | b'+', ..]) => 1,
        Some([b'%', b'2', b'0', ..]) => 3,
        _ => return (0, false),
    };
    if SCHEMES.iter().any(|scheme| scheme.as_bytes() == lower) { (length + blank, true) } else { (0, false) }
}
