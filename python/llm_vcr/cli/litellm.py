"""LiteLLM's cassettes in Redis: vcrpy's YAML under ``litellm:vcr:cassette:<test>``, plain or compressed with zstd."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

import click

from llm_vcr import _core

PREFIX = "litellm:vcr:cassette:"

_ZSTD = b"\x28\xb5\x2f\xfd"
"""What a zstd frame begins with (RFC 8878, section 3.1.1)."""


def cassettes(url: str) -> Iterator[tuple[str, str, bytes]]:
    """Each cassette in a Redis: how to name it in messages, the id it gets, and its text.

    The id is that of the test's file cassette: LiteLLM leaves out the folder ``cassettes`` and the suffix.

    Raises:
        click.UsageError: where the Redis cannot be reached, or a package to read it is not installed.
    """
    redis = _package("redis", "to read a Redis")
    shown = _core.redact_uri(url)
    try:
        client = redis.Redis.from_url(url)
        for key in sorted(client.scan_iter(match=f"{PREFIX}*", count=500)):
            data = client.get(key)
            if data is None:  # it expired meanwhile
                continue
            name = key.decode("utf-8", "replace").removeprefix(PREFIX)
            folder, _, test = name.rpartition("/")
            parent, _, module = folder.rpartition("/")
            cassette_id = "/".join(part for part in (parent, "cassettes", module, f"{test}.yaml") if part)
            yield f"{shown}/{PREFIX}{name}", cassette_id, _decompressed(data)
    except (redis.RedisError, ValueError) as error:
        raise click.UsageError(f"{shown}: {error}") from error


def _decompressed(data: bytes) -> bytes:
    if not data.startswith(_ZSTD):
        return data
    whole: bytes = _package("zstandard", "to read compressed cassettes").ZstdDecompressor().decompressobj().decompress(data)
    return whole


def _package(name: str, purpose: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        raise click.UsageError(f"the package {name} is needed {purpose}: pip install {name}") from None
