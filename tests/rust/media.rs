//! Media: recognised, replaced, and still equal to what it was.

use std::borrow::Cow;

use llm_vcr::media::{
    DECLARING_KEYS, MAX_PLACEHOLDER, MIN_PLACEHOLDER, MediaType, Original, Shrink, original, placeholder, shrink,
    shrink_binary, sniff, string_media,
};
use llm_vcr::sink::{hex, sha256};
use proptest::prelude::*;
use serde_json::Value;

const WITH_DIGEST: Shrink = Shrink { min_len: 64 * 1024, digest: true };

fn vectors() -> Value {
    serde_json::from_str(include_str!("../vectors/media.json")).expect("the vectors are JSON")
}

/// The bytes a vector describes: its head, then the filler named in the file's `about`.
fn fill(head: &[u8], len: usize) -> Vec<u8> {
    let filler = (0..len).map(|i| u8::try_from((i * i * 31 + i * 7 + 11) % 251).expect("below 251"));
    head.iter().copied().chain(filler.skip(head.len())).collect()
}

fn unhex(digits: &str) -> Vec<u8> {
    (0..digits.len()).step_by(2).map(|i| u8::from_str_radix(&digits[i..i + 2], 16).expect("hex")).collect()
}

fn encode(bytes: &[u8]) -> String {
    base64_simd::STANDARD.encode_to_string(bytes)
}

fn spell(bytes: &[u8], spelling: &str) -> String {
    let plain = encode(bytes);
    match spelling {
        "standard" => plain,
        "urlsafe" => base64_simd::URL_SAFE_NO_PAD.encode_to_string(bytes),
        "unpadded" => plain.trim_end_matches('=').to_owned(),
        "slashes" => plain.replace('/', "\\/"),
        "unicode" => plain.replace('+', "\\u002B"),
        "breaks" => {
            plain.as_bytes().chunks(76).map(|line| String::from_utf8_lossy(line)).collect::<Vec<_>>().join("\\n")
        }
        other => panic!("unknown spelling {other}"),
    }
}

/// A PNG's head with the given size, which is all that tells a PNG.
fn png(width: u32, height: u32, len: usize) -> Vec<u8> {
    let mut head = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
    head.extend_from_slice(&width.to_be_bytes());
    head.extend_from_slice(&height.to_be_bytes());
    fill(&head, len)
}

#[test]
fn vectors_become_what_they_say() {
    for case in vectors()["cases"].as_array().expect("cases") {
        let name = case["name"].as_str().expect("name");
        let len = usize::try_from(case["len"].as_u64().expect("len")).expect("fits");
        let bytes = fill(&unhex(case["head"].as_str().expect("head")), len);
        let spelled = spell(&bytes, case["spelling"].as_str().expect("spelling"));
        let (before, after) = case["text"].as_str().expect("text").split_once("<MEDIA>").expect("one <MEDIA>");
        let text = format!("{before}{spelled}{after}");
        for options in [WITH_DIGEST, Shrink { digest: false, ..WITH_DIGEST }] {
            let shrunk = shrink(text.as_bytes(), options);
            let Some(media_type) = case["becomes"].as_str() else {
                assert!(matches!(shrunk, Cow::Borrowed(_)), "{name}: stays");
                continue;
            };
            let shrunk = std::str::from_utf8(&shrunk).expect("still text");
            let middle = shrunk.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
            let middle = middle.unwrap_or_else(|| panic!("{name}: the text around it changed"));
            let file = base64_simd::STANDARD.decode_to_vec(middle).unwrap_or_else(|_| panic!("{name}: not replaced"));
            let noted = original(&file).unwrap_or_else(|| panic!("{name}: no note"));
            assert_eq!((noted.media_type, noted.len), (media_type, len as u64), "{name}");
            assert_eq!(noted.sha256, options.digest.then(|| sha256(&bytes)), "{name}");
            if let Some(width) = case["width"].as_u64() {
                let size = (
                    u32::try_from(width).expect("width"),
                    u32::try_from(case["height"].as_u64().unwrap()).expect("height"),
                );
                assert_eq!(inflated_png(&file).0, size, "{name}");
            }
        }
    }
}

#[test]
fn placeholders_of_version_one_are_frozen() {
    let vectors = vectors();
    let frozen = vectors["placeholders"].as_object().expect("placeholders");
    assert_eq!(frozen.len(), MediaType::ALL.len());
    for kind in MediaType::ALL {
        let file = placeholder(b"hello", kind, true);
        assert_eq!(frozen[kind.mime()].as_str(), Some(hex(&sha256(&file)).as_str()), "{}", kind.mime());
    }
}

