"""What is measured: each operation the plain way and ours, on the same body, with what has to come out of it."""

import base64
from collections.abc import Callable
from typing import NamedTuple

import llm_vcr
from llm_vcr import _core

from benches import budgets
from benches.python import bodies, plain_bytes, plain_json, plain_media, plain_volatile
from benches.python.measure import Work

KB, MB = 1_000, 1_000_000
_JSON = "application/json"
GOALS = budgets.section("operations")


class Operation(NamedTuple):
    """One row of the table."""

    name: str
    prepare: Callable[[], tuple[Work, Work]]
    """Makes the body and gives the plain way and ours, whose results are equal."""

    @property
    def must(self) -> float | None:
        """How many times as fast ours has to be."""
        return GOALS[self.name].get("must")

    @property
    def aim(self) -> float | None:
        """How many times as fast it is hoped to be."""
        return GOALS[self.name].get("aim")


def _first_difference() -> tuple[Work, Work]:
    left = bodies.noise(5 * MB) + b"left"
    right = left[:-4] + b"right"
    return lambda: plain_bytes.first_difference(left, right), lambda: _core.first_difference(left, right)


def _mask(body: bytes) -> tuple[Work, Work]:
    return lambda: plain_volatile.mask(body), lambda: _core.mask(body)


def _iterator(size: int) -> tuple[Work, Work]:
    body = bodies.noise(size)
    return lambda: plain_bytes.collect(iter(body)), lambda: llm_vcr.materialize(iter(body))


def _media(size: int) -> tuple[Work, Work]:
    body = bodies.image_answer(size)
    small = base64.b64encode(_core.shrink(bodies.png(size * 3 // 4), "image/png", 0, digest=False)).decode()
    return lambda: plain_media.shrink(body, 64 * 1024, lambda _: small), lambda: llm_vcr.shrink_media(body, _JSON)


def _no_media(min_len: int) -> tuple[Work, Work]:
    body = bodies.logprobs(20 * KB)
    return lambda: plain_media.shrink(body, min_len, lambda text: text), lambda: _core.shrink(body, _JSON, min_len, digest=False)


def _multipart(payload: bytes) -> tuple[Work, Work]:
    boundary = "8087456ce76304f982d564cf9fe967c6"
    body, content_type = bodies.upload(boundary, payload), f"multipart/form-data; boundary={boundary}"
    return lambda: plain_bytes.rewrite_multipart(body, content_type), lambda: llm_vcr.rewrite_multipart(body, content_type)


def _fingerprint(body: bytes, plain: Callable[[bytes], str]) -> tuple[Work, Work]:
    return lambda: plain(body), lambda: llm_vcr.fingerprint(body, _JSON)


def _sha256(size: int) -> tuple[Work, Work]:
    body = bodies.noise(size)
    return lambda: plain_bytes.sha256_hex(body), lambda: _core.sha256_hex(body)


OPERATIONS = (
    Operation("volatile masking, 100 KB", lambda: _mask(bodies.sparse(100 * KB))),
    Operation("volatile masking, 5 MB sparse", lambda: _mask(bodies.sparse(5 * MB))),
    Operation("volatile masking, 5 MB dense", lambda: _mask(bodies.dense(5 * MB))),
    Operation("first difference after 5 MB", _first_difference),
    Operation("iter(bytes) materialised, 1 KB", lambda: _iterator(KB)),
    Operation("iter(bytes) materialised, 1 MB", lambda: _iterator(MB)),
    Operation("iter(bytes) materialised, 16 MB", lambda: _iterator(16 * MB)),
    Operation("base64 media out of JSON, 10 MB", lambda: _media(10 * MB)),
    Operation("nothing to take out, 20 KB dense JSON", lambda: _no_media(64 * 1024)),
    Operation("nothing to take out, looking from 1 KiB on", lambda: _no_media(1024)),
    Operation("multipart boundary, 1 MB", lambda: _multipart(bodies.png(MB))),
    Operation("multipart boundary, 10 MB", lambda: _multipart(bodies.png(10 * MB))),
    Operation("multipart boundary, 1 MB of dashed lines", lambda: _multipart(bodies.delimiter_like(MB))),
    Operation("canonical JSON + SHA-256, 1 KB", lambda: _fingerprint(bodies.chat(KB), plain_json.fingerprint)),
    Operation("canonical JSON + SHA-256, 20 KB", lambda: _fingerprint(bodies.chat(20 * KB), plain_json.fingerprint)),
    Operation("canonical JSON + SHA-256, 200 KB", lambda: _fingerprint(bodies.chat(200 * KB), plain_json.fingerprint)),
    Operation("the same against orjson, 1 KB", lambda: _fingerprint(bodies.chat(KB), plain_json.fingerprint_orjson)),
    Operation("the same against orjson, 20 KB", lambda: _fingerprint(bodies.chat(20 * KB), plain_json.fingerprint_orjson)),
    Operation("the same against orjson, 200 KB", lambda: _fingerprint(bodies.chat(200 * KB), plain_json.fingerprint_orjson)),
    Operation(
        "the same against orjson, 200 KB of embeddings",
        lambda: _fingerprint(bodies.embeddings(200 * KB), plain_json.fingerprint_orjson),
    ),
    Operation(
        "the same against orjson, 200 KB of logprobs",
        lambda: _fingerprint(bodies.logprobs(200 * KB), plain_json.fingerprint_orjson),
    ),
    Operation("SHA-256, 64 KB", lambda: _sha256(64 * 1024)),
    Operation("SHA-256, 1 MB", lambda: _sha256(MB)),
    Operation("SHA-256, 10 MB", lambda: _sha256(10 * MB)),
)
