//! What is thrown at the core: bodies of every kind, mutated; each input follows from its number alone.

use llm_vcr::body::{self, Kind, Rules};
use llm_vcr::media::{MediaType, placeholder};
use serde_json::Value;

/// No body grows beyond this many bytes, but for one in [`LARGE`].
const MOST: usize = 4_096;
const LARGE: u64 = 2_000;

/// An input: everything any entry asks for.
pub struct Input {
    pub body: Vec<u8>,
    pub content_type: Option<String>,
    /// A body to compare with: mutated once more, or something else.
    pub other: Vec<u8>,
    /// What stands in headers, URIs and settings.
    pub texts: [String; 3],
}

/// Marsaglia's xorshift: the same numbers for the same seed on every machine.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        // Seeds that follow one another have to begin far apart (the finaliser of splitmix64).
        let mut state = seed.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        state = (state ^ state >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        state = (state ^ state >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        Self((state ^ state >> 31).max(1))
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number below `end`, which is not 0.
    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from((self.next() >> 11) % end as u64).expect("below a usize")
    }

    pub fn one_in(&mut self, many: usize) -> bool {
        self.below(many) == 0
    }

    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[3]
    }
}

/// A body that is as it should be, and its type.
struct Seed {
    body: Vec<u8>,
    content_type: Option<String>,
}

/// Where inputs come from.
pub struct Inputs {
    /// By the kind of body, for most seeds are mere text.
    seeds: Vec<(Kind, Vec<Seed>)>,
    texts: Vec<String>,
}

/// What some rule of the core looks for, or trips over.
const TOKENS: [&[u8]; 97] = [
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b",",
    b"\"",
    b"\\",
    b"\\\"",
    b"\\\\",
    b"\\n",
    b"\\/",
    b"\\u0041",
    b"\\ud83d",
    b"\\ude00",
    b"\\u00",
    b"\\u001a",
    b"null",
    b"true",
    b"NaN",
    b"-Infinity",
    b"-0",
    b"1e999",
    b"1.0",
    b"0123",
    b"18446744073709551616",
    b"\"a\":",
    b"{\"a\":1,\"a\":2}",
    b"[[[[[[[[",
    b"\xEF\xBB\xBF",
    b"\xFF",
    b"\xC3",
    b"\xED\xA0\x80",
    b"\0",
    b"\x1A",
    b"\x1Auuid\x1A",
    b"\x1Aepoch\x1A",
    b"\x1Amasked\x1A",
    b"\x1Amedia image/png 5 2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",
    b"\x1Amedia ",
    b"\r\n",
    b"\n",
    b"\r",
    b"\r\n\r\n",
    b"\n\n",
    b" ",
    b"\t",
    b"--",
    b"\r\n--",
    b"--llm-vcr-boundary",
    b"\n--llm-vcr-boundary-2",
    b"--x",
    b"\r\n--x\r\n",
    b"\r\n--x--\r\n",
    b"--x--",
    b"boundary=x",
    b"Content-Type: multipart/mixed; boundary=y\r\n",
    b"Content-Disposition: form-data; name=\"a\"",
    b"Content-Length: 17\r\n",
    b"--y",
    b"\r\n--y\r\n\r\n",
    b"\r\n--y--\r\n",
    b"data: ",
    b"data:image/png;base64,",
    b"event: ",
    b"data: [DONE]\n\n",
    b"iVBORw0KGgoAAAANSUhEUgAABAAAAAMA",
    b"/9j/4AAQSkZJRg",
    b"UklGRgAAAABXQVZF",
    b"\x89PNG\r\n\x1A\n\0\0\0\rIHDR",
    b"\xFF\xD8\xFF\xE0",
    b"llm-vcr-media 1 image/png 5 -",
    b"\"b64_json\":",
    b"\"media_type\":\"image/png\",",
    b"\"data\":",
    b"AAAA",
    b"====",
    b"-_-_",
    b"550e8400-e29b-41d4-a716-446655440000",
    b"550e8400e29b41d4a716446655440000",
    b"2026-11-21T10:24:47.123Z",
    b"20261121T102447",
    b"1732185600",
    b"1732185600123",
    b".5",
    b"+05:30",
    b"Bearer ",
    b"sk-proj-0123456789abcdefABCDEF",
    b"sk-",
    b"AKIAIOSFODNN7EXAMPLE",
    b"eyJhbGciOiJIUzI1NiJ9.",
    b"\"api_key\":\"",
    b"password=",
    b"https://user:pw0rd1@h/",
    b"-----BEGIN PRIVATE KEY-----",
    b"%22",
    b"&",
];

/// What may stand between two values or members.
const VALUES: [&str; 12] = [
    "1,",
    "null,",
    "\"\",",
    "[],",
    "{},",
    "[[1,-0.5e-7],{\"b\":[]}],",
    "\"a\":1,",
    "\"\\u0061\":2,",
    "\"\\ud83d\\ude00\":\"\\u0000\\/\",",
    "\"z\":{\"y\":[true,false],\"x\":{}},",
    "\n",
    " \t\r\n",
];