#[test]
fn a_placeholder_is_small_says_what_it_stands_for_and_stays() {
    for kind in MediaType::ALL {
        for with_digest in [true, false] {
            let file = placeholder(b"what it was", kind, with_digest);
            assert!((MIN_PLACEHOLDER..=MIN_PLACEHOLDER + 16).contains(&file.len()), "{kind:?}: {}", file.len());
            assert_eq!(sniff(&file), Some(kind));
            let sha256 = with_digest.then(|| sha256(b"what it was"));
            assert_eq!(original(&file), Some(Original { media_type: kind.mime(), len: 11, sha256 }), "{kind:?}");
            for (kind, with_digest) in [(kind, true), (kind, false), (MediaType::Gif, true)] {
                assert_eq!(placeholder(&file, kind, with_digest), file);
            }
            assert!(matches!(shrink_binary(&file, Shrink { min_len: 0, digest: true }), Cow::Borrowed(_)));
        }
    }
}

#[test]
fn an_edited_placeholder_is_no_placeholder() {
    for kind in MediaType::ALL {
        let file = placeholder(b"what it was", kind, true);
        for at in 0..file.len() {
            let mut edited = file.clone();
            edited[at] ^= 1;
            // A note that reads otherwise is a whole placeholder only where the file has no check sum over it.
            assert_ne!(original(&edited), original(&file), "{kind:?} at {at}");
        }
        assert_eq!(original(&[&file[..], b"\0"].concat()), None, "{kind:?}");
        assert_eq!(original(&file[..file.len() - 1]), None, "{kind:?}");
    }
}

#[test]
fn binary_bodies() {
    let photo = fill(b"\xFF\xD8\xFF\xE1", 70_000);
    let shrunk = shrink_binary(&photo, WITH_DIGEST);
    assert_eq!(original(&shrunk).and_then(|noted| noted.sha256), Some(sha256(&photo)));
    let unhashed = shrink_binary(&photo, Shrink { digest: false, ..WITH_DIGEST });
    assert_eq!(original(&unhashed), Some(Original { media_type: "image/jpeg", len: 70_000, sha256: None }));
    assert!(matches!(shrink_binary(&photo[..65_535], WITH_DIGEST), Cow::Borrowed(_)));
    assert!(matches!(shrink_binary(&fill(b"\0", 70_000), WITH_DIGEST), Cow::Borrowed(_)));
    // Nothing becomes longer.
    assert!(matches!(shrink_binary(&photo[..900], Shrink { min_len: 0, digest: true }), Cow::Borrowed(_)));
}

#[test]
fn magic_bytes() {
    let frames = |len: usize| [&b"\xFF\xFB\x90\x64"[..], &vec![0; len - 4]].concat().repeat(3);
    let known: [(&[u8], MediaType); 6] = [
        (b"GIF87a", MediaType::Gif),
        (b"\xFF\xD8\xFF\xDB", MediaType::Jpeg),
        (b"ID3\x04\0\0\0\0\x02\x01", MediaType::Mp3),
        (&frames(417), MediaType::Mp3),
        (b"\0\0\0\x1CftypM4A ", MediaType::M4a),
        (b"\0\0\0\x20ftypisom", MediaType::Mp4),
    ];
    for (bytes, kind) in known {
        assert_eq!(sniff(bytes), Some(kind), "{:?}", String::from_utf8_lossy(bytes));
    }
    let unknown: [&[u8]; 16] = [
        b"",
        b"\x89PNG\r\n\x1a",
        b"\xFF\xD8\xFF\x00",
        b"\xFF\xFB\x90\x64",
        &frames(416),
        &frames(418),
        b"ID3\x04\0\0\0\0\x82\x01",
        b"BM is two letters of any text, and this one is long enough",
        b"RIFF\0\0\0\0AVI LIST",
        b"\0\0\0\x1Cftypavif",
        b"\0\0\0\x1Cftypheic",
        b"\0\0\0\x04ftypisom",
        b"\x1A\x45\xDF\xA3\x42\x82\x84mp4\0",
        b"%PDX-1.7",
        b"OggS\x01",
        b"llm-vcr-media 1 image/png 5 -",
    ];
    for bytes in unknown {
        assert_eq!(sniff(bytes), None, "{:?}", String::from_utf8_lossy(bytes));
    }
}

