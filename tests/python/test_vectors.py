"""The vectors that the Rust tests read, through Python's public functions: the two languages cannot drift apart."""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from pathlib import Path
from typing import Any

import llm_vcr
import pytest
from llm_vcr import _core
from llm_vcr.config import MEDIA_MIN

VECTORS = Path(__file__).parents[1] / "vectors"


def load(name: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((VECTORS / f"{name}.json").read_text(encoding="utf-8"))
    return read


def cases(name: str, section: str = "cases") -> Any:
    listed = load(name)[section]
    assert len(listed) >= 5, "the vectors are gone"
    return pytest.mark.parametrize(
        "case", listed, ids=lambda case: str(case.get("name") or case.get("about") or case.get("kind") or "")[:60]
    )


def body_of(value: Any) -> bytes:
    if isinstance(value, str):
        return value.encode()
    return value["text"].encode() if "text" in value else base64.b64decode(value["base64"])


def test_every_file_of_vectors_is_read_here() -> None:
    here = Path(__file__).read_text(encoding="utf-8")
    for file in VECTORS.glob("*.json"):
        assert f'"{file.stem}"' in here, f"{file.name} is read by Rust only"


# --- canonical JSON


@cases("canonical_json")
def test_canonical_json(case: dict[str, Any]) -> None:
    body = body_of(case)
    expected = body if case["canonical"] is None else case["canonical"].encode()
    assert llm_vcr.canonical_body(body, "application/json") == expected


@cases("canonical_json", "different")
def test_json_that_must_differ(case: dict[str, Any]) -> None:
    forms = [llm_vcr.canonical_body(text, "application/json") for text in case["texts"]]
    prints = [llm_vcr.fingerprint(text, "application/json") for text in case["texts"]]
    assert len(set(forms)) == len(set(prints)) == len(forms)


# --- multipart


@cases("multipart")
def test_multipart(case: dict[str, Any]) -> None:
    body, content_type = body_of(case["body"]), case["content_type"]
    result = llm_vcr.rewrite_multipart(body, content_type)
    if "rewritten" in case:
        assert result == (body_of(case["rewritten"]["body"]), case["rewritten"]["content_type"])
        assert result.reason is None
    else:
        assert result[0] is body
        assert result[1] == content_type
        assert (result.reason is None) == case.get("unchanged", False)
        if "error" in case:
            assert case["error"]["reason"] in str(result.reason)
            assert str(case["error"]["offset"]) in str(result.reason)
    assert llm_vcr.rewrite_multipart(*result) == result


@cases("multipart", "pairs")
def test_multipart_pairs(case: dict[str, Any]) -> None:
    a, b = ((body_of(case[side]["body"]), case[side]["content_type"]) for side in "ab")
    assert (llm_vcr.fingerprint(*a) == llm_vcr.fingerprint(*b)) is case["equal"]
    assert (llm_vcr.canonical_body(*a) == llm_vcr.canonical_body(*b)) is case["equal"]
    for content_type in (a[1], b[1]):
        assert (llm_vcr.explain(a[0], b[0], content_type).cause == "boundary") is case["equal"]


# --- media


def medium(case: dict[str, Any]) -> bytes:
    head = bytes.fromhex(case["head"])
    return head + bytes((at * at * 31 + at * 7 + 11) % 251 for at in range(len(head), case["len"]))


def spelled(data: bytes, spelling: str) -> str:
    plain = base64.b64encode(data).decode()
    match spelling:
        case "standard":
            return plain
        case "urlsafe":
            return base64.urlsafe_b64encode(data).decode().rstrip("=")
        case "unpadded":
            return plain.rstrip("=")
        case "slashes":
            return plain.replace("/", "\\/")
        case "unicode":
            return plain.replace("+", "\\u002B")
        case "breaks":
            return "\\n".join(plain[at : at + 76] for at in range(0, len(plain), 76))
    raise AssertionError(f"no such spelling: {spelling}")


@cases("media")
def test_media(case: dict[str, Any]) -> None:
    before, after = case["text"].split("<MEDIA>")
    data = medium(case)
    body = (before + spelled(data, case["spelling"]) + after).encode()
    shrunk = llm_vcr.shrink_media(body)
    if case["becomes"] is None:
        assert shrunk is body
        return
    assert shrunk.startswith(before.encode())
    assert shrunk.endswith(after.encode())
    small = base64.b64decode(shrunk[len(before.encode()) : len(shrunk) - len(after.encode())])
    assert len(small) < 8192
    if "width" in case:
        assert struct.unpack_from(">II", small, 16) == (case["width"], case["height"])
    assert llm_vcr.shrink_media(shrunk) is shrunk
    kept = _core.shrink(body, None, MEDIA_MIN, digest=True)
    if case["text"].lstrip().startswith("{"):
        # A request's medium counts by its digest, so the small file stands for the full one.
        assert llm_vcr.fingerprint(kept, "application/json") == llm_vcr.fingerprint(body, "application/json")


# --- volatile tokens


@cases("volatile")
def test_volatile(case: dict[str, Any]) -> None:
    rules = _core.Rules(mask=case.get("patterns", []))
    text = case["text"].encode()
    if not text.startswith(b"\x1a"):  # what begins like one of our own tokens counts by its digest
        assert rules.canonical(text, "text/plain", mask_volatile=True) == case["masked"].encode()
    if not case.get("patterns"):
        assert _core.mask(text) == case["masked"].encode()
        assert (_core.mask(text) is text) == (case["masked"] == case["text"])


# --- explain


@cases("explain")
def test_explain(case: dict[str, Any]) -> None:
    rules = _core.Rules(ignore=case.get("ignore", []), mask=case.get("mask", []))
    found = rules.explain(body_of(case["left"]), case["left_type"], body_of(case["right"]), case["right_type"])
    assert (found.cause, found.path) == (case["cause"], case["path"])
    assert case.get("fix", "") in found.fix
    for name, value in (("offset", found.offset), ("left_window", found.left), ("right_window", found.right)):
        assert case.get(name, value) == value
    told = f"{found} {found!r} {found.left} {found.right} {found.fix}"
    assert not [secret for secret in case.get("secrets", []) if secret in told]


# --- secrets


def joined(pieces: list[str]) -> str:
    return "".join(pieces)


@cases("secrets")
def test_a_secret_is_redacted(case: dict[str, Any]) -> None:
    assert _core.redact(joined(case["text"]).encode()).decode() == case["redacted"]


@cases("secrets", "planted")
def test_a_planted_key_is_found(case: dict[str, Any]) -> None:
    key = joined(case["key"])
    body = f'{{"a": "the key is {key} and so on"}}'.encode()
    assert case["kind"] in [kind for kind, *_ in _core.scan(body)]
    # A token that is known only by what carries it may be what an answer is about.
    ways = (_core.redact,) if case["kind"] == "jwt" else (_core.redact, _core.redact_keys)
    for clean in (redact(body) for redact in ways):
        assert key.encode() not in clean
        assert json.loads(clean).keys() == {"a"}


@cases("secrets", "named")
def test_a_named_key_is_found(case: dict[str, Any]) -> None:
    body = json.dumps({case["name"]: joined(case["value"])}).encode()
    assert joined(case["value"]).encode() not in _core.redact(body)


@cases("secrets", "clean")
def test_what_is_no_secret_stays(case: dict[str, Any]) -> None:
    text = case["text"].encode() if isinstance(case["text"], str) else joined(case["text"]).encode()
    assert _core.redact(text) is text
    assert _core.redact_keys(text) is text


@cases("secrets", "uris")
def test_uris(case: dict[str, Any]) -> None:
    uri = case["uri"] if isinstance(case["uri"], str) else joined(case["uri"])
    assert _core.redact_uri(uri) == case["redacted"]


def test_headers() -> None:
    headers = load("secrets")["headers"]
    assert all(_core.is_secret_header(name) for name in headers["secret"])
    assert all(_core.is_incidental_header(name) for name in headers["incidental"])
    assert not any(_core.is_secret_header(name) or _core.is_incidental_header(name) for name in headers["kept"])


def test_sha256_is_hashlibs() -> None:
    for size in (0, 1, 63, 64, 65, 100_000):
        data = bytes(at % 251 for at in range(size))
        assert _core.sha256_hex(data) == hashlib.sha256(data).hexdigest()
