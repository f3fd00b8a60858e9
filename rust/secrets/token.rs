//! Credentials known by the shape their vendor gave them, wherever they stand.

use std::sync::LazyLock;

use regex::bytes::Regex;

use super::shape::{begins_word, is_random, is_word, run_end};
use super::{Hit, any_of, find_each};

/// Which characters follow a prefix.
#[derive(Clone, Copy)]
enum Body {
    /// Letters, digits, `-` and `_`.
    Word,
    /// Letters and digits, at least so many; `-` and `_` may follow and then belong to it.
    Alnum,
    /// Lower-case hex digits, then nothing of a word but a `-2` as Databricks writes it.
    Hex,
    /// Capital letters and digits, exactly so many.
    Capitals,
    /// Like `Word`, with dots inside.
    Dotted,
    /// Base64 of the standard alphabet with its padding.
    Base64,
}

struct Shape {
    prefix: &'static str,
    kind: &'static str,
    body: Body,
    least: usize,
}

const fn shape(prefix: &'static str, kind: &'static str, body: Body, least: usize) -> Shape {
    Shape { prefix, kind, body, least }
}

/// Prefix, kind, characters of the rest, and how many of them at least: a little fewer than the vendors give out today.
/// A longer prefix stands before a shorter one that it begins with. Where the shapes come from: the vendors' key pages, GitHub's
/// "supported secret scanning patterns" and gitleaks' rules.
const SHAPES: [Shape; 68] = [
    shape("sk-ant-", "anthropic", Body::Word, 16),
    shape("sk-or-", "openrouter", Body::Word, 16),
    shape("sk-lf-", "langfuse", Body::Word, 16),
    shape("pk-lf-", "langfuse", Body::Word, 16),
    shape("sk-", "openai", Body::Word, 16),
    shape("ek_", "openai-ephemeral", Body::Alnum, 24),
    shape("AIza", "google-api-key", Body::Word, 35),
    shape("ya29.", "google-oauth", Body::Dotted, 20),
    shape("1//0", "google-refresh-token", Body::Word, 30),
    shape("1%2F%2F0", "google-refresh-token", Body::Word, 30),
    shape("GOCSPX-", "google-client-secret", Body::Word, 20),
    shape("AKIA", "aws-access-key-id", Body::Capitals, 16),
    shape("ASIA", "aws-access-key-id", Body::Capitals, 16),
    shape("ABSK", "aws-bedrock-api-key", Body::Base64, 100),
    shape("bedrock-api-key-", "aws-bedrock-api-key", Body::Base64, 40),
    shape("gsk_", "groq", Body::Alnum, 20),
    shape("hf_", "huggingface", Body::Alnum, 30),
    shape("r8_", "replicate", Body::Alnum, 30),
    shape("pplx-", "perplexity", Body::Alnum, 32),
    shape("xai-", "xai", Body::Alnum, 32),
    shape("fw_", "fireworks", Body::Alnum, 20),
    shape("tgp_v1_", "together", Body::Word, 30),
    shape("ghp_", "github", Body::Alnum, 30),
    shape("gho_", "github", Body::Alnum, 30),
    shape("ghu_", "github", Body::Alnum, 30),
    shape("ghs_", "github", Body::Alnum, 30),
    shape("ghr_", "github", Body::Alnum, 30),
    shape("github_pat_", "github", Body::Word, 36),
    shape("glpat-", "gitlab", Body::Dotted, 20),
    shape("xoxa-", "slack", Body::Word, 16),
    shape("xoxb-", "slack", Body::Word, 16),
    shape("xoxp-", "slack", Body::Word, 16),
    shape("xoxr-", "slack", Body::Word, 16),
    shape("xoxs-", "slack", Body::Word, 16),
    shape("xoxe-", "slack", Body::Word, 16),
    shape("xoxe.", "slack", Body::Dotted, 16),
    shape("xapp-", "slack", Body::Word, 16),
    shape("sk_live_", "stripe", Body::Alnum, 16),
    shape("sk_test_", "stripe", Body::Alnum, 16),
    shape("rk_live_", "stripe", Body::Alnum, 16),
    shape("rk_test_", "stripe", Body::Alnum, 16),
    shape("whsec_", "stripe-webhook", Body::Base64, 24),
    shape("lsv2_pt_", "langsmith", Body::Word, 32),
    shape("lsv2_sk_", "langsmith", Body::Word, 32),
    shape("pcsk_", "pinecone", Body::Word, 30),
    shape("dapi", "databricks", Body::Hex, 32),
    shape("SG.", "sendgrid", Body::Dotted, 40),
    shape("npm_", "npm", Body::Alnum, 36),
    shape("pypi-", "pypi", Body::Word, 50),
    shape("nvapi-", "nvidia", Body::Word, 40),
    shape("csk-", "cerebras", Body::Alnum, 30),
    shape("tvly-", "tavily", Body::Word, 20),
    shape("dop_v1_", "digitalocean", Body::Hex, 64),
    shape("doo_v1_", "digitalocean", Body::Hex, 64),
    shape("shpat_", "shopify", Body::Hex, 32),
    shape("hvs.", "vault", Body::Word, 24),
    shape("hvb.", "vault", Body::Word, 24),
    shape("ntn_", "notion", Body::Alnum, 40),
    shape("lin_api_", "linear", Body::Alnum, 32),
    shape("ATATT3", "atlassian", Body::Word, 60),
    shape("jina_", "jina", Body::Alnum, 40),
    shape("pylf_v1_", "logfire", Body::Word, 30),
    shape("sbp_", "supabase", Body::Hex, 40),
    shape("fc-", "firecrawl", Body::Hex, 32),
    shape("e2b_", "e2b", Body::Hex, 40),
    shape("pul-", "pulumi", Body::Hex, 40),
    shape("dckr_pat_", "docker", Body::Word, 20),
    shape("api_org_", "huggingface", Body::Alnum, 30),
];

