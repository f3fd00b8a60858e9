//! The smallest valid file of each type, with a note in the format's own place for comments.
//!
//! These bytes are part of the stored format, version 1: a placeholder is recognised by being made again, so a change here needs a new
//! version in the note, and the old files kept.

use super::png;
use super::sniff::MediaType;

// One black 16 × 16 frame or two silent AAC frames: `ffmpeg -bitexact`, then the encoder's own notes (SEI, udta, btrt) taken out.
const MP4: &[u8] = include_bytes!("tiny/video.mp4");
const M4A: &[u8] = include_bytes!("tiny/audio.m4a");
const WEBM: &[u8] = include_bytes!("tiny/video.webm");

/// A file of type `kind` that carries `note`; `size` in pixels counts for PNG only.
pub(super) fn write(kind: MediaType, size: Option<(u32, u32)>, note: &[u8]) -> Vec<u8> {
    match kind {
        MediaType::Png => png::write(size, note),
        MediaType::Jpeg => jpeg(note),
        MediaType::Gif => gif(note),
        MediaType::Webp => webp(note),
        MediaType::Bmp => bmp(note),
        MediaType::Wav => wav(note),
        MediaType::Mp3 => mp3(note),
        MediaType::Ogg => ogg(note),
        MediaType::Flac => flac(note),
        MediaType::M4a => with_free_box(M4A, note),
        MediaType::Mp4 => with_free_box(MP4, note),
        MediaType::Mov => mov(note),
        MediaType::Webm => with_void(WEBM, note),
        MediaType::Matroska => matroska(note),
        MediaType::Pdf => pdf(note),
        MediaType::Pcm => pcm(note),
    }
}