#[test]
fn a_string_and_what_it_was_shrunk_to_are_one() {
    let bytes = png(640, 480, 3_000);
    let plain = encode(&bytes);
    let token = string_media(plain.as_bytes(), None).expect("media");
    assert_eq!(token.original, Original { media_type: "image/png", len: 3_000, sha256: Some(sha256(&bytes)) });
    assert_eq!(token.head, b"");
    for spelling in ["urlsafe", "unpadded", "slashes", "breaks", "unicode"] {
        assert_eq!(string_media(spell(&bytes, spelling).as_bytes(), None), Some(token), "{spelling}");
    }
    assert_eq!(string_media(encode(&placeholder(&bytes, MediaType::Png, true)).as_bytes(), None), Some(token));
    // Without a digest it is a file like any other.
    let unhashed = placeholder(&bytes, MediaType::Png, false);
    let digest = string_media(encode(&unhashed).as_bytes(), None).and_then(|media| media.original.sha256);
    assert_eq!(digest, Some(sha256(&unhashed)));

    let url = format!("DATA:image\\/png;base64,{}", encode(&bytes));
    let token = string_media(url.as_bytes(), Some(b"audio/wav")).expect("media");
    assert_eq!((token.head, token.original.media_type), (&b"DATA:image\\/png;base64,"[..], "image/png"));
}

#[test]
fn what_is_no_string_of_media() {
    let image = encode(&png(1, 1, 90));
    let samples = encode(&fill(b"", 90));
    assert!(string_media(image.as_bytes(), None).is_some());
    assert!(string_media(samples.as_bytes(), Some(b"audio/pcm")).is_some());
    for declared in [None, Some(&b""[..]), Some(b"text/plain"), Some(b"image/heic"), Some(b"base64")] {
        assert_eq!(string_media(samples.as_bytes(), declared), None, "{declared:?}");
    }
    for raw in [
        String::new(),
        format!("{image}A"),
        format!("{image}="),
        format!("{image} "),
        format!("{image}\\"),
        format!("{image}\\u00"),
        format!("{image}\\t"),
        format!("{image}-+=="),
        format!("{image}===="),
        format!("{}*{}", &image[..80], &image[81..]),
        format!("data:image/png,{image}"),
        format!("data:,{image}"),
        format!("see data:image/png;base64,{image}"),
    ] {
        assert_eq!(string_media(raw.as_bytes(), Some(b"image/png")), None, "{raw}");
    }
}

#[test]
fn lengths_count_as_they_say() {
    let bytes = png(3, 3, 3_000);
    let text = format!("[\"{}\"]", encode(&bytes));
    assert!(matches!(shrink(text.as_bytes(), Shrink { min_len: 4_000, digest: true }), Cow::Owned(_)));
    assert!(matches!(shrink(text.as_bytes(), Shrink { min_len: 4_001, digest: true }), Cow::Borrowed(_)));
    for min_len in [0, 1, 2, 3, 1_333, 2_000] {
        assert!(matches!(shrink(text.as_bytes(), Shrink { min_len, digest: true }), Cow::Owned(_)), "{min_len}");
    }
    assert!(matches!(shrink(text.as_bytes(), Shrink { min_len: usize::MAX, digest: true }), Cow::Borrowed(_)));
}

/// Texts that would take hours if any stretch of them were read again for every place in it.
#[test]
fn hostile_texts_come_to_an_end_untouched() {
    const LEN: usize = 5_000_000;
    let image = encode(&png(9, 9, 1_800));
    let almost = [
        "A".to_owned(),
        "\\".to_owned(),
        "\\\"".to_owned(),
        "\"".to_owned(),
        ",".to_owned(),
        "\" ".to_owned(),
        "iVBORw0KGgo".to_owned(),
        "\"iVBORw0KGgo".to_owned(),
        "\"iVBORw0KGgo,".to_owned(),
        format!("\"{image} "),
        format!("\"{image}\": "),
        format!("\"data:image/png;base64,{image},"),
        format!("\"data\":\"{}\",", "A".repeat(2_399)),
        format!("{{\"data\":\"{}\",\"format\":\"wav\",\"mimeType\":\"image/png\"}},", "A".repeat(2_400)),
        format!("\"data\":\"{}", "A".repeat(2_400)),
    ];
    for piece in almost {
        let text = piece.repeat(LEN / piece.len());
        for min_len in [1_024, 65_536] {
            let shrunk = shrink(text.as_bytes(), Shrink { min_len, digest: true });
            assert!(matches!(shrunk, Cow::Borrowed(_)), "{}", &piece[..piece.len().min(40)]);
        }
    }
    let spaces = format!("[\"{image}\"{}]", " ".repeat(LEN));
    assert!(shrink(spaces.as_bytes(), Shrink { min_len: 1_024, digest: true }).len() < spaces.len());
}

