//! The compact form of episodes: nothing is lost, and nothing that is damaged passes for whole.

use base64_simd::{STANDARD, URL_SAFE};
use llm_vcr::cassette::compact::{Encoded, Episode, MIN_BLOB, MIN_TEXT_BLOB, PIECE, VERSION, blobs, encode, open};
use llm_vcr::error::{Error, ErrorKind};
use llm_vcr::sink::sha256;
use proptest::prelude::*;

fn noise(len: usize) -> Vec<u8> {
    (0..len.div_ceil(32)).flat_map(|n| sha256(&n.to_le_bytes())).take(len).collect()
}

/// An episode with bodies of its own.
#[derive(Debug, PartialEq, Eq)]
struct Decoded {
    head: Vec<u8>,
    request: Option<Vec<u8>>,
    response: Option<Vec<u8>>,
}

fn decode(pack: &[u8], stored: &[Option<&[u8]>]) -> Result<Vec<Result<Decoded, [u8; 32]>>, Error> {
    let opened = open(pack, stored)?;
    let body = |body: Option<llm_vcr::cassette::compact::Body<'_>>| {
        body.map(|body| {
            assert!(body.whole().is_none_or(|whole| whole == body.to_vec()));
            assert_eq!(body.len(), body.to_vec().len());
            body.to_vec()
        })
    };
    let owned = opened.episodes()?.into_iter().map(|one| match one {
        Ok(one) => Ok(Decoded { head: one.head.to_vec(), request: body(one.request), response: body(one.response) }),
        Err(digest) => Err(*digest),
    });
    Ok(owned.collect())
}

fn stored(encoded: &Encoded) -> Vec<Option<&[u8]>> {
    encoded.blobs.iter().map(|one| Some(one.stored.as_slice())).collect()
}

fn back(encoded: &Encoded) -> Vec<Decoded> {
    decode(&encoded.pack, &stored(encoded)).unwrap().into_iter().map(Result::unwrap).collect()
}

fn one<'a>(request: Option<&'a [u8]>, response: Option<&'a [u8]>) -> Episode<'a> {
    Episode { head: b"[1]", request, response }
}

fn decoded(episode: &Episode<'_>) -> Decoded {
    let owned = |body: Option<&[u8]>| body.map(<[u8]>::to_vec);
    Decoded { head: episode.head.to_vec(), request: owned(episode.request), response: owned(episode.response) }
}

fn round(request: &[u8], response: &[u8]) -> Encoded {
    let episode = one(Some(request), Some(response));
    let encoded = encode(&[episode]).unwrap();
    assert_eq!(back(&encoded), [decoded(&episode)]);
    assert_eq!(blobs(&encoded.pack).unwrap(), encoded.blobs.iter().map(|one| one.digest).collect::<Vec<_>>());
    encoded
}

#[test]
fn no_body_is_not_an_empty_one() {
    let episodes = [one(None, Some(b"")), one(Some(b""), None)];
    assert_eq!(back(&encode(&episodes).unwrap()), episodes.map(|one| decoded(&one)));
}

#[test]
fn what_episodes_have_in_common_is_stored_once() {
    let bodies: Vec<Vec<u8>> = (0..20).map(|n| [noise(1500), vec![n]].concat()).collect();
    let episodes: Vec<_> = bodies.iter().map(|body| one(Some(body), None)).collect();
    let encoded = encode(&episodes).unwrap();
    assert_eq!(back(&encoded), episodes.iter().map(decoded).collect::<Vec<_>>());
    assert!(encoded.pack.len() < 2000);
    assert_eq!(back(&encode(&[]).unwrap()), []);
}

#[test]
fn base64_is_kept_as_the_bytes_it_stands_for_and_shared() {
    let image = noise(60_000);
    let inline = format!("{{\"a\":\"data:image/png;base64,{}\"}}", STANDARD.encode_to_string(&image));
    let escaped = format!("{{\"a\":\"x\\n{}\"}}", URL_SAFE.encode_to_string(&image));
    let encoded = round(inline.as_bytes(), escaped.as_bytes());
    assert_eq!(encoded.blobs.len(), 1, "both bodies have the same image");
    assert_eq!(encoded.blobs[0].digest, sha256(&image));
    assert!(encoded.blobs[0].stored.len() < image.len() + 40);
    assert!(encoded.pack.len() < 200);
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
    for boundary in ["llm-vcr-boundary", "c2c0dd7529be90794cee7f144768a2ca"] {
        let mut form = format!("--{boundary}\r\nContent-Type: image/png\r\n\r\n").into_bytes();
        form.extend_from_slice(&image);
        form.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
        let encoded = round(&form, &image);
        assert_eq!(encoded.blobs.iter().map(|one| one.digest).collect::<Vec<_>>(), [sha256(&image)]);
        let as_text = STANDARD.encode_to_string(&form);
        let encoded = round(as_text.as_bytes(), URL_SAFE.encode_to_string(&form).as_bytes());
        assert_eq!(encoded.blobs.iter().map(|one| one.digest).collect::<Vec<_>>(), [sha256(&image)]);
    }
    assert!(round(&noise(MIN_BLOB - 1), b"").blobs.is_empty());
}

