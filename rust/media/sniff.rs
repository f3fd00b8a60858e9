//! What kind of file some bytes are, by their magic bytes.

use memchr::memmem;

/// What the note of every placeholder starts with, the version of its format included.
pub(super) const NOTE: &str = "llm-vcr-media 1 ";

/// A type of file for which there is a small valid placeholder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MediaType {
    /// `image/png`
    Png,
    /// `image/jpeg`
    Jpeg,
    /// `image/gif`
    Gif,
    /// `image/webp`
    Webp,
    /// `image/bmp`
    Bmp,
    /// `audio/wav`
    Wav,
    /// `audio/mpeg`
    Mp3,
    /// `audio/ogg`
    Ogg,
    /// `audio/flac`
    Flac,
    /// `audio/mp4`
    M4a,
    /// `video/mp4`
    Mp4,
    /// `video/quicktime`
    Mov,
    /// `video/webm`
    Webm,
    /// `video/x-matroska`
    Matroska,
    /// `application/pdf`
    Pdf,
    /// `audio/pcm`: samples without a header, so known only by what is declared beside them.
    Pcm,
}

impl MediaType {
    /// Every type there is.
    pub const ALL: [Self; 16] = [
        Self::Png,
        Self::Jpeg,
        Self::Gif,
        Self::Webp,
        Self::Bmp,
        Self::Wav,
        Self::Mp3,
        Self::Ogg,
        Self::Flac,
        Self::M4a,
        Self::Mp4,
        Self::Mov,
        Self::Webm,
        Self::Matroska,
        Self::Pdf,
        Self::Pcm,
    ];

    /// The media type as `type/subtype`, in lower case.
    #[must_use]
    pub const fn mime(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::Gif => "image/gif",
            Self::Webp => "image/webp",
            Self::Bmp => "image/bmp",
            Self::Wav => "audio/wav",
            Self::Mp3 => "audio/mpeg",
            Self::Ogg => "audio/ogg",
            Self::Flac => "audio/flac",
            Self::M4a => "audio/mp4",
            Self::Mp4 => "video/mp4",
            Self::Mov => "video/quicktime",
            Self::Webm => "video/webm",
            Self::Matroska => "video/x-matroska",
            Self::Pdf => "application/pdf",
            Self::Pcm => "audio/pcm",
        }
    }

    /// The type that a declaration names: a media type with or without parameters (`image/png`, `audio/L16;rate=24000`), or a bare format as
    /// in `OpenAI`'s `input_audio.format` and `output_format` (`wav`, `pcm16`, `jpeg`). Any case; `\/` may stand for `/`.
    ///
    /// `None` where there is no placeholder for it (`image/heic`, `text/plain`): such a string stays.
    #[must_use]
    pub fn declared(declaration: &[u8]) -> Option<Self> {
        let mut name = [0; 24];
        let mut len = 0;
        let bare = declaration.split(|&b| b == b';').next().unwrap_or_default().trim_ascii();
        for &b in bare.iter().filter(|&&b| b != b'\\') {
            *name.get_mut(len)? = b.to_ascii_lowercase();
            len += 1;
        }
        Some(match &name[..len] {
            b"image/png" | b"png" => Self::Png,
            b"image/jpeg" | b"image/jpg" | b"jpeg" | b"jpg" => Self::Jpeg,
            b"image/gif" | b"gif" => Self::Gif,
            b"image/webp" | b"webp" => Self::Webp,
            b"image/bmp" | b"image/x-ms-bmp" | b"bmp" => Self::Bmp,
            b"audio/wav" | b"audio/x-wav" | b"audio/wave" | b"audio/vnd.wave" | b"wav" => Self::Wav,
            b"audio/mpeg" | b"audio/mp3" | b"mp3" => Self::Mp3,
            b"audio/ogg" | b"audio/opus" | b"video/ogg" | b"application/ogg" | b"ogg" | b"opus" => Self::Ogg,
            b"audio/flac" | b"audio/x-flac" | b"flac" => Self::Flac,
            b"audio/mp4" | b"audio/m4a" | b"audio/x-m4a" | b"m4a" => Self::M4a,
            b"video/mp4" | b"mp4" => Self::Mp4,
            b"video/quicktime" | b"video/mov" | b"mov" => Self::Mov,
            b"video/webm" | b"audio/webm" | b"webm" => Self::Webm,
            b"video/x-matroska" | b"video/matroska" | b"audio/x-matroska" | b"mkv" => Self::Matroska,
            b"application/pdf" | b"pdf" => Self::Pdf,
            b"audio/pcm" | b"audio/l16" | b"audio/x-raw" | b"pcm" | b"pcm16" => Self::Pcm,
            _ => return None,
        })
    }
}

/// How many bytes [`sniff`] looks at. Three MP3 frames fit, the longest being 1441 bytes each: nothing shorter tells MP3 from chance.
pub(super) const HEAD: usize = 3072;

