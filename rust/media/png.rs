//! A black PNG of any size in a few hundred bytes.

const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

/// Width and height in pixels, out of the `IHDR` chunk that opens every PNG (PNG specification, section 11.2.1).
pub(super) fn size(file: &[u8]) -> Option<(u32, u32)> {
    let ihdr = file.strip_prefix(SIGNATURE)?.strip_prefix(b"\0\0\0\rIHDR")?;
    let (width, rest) = ihdr.split_first_chunk()?;
    let (height, _) = rest.split_first_chunk()?;
    Some((u32::from_be_bytes(*width), u32::from_be_bytes(*height)))
}

/// A PNG of `size` with `note` as its comment. One bit per pixel, so that the rows deflate to 2 bits per 258 bytes; a size that would not fit
/// (about 33 megapixels) becomes 1 × 1.
pub(super) fn write(size: Option<(u32, u32)>, note: &[u8]) -> Vec<u8> {
    let fitting = size.and_then(|(width, height)| Some((width, height, rows(width, height)?)));
    let (width, height, rows) = fitting.unwrap_or((1, 1, 2));
    let mut header = [0; 13];
    header[..4].copy_from_slice(&width.to_be_bytes());
    header[4..8].copy_from_slice(&height.to_be_bytes());
    header[8] = 1;
    let mut file = SIGNATURE.to_vec();
    chunk(&mut file, *b"IHDR", &header);
    chunk(&mut file, *b"tEXt", &[b"Comment\0", note].concat());
    chunk(&mut file, *b"IDAT", &zlib_zeros(rows));
    chunk(&mut file, *b"IEND", &[]);
    file
}

/// Bytes of all rows, each with its filter byte, where they deflate to 4 KiB at most.
fn rows(width: u32, height: u32) -> Option<u32> {
    const FITTING: u32 = 16_384 * 258;
    // A side beyond 2³¹ is not valid; the product of the others cannot overflow 64 bits.
    if width == 0 || height == 0 || width > i32::MAX as u32 || height > i32::MAX as u32 {
        return None;
    }
    let bytes = (u64::from(width.div_ceil(8)) + 1) * u64::from(height);
    u32::try_from(bytes).ok().filter(|bytes| *bytes <= FITTING)
}

fn chunk(file: &mut Vec<u8>, name: [u8; 4], data: &[u8]) {
    file.extend_from_slice(&u32::try_from(data.len()).unwrap_or_default().to_be_bytes());
    let start = file.len();
    file.extend_from_slice(&name);
    file.extend_from_slice(data);
    let crc = crc32(&file[start..]);
    file.extend_from_slice(&crc.to_be_bytes());
}

/// The CRC of PNG chunks (PNG specification, annex D).
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 })
    })
}

/// A zlib stream (RFC 1950) of `count` zero bytes, `count` being 2 at least: one dynamic block (RFC 1951, section 3.2.7) in which "the last
/// byte 258 times again" costs two bits.
fn zlib_zeros(count: u32) -> Vec<u8> {
    let mut bits = Bits::default();
    // The last block, with dynamic codes: 286 literal/length codes, 1 distance code, 18 code length codes.
    bits.put(1, 1);
    bits.put(2, 2);
    bits.put(286 - 257, 5);
    bits.put(0, 5);
    bits.put(18 - 4, 4);
    // Lengths of the code length codes, in the order 16 17 18 0 8 7 9 6 10 5 11 4 12 3 13 2 14 1: code 18 has one bit, 1 and 2 have two.
    for length in [0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 2] {
        bits.put(length, 3);
    }
    // Huffman codes go in from their highest bit, so these stand mirrored: 18 is `0`, 1 is `10`, 2 is `11`.
    let zeros = |bits: &mut Bits, run: u32| {
        bits.put(0, 1);
        bits.put(run - 11, 7);
    };
    bits.put(0b11, 2); // literal 0: two bits
    zeros(&mut bits, 138);
    zeros(&mut bits, 117);
    bits.put(0b11, 2); // end of block: two bits
    zeros(&mut bits, 28);
    bits.put(0b01, 2); // length 258: one bit
    bits.put(0b01, 2); // distance 1: one bit
    let mut left = count - 1;
    bits.put(0b01, 2);
    while left >= 258 {
        bits.put(0, 2); // length 258, distance 1
        left -= 258;
    }
    for _ in 0..left {
        bits.put(0b01, 2);
    }
    bits.put(0b11, 2);
    let mut stream = vec![0x78, 0x01];
    stream.append(&mut bits.finish());
    // Adler-32 of zeros: the first sum stays 1, the second counts them.
    stream.extend_from_slice(&((count % 65_521) << 16 | 1).to_be_bytes());
    stream
}

/// Bits into bytes, lowest first (RFC 1951, section 3.1.1).
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    pending: u32,
    count: u32,
}

impl Bits {
    /// Appends the lowest `count` bits of `value`, 16 at most.
    fn put(&mut self, value: u32, count: u32) {
        self.pending |= value << self.count;
        self.count += count;
        while self.count >= 8 {
            self.bytes.push(self.pending.to_le_bytes()[0]);
            self.pending >>= 8;
            self.count -= 8;
        }
    }

    fn finish(mut self) -> Vec<u8> {
        if self.count > 0 {
            self.bytes.push(self.pending.to_le_bytes()[0]);
        }
        self.bytes
    }
}