/// The prefixes in groups, each a search of its own. A vector search looks at the low halves of the first bytes of all its literals at
/// once, and literals that differ there give false alarms in prose: one search for all took 0.48 ns for a byte of prose, two halves
/// as they stand in the table 0.67, two halves in the order of those low halves 0.28, three 0.35.
static GROUPS: LazyLock<[Option<Regex>; 3]> = LazyLock::new(|| {
    let all = || SHAPES.iter().map(|shape| shape.prefix);
    let mut long: Vec<_> = all().filter(|prefix| prefix.len() >= 4 && !prefix.starts_with("sk-")).collect();
    long.sort_by_key(|prefix| prefix.bytes().take(4).map(|byte| byte & 0x0F).collect::<Vec<_>>());
    let (left, right) = long.split_at(long.len().div_ceil(2));
    [any_of(all().filter(|prefix| prefix.len() < 4)), any_of(left.iter().copied()), any_of(right.iter().copied())]
});

/// Puts a hit for each credential of a known shape.
pub(super) fn find(text: &[u8], hits: &mut Vec<Hit>) {
    for group in GROUPS.iter() {
        find_each(group.as_ref(), text, hits, |text, start, _| {
            // The boundary first: it is the cheaper question, and in the middle of base64 the answer is no.
            begins_word(text, start).then(|| at(text, start)).flatten().map(|(kind, end)| Hit::new(kind, start, end))
        });
    }
}

/// The kind of the credential that begins at `start`, and where it ends.
pub(super) fn at(text: &[u8], start: usize) -> Option<(&'static str, usize)> {
    let rest = text.get(start..)?;
    let first = rest.first()?;
    let is_it =
        |shape: &&Shape| shape.prefix.as_bytes().first() == Some(first) && rest.starts_with(shape.prefix.as_bytes());
    let shape = SHAPES.iter().find(is_it)?;
    let body = start + shape.prefix.len();
    let end = match shape.body {
        Body::Word => run_end(text, body, is_word),
        Body::Alnum => {
            let end = run_end(text, body, |byte| byte.is_ascii_alphanumeric());
            if end - body < shape.least {
                return None;
            }
            run_end(text, end, is_word)
        }
        Body::Hex => {
            let end = run_end(text, body, |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
            let after = run_end(text, end, is_word);
            if end - body != shape.least || (after != end && text.get(end) != Some(&b'-')) {
                return None;
            }
            after
        }
        Body::Capitals => {
            let end = run_end(text, body, is_word);
            if end - body != shape.least
                || !text[body..end].iter().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
            {
                return None;
            }
            end
        }
        Body::Dotted => {
            let end = run_end(text, body, |byte| is_word(byte) || byte == b'.');
            end - text[body..end].iter().rev().take_while(|&&byte| byte == b'.').count()
        }
        Body::Base64 => run_end(text, body, |byte| is_word(byte) || matches!(byte, b'+' | b'/' | b'=')),
    };
    (end - body >= shape.least && is_random(&text[body..end])).then_some((shape.kind, end))
}