/// The type of the file that starts with `bytes`, by its magic bytes; only the first 3,072 bytes count.
///
/// PNG, JPEG, GIF, WebP, BMP, WAV, MP3 (an `ID3` tag, or three frame headers in a row), OGG, FLAC, MP4 and its kin (`ftyp`; not AVIF and
/// HEIC, for which there is no placeholder), `WebM` and Matroska, PDF.
#[must_use]
pub fn sniff(bytes: &[u8]) -> Option<MediaType> {
    let bytes = &bytes[..bytes.len().min(HEAD)];
    let at = |start: usize, magic: &[u8]| bytes.get(start..).is_some_and(|rest| rest.starts_with(magic));
    Some(match bytes.first()? {
        0x89 if at(0, b"\x89PNG\r\n\x1a\n") => MediaType::Png,
        // The fourth byte is the next marker's: an application segment, a table, a frame or a comment.
        0xFF if at(0, b"\xFF\xD8\xFF") && matches!(bytes.get(3), Some(0xC0..=0xCF | 0xDB..=0xFE)) => MediaType::Jpeg,
        0xFF if is_mp3(bytes) => MediaType::Mp3,
        b'G' if at(0, b"GIF89a") || at(0, b"GIF87a") => MediaType::Gif,
        b'R' if at(0, b"RIFF") && at(8, b"WEBPVP8") => MediaType::Webp,
        b'R' if at(0, b"RIFF") && at(8, b"WAVE") => MediaType::Wav,
        b'B' if is_bmp(bytes) => MediaType::Bmp,
        b'I' if is_id3(bytes) => MediaType::Mp3,
        b'O' if at(0, b"OggS\0") => MediaType::Ogg,
        b'f' if at(0, b"fLaC") => MediaType::Flac,
        b'%' if at(0, b"%PDF-") => MediaType::Pdf,
        0x1A if at(0, b"\x1A\x45\xDF\xA3") => matroska(bytes)?,
        0 if at(4, b"ftyp") => iso_media(bytes)?,
        b'l' if is_noted_pcm(bytes) => MediaType::Pcm,
        _ => return None,
    })
}

/// `audio/pcm` has no magic bytes; a placeholder of ours has, its note.
fn is_noted_pcm(bytes: &[u8]) -> bool {
    bytes.strip_prefix(NOTE.as_bytes()).is_some_and(|rest| rest.starts_with(b"audio/pcm "))
}

/// `ID3v2`, section 3.1: version 2 to 4, and a size of four 7-bit bytes.
fn is_id3(bytes: &[u8]) -> bool {
    matches!(bytes, [b'I', b'D', b'3', 2..=4, revision, _, size @ ..] if *revision < 0xFF && size.len() >= 4 && size[..4].iter().all(|b| *b < 0x80))
}

/// `BM` alone is two letters of any text: the reserved words, the header's size and the one plane must fit as well.
fn is_bmp(bytes: &[u8]) -> bool {
    matches!(
        bytes,
        [
            b'B',
            b'M',
            _,
            _,
            _,
            _,
            0,
            0,
            0,
            0,
            _,
            _,
            0,
            0,
            40 | 52 | 56 | 64 | 108 | 124,
            0,
            0,
            0,
            _,
            _,
            _,
            _,
            _,
            _,
            _,
            _,
            1,
            0,
            ..
        ]
    )
}

/// `ftyp` with its major brand (ISO/IEC 14496-12, section 4.3; brands at mp4ra.org).
fn iso_media(bytes: &[u8]) -> Option<MediaType> {
    let [0, 0, size_high, size_low, b'f', b't', b'y', b'p', brand @ ..] = bytes else { return None };
    let (size, brand) = (usize::from(*size_high) << 8 | usize::from(*size_low), brand.first_chunk::<4>()?);
    if size < 16 || size % 4 != 0 || size > 1024 {
        return None;
    }
    match brand {
        b"qt  " => Some(MediaType::Mov),
        b"M4A " | b"M4B " | b"M4P " | b"F4A " => Some(MediaType::M4a),
        // Still pictures in the same container: AVIF and HEIF.
        b"avif" | b"avis" | b"mif1" | b"msf1" | b"heic" | b"heix" | b"heim" | b"heis" | b"hevc" | b"hevx" | b"jp2 "
        | b"crx " => None,
        _ => brand.iter().all(|b| b.is_ascii_graphic() || *b == b' ').then_some(MediaType::Mp4),
    }
}

/// The `DocType` of an EBML header (RFC 8794, section 11.2.6).
fn matroska(bytes: &[u8]) -> Option<MediaType> {
    let header = &bytes[..bytes.len().min(128)];
    let doc_type = memmem::find(header, b"\x42\x82")?;
    match header.get(doc_type + 2..)? {
        [0x84, name @ ..] if name.starts_with(b"webm") => Some(MediaType::Webm),
        [0x88, name @ ..] if name.starts_with(b"matroska") => Some(MediaType::Matroska),
        _ => None,
    }
}

/// Three layer III frame headers in a row that agree in version and sampling rate. A single sync word is 11 bits: too common in base64 floats.
fn is_mp3(bytes: &[u8]) -> bool {
    let mut offset = 0;
    let mut kind = None;
    for _ in 0..3 {
        let Some((len, this)) = bytes.get(offset..).and_then(mp3_frame) else { return false };
        if kind.is_some_and(|kind| kind != this) {
            return false;
        }
        kind = Some(this);
        offset += len;
    }
    true
}

/// Length of a layer III frame in bytes, and what all frames of a file share (ISO/IEC 11172-3, section 2.4.2.3).
fn mp3_frame(bytes: &[u8]) -> Option<(usize, u16)> {
    const RATES_1: [usize; 16] = [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0];
    const RATES_2: [usize; 16] = [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0];
    let [0xFF, second, third, ..] = *bytes else { return None };
    let (version, layer) = (second >> 3 & 3, second >> 1 & 3);
    if second & 0xE0 != 0xE0 || layer != 1 {
        return None;
    }
    let sampling = *[44_100_usize, 48_000, 32_000].get(usize::from(third >> 2 & 3))?;
    let (rates, sampling, factor) = match version {
        3 => (RATES_1, sampling, 144),
        2 => (RATES_2, sampling / 2, 72),
        0 => (RATES_2, sampling / 4, 72),
        _ => return None,
    };
    let rate = rates[usize::from(third >> 4)] * 1000;
    let len = factor * rate / sampling + usize::from(third >> 1 & 1);
    (rate > 0).then_some((len, u16::from(second & 0x1E) << 8 | u16::from(third & 0x0C)))
}
