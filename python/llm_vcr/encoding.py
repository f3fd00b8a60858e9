"""Decoding of compressed answers: what vcrpy knows (gzip, deflate, and br where brotli is installed), and zstd (RFC 8878)."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from vcr.filters import decode_response

from llm_vcr.request import header, text

_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"


def decoded(response: dict[str, Any]) -> dict[str, Any]:
    """The response with its body decoded and its headers telling so; unchanged where there is nothing to do or nobody to do it.

    A body that is not compressed although its headers say so was decoded by the client already.
    """
    coding = (header(response.get("headers"), "content-encoding") or "").strip().lower()
    data = (response.get("body") or {}).get("string")
    if not coding or not isinstance(data, bytes):
        return response
    if coding != "zstd":
        result: dict[str, Any] = decode_response(response)
        return result
    if data.startswith(_ZSTD_MAGIC):
        decompress = _zstd()
        if decompress is None:
            return response
        data = decompress(data)
    gone = ("content-encoding", "content-length")
    headers = {name: values for name, values in response["headers"].items() if text(name).lower() not in gone}
    headers["content-length"] = [str(len(data))]
    return {**response, "headers": headers, "body": {**response["body"], "string": data}}


def _zstd() -> Callable[[bytes], bytes] | None:
    """Whichever zstd is installed: Python's own since 3.14, its backport, or the package that httpx names."""
    for name in ("compression.zstd", "backports.zstd"):
        try:
            decompress: Callable[[bytes], bytes] = importlib.import_module(name).decompress
        except ImportError:
            continue
        return decompress
    try:
        zstandard = importlib.import_module("zstandard")
    except ImportError:
        return None
    # A frame need not tell its size, which `decompress` asks for.
    return lambda data: bytes(zstandard.ZstdDecompressor().decompressobj().decompress(data))
