"""Decoding of compressed answers: gzip, deflate, zstd (RFC 8878), and what else vcrpy knows (br, where brotli is installed)."""

from __future__ import annotations

import contextlib
import importlib
import zlib
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
    decode = _DECODERS.get(coding)
    if decode is None:
        result: dict[str, Any] = decode_response(response)
        return result
    plain = decode(data)
    if plain is None:
        return response
    length = [str(len(plain))]
    headers = {
        ("content-length" if text(name).lower() == "content-length" else name): values
        for name, values in response["headers"].items()
        if text(name).lower() != "content-encoding"
    }
    return {**response, "headers": headers | {"content-length": length}, "body": {**response["body"], "string": plain}}


def _gunzipped(data: bytes) -> bytes:
    """What all members hold: there may be several (RFC 1952, section 2.2), and vcrpy takes the first."""
    members, rest = [], data
    with contextlib.suppress(zlib.error):  # padding behind the last one
        while rest:
            member = zlib.decompressobj(zlib.MAX_WBITS | 16)
            members.append(member.decompress(rest))
            if not member.eof:
                return data
            rest = member.unused_data
    return b"".join(members) if members else data


def _inflated(data: bytes) -> bytes:
    """What is deflated, with zlib's envelope (RFC 9110, section 8.4.1.2) or, as many servers have it, without."""
    for envelope in (zlib.MAX_WBITS, -zlib.MAX_WBITS):
        stream = zlib.decompressobj(envelope)
        with contextlib.suppress(zlib.error):
            plain = stream.decompress(data)
            # Without it there is no checksum: at least the end must be where it should be.
            if stream.eof and (envelope > 0 or not stream.unused_data):
                return plain
    return data


def _unzstd(data: bytes) -> bytes | None:
    if not data.startswith(_ZSTD_MAGIC):
        return data
    decompress = _zstd()
    return None if decompress is None else decompress(data)


_DECODERS: dict[str, Callable[[bytes], bytes | None]] = {"gzip": _gunzipped, "deflate": _inflated, "zstd": _unzstd}
"""How a body is decoded; ``None`` is what nobody here can."""


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