// The structure of the files, told by readers of our own that are as plain as the formats allow.

fn crc(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 };
        }
    }
    !crc
}

fn be32(bytes: &[u8]) -> usize {
    bytes[..4].iter().fold(0, |value, byte| value << 8 | usize::from(*byte))
}

fn le32(bytes: &[u8]) -> usize {
    bytes[..4].iter().rev().fold(0, |value, byte| value << 8 | usize::from(*byte))
}

/// Width and height of a PNG, and its decompressed rows. Checks signature, order and check sums of the chunks.
fn inflated_png(file: &[u8]) -> ((u32, u32), Vec<u8>) {
    let mut rest = file.strip_prefix(b"\x89PNG\r\n\x1a\n").expect("signature");
    let mut names = Vec::new();
    let (mut header, mut stream) = (Vec::new(), Vec::new());
    while !rest.is_empty() {
        let len = be32(rest);
        let (name, data) = (&rest[4..8], &rest[8..8 + len]);
        assert_eq!(be32(&rest[8 + len..]), crc(&rest[4..8 + len]) as usize, "check sum");
        match name {
            b"IHDR" => header = data.to_vec(),
            b"IDAT" => stream = data.to_vec(),
            _ => {}
        }
        names.push(String::from_utf8_lossy(name).into_owned());
        rest = &rest[12 + len..];
    }
    assert_eq!(names, ["IHDR", "tEXt", "IDAT", "IEND"]);
    assert_eq!(&header[8..], [1, 0, 0, 0, 0], "one bit of grey");
    let size = (be32(&header), be32(&header[4..]));
    let rows = inflate(&stream);
    assert_eq!(rows.len(), (size.0.div_ceil(8) + 1) * size.1);
    ((u32::try_from(size.0).unwrap(), u32::try_from(size.1).unwrap()), rows)
}

/// A zlib stream of one dynamic block, bit by bit (RFC 1951).
fn inflate(stream: &[u8]) -> Vec<u8> {
    struct Bits<'a>(&'a [u8], usize);
    impl Bits<'_> {
        fn get(&mut self, count: usize) -> usize {
            let value = (0..count).map(|i| usize::from(self.0[(self.1 + i) / 8] >> ((self.1 + i) % 8) & 1) << i).sum();
            self.1 += count;
            value
        }
        fn symbol(&mut self, lengths: &[usize]) -> usize {
            let (mut code, mut first, mut len) = (0, 0, 0);
            loop {
                len += 1;
                code = code << 1 | self.get(1);
                let of_len: Vec<usize> = (0..lengths.len()).filter(|s| lengths[*s] == len).collect();
                if code - first < of_len.len() {
                    return of_len[code - first];
                }
                first = (first + of_len.len()) << 1;
                assert!(len < 16, "no such code");
            }
        }
    }
    assert_eq!((usize::from(stream[0]) << 8 | usize::from(stream[1])) % 31, 0, "zlib header");
    let mut bits = Bits(&stream[2..stream.len() - 4], 0);
    assert_eq!((bits.get(1), bits.get(2)), (1, 2), "one dynamic block");
    let (literals, distances, codes) = (bits.get(5) + 257, bits.get(5) + 1, bits.get(4) + 4);
    let mut code_lengths = [0; 19];
    for place in [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15].into_iter().take(codes) {
        code_lengths[place] = bits.get(3);
    }
    let mut lengths: Vec<usize> = Vec::new();
    while lengths.len() < literals + distances {
        match bits.symbol(&code_lengths) {
            18 => lengths.extend(std::iter::repeat_n(0, 11 + bits.get(7))),
            length @ 0..16 => lengths.push(length),
            other => panic!("code {other} is not used here"),
        }
    }
    let (literal_lengths, distance_lengths) = lengths.split_at(literals);
    let mut out = Vec::new();
    loop {
        match bits.symbol(literal_lengths) {
            256 => break,
            285 => {
                assert_eq!(bits.symbol(distance_lengths), 0);
                out.resize(out.len() + 258, *out.last().expect("a byte to repeat"));
            }
            literal => out.push(u8::try_from(literal).expect("a literal")),
        }
    }
    assert_eq!(bits.1.div_ceil(8), stream.len() - 6, "nothing behind the block");
    let (mut a, mut b) = (1_usize, 0_usize);
    for byte in &out {
        a = (a + usize::from(*byte)) % 65_521;
        b = (b + a) % 65_521;
    }
    assert_eq!(be32(&stream[stream.len() - 4..]), b << 16 | a, "Adler-32");
    out
}

