"""The content codings of RFC 9110, section 8.4.1, and zstd (RFC 8878)."""

from __future__ import annotations

import gzip
import importlib
import sys
import zlib
from typing import Any


def encode(body: bytes, coding: str) -> bytes:
    """The body in the coding of that name. The libraries are asked for when they are needed: most runs need none."""
    match coding:
        case "gzip":
            return gzip.compress(body, 1)
        case "deflate":
            return zlib.compress(body, 1)
        case "br":
            import brotli

            return bytes(brotli.compress(body, quality=1))
        case "zstd":
            return bytes(_zstd().compress(body))
        case other:
            raise ValueError(f"the stand-in does not know the coding {other!r}")


def _zstd() -> Any:
    return importlib.import_module("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")