const TYPES: [&str; 12] = [
    "application/json",
    "application/json; charset=utf-8",
    "application/x-ndjson",
    "text/event-stream",
    "application/x-www-form-urlencoded",
    "text/plain",
    "application/octet-stream",
    "image/png",
    "multipart/form-data; boundary=x",
    "multipart/mixed; boundary=\"x y\"",
    "multipart/form-data; boundary=llm-vcr-boundary",
    "multipart/related",
];

const VECTORS: [&str; 6] = [
    include_str!("../../vectors/canonical_json.json"),
    include_str!("../../vectors/explain.json"),
    include_str!("../../vectors/media.json"),
    include_str!("../../vectors/multipart.json"),
    include_str!("../../vectors/secrets.json"),
    include_str!("../../vectors/volatile.json"),
];

impl Inputs {
    pub fn new() -> Self {
        let mut inputs = Self { seeds: Vec::new(), texts: TYPES.map(str::to_owned).to_vec() };
        for vectors in VECTORS {
            inputs.gather(&serde_json::from_str(vectors).expect("vectors are JSON"), None);
        }
        inputs.with_media();
        inputs.seed(b"event: delta\ndata: {\"a\":1}\n\ndata: [DONE]\n\n".to_vec(), Some("text/event-stream"));
        inputs.seed(
            b"grant_type=x&client_secret=hunter2hunter2&a=%22".to_vec(),
            Some("application/x-www-form-urlencoded"),
        );
        let count: usize = inputs.seeds.iter().map(|(_, seeds)| seeds.len()).sum();
        assert!(count > 500 && inputs.texts.len() > 500 && inputs.seeds.len() == 8, "vectors of every kind");
        inputs
    }

