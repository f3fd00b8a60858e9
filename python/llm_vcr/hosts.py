"""Which hosts are LLM providers, and which must never be in a cassette."""

from __future__ import annotations

import fnmatch
import functools

from llm_vcr.config import CREDENTIAL_HOSTS, PROVIDER_HOSTS, TELEMETRY_HOSTS


@functools.lru_cache(maxsize=1024)
def is_provider(host: str, own: tuple[str, ...] = ()) -> bool:
    """Whether ``host`` is in the table of providers, or matches one of the patterns that the user has added."""
    return _is_one_of(host.lower(), PROVIDER_HOSTS + own)


@functools.lru_cache(maxsize=1024)
def is_credential(host: str, own: tuple[str, ...] = ()) -> bool:
    """Whether credentials are exchanged with ``host``, by the table or one of the patterns that the user has added."""
    return _is_one_of(host.lower(), CREDENTIAL_HOSTS + own)


@functools.lru_cache(maxsize=1024)
def is_telemetry(host: str, own: tuple[str, ...] = ()) -> bool:
    """Whether ``host`` gathers telemetry, by the table or one of the patterns that the user has added."""
    return _is_one_of(host.lower(), TELEMETRY_HOSTS + own)


# To compile the tables to regular expressions takes ten milliseconds of each process; a suite speaks with a handful of hosts.
def _is_one_of(host: str, patterns: tuple[str, ...]) -> bool:
    return host in patterns or any(_fits(host, pattern) for pattern in patterns)


def _fits(host: str, pattern: str) -> bool:
    """What `fnmatch.fnmatchcase` says."""
    if "?" in pattern or "[" in pattern:
        return fnmatch.fnmatchcase(host, pattern)
    first, *rest = pattern.split("*")
    if not rest:
        return host == pattern
    if not host.startswith(first):
        return False
    place = len(first)
    for piece in rest[:-1]:
        found = host.find(piece, place)
        if found < 0:
            return False
        place = found + len(piece)
    return len(host) - place >= len(rest[-1]) and host.endswith(rest[-1])