#[test]
fn a_png_keeps_its_size() {
    for (width, height) in [(1, 1), (3, 7), (8, 1), (258, 2), (1024, 1024), (1536, 1024), (8192, 4096), (1, 2_000_000)]
    {
        let file = placeholder(&png(width, height, 100), MediaType::Png, false);
        let (size, rows) = inflated_png(&file);
        assert_eq!(size, (width, height));
        assert!(rows.iter().all(|byte| *byte == 0));
        assert!(file.len() <= MAX_PLACEHOLDER);
        assert!(original(&file).is_some());
    }
    for (width, height) in
        [(8192, 8192), (0, 5), (5, 0), (u32::MAX, u32::MAX), (u32::MAX, 1), (1, u32::MAX), (1 << 31, 1)]
    {
        assert_eq!(inflated_png(&placeholder(&png(width, height, 100), MediaType::Png, true)).0, (1, 1));
    }
    assert_eq!(inflated_png(&placeholder(b"cut \x89PNG", MediaType::Png, true)).0, (1, 1));
}

#[test]
fn riff_sizes_fit() {
    for (kind, form, names) in [
        (MediaType::Wav, b"WAVE", &["fmt ", "LIST", "data"][..]),
        (MediaType::Webp, b"WEBP", &["VP8X", "VP8L", "NOTE"]),
    ] {
        for len in [1, 10] {
            let file = placeholder(&vec![0; len], kind, false);
            assert_eq!(&file[..4], b"RIFF");
            assert_eq!(le32(&file[4..]) + 8, file.len());
            assert_eq!(&file[8..12], form);
            let (mut rest, mut found) = (&file[12..], Vec::new());
            while !rest.is_empty() {
                found.push(String::from_utf8_lossy(&rest[..4]).into_owned());
                rest = &rest[8 + le32(&rest[4..]).next_multiple_of(2)..];
            }
            assert_eq!(found, names);
        }
    }
}