/// A length as 32 bits. Notes are about a kilobyte; nothing here comes near the limit.
fn length(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

/// One grey pixel, baseline. The note is a COM segment (ITU-T T.81, B.2.4.5).
fn jpeg(note: &[u8]) -> Vec<u8> {
    let mut file = b"\xFF\xD8\xFF\xE0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0\xFF\xFE".to_vec();
    file.extend_from_slice(&length(note.len() + 2).to_be_bytes()[2..]);
    file.extend_from_slice(note);
    file.extend_from_slice(b"\xFF\xDB\0\x43\0");
    file.extend_from_slice(&[1; 64]);
    file.extend_from_slice(b"\xFF\xC0\0\x0B\x08\0\x01\0\x01\x01\x01\x11\0");
    // One DC and one AC code, both the single bit 0: "no difference" and "end of block".
    file.extend_from_slice(b"\xFF\xC4\0\x14\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
    file.extend_from_slice(b"\xFF\xC4\0\x14\x10\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
    file.extend_from_slice(b"\xFF\xDA\0\x08\x01\x01\0\0\x3F\0\x3F\xFF\xD9");
    file
}

/// One black pixel. The note is a comment extension (`GIF89a`, section 24).
fn gif(note: &[u8]) -> Vec<u8> {
    let mut file = b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xFF\xFF\xFF\x21\xFE".to_vec();
    for block in note.chunks(255) {
        file.push(length(block.len()).to_le_bytes()[0]);
        file.extend_from_slice(block);
    }
    file.extend_from_slice(b"\0\x2C\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0\x3B");
    file
}

/// Appends a RIFF chunk, padded to an even length.
fn riff_chunk(file: &mut Vec<u8>, name: [u8; 4], data: &[u8]) {
    file.extend_from_slice(&name);
    file.extend_from_slice(&length(data.len()).to_le_bytes());
    file.extend_from_slice(data);
    if data.len() % 2 == 1 {
        file.push(0);
    }
}

/// One black pixel, lossless, in the extended format, which allows unknown chunks at its end (RFC 9649, section 2.7).
fn webp(note: &[u8]) -> Vec<u8> {
    let mut body = b"WEBP".to_vec();
    riff_chunk(&mut body, *b"VP8X", &[0; 10]);
    riff_chunk(&mut body, *b"VP8L", b"\x2F\0\0\0\0\x07\x10\x11\xFD\x0F\x44\x44\xFF\x03");
    riff_chunk(&mut body, *b"NOTE", note);
    let mut file = Vec::new();
    riff_chunk(&mut file, *b"RIFF", &body);
    file
}

/// Ten milliseconds of silence, 8 kHz mono 16 bit. The note is the comment of a `LIST INFO` chunk.
fn wav(note: &[u8]) -> Vec<u8> {
    let mut info = b"INFO".to_vec();
    riff_chunk(&mut info, *b"ICMT", note);
    let mut body = b"WAVE".to_vec();
    riff_chunk(&mut body, *b"fmt ", b"\x01\0\x01\0\x40\x1F\0\0\x80\x3E\0\0\x02\0\x10\0");
    riff_chunk(&mut body, *b"LIST", &info);
    riff_chunk(&mut body, *b"data", &[0; 160]);
    let mut file = Vec::new();
    riff_chunk(&mut file, *b"RIFF", &body);
    file
}

/// One black pixel, 24 bit. The note stands between header and pixels, where `bfOffBits` passes over it.
fn bmp(note: &[u8]) -> Vec<u8> {
    let pixels = 54 + note.len();
    let mut file = b"BM".to_vec();
    file.extend_from_slice(&length(pixels + 4).to_le_bytes());
    file.extend_from_slice(&[0; 4]);
    file.extend_from_slice(&length(pixels).to_le_bytes());
    file.extend_from_slice(b"\x28\0\0\0\x01\0\0\0\x01\0\0\0\x01\0\x18\0\0\0\0\0\x04\0\0\0");
    file.extend_from_slice(&[0; 16]);
    file.extend_from_slice(note);
    file.extend_from_slice(&[0; 4]);
    file
}

/// Four silent frames of MPEG-1 layer III, 32 kbit/s mono. The note is a `TXXX` frame (ID3v2.3, section 4.2.2).
fn mp3(note: &[u8]) -> Vec<u8> {
    let mut text = b"\0llm-vcr\0".to_vec();
    text.extend_from_slice(note);
    let mut tag = b"TXXX".to_vec();
    tag.extend_from_slice(&length(text.len()).to_be_bytes());
    tag.extend_from_slice(&[0; 2]);
    tag.extend_from_slice(&text);
    let size = length(tag.len());
    let mut file = b"ID3\x03\0\0".to_vec();
    file.extend([21, 14, 7, 0].map(|shift| (size >> shift & 0x7F).to_le_bytes()[0]));
    file.extend_from_slice(&tag);
    for _ in 0..4 {
        let mut frame = [0; 104];
        frame[..4].copy_from_slice(b"\xFF\xFB\x10\xC0");
        file.extend_from_slice(&frame);
    }
    file
}

/// One packet of silence, Opus, mono. The note is a user comment (RFC 7845, section 5.2).
fn ogg(note: &[u8]) -> Vec<u8> {
    let mut tags = b"OpusTags\x07\0\0\0llm-vcr\x01\0\0\0".to_vec();
    tags.extend_from_slice(&comment(note));
    let mut file = ogg_page(0x02, 0, 0, b"OpusHead\x01\x01\x38\x01\x80\xBB\0\0\0\0\0");
    file.append(&mut ogg_page(0, 0, 1, &tags));
    file.append(&mut ogg_page(0x04, 960, 2, b"\xF8\xFF\xFE"));
    file
}

/// A Vorbis comment with its length, as OGG and FLAC hold it.
fn comment(note: &[u8]) -> Vec<u8> {
    const FIELD: &[u8] = b"COMMENT=";
    [&length(FIELD.len() + note.len()).to_le_bytes(), FIELD, note].concat()
}

/// A page that holds one whole packet (RFC 3533, section 6).
fn ogg_page(flags: u8, granule: u64, sequence: u32, packet: &[u8]) -> Vec<u8> {
    let whole = packet.len() / 255;
    let mut page = b"OggS\0".to_vec();
    page.push(flags);
    page.extend_from_slice(&granule.to_le_bytes());
    page.extend_from_slice(&1_u32.to_le_bytes());
    page.extend_from_slice(&sequence.to_le_bytes());
    page.extend_from_slice(&[0; 4]);
    page.push(length(whole + 1).to_le_bytes()[0]);
    page.extend(std::iter::repeat_n(255, whole));
    page.push(length(packet.len() % 255).to_le_bytes()[0]);
    page.extend_from_slice(packet);
    let crc = page.iter().fold(0_u32, |crc, &byte| {
        (0..8)
            .fold(crc ^ u32::from(byte) << 24, |crc, _| if crc >> 31 == 1 { crc << 1 ^ 0x04C1_1DB7 } else { crc << 1 })
    });
    page[22..26].copy_from_slice(&crc.to_le_bytes());
    page
}

/// One frame of 576 silent samples, 8 kHz mono 16 bit. The note is a comment of its `VORBIS_COMMENT` block (RFC 9639, section 8.6).
fn flac(note: &[u8]) -> Vec<u8> {
    let comments = [b"\x07\0\0\0llm-vcr\x01\0\0\0", comment(note).as_slice()].concat();
    let mut file = b"fLaC\0\0\0\x22\x02\x40\x02\x40\0\0\x0B\0\0\x0B\x01\xF4\0\xF0\0\0\x02\x40".to_vec();
    file.extend_from_slice(&[0; 16]);
    file.push(0x84);
    file.extend_from_slice(&length(comments.len()).to_be_bytes()[1..]);
    file.extend_from_slice(&comments);
    file.extend_from_slice(FLAC_FRAME);
    file
}
const FLAC_FRAME: &[u8] = b"\xFF\xF8\x24\x08\0\xCA\0\0\0\xCE\x76";

/// The note is a `free` box at the end, which moves no chunk offset (ISO/IEC 14496-12, section 8.1.2).
fn with_free_box(file: &[u8], note: &[u8]) -> Vec<u8> {
    [file, &length(note.len() + 8).to_be_bytes(), b"free", note].concat()
}

/// The MP4 under a `QuickTime` brand; its `ftyp` box keeps its 32 bytes.
fn mov(note: &[u8]) -> Vec<u8> {
    let movie = MP4.get(32..).unwrap_or_default();
    with_free_box(&[b"\0\0\0\x20ftypqt  \0\0\x02\0qt  qt  qt  qt  ", movie].concat(), note)
}

/// The note is a `Void` element at the end (RFC 8794, section 11.3.2).
fn with_void(file: &[u8], note: &[u8]) -> Vec<u8> {
    let mut size = (note.len() as u64).to_be_bytes();
    size[0] = 1;
    [file, &[0xEC], &size, note].concat()
}

/// The `WebM` file with the header of its mother format; positions count from the segment, which starts at byte 36.
fn matroska(note: &[u8]) -> Vec<u8> {
    const HEADER: &[u8] = b"\x1A\x45\xDF\xA3\xA3\x42\x86\x81\x01\x42\xF7\x81\x01\x42\xF2\x81\x04\x42\xF3\x81\x08\x42\x82\x88matroska\x42\x87\x81\x02\x42\x85\x81\x02";
    with_void(&[HEADER, WEBM.get(36..).unwrap_or_default()].concat(), note)
}

/// One empty page. The note is a comment line (ISO 32000-1, section 7.2.4).
fn pdf(note: &[u8]) -> Vec<u8> {
    const OBJECTS: [&str; 3] = [
        "1 0 obj\n<</Type/Catalog/Pages 2 0 R>>\nendobj\n",
        "2 0 obj\n<</Type/Pages/Kids[3 0 R]/Count 1>>\nendobj\n",
        "3 0 obj\n<</Type/Page/Parent 2 0 R/MediaBox[0 0 72 72]/Resources<<>>>>\nendobj\n",
    ];
    let mut file = [b"%PDF-1.4\n% ", note, b"\n"].concat();
    let mut table = b"xref\n0 4\n0000000000 65535 f \n".to_vec();
    for object in OBJECTS {
        table.extend_from_slice(format!("{:010} 00000 n \n", file.len()).as_bytes());
        file.extend_from_slice(object.as_bytes());
    }
    let end = format!("trailer\n<</Size 4/Root 1 0 R>>\nstartxref\n{}\n%%EOF\n", file.len());
    file.append(&mut table);
    file.extend_from_slice(end.as_bytes());
    file
}

/// Samples have no place for a comment: the note is a click of a few milliseconds at the start, then there is silence. Whole 16-bit samples.
fn pcm(note: &[u8]) -> Vec<u8> {
    let mut file = note.to_vec();
    file.resize((note.len() + 256).next_multiple_of(2), 0);
    file
}