#[test]
fn an_array_of_sound_is_compressed_and_noise_is_not() {
    let sound: Vec<u8> = (0..20_000_u32).flat_map(|n| [0x80 | (n % 7) as u8, 0xff]).collect();
    assert!(round(&sound, b"").blobs[0].stored.len() < sound.len() / 10);
    assert!((20_000..20_040).contains(&round(&noise(20_000), b"").blobs[0].stored.len()));
}

#[test]
fn long_noise_is_kept_in_pieces() {
    let image = noise(2 * PIECE + 7);
    let encoded = round(&image, STANDARD.encode_to_string(&image).as_bytes());
    let lens: Vec<_> = encoded.blobs.iter().map(|one| one.stored.len()).collect();
    assert!(lens[..2].iter().all(|len| (PIECE..=1 << 20).contains(len)) && lens[2] < 40, "{lens:?}");
    assert_eq!(round(&vec![7; 2 * PIECE], b"").blobs.len(), 1);
}

#[test]
fn a_long_text_is_a_blob_that_others_may_share() {
    let page = "the same page ".repeat(MIN_TEXT_BLOB / 14 + 1);
    assert_eq!(round(page.as_bytes(), b"").blobs.len(), 1);
    assert!(round(&page.as_bytes()[..MIN_TEXT_BLOB - 1], b"").blobs.is_empty());
}

#[test]
fn damage_is_told() {
    let image = noise(9000);
    let episodes = [one(Some(b"request"), Some(&image)), one(Some(b"another"), None)];
    let encoded = encode(&episodes).unwrap();
    let blob = encoded.blobs[0].stored.as_slice();
    let kind = |pack: &[u8]| decode(pack, &[Some(blob)]).unwrap_err().kind;
    for cut in 0..encoded.pack.len() {
        assert!(decode(&encoded.pack[..cut], &[Some(blob)]).is_err(), "cut at {cut}");
    }
    let mut newer = encoded.pack.clone();
    newer[0] = VERSION + 1;
    assert_eq!(kind(&newer), ErrorKind::NewerEpisode);
    assert_eq!(blobs(&newer).unwrap_err().kind, ErrorKind::NewerEpisode);
    assert_eq!(kind(b"--- yaml"), ErrorKind::NewerEpisode);
    assert_eq!(kind(b"\x02 a form that was never released"), ErrorKind::BadEpisode);
    assert_eq!(kind(b""), ErrorKind::BadEpisode);
    let mut flipped = blob.to_vec();
    flipped[5000] ^= 1;
    let another = encode(&[one(Some(&noise(9001)), None)]).unwrap();
    let other = another.blobs[0].stored.as_slice();
    // A payload that is gone, damaged or another one costs the episode that needs it, and no other.
    for stored in [&[][..], &[None], &[Some(&blob[..4000])], &[Some(&b""[..])], &[Some(&flipped)], &[Some(other)]] {
        assert_eq!(decode(&encoded.pack, stored).unwrap(), [Err(encoded.blobs[0].digest), Ok(decoded(&episodes[1]))]);
    }
}

proptest! {
    #[test]
    fn nothing_is_lost(
        pieces in proptest::collection::vec(
            prop_oneof![
                proptest::collection::vec(any::<u8>(), 0..40),
                "[ -~\n]{0,80}".prop_map(String::into_bytes),
                (0_usize..9000, any::<bool>()).prop_map(|(len, url)| {
                    let alphabet = if url { URL_SAFE } else { STANDARD };
                    alphabet.encode_to_string(noise(len)).into_bytes()
                }),
                (0_usize..9000, any::<bool>()).prop_map(|(len, url)| {
                    let alphabet = if url { URL_SAFE } else { STANDARD };
                    let form = [b"--b\r\n\r\n", &noise(len)[..], b"\r\n--b\r\n\r\nx\r\n--b--"].concat();
                    alphabet.encode_to_string(form).into_bytes()
                }),
                Just(b"\r\n--llm-vcr-boundary\r\n\r\n".to_vec()),
                Just(b"--llm-vcr-boundary".to_vec()),
                Just(noise(MIN_BLOB)),
            ],
            0..8,
        )
    ) {
        let body = pieces.concat();
        round(&body, &body);
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), at in 0_usize..300, flip in 1_u8..) {
        let _ = decode(&bytes, &[Some(&bytes)]);
        let episode = one(Some(&bytes), None);
        let mut damaged = encode(&[episode, episode]).unwrap().pack;
        let at = at % damaged.len();
        damaged[at] ^= flip;
        if let Ok(got) = decode(&damaged, &[]) {
            // Bits that zstd itself does not use.
            assert_eq!(got, [Ok(decoded(&episode)), Ok(decoded(&episode))]);
        }
    }
}