#[test]
fn segments_blocks_boxes_pages_and_tags_fit() {
    let jpeg = placeholder(b"x", MediaType::Jpeg, true);
    let (mut at, mut markers) = (2, Vec::new());
    while jpeg[at + 1] != 0xDA {
        assert_eq!(jpeg[at], 0xFF);
        markers.push(jpeg[at + 1]);
        at += 2 + (usize::from(jpeg[at + 2]) << 8 | usize::from(jpeg[at + 3]));
    }
    assert_eq!(markers, [0xE0, 0xFE, 0xDB, 0xC0, 0xC4, 0xC4]);
    assert!(jpeg.ends_with(b"\xFF\xD9"));

    let gif = placeholder(b"x", MediaType::Gif, true);
    let mut at = gif.windows(2).position(|pair| pair == b"\x21\xFE").expect("a comment") + 2;
    while gif[at] != 0 {
        at += 1 + usize::from(gif[at]);
    }
    assert_eq!(gif[at + 1], 0x2C, "the image follows");
    assert_eq!(gif.last(), Some(&0x3B));

    for kind in [MediaType::Mp4, MediaType::M4a, MediaType::Mov] {
        let file = placeholder(b"x", kind, true);
        let (mut rest, mut names) = (&file[..], Vec::new());
        while !rest.is_empty() {
            names.push(String::from_utf8_lossy(&rest[4..8]).into_owned());
            rest = &rest[be32(rest)..];
        }
        assert_eq!(names, ["ftyp", "free", "mdat", "moov", "free"], "{kind:?}");
        let stco = file.windows(4).position(|name| name == b"stco").expect("chunk offsets");
        let mdat = file.windows(4).position(|name| name == b"mdat").expect("samples");
        assert_eq!(be32(&file[stco + 12..]), mdat + 4, "{kind:?}: the first chunk is the first sample");
    }

    let ogg = placeholder(b"x", MediaType::Ogg, true);
    let (mut rest, mut packets) = (&ogg[..], Vec::new());
    while !rest.is_empty() {
        let segments = usize::from(rest[26]);
        let len: usize = rest[27..27 + segments].iter().map(|len| usize::from(*len)).sum();
        let mut page = rest[..27 + segments + len].to_vec();
        let expected = le32(&page[22..]);
        page[22..26].fill(0);
        let mut crc: u32 = 0;
        for byte in page {
            crc ^= u32::from(byte) << 24;
            for _ in 0..8 {
                crc = if crc >> 31 == 1 { (crc << 1) ^ 0x04C1_1DB7 } else { crc << 1 };
            }
        }
        assert_eq!(crc as usize, expected);
        packets.push(rest[27 + segments..27 + segments + len].to_vec());
        rest = &rest[27 + segments + len..];
    }
    assert_eq!(packets.len(), 3);
    assert!(packets[1].starts_with(b"OpusTags"));
    assert_eq!(le32(&packets[1][23..]) + 27, packets[1].len(), "one comment to the packet's end");

    let mp3 = placeholder(b"x", MediaType::Mp3, true);
    let tag = mp3[6..10].iter().fold(0, |size, byte| size << 7 | usize::from(*byte));
    assert_eq!(&mp3[10..14], b"TXXX");
    assert_eq!(be32(&mp3[14..]) + 10, tag);
    assert_eq!(sniff(&mp3[10 + tag..]), Some(MediaType::Mp3), "whole frames behind the tag");

    let flac = placeholder(b"x", MediaType::Flac, true);
    assert_eq!(be32(&flac[4..]), 34, "STREAMINFO first, not the last");
    let comments = be32(&flac[42..]);
    assert_eq!(comments >> 24, 0x84, "VORBIS_COMMENT, the last");
    assert!(flac[46 + (comments & 0x00FF_FFFF)..].starts_with(b"\xFF\xF8"), "a frame follows");

    let pdf = placeholder(b"x", MediaType::Pdf, true);
    let text = String::from_utf8(pdf).expect("ASCII");
    let table = text.find("xref\n").expect("a table");
    assert!(text.contains(&format!("startxref\n{table}\n")));
    for (number, line) in text[table..].lines().skip(3).take(3).enumerate() {
        let offset: usize = line[..10].parse().expect("an offset");
        assert!(text[offset..].starts_with(&format!("{} 0 obj", number + 1)));
    }

    let bmp = placeholder(b"x", MediaType::Bmp, true);
    assert_eq!(le32(&bmp[2..]), bmp.len());
    assert_eq!(le32(&bmp[10..]) + 4, bmp.len(), "one pixel at the end");
}

// The dull twin: the whole text as a tree, every string of it tried.

