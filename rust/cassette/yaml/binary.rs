//! `!!binary`: base64 with white space in between (YAML 1.1, `tag:yaml.org,2002:binary`).

use std::borrow::Cow;

use base64_simd::{AsOut, STANDARD};
use memchr::memchr_iter;

/// So many digits are put together before they are decoded; a multiple of four.
const CHUNK: usize = 16 * 1024;

/// The digits of a binary scalar, not yet decoded: they go from the text straight to where the bytes are to be.
#[derive(Debug, PartialEq)]
pub struct Base64<'a> {
    /// Lines of digits, indented.
    text: Cow<'a, str>,
    digits: usize,
}

impl<'a> Base64<'a> {
    /// The lines of a block, in which so many bytes stand behind the indentation.
    pub(super) fn block(lines: &'a str, digits: usize) -> Self {
        Self { text: Cow::Borrowed(lines), digits }
    }

    /// A scalar of any other style.
    pub(super) fn flow(text: &str) -> Self {
        let digits: String = text.split([' ', '\n']).collect();
        Self { digits: digits.len(), text: Cow::Owned(digits) }
    }

    /// How many bytes it stands for; `None` for what `base64.decodebytes` would have to be lenient with.
    #[must_use]
    pub fn decoded_len(&self) -> Option<usize> {
        let padding = self
            .text
            .bytes()
            .rev()
            .filter(|byte| !byte.is_ascii_whitespace())
            .take(2)
            .take_while(|&byte| byte == b'=')
            .count();
        if self.digits.is_multiple_of(4) { (self.digits / 4 * 3).checked_sub(padding) } else { None }
    }

    /// Writes the bytes into `out`, which has the [length](Self::decoded_len) for them; `None` where something else stands among the digits.
    #[must_use]
    pub fn decode(&self, mut out: &mut [u8]) -> Option<()> {
        let text = self.text.as_bytes();
        let mut chunk = Vec::with_capacity(CHUNK.min(self.digits));
        let mut start = 0;
        for end in memchr_iter(b'\n', text).chain([text.len()]) {
            let mut line = text[start..end].trim_ascii_start();
            start = end + 1;
            while chunk.len() + line.len() > CHUNK {
                let (now, later) = line.split_at(CHUNK - chunk.len());
                chunk.extend_from_slice(now);
                out = decode(&chunk, out)?;
                chunk.clear();
                line = later;
            }
            chunk.extend_from_slice(line);
        }
        decode(&chunk, out)?.is_empty().then_some(())
    }
}

/// Decodes some digits into the beginning of `out`, and gives what is left of that.
fn decode<'out>(digits: &[u8], out: &'out mut [u8]) -> Option<&'out mut [u8]> {
    // Where padding is not the end, it leaves more room than there are digits to fill it.
    let most = STANDARD.decoded_length(digits).ok()?;
    let (now, later) = out.split_at_mut_checked(most)?;
    STANDARD.decode(digits, now.as_out()).ok()?;
    Some(later)
}
