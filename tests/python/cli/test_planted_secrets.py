"""scan finds every kind of secret however it is written down, and none in what only looks like one."""

from __future__ import annotations

import base64
import json
import random
import string
import struct
from collections.abc import Callable
from urllib.parse import quote

import pytest

from tests.python.cli.place import HELLO, Place, episode, everywhere

_RANDOM = random.Random(7)
ALNUM, HEX = string.ascii_letters + string.digits, "0123456789abcdef"
CAPITALS, WORD = string.ascii_uppercase + "234567", ALNUM + "_-"


def made(length: int, of: str = ALNUM) -> str:
    """Characters as a machine draws them."""
    return "".join(_RANDOM.choice(of) for _ in range(length))


def jwt() -> str:
    parts = (b'{"alg":"RS256","typ":"JWT"}', json.dumps({"sub": made(12), "exp": 1790000000}).encode(), made(64).encode())
    return ".".join(base64.urlsafe_b64encode(one).decode().rstrip("=") for one in parts)


def pem() -> str:
    lines = [made(64, ALNUM + "+/") for _ in range(6)]
    return "\n".join(["-----BEGIN " + "PRIVATE KEY-----", *lines, "-----END " + "PRIVATE KEY-----"])


# Kind and secret, as `scan` names them; the prefixes apart from what follows, so that no scanner takes this file for a leak.
SECRETS = {
    "anthropic": "sk-ant-" + "api03-" + made(86, WORD) + "AA",
    "openai": "sk-" + "proj-" + made(96, ALNUM),
    "openrouter": "sk-or-" + "v1-" + made(64, HEX),
    "langfuse": "sk-lf-" + "-".join(made(n, HEX) for n in (8, 4, 4, 4, 12)),
    "google-api-key": "AI" + "za" + made(35),
    "google-oauth": "ya29" + "." + made(80),
    "google-client-secret": "GOC" + "SPX-" + made(28),
    "aws-access-key-id": "AK" + "IA" + made(16, CAPITALS),
    "groq": "gsk" + "_" + made(52),
    "huggingface": "hf" + "_" + made(34),
    "replicate": "r8" + "_" + made(37),
    "perplexity": "pplx" + "-" + made(48),
    "xai": "xai" + "-" + made(80),
    "fireworks": "fw" + "_" + made(24),
    "together": "tgp_v1" + "_" + made(43),
    "github": "ghp" + "_" + made(36),
    "gitlab": "glpat" + "-" + made(20),
    "slack": "xoxb" + "-" + made(12, string.digits) + "-" + made(24),
    "stripe": "sk_live" + "_" + made(24),
    "langsmith": "lsv2_pt" + "_" + made(32, HEX) + "_" + made(10, HEX),
    "pinecone": "pcsk" + "_" + made(60),
    "databricks": "da" + "pi" + made(32, HEX),
    "sendgrid": "SG" + "." + made(22) + "." + made(43),
    "npm": "npm" + "_" + made(36),
    "pypi": "pypi" + "-" + "AgEIcHlwaS5vcmc" + made(60),
    "nvidia": "nvapi" + "-" + made(64),
    "cerebras": "csk" + "-" + made(48, string.ascii_lowercase + string.digits),
    "tavily": "tvly" + "-" + made(32),
    "digitalocean": "dop_v1" + "_" + made(64, HEX),
    "notion": "ntn" + "_" + made(46),
    "jwt": jwt(),
    "private-key": pem(),
}

ENCODINGS: dict[str, Callable[[str], bytes]] = {
    "plain": lambda secret: f"the key is {secret}\nand no other".encode(),
    "escaped JSON": lambda secret: json.dumps({"tool": {"arguments": json.dumps({"note": f"use {secret}"})}}).encode(),
    "quoted": lambda secret: f"a=1&note={quote('use ' + secret, safe='')}&b=2".encode(),
    "base64": lambda secret: json.dumps({"file": base64.b64encode(f"# settings\nNOTE=use {secret}\n".encode()).decode()}).encode(),
    "events": lambda secret: b'data: {"delta":"a"}\n\n' + f"data: {json.dumps({'delta': f'use {secret}'})}\n\ndata: [DONE]\n\n".encode(),
}


def parts(secret: str) -> list[str]:
    """What of a secret must be nowhere: its lines, or the end of the only one."""
    return [line for line in secret.splitlines() if len(line) > 40] or [secret[-12:]]


@everywhere
def test_every_kind_is_found_however_it_is_written_down(empty: Place) -> None:
    assert len(SECRETS) >= 25
    assert len(ENCODINGS) == 5
    for kind, secret in SECRETS.items():
        sides = [episode(f"{name}?", answer_body=encode(secret), answer_type="text/plain") for name, encode in ENCODINGS.items()]
        sides += [episode(body=encode(secret)) for encode in ENCODINGS.values()]
        empty.put(f"cassettes/{kind}.yaml", *sides)
    result = empty.run("scan", "--json")
    assert result.exit_code == 1
    found = {(one["cassette"], one["place"].partition(",")[0], one["kind"]) for one in json.loads(result.stdout)["secrets"]}
    missed = [
        (kind, [*ENCODINGS, *ENCODINGS][number], "answer" if number < 5 else "request")
        for kind in SECRETS
        for number in range(10)
        if (f"cassettes/{kind}.yaml", f"episode {number + 1}", kind) not in found
    ]
    assert missed == []
    shown = empty.run("scan").output
    for secret in SECRETS.values():
        assert not any(part in result.stdout + shown for part in parts(secret)), "where it stands and of what kind, never what it is"
    # And each of them is taken out where it stands.
    empty.json("normalize", "--write")
    left = [one for one in empty.json("scan", status=None)["secrets"] if "request" in one["place"]]
    assert left == []


