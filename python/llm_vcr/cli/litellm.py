"""LiteLLM's cassettes in Redis: vcrpy's YAML under ``litellm:vcr:cassette:<test>``, plain or compressed with zstd."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Iterator
from typing import Any

import click

from llm_vcr import _core
from llm_vcr.errors import CassetteFileError

PREFIX = "litellm:vcr:cassette:"

_ZSTD = b"\x28\xb5\x2f\xfd"
"""What a zstd frame begins with (RFC 8878, section 3.1.1)."""


def cassettes(url: str) -> Iterator[tuple[str, str, Callable[[], bytes]]]:
    """Each cassette in a Redis: how to name it in messages, the id it gets, and how its text is got.

    The id is that of the test's file cassette: LiteLLM leaves out the folder ``cassettes`` and the suffix.

    Raises:
        click.UsageError: where the Redis cannot be reached, or a package to read it is not installed.
    """
    redis = _package("redis", "to read a Redis")
    shown = _core.redact_uri(url)
    try:
        client = redis.Redis.from_url(url)
        for key in sorted(client.scan_iter(match=f"{PREFIX}*", count=500)):
            name = key.decode("utf-8", "replace").removeprefix(PREFIX)
            folder, _, test = name.rpartition("/")
            parent, _, module = folder.rpartition("/")
            cassette_id = "/".join(part for part in (parent, "cassettes", module, f"{test}.yaml") if part)
            path = f"{shown}/{PREFIX}{name}"
            yield path, cassette_id, functools.partial(_text, client, key, path)
    except (redis.RedisError, ValueError) as error:
        raise click.UsageError(f"{shown}: {error}") from error


def _text(client: Any, key: bytes, path: str) -> bytes:
    redis = _package("redis", "to read a Redis")
    try:
        data: bytes | None = client.get(key)
    except redis.ResponseError as error:
        raise CassetteFileError(path, None, f"what has this key is no text ({error})") from error
    except redis.RedisError as error:
        raise click.UsageError(f"{path}: {error}") from error
    if data is None:
        raise CassetteFileError(path, None, "it has just expired")
    if not data.startswith(_ZSTD):
        return data
    zstandard = _package("zstandard", "to read compressed cassettes")
    try:
        whole: bytes = zstandard.ZstdDecompressor().decompressobj().decompress(data)
    except zstandard.ZstdError as error:
        raise CassetteFileError(path, None, f"it is no whole zstd frame ({error})") from error
    return whole


def _package(name: str, purpose: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        raise click.UsageError(f"the package {name} is needed {purpose}: pip install {name}") from None
