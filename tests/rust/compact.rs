//! The compact form of episodes: nothing is lost, and nothing that is damaged passes for whole.

use base64_simd::{STANDARD, URL_SAFE};
use llm_vcr::cassette::compact::{Encoded, MIN_BLOB, MIN_TEXT_BLOB, VERSION, blobs, decode, encode};
use llm_vcr::error::ErrorKind;
use llm_vcr::sink::sha256;
use proptest::prelude::*;

fn noise(len: usize) -> Vec<u8> {
    (0..len.div_ceil(32)).flat_map(|n| sha256(&n.to_le_bytes())).take(len).collect()
}

fn back(encoded: &Encoded) -> (Vec<u8>, Option<Vec<u8>>, Option<Vec<u8>>) {
    let stored: Vec<&[u8]> = encoded.blobs.iter().map(|one| one.stored.as_slice()).collect();
    let got = decode(&encoded.episode, &stored).unwrap();
    (got.head, got.request, got.response)
}

fn round(request: &[u8], response: &[u8]) -> Encoded {
    let encoded = encode(b"[1]", Some(request), Some(response)).unwrap();
    assert_eq!(back(&encoded), (b"[1]".to_vec(), Some(request.to_vec()), Some(response.to_vec())));
    assert_eq!(blobs(&encoded.episode).unwrap(), encoded.blobs.iter().map(|one| one.digest).collect::<Vec<_>>());
    encoded
}

#[test]
fn no_body_is_not_an_empty_one() {
    assert_eq!(back(&encode(b"", None, Some(b"")).unwrap()), (vec![], None, Some(vec![])));
}

#[test]
fn base64_is_kept_as_the_bytes_it_stands_for_and_shared() {
    let image = noise(60_000);
    let inline = format!("{{\"a\":\"data:image/png;base64,{}\"}}", STANDARD.encode_to_string(&image));
    let escaped = format!("{{\"a\":\"x\\n{}\"}}", URL_SAFE.encode_to_string(&image));
    let encoded = round(inline.as_bytes(), escaped.as_bytes());
    assert_eq!(encoded.blobs.len(), 1, "both bodies have the same image");
    assert_eq!(encoded.blobs[0].digest, sha256(&image));
    assert_eq!(encoded.blobs[0].stored.len(), image.len() + 1);
    assert!(encoded.episode.len() < 200);
}

#[test]
fn base64_that_would_come_back_another_is_left_alone() {
    let mut text = STANDARD.encode_to_string(noise(4000)).into_bytes();
    assert!(text.ends_with(b"="));
    let last = text.iter().rposition(|b| *b != b'=').unwrap();
    // A last letter with bits that stand for nothing.
    text[last] = if text[last] == b'/' { b'+' } else { b'/' };
    round(&text, &text[..text.len() - 1]);
    round(&text[1..], &text[..3001]);
}

#[test]
fn binary_parts_and_bodies_are_blobs() {
    let image = noise(9000);
    let mut form = b"--llm-vcr-boundary\r\nContent-Type: image/png\r\n\r\n".to_vec();
    form.extend_from_slice(&image);
    form.extend_from_slice(b"\r\n--llm-vcr-boundary--\r\n");
    let encoded = round(&form, &image);
    assert_eq!(encoded.blobs.iter().map(|one| one.digest).collect::<Vec<_>>(), [sha256(&image)]);
    assert!(round(&noise(MIN_BLOB - 1), b"").blobs.is_empty());
}

#[test]
fn an_array_of_sound_is_compressed_and_noise_is_not() {
    let sound: Vec<u8> = (0..20_000_u32).flat_map(|n| [0x80 | (n % 7) as u8, 0xff]).collect();
    assert!(round(&sound, b"").blobs[0].stored.len() < sound.len() / 10);
    assert_eq!(round(&noise(20_000), b"").blobs[0].stored.len(), 20_001);
}

#[test]
fn a_long_text_is_a_blob_that_others_may_share() {
    let page = "the same page ".repeat(MIN_TEXT_BLOB / 14 + 1);
    assert_eq!(round(page.as_bytes(), b"").blobs.len(), 1);
    assert!(round(&page.as_bytes()[..MIN_TEXT_BLOB - 1], b"").blobs.is_empty());
}

#[test]
fn damage_is_told() {
    let encoded = encode(b"head", Some(b"request"), Some(&noise(5000))).unwrap();
    let blob = encoded.blobs[0].stored.as_slice();
    let kind = |episode: &[u8], stored: &[&[u8]]| decode(episode, stored).unwrap_err().kind;
    for cut in 0..encoded.episode.len() {
        assert!(decode(&encoded.episode[..cut], &[blob]).is_err(), "cut at {cut}");
    }
    let mut newer = encoded.episode.clone();
    newer[0] = VERSION + 1;
    assert_eq!(kind(&newer, &[blob]), ErrorKind::NewerEpisode);
    assert_eq!(blobs(&newer).unwrap_err().kind, ErrorKind::NewerEpisode);
    assert_eq!(kind(&encoded.episode, &[]), ErrorKind::BadBlob);
    assert_eq!(kind(&encoded.episode, &[&blob[..4000]]), ErrorKind::BadBlob);
    assert_eq!(kind(b"--- yaml", &[]), ErrorKind::NewerEpisode);
    assert_eq!(kind(b"", &[]), ErrorKind::BadEpisode);
}

proptest! {
    #[test]
    fn nothing_is_lost(
        pieces in proptest::collection::vec(
            prop_oneof![
                proptest::collection::vec(any::<u8>(), 0..40),
                "[ -~\n]{0,80}".prop_map(String::into_bytes),
                (0_usize..6000, any::<bool>()).prop_map(|(len, url)| {
                    let alphabet = if url { URL_SAFE } else { STANDARD };
                    alphabet.encode_to_string(noise(len)).into_bytes()
                }),
                Just(b"\r\n--llm-vcr-boundary\r\n\r\n".to_vec()),
                Just(b"--llm-vcr-boundary".to_vec()),
                Just(noise(3000)),
            ],
            0..8,
        )
    ) {
        let body = pieces.concat();
        round(&body, &body);
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), at in 0_usize..300, flip in 1_u8..) {
        let _ = decode(&bytes, &[&bytes]);
        let encoded = encode(&bytes, Some(&bytes), None).unwrap();
        let mut damaged = encoded.episode.clone();
        let at = at % damaged.len();
        damaged[at] ^= flip;
        if let Ok(got) = decode(&damaged, &[]) {
            // Bits that zstd itself does not use.
            assert_eq!((got.head, got.request), (bytes.clone(), Some(bytes)));
        }
    }
}
