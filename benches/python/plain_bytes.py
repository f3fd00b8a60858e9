"""The plain ways to do what asks for no parsing: compare, collect, replace, hash."""

import hashlib
from collections.abc import Iterator

from llm_vcr import _core


def first_difference(left: bytes, right: bytes) -> int | None:
    """The offset of the first byte that differs, or of the end of the shorter one; ``None`` where they are equal."""
    shorter = min(len(left), len(right))
    end = shorter if len(left) != len(right) else None
    return next((index for index, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), end)


def collect(body: Iterator[int]) -> bytes:
    """The bytes of an iterator that httpx and vcrpy make of bytes."""
    return bytes(body)


def rewrite_multipart(body: bytes, content_type: str) -> tuple[bytes, str]:
    """Put the fixed boundary into a multipart body and its ``Content-Type``.

    This is wrong: it also replaces the boundary's text inside a payload, and nothing tells where one begins.
    """
    boundary = content_type.partition("boundary=")[2]
    return body.replace(boundary.encode(), _core.FIXED_BOUNDARY.encode()), content_type.replace(boundary, _core.FIXED_BOUNDARY)


def sha256_hex(body: bytes) -> str:
    """OpenSSL's SHA-256."""
    return hashlib.sha256(body).hexdigest()