    /// Every text of the vectors, with the content type that stands beside it.
    fn gather(&mut self, value: &Value, content_type: Option<&str>) {
        match value {
            Value::String(text) => {
                if text.len() <= 200 {
                    self.texts.push(text.clone());
                }
                if text.len() <= MOST {
                    self.seed(text.as_bytes().to_vec(), content_type);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.gather(item, content_type)),
            Value::Object(members) => {
                let content_type =
                    ["content_type", "left_type", "right_type"].iter().find_map(|name| members.get(*name)?.as_str());
                if let Some(Value::String(encoded)) = members.get("base64")
                    && let Ok(body) = base64_simd::STANDARD.decode_to_vec(encoded)
                {
                    self.seed(body, content_type);
                }
                members.values().for_each(|member| self.gather(member, content_type));
            }
            _ => {}
        }
    }

    fn seed(&mut self, body: Vec<u8>, content_type: Option<&str>) {
        let (_, kind) = body::canonical(&body, content_type, &Rules::default(), false);
        let seed = Seed { body, content_type: content_type.map(str::to_owned) };
        match self.seeds.iter_mut().find(|(of, _)| *of == kind) {
            Some((_, seeds)) => seeds.push(seed),
            None => self.seeds.push((kind, vec![seed])),
        }
    }

    fn any(&self, random: &mut Random) -> &Seed {
        let (_, seeds) = random.pick(&self.seeds);
        random.pick(seeds)
    }

    /// Bodies with files that are long enough to count by their digest, and with what stands for such files.
    fn with_media(&mut self) {
        let heads: [&[u8]; 5] = [
            b"\x89PNG\r\n\x1A\n\0\0\0\rIHDR\0\0\x04\0\0\0\x03\0",
            b"\xFF\xD8\xFF\xE0\0\x10JFIF",
            b"RIFF\0\0\0\0WAVEfmt ",
            b"%PDF-1.7\n",
            b"OggS\0\x02",
        ];
        let files = heads
            .iter()
            .map(|head| [head, &b"pixels, or whatever such a file is made of. "[..].repeat(35)[..]].concat());
        let placeholders = MediaType::ALL
            .iter()
            .flat_map(|kind| [true, false].map(|digest| placeholder(b"what it was", *kind, digest)));
        for file in files.chain(placeholders).collect::<Vec<_>>() {
            let (plain, url_safe) =
                (base64_simd::STANDARD.encode_to_string(&file), base64_simd::URL_SAFE_NO_PAD.encode_to_string(&file));
            let texts = [
                format!(r#"{{"data":[{{"b64_json":"{plain}"}}],"output_format":"png"}}"#),
                format!(r#"{{"source":{{"type":"base64","media_type":"image/png","data":"{plain}"}},"model":"m"}}"#),
                format!(r#"[{{"url":"data:image\/jpeg;base64,{}"}}]"#, plain.replace('/', "\\/")),
                format!(
                    "data: {{\"inlineData\":{{\"data\":\"{url_safe}\",\"mimeType\":\"audio/wav\"}}}}\n\ndata: [DONE]\n\n"
                ),
                format!("{{\"image\":\"{plain}\"}}\n{{\"image\":\"{url_safe}\"}}\n"),
            ];
            for text in texts {
                self.seed(text.into_bytes(), None);
            }
            let upload = [
                b"--x\r\nContent-Disposition: form-data; name=\"f\"\r\nContent-Type: image/png\r\n\r\n",
                &file[..],
                b"\r\n--x--\r\n",
            ]
            .concat();
            self.seed(upload, Some("multipart/form-data; boundary=x"));
            self.seed(file, Some("image/png"));
        }
    }

    /// The input of that number.
    pub fn get(&self, number: u64) -> Input {
        let mut random = Random::new(number);
        let most = if number.is_multiple_of(LARGE) { 20 * MOST } else { MOST };
        let (body, content_type) = if random.one_in(12) {
            (noise(&mut random), None)
        } else {
            let seed = self.any(&mut random);
            let body =
                if random.one_in(20) { seed.body.clone() } else { self.mutated(&mut random, seed.body.clone(), most) };
            (body, seed.content_type.clone())
        };
        let content_type = match random.below(10) {
            0 => Some((*random.pick(&TYPES)).to_owned()),
            1 => Some(self.text(&mut random)),
            2 => content_type.map(|text| mutated_text(self, &mut random, &text)),
            _ => content_type,
        };
        let other = match random.below(8) {
            0 => body.clone(),
            1 => self.any(&mut random).body.clone(),
            2 | 3 => respelled(&mut random, &body),
            _ => self.mutated(&mut random, body.clone(), most),
        };
        let texts = [self.text(&mut random), self.text(&mut random), self.text(&mut random)];
        Input { body, content_type, other, texts }
    }

    fn text(&self, random: &mut Random) -> String {
        let text = random.pick(&self.texts);
        if random.one_in(4) { text.clone() } else { mutated_text(self, random, text) }
    }

    fn mutated(&self, random: &mut Random, mut body: Vec<u8>, most: usize) -> Vec<u8> {
        let times = match random.below(8) {
            0 => random.below(16),
            1..=3 => 1 + random.below(4),
            _ => 1,
        };
        for _ in 0..times {
            self.mutate(random, &mut body);
            body.truncate(most);
        }
        body
    }

    /// One change, anywhere.
    fn mutate(&self, random: &mut Random, body: &mut Vec<u8>) {
        let mut at = random.below(body.len() + 1);
        if random.one_in(2) {
            // Where one value, member or line ends and the next begins, a change is more often read than refused.
            at += body[at..].iter().position(|byte| b":,[{}]\"\n".contains(byte)).map_or(0, |found| found + 1);
        }
        let end = at + random.below((body.len() - at).min(64) + 1);
        match random.below(12) {
            0 if at < body.len() => body[at] ^= 1 << random.below(8),
            1 if at < body.len() => body[at] = random.byte(),
            2 if at < body.len() => body[at] = random.pick(&TOKENS)[0],
            3 | 4 => drop(body.splice(at..at, random.pick(&TOKENS).iter().copied())),
            5 => drop(body.splice(at..at, random.pick(&VALUES).bytes())),
            6 => drop(body.drain(at..end)),
            7 => body.truncate(at),
            8 => {
                let times = if random.one_in(8) { random.below(600) } else { random.below(4) };
                let repeated = body[at..end].repeat(times.min(MOST));
                body.splice(at..at, repeated);
            }
            9 => {
                let seed = &self.any(random).body;
                let from = random.below(seed.len() + 1);
                let to = from + random.below(seed.len() - from + 1);
                body.splice(at..end, seed[from..to].iter().copied());
            }
            10 => {
                let to = random.below(body.len() + 1);
                let moved = body[at..end].to_vec();
                body.splice(to..to, moved);
            }
            _ => body[at..end].reverse(),
        }
    }
}

fn mutated_text(inputs: &Inputs, random: &mut Random, text: &str) -> String {
    let mut bytes = inputs.mutated(random, text.as_bytes().to_vec(), 200);
    bytes.truncate(200);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The same JSON in other letters: white space around what separates, and characters as escapes. Of anything else, whatever it becomes.
pub fn respelled(random: &mut Random, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len() + 64);
    let mut in_string = false;
    let mut escaped = false;
    let mut digits = 0;
    for &byte in body {
        if escaped && byte == b'u' {
            digits = 5;
        }
        match byte {
            _ if digits > 0 => digits -= 1,
            b'"' if !escaped => in_string = !in_string,
            b'/' if in_string && !escaped && random.one_in(4) => out.push(b'\\'),
            b'a'..=b'z' if in_string && !escaped && random.one_in(40) => {
                out.extend_from_slice(format!("\\u{byte:04X}").as_bytes());
                continue;
            }
            b'{' | b'}' | b'[' | b']' | b':' | b',' if !in_string && random.one_in(4) => {
                out.extend_from_slice(random.pick(&[" ", "\n\t", "\r "]).as_bytes());
            }
            _ => {}
        }
        escaped = in_string && !escaped && byte == b'\\';
        out.push(byte);
    }
    out
}

/// Nothing but chance: bytes, or tokens in any order.
fn noise(random: &mut Random) -> Vec<u8> {
    let count = random.below(80);
    if random.one_in(2) {
        return (0..count * 4).map(|_| random.byte()).collect();
    }
    (0..count).flat_map(|_| random.pick(&TOKENS).iter().copied()).collect()
}