#[derive(Clone, Debug)]
enum Node {
    Literal(&'static str),
    /// The inside of a JSON string, escaped.
    Text(String),
    List(Vec<Node>),
    Object(Vec<(&'static str, Node)>),
}

fn write(node: &Node, space: &str, text: &mut String) {
    match node {
        Node::Literal(literal) => text.push_str(literal),
        Node::Text(raw) => text.extend(["\"", raw, "\""]),
        Node::List(items) => {
            text.push('[');
            for (i, item) in items.iter().enumerate() {
                text.push_str(if i > 0 { "," } else { "" });
                text.push_str(space);
                write(item, space, text);
            }
            text.push_str(space);
            text.push(']');
        }
        Node::Object(members) => {
            text.push('{');
            for (i, (key, value)) in members.iter().enumerate() {
                text.push_str(if i > 0 { "," } else { "" });
                text.extend([space, "\"", key, "\"", space, ":", space]);
                write(value, space, text);
            }
            text.push_str(space);
            text.push('}');
        }
    }
}

/// Letter by letter, on a string whose escapes are resolved.
fn dull_decode(text: &str) -> Option<Vec<u8>> {
    let text: String = text.chars().filter(|c| !matches!(c, '\n' | '\r')).collect();
    let bare = text.trim_end_matches('=');
    let padding = text.len() - bare.len();
    let url_safe = bare.contains(['-', '_']);
    let mixed = url_safe && bare.contains(['+', '/']);
    if mixed || padding > 2 || padding > 0 && !text.len().is_multiple_of(4) || bare.len() % 4 == 1 {
        return None;
    }
    let mut bits = Vec::new();
    for letter in bare.chars() {
        let value = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".find(if letter == '-' {
            '+'
        } else if letter == '_' {
            '/'
        } else {
            letter
        })?;
        bits.extend((0..6).rev().map(|bit| value >> bit & 1));
    }
    let whole = bits.len() / 8 * 8;
    if bits[whole..].contains(&1) {
        return None;
    }
    Some(
        bits[..whole]
            .chunks(8)
            .map(|byte| byte.iter().fold(0, |value, bit| value << 1 | u8::try_from(*bit).unwrap()))
            .collect(),
    )
}

/// What `shrink` is to make of one string.
fn dull_string(text: &str, raw_len: usize, declared: Option<MediaType>, options: Shrink) -> Option<String> {
    let (head, declared) = match text.split_once(',') {
        Some((head, _)) if head.starts_with("data:") && head.ends_with(";base64") => {
            (head.len() + 1, MediaType::declared(head[5..].split(';').next()?.as_bytes()))
        }
        _ => (0, declared),
    };
    let bytes = dull_decode(&text[head..])?;
    let kind = sniff(&bytes).or(declared)?;
    if raw_len - head < options.min_len || original(&bytes).is_some() {
        return None;
    }
    let file = placeholder(&bytes, kind, options.digest);
    let encoded = encode(&file);
    (file.len() < bytes.len() && encoded.len() < raw_len - head).then(|| format!("{}{encoded}", &text[..head]))
}

fn dull_shrink(node: &mut Node, declared: Option<MediaType>, options: Shrink) {
    match node {
        Node::Literal(_) => {}
        Node::Text(raw) => {
            let text: String = serde_json::from_str(&format!("\"{raw}\"")).expect("a JSON string");
            if let Some(shrunk) = dull_string(&text, raw.len(), declared, options) {
                *raw = shrunk;
            }
        }
        Node::List(items) => items.iter_mut().for_each(|item| dull_shrink(item, None, options)),
        Node::Object(members) => {
            let siblings = members.clone();
            for (at, (key, value)) in members.iter_mut().enumerate() {
                let others = siblings.iter().enumerate().filter(|(i, _)| *i != at).map(|(_, member)| member);
                dull_shrink(value, dull_declaration(key, others), options);
            }
        }
    }
}

fn dull_declaration<'a>(key: &str, others: impl Iterator<Item = &'a (&'static str, Node)>) -> Option<MediaType> {
    let mut kinds = Vec::new();
    for (key, value) in others {
        match value {
            Node::List(_) | Node::Object(_) => return None,
            Node::Text(raw) if raw.len() > 900 => return None,
            Node::Text(raw) if DECLARING_KEYS.contains(&key.as_bytes()) => {
                kinds.push(MediaType::declared(raw.as_bytes())?);
            }
            Node::Literal(_) if DECLARING_KEYS.contains(&key.as_bytes()) => return None,
            _ => {}
        }
    }
    kinds.dedup();
    (key == "data" && kinds.len() == 1).then(|| kinds[0])
}

fn strings(node: &Node, declared: Option<&[u8]>, found: &mut Vec<(String, Option<Vec<u8>>)>) {
    match node {
        Node::Literal(_) => {}
        Node::Text(raw) => found.push((raw.clone(), declared.map(<[u8]>::to_vec))),
        Node::List(items) => items.iter().for_each(|item| strings(item, None, found)),
        Node::Object(members) => {
            let declared = members.iter().find_map(|(key, value)| match value {
                Node::Text(raw) if DECLARING_KEYS.contains(&key.as_bytes()) => Some(raw.clone()),
                _ => None,
            });
            for (_, value) in members {
                strings(value, declared.as_deref().map(str::as_bytes), found);
            }
        }
    }
}

fn media_string() -> impl Strategy<Value = String> {
    let heads = prop::sample::select(vec![
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x09\0\0\0\x08".to_vec(),
        b"\xFF\xD8\xFF\xE0".to_vec(),
        b"RIFF\0\0\0\0WAVEfmt ".to_vec(),
        b"%PDF-1.7\n".to_vec(),
        b"GIF89".to_vec(),
        b"\x01\x02\x03".to_vec(),
        b"\xFB\xFF\xBF".to_vec(),
    ]);
    let spellings = prop::sample::select(vec!["standard", "urlsafe", "unpadded", "slashes", "unicode", "breaks"]);
    let urls =
        prop::sample::select(vec!["", "", "", "data:image/gif;base64,", "data:;base64,", "data:image/png,", "x,"]);
    let tails = prop::sample::select(vec!["", "", "", "", "", "=", "A", "*", "\\n", "\\/", "\\\\", "\\\"", "-", ","]);
    let lens = prop_oneof![0..100_usize, 1_000..2_500_usize, 20_000..20_010_usize];
    (heads, lens, spellings, urls, tails, 0..5_u8).prop_map(|(head, len, spelling, url, tail, twice)| {
        let mut bytes = fill(&head, len);
        if twice == 0 {
            bytes = placeholder(&bytes, MediaType::Wav, len % 2 == 0);
        }
        format!("{url}{}{tail}", spell(&bytes, spelling))
    })
}

fn node() -> impl Strategy<Value = Node> {
    let declarations = ["image/png", "audio/pcm", "image/heic", "wav", "base64", "IMAGE/PNG; x=y"];
    let leaf = prop_oneof![
        4 => media_string().prop_map(Node::Text),
        2 => prop::sample::select(declarations.to_vec()).prop_map(|s| Node::Text(s.to_owned())),
        1 => prop::sample::select(vec!["", "say \\\"hi\\\"", "a,b", "\\\\", "{\\\"data\\\":1", "A"]).prop_map(|s| Node::Text(s.to_owned())),
        1 => prop::sample::select(vec!["null", "-1.5e+3", "true", "0"]).prop_map(Node::Literal),
    ];
    let keys = prop::sample::select(vec!["data", "data", "media_type", "mimeType", "format", "signature", "type", "x"]);
    leaf.prop_recursive(4, 24, 5, move |inner| {
        prop_oneof![
            1 => prop::collection::vec(inner.clone(), 0..4).prop_map(Node::List),
            3 => prop::collection::vec((keys.clone(), inner), 0..5).prop_map(Node::Object),
        ]
    })
}

fn options() -> impl Strategy<Value = Shrink> {
    (prop::sample::select(vec![1, 700, 1_024, 2_000, 3_000, 26_000]), any::<bool>())
        .prop_map(|(min_len, digest)| Shrink { min_len, digest })
}

proptest! {
    #[test]
    fn fast_and_dull_agree(node in node(), options in options(), space in prop::sample::select(vec!["", " ", "\n  "])) {
        let mut text = String::new();
        write(&node, space, &mut text);
        let mut dull = node;
        dull_shrink(&mut dull, None, options);
        let mut expected = String::new();
        write(&dull, space, &mut expected);
        let shrunk = shrink(text.as_bytes(), options);
        prop_assert_eq!(std::str::from_utf8(&shrunk).expect("text"), expected.as_str());
        prop_assert_eq!(matches!(shrunk, Cow::Borrowed(_)), text == expected);
    }

    #[test]
    fn shrunk_requests_compare_equal(node in node(), min_len in 1..3_000_usize) {
        let options = Shrink { min_len, digest: true };
        let mut shrunk = node.clone();
        dull_shrink(&mut shrunk, None, options);
        let (mut before, mut after) = (Vec::new(), Vec::new());
        strings(&node, None, &mut before);
        strings(&shrunk, None, &mut after);
        for ((before, declared), (after, _)) in before.iter().zip(&after) {
            if before != after {
                prop_assert!(before.len() > 1_024 && after.len() > 1_024);
                let token = string_media(before.as_bytes(), declared.as_deref());
                prop_assert!(token.is_some());
                prop_assert_eq!(token, string_media(after.as_bytes(), declared.as_deref()));
            }
        }
    }

    #[test]
    fn any_bytes_are_survived_and_twice_is_once(
        node in node(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        options in options(),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut text = String::new();
        write(&node, "", &mut text);
        let mut bytes = text.into_bytes();
        for (at, byte) in edits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(cut.index(bytes.len() + 1).max(bytes.len() / 2));
        let once = shrink(&bytes, options);
        prop_assert!(once.len() <= bytes.len());
        prop_assert_eq!(&shrink(&once, options), &once);
        let binary = shrink_binary(&bytes, options);
        prop_assert_eq!(&shrink_binary(&binary, options), &binary);
        let _ = string_media(&bytes, Some(b"image/png"));
    }

    #[test]
    fn strings_decode_as_the_dull_way_does(raw in "[A-D+/=_-]{0,14}") {
        let fast = string_media(raw.as_bytes(), Some(b"audio/pcm")).and_then(|media| media.original.sha256);
        let dull = dull_decode(&raw).filter(|_| !raw.is_empty()).map(|bytes| sha256(&bytes));
        prop_assert_eq!(fast, dull);
    }
}
