//! Where canonical bytes go: into a buffer to be read, or straight into a hash.

use sha2::{Digest, Sha256};

/// A receiver of bytes in order.
pub trait Sink {
    /// Takes the next bytes.
    fn put(&mut self, bytes: &[u8]);
}

impl Sink for Vec<u8> {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// A [`Sink`] that hashes. Small pieces are gathered first: SHA-256 works on 64-byte blocks, and a call for every comma would cost
/// more than the hash itself.
pub struct Hasher {
    sha: Sha256,
    buffer: [u8; Self::BUFFER],
    filled: usize,
}

impl Hasher {
    /// Enough blocks for a call to cost nothing beside them; more would only take longer to clear.
    const BUFFER: usize = 1024;

    /// A hash that has seen nothing.
    #[must_use]
    pub fn new() -> Self {
        Self { sha: Sha256::new(), buffer: [0; Self::BUFFER], filled: 0 }
    }

    /// The SHA-256 of all bytes put.
    #[must_use]
    pub fn finish(mut self) -> [u8; 32] {
        self.sha.update(&self.buffer[..self.filled]);
        self.sha.finalize().into()
    }
}

impl Default for Hasher {
    fn default() -> Self {
        Self::new()
    }
}

impl Sink for Hasher {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        if self.filled + bytes.len() <= Self::BUFFER {
            self.buffer[self.filled..self.filled + bytes.len()].copy_from_slice(bytes);
            self.filled += bytes.len();
            return;
        }
        self.sha.update(&self.buffer[..self.filled]);
        self.filled = 0;
        if bytes.len() >= Self::BUFFER {
            self.sha.update(bytes);
        } else {
            self.buffer[..bytes.len()].copy_from_slice(bytes);
            self.filled = bytes.len();
        }
    }
}

/// The SHA-256 of `bytes`.
#[must_use]
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// Lower-case hexadecimal digits of `bytes`.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut digits = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        digits.extend([byte >> 4, byte & 15].map(|nibble| char::from(DIGITS[usize::from(nibble)])));
    }
    digits
}