@pytest.mark.parametrize("where", ["a comment", "a folded text", "a key of its own", "a broken file"])
def test_what_stands_in_a_file_and_in_no_episode_is_found(empty: Place, where: str) -> None:
    empty.put(HELLO, episode())
    path = empty.root / HELLO
    text = path.read_text()
    for kind, secret in SECRETS.items():
        if "\n" in secret:
            continue
        path.write_text(
            {
                "a comment": f"# use {secret}\n{text}",
                "a folded text": f"note: >-\n  use {secret}\n  and no other\n{text}",
                "a key of its own": f'note: "use {secret}"\n{text}',
                "a broken file": f"{text}\nnote: [{secret}\n",
            }[where]
        )
        told = empty.json("scan", status=None)["secrets"]
        assert kind in [one["kind"] for one in told], kind
        assert all(one["line"] for one in told)


def floats(number: int) -> list[float]:
    return [_RANDOM.uniform(-1, 1) for _ in range(number)]


LOOK_ALIKES = [
    {"id": f"chatcmpl-{made(29)}", "system_fingerprint": f"fp_{made(10, HEX)}", "object": "chat.completion"},
    {"id": f"resp_{made(48, HEX)}", "output": [{"id": f"msg_{made(48, HEX)}"}, {"call_id": f"call_{made(24)}"}]},
    {"id": f"msg_01{made(22)}", "content": [{"type": "thinking", "signature": base64.b64encode(_RANDOM.randbytes(300)).decode()}]},
    {"candidates": [{"content": {"parts": [{"thoughtSignature": base64.b64encode(_RANDOM.randbytes(200)).decode()}]}}]},
    {"data": [{"embedding": base64.b64encode(struct.pack("<64f", *floats(64))).decode()}, {"embedding": floats(64)}]},
    {"encrypted_content": base64.urlsafe_b64encode(_RANDOM.randbytes(400)).decode()},
    {"id": f"file-{made(22)}", "sha256": made(64, HEX), "etag": f'W/"{made(40, HEX)}"', "commit": made(40, HEX)},
    {"request_id": f"req_{made(32, HEX)}", "trace": f"00-{made(32, HEX)}-{made(16, HEX)}-01", "cf-ray": f"{made(16, HEX)}-ZRH"},
    {"uuid": "6b0c9d1e-0b7a-4f0e-9a51-1f2e3d4c5b6a", "created": 1790000000, "run": "run_2026-11-21T10:00:00Z"},
    {"max_tokens": 5, "usage": {"prompt_tokens": 10, "completion_tokens": 20, "token_type": "word"}, "next_page_token": made(24)},
    {"model": "claude-sonnet-4-5-20250929", "tools": [{"name": "ask-the-team", "description": "sk-learn, fw-update, r8 of 10, hf radio"}]},
    {"messages": [{"role": "user", "content": "Which token does `Bearer` want? Set api_key=YOUR_API_KEY or sk-..."}]},
    {"image": {"data": base64.b64encode(b"\x89PNG\r\n\x1a\n" + _RANDOM.randbytes(3000)).decode(), "url": f"https://cdn.example.com/{made(40)}.png"}},
    {"id": f"{made(12, WORD)}.{made(16, WORD)}.{made(27, WORD)}", "cursor": f"eyJ{made(40, WORD)}", "next": f"gAAAAA{made(300, WORD)}=="},
    {"grpc-trace-bin": made(39) + "=", "traceparent": f"00-{made(32, HEX)}-{made(16, HEX)}-01", "trace": f"Root=1-{made(8, HEX)}"},
    {"role": f"AROA{made(17, CAPITALS)}", "data": made(40, ALNUM + "+/") + "AKIA" + made(16, CAPITALS) + made(80, ALNUM + "+/")},
    {"messages": [{"content": "Compare sk-learn with sk-image; task-4f9a8b7c6d5e, risk-assessment-2026-11-21, disk-usage-by-team"}]},
    {"slug": "sk-ant-farm-simulation-of-antlions-in-a-jar-and-more", "css": "task-list-item-checkbox-with-a-long-name"},
    {"code": "api_key = os.environ['OPENAI_API_KEY']\nexport ANTHROPIC_API_KEY=${ANTHROPIC_API_KEY}\nkey=sk-xxxxxxxxxxxxxxxxxxxxxxxx"},
    {"schema": {"properties": {"api_key": {"type": "string"}, "password": {"type": "string", "description": "The user's password"}}}},
    {"logprobs": [{"token": "sk", "logprob": -0.1}, {"token": " Bearer", "logprob": -1.5}], "stop_token": "<|endoftext|>"},
    {"key": f"-----BEGIN PUBLIC KEY-----\n{made(64)}\n-----END PUBLIC KEY-----", "cert": f"-----BEGIN CERTIFICATE-----\n{made(64)}"},
    {"idempotency-key": "stainless-python-retry-6b0c9d1e-0b7a-4f0e-9a51-1f2e3d4c5b6a", "prompt_cache_key": f"user-{made(16)}"},
    {"sri": f"sha384-{base64.b64encode(_RANDOM.randbytes(48)).decode()}", "sort_key": made(20), "dna": made(400, "ACGT")},
    {"authorization": "REDACTED", "api_key": "dummy", "x-api-key": "XXXX", "secret": "<your secret>", "password": "********"},
]  # fmt: skip


@everywhere
def test_what_only_looks_like_a_secret_is_none(empty: Place) -> None:
    for number, document in enumerate(LOOK_ALIKES):
        body = json.dumps(document).encode()
        stream = b"data: " + body + b"\n\ndata: [DONE]\n\n"
        empty.put(f"cassettes/{number}.yaml", episode(body=body, answer_body=body), episode(answer_body=stream))
    assert empty.json("scan", status=None)["secrets"] == []
